/** Ids of the original tokenizers on odd texts. Skipped where the data is not there: it is not ours to ship. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { defaultModelFolder } from "../../kernels/encode/default-encoder.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { loadTokenizer, type Tokenizer } from "../../kernels/tokenize/tokenizer.ts";

interface Golden {
  family: string;
  model: string;
  text: string;
  text_pair?: string;
  ids: number[];
}

const data = process.env.PARALLAX_DATA ?? path.join(packageRoot(), "..", "shared", "data");
const folder = path.join(data, "tokenizers");
const file = path.join(folder, "golden.json");

/**
 * The tokenizers that are there, by folder, and the models whose ids they must give. T5, RoBERTa, GPT-2, ALBERT and
 * others have ids in the golden file and no tokenizer here.
 */
const SAME: Record<string, string[]> = {
  "all-MiniLM-L6-v2": ["Xenova/bert-base-uncased", "Xenova/distilbert-base-uncased-finetuned-sst-2-english"],
  "gte-small": ["Xenova/bert-base-uncased"],
  "NoInstruct-small-Embedding-v0": ["Xenova/bert-base-uncased"],
  "all-mpnet-base-v2": ["Xenova/all-mpnet-base-v2"],
  "bert-base-multilingual-uncased": ["Xenova/bert-base-multilingual-uncased-sentiment"],
  "m3e-small": ["Xenova/bge-small-zh-v1.5"],
  "paraphrase-multilingual-mpnet-base-v2": [
    "Xenova/paraphrase-multilingual-mpnet-base-v2",
    "Xenova/paraphrase-multilingual-MiniLM-L12-v2",
  ],
};

function load(name: string): Tokenizer {
  const packed = path.join(folder, name, "tokenizer.json.gz");
  if (!existsSync(packed)) return loadTokenizer(path.join(folder, name));
  return loadTokenizer(JSON.parse(gunzipSync(readFileSync(packed)).toString("utf8")) as Record<string, unknown>);
}

describe.skipIf(!existsSync(file))(`original ids (${file})`, () => {
  const rows = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Golden[]) : [];
  const check = (tokenizer: Tokenizer, model: string) => {
    const wanted = rows.filter((row) => row.model === model && row.text_pair === undefined);
    expect(wanted.length).toBeGreaterThan(0);
    expect(wanted.map(({ text }) => ({ text, ids: tokenizer.encode(text).ids }))).toEqual(
      wanted.map(({ text, ids }) => ({ text, ids })),
    );
  };

  test("the default tokenizer gives those of bert-base-uncased, whose vocabulary it has", () => {
    check(loadTokenizer(defaultModelFolder()), "Xenova/bert-base-uncased");
  });

  for (const [name, models] of Object.entries(SAME))
    test(`${name} gives those of ${models.join(" and ")}`, () => {
      const tokenizer = load(name);
      for (const model of models) check(tokenizer, model);
    });
});

const python = process.env.PARALLAX_PYTHON ?? "/usr/bin/python3";
const hasSentencePiece =
  existsSync(path.join(folder, "bpemb-sentencepiece")) &&
  spawnSync(python, ["-c", "import sentencepiece"]).status === 0;

describe.skipIf(!hasSentencePiece)("BPEmb's .model files", () => {
  const texts = JSON.parse(
    readFileSync(path.join(packageRoot(), "test/golden/tokenizers/texts.json"), "utf8"),
  ) as string[];
  for (const name of ["en.wiki.bpe.vs10000.model", "ja.wiki.bpe.vs5000.model"])
    test(`${name} gives the ids of the SentencePiece library, with nmt_nfkc's rules`, () => {
      const model = path.join(folder, "bpemb-sentencepiece", name);
      const program =
        "import json, sys, sentencepiece as s; p = s.SentencePieceProcessor(model_file=sys.argv[1]); print(json.dumps([p.encode(t) for t in json.load(sys.stdin)]))";
      const { stdout } = spawnSync(python, ["-c", program, model], { input: JSON.stringify(texts), encoding: "utf8" });
      const tokenizer = loadTokenizer(model);
      expect(texts.map((text) => tokenizer.encode(text).ids)).toEqual(JSON.parse(stdout));
    });
});

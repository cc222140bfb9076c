/** The older kinds of tokenizer files, and files with parts that are not known. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { loadTokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { tinyTokenizerJson, tinyVocabulary } from "../support/tiny-bert.ts";

const golden = path.join(packageRoot(), "test/golden/tokenizers");
const root = mkdtempSync(path.join(tmpdir(), "parallax-tokenizer-files-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
type Json = Record<string, unknown>;
const read = (name: string) => JSON.parse(readFileSync(path.join(golden, name), "utf8")) as Json & { model: Json };
const texts = JSON.parse(readFileSync(path.join(golden, "texts.json"), "utf8")) as string[];

function folder(name: string, files: Record<string, string>): string {
  const at = path.join(root, name);
  mkdirSync(at);
  for (const [file, contents] of Object.entries(files)) writeFileSync(path.join(at, file), contents);
  return at;
}

describe("folders without tokenizer.json", () => {
  const vocabulary = (model: Json) => model.vocab as Record<string, number>;

  test("vocab.txt gives the ids of the same tokenizer.json, with the switches of tokenizer_config.json", () => {
    const json = read("wordpiece.json");
    const pieces = Object.entries(vocabulary(json.model)).sort(([, a], [, b]) => a - b);
    const lines = pieces.map(([piece]) => piece).join("\n");
    const whole = loadTokenizer(json);
    const old = loadTokenizer(
      folder("bert", { "vocab.txt": `${lines}\n`, "tokenizer_config.json": '{"do_lower_case":true}' }),
    );
    for (const text of texts) expect(old.encode(text).ids).toEqual(whole.encode(text).ids);
    const config = { do_lower_case: false, strip_accents: false, tokenize_chinese_chars: false };
    const cased = loadTokenizer(
      folder("cased", { "vocab.txt": lines, "tokenizer_config.json": JSON.stringify(config) }),
    );
    const { normalizer } = json as { normalizer?: Json };
    const same = {
      ...json,
      normalizer: { ...normalizer, lowercase: false, strip_accents: false, handle_chinese_chars: false },
    };
    const changed = loadTokenizer(same);
    for (const text of texts) expect(cased.encode(text).ids).toEqual(changed.encode(text).ids);
  });

  test("vocab.json and merges.txt give the ids of the same tokenizer.json", () => {
    const json = read("byte-level.json");
    const merges = `#version: 0.2\n${(json.model.merges as string[]).join("\n")}\n`;
    const old = loadTokenizer(
      folder("roberta", { "vocab.json": JSON.stringify(json.model.vocab), "merges.txt": merges }),
    );
    const whole = loadTokenizer(json);
    for (const text of texts) expect(old.encode(text).ids).toEqual(whole.encode(text).ids);
  });

  test("a .model gets what its tokenizer_class puts around it", () => {
    const at = folder("t5", { "tokenizer_config.json": '{"tokenizer_class":"T5Tokenizer"}' });
    copyFileSync(path.join(golden, "unigram.model"), path.join(at, "spiece.model"));
    const bare = loadTokenizer(path.join(golden, "unigram.model"));
    const t5 = loadTokenizer(at);
    const text = "The dog barks.";
    const body = bare.encode(text).ids;
    expect(t5.encode(text).ids).toEqual([...body, 2]);
    expect(t5.vocabSize).toBe(bare.vocabSize + 100);
    expect(t5.encode("<extra_id_0> <extra_id_99>").ids.slice(0, -1)).toEqual([bare.vocabSize + 99, bare.vocabSize]);

    const xlm = loadTokenizer(path.join(golden, "unigram.model"), {
      config: { tokenizer_class: "XLMRobertaTokenizer" },
    });
    // fairseq's order: <s> <pad> </s> <unk>, then all others one further.
    expect(xlm.encode(text).ids).toEqual([0, ...body.map((id) => (id === 0 ? 3 : id + 1)), 2]);
    expect([xlm.clsId, xlm.padId, xlm.sepId, xlm.unkId]).toEqual([0, 1, 2, 3]);
    expect(xlm.piece(bare.vocabSize + 1)).toBe("<mask>");
    expect(() =>
      loadTokenizer(path.join(golden, "unigram.model"), { config: { tokenizer_class: "OddTokenizer" } }),
    ).toThrow(/tokenizer_class "OddTokenizer"/);
  });
});

describe("parts that are not known are named", () => {
  const base = tinyTokenizerJson(tinyVocabulary());
  const codeOf = (json: Json) => {
    try {
      loadTokenizer(json);
    } catch (error) {
      const { code, message, details } = error as { code: string; message: string; details: Json };
      return { code, message, component: details.component, type: details.type };
    }
    return "nothing thrown";
  };
  for (const component of ["normalizer", "pre_tokenizer", "model", "post_processor", "decoder"])
    test(component, () => {
      const unknown = { type: "FromTheFuture", vocab: {}, merges: [] };
      const expected = { code: "tokenizer.unsupported", component, type: "FromTheFuture" };
      expect(codeOf({ ...base, [component]: unknown })).toMatchObject(expected);
      const name = {
        normalizer: "normalizers",
        pre_tokenizer: "pretokenizers",
        post_processor: "processors",
        decoder: "decoders",
      };
      const list = name[component as keyof typeof name];
      if (list !== undefined)
        expect(codeOf({ ...base, [component]: { type: "Sequence", [list]: [unknown] } })).toMatchObject(expected);
      expect(codeOf({ ...base, [component]: unknown })).toMatchObject({
        message: expect.stringContaining(`${component} "FromTheFuture"`) as string,
      });
    });

  test("rules that make a text grow without end are refused while encoding", () => {
    const grow = { type: "Replace", pattern: { String: "a" }, content: "a".repeat(100) };
    const bomb = loadTokenizer({
      ...base,
      normalizer: { type: "Sequence", normalizers: Array.from({ length: 8 }, () => grow) },
    });
    expect(() => bomb.encode("a")).toThrow(/"Replace".* longer/);
  });
});

describe("texts that nobody writes", () => {
  const files = [
    "wordpiece.json",
    "byte-level.json",
    "byte-fallback.json",
    "unigram.json",
    "unigram.model",
    "bpe-bytes.model",
  ];
  const odd = {
    spaces: " \t\n\u00a0\u3000",
    emoji: "😀👨‍👩‍👧🇩🇪👍🏽",
    "right to left": "שלום עולם مرحبا",
    NUL: "\0\0a\0",
    "lone surrogates": "\ud800a\udc00 \udfff",
  };
  for (const file of files) {
    const tokenizer = loadTokenizer(path.join(golden, file));
    test(`${file}: spaces, emoji, right-to-left, NUL and lone surrogates give whole encodings`, () => {
      for (const text of Object.values(odd)) {
        const { ids, offsets } = tokenizer.encode(text, Infinity, { offsets: true });
        expect(ids.every((id) => Number.isInteger(id) && id >= 0)).toBe(true);
        expect(offsets).toHaveLength(ids.length);
        expect(ids).toEqual(tokenizer.encode(text.replace(/\p{Surrogate}/gu, "\ufffd")).ids);
      }
    });

    test(`${file}: one word of 10 MB is read in bounded time and memory`, () => {
      const word = "Abé".repeat(3_400_000);
      const before = process.memoryUsage().rss;
      const started = process.cpuUsage();
      const { ids } = tokenizer.encode(word, 512, { offsets: true });
      const { user, system } = process.cpuUsage(started);
      expect(ids.length).toBeLessThanOrEqual(512);
      expect((user + system) / 1000).toBeLessThan(8000);
      expect(process.memoryUsage().rss - before).toBeLessThan(700_000_000);
    });
  }
});

describe("the length written in tokenizer.json is not the model's", () => {
  test("a file that says 128 still gives 256 tokens", () => {
    const json = {
      ...tinyTokenizerJson(tinyVocabulary()),
      truncation: { max_length: 128, strategy: "LongestFirst", stride: 0 },
    };
    expect(loadTokenizer(json).encode("dog ".repeat(400), 256).ids).toHaveLength(256);
  });

  const data = process.env.PARALLAX_DATA ?? path.join(packageRoot(), "..", "shared", "data");
  const miniLm = path.join(data, "tokenizers/all-MiniLM-L6-v2");
  test.skipIf(!existsSync(miniLm))("all-MiniLM-L6-v2 says 128 and takes 256", () => {
    const json = JSON.parse(readFileSync(path.join(miniLm, "tokenizer.json"), "utf8")) as {
      truncation: { max_length: number };
    };
    expect(json.truncation.max_length).toBe(128);
    expect(loadTokenizer(miniLm).encode("dog ".repeat(400), 256)).toMatchObject({ truncated: true });
    expect(loadTokenizer(miniLm).encode("dog ".repeat(400), 256).ids).toHaveLength(256);
  });
});

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { openSafetensors, writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { readStaticModel, staticEngine } from "../../kernels/encode/static-model.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { randomTensor } from "../../kernels/model/random.ts";
import { tinyTokenizerJson, tinyVocabulary } from "../support/tiny-bert.ts";

interface Golden {
  pieces: number;
  rows: number;
  dimensions: number;
  seed: number;
  mapping: number[];
  texts: number[][];
  cases: { mapped: boolean; weighted: boolean; normalise: boolean; vectors: number[] }[];
}
const golden = JSON.parse(readFileSync(new URL("../golden/static.json", import.meta.url), "utf8")) as Golden;
const root = mkdtempSync(path.join(tmpdir(), "parallax-static-"));
process.env.PARALLAX_HOME = path.join(root, "home");
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a table of vectors against NumPy", () => {
  for (const { mapped, weighted, normalise, vectors } of golden.cases)
    it(`gives the means${mapped ? ", shared rows" : ""}${weighted ? ", weighted" : ""}${normalise ? ", unit length" : ""}`, async () => {
      const { pieces, rows, dimensions: d, seed, mapping, texts } = golden;
      const file = path.join(root, "model.safetensors");
      const tensors = new Map<string, Tensor>([
        [
          "embeddings",
          mapped
            ? randomTensor("embeddings.small", [rows, d], seed)
            : randomTensor("embeddings.table", [pieces, d], seed),
        ],
      ]);
      if (mapped) tensors.set("mapping", tensor("int32", [pieces], Int32Array.from(mapping)));
      if (weighted) {
        const random = randomTensor("weights.weight", [pieces], seed).data;
        tensors.set(
          "weights",
          tensor(
            "float64",
            [pieces],
            Float64Array.from(random, (value) => 1 + value),
          ),
        );
      }
      writeSafetensors(file, tensors);
      const engine = staticEngine(readStaticModel(openSafetensors(file), pieces), { normalise });
      const t = Math.max(...texts.map((ids) => ids.length));
      const at = (value: (i: number, j: number) => number) =>
        BigInt64Array.from({ length: texts.length * t }, (_, k) => BigInt(value(Math.floor(k / t), k % t)));
      const found = await engine.run({
        ids: at((i, j) => texts[i][j] ?? 0),
        mask: at((i, j) => Number(j < texts[i].length)),
        b: texts.length,
        t,
      });
      // float32 results of sums in float64: half a unit in the last place of numbers below 1, weights rounded to float32.
      const worst = Math.max(...vectors.map((value, i) => Math.abs(value - found[i])));
      expect(worst).toBeLessThan(2e-7);
    });
});

/** A Model2Vec folder with the tiny tokenizer; piece i has the vector (i, 1). */
function folder(change?: (tensors: Map<string, Tensor>) => void): string {
  const target = mkdtempSync(path.join(root, "folder-"));
  const vocabulary = tinyVocabulary();
  const data = Float32Array.from({ length: 2 * vocabulary.length }, (_, i) => (i % 2 === 0 ? i / 2 : 1));
  const tensors = new Map<string, Tensor>([["embeddings", tensor("float32", [vocabulary.length, 2], data)]]);
  change?.(tensors);
  const json = (name: string, value: unknown) => writeFileSync(path.join(target, name), JSON.stringify(value));
  json("config.json", { model_type: "model2vec", normalize: false });
  json("modules.json", [{ idx: 0, name: "0", path: ".", type: "sentence_transformers.models.StaticEmbedding" }]);
  json("tokenizer.json", tinyTokenizerJson(vocabulary));
  writeSafetensors(path.join(target, "model.safetensors"), tensors);
  return target;
}

describe("a Model2Vec folder", () => {
  const id = (piece: string) => tinyVocabulary().indexOf(piece);

  it("leaves special tokens and unknown pieces out", async () => {
    const encoder = await openEncoder(folder());
    const set = await encoder.encode(["dog cat", "dog ☃ cat", "☃", ""]);
    const mean = (id("dog") + id("cat")) / 2;
    expect([...set.data]).toEqual([mean, 1, mean, 1, 0, 0, 0, 0]);
    expect(encoder.identity).toMatchObject({
      architecture: "static",
      pooling: "static",
      maxTokens: 512,
      dimensions: 2,
    });
    expect(set.report.unknownShare).toBeGreaterThan(0);
  });

  it("reads at most 512 pieces", async () => {
    const encoder = await openEncoder(folder());
    const set = await encoder.encode([`${"dog ".repeat(512)}cat`]);
    expect([...set.row(0)]).toEqual([id("dog"), 1]);
    expect(set.report.truncated).toEqual([0]);
  });

  it.each<[string, (tensors: Map<string, Tensor>) => void, string]>([
    ["has no table", (tensors) => tensors.delete("embeddings"), "encoder.missing-weight"],
    [
      "is too short",
      (tensors) => tensors.set("embeddings", tensor("float32", [3, 2], new Float32Array(6))),
      "encoder.wrong-shape",
    ],
    [
      "maps a piece to a row that is not there",
      (tensors) => tensors.set("mapping", tensor("int32", [400], new Int32Array(400).fill(9999))),
      "encoder.wrong-shape",
    ],
  ])("is refused when it %s", async (_, change, code) => {
    const target = folder((tensors) => {
      tensors.set("other", tensor("float32", [1], new Float32Array(1)));
      change(tensors);
    });
    await expect(openEncoder(target)).rejects.toMatchObject({ code });
  });
});

const fixtures = path.resolve(import.meta.dirname, "../../../shared/data/models");
const names = existsSync(fixtures) ? readdirSync(fixtures).filter((name) => name.startsWith("model2vec")) : [];

describe.skipIf(names.length === 0)("published fixtures", () => {
  it.each(names)("%s gives the mean of its rows", async (name) => {
    const target = path.join(root, name);
    mkdirSync(target);
    cpSync(path.join(fixtures, name), target, { recursive: true });
    writeFileSync(
      path.join(target, "tokenizer.json"),
      gunzipSync(readFileSync(path.join(target, "tokenizer.json.gz"))),
    );
    const encoder = await openEncoder(target);
    const text = "A quick brown fox, and nothing unknown!";
    const vector = (await encoder.encode([text])).row(0);
    const { tokenizer } = encoder;
    const ids = tokenizer.encode(text).ids.slice(tokenizer.prefix.length);
    const body = ids.slice(0, ids.length - tokenizer.suffix.length).filter((token) => token !== tokenizer.unkId);
    const file = openSafetensors(path.join(target, "model.safetensors"));
    const table = file.readFloat32("embeddings");
    const mapping = file.entries.has("mapping") ? file.readFloat32("mapping").data : null;
    const weights = file.entries.has("weights") ? file.readFloat32("weights").data : null;
    const d = table.dims[1];
    const sum = new Float64Array(d);
    for (const token of body)
      for (let k = 0; k < d; k++) sum[k] += (weights?.[token] ?? 1) * table.data[(mapping?.[token] ?? token) * d + k];
    const length = Math.hypot(...sum);
    expect(body.length).toBeGreaterThan(6);
    expect(Math.max(...sum.map((value, k) => Math.abs(value / length - vector[k])))).toBeLessThan(1e-6);
  });
});

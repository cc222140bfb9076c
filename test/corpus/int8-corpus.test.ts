import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCorpus } from "../../kernels/api/corpus.ts";
import { Corpus } from "../../kernels/corpus/corpus.ts";
import { Int8Loss, quantiseRows } from "../../kernels/corpus/int8-rows.ts";
import { recallSummary } from "../../kernels/corpus/recall.ts";
import { writeCorpus } from "../../kernels/corpus/write-corpus.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { counterUniform } from "../../kernels/model/random.ts";
import { tinyVocabulary } from "../support/tiny-bert.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-int8-corpus-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
const model = path.join(root, "model");
writeTinyFolder(model, "bert");
let encoder: Encoder;
beforeAll(async () => {
  encoder = await openEncoder(model, { compute, threads: 1 });
});
afterAll(async () => {
  await encoder.dispose();
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

const words = tinyVocabulary().slice(100);
const N = 5000;
const texts = Array.from({ length: N }, (_, i) =>
  Array.from({ length: 1 + ((i * 7) % 12) }, (__, j) => words[(i * 13 + j * j * 5) % words.length])
    .concat(String(i))
    .join(" "),
);
const tsv = path.join(root, "texts.tsv");
writeFileSync(tsv, `text\n${texts.join("\n")}\n`);
const write = (folder: string, dtype: "float32" | "int8", stopAt = Number.POSITIVE_INFINITY) => {
  const controller = new AbortController();
  return writeCorpus({
    file: tsv,
    column: "text",
    encoder,
    folder,
    dtype,
    signal: controller.signal,
    onProgress: ({ stage, done }) => {
      if (stage === "Encoding the corpus" && done >= stopAt) controller.abort();
    },
  });
};

describe("rows at 8 bits", () => {
  it("come back within half a step of their row, and zeros as zeros", () => {
    const d = 16;
    const rows = Float32Array.from({ length: 20 * d }, (_, i) =>
      i < d ? 0 : Math.sin(i * 12.9) * 10 ** ((i / d) % 5),
    );
    const { codes, scales } = quantiseRows(rows, d);
    rows.forEach((value, i) => {
      const scale = scales[Math.floor(i / d)];
      expect(Math.abs(codes[i] * scale - value)).toBeLessThanOrEqual(scale * 0.5001);
    });
    expect(scales[0]).toBe(0);
    expect([...codes.subarray(0, d)]).toEqual(new Array(d).fill(0));
  });
});

describe("a corpus at 8 bits", () => {
  it("is a quarter of the size, and says how much of the float32 answer it finds", { timeout: 60_000 }, async () => {
    const [fine, coarse] = [path.join(root, "fine"), path.join(root, "coarse")];
    await write(fine, "float32");
    const { loss } = await write(coarse, "int8");
    const [float, int8] = [Corpus.open(fine), Corpus.open(coarse)];
    expect(readFileSync(path.join(coarse, "vectors.npy")).length).toBe(128 + N * 32);
    // The same by comparing everything with everything, from the two finished corpora.
    const [a, b] = [float.unitRows(0, N), int8.unitRows(0, N)];
    const chosen = new Set<number>();
    for (let i = 0; chosen.size < 64; i++) chosen.add(Math.floor(counterUniform(0, i) * 2048));
    const dot = (x: Float32Array, q: number, y: Float32Array, r: number) => {
      let sum = 0;
      for (let j = 0; j < 32; j++) sum += x[q * 32 + j] * y[r * 32 + j];
      return sum;
    };
    const shares = [...chosen].map((q) => {
      const exact = texts.map((_, r) => (r === q ? -2 : dot(a, q, a, r)));
      const found = texts.map((_, r) => (r === q ? -2 : dot(a, q, b, r)));
      const order = (cosines: number[]) =>
        cosines
          .map((_, r) => r)
          .sort((x, y) => cosines[y] - cosines[x] || x - y)
          .slice(0, 10);
      const least = exact[order(exact)[9]] - 1e-6;
      return order(found).filter((r) => exact[r] >= least).length / 10;
    });
    const expected = recallSummary(shares, { k: 10, seed: 0 });
    expect(loss).toMatchObject({ k: 10, n: 64, seed: 0 });
    // Roundings of a cosine may swap one neighbour of one query.
    expect(Math.abs((loss?.mean ?? 0) - expected.mean)).toBeLessThan(2 / 640);
    expect(loss?.mean).toBeLessThan(1);
    const shown = openCorpus(coarse);
    expect(shown.loss).toMatch(
      /^8 bits a number: exact search over them finds \d+\.\d % of the float32 10 nearest \(95 % interval .*; n = 64 of its first rows, seed 0\)\.$/,
    );
    shown.close();
    float.close();
    int8.close();
  });

  it("stopped twice and gone on with has the bits and the loss of an unbroken one", { timeout: 60_000 }, async () => {
    const [unbroken, stopped] = [path.join(root, "unbroken"), path.join(root, "stopped")];
    const whole = await write(unbroken, "int8");
    await expect(write(stopped, "int8", 2048)).rejects.toMatchObject({ code: "work.cancelled" });
    await expect(write(stopped, "int8", 4096)).rejects.toMatchObject({ code: "work.cancelled" });
    const again = await write(stopped, "int8");
    expect(again.loss).toEqual(whole.loss);
    expect(readdirSync(stopped).sort()).toEqual(readdirSync(unbroken).sort());
    expect(readdirSync(stopped)).not.toContain("loss.state");
    for (const name of readdirSync(unbroken).filter((file) => file !== "manifest.json"))
      expect(readFileSync(path.join(stopped, name)).equals(readFileSync(path.join(unbroken, name))), name).toBe(true);
  });

  it("whose measurement is ahead of its rows counts no row twice, and one that is behind is not used", () => {
    const d = 8;
    const rows = Float32Array.from({ length: 300 * d }, (_, i) => Math.sin(i * 1.7 + i * i * 0.01));
    const part = (from: number, to: number) => rows.slice(from * d, to * d);
    const add = (loss: Int8Loss, from: number, to: number) => {
      const { codes, scales } = quantiseRows(part(from, to), d);
      loss.add(from, part(from, to), codes, scales);
    };
    const whole = new Int8Loss(d);
    add(whole, 0, 200);
    add(whole, 200, 300);
    const file = path.join(root, "loss.state");
    const first = new Int8Loss(d);
    add(first, 0, 200);
    first.save(file);
    expect(Int8Loss.load(file, 201)).toBeUndefined();
    const again = Int8Loss.load(file, 100);
    add(again!, 100, 300);
    expect(again?.result()).toEqual(whole.result());
    writeFileSync(file, "not a state");
    expect(Int8Loss.load(file, 0)).toBeUndefined();
  });

  it("with an index says its recall on held-out queries too", { timeout: 60_000 }, async () => {
    const folder = path.join(root, "held-out");
    await write(folder, "int8");
    const corpus = openCorpus(folder);
    const heldOut = Array.from(
      { length: 300 },
      (_, i) => `${words[(i * 31) % words.length]} ${words[i % words.length]}`,
    );
    const found = await corpus.nearest(["the dog"], { exact: false, heldOut, encoder });
    expect(found.heldOut).toMatchObject({ k: 10, n: 200, seed: 0 });
    expect(found.heldOut?.mean).toBeGreaterThan(0.8);
    expect(found.certainty).toMatch(
      /^Approximate: .*n = 200 rows of the corpus, seed 0\).*On held-out queries it finds \d+\.\d % of the exact 10 nearest .*n = 200 queries, seed 0\)\. 8 bits a number: /,
    );
    const exact = await corpus.nearest(["the dog"], { exact: true, heldOut, encoder });
    expect([exact.heldOut, exact.index]).toEqual([null, null]);
    corpus.close();
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders } from "../../kernels/api/encoder.ts";
import { comparePrecisions, DISPLAY, loadEncoder } from "../../kernels/api/index.ts";
import { setDefaultCompute, threadCompute } from "../../kernels/graph/compute.ts";
import { MIME } from "../../kernels/protocol/display.ts";

const ROWS = [
  "5\tA man is playing a guitar.\tA man plays the guitar.",
  "4.5\tThe cat sleeps on the sofa.\tA cat is asleep on the couch.",
  "4\tPrices rose sharply in March.\tIn March prices went up a lot.",
  "3\tA woman slices an onion.\tA woman is cutting a tomato.",
  "2.5\tTwo dogs run in the snow.\tTwo children run in the snow.",
  "2\tThe bank raised its rates.\tThe bank closed a branch.",
  "1.5\tHe reads a book in bed.\tHe writes a letter at a desk.",
  "1\tThe train leaves at noon.\tThe bus was late again.",
  "0.5\tShe paints the kitchen wall.\tStocks fell in early trading.",
  "0\tWhales sing under water.\tThe printer is out of paper.",
];

let folder: string;
const nothing = () => undefined;
const context = (): CellContext => ({
  signal: new AbortController().signal,
  workingFolder: folder,
  progress: nothing,
  display: nothing,
  pending: nothing,
  clear: nothing,
  runStarted: nothing,
});
const compute = threadCompute();

beforeAll(async () => {
  setDefaultCompute(compute);
  folder = await mkdtemp(path.join(tmpdir(), "parallax-precision-"));
  await writeFile(path.join(folder, "pairs.tsv"), `score\tsentence1\tsentence2\n${ROWS.join("\n")}\n`);
});
afterAll(async () => {
  await disposeEncoders();
  await compute.dispose();
  await rm(folder, { recursive: true, force: true });
});

describe("comparePrecisions", () => {
  test("says of each precision and form of vectors what it costs and gives", { timeout: 90_000 }, async () => {
    const report = await withContext(context(), () =>
      comparePrecisions("pairs.tsv", {
        precisions: ["int8", "int8-weights"],
        vectors: [{ type: "int8" }, { type: "binary" }, { dimensions: 96 }],
        resamples: 200,
      }),
    );
    expect(report).toMatchObject({ metric: "cosine_spearman", n: 10, unit: "pairs", seed: 0 });
    expect(report.lines.map((line) => line.name)).toEqual([
      "float32",
      "int8",
      "int8-weights",
      "int8 vectors",
      "binary vectors",
      "float32 vectors, 96 dimensions",
    ]);
    const [float32, int8, weights, vectors, binary, short] = report.lines;
    expect(float32).toMatchObject({ delta: 0, meanCosine: expect.closeTo(1, 6), vectorBytes: 1536 });
    expect(float32.modelBytes! / int8.modelBytes!).toBeGreaterThan(3.5);
    expect(weights.leastCosine).toBeGreaterThan(0.995);
    expect(int8.leastCosine).toBeGreaterThan(0.95);
    expect(vectors.leastCosine).toBeGreaterThan(0.9999);
    expect([vectors.vectorBytes, binary.vectorBytes, short.vectorBytes]).toEqual([384, 48, 384]);
    for (const line of report.lines) {
      expect(line.interval.low).toBeLessThanOrEqual(line.score);
      expect(line.delta).toBeCloseTo(line.score - float32.score, 12);
    }
    const plain = (report[DISPLAY]() as Record<string, string>)[MIME.plain];
    expect(plain).toContain("Precisions of all-MiniLM-L6-v2 on pairs");
    expect(plain).toContain("n = 10 pairs, seed 0");
  });

  test("an encoder says its precision, and one that does not exist is refused", async () => {
    await withContext(context(), async () => {
      expect((await loadEncoder("default", { precision: "int4-blocks" })).identity.precision).toBe("int4-blocks");
      await expect(loadEncoder("default", { precision: "int2" as "int8" })).rejects.toMatchObject({
        code: "encoder.bad-precision",
      });
    });
  });
});

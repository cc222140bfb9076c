import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders } from "../../kernels/api/encoder.ts";
import {
  type Calibration,
  calibrate,
  compact,
  comparePrecisions,
  DISPLAY,
  encode,
  loadEncoder,
} from "../../kernels/api/index.ts";
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
  process.env.PARALLAX_HOME = path.join(folder, "home");
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
        vectors: [
          { type: "int8" },
          { type: "int8", ranges: "fixed" },
          { type: "binary" },
          { dimensions: 96 },
          { type: "int8", dimensions: 96 },
        ],
        resamples: 200,
      }),
    );
    expect(report).toMatchObject({ metric: "cosine_spearman", n: 10, unit: "pairs", seed: 0 });
    expect(report.lines.map((line) => line.name)).toEqual([
      "float32",
      "int8",
      "int8-weights",
      "int8 vectors",
      "int8 vectors, fixed ranges",
      "binary vectors",
      "float32 vectors, 96 dimensions",
      "int8 vectors, 96 dimensions",
    ]);
    const [float32, int8, weights, vectors, fixed, binary, short] = report.lines;
    expect(float32).toMatchObject({ delta: 0, meanCosine: expect.closeTo(1, 6), vectorBytes: 1536 });
    expect(float32.modelBytes! / int8.modelBytes!).toBeGreaterThan(3.5);
    expect(weights.leastCosine).toBeGreaterThan(0.995);
    expect(int8.leastCosine).toBeGreaterThan(0.95);
    expect(vectors.leastCosine).toBeGreaterThan(0.9999);
    expect(fixed.leastCosine).toBeLessThan(vectors.leastCosine!);
    expect([vectors.vectorBytes, binary.vectorBytes, short.vectorBytes]).toEqual([384, 48, 384]);
    for (const line of report.lines) {
      expect(line.interval.low).toBeLessThanOrEqual(line.score);
      expect(line.delta).toBeCloseTo(line.score - float32.score, 12);
      expect(line.deltaInterval.low).toBeLessThanOrEqual(line.delta + 1e-12);
      expect(line.deltaInterval.high).toBeGreaterThanOrEqual(line.delta - 1e-12);
    }
    const plain = (report[DISPLAY]() as Record<string, string>)[MIME.plain];
    expect(plain).toContain("Precisions of all-MiniLM-L6-v2 on pairs");
    expect(plain).toContain("n = 10 pairs, seed 0");
  });

  test("on a sample of a retrieval task's documents keeps every relevant one", { timeout: 90_000 }, async () => {
    const documents = Array.from({ length: 40 }, (_, i) => ({ id: `d${i}`, text: `Text ${i} of ${ROWS[i % 10]}` }));
    const task = {
      type: "retrieval" as const,
      name: "small",
      queries: [
        { id: "a", text: "playing a guitar" },
        { id: "b", text: "whales" },
      ],
      documents,
      relevant: new Map([
        ["a", new Map([["d30", 1]])],
        ["b", new Map([["d39", 1]])],
      ]),
    };
    const seen: string[] = [];
    const report = await withContext(context(), () =>
      comparePrecisions(task, {
        encoder: "default-static",
        documents: 12,
        calibration: 8,
        vectors: [{ type: "int8" }],
        resamples: 100,
        onProgress: ({ stage, note }) => seen.push(`${stage} ${note}`),
      }),
    );
    expect(report).toMatchObject({ metric: "ndcg_at_10", n: 2, unit: "queries" });
    expect(report.notes[0]).toContain("12 of 40 documents: all relevant ones, the others drawn with seed 0");
    expect(report.lines.map((line) => line.name)).toEqual(["float32", "int8 vectors, calibrated"]);
    expect(report.lines[1].what).toContain("ranges of 8 other vectors");
    expect(report.warnings.join()).not.toContain("missing");
    expect(seen).toContain("Measuring precisions float32, 1 of 1");
    await expect(
      withContext(context(), () => comparePrecisions(task, { encoder: "default-static", documents: 1 })),
    ).rejects.toMatchObject({ code: "task.bad-sample" });
    await expect(
      withContext(context(), () => comparePrecisions("pairs.tsv", { encoder: "default-static", documents: 5 })),
    ).rejects.toMatchObject({ code: "task.no-documents" });
  });

  test("ranges of a sample of the user's texts give later vectors the same codes", { timeout: 60_000 }, async () => {
    await withContext(context(), async () => {
      const texts = ROWS.flatMap((row) => row.split("\t").slice(1));
      const ranges = await calibrate(texts, { encoder: "default-static", sample: 15, seed: 3, dimensions: 96 });
      expect(ranges).toMatchObject({ version: 1, n: 15, of: 20, seed: 3, dimensions: 96 });
      expect(await calibrate(texts, { encoder: "default-static", sample: 15, seed: 3, dimensions: 96 })).toEqual(
        ranges,
      );
      const kept = JSON.parse(JSON.stringify(ranges)) as Calibration;
      const set = await encode(texts, { encoder: "default-static" });
      const codes = (rows: number[], use?: Calibration) =>
        compact(set.select(rows), { type: "int8", dimensions: 96, ...(use ? { ranges: use } : {}) });
      // The same text alone and among others: own ranges differ, measured ones do not.
      const alone = codes([0, 1], kept).data.subarray(0, 96);
      expect([
        ...codes(
          texts.map((_, i) => i),
          kept,
        ).data.subarray(0, 96),
      ]).toEqual([...alone]);
      expect([...codes([0, 1]).data.subarray(0, 96)]).not.toEqual([...alone]);
      const whole = compact(set, { dimensions: 96 }).decode();
      const error = (use: "fixed" | Calibration) =>
        compact(set, { type: "int8", dimensions: 96, ranges: use })
          .decode()
          .reduce((sum, value, i) => sum + (value - whole[i]) ** 2, 0);
      expect(error(kept)).toBeLessThan(error("fixed"));
      await expect(calibrate([], { encoder: "default-static" })).rejects.toMatchObject({
        code: "vectors.no-calibration",
      });
    });
  });

  test("the loss is said before a precision is loaded, and with vectors in fewer bytes", {
    timeout: 60_000,
  }, async () => {
    const shown: string[] = [];
    const seeing = {
      ...context(),
      display: (bundle: Record<string, unknown>) => void shown.push(String(bundle[MIME.plain])),
    };
    await withContext(seeing, async () => {
      await loadEncoder("default", { precision: "int8-blocks", shared: false }).then((one) => one.dispose());
      expect(shown[0]).toMatch(
        /^int8-blocks of all-MiniLM-L6-v2 against float32: .*nDCG@10 ×100 \+0\.04 \(95 % −0\.14 to \+0\.29\) on scifact, n = 300 queries, seed 0/,
      );
      const set = await encode(["a", "b"], { encoder: "default" });
      expect(compact(set, { type: "binary" }).loss).toContain("binary vectors of all-MiniLM-L6-v2 against float32: ");
      expect(compact(set, { dimensions: 100 }).loss).toContain("the loss was not measured");
      expect(compact(set).loss).toBeUndefined();
    });
    expect(shown).toHaveLength(1);
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

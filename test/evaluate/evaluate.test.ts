import { describe, expect, test } from "vitest";
import { spearman } from "../../kernels/evaluate/correlation.ts";
import { evaluate } from "../../kernels/evaluate/evaluate.ts";
import { FakeEmbedder } from "./fake-embedder.ts";
import { wordClasses, wordPairs, wordSearch } from "./tasks.ts";

describe("evaluate", () => {
  test("scores pairs by Spearman of their cosines, with interval, n, seed and encoder", async () => {
    const embedder = new FakeEmbedder();
    const task = wordPairs(120);
    const result = await evaluate(embedder, task, { seed: 7, resamples: 2000 });
    const set = await embedder.encode([...task.a, ...task.b]);
    const row = (i: number): Float32Array => set.data.subarray(i * set.dimensions, (i + 1) * set.dimensions);
    const dot = (u: Float32Array, v: Float32Array): number => u.reduce((sum, x, i) => sum + x * v[i]!, 0);
    const cosines = task.a.map(
      (_, i) => dot(row(i), row(i + 120)) / Math.sqrt(dot(row(i), row(i)) * dot(row(i + 120), row(i + 120))),
    );
    expect(result.score).toBeCloseTo(spearman(cosines, task.gold), 6);
    expect(result).toMatchObject({
      version: 1,
      task: "word pairs",
      taskType: "sts",
      metric: "cosine_spearman",
      n: 120,
      unit: "pairs",
      seed: 7,
      encoder: { name: "letters" },
      prompts: { text: "" },
      interval: { level: 0.95, method: "percentile bootstrap over 120 pairs, 2,000 resamples, seed 7" },
    });
    expect(result.interval.low).toBeLessThan(result.score);
    expect(result.interval.high).toBeGreaterThan(result.score);
    expect(result.more.cosine_pearson).toBeGreaterThan(0.5);
  });

  test("gives the same numbers again for the same seed", async () => {
    const run = async (seed: number): Promise<unknown> => {
      const { elapsedMs: _, ...rest } = await evaluate(new FakeEmbedder(), wordPairs(60), { seed, resamples: 500 });
      return rest;
    };
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });

  test("scores retrieval by nDCG@10 and classification by accuracy", async () => {
    const retrieval = await evaluate(new FakeEmbedder(), wordSearch(60), { resamples: 500 });
    expect(retrieval).toMatchObject({ metric: "ndcg_at_10", n: 60, unit: "queries" });
    expect(retrieval.score).toBeGreaterThan(0.7);
    expect(Object.keys(retrieval.more)).toEqual(["mrr_at_10", "recall_at_10", "map_at_10"]);
    const classes = await evaluate(new FakeEmbedder(), wordClasses(60), { resamples: 500 });
    expect(classes).toMatchObject({ metric: "accuracy", n: 60, unit: "texts" });
    expect(classes.score).toBeGreaterThan(0.9);
    expect(classes.more.f1).toBeGreaterThan(0.9);
  });

  test("encodes a text once, however often the task holds it", async () => {
    const embedder = new FakeEmbedder();
    const task = wordPairs(60);
    await evaluate(embedder, task, { resamples: 100 });
    expect(embedder.calls).toHaveLength(1);
    expect(embedder.calls[0]!.texts).toHaveLength(new Set([...task.a, ...task.b]).size);
  });

  test("gives a plain prompt to the queries of a retrieval task only", async () => {
    const embedder = new FakeEmbedder();
    const result = await evaluate(embedder, wordSearch(20), { prompts: "query: {text}", resamples: 100 });
    expect(embedder.calls.map(({ prompt }) => prompt)).toEqual(["query: {text}", "{text}"]);
    expect(result.prompts).toEqual({ query: "query: {text}", document: "" });
  });

  test("names rows of the task in the report, not of the list that was encoded", async () => {
    const embedder = new FakeEmbedder();
    embedder.report = { truncated: [1] };
    const task = {
      type: "sts" as const,
      name: "t",
      a: ["x", "x", "z", "w"],
      b: ["y y", "y y", "q", "r"],
      gold: [1, 2, 3, 4],
    };
    const result = await evaluate(embedder, task, { resamples: 100 });
    // Encoded were x, z, w, "y y", q, r; number 1 is z, in row 2 of the task.
    expect(result.report.truncated).toEqual([2]);
  });

  test("warns of unknown words even when the encoder kept silent", async () => {
    const embedder = new FakeEmbedder();
    embedder.report = { unknownShare: 0.4 };
    const { report } = await evaluate(embedder, wordPairs(30), { resamples: 100 });
    expect(report.warnings).toEqual([
      "40.0 % of the word pieces are unknown to this encoder, so its vectors say little about these texts.",
    ]);
  });

  test("warns when there are fewer than ten units", async () => {
    const { report } = await evaluate(new FakeEmbedder(), wordPairs(8), { resamples: 100 });
    expect(report.warnings).toEqual(["Only 8 pairs: a score and an interval over so few say little."]);
  });

  test("refuses a prompt without a place for the text", async () => {
    await expect(evaluate(new FakeEmbedder(), wordPairs(30), { prompts: "query:" })).rejects.toMatchObject({
      code: "prompt.no-text-place",
      message: 'Prompt "prompt" has no {text}: every text would embed to the same vector. Found "query:".',
      hint: 'Write "query: {text}".',
    });
  });

  test("refuses texts that all embed alike, and vectors that are not finite, naming the row", async () => {
    const same = { type: "sts" as const, name: "same", a: ["x", "x", "x"], b: ["x", "x", "x"], gold: [1, 2, 3] };
    await expect(evaluate(new FakeEmbedder(), same)).rejects.toMatchObject({ code: "evaluate.constant-scores" });
    const broken = new FakeEmbedder();
    const encode = broken.encode.bind(broken);
    broken.encode = async (texts, options) => {
      const set = await encode(texts, options);
      set.data[2 * set.dimensions] = Number.NaN;
      return set;
    };
    await expect(evaluate(broken, wordPairs(30))).rejects.toMatchObject({
      code: "evaluate.bad-vector",
      details: { row: 2 },
    });
    await expect(
      evaluate(new FakeEmbedder(), { ...wordPairs(30), a: wordPairs(30).a.map((t, i) => (i === 4 ? "" : t)) }),
    ).rejects.toMatchObject({
      code: "evaluate.bad-vector",
      details: { row: 4 },
    });
  });

  test("refuses a seed that is no whole number and too few resamples", async () => {
    for (const options of [{ seed: 0.5 }, { resamples: 10 }, { resamples: Number.NaN }])
      await expect(evaluate(new FakeEmbedder(), wordPairs(30), options)).rejects.toMatchObject({
        code: "evaluate.bad-option",
      });
  });

  test("stops in the middle of the resamples, and reports progress until then", async () => {
    const controller = new AbortController();
    const stages = new Set<string>();
    const work = evaluate(new FakeEmbedder(), wordPairs(600), {
      resamples: 1_000_000,
      signal: controller.signal,
      onProgress: ({ stage, etaMs }) => {
        stages.add(stage);
        if (stage === "Resampling" && etaMs !== undefined) controller.abort();
      },
    });
    await expect(work).rejects.toMatchObject({ code: "work.cancelled", kind: "cancelled" });
    expect([...stages]).toEqual(["Encoding", "Resampling"]);
  });

  test("makes ten thousand resamples of 1,379 pairs in under three seconds of processor time", async () => {
    const task = wordPairs(1379);
    const before = process.cpuUsage();
    await evaluate(new FakeEmbedder(), task);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(3);
  });
});

describe("the bootstrap interval", () => {
  test("covers the true score in 93 to 97 of a hundred simulated studies", async () => {
    // Values around a known mean: the exact score is 0.6.
    const { bootstrapScores, percentileInterval } = await import("../../kernels/evaluate/bootstrap.ts");
    const { Random } = await import("../../kernels/evaluate/random.ts");
    const random = new Random(11);
    let covered = 0;
    const studies = 1000;
    for (let s = 0; s < studies; s++) {
      const values = Float64Array.from({ length: 100 }, () => 0.6 + (random.float() + random.float() - 1) * 0.5);
      const measured = {
        kind: "mean" as const,
        metric: "m",
        score: 0,
        n: 100,
        unit: "texts" as const,
        more: {},
        values,
        detail: new Int32Array(100),
      };
      const [scores] = await bootstrapScores([measured], { seed: s, resamples: 400 });
      const { low, high } = percentileInterval(scores!, { n: 100, unit: "texts", seed: s });
      if (low <= 0.6 && 0.6 <= high) covered += 1;
    }
    expect(covered / studies).toBeGreaterThanOrEqual(0.93);
    expect(covered / studies).toBeLessThanOrEqual(0.97);
  }, 120_000);
});

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders } from "../../kernels/api/encoder.ts";
import type { FineTuneOptions } from "../../kernels/api/fine-tune.ts";
import { openSweep, type SweepOptions, sweep } from "../../kernels/api/sweep.ts";
import { runSweepConfig } from "../../kernels/api/sweep-config.ts";
import { sweepVerdict } from "../../kernels/api/sweep-view.ts";
import { valueBundle } from "../../kernels/api/value-bundle.ts";
import { taskToFile } from "../../kernels/data/task.ts";
import { quantile } from "../../kernels/evaluate/bootstrap.ts";
import type { RankMeasured } from "../../kernels/evaluate/measure.ts";
import { defaultCompute } from "../../kernels/graph/compute.ts";
import { MIME } from "../../kernels/protocol/display.ts";
import { compareTrials } from "../../kernels/sweep/compare.ts";
import { sweepTrials, trialWords } from "../../kernels/sweep/plan.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { isEval } from "../../kernels/train/run-view.ts";
import { tinyPairs, tinyRuns, tinyTask } from "../support/tiny-run.ts";

vi.setConfig({ testTimeout: 120_000 });
const tiny = tinyRuns();
afterAll(async () => {
  await disposeEncoders();
  await defaultCompute().dispose();
  rmSync(tiny.folder, { recursive: true, force: true });
});

function cell(signal = new AbortController().signal, onStart: () => void = () => undefined): CellContext {
  return {
    signal,
    workingFolder: tiny.folder,
    progress: () => undefined,
    display: () => undefined,
    pending: () => undefined,
    clear: () => undefined,
    runStarted: onStart,
  };
}

describe("the trials of a sweep", () => {
  it("are every combination of a grid, with names that say the settings", () => {
    const plan = { search: "grid", seed: 0, over: { learningRate: [1e-5, 2e-5], prompts: [{ anchor: "q: {text}" }] } };
    const trials = sweepTrials({ ...plan, search: "grid" });
    expect(trials.map(({ settings }) => trialWords(settings))).toEqual([
      'learningRate 1e-5, prompts {"anchor":"q: {text}"}',
      'learningRate 2e-5, prompts {"anchor":"q: {text}"}',
    ]);
    expect(trials.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^learningRate-1e-5-prompts-anchor-q-text-[0-9a-f]{6}$/),
      expect.stringMatching(/^learningRate-2e-5-prompts-anchor-q-text-[0-9a-f]{6}$/),
    ]);
    expect(sweepTrials({ ...plan, search: "grid" })).toEqual(trials);
  });

  it("are drawn without repeats, the same for a seed, rates evenly in their logarithm", () => {
    const over = { learningRate: { from: 1e-6, to: 1e-4, log: true }, batchSize: { from: 8, to: 64, whole: true } };
    const trials = sweepTrials({ search: "random", over, trials: 100, seed: 3 });
    expect(sweepTrials({ search: "random", over, trials: 100, seed: 3 })).toEqual(trials);
    expect(sweepTrials({ search: "random", over, trials: 100, seed: 4 })).not.toEqual(trials);
    expect(new Set(trials.map(({ name }) => name)).size).toBe(100);
    const rates = Float64Array.from(trials, ({ settings }) => settings.learningRate as number).sort();
    expect([rates[0]! >= 1e-6, rates[99]! <= 1e-4]).toEqual([true, true]);
    // The median of log-uniform draws is the geometric mean; 100 draws put it within a third of a decade.
    expect(Math.abs(Math.log10(quantile(rates, 0.5)) + 5)).toBeLessThan(0.34);
    expect(sweepTrials({ search: "random", over: { seed: [1, 2, 3] }, trials: 9, seed: 0 }).length).toBe(3);
  });

  it("are refused when nothing, too much or no list is asked for", () => {
    const refused = (change: object) => {
      try {
        sweepTrials({ search: "grid", over: { seed: [1] }, seed: 0, ...change });
        return "made";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ over: {} })).toContain("over names no option");
    expect(refused({ over: { seed: [] } })).toContain("over.seed is an empty list");
    expect(refused({ over: { seed: { from: 1, to: 2 } } })).toContain("over.seed is no list");
    expect(refused({ search: "random", over: { seed: { from: 0, to: 1, log: true } } })).toContain("is no range");
    expect(refused({ over: { seed: Array.from({ length: 300 }, (_, i) => i) } })).toContain("makes 300 trials");
    expect(refused({ trials: 0 })).toContain("trials is 0");
  });
});

describe("a comparison of trials", () => {
  const y = Float64Array.from({ length: 200 }, (_, i) => i % 7);
  const measured = (noise: number, score: number, wave = 37): RankMeasured => ({
    kind: "spearman",
    metric: "cosine_spearman",
    score,
    n: 200,
    unit: "pairs",
    more: {},
    x: y.map((gold, i) => gold + noise * Math.sin(wave * i)),
    y,
  });

  it("pairs the differences, and calls nothing best that a resample could turn round", async () => {
    const options = { seed: 0, resamples: 500 };
    const near = await compareTrials([measured(2, 0.8), measured(2, 0.799, 41), measured(30, 0.1)], options);
    expect([near.order, near.clear]).toEqual([[0, 1, 2], false]);
    expect(near.trials[2]!.toLeaderInterval.high).toBeLessThan(0);
    expect(near.trials[0]!.toLeaderInterval).toMatchObject({ low: 0, high: 0 });
    const far = await compareTrials([measured(30, 0.1), measured(2, 0.8)], options);
    expect([far.order, far.clear]).toEqual([[1, 0], true]);
    // Encoders that err on the same units: the paired interval is far narrower than the two side by side.
    const alike = await compareTrials([measured(2, 0.8), measured(2.02, 0.799)], options);
    const { toLeaderInterval, interval } = alike.trials[1]!;
    expect(toLeaderInterval.high - toLeaderInterval.low).toBeLessThan(0.5 * (interval.high - interval.low));
  });
});

describe("sweep", () => {
  const base = async (): Promise<FineTuneOptions> => ({
    pairs: tinyPairs(60),
    encoder: tiny.encoder,
    batchSize: 8,
    steps: 12,
    evaluation: await tinyTask(),
    checkpointEvery: 4,
  });

  it("trains, goes on where it was stopped, and shows a table, a figure and a verdict", async () => {
    const asked: SweepOptions = {
      base: await base(),
      over: { learningRate: [1e-4, 5e-3, 1e38], temperature: [0.05] },
      folder: "rates",
    };
    const stop = new AbortController();
    let started = 0;
    const context = cell(stop.signal, () => {
      if (++started === 2) stop.abort();
    });
    await expect(withContext(context, () => sweep(asked))).rejects.toMatchObject({ kind: "cancelled" });
    const folder = path.join(tiny.folder, "rates");
    const names = readdirSync(folder).filter((name) => name.startsWith("learningRate"));
    expect(names.length).toBe(3);
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
    const done = names.find((name) => readMetrics(path.join(folder, name)).length > 12)!;
    const before = statSync(path.join(folder, done, "metrics.jsonl")).mtimeMs;

    const result = await withContext(cell(), () => sweep(asked));
    expect(statSync(path.join(folder, done, "metrics.jsonl")).mtimeMs).toBe(before);
    expect(result.trials.map(({ state }) => state)).toEqual(["done", "done", "failed"]);
    expect(result).toMatchObject({ metric: "cosine_spearman", n: 40, unit: "pairs", seed: 0, search: "grid" });
    for (const { folder: run, score } of result.trials.slice(0, 2))
      expect(readMetrics(run).filter(isEval).at(-1)!.score).toBe(score);
    expect(result.trials[0]!.score).toBeGreaterThanOrEqual(result.trials[1]!.score!);
    expect(result.trials[2]!.error!.code).toMatch(/^train\.(not-finite|diverged)$/);
    const next = result.trials[1]!.toLeaderInterval!;
    expect(result.clear).toBe(next.high < 0);
    expect(result.best).toBe(result.clear ? result.leader : null);
    expect(sweepVerdict(result)).toMatch(result.clear ? /^Best: / : /^No clear best: /);

    const bundle = await valueBundle(result);
    const plain = String(bundle[MIME.plain]);
    expect(plain).toContain("Sweep: 3 trials on shared words");
    expect(plain).toContain("n = 40 pairs, seed 0");
    expect(plain).toContain("failed: train.");
    expect(bundle[MIME.svg]).toMatch(/^<svg .*before training/s);
    expect((await result.encoder()).spec.folder).toContain("learningRate");
    const opened = await withContext(cell(), () => openSweep("rates"));
    expect(String((await valueBundle(opened))[MIME.plain])).toBe(plain);

    await expect(
      withContext(cell(), () => sweep({ ...asked, base: { ...asked.base, steps: 13 } })),
    ).rejects.toMatchObject({ code: "sweep.other-settings", details: { differing: ["steps", "evaluation"] } });
  });

  it("checks every trial before the first one starts", async () => {
    const asked = { base: await base(), over: { batchSize: [8, 500] }, folder: "refused" };
    await expect(withContext(cell(), () => sweep(asked))).rejects.toMatchObject({ code: "train.too-few-pairs" });
    expect(readdirSync(path.join(tiny.folder, "refused"))).toEqual([]);
    const { evaluation: _, ...without } = asked.base;
    await expect(withContext(cell(), () => sweep({ ...asked, base: without }))).rejects.toMatchObject({
      code: "sweep.no-evaluation",
    });
    await expect(withContext(cell(), () => openSweep("refused"))).rejects.toMatchObject({ code: "sweep.missing" });
  });

  it("is read from a file, whose mistakes are told by their lines", async () => {
    const folder = path.join(tiny.folder, "file");
    mkdirSync(folder);
    const rows = tinyPairs(40).map(({ anchor, positive }) => `${anchor}\t${positive}`);
    writeFileSync(path.join(folder, "p.tsv"), ["anchor\tpositive", ...rows].join("\n"));
    writeFileSync(path.join(folder, "task.json"), JSON.stringify(taskToFile(await tinyTask())));
    writeFileSync(
      path.join(folder, "train.json"),
      JSON.stringify({ encoder: "../tiny", pairs: "p.tsv", evaluation: ["task.json"], batchSize: 8, steps: 4 }),
    );
    const file = path.join(folder, "sweep.json");
    writeFileSync(file, '{\n "base": "train.json",\n "over": { "learningrate": [1] },\n "search": "all"\n}');
    await expect(withContext(cell(), () => runSweepConfig(file))).rejects.toMatchObject({
      code: "train.bad-config",
      message: expect.stringMatching(/sweep configuration: .*line 3: unknown field "over.learningrate"/),
    });
    writeFileSync(file, '{ "base": "train.json", "over": { "seed": [0, 1] }, "folder": "out" }');
    const result = await withContext(cell(), () => runSweepConfig(file));
    expect(result.trials.length).toBe(2);
    const written = JSON.parse(readFileSync(path.join(folder, "out/results.json"), "utf8")) as { trials: object[] };
    expect(written.trials.length).toBe(2);
    expect(JSON.stringify(written)).not.toContain('"measured"');
  });
});

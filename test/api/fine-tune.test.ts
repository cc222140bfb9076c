import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders } from "../../kernels/api/encoder.ts";
import { type FineTuneOptions, fineTune, pairsByLabel } from "../../kernels/api/fine-tune.ts";
import { listRuns, listRunsBelow, openRun, resumeRun, stopRun } from "../../kernels/api/run.ts";
import { readTrainConfig, runTrainConfig } from "../../kernels/api/train-config.ts";
import { valueBundle } from "../../kernels/api/value-bundle.ts";
import { Table } from "../../kernels/data/table.ts";
import { defaultCompute } from "../../kernels/graph/compute.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { MIME, type MimeBundle, type RunView } from "../../kernels/protocol/display.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { readRun } from "../../kernels/train/run-folder.ts";
import { timeless, tinyPairs, tinyRuns, tinyTask } from "../support/tiny-run.ts";

// Each starts several processes, and a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });
const tiny = tinyRuns();
afterAll(async () => {
  await disposeEncoders();
  await defaultCompute().dispose();
  rmSync(tiny.folder, { recursive: true, force: true });
});

interface Seen {
  context: CellContext;
  stop: AbortController;
  displays: { bundle: MimeBundle; displayId: string | undefined; update: boolean }[];
  progress: (Progress | { finished: true })[];
  started: string[];
}

/** A cell that remembers what it was shown. */
function cell(): Seen {
  const stop = new AbortController();
  const seen: Seen = { stop, displays: [], progress: [], started: [] } as unknown as Seen;
  seen.context = {
    signal: stop.signal,
    workingFolder: tiny.folder,
    progress: (_job, progress) => void seen.progress.push(progress),
    display: (bundle, options = {}) =>
      void seen.displays.push({ bundle, displayId: options.displayId, update: options.update ?? false }),
    pending: () => undefined,
    clear: () => undefined,
    runStarted: (folder) => void seen.started.push(folder),
  };
  return seen;
}

const options: FineTuneOptions = {
  pairs: tinyPairs(100),
  encoder: tiny.encoder,
  batchSize: 8,
  steps: 30,
  learningRate: 1e-3,
};

describe("fineTune", () => {
  it("shows live curves and progress, and gives scores, folder and encoder", async () => {
    const seen = cell();
    const evaluation = await tinyTask();
    const result = await withContext(seen.context, () => fineTune({ ...options, evaluation }));
    expect(result).toMatchObject({ steps: 30, n: 100, seed: 0 });
    expect(result.folder.startsWith(path.join(tiny.folder, "runs"))).toBe(true);
    expect(seen.started).toEqual([result.folder]);
    expect([result.base!.step, result.final!.step, result.base!.n]).toEqual([0, 30, 40]);
    expect(result.lossLast).toBeLessThan(result.lossFirst);

    const last = seen.displays.at(-1)!;
    expect(seen.displays.map(({ update }) => update)).toEqual(seen.displays.map((_, i) => i > 0));
    expect(new Set(seen.displays.map(({ displayId }) => displayId)).size).toBe(1);
    const view = last.bundle[MIME.run] as RunView;
    expect(view).toMatchObject({
      version: 1,
      folder: result.folder,
      steps: 30,
      state: "done",
      chanceLoss: Math.log(8),
    });
    expect(view.relative).toBe(path.relative(tiny.folder, result.folder));
    expect(view.snapshot).toEqual(readMetrics(result.folder));
    expect(view.base).toMatchObject({ score: result.base!.score, n: 40 });
    expect(last.bundle[MIME.svg]).toMatch(/^<svg .*chance: ln 8/s);
    const plotly = last.bundle[MIME.plotly] as {
      data: { name: string; yaxis?: string }[];
      layout: { shapes: unknown[] };
    };
    expect(plotly.data.map(({ name, yaxis }) => [name, yaxis ?? "y"])).toEqual([
      ["loss", "y"],
      ["loss, smoothed", "y"],
      ["cosine_spearman", "y2"],
      ["cosine_spearman", "y2"],
    ]);
    expect(plotly.layout.shapes.length).toBe(2);
    expect(last.bundle[MIME.plain]).toMatch(
      /^Fine-tune [a-z]+-[a-z]+ \(done\): step 30 of 30, loss .* \(chance 2\.079\)\./,
    );

    expect(seen.progress.at(-1)).toEqual({ finished: true });
    const steps = seen.progress.flatMap((progress) => ("done" in progress ? [progress] : []));
    expect(steps.every(({ total, unit }) => total === 30 && unit === "steps")).toBe(true);

    const encoder = await result.encoder();
    expect(encoder.spec.folder).toBe(result.exportFolder);
    expect((await encoder.encode(["dog cat"])).n).toBe(1);
    const shown = await valueBundle(result);
    expect(shown[MIME.plain]).toContain("fine-tuned (step 30)");

    const opened = await withContext(seen.context, () => openRun(path.relative(tiny.folder, result.folder)));
    expect([opened.status.state, opened.alive, opened.result!.final]).toEqual(["done", false, result.final]);
    const list = await withContext(seen.context, () => listRuns());
    expect(list.runs.map(({ folder }) => folder)).toEqual([result.folder]);
    expect((await valueBundle(list))[MIME.plain]).toContain(opened.config.name);
    expect(listRunsBelow(tiny.folder).map(({ folder }) => folder)).toContain(result.folder);
  });

  it("stops with the cell, keeps a checkpoint, says how to go on, and goes on to the same numbers", async () => {
    const whole = await withContext(cell().context, () => fineTune({ ...options, folder: "whole", steps: 150 }));
    const seen = cell();
    const stopped = withContext(seen.context, () => fineTune({ ...options, folder: "stopped", steps: 150 }));
    const folder = path.join(tiny.folder, "stopped");
    void (async () => {
      while (seen.started.length === 0 || readMetrics(folder).length < 10) await sleep(5);
      seen.stop.abort();
    })();
    await expect(stopped).rejects.toMatchObject({
      code: "train.stopped",
      kind: "cancelled",
      message: expect.stringMatching(/stopped at step (\d+) of 150\. Checkpoint \1 is kept\.$/),
      hint: 'Resume with resumeRun("stopped").',
    });
    expect(seen.progress.at(-1)).toEqual({ finished: true });
    const resumed = await withContext(cell().context, () => resumeRun("stopped"));
    expect(resumed.lossLast).toBe(whole.lossLast);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(whole.folder)));
  });

  it("leaves a run that outlives the process that started it", async () => {
    const entry = path.join(packageRoot(), "dist/.tests/starts-a-run.mjs");
    await build({
      stdin: {
        contents: `import { startTrainer } from "./kernels/train/start.ts";
          const { pid } = await startTrainer(process.argv[2]); console.log(pid); setInterval(() => {}, 1000);`,
        resolveDir: packageRoot(),
        loader: "ts",
      },
      outfile: entry,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
    });
    const { folder } = await tiny.make("orphan", { steps: 1000 }, { task: false });
    const parent = spawn(process.execPath, [entry, folder], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve)));
    const gone = new Promise((resolve) => parent.once("exit", resolve));
    parent.kill("SIGKILL");
    await gone;
    while (readMetrics(folder).length < 3) await sleep(5);
    expect(readRun(folder)).toMatchObject({ alive: true, status: { pid } });
    const done = await stopRun(folder);
    expect([done.status.state, done.alive]).toEqual(["stopped", false]);
    expect(done.status.step).toBeGreaterThan(0);
    rmSync(path.dirname(entry), { recursive: true });
  });

  it("makes nothing when something is wrong with what was asked", async () => {
    const refused = (change: Partial<FineTuneOptions>) =>
      withContext(cell().context, () => fineTune({ ...options, folder: "refused", ...change })).then(
        () => "started",
        (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
      );
    const answers = await Promise.all(
      [
        { temperature: 0 },
        { learningRate: Number.NaN },
        { batchSize: 200 },
        { steps: 10, epochs: 1 },
        { maxTokens: 1000 },
        { pairs: [{ anchor: "a", positive: "" }] },
        { pairs: 3 as never },
        { pairs: Table.fromColumns({ left: ["a"], right: ["b"] }) },
        { pairs: Array.from({ length: 20 }, () => ({ anchor: "same", positive: "text" })) },
        { encoder: "default-static" },
        { prompts: { anchor: "query: " } },
        { encoder: "nowhere" },
      ].map(refused),
    );
    expect(answers.map((answer) => answer.split(". ")[0])).toEqual([
      "train.bad-option: temperature is 0; it must be a number over 0",
      "train.bad-option: learningRate is NaN; it must be a number over 0",
      "train.too-few-pairs: A batch of 200 needs 200 different pairs; there are 100",
      "train.bad-option: Both steps (10) and epochs (1) were given",
      "train.bad-option: maxTokens is 1000; the encoder takes at most 48",
      'train.bad-pair: Pair 1 has an empty text in "positive"',
      "train.no-pairs: fineTune needs pairs; found number",
      'train.missing-column: Training pairs need the columns "anchor" and "positive"; the table has "left", "right".',
      'train.same-rows: All 20 rows are the same pair: "same" and "text"',
      'train.cannot-train: The encoder "all-MiniLM-L6-v2-static" cannot be trained: it is a table of vectors without layers',
      expect.stringMatching(/^prompt\.no-text-place: /),
      expect.stringMatching(/^encoder\.not-found: /),
    ]);
    expect(readdirSync(tiny.folder)).not.toContain("refused");
  });
});

describe("pairsByLabel", () => {
  it("gives each text another one of its label, in the label's group", () => {
    const texts = ["a", "b", "c", "d", "e", "f"];
    const labels = ["x", "y", "x", "x", "y", "alone"];
    const pairs = pairsByLabel(texts, labels, 3);
    expect(pairs.map(({ anchor }) => anchor)).toEqual(["a", "b", "c", "d", "e"]);
    for (const { anchor, positive, group } of pairs) {
      expect(positive).not.toBe(anchor);
      expect([labels[texts.indexOf(positive)], labels[texts.indexOf(anchor)]]).toEqual([group, group]);
    }
    expect(pairsByLabel(texts, labels, 3)).toEqual(pairs);
    expect(() => pairsByLabel(["a", "b"], [1, 2])).toThrow(expect.objectContaining({ code: "train.too-few-pairs" }));
  });
});

describe("a training configuration", () => {
  let folder: string;
  beforeAll(() => {
    folder = path.join(tiny.folder, "config");
    mkdirSync(folder);
    const rows = tinyPairs(80).map(({ anchor, positive }, i) => `${anchor}\t${positive}\t${i % 2 === 0 ? 5 : 1}`);
    writeFileSync(path.join(folder, "pairs.tsv"), ["sentence1\tsentence2\tscore", ...rows].join("\n"));
  });
  const write = (text: string) => {
    const file = path.join(folder, "train.json");
    writeFileSync(file, text);
    return file;
  };

  it("runs, with paths from its own folder", async () => {
    const file = write(`{
      // Four in five.
      "encoder": "../tiny",
      "pairs": { "file": "pairs.tsv", "where": { "column": "score", "atLeast": 4 } },
      "evaluation": "pairs.tsv",
      "batchSize": 8, "steps": 6, "output": "out",
    }`);
    const result = await withContext(cell().context, () => runTrainConfig(file));
    expect(result.n).toBe(40);
    expect(path.dirname(result.folder)).toBe(path.join(folder, "out"));
    expect(JSON.parse(readFileSync(path.join(result.folder, "config.json"), "utf8"))).toMatchObject({
      batchSize: 8,
      steps: 6,
      learningRate: 2e-5,
      data: { source: "pairs.tsv" },
    });
  });

  it("takes every option of the recipe, and columns of every kind", () => {
    const whole = {
      pairs: {
        file: "p.tsv",
        anchor: "a",
        positive: "b",
        negatives: ["n1", "n2"],
        score: "s",
        scale: [0, 5],
        task: "t",
      },
      evaluation: ["one.tsv", "two.tsv"],
      badRows: "drop",
      loss: { name: "gte", temperature: 0.02 },
      schedule: "cosine",
      matryoshka: { dimensions: [64, 128], weights: [1, 2] },
      negatives: 2,
      accumulate: 2,
      chunk: 64,
      tasks: { apart: true, exponent: 0.5 },
      layerDecay: 0.9,
      freezeLayers: 2,
      dropout: 0.1,
      lora: { rank: 4, targets: ["query"] },
      prompts: { anchor: "query: {text}", negative: "passage: {text}" },
      patience: 3,
      keep: "best",
    };
    expect(readTrainConfig(write(JSON.stringify(whole)))).toEqual({ ...whole, encoder: "default", output: "runs" });
    const bad = { pairs: "p.tsv", dropout: 1, lora: { rank: 0 }, keep: "first", loss: "infonce", patience: 0 };
    expect(() => readTrainConfig(write(JSON.stringify(bad)))).toThrow(/dropout: .*lora|lora.*dropout: /s);
  });

  it("is refused with the line of each mistake", () => {
    const problems = (text: string) => {
      try {
        readTrainConfig(write(text));
        return "accepted";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(problems('{\n "pairs": "p.tsv",\n "learningrate": 1,\n "temperature": 0\n}')).toBe(
      'train.json is no training configuration: line 4: temperature: Too small: expected number to be >0; line 3: unknown field "learningrate" (did you mean "learningRate"?). Nothing was started.',
    );
    expect(problems('{\n "pairs": "p.tsv"\n "steps": 1}')).toContain("line 3: CommaExpected");
    expect(problems("{}")).toContain("line 1: pairs: ");
    expect(problems("")).toContain("line 1");
    expect(() => readTrainConfig(path.join(folder, "none.json"))).toThrow(
      expect.objectContaining({ code: "train.config-missing" }),
    );
  });
});

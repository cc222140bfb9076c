import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { loadTask } from "../../kernels/data/task.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { openSafetensors } from "../../kernels/encode/safetensors.ts";
import { evaluate } from "../../kernels/evaluate/evaluate.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { checkpointSteps, readCheckpoint } from "../../kernels/train/checkpoint.ts";
import { createEngine } from "../../kernels/train/engine.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { Random } from "../../kernels/train/prng.ts";
import { readRun, readStatus } from "../../kernels/train/run-folder.ts";
import { isEval, isStep } from "../../kernels/train/run-view.ts";
import { startTrainer, stopRun } from "../../kernels/train/start.ts";
import { timeless, tinyPairs, tinyRuns } from "../support/tiny-run.ts";
import { finish, until } from "../support/trainer.ts";

// Each starts several processes, and a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });
const tiny = tinyRuns();
afterAll(() => rmSync(tiny.folder, { recursive: true, force: true }));

/** The unbroken run that others are compared with, made once. */
let unbroken: Promise<string> | undefined;
function unbrokenRun(): Promise<string> {
  unbroken ??= tiny.make("unbroken").then(async ({ folder }) => {
    expect(await finish(folder)).toBe(0);
    return folder;
  });
  return unbroken;
}

const weightsOf = (folder: string) => readFileSync(path.join(folder, "export/model.safetensors"));

describe("a training run", () => {
  it("learns, keeps its best and last checkpoints, and leaves an encoder that scores what the run says", async () => {
    const folder = await unbrokenRun();
    const { status, config, alive } = readRun(folder);
    expect([status.state, status.step, status.pid, status.error, alive]).toEqual(["done", 60, null, null, false]);
    const metrics = readMetrics(folder);
    expect(metrics.filter(isStep).map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(metrics.filter(isEval).map(({ step }) => step)).toEqual([0, 20, 40, 60]);
    const losses = metrics.filter(isStep).map(({ loss }) => loss);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-10))).toBeLessThan(0.6 * mean(losses.slice(0, 10)));
    expect(checkpointSteps(folder)).toContain(60);
    expect(checkpointSteps(folder).length).toBeLessThanOrEqual(3);
    expect(readdirSync(folder).filter((name) => /^(\.|lock|stop)/.test(name))).toEqual([]);

    const encoder = await openEncoder(path.join(folder, "export"), {
      compute: inThreadCompute(),
      threads: config.threads,
    });
    const task = await loadTask(path.join(folder, config.evaluation!.files[0]!));
    const { score, interval } = await evaluate(encoder, task, { seed: config.seed });
    expect(metrics.at(-1)).toMatchObject({ kind: "eval", step: 60, score, low: interval.low, high: interval.high });
    await encoder.dispose();
  });

  it("exports the weights of its last checkpoint bit by bit, as safetensors and as ONNX", async () => {
    const folder = await unbrokenRun();
    const { config } = readRun(folder);
    const engine = await createEngine(config);
    readCheckpoint(folder, 60, engine.memory);
    const file = openSafetensors(path.join(folder, "export/model.safetensors"));
    for (const { name, weight } of engine.memory.parameters) expect(file.readFloat32(name).data).toEqual(weight);
    const texts = tinyPairs(20, 7).flatMap(({ anchor, positive }) => [anchor, positive]);
    const expected = await engine.embedder.encode(texts);
    await engine.dispose();

    const onnx = path.join(tiny.folder, "only-onnx");
    cpSync(path.join(folder, "export"), onnx, { recursive: true });
    rmSync(path.join(onnx, "model.safetensors"));
    for (const reference of [path.join(folder, "export"), onnx]) {
      const encoder = await openEncoder(reference, { compute: inThreadCompute() });
      const { data } = await encoder.encode(texts);
      await encoder.dispose();
      // Weights as inputs or as constants: ONNX Runtime may order its sums differently, in float32 some 1e-7.
      expect(Math.max(...data.map((value, i) => Math.abs(value - expected.data[i]!)))).toBeLessThan(1e-6);
    }
    const card = readFileSync(path.join(folder, "export/README.md"), "utf8");
    expect(card).toContain(config.data.sha256);
    expect(card).toContain(config.encoder.weightsSha256);
    expect(card).toMatch(/\| base \| -?\d+\.\d\d \| .*\n\| this one \|/);
  });

  it("goes on to the same bits after kill -9 at any instant", async () => {
    const expected = await unbrokenRun();
    const { folder } = await tiny.make("killed");
    const random = new Random(11, "kill");
    let kills = 0;
    while (readStatus(folder).state !== "done" && kills < 8) {
      const { pid, exited } = await startTrainer(folder);
      const ended = await Promise.race([exited.then(() => true), sleep(50 + random.below(500)).then(() => false)]);
      if (ended) break;
      process.kill(pid, "SIGKILL");
      await until(() => !readRun(folder).alive, "the killed trainer to be gone");
      kills++;
      const { status } = readRun(folder);
      expect([status.state, status.error?.code]).toEqual(["stopped", "train.killed"]);
    }
    if (readStatus(folder).state !== "done") expect(await finish(folder)).toBe(0);
    expect(kills).toBeGreaterThan(1);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(expected)));
    expect(weightsOf(folder).equals(weightsOf(expected))).toBe(true);
  });

  it("goes on to the same bits when its newest checkpoint is damaged and its metrics end in a torn line", async () => {
    const expected = await unbrokenRun();
    const { folder } = await tiny.make("damaged");
    const { pid } = await startTrainer(folder);
    await until(() => checkpointSteps(folder).length >= 2, "two checkpoints");
    process.kill(pid, "SIGKILL");
    await until(() => !readRun(folder).alive, "the killed trainer to be gone");
    const newest = path.join(folder, `checkpoints/step-${checkpointSteps(folder).at(-1)}/state.safetensors`);
    const bytes = readFileSync(newest);
    bytes[bytes.length - 100]! ^= 4;
    writeFileSync(newest, bytes);
    writeFileSync(path.join(folder, "metrics.jsonl"), '{"kind":"step","st', { flag: "a" });
    expect(await finish(folder)).toBe(0);
    expect(readFileSync(path.join(folder, "log.txt"), "utf8")).toContain("An earlier one is used.");
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(expected)));
    expect(weightsOf(folder).equals(weightsOf(expected))).toBe(true);
  });

  it.each(["after-step", "now", "signal"] as const)("stops (%s) and goes on to the same bits", async (how) => {
    const expected = await unbrokenRun();
    const { folder } = await tiny.make(`stopped-${how}`);
    const { pid } = await startTrainer(folder);
    await until(() => readMetrics(folder).filter(isStep).length >= 10, "ten steps");
    if (how === "signal") {
      process.kill(pid, "SIGTERM");
      await until(() => !readRun(folder).alive, "the trainer to end");
    } else await stopRun(folder, how);
    const { status, alive } = readRun(folder);
    expect([status.state, status.error, alive]).toEqual(["stopped", null, false]);
    expect(existsSync(path.join(folder, "stop"))).toBe(false);
    if (how !== "now") expect(checkpointSteps(folder)).toContain(status.step);
    expect(await finish(folder)).toBe(0);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(expected)));
  });

  it("does not depend on how often it is saved or scored", async () => {
    const expected = await unbrokenRun();
    const { folder } = await tiny.make("without-task", { checkpointEvery: 1000 }, { task: false });
    expect(await finish(folder)).toBe(0);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(expected).filter(isStep)));
    expect(readFileSync(path.join(folder, "export/README.md"), "utf8")).toContain("No evaluation was made.");
  });

  it("trains the word embeddings row by row and resumes them too", async () => {
    const recipe = { freezeWordEmbeddings: false, steps: 20, symmetric: true };
    const { folder: whole } = await tiny.make("words", recipe, { task: false });
    expect(await finish(whole)).toBe(0);
    const { folder } = await tiny.make("words-killed", recipe, { task: false });
    const { pid } = await startTrainer(folder);
    await until(() => readMetrics(folder).length >= 8, "eight steps");
    process.kill(pid, "SIGKILL");
    await until(() => !readRun(folder).alive, "the killed trainer to be gone");
    expect(await finish(folder)).toBe(0);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(whole)));
    expect(weightsOf(folder).equals(weightsOf(whole))).toBe(true);
    const name = "embeddings.word_embeddings.weight";
    const before = openSafetensors(path.join(tiny.encoder, "model.safetensors")).readFloat32(name);
    const after = openSafetensors(path.join(folder, "export/model.safetensors")).readFloat32(name);
    const width = before.dims[1]!;
    const row = (data: Float32Array, id: number) => data.subarray(id * width, (id + 1) * width);
    // [CLS] is in every text; [MASK] is in none.
    expect(row(after.data, 2)).not.toEqual(row(before.data, 2));
    expect(row(after.data, 4)).toEqual(row(before.data, 4));
  });

  it("stops when the loss is no number, keeps the last good checkpoint and says what to do", async () => {
    const { folder } = await tiny.make(
      "diverging",
      { learningRate: 1e38, warmupRatio: 0, checkpointEvery: 1 },
      { task: false },
    );
    expect(await finish(folder)).toBe(1);
    const { state, error, step, lastCheckpoint } = readStatus(folder);
    expect([state, error?.code, error?.kind]).toEqual(["failed", "train.not-finite", "user"]);
    expect(error?.message).toMatch(
      /^Stopped at step \d+: (loss|the gradient) is (NaN|Infinity) \(learning rate .*, gradient norm .*\)\. Checkpoint \d+ is kept\.$/,
    );
    expect(error?.hint).toBe("Start a new run at learningRate 1e+37.");
    expect(checkpointSteps(folder)).toContain(lastCheckpoint);
    expect(lastCheckpoint).toBe(step);
  });

  it("refuses a second trainer, and the first one does not notice", async () => {
    const { folder } = await tiny.make("twice");
    const first = await startTrainer(folder);
    const awake = setInterval(() => undefined, 1000);
    await expect(startTrainer(folder)).rejects.toMatchObject({ code: "train.already-running" });
    const second = spawn(process.execPath, [path.join(packageRoot(), "dist/kernels/trainer.entry.mjs"), folder]);
    let message = "";
    second.stderr.on("data", (data: Buffer) => {
      message += data.toString();
    });
    const code = await new Promise((resolve) => second.once("exit", resolve));
    expect(code).toBe(75);
    expect(message).toContain(`already being trained by process ${first.pid}`);
    expect(await first.exited).toBe(0);
    clearInterval(awake);
    await expect(startTrainer(folder)).rejects.toMatchObject({ code: "run.finished" });
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(await unbrokenRun())));
  });

  it("says why a trainer cannot start: no run, another encoder", async () => {
    const nothing = path.join(tiny.folder, "nothing");
    mkdirSync(nothing);
    await expect(startTrainer(nothing)).rejects.toMatchObject({ code: "run.missing" });
    const { folder } = await tiny.make("other-encoder");
    const file = path.join(folder, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"weightsSha256": "../, '"weightsSha256": "zz'));
    await startTrainer(folder).then(({ exited }) => exited);
    await until(() => !readRun(folder).alive, "the trainer to end");
    expect(readStatus(folder)).toMatchObject({ state: "failed", error: { code: "train.other-encoder" } });
  });

  it("says beforehand what it will take, and what is left", async () => {
    const folder = await unbrokenRun();
    const { estimate, memoryBytes } = readStatus(folder);
    expect(estimate!.memoryBytes).toBeGreaterThan(0.3 * memoryBytes!);
    expect(readFileSync(path.join(folder, "log.txt"), "utf8")).toMatch(
      /estimate: \d+ s \(\d+ ms a step, .* an evaluation\)/,
    );
  });
});

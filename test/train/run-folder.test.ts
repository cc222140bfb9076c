import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RunMetric } from "../../kernels/protocol/run-files.ts";
import { checkpointSteps, pruneCheckpoints, readCheckpoint, writeCheckpoint } from "../../kernels/train/checkpoint.ts";
import { MetricsWriter, readMetrics } from "../../kernels/train/metrics-file.ts";
import { runName } from "../../kernels/train/names.ts";
import { ParameterMemory } from "../../kernels/train/parameter-memory.ts";
import { createRun, listRuns, type RunPlan, readRows, readRun, writeStatus } from "../../kernels/train/run-folder.ts";
import { lockRun, runOwner } from "../../kernels/train/run-lock.ts";
import { type RunUpdate, watchRun } from "../../kernels/train/watch.ts";

import { RUN_DEFAULTS } from "../support/run-defaults.ts";

const temporary = mkdtempSync(path.join(tmpdir(), "parallax-runs-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const plan: RunPlan = {
  ...RUN_DEFAULTS,
  encoder: {
    reference: "default",
    name: "all-MiniLM-L6-v2",
    weightsSha256: "00",
    spec: { pooling: "mean", normalise: true, maxTokens: 256, prompts: {} },
  },
  batchSize: 2,
  steps: 10,
  learningRate: 2e-5,
  warmupRatio: 0.1,
  schedule: "linear",
  weightDecay: 0.01,
  clipNorm: 1,
  maxTokens: 64,
  freezeWordEmbeddings: true,
  seed: 0,
  checkpointEvery: 5,
  provider: "cpu",
  threads: 1,
  negatives: 0,
  rows: [
    { anchor: "a", positive: "b" },
    { anchor: "lone \ud800 surrogate", positive: "NUL \0 and\nnew line", group: "g" },
  ],
  source: "two pairs",
  evaluation: null,
};

const metric = (step: number): RunMetric => ({
  kind: "step",
  step,
  epoch: step / 10,
  loss: 1 / step,
  learningRate: 2e-5,
  gradNorm: 1,
  elapsedMs: step,
});

let made = 0;
const newRun = () => createRun({ folder: path.join(temporary, `run-${++made}`) }, plan).folder;

describe("a run folder", () => {
  it("holds config, data and status from the moment it is seen", () => {
    const runs = path.join(temporary, "list");
    const now = new Date("2026-01-02T03:04:05Z");
    const { folder, config } = createRun({ runs }, plan, now);
    expect(readdirSync(runs)).toEqual([`20260102-030405-${config.name}`]);
    expect(readRun(folder)).toMatchObject({
      folder,
      config,
      alive: false,
      status: { state: "starting", step: 0, pid: null },
    });
    expect(readRows(folder, config)).toEqual(plan.rows);
    expect(createRun({ runs }, plan, now).folder).toBe(`${folder}-2`);
    mkdirSync(path.join(runs, "broken"));
    writeFileSync(path.join(runs, "broken/config.json"), "{");
    mkdirSync(path.join(runs, "something else"));
    const list = listRuns(runs);
    expect([list.runs.length, list.problems.map(({ error }) => error.code)]).toEqual([2, ["run.damaged"]]);
    expect(listRuns(path.join(runs, "nowhere"))).toEqual({ runs: [], problems: [] });
  });

  it("needs a place of its own", () => {
    const folder = newRun();
    expect(() => createRun({ folder }, plan)).toThrow(expect.objectContaining({ code: "run.exists" }));
    expect(readdirSync(temporary).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("notices changed pairs", () => {
    const folder = newRun();
    appendFileSync(path.join(folder, "data/pairs.jsonl"), '{"anchor":"c","positive":"d"}\n');
    expect(() => readRows(folder, readRun(folder).config)).toThrow(
      expect.objectContaining({ code: "run.changed-data" }),
    );
  });

  it("explains a folder that is no run, and one of another version", () => {
    expect(() => readRun(temporary)).toThrow(expect.objectContaining({ code: "run.missing", kind: "user" }));
    const folder = newRun();
    const file = path.join(folder, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"version": 2', '"version": 3'));
    expect(() => readRun(folder)).toThrow(expect.objectContaining({ code: "run.other-version" }));
  });

  it("is shown as stopped when its process was killed", () => {
    const folder = newRun();
    const { config, status } = readRun(folder);
    writeStatus(folder, { ...status, state: "running", pid: 2 ** 22 + 1, step: 7, lastCheckpoint: 5 });
    expect(config.steps).toBe(10);
    expect(readRun(folder)).toMatchObject({
      alive: false,
      status: { state: "stopped", pid: null, step: 7, error: { code: "train.killed", hint: /^Resume the run/ } },
    });
  });

  it("has a name of two words", () => {
    const names = new Set(Array.from({ length: 500 }, (_, seed) => runName(seed)));
    expect(names.size).toBeGreaterThan(450);
    for (const name of names) expect(name).toMatch(/^[a-z]+-[a-z]+$/);
    expect(runName(1)).toBe(runName(1));
  });
});

describe("metrics.jsonl", () => {
  it("leaves out a torn last line and drops what a resumed run will write again", () => {
    const folder = newRun();
    let writer = new MetricsWriter(folder, -1);
    for (const step of [1, 2, 3, 4]) writer.append(metric(step));
    writer.close();
    appendFileSync(path.join(folder, "metrics.jsonl"), '{"kind":"step","step":5,"lo');
    expect(readMetrics(folder)).toEqual([1, 2, 3, 4].map(metric));
    writer = new MetricsWriter(folder, 2);
    writer.append(metric(3));
    writer.close();
    expect(readMetrics(folder)).toEqual([1, 2, 3].map(metric));
  });

  it("says which line is damaged", () => {
    const folder = newRun();
    writeFileSync(path.join(folder, "metrics.jsonl"), `${JSON.stringify(metric(1))}\n{}\n`);
    expect(() => readMetrics(folder)).toThrow("Line 2 of metrics.jsonl is no metric: {}");
  });
});

describe("a checkpoint", () => {
  const memory = () => {
    const result = new ParameterMemory(
      [
        { name: "w", dims: [3, 5] },
        { name: "w.bias", dims: [5] },
      ],
      {
        name: "table",
        dims: [4, 3],
        maxTouched: 2,
      },
    );
    return result;
  };
  const fill = (target: ParameterMemory) => {
    let next = 1;
    for (const p of target.parameters)
      for (const view of [p.weight, p.first, p.second]) for (let i = 0; i < view.length; i++) view[i] = 1 / next++;
    for (const view of [target.sparse!.weight, target.sparse!.first, target.sparse!.second])
      for (let i = 0; i < view.length; i++) view[i] = -1 / next++;
    return target;
  };

  it("brings back every bit", () => {
    const folder = newRun();
    const [written, read] = [fill(memory()), memory()];
    writeCheckpoint(folder, written, { step: 5, seed: 0, score: 0.5 });
    expect(readCheckpoint(folder, 5, read)).toMatchObject({ step: 5, score: 0.5 });
    expect(read.parameters).toEqual(written.parameters);
    expect(read.sparse!.second).toEqual(written.sparse!.second);
  });

  it("is refused when a byte differs", () => {
    const folder = newRun();
    writeCheckpoint(folder, fill(memory()), { step: 5, seed: 0, score: null });
    const file = path.join(folder, "checkpoints/step-5/state.safetensors");
    const bytes = readFileSync(file);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(file, bytes);
    expect(() => readCheckpoint(folder, 5, memory())).toThrow(
      expect.objectContaining({ code: "train.damaged-checkpoint" }),
    );
  });

  it("that cannot be written leaves the earlier ones", () => {
    const folder = newRun();
    writeCheckpoint(folder, fill(memory()), { step: 5, seed: 0, score: null });
    // A file where the side folder would go, as a full disk would stop it.
    const blocked = path.join(folder, "checkpoints/.step-10.new");
    const place = path.join(folder, "checkpoints");
    renameSync(place, `${place}-kept`);
    writeFileSync(place, "");
    expect(() => writeCheckpoint(folder, memory(), { step: 10, seed: 0, score: null })).toThrow(
      expect.objectContaining({ code: "train.checkpoint-failed", kind: "environment" }),
    );
    rmSync(place);
    renameSync(`${place}-kept`, place);
    expect(existsSync(blocked)).toBe(false);
    expect(readCheckpoint(folder, 5, memory()).step).toBe(5);
  });

  it("stays while it is one of the two newest or the best", () => {
    const folder = newRun();
    for (const step of [5, 10, 15, 20]) {
      writeCheckpoint(folder, memory(), { step, seed: 0, score: null });
      pruneCheckpoints(folder, step >= 10 ? 10 : null);
    }
    mkdirSync(path.join(folder, "checkpoints/.step-25.new"));
    expect(checkpointSteps(folder)).toEqual([10, 15, 20]);
    pruneCheckpoints(folder, null);
    expect(readdirSync(path.join(folder, "checkpoints")).sort()).toEqual(["step-15", "step-20"]);
  });
});

describe("the lock of a run", () => {
  it("lets one process in, and the next one after it has gone", () => {
    const folder = newRun();
    const unlock = lockRun(folder);
    expect(runOwner(folder)).toBe(process.pid);
    expect(() => lockRun(folder)).toThrow(expect.objectContaining({ code: "train.already-running" }));
    unlock();
    expect(runOwner(folder)).toBe(null);
    lockRun(folder)();
    expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual([]);
  });

  it("passes from a killed process to the next one", async () => {
    const folder = newRun();
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    const unlock = lockRun(folder);
    const file = path.join(folder, "lock-1");
    writeFileSync(
      file,
      readFileSync(file, "utf8").replace(/"pid":\d+,"start":"\d+"/, `"pid":${child.pid},"start":null`),
    );
    expect(runOwner(folder)).toBe(child.pid);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    const next = lockRun(folder);
    expect(readdirSync(folder).filter((name) => name.startsWith("lock"))).toEqual(["lock-2"]);
    unlock();
    next();
  });

  it("of another machine holds while that machine writes", () => {
    const folder = newRun();
    lockRun(folder);
    const file = path.join(folder, "lock-1");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"host":"[^"]*"/, '"host":"elsewhere"'));
    expect(() => lockRun(folder)).toThrow(/already being trained by process \d+ on elsewhere/);
    utimesSync(path.join(folder, "status.json"), 1, 1);
    expect(runOwner(folder)).toBe(null);
  });

  it.runIf(process.platform === "linux")("is not fooled by a number that is used again", () => {
    const folder = newRun();
    lockRun(folder);
    const file = path.join(folder, "lock-1");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"start":"\d+"/, '"start":"1"'));
    expect(runOwner(folder)).toBe(null);
    lockRun(folder)();
  });
});

describe("watching a run", () => {
  it("tells everything so far, then what is new, then that a resumed run began again from its checkpoint", async () => {
    const folder = newRun();
    let writer = new MetricsWriter(folder, -1);
    writer.append(metric(1));
    const updates: RunUpdate[] = [];
    const seen = () => updates.map(({ metrics, reset }) => [metrics.map(({ step }) => step), reset]);
    const watching = watchRun(folder, (update) => updates.push(update));
    expect(seen()).toEqual([[[1], true]]);
    writer.append(metric(2));
    const since = performance.now();
    while (updates.length < 2 && performance.now() - since < 2000)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(performance.now() - since).toBeLessThan(600);
    writer.append(metric(3));
    watching.check();
    writer.close();
    writer = new MetricsWriter(folder, 1);
    writer.append(metric(2));
    writer.append(metric(3));
    watching.check();
    writeStatus(folder, { ...readRun(folder).status, state: "running", step: 3 });
    watching.check();
    watching.stop();
    writer.append(metric(4));
    writer.close();
    watching.check();
    expect(seen()).toEqual([
      [[1], true],
      [[2], false],
      [[3], false],
      [[1, 2, 3], true],
      [[], false],
    ]);
    expect(updates.at(-1)!.run.status).toMatchObject({ state: "running", step: 3 });
    expect(existsSync(path.join(folder, "metrics.jsonl"))).toBe(true);
  });
});

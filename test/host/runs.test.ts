import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { RunConfig, RunMetric, RunStatus } from "../../kernels/protocol/run-files.ts";
import { RUN_DEFAULTS } from "../support/run-defaults.ts";
import { workplace } from "../support/workplace.ts";

const config: RunConfig = {
  ...RUN_DEFAULTS,
  version: 2,
  id: "r1",
  name: "lively-otter",
  kind: "fine-tune",
  createdAt: "2026-01-01T00:00:00Z",
  parallaxVersion: "0.1.0",
  encoder: {
    ...{ reference: "default", name: "tiny", weightsSha256: "00" },
    spec: { pooling: "mean", normalise: true, maxTokens: 16, prompts: {} },
  },
  data: { file: "data/pairs.jsonl", n: 4, sha256: "00", source: "test", negatives: 0 },
  batchSize: 2,
  steps: 10,
  learningRate: 1e-3,
  warmupRatio: 0.1,
  schedule: "linear",
  weightDecay: 0,
  clipNorm: 1,
  maxTokens: 16,
  freezeWordEmbeddings: true,
  seed: 0,
  checkpointEvery: 5,
  evaluation: null,
  provider: "cpu",
  threads: 1,
};
const status = (change: Partial<RunStatus>): RunStatus => ({
  ...{
    version: 1,
    state: "running",
    pid: process.pid,
    step: 0,
    steps: 10,
    startedAt: null,
    updatedAt: "2026-01-01T00:00:00Z",
  },
  ...{ rate: null, etaMs: null, lastCheckpoint: null, memoryBytes: null, error: null },
  ...change,
});
const step = (n: number): RunMetric => ({
  kind: "step",
  step: n,
  epoch: 0,
  loss: 1 / (n + 1),
  learningRate: 1e-3,
  gradNorm: 1,
  elapsedMs: n,
});
const line = (metric: RunMetric) => `${JSON.stringify(metric)}\n`;

function runFolder(root: string, name: string, change: Partial<RunStatus> = {}): string {
  const folder = path.join(root, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "config.json"), JSON.stringify({ ...config, id: path.basename(name) }));
  writeFileSync(path.join(folder, "status.json"), JSON.stringify(status(change)));
  return folder;
}

describe("runs", () => {
  test("are found below the root and where a cell started one", async () => {
    const place = workplace();
    const deep = runFolder(place.root, "project/runs/r1");
    runFolder(place.root, "node_modules/x/runs/r2");
    const outside = runFolder(place.folder, "elsewhere/r3");
    writeFileSync(path.join(place.root, "project/runs/note.txt"), "");
    place.notebook("a.ipynb", [`run ${outside}`]);
    const page = await place.page(place.host());
    expect((await page.call("runs.list", {})).runs.map((run) => run.folder)).toEqual([deep]);
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("cell.run", { docId, cellIds: ["c1"] });
    await page.event("runs.changed");
    expect((await page.call("runs.list", {})).runs.map((run) => run.folder).sort()).toEqual([outside, deep].sort());
  });

  test("a watched run tells what is new within half a second, whole lines only", async () => {
    const place = workplace();
    const folder = runFolder(place.root, "runs/r1");
    writeFileSync(path.join(folder, "metrics.jsonl"), line(step(0)) + line(step(1)));
    writeFileSync(path.join(folder, "log.txt"), "created\n");
    const page = await place.page(place.host());
    const start = await page.call("runs.watch", { folder });
    expect([start.metrics, start.log, start.run.alive]).toEqual([[step(0), step(1)], "created\n", true]);

    const torn = line(step(3)).slice(0, 20);
    appendFileSync(path.join(folder, "metrics.jsonl"), line(step(2)) + torn);
    const wrote = Date.now();
    const update = await page.event("run.updated");
    expect(update.metrics).toEqual([step(2)]);
    expect(Date.now() - wrote).toBeLessThan(1500);
    const from = page.events.length;
    appendFileSync(path.join(folder, "metrics.jsonl"), line(step(3)).slice(20));
    appendFileSync(path.join(folder, "log.txt"), "step 3\n");
    writeFileSync(path.join(folder, "status.json"), JSON.stringify(status({ state: "done", pid: null, step: 10 })));
    const more = await page.event("run.updated", ({ run }) => run.status.state === "done", { from });
    const later = page.events
      .slice(from)
      .flatMap((seen) => (seen.event === "run.updated" ? (seen.payload as typeof more).metrics : []));
    expect(later).toEqual([step(3)]);
    expect(more.run.alive).toBe(false);
    await page.call("runs.unwatch", { folder });
  });

  test("after a resume cut later steps off, all metrics come again", async () => {
    const place = workplace();
    const folder = runFolder(place.root, "runs/r1");
    const metrics = path.join(folder, "metrics.jsonl");
    writeFileSync(metrics, [0, 1, 2, 3].map((n) => line(step(n))).join(""));
    const page = await place.page(place.host());
    await page.call("runs.watch", { folder });
    writeFileSync(`${metrics}.new`, line(step(0)) + line(step(1)));
    renameSync(`${metrics}.new`, metrics);
    expect((await page.event("run.updated")).metrics).toEqual([step(0), step(1)]);
  });

  test("a trainer that was killed is shown as stopped, with what is kept", async () => {
    const place = workplace();
    const folder = runFolder(place.root, "runs/r1", { pid: 2 ** 22 - 7, step: 7, lastCheckpoint: 5 });
    const page = await place.page(place.host());
    const { run } = await page.call("runs.watch", { folder });
    expect([run.alive, run.status.state, run.status.error?.code]).toEqual([false, "stopped", "train.killed"]);
    expect(run.status.error?.message).toContain("Checkpoint 5 is kept.");
    await expect(page.call("runs.stop", { folder, how: "now" })).rejects.toMatchObject({ code: "run.not-running" });
  });

  test("stopping writes what the trainer looks for", async () => {
    const place = workplace();
    const folder = runFolder(place.root, "runs/r1");
    const page = await place.page(place.host());
    await page.call("runs.stop", { folder, how: "after-step" });
    expect(readFileSync(path.join(folder, "stop"), "utf8")).toBe("after-step");
  });

  test("resuming starts a process that outlives the host; one that fails is told with its last words", async () => {
    const place = workplace();
    const trainer = path.join(place.folder, "trainer.mjs");
    const folder = runFolder(place.root, "runs/r1", { state: "stopped", pid: null });
    writeFileSync(
      trainer,
      `
      import { readFileSync, writeFileSync } from "node:fs";
      const file = process.argv[2] + "/status.json";
      const status = JSON.parse(readFileSync(file, "utf8"));
      if (status.step === 9) { console.error("no memory"); process.exit(1); }
      writeFileSync(file, JSON.stringify({ ...status, state: "running", pid: process.pid }));
      setTimeout(() => writeFileSync(file, JSON.stringify({ ...status, state: "done", pid: null, step: 10 })), 700);`,
    );
    const page = await place.page(place.host({ trainerEntry: trainer }));
    await page.call("runs.resume", { folder });
    const { run } = await page.call("runs.watch", { folder });
    expect([run.alive, run.status.state]).toEqual([true, "running"]);
    await page.event("run.updated", (update) => update.run.status.state === "done");
    await expect(page.call("runs.resume", { folder })).rejects.toMatchObject({ code: "run.finished" });
    const failing = runFolder(place.root, "runs/r2", { state: "stopped", pid: null, step: 9 });
    await expect(page.call("runs.resume", { folder: failing })).rejects.toMatchObject({
      code: "train.not-started",
      message: 'The trainer of "lively-otter" did not start (exit code 1): no memory',
    });
  });

  test("a folder that is no run is named", async () => {
    const place = workplace();
    const page = await place.page(place.host());
    await expect(page.call("runs.watch", { folder: place.root })).rejects.toMatchObject({ code: "run.missing" });
    const folder = runFolder(place.root, "runs/r1");
    writeFileSync(path.join(folder, "config.json"), '{"version": 1');
    await expect(page.call("runs.watch", { folder })).rejects.toMatchObject({ code: "run.damaged" });
  });
});

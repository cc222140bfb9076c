import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import type { RunMetric } from "../../kernels/protocol/run-files.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { readRun } from "../../kernels/train/run-folder.ts";
import { startTrainer } from "../../kernels/train/start.ts";
import { crc32c, eventsFile, TensorBoardWriter } from "../../kernels/train/tensorboard.ts";
import { tinyRuns } from "../support/tiny-run.ts";
import { finish, until } from "../support/trainer.ts";

vi.setConfig({ testTimeout: 60_000 });
const golden = JSON.parse(readFileSync(path.join(packageRoot(), "test/golden/tensorboard.json"), "utf8")) as {
  file: string;
};
const temporary = mkdtempSync(path.join(tmpdir(), "parallax-tensorboard-"));
const tiny = tinyRuns();
afterAll(() => {
  rmSync(temporary, { recursive: true, force: true });
  rmSync(tiny.folder, { recursive: true, force: true });
});

const config = { createdAt: new Date(1_700_000_000_250).toISOString() };
const step = (number: number, elapsedMs: number, loss: number): RunMetric => ({
  kind: "step",
  step: number,
  epoch: number / 200,
  loss,
  learningRate: 2e-5,
  gradNorm: 1.25,
  elapsedMs,
});
const metrics: RunMetric[] = [
  {
    kind: "eval",
    step: 0,
    metric: "cosine_spearman",
    score: 0.5,
    low: 0.25,
    high: 0.75,
    n: 10,
    seed: 0,
    task: "Fragen über Öl",
  },
  step(1, 1500, 3.4657359),
  step(300, 450_125, 0.1),
];

/** Steps and tags of an events file, its records taken apart by their lengths alone. */
function steps(file: string): number[] {
  const bytes = readFileSync(file);
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += 16 + Number(bytes.readBigUInt64LE(at))) {
    const data = bytes.subarray(at + 12, at + 12 + Number(bytes.readBigUInt64LE(at)));
    // After wall_time (nine bytes) comes the step, a varint of field 2, but in the first record.
    if (data[9] === 0x10) found.push(data[10]! < 128 ? data[10]! : (data[10]! & 127) | (data[11]! << 7));
  }
  return found;
}

describe("events for TensorBoard", () => {
  it("are byte for byte what the definitions of records, checksums and messages give", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(Buffer.concat(eventsFile(config, metrics)).toString("base64")).toBe(golden.file);
  });

  it("go on without a step twice", () => {
    const write = (history: RunMetric[], more: RunMetric[]) => {
      const writer = new TensorBoardWriter(temporary, config, history, (error) => {
        throw error;
      });
      for (const metric of more) writer.append(metric);
      writer.close();
    };
    write([], metrics.slice(0, 2));
    const file = path.join(temporary, "tensorboard/events.out.tfevents.1700000000.parallax");
    writeFileSync(file, "torn", { flag: "a" });
    write(metrics.slice(0, 2), metrics.slice(2));
    expect(readFileSync(file).toString("base64")).toBe(golden.file);
    expect(steps(file)).toEqual([0, 1, 300]);
  });

  it("are given up, not the run, when they cannot be written", () => {
    writeFileSync(path.join(temporary, "blocked"), "");
    const troubles: unknown[] = [];
    const writer = new TensorBoardWriter(path.join(temporary, "blocked"), config, metrics, (error) =>
      troubles.push(error),
    );
    writer.append(metrics[1]!);
    writer.close();
    expect(troubles.length).toBe(1);
  });

  it("hold every step and score of a run that was killed and went on, once", async () => {
    const { folder, config: run } = await tiny.make("killed", { steps: 40, evaluateEvery: 10 });
    const { pid } = await startTrainer(folder);
    await until(() => readMetrics(folder).length >= 20, "twenty lines");
    process.kill(pid, "SIGKILL");
    await until(() => !readRun(folder).alive, "the killed trainer to be gone");
    expect(await finish(folder)).toBe(0);
    const [name, ...others] = readdirSync(path.join(folder, "tensorboard"));
    expect(others).toEqual([]);
    const file = path.join(folder, "tensorboard", name!);
    const lines = readMetrics(folder);
    expect(steps(file)).toEqual(lines.map((metric) => metric.step));
    expect(Buffer.concat(eventsFile(run, lines)).equals(readFileSync(file))).toBe(true);

    // Where Python is, its own reader checks every checksum and number.
    const python = "/usr/bin/python3";
    if (!existsSync(python)) return;
    const reader = path.join(packageRoot(), "test/golden/tensorboard.py");
    const { stdout, stderr } = spawnSync(python, [reader, file], { encoding: "utf8" });
    expect(stderr).toBe("");
    const events = JSON.parse(stdout) as { step: number; values: Record<string, number> }[];
    expect(events.slice(1).map((event) => event.step)).toEqual(lines.map((metric) => metric.step));
    const losses = events.flatMap(({ values }) => values["train/loss"] ?? []);
    expect(losses).toEqual(lines.flatMap((line) => (line.kind === "step" ? [Math.fround(line.loss)] : [])));
  });
});

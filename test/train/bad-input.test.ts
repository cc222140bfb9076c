/** What goes wrong with a run: each time what happened, what is kept, what to do. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { checkpointSteps, readCheckpoint } from "../../kernels/train/checkpoint.ts";
import { createEngine } from "../../kernels/train/engine.ts";
import { runTraining } from "../../kernels/train/loop.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { readRun, readStatus } from "../../kernels/train/run-folder.ts";
import { LossWatch } from "../../kernels/train/sanity.ts";
import { timeless, tinyRuns } from "../support/tiny-run.ts";

vi.setConfig({ testTimeout: 120_000 });

/** The disk, as far as checkpoints are concerned: full while this is true. */
const disk = vi.hoisted(() => ({ full: false }));
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const inCheckpoints = new Set<number>();
  const full = () => Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  return {
    ...fs,
    openSync: (...args: Parameters<typeof fs.openSync>) => {
      const fd = fs.openSync(...args);
      if (/[\\/]checkpoints[\\/]/.test(String(args[0])) && args[1] !== "r") inCheckpoints.add(fd);
      else inCheckpoints.delete(fd);
      return fd;
    },
    writeSync: (fd: number, ...rest: never[]) => {
      if (disk.full && inCheckpoints.has(fd)) throw full();
      return (fs.writeSync as (fd: number, ...rest: never[]) => number)(fd, ...rest);
    },
  };
});

const tiny = tinyRuns();
afterEach(() => {
  disk.full = false;
});
afterAll(() => rmSync(tiny.folder, { recursive: true, force: true }));

const small = { steps: 20, checkpointEvery: 5 } as const;
const without = { task: false };

describe("a full disk at checkpoint time", () => {
  it("ends the run with what is kept, removes the half, and lets it go on to the same numbers", async () => {
    const whole = await tiny.make("whole", small, without);
    expect((await runTraining(whole.folder)).state).toBe("done");
    const { folder } = await tiny.make("full", small, without);
    // From the second checkpoint on.
    const watch = setInterval(() => {
      if (checkpointSteps(folder).includes(5)) disk.full = true;
    }, 1);
    const status = await runTraining(folder);
    clearInterval(watch);
    expect(status).toMatchObject({
      state: "failed",
      error: {
        code: "train.checkpoint-failed",
        kind: "environment",
        message: expect.stringMatching(/\(ENOSPC\)\. Earlier checkpoints are kept\.$/),
        hint: "Free some disk space and resume the run.",
      },
    });
    expect(checkpointSteps(folder)).toContain(5);
    expect(readdirSync(path.join(folder, "checkpoints")).filter((name) => name.startsWith("."))).toEqual([]);
    expect(readStatus(folder)).toEqual(status);
    disk.full = false;
    expect(await runTraining(folder)).toMatchObject({ state: "done", step: 20, error: null });
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(whole.folder)));
  });

  it("is noticed before the first step: the measurement writes a checkpoint too", async () => {
    const { folder } = await tiny.make("full-at-once", small, without);
    disk.full = true;
    const status = await runTraining(folder);
    expect([status.state, status.step, status.error!.code]).toEqual(["failed", 0, "train.checkpoint-failed"]);
    expect(readMetrics(folder)).toEqual([]);
    expect(existsSync(path.join(folder, ".measured"))).toBe(false);
  });
});

describe("a run that is ruined", () => {
  it("by learning rate 10 stops, and keeps a checkpoint that can be read", async () => {
    const { folder, config } = await tiny.make(
      "rate-10",
      { learningRate: 10, steps: 200, warmupRatio: 0.2, schedule: "constant" },
      without,
    );
    const status = await runTraining(folder);
    // Its layer norms hold every number finite, and the loss ends at that of vectors which are all alike.
    expect(status.state).toBe("failed");
    expect(status.error!.code).toMatch(/^train\.(diverged|not-finite)$/);
    expect(status.error!.message).toMatch(/Checkpoint \d+(, the one with the lowest loss,)? is kept\.$/);
    expect(status.error!.hint).toBe("Start a new run at learningRate 1.");
    expect(status.step).toBeLessThan(100);
    expect(existsSync(path.join(folder, "export"))).toBe(false);
    const engine = await createEngine(config);
    for (const step of checkpointSteps(folder)) {
      readCheckpoint(folder, step, engine.memory);
      expect(engine.memory.parameters.every(({ weight }) => weight.every(Number.isFinite))).toBe(true);
    }
    await engine.dispose();
  });

  it("is told from one that only has a hard time", async () => {
    const { config } = await tiny.make("words", small, without);
    const chance = Math.log(8);
    const verdict = (losses: number[]) => {
      const watch = new LossWatch(config, []);
      try {
        for (const [i, loss] of losses.entries())
          watch.check({ step: i + 1, loss, gradNorm: 1, learningRate: 10 }, () => "Kept.");
        return "goes on";
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return `${code} ${message}`;
      }
    };
    const steps = (loss: number, n = 40) => Array.from({ length: n }, () => loss);
    expect(verdict([...steps(0.5), ...steps(0.9)])).toBe("goes on");
    // One that begins by telling nothing apart has not lost anything.
    expect(verdict(steps(chance, 100))).toBe("goes on");
    expect(verdict([...steps(0.5), ...steps(2.5 * chance)])).toMatch(
      /^train\.diverged Stopped at step \d+: the mean loss/,
    );
    // An encoder whose vectors have all become one has exactly the loss of chance.
    expect(verdict([...steps(0.5), ...steps(chance)])).toMatch(
      /^train\.diverged .* tells nothing apart any more .* Kept\.$/,
    );
    expect(verdict([1, Number.NaN])).toMatch(/^train\.not-finite Stopped at step 2: loss is NaN/);
    expect(verdict([1, Number.POSITIVE_INFINITY])).toMatch(/^train\.not-finite .* loss is Infinity/);
  });
});

describe("a config", () => {
  const change = (folder: string, from: RegExp, to: string) => {
    const file = path.join(folder, "config.json");
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(from);
    writeFileSync(file, text.replace(from, to));
  };

  it("of another version is refused, and nothing is touched", async () => {
    const { folder } = await tiny.make("version", small, without);
    change(folder, /"version": \d+/, '"version": 99');
    const before = readFileSync(path.join(folder, "status.json"), "utf8");
    await expect(runTraining(folder)).rejects.toMatchObject({
      code: "run.other-version",
      message: expect.stringMatching(/config\.json is of version 99; this Parallax reads versions 1 to \d+\.$/),
      hint: "Open the run with the Parallax that made it.",
    });
    expect(readFileSync(path.join(folder, "status.json"), "utf8")).toBe(before);
  });

  it("that somebody gave temperature 0 or learning rate 0 is refused, and nothing is touched", async () => {
    const { folder } = await tiny.make("by-hand", small, without);
    change(folder, /"temperature": 0\.05/, '"temperature": 0');
    change(folder, /"learningRate": 0\.001/, '"learningRate": 0');
    await expect(runTraining(folder)).rejects.toMatchObject({
      code: "run.damaged",
      message: expect.stringMatching(/temperature[\s\S]*learningRate|learningRate[\s\S]*temperature/),
    });
    expect(() => readRun(folder)).toThrow(expect.objectContaining({ code: "run.damaged" }));
    expect(readMetrics(folder)).toEqual([]);
  });

  it("whose pairs were changed is refused, with the rows as they are", async () => {
    const { folder } = await tiny.make("pairs", small, without);
    writeFileSync(path.join(folder, "data/pairs.jsonl"), '{"anchor":"x","positive":"y"}\n');
    const status = await runTraining(folder);
    expect([status.state, status.error!.code]).toEqual(["failed", "run.changed-data"]);
  });
});

describe("options that cannot work", () => {
  it.each([
    [{ temperature: 0 }, "temperature is 0; it must be a number over 0"],
    [{ loss: { name: "gte" as const, temperature: 0 } }, "loss.temperature is 0; it must be"],
    [{ learningRate: 0 }, "learningRate is 0; it must be a number over 0"],
    [{ patience: 0 }, "patience is 0; it must be a whole number from 1"],
    [{ patience: 2 }, "patience needs an evaluation to go by"],
    [{ keep: "best" as const }, 'keep: "best" needs an evaluation to go by'],
    [{ keep: "first" as never }, 'keep is "first"; it must be one of "last", "best"'],
    [{ dropout: 1 }, "dropout is 1; it must be a number from 0 to 0.9"],
    [{ batchSize: 1000 }, "A batch of 1000 needs"],
  ])("are refused before a folder is made: %j", async (recipe, message) => {
    await expect(tiny.make("refused", recipe, without)).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))),
    });
    expect(existsSync(path.join(tiny.folder, "refused"))).toBe(false);
    expect(readdirSync(tiny.folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

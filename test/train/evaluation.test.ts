import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { loadTask, type StsTask } from "../../kernels/data/task.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { evaluate } from "../../kernels/evaluate/evaluate.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { checkpointSteps } from "../../kernels/train/checkpoint.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { Random } from "../../kernels/train/prng.ts";
import { readRun, readStatus } from "../../kernels/train/run-folder.ts";
import { isEval, isStep } from "../../kernels/train/run-view.ts";
import { Scoreboard } from "../../kernels/train/scoreboard.ts";
import { startTrainer } from "../../kernels/train/start.ts";
import { timeless, tinyRuns, tinyTask } from "../support/tiny-run.ts";
import { finish, until } from "../support/trainer.ts";

// Each starts several processes, and a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });
const tiny = tinyRuns();
afterAll(() => rmSync(tiny.folder, { recursive: true, force: true }));

/** Gold upside down: the better the training, the worse the score, so the first evaluation is the best. */
async function worseTask(): Promise<StsTask> {
  const task = await tinyTask();
  return { ...task, name: "upside down", gold: task.gold.map((gold) => 5 - gold) };
}

const early = { keep: "best", patience: 2, evaluateEvery: 8, checkpointEvery: 7, learningRate: 2e-3 } as const;
const tasks = async () => [await worseTask(), await tinyTask(30, 5)];

describe("scores of a run", () => {
  it("name the best step, and end the waiting after as many worse ones as patience has", () => {
    const board = new Scoreboard({ steps: 60, evaluation: { files: ["a", "b"], every: 20, patience: 2 } }, ["a", "b"]);
    expect([board.isDue(0), board.isDue(19), board.isDue(20), board.isDue(60)]).toEqual([true, false, true, true]);
    expect([board.roundsAfter(0), board.roundsAfter(20), board.roundsAfter(60)]).toEqual([3, 2, 0]);
    board.add({ step: 0, task: "a", score: 0.9 });
    expect([board.best, board.missing(0), board.missing(20)]).toEqual([null, [1], [0, 1]]);
    const history = [0.3, 0.5, 0.5, 0.4];
    const out = history.map((score, i) => {
      board.add({ step: 20 * (i + 1), task: "a", score });
      board.add({ step: 20 * (i + 1), task: "b", score: i });
      return board.isOutOfPatience;
    });
    expect(out).toEqual([false, false, false, true]);
    expect(board.best).toEqual({ step: 40, score: 0.5 });
  });
});

describe("a run with several tasks, patience and the best checkpoint kept", () => {
  let unbroken: Promise<string> | undefined;
  const whole = () => {
    unbroken ??= tasks()
      .then((two) => tiny.make("whole", early, { tasks: two }))
      .then(async ({ folder }) => {
        expect(await finish(folder)).toBe(0);
        return folder;
      });
    return unbroken;
  };

  it("scores every task, ends early, and exports the weights of the best step", async () => {
    const folder = await whole();
    const { status, config } = readRun(folder);
    const metrics = readMetrics(folder);
    const evals = metrics.filter(isEval);
    expect(evals.map(({ step, task }) => [step, task]).slice(0, 4)).toEqual([
      [0, "upside down"],
      [0, "shared words"],
      [8, "upside down"],
      [8, "shared words"],
    ]);
    const main = evals.filter(({ task, step }) => task === "upside down" && step > 0);
    const best = main.reduce((a, b) => (b.score > a.score ? b : a));
    expect(status).toMatchObject({ state: "done", ended: "patience", exportedStep: best.step });
    expect(status.step).toBe(best.step + 16);
    expect(status.step).toBeLessThan(config.steps);
    expect(metrics.filter(isStep).at(-1)!.step).toBe(status.step);
    expect(checkpointSteps(folder)).toContain(best.step);

    const encoder = await openEncoder(path.join(folder, "export"), {
      compute: inThreadCompute(),
      threads: config.threads,
    });
    for (const [i, file] of config.evaluation!.files.entries()) {
      const result = await evaluate(encoder, await loadTask(path.join(folder, file)), { seed: config.seed });
      const said = evals.filter(({ step }) => step === best.step)[i]!;
      // Weights as constants instead of inputs: sums in another order may swap two pairs of nearly equal cosine.
      expect(Math.abs(result.score - said.score)).toBeLessThan(2e-3);
    }
    await encoder.dispose();
    const log = readFileSync(path.join(folder, "log.txt"), "utf8");
    expect(log).toMatch(
      /done: \d+ of 60 steps \(no better score in 2 evaluations after step \d+\), exported step \d+, in .* \(estimate .* GB\)/,
    );
    const card = readFileSync(path.join(folder, "export/README.md"), "utf8");
    expect(card).toContain(`These are the weights of step ${best.step}, chosen by the score on the first task.`);
    expect(card).toContain("upside down");
    expect(card).toContain("shared words");
  });

  it("goes on to the same bits after kill -9 at any instant", async () => {
    const expected = await whole();
    const { folder } = await tiny.make("killed", early, { tasks: await tasks() });
    const random = new Random(5, "kill");
    let kills = 0;
    while (readStatus(folder).state !== "done" && kills < 6) {
      const { pid, exited } = await startTrainer(folder);
      const ended = await Promise.race([exited.then(() => true), sleep(200 + random.below(600)).then(() => false)]);
      if (ended) break;
      process.kill(pid, "SIGKILL");
      await until(() => !readRun(folder).alive, "the killed trainer to be gone");
      kills++;
    }
    if (readStatus(folder).state !== "done") expect(await finish(folder)).toBe(0);
    expect(kills).toBeGreaterThan(0);
    expect(timeless(readMetrics(folder))).toEqual(timeless(readMetrics(expected)));
    expect(readStatus(folder).exportedStep).toBe(readStatus(expected).exportedStep);
    const weights = (run: string) => readFileSync(path.join(run, "export/model.safetensors"));
    expect(weights(folder).equals(weights(expected))).toBe(true);
    expect(existsSync(path.join(folder, ".measured"))).toBe(false);
  });

  it("exports another checkpoint, and says so, when the best one is damaged", async () => {
    const { folder } = await tiny.make("best-damaged", { ...early, patience: 9 }, { tasks: await tasks() });
    const { pid } = await startTrainer(folder);
    await until(() => readStatus(folder).step >= 20, "twenty steps");
    process.kill(pid, "SIGKILL");
    await until(() => !readRun(folder).alive, "the killed trainer to be gone");
    const best = readMetrics(folder)
      .filter(isEval)
      .filter(({ step, task }) => step > 0 && task === "upside down")
      .reduce((a, b) => (b.score > a.score ? b : a)).step;
    const file = path.join(folder, `checkpoints/step-${best}/state.safetensors`);
    const bytes = readFileSync(file);
    bytes[bytes.length - 100]! ^= 4;
    writeFileSync(file, bytes);
    expect(await finish(folder)).toBe(0);
    const status = readStatus(folder);
    expect(status.state).toBe("done");
    // Either it was noticed at the end, or the run went back far enough to make the checkpoint again.
    const log = readFileSync(path.join(folder, "log.txt"), "utf8");
    if (status.exportedStep !== best) expect(log).toContain("The next best one is exported.");
    expect(checkpointSteps(folder)).toContain(status.exportedStep);
  });
});

/**
 * Training a run folder from wherever it stands to its end. Everything that decides a number is in the folder and in
 * (seed, step), so a run that was killed at any instant goes on to the same metrics, bit by bit, on the same provider
 * and thread count.
 *
 * Order within a step: metrics line, evaluation when due, metrics on disk, checkpoint. A checkpoint of step N therefore
 * means that all lines up to N are there; a resumed run drops the lines after it.
 */
import { rmSync } from "node:fs";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Embedder } from "../evaluate/embedder.ts";
import { CancelledError, isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import { RUN_FILES, type RunConfig, type RunMetric, type RunStatus } from "../protocol/run-files.ts";
import { learningRateAt } from "./adamw.ts";
import { BatchPlan } from "./batches.ts";
import { checkpointSteps, pruneCheckpoints, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { createEngine, type TrainingEngine } from "./engine.ts";
import { checkMemory } from "./estimate.ts";
import { RunEvaluation } from "./evaluation.ts";
import { exportRun, hasExport } from "./export.ts";
import { inspectRows } from "./inspect-rows.ts";
import { measureRun, peakMemory } from "./measure-run.ts";
import { MetricsWriter, readMetrics } from "./metrics-file.ts";
import { clipScale } from "./parameter-memory.ts";
import type { TrainingRow } from "./rows.ts";
import { logLine, newStatus, readConfig, readRows, readStatus, writeStatus } from "./run-folder.ts";
import { lockRun } from "./run-lock.ts";
import { duration, isEval, isStep } from "./run-view.ts";
import { LossWatch } from "./sanity.ts";
import { StopWatch } from "./stop-watch.ts";
import { TensorBoardWriter } from "./tensorboard.ts";

/** status.json is at most this old while steps are being made, or one step when steps take longer. */
const STATUS_MS = 400;

/**
 * Train a run in this process until it is done, stopped or failed. The folder says which; only a folder that cannot be
 * taken (or is no run) throws.
 *
 * @param signals called with a function that asks to stop: "after-step" keeps a checkpoint, "now" does not. The file
 *   `stop` in the folder does the same.
 * @param options measureOnly: end, as stopped, when status.json has its estimate.
 * @returns the last status, as written.
 * @throws {ParallaxError} run.missing, run.damaged, train.already-running
 */
export async function runTraining(
  folder: string,
  signals: (stop: (how: "after-step" | "now") => void) => void = () => undefined,
  { measureOnly = false }: { measureOnly?: boolean } = {},
): Promise<RunStatus> {
  const absolute = path.resolve(folder);
  const config = readConfig(absolute);
  const unlock = lockRun(absolute);
  try {
    const run = new Run(absolute, config);
    signals((how) => run.stop.request(how));
    return await run.train(measureOnly);
  } finally {
    unlock();
  }
}

class Run {
  readonly stop: StopWatch;
  readonly #folder: string;
  readonly #config: RunConfig;
  #status: RunStatus;
  #statusAt = 0;
  #engine: TrainingEngine | null = null;
  #metrics: MetricsWriter | null = null;
  #tensorBoard: TensorBoardWriter | null = null;
  /** Time spent on this run before this process, and when this process began to spend more. */
  #elapsedBefore = 0;
  readonly #startedAt = performance.now();
  /** When each of the last steps ended. */
  #ends: number[] = [];
  #evaluation: RunEvaluation | null = null;
  #lossWatch: LossWatch;

  constructor(folder: string, config: RunConfig) {
    this.#folder = folder;
    this.#config = config;
    this.#status = {
      ...newStatus(config),
      ...previous(folder),
      state: "running",
      pid: process.pid,
      rate: null,
      etaMs: null,
      error: null,
    };
    this.#lossWatch = new LossWatch(config, []);
    this.#status.startedAt ??= new Date().toISOString();
    this.stop = new StopWatch(folder, (how) => {
      this.#log(how === "now" ? "asked to stop now" : "asked to stop after this step");
      this.#write({ state: "stopping" });
    });
  }

  async train(measureOnly: boolean): Promise<RunStatus> {
    try {
      this.#write({});
      await this.#train(measureOnly);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.stop.close();
      this.#metrics?.close();
      this.#tensorBoard?.close();
      await this.#engine?.dispose();
    }
    return this.#write({ pid: null, rate: null, etaMs: null });
  }

  #fail(error: unknown): void {
    if (isCancelled(error)) {
      this.#log(`stopped at step ${this.#status.step}`);
      this.#write({ state: "stopped" });
      return;
    }
    const data = toErrorData(error);
    this.#status = { ...this.#status, state: "failed", error: data };
    this.#log(`failed: ${data.message}${data.hint === undefined ? "" : ` ${data.hint}`}`);
    if (data.kind === "bug") this.#log((data.stack ?? []).join("\n"));
    this.#write({});
  }

  async #train(measureOnly: boolean): Promise<void> {
    const config = this.#config;
    const rows = readRows(this.#folder, config);
    const { warnings } = inspectRows(rows, { ...config, tasksApart: config.tasks.apart });
    for (const warning of warnings) this.#log(warning);
    const plan = new BatchPlan(rows, { ...config, negatives: config.data.negatives });
    this.#engine = await createEngine(config);
    const engine = this.#engine;
    this.#log(
      `${engine.describe()}; ${rows.length} pairs, batch ${config.batchSize}, ${config.steps} steps, ${plan.batchesPerEpoch} a pass over the data`,
    );
    checkMemory(engine.model, { ...config, negatives: config.data.negatives });

    const start = this.#restore();
    this.#write({ step: start });
    const history = readMetrics(this.#folder).filter(({ step }) => step <= start);
    this.#elapsedBefore = history.findLast(isStep)?.elapsedMs ?? 0;
    const losses = history.filter(isStep).map(({ loss }) => loss);
    this.#lossWatch = new LossWatch(config, losses);
    this.#metrics = new MetricsWriter(this.#folder, start);
    this.#tensorBoard = new TensorBoardWriter(this.#folder, config, history, (error) =>
      this.#log(`the events for TensorBoard could not be written: ${String(error)}`),
    );
    const evaluation = await RunEvaluation.open(this.#folder, config, history.filter(isEval));
    this.#evaluation = evaluation;

    // Scores of a checkpoint are missing when the run was stopped while they were being measured.
    if (evaluation.isDueInTraining(start)) await this.#evaluate(start);
    if (start === 0) await this.#measure(rows, plan);
    if (measureOnly) throw new CancelledError("The run");

    for (let step = start + 1; step <= config.steps && !evaluation.board.isOutOfPatience; step++) {
      await this.#step(step, rows, plan);
      if (evaluation.isDueInTraining(step)) await this.#evaluateOrStop(step);
      const stopping = this.stop.requested;
      if (stopping === "now") this.stop.throwIfRequested();
      const { best, isOutOfPatience } = evaluation.board;
      const isDue = step % config.checkpointEvery === 0 || step === config.steps || isOutOfPatience;
      if (isDue || best?.step === step || stopping !== null) this.#checkpoint(step);
      this.stop.throwIfRequested();
    }
    await this.#finish();
  }

  /** Loads the newest whole checkpoint. @returns its step, 0 when there is none. */
  #restore(): number {
    const engine = this.#engine!;
    for (const step of checkpointSteps(this.#folder).reverse()) {
      try {
        readCheckpoint(this.#folder, step, engine.memory);
        this.#log(`goes on from checkpoint ${step}`);
        this.#status.lastCheckpoint = step;
        return step;
      } catch (error) {
        if (!(error instanceof ParallaxError) || error.code !== "train.damaged-checkpoint") throw error;
        this.#log(`${error.message} An earlier one is used.`);
        engine.reset();
      }
    }
    this.#status.lastCheckpoint = null;
    return 0;
  }

  /** Some steps that do not count, to say beforehand what the run will take. */
  async #measure(rows: readonly TrainingRow[], plan: BatchPlan): Promise<void> {
    const { board, lastRoundMs: evaluationMs } = this.#evaluation!;
    const estimate = await measureRun(
      this.#folder,
      this.#engine!,
      rows,
      plan,
      this.#config,
      { spentMs: performance.now() - this.#startedAt, evaluationMs, evaluations: board.roundsAfter(0) },
      async (step) => (await this.#gradient(step, rows, plan)).gradNorm,
      () => this.stop.throwIfRequested(),
    );
    const { elapsedMs, memoryBytes, stepMs = 0 } = estimate;
    this.#log(
      `estimate: ${duration(elapsedMs)} (${stepMs.toFixed(0)} ms a step${evaluationMs > 0 ? `, ${duration(evaluationMs)} an evaluation` : ""}), ${(memoryBytes / 1e9).toFixed(2)} GB`,
    );
    this.#write({ estimate, etaMs: elapsedMs, rate: 1000 / stepMs });
  }

  /** The gradient of a step, left in the memory. */
  async #gradient(
    step: number,
    rows: readonly TrainingRow[],
    plan: BatchPlan,
  ): Promise<{ loss: number; gradNorm: number; progress: number }> {
    // Signals and timers get their turn.
    await setImmediate();
    const engine = this.#engine!;
    const { accumulate } = this.#config;
    const batches = Array.from({ length: accumulate }, (_, i) => plan.at((step - 1) * accumulate + i + 1));
    const chosen = batches.flatMap((batch) => [...batch.rows].map((row) => rows[row]!));
    const loss = await engine.step(chosen, step);
    return { loss, gradNorm: engine.memory.gradientNorm(), progress: batches.at(-1)!.progress };
  }

  async #step(step: number, rows: readonly TrainingRow[], plan: BatchPlan): Promise<void> {
    const config = this.#config;
    const learningRate = learningRateAt(step, config);
    const { loss, gradNorm, progress } = await this.#gradient(step, rows, plan);
    this.#lossWatch.check({ step, loss, gradNorm, learningRate }, () => this.#kept());
    this.#engine!.memory.update(step, learningRate, config.weightDecay, clipScale(gradNorm, config.clipNorm));
    this.#record({
      kind: "step",
      step,
      epoch: progress,
      loss,
      learningRate,
      gradNorm,
      elapsedMs: Math.round(this.#elapsedBefore + performance.now() - this.#startedAt),
    });
    const now = performance.now();
    this.#ends = [...this.#ends.slice(-20), now];
    const first = this.#ends[0]!;
    const rate = this.#ends.length > 1 ? (1000 * (this.#ends.length - 1)) / (now - first) : null;
    this.#status.step = step;
    this.#status.rate = rate;
    this.#status.etaMs = rate === null ? this.#status.etaMs : this.#timeLeft(step, rate);
    if (now - this.#statusAt >= STATUS_MS || step === config.steps) this.#write({});
  }

  #record(metric: RunMetric): void {
    this.#metrics!.append(metric);
    this.#tensorBoard!.append(metric);
  }

  /** What there is to go back to, in a sentence. */
  #kept(): string {
    const { lastCheckpoint } = this.#status;
    if (lastCheckpoint === null) return "There is no checkpoint yet.";
    const good = this.#goodStep();
    if (good === null || good === lastCheckpoint) return `Checkpoint ${lastCheckpoint} is kept.`;
    const why = good === this.#evaluation?.board.best?.step ? "the best score" : "the lowest loss";
    return `Checkpoint ${good}, the one with ${why}, is kept.`;
  }

  #timeLeft(step: number, rate: number): number {
    return Math.round(
      (1000 * (this.#config.steps - step)) / rate +
        this.#evaluation!.board.roundsAfter(step) * this.#evaluation!.lastRoundMs,
    );
  }

  /** An evaluation that a stop cuts short is made again when the run is resumed; the step itself is kept. */
  async #evaluateOrStop(step: number): Promise<void> {
    try {
      await this.#evaluate(step);
    } catch (error) {
      if (!isCancelled(error)) throw error;
    }
  }

  async #evaluate(step: number, embedder: Embedder = this.#engine!.embedder): Promise<void> {
    const evaluation = this.#evaluation!;
    await evaluation.score(step, embedder, {
      signal: this.stop.signal,
      onProgress: () => {
        if (performance.now() - this.#statusAt >= STATUS_MS) this.#write({});
      },
      onScore: (metric) => this.#record(metric),
      log: (line) => this.#log(line),
    });
    // The pace of steps is measured without evaluations.
    this.#ends = [];
  }

  /** The checkpoint to go back to when the run is ruined: the best score, else the lowest mean loss. Null: none. */
  #goodStep(): number | null {
    const steps = checkpointSteps(this.#folder);
    const best = this.#evaluation!.board.best?.step ?? null;
    if (best !== null && steps.includes(best)) return best;
    const watch = this.#lossWatch;
    return steps.reduce<number | null>(
      (good, step) => (good === null || watch.meanAt(step) <= watch.meanAt(good) ? step : good),
      null,
    );
  }

  #checkpoint(step: number): void {
    this.#metrics!.sync();
    const { best } = this.#evaluation!.board;
    const score = best?.step === step ? best.score : null;
    try {
      writeCheckpoint(this.#folder, this.#engine!.memory, { step, seed: this.#config.seed, score });
      pruneCheckpoints(this.#folder, this.#goodStep());
    } catch (error) {
      // What was half written would keep the disk full.
      const parts = path.join(this.#folder, RUN_FILES.checkpoints, `.step-${step}.new`);
      rmSync(parts, { recursive: true, force: true });
      throw error;
    }
    this.#write({ lastCheckpoint: step });
  }

  /**
   * Export, and the score of what was exported. Either may be found done by a resumed run.
   *
   * The last weights of a whole run are scored as the exported files are, after loading; a best checkpoint and an early
   * end were scored in training.
   */
  async #finish(): Promise<void> {
    const { steps, keep } = this.#config;
    const evaluation = this.#evaluation!;
    const last = this.#status.step;
    const exported = keep === "best" ? this.#loadBest(last) : last;
    const isScored = evaluation.board.missing(exported).length === 0;
    if (!isScored || !hasExport(this.#folder))
      await exportRun(this.#folder, this.#config, this.#engine!, async (embedder): Promise<RunMetric[]> => {
        if (!isScored) await this.#evaluate(exported, embedder);
        this.#metrics!.sync();
        // The card shows the exported weights' score as the last one.
        return readMetrics(this.#folder).filter((metric) => isStep(metric) || metric.step <= exported);
      });
    const elapsedMs = this.#elapsedBefore + performance.now() - this.#startedAt;
    const actual = { elapsedMs, memoryBytes: Math.max(peakMemory(), this.#status.actual?.memoryBytes ?? 0) };
    const { estimate } = this.#status;
    this.#log(
      `done: ${last} ${last < steps ? `of ${steps} steps (${evaluation.describeEnd()})` : "steps"}, exported step ${exported}, in ${duration(elapsedMs)}, ${(actual.memoryBytes / 1e9).toFixed(2)} GB${
        estimate ? ` (estimate ${duration(estimate.elapsedMs)}, ${(estimate.memoryBytes / 1e9).toFixed(2)} GB)` : ""
      }`,
    );
    const ended = last < steps ? ("patience" as const) : ("all-steps" as const);
    this.#write({ state: "done", step: last, actual, ended, exportedStep: exported });
  }

  /** The best checkpoint's weights, or those of the next best when it is damaged. @returns the step in the memory. */
  #loadBest(last: number): number {
    const engine = this.#engine!;
    const there = checkpointSteps(this.#folder);
    for (const step of this.#evaluation!.ranking().filter((each) => there.includes(each))) {
      if (step === last) break;
      try {
        readCheckpoint(this.#folder, step, engine.memory);
        return step;
      } catch (error) {
        if (!(error instanceof ParallaxError) || error.code !== "train.damaged-checkpoint") throw error;
        this.#log(`${error.message} The next best one is exported.`);
        readCheckpoint(this.#folder, last, engine.memory);
      }
    }
    return last;
  }

  #write(change: Partial<RunStatus>): RunStatus {
    this.#status = {
      ...this.#status,
      ...change,
      updatedAt: new Date().toISOString(),
      memoryBytes: process.memoryUsage.rss(),
    };
    writeStatus(this.#folder, this.#status);
    this.#statusAt = performance.now();
    return this.#status;
  }

  #log(line: string): void {
    try {
      logLine(this.#folder, line);
    } catch (error) {
      // A full disk must not hide what the line was about.
      console.error(line, error);
    }
  }
}

/** What a resumed run takes over from the status that it finds. */
function previous(folder: string): Partial<RunStatus> {
  const { startedAt, step, lastCheckpoint, estimate } = readStatus(folder);
  return { startedAt, step, lastCheckpoint, ...(estimate === undefined ? {} : { estimate }) };
}

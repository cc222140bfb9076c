/**
 * Training a run folder from wherever it stands to its end. Everything that decides a number is in the folder and in
 * (seed, step), so a run that was killed at any instant goes on to the same metrics, bit by bit, on the same provider
 * and thread count.
 *
 * Order within a step: metrics line, evaluation when due, metrics on disk, checkpoint. A checkpoint of step N therefore
 * means that all lines up to N are there; a resumed run drops the lines after it.
 */
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { loadTask, type Task } from "../data/task.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import type { PromptSpec } from "../evaluate/prompt-sides.ts";
import { isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import { chanceLoss, type RunConfig, type RunStatus } from "../protocol/run-files.ts";
import { learningRateAt } from "./adamw.ts";
import { BatchPlan } from "./batches.ts";
import { checkpointSteps, pruneCheckpoints, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { createEngine, type TrainingEngine } from "./engine.ts";
import { checkMemory } from "./estimate.ts";
import { exportRun, hasExport } from "./export.ts";
import { MetricsWriter, readMetrics } from "./metrics-file.ts";
import { inspectPairs, type Pair } from "./pairs.ts";
import { clipScale } from "./parameter-memory.ts";
import { logLine, newStatus, readConfig, readRows, readStatus, writeStatus } from "./run-folder.ts";
import { lockRun } from "./run-lock.ts";
import { duration, isEval, isStep } from "./run-view.ts";
import { StopWatch } from "./stop-watch.ts";

/** status.json is at most this old while steps are being made, or one step when steps take longer. */
const STATUS_MS = 400;
/** Steps whose mean loss says whether a run diverges. */
const DIVERGENCE_STEPS = 20;

/**
 * Train a run in this process until it is done, stopped or failed. The folder says which; only a folder that cannot be
 * taken (or is no run) throws.
 *
 * @param signals called with a function that asks to stop: "after-step" keeps a checkpoint, "now" does not. The file
 *   `stop` in the folder does the same.
 * @returns the last status, as written.
 * @throws {ParallaxError} run.missing, run.damaged, train.already-running
 */
export async function runTraining(
  folder: string,
  signals: (stop: (how: "after-step" | "now") => void) => void = () => undefined,
): Promise<RunStatus> {
  const absolute = path.resolve(folder);
  const config = readConfig(absolute);
  const unlock = lockRun(absolute);
  try {
    const run = new Run(absolute, config);
    signals((how) => run.stop.request(how));
    return await run.train();
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
  #task: Task | null = null;
  /** Time spent on this run before this process, and when this process began to spend more. */
  #elapsedBefore = 0;
  readonly #startedAt = performance.now();
  /** When each of the last steps ended. */
  #ends: number[] = [];
  #evalMs = 0;
  #evals: number[] = [];
  #best: { step: number; score: number } | null = null;
  #losses: number[] = [];

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
    this.#status.startedAt ??= new Date().toISOString();
    this.stop = new StopWatch(folder, (how) => {
      this.#log(how === "now" ? "asked to stop now" : "asked to stop after this step");
      this.#write({ state: "stopping" });
    });
  }

  async train(): Promise<RunStatus> {
    this.#write({});
    try {
      await this.#train();
    } catch (error) {
      if (isCancelled(error)) {
        this.#log(`stopped at step ${this.#status.step}`);
        this.#write({ state: "stopped" });
      } else {
        const data = toErrorData(error);
        this.#log(`failed: ${data.message}${data.hint === undefined ? "" : ` ${data.hint}`}`);
        if (data.kind === "bug") this.#log((data.stack ?? []).join("\n"));
        this.#write({ state: "failed", error: data });
      }
    } finally {
      this.stop.close();
      this.#metrics?.close();
      await this.#engine?.dispose();
    }
    return this.#write({ pid: null, rate: null, etaMs: null });
  }

  async #train(): Promise<void> {
    const config = this.#config;
    const pairs = readRows(this.#folder, config);
    for (const warning of inspectPairs(pairs, config.batchSize).warnings) this.#log(warning);
    this.#task =
      config.evaluation === null ? null : await loadTask(path.join(this.#folder, config.evaluation.files[0]!));
    const plan = new BatchPlan(pairs, config.batchSize, config.seed);
    this.#engine = await createEngine(config);
    const engine = this.#engine;
    this.#log(
      `${engine.describe()}; ${pairs.length} pairs, batch ${config.batchSize}, ${config.steps} steps, ${plan.batchesPerEpoch} a pass over the data`,
    );
    checkMemory(engine.bert, { ...config, tokens: config.maxTokens });

    const start = this.#restore();
    this.#write({ step: start });
    const history = readMetrics(this.#folder).filter(({ step }) => step <= start);
    this.#elapsedBefore = history.findLast(isStep)?.elapsedMs ?? 0;
    this.#losses = history.filter(isStep).map(({ loss }) => loss);
    for (const metric of history.filter(isEval)) this.#remember(metric.step, metric.score);
    this.#metrics = new MetricsWriter(this.#folder, start);

    // The score of a checkpoint is missing when the run was stopped while it was being measured.
    if (this.#isEvaluatedAt(start) && start < config.steps && !this.#evals.includes(start)) await this.#evaluate(start);
    if (start === 0) await this.#measure(pairs, plan);

    for (let step = start + 1; step <= config.steps; step++) {
      await this.#step(step, pairs, plan);
      if (step < config.steps && this.#isEvaluatedAt(step)) await this.#evaluateOrStop(step);
      const stopping = this.stop.requested;
      if (stopping === "now") this.stop.throwIfRequested();
      const isDue = step % config.checkpointEvery === 0 || step === config.steps || this.#best?.step === step;
      if (isDue || stopping !== null) this.#checkpoint(step);
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

  /** Some steps that do not count, to say beforehand what the run will take. The weights stay as they are. */
  async #measure(pairs: readonly Pair[], plan: BatchPlan): Promise<void> {
    const engine = this.#engine!;
    const batch = [...plan.at(1).rows].map((row) => pairs[row]!);
    // The first ones also allocate and plan; the best of the others shows the pace.
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 4; i++) {
      const began = performance.now();
      await engine.step(batch);
      engine.memory.gradientNorm();
      if (i > 0) best = Math.min(best, performance.now() - began);
      this.stop.throwIfRequested();
    }
    const stepMs = best * 1.05;
    const memoryBytes = process.memoryUsage.rss();
    const elapsedMs = this.#config.steps * stepMs + this.#evalsAfter(0) * this.#evalMs;
    this.#log(
      `estimate: ${duration(elapsedMs)} (${stepMs.toFixed(0)} ms a step${this.#evalMs > 0 ? `, ${duration(this.#evalMs)} an evaluation` : ""}), ${(memoryBytes / 1e9).toFixed(1)} GB`,
    );
    this.#write({ estimate: { elapsedMs, memoryBytes }, etaMs: elapsedMs, rate: 1000 / stepMs });
  }

  async #step(step: number, pairs: readonly Pair[], plan: BatchPlan): Promise<void> {
    const engine = this.#engine!;
    const config = this.#config;
    // Signals and timers get their turn.
    await setImmediate();
    const batch = plan.at(step);
    const learningRate = learningRateAt(step, config);
    const loss = await engine.step([...batch.rows].map((row) => pairs[row]!));
    const gradNorm = engine.memory.gradientNorm();
    this.#checkSane(step, loss, gradNorm, learningRate);
    engine.memory.update(step, learningRate, config.weightDecay, clipScale(gradNorm, config.clipNorm));
    this.#metrics!.append({
      kind: "step",
      step,
      epoch: batch.progress,
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

  /** A loss that is no number, or one that has long been far above chance: the weights before it are still good. */
  #checkSane(step: number, loss: number, gradNorm: number, learningRate: number): void {
    const kept =
      this.#status.lastCheckpoint === null
        ? "There is no checkpoint yet."
        : `Checkpoint ${this.#status.lastCheckpoint} is kept.`;
    const facts = `learning rate ${learningRate.toPrecision(2)}, gradient norm ${gradNorm.toPrecision(2)}`;
    const hint = `Start a new run at learningRate ${Number((this.#config.learningRate / 10).toPrecision(2))}.`;
    const details = { step, loss: String(loss), gradNorm: String(gradNorm), learningRate };
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      const what = Number.isFinite(loss) ? "the gradient" : "loss";
      const value = Number.isFinite(loss) ? gradNorm : loss;
      throw new ParallaxError("train.not-finite", `Stopped at step ${step}: ${what} is ${value} (${facts}). ${kept}`, {
        hint,
        details,
      });
    }
    this.#losses.push(loss);
    if (this.#losses.length < 2 * DIVERGENCE_STEPS) return;
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [first, last] = [mean(this.#losses.slice(0, 5)), mean(this.#losses.slice(-DIVERGENCE_STEPS))];
    const limit = 2 * Math.max(first, chanceLoss(this.#config) ?? 0);
    if (last > limit)
      throw new ParallaxError(
        "train.diverged",
        `Stopped at step ${step}: the mean loss of the last ${DIVERGENCE_STEPS} steps is ${last.toPrecision(3)}, it began at ${first.toPrecision(3)} (${facts}). ${kept}`,
        { hint, details },
      );
  }

  #isEvaluatedAt(step: number): boolean {
    const { evaluation, steps } = this.#config;
    return evaluation !== null && (step === 0 || step === steps || step % evaluation.every === 0);
  }

  /** Evaluations still to come, the last one included. */
  #evalsAfter(step: number): number {
    const { evaluation, steps } = this.#config;
    if (evaluation === null) return 0;
    if (step >= steps) return 0;
    return Math.floor((steps - 1) / evaluation.every) - Math.floor(step / evaluation.every) + 1;
  }

  #timeLeft(step: number, rate: number): number {
    return Math.round((1000 * (this.#config.steps - step)) / rate + this.#evalsAfter(step) * this.#evalMs);
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
    const began = performance.now();
    const { prompts, seed } = this.#config;
    const result = await evaluate(embedder, this.#task!, {
      ...evaluationPrompts(this.#task!, prompts),
      seed,
      signal: this.stop.signal,
      onProgress: () => {
        if (performance.now() - this.#statusAt >= STATUS_MS) this.#write({});
      },
    });
    this.#evalMs = performance.now() - began;
    this.#metrics!.append({
      kind: "eval",
      step,
      metric: result.metric,
      score: result.score,
      low: result.interval.low,
      high: result.interval.high,
      n: result.n,
      seed: result.seed,
      task: result.task,
    });
    this.#remember(step, result.score);
    for (const warning of step === 0 ? result.report.warnings : []) this.#log(warning);
    this.#log(
      `step ${step}: ${result.task} ${result.metric} ×100 ${(100 * result.score).toFixed(2)} [${(100 * result.interval.low).toFixed(2)}, ${(100 * result.interval.high).toFixed(2)}], n = ${result.n}, ${duration(this.#evalMs)}`,
    );
    // The pace of steps is measured without evaluations.
    this.#ends = [];
  }

  #remember(step: number, score: number): void {
    this.#evals.push(step);
    if (step > 0 && score > (this.#best?.score ?? Number.NEGATIVE_INFINITY)) this.#best = { step, score };
  }

  #checkpoint(step: number): void {
    this.#metrics!.sync();
    const score = this.#best?.step === step ? this.#best.score : null;
    writeCheckpoint(this.#folder, this.#engine!.memory, { step, seed: this.#config.seed, score });
    const best =
      this.#best !== null && checkpointSteps(this.#folder).includes(this.#best.step) ? this.#best.step : null;
    pruneCheckpoints(this.#folder, best);
    this.#write({ lastCheckpoint: step });
  }

  /** Export, and the score of what was exported. Either may be found done by a resumed run. */
  async #finish(): Promise<void> {
    const { steps } = this.#config;
    const scored = this.#evals.includes(steps);
    if (!scored || !hasExport(this.#folder))
      await exportRun(this.#folder, this.#config, this.#engine!, async (embedder) => {
        if (this.#task !== null && !scored) await this.#evaluate(steps, embedder);
        this.#metrics!.sync();
        return readMetrics(this.#folder);
      });
    this.#log(`done: ${steps} steps in ${duration(this.#elapsedBefore + performance.now() - this.#startedAt)}`);
    this.#write({ state: "done", step: steps });
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
    logLine(this.#folder, line);
  }
}

/** What a resumed run takes over from the status that it finds. */
function previous(folder: string): Partial<RunStatus> {
  const { startedAt, step, lastCheckpoint, estimate } = readStatus(folder);
  return { startedAt, step, lastCheckpoint, ...(estimate === undefined ? {} : { estimate }) };
}

/** Anchors are what people ask with: their prompt goes to queries, the positives' prompt to documents. */
function evaluationPrompts(task: Task, { anchor, positive }: RunConfig["prompts"]): { prompts?: PromptSpec } {
  const template = (prompt: string) => (prompt === "" ? "{text}" : prompt);
  if (anchor === "" && positive === "") return {};
  return task.type === "retrieval"
    ? { prompts: { query: template(anchor), document: template(positive) } }
    : { prompts: { text: template(anchor) } };
}

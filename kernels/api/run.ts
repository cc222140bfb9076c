/** Fine-tune runs: `openRun`, `listRuns`, `resumeRun`, `stopRun`, and what a finished one gives. */
import path from "node:path";
import { tableBundle } from "../data/table-view.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { fromErrorData, ParallaxError } from "../protocol/errors.ts";
import type { RunConfig, RunMetric, RunStatus, RunSummary } from "../protocol/run-files.ts";
import { exportFolder, hasExport } from "../train/export.ts";
import { readMetrics } from "../train/metrics-file.ts";
import { findRuns, listRuns as listFolders, readRun } from "../train/run-folder.ts";
import { describeRun, duration, type EvalMetric, isEval, isStep, runBundle } from "../train/run-view.ts";
import { type StopHow, startTrainer, stopRun as stopTrainer } from "../train/start.ts";
import { watchRun } from "../train/watch.ts";
import { currentContext } from "./context.ts";
import { type Encoder, loadEncoder } from "./encoder.ts";

/** A score of the encoder before, in or after training. */
export interface RunScore {
  task: string;
  metric: string;
  /** In [0, 1] (Spearman: [-1, 1]). */
  score: number;
  /** 95 % bootstrap interval. */
  low: number;
  high: number;
  n: number;
  seed: number;
  step: number;
}

/** A fine-tune that has done all its steps. */
export interface FineTuneResult extends Displayable {
  readonly name: string;
  readonly folder: string;
  /** A sentence-transformers folder, for `loadEncoder` and for Python. */
  readonly exportFolder: string;
  /** Steps made; fewer than asked for when patience ran out. */
  readonly steps: number;
  /** The step whose weights are exported: the last one, or the best. */
  readonly exportedStep: number;
  /** Score before and after on the (first) task, null without an evaluation. */
  readonly base: RunScore | null;
  readonly final: RunScore | null;
  /** The same for every task. */
  readonly scores: readonly { readonly base: RunScore; readonly final: RunScore }[];
  /** Nats, of the first and the last step's batch. */
  readonly lossFirst: number;
  readonly lossLast: number;
  /** Pairs trained on. */
  readonly n: number;
  readonly seed: number;
  /** The trained encoder, loaded once. */
  encoder(): Promise<Encoder>;
}

/** A run as it was when it was opened. */
export interface Run extends Displayable {
  readonly folder: string;
  readonly config: RunConfig;
  readonly status: RunStatus;
  /** True when a trainer works on it now. */
  readonly alive: boolean;
  readonly metrics: readonly RunMetric[];
  /** What it gave; null while it is not done. */
  readonly result: FineTuneResult | null;
}

const DISPLAY_MS = 1000;

/**
 * A run folder, running or not.
 * @param folder relative to the notebook.
 * @throws {ParallaxError} run.missing, run.damaged, run.other-version
 */
export async function openRun(folder: string): Promise<Run> {
  const run = readRun(absolute(folder));
  const metrics = readMetrics(run.folder);
  return {
    ...run,
    metrics,
    result: run.status.state === "done" && hasExport(run.folder) ? resultOf(run, metrics) : null,
    [DISPLAY]: () => runBundle(run, metrics, relative(run.folder)),
  };
}

/** The runs in a folder, newest first, and the folders that cannot be read. */
export interface RunTable extends Displayable {
  readonly runs: readonly RunSummary[];
  readonly problems: readonly { folder: string; error: ParallaxError }[];
}

/** @param folder default "runs" beside the notebook. A folder that is not there holds none. */
export async function listRuns(folder = "runs"): Promise<RunTable> {
  const where = absolute(folder);
  const list = listFolders(where);
  return { ...list, [DISPLAY]: () => tableBundle(runTable(where, list)) };
}

/** All runs in a folder and below it, newest first, as plain data. */
export function listRunsBelow(folder: string): RunSummary[] {
  return findRuns(absolute(folder));
}

/**
 * Go on with a run that was stopped or killed, from its last checkpoint, and wait for its end as fineTune does.
 * @throws {ParallaxError} run.missing, run.finished, train.already-running, train.not-started, and what ended the run.
 */
export async function resumeRun(folder: string): Promise<FineTuneResult> {
  const where = absolute(folder);
  await startTrainer(where);
  currentContext().runStarted(where);
  return followRun(where);
}

/**
 * Stop a run: after the step it is in, keeping a checkpoint (default), or "now".
 * @throws {ParallaxError} run.missing
 */
export async function stopRun(folder: string, how: StopHow = "after-step"): Promise<Run> {
  const run = await stopTrainer(absolute(folder), how);
  return openRun(run.folder);
}

/**
 * Show a running fine-tune in the cell, with its progress, until it ends.
 *
 * Stopping the cell stops the run after its step, with a checkpoint. The run itself lives in its own process: when this
 * process dies, it goes on.
 * @param options show: false shows progress alone; stage: what the progress is called.
 * @throws {ParallaxError} train.stopped (kind cancelled) says how to resume; what the trainer failed with.
 */
export async function followRun(
  folder: string,
  { show = true, stage }: { show?: boolean; stage?: string } = {},
): Promise<FineTuneResult> {
  const context = currentContext();
  const jobId = `run-${folder}`;
  const displayId = `run-${folder}-${Date.now()}`;
  const metrics: RunMetric[] = [];
  let run = readRun(folder);
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown = false;
  let drawing: Promise<void> = Promise.resolve();
  const draw = (final = false) => {
    const now = performance.now();
    if (!show || (!final && now - shownAt < DISPLAY_MS)) return;
    shownAt = now;
    // One after the other: an older picture never replaces a newer one.
    drawing = drawing.then(async () => {
      context.display(await runBundle(run, metrics, relative(folder)), { displayId, update: shown });
      shown = true;
    });
  };
  let failure: unknown;
  // A stop that cannot be asked for (a full disk) must not look like one: the cell says so, and the run goes on.
  const onAbort = () => {
    stopTrainer(folder, "after-step").catch((error: unknown) => {
      failure = error;
    });
  };
  const watching = watchRun(
    folder,
    (update) => {
      run = update.run;
      if (update.reset) metrics.length = 0;
      metrics.push(...update.metrics);
      const { status } = run;
      const last = metrics.findLast(isStep);
      context.progress(jobId, {
        stage: stage ?? `Fine-tuning ${run.config.name}`,
        done: status.step,
        total: status.steps,
        unit: "steps",
        ...(status.rate === null ? {} : { rate: status.rate }),
        ...(status.etaMs === null ? {} : { etaMs: status.etaMs }),
        note:
          status.state === "stopping" ? "stopping" : last === undefined ? "measuring" : `loss ${last.loss.toFixed(3)}`,
      });
      draw();
    },
    (error) => {
      failure = error;
    },
  );
  if (context.signal.aborted) onAbort();
  else context.signal.addEventListener("abort", onAbort, { once: true });
  try {
    // The watch keeps no process alive, this does.
    while (run.alive && failure === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (!run.alive || performance.now() - shownAt > DISPLAY_MS) watching.check();
    }
  } finally {
    watching.check();
    watching.stop();
    context.signal.removeEventListener("abort", onAbort);
    context.progress(jobId, { finished: true });
    draw(true);
    await drawing;
  }
  if (failure !== undefined) throw failure;
  return outcome(run, metrics);
}

function outcome(run: RunSummary, metrics: readonly RunMetric[]): FineTuneResult {
  const { status, config, folder } = run;
  if (status.state === "done") return resultOf(run, metrics);
  const resume = `Resume with resumeRun(${JSON.stringify(relative(folder) ?? folder)}).`;
  if (status.error !== null) throw fromErrorData({ ...status.error, details: { ...status.error.details, folder } });
  throw new ParallaxError(
    "train.stopped",
    `The fine-tune ${config.name} was stopped at step ${status.step} of ${status.steps}. ${status.lastCheckpoint === null ? "No checkpoint was written yet." : `Checkpoint ${status.lastCheckpoint} is kept.`}`,
    { kind: "cancelled", hint: resume, details: { folder, step: status.step, lastCheckpoint: status.lastCheckpoint } },
  );
}

function resultOf(run: RunSummary, metrics: readonly RunMetric[]): FineTuneResult {
  const { config, folder } = run;
  const losses = metrics.filter(isStep).map(({ loss }) => loss);
  const evals = metrics.filter(isEval);
  const { exportedStep } = run.status;
  const scores = taskScores(evals, exportedStep ?? config.steps);
  const { base, final } = scores[0] ?? { base: null, final: null };
  const out = exportFolder(folder);
  return {
    name: config.name,
    folder,
    exportFolder: out,
    steps: run.status.step,
    exportedStep: exportedStep ?? config.steps,
    base: base === null ? null : scoreOf(base),
    final: final === null ? null : scoreOf(final),
    scores: scores.map((score) => ({ base: scoreOf(score.base), final: scoreOf(score.final) })),
    lossFirst: losses[0] ?? Number.NaN,
    lossLast: losses.at(-1) ?? Number.NaN,
    n: config.data.n,
    seed: config.seed,
    encoder: () => loadEncoder(out, { name: config.name }),
    [DISPLAY]: () => resultBundle(run, metrics, scores),
  };
}

function scoreOf({ task, metric, score, low, high, n, seed, step }: EvalMetric): RunScore {
  return { task, metric, score, low, high, n, seed, step };
}

interface TaskScore {
  base: EvalMetric;
  final: EvalMetric;
}

/** Before and after, of each task in the order of the run. */
function taskScores(evals: readonly EvalMetric[], exportedStep: number): TaskScore[] {
  return evals
    .filter(({ step }) => step === 0)
    .flatMap((base) => {
      const final = evals.find(({ step, task }) => step === exportedStep && task === base.task);
      return final === undefined ? [] : [{ base, final }];
    });
}

/** Scores before and after; the curves stand above it, where they moved. */
function resultBundle(run: RunSummary, metrics: readonly RunMetric[], scores: readonly TaskScore[]): MimeBundle {
  const { config, folder } = run;
  const losses = metrics.filter(isStep);
  const notes = [
    `${run.status.step}${run.status.step < config.steps ? ` of ${config.steps}` : ""} steps of ${config.batchSize} on ${config.data.n} pairs (${config.data.source}), loss ${losses[0]?.loss.toFixed(3) ?? "?"} → ${losses.at(-1)?.loss.toFixed(3) ?? "?"} nats, seed ${config.seed}, ${duration(losses.at(-1)?.elapsedMs ?? 0)}.`,
    `Exported to ${relative(exportFolder(folder)) ?? exportFolder(folder)}.`,
  ];
  const [first] = scores;
  if (first === undefined) return { [MIME.plain]: describeRun(run, metrics) };
  const several = scores.length > 1;
  const number = (name: string) => ({ name, kind: "number" as const, decimals: 2, unit: "×100" });
  const row = (encoder: string, { task, metric, score, low, high }: EvalMetric) => [
    encoder,
    ...(several ? [task, metric] : []),
    100 * score,
    100 * low,
    100 * high,
  ];
  const best = config.keep === "best" ? ", the best" : "";
  const rows = scores.flatMap(({ base, final }) => [
    row(`base (${config.encoder.name})`, base),
    row(`fine-tuned (step ${final.step}${best})`, final),
  ]);
  const text = (name: string) => ({ name, kind: "text" as const });
  return tableBundle({
    version: 1,
    title: several ? config.name : `${config.name}: ${first.final.task}`,
    columns: [
      text("encoder"),
      ...(several ? [text("task"), text("metric")] : []),
      number(several ? "score" : first.final.metric),
      number("95 % low"),
      number("95 % high"),
    ],
    rows,
    total: rows.length,
    notes: [
      ...scores.map(({ base, final }) => {
        const difference = 100 * (final.score - base.score);
        const what = several ? `On ${final.task} the score` : "The score";
        return `${what} ${difference >= 0 ? "rose" : "fell"} by ${Math.abs(difference).toFixed(2)}; n = ${final.n}, seed ${final.seed}.`;
      }),
      ...(best === ""
        ? []
        : [`The exported step was chosen by its score on ${first.final.task}; measure it on texts that had no say.`]),
      ...notes,
    ],
  });
}

function runTable(where: string, { runs, problems }: Omit<RunTable, typeof DISPLAY>): TableView {
  const text = (name: string) => ({ name, kind: "text" as const });
  return {
    version: 1,
    title: `Runs in ${relative(where) ?? where}`,
    columns: [
      text("name"),
      text("state"),
      { name: "step", kind: "number" },
      { name: "steps", kind: "number" },
      text("made"),
      text("encoder"),
      { name: "pairs", kind: "number" },
      text("folder"),
    ],
    rows: runs.map(({ folder, config, status }) => [
      config.name,
      status.state,
      status.step,
      status.steps,
      config.createdAt.slice(0, 16).replace("T", " "),
      config.encoder.name,
      config.data.n,
      path.relative(where, folder),
    ]),
    total: runs.length,
    notes: [
      ...(runs.length === 0 ? ["No runs yet."] : []),
      ...problems.map(({ folder, error }) => `${path.basename(folder)}: ${error.message}`),
    ],
  };
}

function absolute(folder: string): string {
  return path.resolve(currentContext().workingFolder, folder);
}

/** Seen from the notebook, when the folder lies below it. */
function relative(folder: string): string | undefined {
  const way = path.relative(currentContext().workingFolder, folder);
  return way === "" || way.startsWith("..") || path.isAbsolute(way) ? undefined : way.split(path.sep).join("/");
}

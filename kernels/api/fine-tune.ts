/** `fineTune`: trains an encoder on pairs in a process of its own, shown while it happens. */
import path from "node:path";
import { loadTask, type Task, type TaskFile } from "../data/task.ts";
import { Encoder } from "../encode/encoder.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { readSpec } from "../encode/read-spec.ts";
import { resolveReference } from "../encode/reference.ts";
import { findLeaks, leakSentence } from "../mining/leaks.ts";
import { newRun } from "../train/new-run.ts";
import type { PairColumns } from "../train/read-rows.ts";
import type { RecipeOptions } from "../train/recipe.ts";
import { logLine } from "../train/run-folder.ts";
import { startTrainer } from "../train/start.ts";
import { currentContext } from "./context.ts";
import { withoutRows } from "./mining.ts";
import { type FineTuneResult, followRun } from "./run.ts";
import { type RowSource, readSource } from "./training-rows.ts";

export { type Pair, pairsByLabel } from "../train/pairs.ts";
export type { PairColumns } from "../train/read-rows.ts";
export type { FineTuneResult } from "./run.ts";

type EvaluationLike = Task | TaskFile | string;

export interface FineTuneOptions extends RecipeOptions {
  /**
   * What belongs together: { anchor, positive, negatives?, score?, group?, task? } objects, [anchor, positive] arrays, a
   * Table, or a file that readTable takes. Two pairs of one `group` never share a batch. docs/training-data.md has all
   * layouts.
   */
  pairs: RowSource;
  /** Columns (or fields) by what they hold. Default: customary names, anchor and positive, sentence1 and sentence2, … */
  columns?: PairColumns | undefined;
  /** A row that cannot be trained on stops everything ("refuse", default), or is left out and noted. */
  badRows?: "refuse" | "drop" | undefined;
  /** True leaves rows out that share a text with the evaluation. Default: they are counted, and the log warns of them. */
  dropLeaks?: boolean | undefined;
  /** Where the pairs came from, for the model card. Default: the table's or the file's name. */
  source?: string | undefined;
  /** What to train: loaded, or a reference for loadEncoder. Default "default". */
  encoder?: Encoder | string | undefined;
  /**
   * Scored before, during and after: a task, or what loadTask takes, or several of them. The first one's main score says
   * which step is best. They must not share texts with the pairs.
   */
  evaluation?: EvaluationLike | readonly EvaluationLike[] | undefined;
  /** Exact place of the run folder. Default: a new folder in `runs`. */
  folder?: string | undefined;
  /** Where new run folders go. Default "runs" beside the notebook. */
  runs?: string | undefined;
}

/**
 * Fine-tune an encoder with InfoNCE over in-batch negatives: each anchor has to find its positive among the positives of
 * the whole batch. An untrained encoder has the loss ln(batchSize).
 *
 * The run trains in a process of its own and is a folder: it goes on when the notebook closes, can be stopped (this cell's
 * Stop keeps a checkpoint), killed and resumed (`resumeRun`) to the same numbers. What it will take is measured first.
 *
 * @returns folder, exportFolder, scores before and after, losses, `encoder()`.
 * @throws {ParallaxError} train.* for options, pairs, memory; table.*, task.*, encoder.*; train.not-finite or
 *   train.diverged when training failed; train.stopped (kind cancelled) when it was stopped.
 *
 * @example
 * const tuned = await fineTune({ pairs: [{ anchor: "how do I pay", positive: "payment help" }, …], evaluation: task });
 * const vectors = await encode(texts, { encoder: await tuned.encoder() });
 */
export async function fineTune(options: FineTuneOptions): Promise<FineTuneResult> {
  const { folder } = await createFineTune(options);
  await startTrainer(folder);
  currentContext().runStarted(folder);
  return followRun(folder);
}

/**
 * The same without starting it: a run folder for `resumeRun`, or for a trainer elsewhere.
 * @returns also sentences to read first (duplicates, memory), and the memory that training will need, in bytes.
 */
export async function createFineTune(
  options: FineTuneOptions,
): Promise<{ folder: string; notes: string[]; memoryBytes: number }> {
  const { pairs, columns, badRows, dropLeaks, source, encoder, evaluation, folder, runs, ...recipe } = options;
  const { workingFolder, signal } = currentContext();
  const resolve = (file: string) => path.resolve(workingFolder, file);
  const { read, source: found } = await readSource(pairs, { columns, badRows });
  const asked = evaluation === undefined ? [] : Array.isArray(evaluation) ? evaluation : [evaluation as EvaluationLike];
  const tasks: Task[] = [];
  for (const task of asked as readonly EvaluationLike[])
    tasks.push(await loadTask(typeof task === "string" ? resolve(task) : task, { base: workingFolder, signal }));
  // Documents of a retrieval task are there to be found, and training on some of them is no leak.
  const leaks = findLeaks(read.rows, tasks, { documents: false });
  const rows = dropLeaks === true ? withoutRows(read.rows, leaks.leakingRows) : read.rows;
  const made = await newRun({
    rows,
    source: source ?? found,
    spec: await specOf(encoder, workingFolder),
    evaluation: tasks,
    recipe,
    where: folder === undefined ? { runs: resolve(runs ?? "runs") } : { folder: resolve(folder) },
  });
  const leakNote =
    dropLeaks === true && leaks.leaking > 0
      ? `${leaks.leaking} of ${leaks.rows} rows were dropped: they share a text with the evaluation.`
      : leakSentence(leaks);
  if (leakNote !== null) logLine(made.folder, `warning: ${leakNote}`);
  return {
    folder: made.folder,
    memoryBytes: made.memoryBytes,
    notes: [
      ...read.notes,
      ...(leakNote === null ? [] : [leakNote]),
      ...made.report.warnings,
      `${made.config.steps} steps of ${made.config.batchSize} pairs; about ${(made.memoryBytes / 1e9).toFixed(1)} GB for texts of ${made.config.maxTokens} tokens.`,
    ],
  };
}

async function specOf(encoder: Encoder | string | undefined, workingFolder: string): Promise<EncoderSpec> {
  if (encoder instanceof Encoder) return encoder.spec;
  const reference = encoder ?? "default";
  return readSpec(resolveReference(reference, workingFolder));
}

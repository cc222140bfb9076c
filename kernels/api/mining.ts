/** `mineNegatives`, `filterConsistent`, `scoreRows`, `findLeaks`, `removeLeaks`: making and judging training data. */
import path from "node:path";
import { loadTask, type Task, type TaskFile } from "../data/task.ts";
import type { Encoder } from "../encode/encoder.ts";
import { readPrompt } from "../encode/prompt-template.ts";
import { defaultCompute } from "../graph/compute.ts";
import { type FilterReport, filterConsistent as filterRows } from "../mining/consistency.ts";
import { findLeaks as findLeakingRows, type LeakReport } from "../mining/leaks.ts";
import { type MiningReport, mineNegatives as mineRows } from "../mining/mine.ts";
import { type ScoreReport, scoreRows as scoreRowsWith } from "../mining/score.ts";
import type { SidePrompts } from "../mining/sides.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { ReadRowsOptions } from "../train/read-rows.ts";
import type { TrainingRow } from "../train/rows.ts";
import { currentContext, withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";
import { filterView, leaksView, miningView, scoresView } from "./mining-view.ts";
import { LeaksFound, RowsMade } from "./rows-made.ts";
import { type RowSource, readSource } from "./training-rows.ts";

export type { FilterReport } from "../mining/consistency.ts";
export type { LeakReport } from "../mining/leaks.ts";
export type { MiningReport } from "../mining/mine.ts";
export type { ScoreReport } from "../mining/score.ts";
export { LeaksFound, RowsMade } from "./rows-made.ts";

interface Common extends WorkContext, ReadRowsOptions {
  /** Rows, a table, a file, or what another of these calls made. */
  rows: RowSource;
  /** A loaded encoder, or a reference for loadEncoder. Default: the default encoder. */
  encoder?: EncoderLike | undefined;
  /**
   * Templates with {text}, or names of the encoder's prompts, for anchors and for all other texts. Default: the encoder's
   * own for queries and documents. Rows with instructions of their own keep them.
   */
  prompts?: { anchor?: string | undefined; positive?: string | undefined } | undefined;
}

export interface MineNegativesOptions extends Common {
  /** Texts that negatives may come from. Default: the positives of the rows. */
  corpus?: readonly string[] | undefined;
  /** Negatives a row gets, beside those it has. Default 1. */
  negatives?: number | undefined;
  /** Ranks that are looked at, 1 for the nearest, both included. Default [1, 200]. */
  ranks?: readonly [from: number, to: number] | undefined;
  /** A negative's cosine must be this much below the positive's. Default: no such rule. */
  margin?: number | undefined;
  /** Positive-aware: a negative's cosine stays below (1 − this) of the positive's. Default 0.05; null for no such rule. */
  relativeMargin?: number | null | undefined;
  /** The nearest that are left ("top"), or a draw among them ("random", default). */
  sample?: "top" | "random" | undefined;
  /** Rows that get fewer negatives: "drop" (default), "keep" with what they got, "fill" with random texts. */
  short?: "drop" | "keep" | "fill" | undefined;
  /** Of the draws. Default 0. */
  seed?: number | undefined;
}

/**
 * Mine hard negatives: texts that the encoder finds near an anchor though they are not its answer. The anchor itself, its
 * positives in any row and texts of its group are never negatives of it.
 *
 * @returns rows with `negatives`, and a report: how many were passed over by which rule, rows without enough, examples.
 * @throws {ParallaxError} mining.bad-option, mining.too-few-candidates, train.*, table.*
 * @throws {CancelledError} when the cell is stopped
 * Cost: encoding every text once, then anchors · candidates · dimensions multiplications.
 *
 * @example const mined = await mineNegatives({ rows: "pairs.tsv", negatives: 3, ranks: [1, 50], sample: "top" });
 */
export async function mineNegatives(options: MineNegativesOptions): Promise<RowsMade<MiningReport>> {
  const { corpus = null, negatives = 1, ranks = [1, 200], margin = null, relativeMargin = 0.05 } = options;
  const { sample = "random", short = "drop", seed = 0 } = options;
  return withRows(options, async (given) => {
    const made = await mineRows({
      ...given,
      compute: defaultCompute(),
      corpus,
      negatives,
      ranks,
      margin,
      relativeMargin,
      sample,
      short,
      seed,
    });
    return new RowsMade(made.rows, made.report, miningView(made.report));
  });
}

export interface FilterConsistentOptions extends Common {
  /** How many random positives of the rows each pair is ranked against, or texts. Default 10,000. */
  pool?: number | readonly string[] | undefined;
  /** Kept: pairs whose positive is among the nearest k. Default 2. */
  k?: number | undefined;
  /** Of the pool's draw. Default 0. */
  seed?: number | undefined;
}

/**
 * Keep the pairs that an encoder finds again: the positive must rank among the k nearest of a pool of random positives
 * (the consistency filter of E5). Use an encoder that has seen a little of the noisy pairs, or a good general one.
 *
 * @returns the kept rows, and a report: ranks, what was dropped, examples with the nearer text.
 * @throws {ParallaxError} mining.bad-option, train.*, table.*
 * @throws {CancelledError} when the cell is stopped
 *
 * @example const clean = await filterConsistent({ rows: "scraped.jsonl", pool: 10_000, k: 2 });
 */
export async function filterConsistent(options: FilterConsistentOptions): Promise<RowsMade<FilterReport>> {
  const { pool = 10_000, k = 2, seed = 0 } = options;
  return withRows(options, async (given) => {
    const made = await filterRows({ ...given, compute: defaultCompute(), pool, k, seed });
    return new RowsMade(made.rows, made.report, filterView(made.report));
  });
}

/**
 * Fill `scores` of every row with a teacher's cosines, the positive's first, for the losses distillation and margin-MSE.
 *
 * @returns rows with scores, and a report: means, rows in which a negative scores above the positive.
 * @throws {ParallaxError} train.*, table.*
 * @throws {CancelledError} when the cell is stopped
 *
 * @example const scored = await scoreRows({ rows: mined, encoder: "BAAI/bge-large-en-v1.5" });
 */
export async function scoreRows(options: Common): Promise<RowsMade<ScoreReport>> {
  return withRows(options, async (given) => {
    const made = await scoreRowsWith(given);
    return new RowsMade(made.rows, made.report, scoresView(made.report));
  });
}

/** Tasks, or what loadTask takes. */
export type Tasks = Task | TaskFile | string | readonly (Task | TaskFile | string)[];

export interface LeakOptions extends ReadRowsOptions {
  /** Documents of retrieval tasks count, too. Default true. */
  documents?: boolean | undefined;
}

/**
 * Which rows share a text with evaluation tasks. Texts are compared by their letters and digits alone, in lower case.
 *
 * @returns how many texts of each task are shared, rows, examples; it shows itself.
 * @throws {ParallaxError} train.*, table.*, task.*
 *
 * @example await findLeaks("train.tsv", ["stsbenchmark-test.tsv", "scifact"])
 */
export async function findLeaks(rows: RowSource, tasks: Tasks, options: LeakOptions = {}): Promise<LeaksFound> {
  const { read } = await readSource(rows, options);
  const report = findLeakingRows(read.rows, await loadTasks(tasks), options);
  return new LeaksFound(report, leaksView(report));
}

/**
 * The rows that share no text with the tasks.
 * @returns rows, and the report of what was found and left out.
 * @throws {ParallaxError} as findLeaks
 */
export async function removeLeaks(
  rows: RowSource,
  tasks: Tasks,
  options: LeakOptions = {},
): Promise<RowsMade<LeakReport>> {
  const { read } = await readSource(rows, options);
  const report = findLeakingRows(read.rows, await loadTasks(tasks), options);
  return new RowsMade(withoutRows(read.rows, report.leakingRows), report, leaksView(report));
}

/** Rows without those of some numbers. */
export function withoutRows(rows: readonly TrainingRow[], numbers: readonly number[]): TrainingRow[] {
  const left = new Set(numbers);
  return rows.filter((_, i) => !left.has(i));
}

async function loadTasks(tasks: Tasks): Promise<Task[]> {
  const { workingFolder, signal } = currentContext();
  const list = (Array.isArray(tasks) ? tasks : [tasks]) as readonly (Task | TaskFile | string)[];
  const loaded: Task[] = [];
  for (const task of list)
    loaded.push(
      await loadTask(typeof task === "string" ? path.resolve(workingFolder, task) : task, {
        base: workingFolder,
        signal,
      }),
    );
  return loaded;
}

async function withRows<T>(
  { rows, columns, badRows, encoder, prompts, signal, onProgress }: Common,
  work: (given: {
    rows: readonly TrainingRow[];
    encoder: Encoder;
    prompts: SidePrompts;
    signal: AbortSignal;
    onProgress: NonNullable<WorkContext["onProgress"]>;
  }) => Promise<T>,
): Promise<T> {
  const { read } = await readSource(rows, { columns, badRows });
  const model = await resolveEncoder(encoder);
  const { prompts: known, roles } = model.spec;
  const sides = {
    anchor: readPrompt(prompts?.anchor, known, roles.query).template,
    positive: readPrompt(prompts?.positive, known, roles.document).template,
  };
  return withJob({ signal, onProgress }, (context) =>
    work({ rows: read.rows, encoder: model, prompts: sides, ...context }),
  );
}

/**
 * Which rows a step sees. A plan follows from (rows, options) alone, so a resumed run finds its place from the step number.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { LOSS_NEEDS, type Loss } from "../protocol/losses.ts";
import { EpochPlan, type PlanKeys } from "./epoch-plan.ts";
import { Random } from "./prng.ts";
import type { TrainingRow } from "./rows.ts";
import { textKey } from "./text-key.ts";

export interface Batch {
  /** Row numbers, [b]. */
  rows: Uint32Array;
  /** 0 for the first pass over the data. */
  epoch: number;
  /** Passes over the data when this batch is done, e.g. 1.5. */
  progress: number;
}

export interface BatchOptions {
  batchSize: number;
  seed: number;
  /** A batch holds rows of one `task`, drawn with p ∝ size^exponent. Default: tasks are mixed. */
  tasks?: { apart: boolean; exponent: number } | undefined;
  /** What the loss makes of other rows' texts decides what may share a batch. Default: all of them are negatives. */
  loss?: Loss | undefined;
  /** Hard negatives that a step reads of each row. Default: all. */
  negatives?: number | undefined;
}

/**
 * What rows of one batch may have in common.
 *
 * "different": no text twice, negatives included, and no group twice. "masked": the loss leaves a text out that equals the
 * row's positive, so a row's negative may be another row's positive or negative, but no row's anchor. "any": rows do not
 * see each other.
 */
export type BatchRule = "different" | "masked" | "any";

/** The rule that a loss needs. */
export function batchRule(loss: Loss | undefined): BatchRule {
  if (loss === undefined) return "different";
  if (!LOSS_NEEDS[loss.name].inBatch) return "any";
  return loss.name === "info-nce" && loss.falseNegatives.rule !== "keep" ? "masked" : "different";
}

/**
 * Each epoch is a fresh permutation of the rows (Random(seed, "epoch", e)). A batch takes the first rows still waiting in
 * it that share no text and no group with those it holds (BatchRule); the others wait for a later batch. Rows that fill no
 * batch at the end of an epoch are left out of that epoch.
 *
 * With `tasks.apart` each task has a plan of its own. Exponent 1: an epoch is all batches of all tasks in random order.
 * Any other: as many batches, each of a task drawn with p ∝ size^exponent (GTE: 0.5), so small tasks are seen several
 * times and large ones in part. Tasks that fill no batch are left out.
 *
 * Cost: numbering the texts is O(n), some 20 s for a million rows; planning an epoch O(n log n), some 2 s; memory is n + texts numbers.
 */
export class BatchPlan {
  readonly #plans: EpochPlan[];
  readonly #sizes: number[];
  readonly #options: BatchOptions;
  readonly #n: number;
  /** First batch (from 0) of each known epoch, in all and of each task. */
  readonly #starts: number[] = [0];
  readonly #taskStarts: number[][];
  #epoch = -1;
  /** The task of each batch of the epoch at hand, and its number among the task's. */
  #order: { task: number; index: number }[] = [];

  constructor(rows: readonly TrainingRow[], options: BatchOptions) {
    this.#options = options;
    this.#n = rows.length;
    const rule = batchRule(options.loss);
    const most = options.negatives ?? Number.POSITIVE_INFINITY;
    const keys = planKeys(rows, rule, options.loss?.name === "gte" ? 0 : most);
    const tasks = options.tasks?.apart === true ? byTask(rows) : new Map<string, number[] | null>([["", null]]);
    const plans = [...tasks].map(
      ([task, numbers]) =>
        new EpochPlan(keys, {
          rows: numbers,
          batchSize: options.batchSize,
          random: (epoch) =>
            tasks.size === 1
              ? new Random(options.seed, "epoch", epoch)
              : new Random(options.seed, "task", task, "epoch", epoch),
        }),
    );
    // Of several tasks those that fill no batch are left out; a single one says so when it is asked.
    this.#plans = plans.length === 1 ? plans : plans.filter((plan) => plan.batchesIn(0) > 0);
    this.#sizes = this.#plans.map((plan) => plan.n);
    this.#taskStarts = [this.#plans.map(() => 0)];
  }

  /** Batches of the first epoch: what "one epoch" means in steps. */
  get batchesPerEpoch(): number {
    this.#planTo(0);
    return this.#starts[1]!;
  }

  /**
   * The batch of a step, 1 for the first.
   * @throws {ParallaxError} train.no-batch when the rows fill no batch.
   * Cost: nothing while steps go up within an epoch; the epochs before are planned again when they go down.
   */
  at(step: number): Batch {
    const index = step - 1;
    let epoch = 0;
    for (; ; epoch++) {
      if (this.#starts.length <= epoch + 1) this.#planTo(epoch);
      if (this.#starts[epoch + 1]! > index) break;
    }
    this.#planTo(epoch);
    const within = index - this.#starts[epoch]!;
    const { task, index: ofTask } = this.#order[within]!;
    return {
      rows: this.#plans[task]!.batch(ofTask),
      epoch,
      progress: epoch + (within + 1) / this.#order.length,
    };
  }

  #planTo(epoch: number): void {
    if (this.#epoch === epoch) return;
    const before = this.#taskStarts[epoch]!;
    const counts = [...before];
    this.#order = this.#tasksOf(epoch).map((task) => ({ task, index: counts[task]!++ }));
    this.#epoch = epoch;
    if (this.#order.length === 0) throw this.#noBatch();
    this.#starts[epoch + 1] = this.#starts[epoch]! + this.#order.length;
    this.#taskStarts[epoch + 1] = counts;
  }

  /** The task of each batch of an epoch. */
  #tasksOf(epoch: number): number[] {
    const { seed, tasks } = this.#options;
    const exponent = tasks?.exponent ?? 1;
    if (this.#plans.length === 1) return new Array<number>(this.#plans[0]!.batchesIn(epoch)).fill(0);
    const random = new Random(seed, "tasks", epoch);
    if (exponent === 1) {
      const list = this.#plans.flatMap((plan, task) => new Array<number>(plan.batchesIn(epoch)).fill(task));
      return [...random.permutation(list.length)].map((at) => list[at]!);
    }
    const slots = this.#plans.reduce((sum, plan) => sum + plan.batchesIn(0), 0);
    let total = 0;
    // Sizes relative to the largest: no power of them overflows.
    const largest = Math.max(...this.#sizes);
    const ends = this.#sizes.map((size) => {
      total += (size / largest) ** exponent;
      return total;
    });
    return Array.from({ length: slots }, () => {
      const draw = random.unit() * total;
      return Math.min(
        ends.length - 1,
        ends.findIndex((end) => draw < end),
      );
    });
  }

  #noBatch(): ParallaxError {
    const { batchSize, tasks } = this.#options;
    return new ParallaxError(
      "train.no-batch",
      `No batch of ${batchSize} pairs with different texts and groups${tasks?.apart === true ? ", all of one task," : ""} can be made from these ${this.#n} pairs.`,
      {
        hint: "Use a smaller batchSize, or add pairs.",
        details: { pairs: this.#n, batchSize },
      },
    );
  }
}

function byTask(rows: readonly TrainingRow[]): Map<string, number[] | null> {
  const tasks = new Map<string, number[]>();
  rows.forEach(({ task = "" }, i) => {
    const known = tasks.get(task);
    if (known === undefined) tasks.set(task, [i]);
    else known.push(i);
  });
  return tasks;
}

/**
 * Texts and groups as small numbers: comparing them is what planning does. Each row has exclusive keys (no other row of a
 * batch has them at all) and shared ones (other rows may share them, but not have them exclusively).
 */
function planKeys(rows: readonly TrainingRow[], rule: BatchRule, negatives: number): PlanKeys {
  const starts = new Uint32Array(rows.length + 1);
  const keys: number[] = [];
  if (rule === "any") return { starts, keys: new Int32Array(0) };
  let last = 0;
  const numberIn = (numbers: Map<string, number>, key: string) => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, ++last);
    return last;
  };
  // As an anchor a text has a second key, which negatives share among themselves when the loss masks equal texts.
  const texts = new Map<string, number>();
  const anchors = new Map<string, number>();
  const groups = new Map<string, number>();
  rows.forEach((row, i) => {
    const own = new Set<number>();
    const shared = new Set<number>();
    const anchor = textKey(row.anchor);
    own.add(numberIn(texts, anchor)).add(numberIn(texts, textKey(row.positive)));
    const read = negatives === 0 ? [] : (row.negatives ?? []).slice(0, negatives);
    if (rule === "masked") {
      if (negatives > 0) own.add(numberIn(anchors, anchor));
      for (const text of read) shared.add(numberIn(anchors, textKey(text)));
    } else for (const text of read) own.add(numberIn(texts, textKey(text)));
    if (row.group !== undefined) own.add(numberIn(groups, row.group));
    for (const key of own) keys.push(key);
    for (const key of shared) if (!own.has(key)) keys.push(-key);
    starts[i + 1] = keys.length;
  });
  return { starts, keys: Int32Array.from(keys) };
}

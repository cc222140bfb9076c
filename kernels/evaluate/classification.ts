/** Classification as MTEB v1 does it: ten small training samples, ten classifiers, the mean of their accuracies. */
import type { ClassificationTask } from "../data/task-types.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { fitLogistic, predictLogistic } from "./logistic.ts";
import { RandomState } from "./mt19937.ts";

export const ROUNDS = 10;
const MTEB_SEED = 42;

/**
 * The training rows of every round. Each round seeds NumPy's RandomState(42) anew and shuffles the index list left by the
 * round before, then takes the first `samplesPerLabel` of every label.
 *
 * @returns ten lists of row numbers, in the order drawn.
 * Source: MTEB 1.x, AbsTaskClassification; the order is part of the published numbers, so it is kept exactly.
 */
export function drawSamples(labels: readonly string[], samplesPerLabel: number): Int32Array[] {
  const order = Int32Array.from({ length: labels.length }, (_, i) => i);
  return Array.from({ length: ROUNDS }, () => {
    new RandomState(MTEB_SEED).shuffle(order);
    const taken = new Map<string, number>();
    return order.filter((row) => {
      const held = taken.get(labels[row]!) ?? 0;
      taken.set(labels[row]!, held + 1);
      return held < samplesPerLabel;
    });
  });
}

/** The train rows that any round uses, ascending: only these are encoded. */
export function sampledRows(task: ClassificationTask): number[] {
  const rows = new Set<number>();
  for (const round of drawSamples(task.train.labels, task.samplesPerLabel)) for (const row of round) rows.add(row);
  return [...rows].sort((a, b) => a - b);
}

export interface ClassificationScores {
  /** Rounds (of ten) in which each test text was right [n]. */
  right: Int32Array;
  /** Mean over rounds. */
  accuracy: number;
  macroF1: number;
  /** Only with two labels: of the predicted labels, the larger one positive, as scikit-learn's average_precision_score. */
  averagePrecision?: number;
}

/**
 * @param train float32 [rows.length, d]: vectors of the rows that `sampledRows` names, in that order, not normalised further.
 * @param test  float32 [n, d].
 * Cost: ten classifiers; Banking77 (616 samples, 77 labels, d = 384) takes 10–20 s on one core. Deterministic.
 */
export async function scoreClassification(
  task: ClassificationTask,
  train: Float32Array,
  test: Float32Array,
  d: number,
  ctx: WorkContext,
): Promise<ClassificationScores> {
  const at = new Map(sampledRows(task).map((row, i) => [row, i]));
  const classes = [...new Set(task.train.labels)].sort();
  const numberOf = new Map(classes.map((label, i) => [label, i]));
  const n = task.test.labels.length;
  const truth = Int32Array.from(task.test.labels, (label) => numberOf.get(label) ?? -1);
  const right = new Int32Array(n);
  let [f1, ap] = [0, 0];
  const started = Date.now();
  for (const [round, rows] of drawSamples(task.train.labels, task.samplesPerLabel).entries()) {
    if (ctx.signal?.aborted === true) throw new CancelledError("Training the classifier");
    ctx.onProgress?.({
      stage: "Training classifiers",
      done: round,
      total: ROUNDS,
      unit: "rounds",
      etaMs: round === 0 ? undefined : ((Date.now() - started) / round) * (ROUNDS - round),
    });
    const x = new Float32Array(rows.length * d);
    const y = new Int32Array(rows.length);
    for (const [i, row] of rows.entries()) {
      const from = at.get(row)! * d;
      x.set(train.subarray(from, from + d), i * d);
      y[i] = numberOf.get(task.train.labels[row]!)!;
    }
    const model = await fitLogistic(x, y, d, classes.length, { signal: ctx.signal });
    const predicted = predictLogistic(model, test);
    for (let i = 0; i < n; i++) if (predicted[i] === truth[i]) right[i]! += 1;
    f1 += macroF1(truth, predicted) / ROUNDS;
    if (classes.length === 2) ap += hardAveragePrecision(truth, predicted) / ROUNDS;
  }
  const accuracy = right.reduce((sum, r) => sum + r, 0) / (n * ROUNDS);
  return { right, accuracy, macroF1: f1, ...(classes.length === 2 ? { averagePrecision: ap } : {}) };
}

/** Mean F1 over the classes that occur in truth or prediction, each alike (scikit-learn's f1_score, average "macro"). */
export function macroF1(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  const [hit, real, said] = [new Map<number, number>(), new Map<number, number>(), new Map<number, number>()];
  const add = (map: Map<number, number>, key: number): void => void map.set(key, (map.get(key) ?? 0) + 1);
  for (let i = 0; i < truth.length; i++) {
    add(real, truth[i]!);
    add(said, predicted[i]!);
    if (truth[i] === predicted[i]) add(hit, truth[i]!);
  }
  const classes = new Set([...real.keys(), ...said.keys()]);
  let sum = 0;
  for (const k of classes) sum += (2 * (hit.get(k) ?? 0)) / ((real.get(k) ?? 0) + (said.get(k) ?? 0));
  return sum / classes.size;
}

/** Average precision when the score is the predicted label itself (1 positive): two thresholds only. */
export function hardAveragePrecision(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let [positives, said, hits] = [0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] === 1) positives += 1;
    if (predicted[i] === 1) said += 1;
    if (truth[i] === 1 && predicted[i] === 1) hits += 1;
  }
  if (positives === 0) return 0;
  const recall = hits / positives;
  return (said === 0 ? 0 : (hits / said) * recall) + (1 - recall) * (positives / truth.length);
}

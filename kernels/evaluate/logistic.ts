/** L2-regularised logistic regression, solved as scikit-learn's default solver does: L-BFGS on the exact objective. */
import type { WorkContext } from "../protocol/progress.ts";
import { minimise, type Objective } from "./lbfgs.ts";

export interface LogisticModel {
  /** Number of classes, K ≥ 2. */
  classes: number;
  dimensions: number;
  /** float64 [K, d + 1] (K = 2: [1, d + 1], the score of class 1), the last number of a row is the intercept. */
  weights: Float64Array;
  iterations: number;
}

export interface LogisticOptions extends WorkContext {
  /** Inverse strength of the penalty. Default 1. */
  c?: number;
  /** Default 100, as MTEB sets it. */
  maxIterations?: number;
  /** Largest gradient entry to stop at. Default 1e-4. */
  tolerance?: number;
}

/**
 * Minimises C · Σ_i −log p(y_i | x_i) + ½‖W‖² (the intercepts are not penalised): softmax for K > 2, one sigmoid for
 * K = 2, as scikit-learn's LogisticRegression() with lbfgs.
 *
 * @param x float32 [n, d], row-major. @param y class numbers 0 … K−1 [n].
 * Cost: O(n·d·K) a step, some 20 steps on unit vectors. Deterministic.
 * Source: the objective of scikit-learn's user guide §1.1.11. Checked against it in test/evaluate/logistic.test.ts.
 */
export async function fitLogistic(
  x: Float32Array,
  y: ArrayLike<number>,
  dimensions: number,
  classes: number,
  options: LogisticOptions = {},
): Promise<LogisticModel> {
  const { c = 1, maxIterations = 100, tolerance = 1e-4 } = options;
  const rows = classes === 2 ? 1 : classes;
  const objective =
    classes === 2 ? sigmoidObjective(x, y, dimensions, c) : softmaxObjective(x, y, dimensions, classes, c);
  const start = new Float64Array(rows * (dimensions + 1));
  const found = await minimise(objective, start, { maxIterations, tolerance, ...options });
  return { classes, dimensions, weights: found.x, iterations: found.iterations };
}

/** The most probable class of every row; equal scores go to the lower number. @returns int32 [n] */
export function predictLogistic(model: LogisticModel, x: Float32Array): Int32Array {
  const { classes, dimensions: d, weights } = model;
  const n = x.length / d;
  const predicted = new Int32Array(n);
  const scores = new Float64Array(Math.max(4, weights.length / (d + 1)));
  for (let i = 0; i < n; i++) {
    rowScores(x, i * d, d, weights, scores, weights.length / (d + 1));
    if (classes === 2) {
      predicted[i] = scores[0]! > 0 ? 1 : 0;
      continue;
    }
    let best = 0;
    for (let k = 1; k < classes; k++) if (scores[k]! > scores[best]!) best = k;
    predicted[i] = best;
  }
  return predicted;
}

/** scores[k] = w_k · x + b_k, four classes at a time. */
function rowScores(x: Float32Array, at: number, d: number, w: Float64Array, scores: Float64Array, rows: number): void {
  const stride = d + 1;
  let k = 0;
  for (; k + 4 <= rows; k += 4) {
    const [p, q, r, s] = [k * stride, (k + 1) * stride, (k + 2) * stride, (k + 3) * stride];
    let [a, b, c, e] = [w[p + d]!, w[q + d]!, w[r + d]!, w[s + d]!];
    for (let j = 0; j < d; j++) {
      const v = x[at + j]!;
      a += v * w[p + j]!;
      b += v * w[q + j]!;
      c += v * w[r + j]!;
      e += v * w[s + j]!;
    }
    scores[k] = a;
    scores[k + 1] = b;
    scores[k + 2] = c;
    scores[k + 3] = e;
  }
  for (; k < rows; k++) {
    const p = k * stride;
    let a = w[p + d]!;
    for (let j = 0; j < d; j++) a += x[at + j]! * w[p + j]!;
    scores[k] = a;
  }
}

/** ½‖W‖² into the value and W into the gradient, intercepts left out. */
function penalty(w: Float64Array, gradient: Float64Array, d: number): number {
  let sum = 0;
  for (let i = 0; i < w.length; i++) {
    if (i % (d + 1) === d) continue;
    sum += w[i]! * w[i]!;
    gradient[i]! += w[i]!;
  }
  return sum / 2;
}

/** gradient[k] += Σ pull[i, k] · (x_i, 1) over four rows, two classes at a time: twice as fast as one by one. */
function addFourRows(
  x: Float32Array,
  at: number,
  d: number,
  pull: Float64Array,
  from: number,
  classes: number,
  gradient: Float64Array,
): void {
  const [r0, r1, r2, r3] = [at, at + d, at + 2 * d, at + 3 * d];
  let k = 0;
  for (; k + 2 <= classes; k += 2) {
    const i = from + k;
    const [p0, p1] = [pull[i]!, pull[i + classes]!];
    const [p2, p3] = [pull[i + 2 * classes]!, pull[i + 3 * classes]!];
    const [q0, q1] = [pull[i + 1]!, pull[i + 1 + classes]!];
    const [q2, q3] = [pull[i + 1 + 2 * classes]!, pull[i + 1 + 3 * classes]!];
    const p = k * (d + 1);
    const q = p + d + 1;
    for (let j = 0; j < d; j++) {
      const u = x[r0 + j]!;
      const v = x[r1 + j]!;
      const w = x[r2 + j]!;
      const z = x[r3 + j]!;
      gradient[p + j]! += p0 * u + p1 * v + p2 * w + p3 * z;
      gradient[q + j]! += q0 * u + q1 * v + q2 * w + q3 * z;
    }
    gradient[p + d]! += p0 + p1 + p2 + p3;
    gradient[q + d]! += q0 + q1 + q2 + q3;
  }
  if (k < classes)
    for (let row = 0; row < 4; row++) addClass(x, at + row * d, d, pull[from + row * classes + k]!, k, gradient);
}

function addRow(
  x: Float32Array,
  at: number,
  d: number,
  pull: Float64Array,
  from: number,
  classes: number,
  gradient: Float64Array,
): void {
  for (let k = 0; k < classes; k++) addClass(x, at, d, pull[from + k]!, k, gradient);
}

function addClass(x: Float32Array, at: number, d: number, pull: number, k: number, gradient: Float64Array): void {
  const row = k * (d + 1);
  for (let j = 0; j < d; j++) gradient[row + j]! += pull * x[at + j]!;
  gradient[row + d]! += pull;
}

function softmaxObjective(x: Float32Array, y: ArrayLike<number>, d: number, classes: number, c: number): Objective {
  const n = x.length / d;
  // p − 1[y], times C: what every row adds to the gradient of every class. [n, K]
  const pull = new Float64Array(n * classes);
  return (w, gradient) => {
    let loss = 0;
    for (let i = 0; i < n; i++) {
      const scores = pull.subarray(i * classes, (i + 1) * classes);
      rowScores(x, i * d, d, w, scores, classes);
      let max = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < classes; k++) if (scores[k]! > max) max = scores[k]!;
      const own = scores[y[i]!]! - max;
      let sum = 0;
      for (let k = 0; k < classes; k++) {
        scores[k] = Math.exp(scores[k]! - max);
        sum += scores[k]!;
      }
      loss += Math.log(sum) - own;
      for (let k = 0; k < classes; k++) scores[k] = (c * scores[k]!) / sum;
      scores[y[i]!]! -= c;
    }
    gradient.fill(0);
    let i = 0;
    for (; i + 4 <= n; i += 4) addFourRows(x, i * d, d, pull, i * classes, classes, gradient);
    for (; i < n; i++) addRow(x, i * d, d, pull, i * classes, classes, gradient);
    return c * loss + penalty(w, gradient, d);
  };
}

function sigmoidObjective(x: Float32Array, y: ArrayLike<number>, d: number, c: number): Objective {
  const n = x.length / d;
  return (w, gradient) => {
    let loss = 0;
    gradient.fill(0);
    for (let i = 0; i < n; i++) {
      let score = w[d]!;
      for (let j = 0; j < d; j++) score += x[i * d + j]! * w[j]!;
      // log(1 + e^s) − y·s, without overflow on either side.
      loss += Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - y[i]! * score;
      const pull = c * (1 / (1 + Math.exp(-score)) - y[i]!);
      for (let j = 0; j < d; j++) gradient[j]! += pull * x[i * d + j]!;
      gradient[d]! += pull;
    }
    return c * loss + penalty(w, gradient, d);
  };
}

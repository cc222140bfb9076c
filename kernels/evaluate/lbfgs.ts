/** Limited-memory BFGS for smooth problems without bounds. */
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

/** Value at x; writes the gradient into `gradient`. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface MinimiseOptions extends WorkContext {
  maxIterations: number;
  /** Stop when no entry of the gradient is larger. */
  tolerance: number;
  /** Stop when a step lowers the value by less than this share of it. Default 2.2e-9, as SciPy. */
  relativeDecrease?: number;
  /** Pairs of steps remembered. Default 10. */
  memory?: number;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/**
 * Minimises by L-BFGS with a line search that meets the strong Wolfe conditions (c1 = 1e-4, c2 = 0.9).
 * @returns the best point, its value, and the iterations taken. Hands the thread back between evaluations.
 * @throws {ParallaxError} work.cancelled
 * Source: Nocedal and Wright 2006, algorithms 7.4, 7.5, 3.5 and 3.6.
 */
export async function minimise(
  objective: Objective,
  start: Float64Array,
  options: MinimiseOptions,
): Promise<{ x: Float64Array; value: number; iterations: number }> {
  const { maxIterations, tolerance, relativeDecrease = 2.2e-9, memory = 10 } = options;
  let last = Date.now();
  const evaluate = async (point: Float64Array, gradient: Float64Array): Promise<number> => {
    if (Date.now() - last > 40) {
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 0);
      });
      last = Date.now();
      if (options.signal?.aborted === true) throw new CancelledError("Training the classifier");
    }
    return objective(point, gradient);
  };
  let x: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(x.length);
  let value = await evaluate(x, gradient);
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  let iteration = 0;
  while (iteration < maxIterations && largest(gradient) > tolerance) {
    const direction = descent(gradient, pairs);
    const slope = dot(gradient, direction);
    const first = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    const step = await lineSearch(evaluate, x, value, slope, direction, first);
    if (step === null) break;
    iteration += 1;
    const s = new Float64Array(x.length);
    const y = new Float64Array(x.length);
    for (let i = 0; i < x.length; i++) {
      s[i] = step.x[i]! - x[i]!;
      y[i] = step.gradient[i]! - gradient[i]!;
    }
    const curvature = dot(s, y);
    if (curvature > 2.2e-16 * dot(y, y)) {
      pairs.push({ s, y, rho: 1 / curvature });
      if (pairs.length > memory) pairs.shift();
    }
    const fell = (value - step.value) / Math.max(Math.abs(value), Math.abs(step.value), 1);
    [x, gradient, value] = [step.x, step.gradient, step.value];
    if (fell <= relativeDecrease) break;
  }
  return { x, value, iterations: iteration };
}

function largest(gradient: Float64Array): number {
  let max = 0;
  for (const g of gradient) if (Math.abs(g) > max) max = Math.abs(g);
  return max;
}

/** −H·gradient by the two loops over the remembered pairs. */
function descent(
  gradient: Float64Array,
  pairs: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = Float64Array.from(gradient, (g) => -g);
  const alphas = new Float64Array(pairs.length);
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { s, y, rho } = pairs[k]!;
    alphas[k] = rho * dot(s, q);
    for (let i = 0; i < q.length; i++) q[i]! -= alphas[k]! * y[i]!;
  }
  const newest = pairs[pairs.length - 1];
  if (newest !== undefined) {
    const scale = 1 / (newest.rho * dot(newest.y, newest.y));
    for (let i = 0; i < q.length; i++) q[i]! *= scale;
  }
  for (const [k, { s, y, rho }] of pairs.entries()) {
    const beta = alphas[k]! - rho * dot(y, q);
    for (let i = 0; i < q.length; i++) q[i]! += beta * s[i]!;
  }
  return q;
}

interface Trial {
  step: number;
  value: number;
  slope: number;
  x: Float64Array;
  gradient: Float64Array;
}

async function lineSearch(
  evaluate: (x: Float64Array, gradient: Float64Array) => Promise<number>,
  origin: Float64Array,
  value: number,
  slope: number,
  direction: Float64Array,
  first: number,
): Promise<Trial | null> {
  if (!(slope < 0)) return null;
  const at = async (step: number): Promise<Trial> => {
    const x = new Float64Array(origin.length);
    for (let i = 0; i < x.length; i++) x[i] = origin[i]! + step * direction[i]!;
    const gradient = new Float64Array(origin.length);
    const found = await evaluate(x, gradient);
    return { step, value: found, slope: dot(gradient, direction), x, gradient };
  };
  const tooHigh = (trial: Trial): boolean => !(trial.value <= value + 1e-4 * trial.step * slope);
  const flat = (trial: Trial): boolean => Math.abs(trial.slope) <= 0.9 * Math.abs(slope);
  const start: Trial = { step: 0, value, slope, x: origin, gradient: new Float64Array(0) };
  let low = start;
  let high: Trial | null = null;
  for (let tries = 0; tries < 30; tries++) {
    const trial = await at(high === null ? (low === start ? first : low.step * 2) : between(low, high));
    if (tooHigh(trial) || (trial.value >= low.value && low !== start)) {
      high = trial;
      continue;
    }
    if (flat(trial)) return trial;
    // The minimum lies between the trial and the end towards which the value falls.
    if (high === null ? trial.slope >= 0 : trial.slope * (high.step - low.step) >= 0) high = low;
    low = trial;
  }
  return low === start ? null : low;
}

/** Minimum of the cubic through two trials, kept off the ends; the middle where the cubic has none. */
function between(low: Trial, high: Trial): number {
  const gap = high.step - low.step;
  const d1 = low.slope + high.slope - (3 * (high.value - low.value)) / gap;
  const root = d1 * d1 - low.slope * high.slope;
  let share = 0.5;
  if (Number.isFinite(root) && root >= 0) {
    const d2 = Math.sign(gap) * Math.sqrt(root);
    share = 1 - (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2);
  }
  if (!(share > 0.1 && share < 0.9)) share = 0.5;
  return low.step + share * gap;
}

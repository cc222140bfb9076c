/**
 * AdamW: the formula in plain TypeScript and the schedule of its learning rate. The fast pass over WebAssembly memory is
 * in parameter-memory.ts and follows the same order of operations.
 */

export interface AdamWOptions {
  /** Default 0.9. */
  beta1: number;
  /** Default 0.999. */
  beta2: number;
  /** Added to the root of the corrected second moment. Default 1e-8. */
  epsilon: number;
}

export const ADAMW_DEFAULTS: Readonly<AdamWOptions> = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** The numbers of one step that do not depend on the weight, each rounded to float32 once. */
export interface AdamWFactors {
  keep: number;
  stepSize: number;
  inverseRootCorrection: number;
  beta1: number;
  beta2: number;
  rest1: number;
  rest2: number;
  epsilon: number;
}

/**
 * @param step 1 for the first update; the bias corrections 1 − beta^step need it.
 * @param weightDecay multiplied by the learning rate and taken off the weight itself, not off the gradient (decoupled).
 */
export function adamwFactors(
  step: number,
  learningRate: number,
  weightDecay: number,
  options: AdamWOptions = ADAMW_DEFAULTS,
): AdamWFactors {
  const { beta1, beta2, epsilon } = options;
  return {
    keep: Math.fround(1 - learningRate * weightDecay),
    stepSize: Math.fround(learningRate / (1 - beta1 ** step)),
    inverseRootCorrection: Math.fround(1 / Math.sqrt(1 - beta2 ** step)),
    beta1: Math.fround(beta1),
    beta2: Math.fround(beta2),
    rest1: Math.fround(1 - beta1),
    rest2: Math.fround(1 - beta2),
    epsilon: Math.fround(epsilon),
  };
}

/**
 * One AdamW update in place, in float32: the oracle of the WebAssembly pass, equal to it bit by bit.
 *
 *   m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
 *   p ← (1 − η λ) p − (η / (1 − β₁ᵗ)) m / (√v / √(1 − β₂ᵗ) + ε)
 *
 * @param p weights, g gradient, m and v first and second moment: float32 [n] each; p, m and v are changed.
 * @param scale factor on the gradient (clipping), 1 for none.
 * Cost: O(n); about ten times the time of the WebAssembly pass.
 * Source: Loshchilov and Hutter 2019, algorithm 2. Checked against torch.optim.AdamW in test/train/adamw.test.ts.
 */
export function adamwReference(
  p: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  factors: AdamWFactors,
  scale = 1,
): void {
  const f = Math.fround;
  const { keep, stepSize, inverseRootCorrection, beta1, beta2, rest1, rest2, epsilon } = factors;
  const factor = f(scale);
  for (let i = 0; i < p.length; i++) {
    const grad = f(g[i]! * factor);
    const m1 = f(f(beta1 * m[i]!) + f(rest1 * grad));
    const v1 = f(f(beta2 * v[i]!) + f(rest2 * f(grad * grad)));
    const denominator = f(f(f(Math.sqrt(v1)) * inverseRootCorrection) + epsilon);
    m[i] = m1;
    v[i] = v1;
    p[i] = f(f(keep * p[i]!) - f(f(stepSize * m1) / denominator));
  }
}

/**
 * True when weight decay applies: to matrices, not to biases and not to the scale and shift of a layer norm, which
 * would only be pulled to zero. (Every weight with one axis is one of those.)
 */
export function isDecayed(name: string, dims: readonly number[]): boolean {
  return dims.length > 1 && !/(^|\.)(LayerNorm|layer_norm)\./i.test(name) && !name.endsWith(".bias");
}

export interface Schedule {
  schedule: "linear" | "cosine" | "constant";
  learningRate: number;
  /** Share of the steps in which the rate climbs from near zero, 0 … 1. */
  warmupRatio: number;
  steps: number;
}

/**
 * Learning rate of a step, 1 … steps. It climbs in equal parts over the ceil(warmupRatio · steps) warm-up steps and
 * reaches the full rate with the last of them; then it stays ("constant"), or it begins at the full rate and falls so that
 * the step after the last one would be at 0: in equal parts ("linear") or as half a wave of a cosine ("cosine",
 * Loshchilov and Hutter 2017, equation 5, without restarts).
 */
export function learningRateAt(step: number, options: Schedule): number {
  const warmup = Math.ceil(options.warmupRatio * options.steps);
  if (step <= warmup) return (options.learningRate * step) / warmup;
  if (options.schedule === "constant") return options.learningRate;
  const left = (options.steps - step + 1) / (options.steps - warmup); // 1 → 0
  if (options.schedule === "cosine") return (options.learningRate * (1 - Math.cos(Math.PI * left))) / 2;
  return (options.learningRate * (options.steps - step + 1)) / (options.steps - warmup);
}

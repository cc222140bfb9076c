// AssemblyScript, compiled to WebAssembly with SIMD: one pass over weights, gradients and both moments.
// Addresses are byte offsets into the imported memory; n counts float32 numbers. See adamw.ts for the formula.

export function adamw(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  n: u32,
  keep: f32, // 1 − learningRate · weightDecay
  stepSize: f32, // learningRate / (1 − beta1^step)
  inverseRootCorrection: f32, // 1 / sqrt(1 − beta2^step)
  beta1: f32,
  beta2: f32,
  rest1: f32, // 1 − beta1, rounded once from float64
  rest2: f32, // 1 − beta2
  epsilon: f32,
  scale: f32, // gradient clipping
): void {
  const keep4 = f32x4.splat(keep);
  const step4 = f32x4.splat(stepSize);
  const root4 = f32x4.splat(inverseRootCorrection);
  const beta14 = f32x4.splat(beta1);
  const beta24 = f32x4.splat(beta2);
  const rest14 = f32x4.splat(rest1);
  const rest24 = f32x4.splat(rest2);
  const epsilon4 = f32x4.splat(epsilon);
  const scale4 = f32x4.splat(scale);
  const bytes: usize = (<usize>(n & ~3)) << 2;
  let i: usize = 0;
  for (; i < bytes; i += 16) {
    const grad = f32x4.mul(v128.load(g + i), scale4);
    const m1 = f32x4.add(f32x4.mul(beta14, v128.load(m + i)), f32x4.mul(rest14, grad));
    const v1 = f32x4.add(f32x4.mul(beta24, v128.load(v + i)), f32x4.mul(rest24, f32x4.mul(grad, grad)));
    const denominator = f32x4.add(f32x4.mul(f32x4.sqrt(v1), root4), epsilon4);
    const moved = f32x4.sub(
      f32x4.mul(keep4, v128.load(p + i)),
      f32x4.div(f32x4.mul(step4, m1), denominator),
    );
    v128.store(m + i, m1);
    v128.store(v + i, v1);
    v128.store(p + i, moved);
  }
  const end: usize = (<usize>n) << 2;
  for (; i < end; i += 4) {
    const grad = load<f32>(g + i) * scale;
    const m1 = beta1 * load<f32>(m + i) + rest1 * grad;
    const v1 = beta2 * load<f32>(v + i) + rest2 * (grad * grad);
    const moved = keep * load<f32>(p + i) - (stepSize * m1) / (sqrt<f32>(v1) * inverseRootCorrection + epsilon);
    store<f32>(m + i, m1);
    store<f32>(v + i, v1);
    store<f32>(p + i, moved);
  }
}

/** sum ← sum + g, n numbers. */
export function add(sum: usize, g: usize, n: u32): void {
  const bytes: usize = (<usize>(n & ~3)) << 2;
  let i: usize = 0;
  for (; i < bytes; i += 16) v128.store(sum + i, f32x4.add(v128.load(sum + i), v128.load(g + i)));
  const end: usize = (<usize>n) << 2;
  for (; i < end; i += 4) store<f32>(sum + i, load<f32>(sum + i) + load<f32>(g + i));
}

/** Sum of squares in float64, always in the same order. NaN or infinity when one of the numbers is. */
export function sumOfSquares(g: usize, n: u32): f64 {
  let sum0 = f64x2.splat(0);
  let sum1 = f64x2.splat(0);
  let sum2 = f64x2.splat(0);
  let sum3 = f64x2.splat(0);
  const bytes: usize = (<usize>(n & ~7)) << 2;
  let i: usize = 0;
  for (; i < bytes; i += 32) {
    const a = v128.load(g + i);
    const b = v128.load(g + i, 16);
    const a0 = f64x2.promote_low_f32x4(a);
    const a1 = f64x2.promote_low_f32x4(v128.shuffle<f32>(a, a, 2, 3, 2, 3));
    const b0 = f64x2.promote_low_f32x4(b);
    const b1 = f64x2.promote_low_f32x4(v128.shuffle<f32>(b, b, 2, 3, 2, 3));
    sum0 = f64x2.add(sum0, f64x2.mul(a0, a0));
    sum1 = f64x2.add(sum1, f64x2.mul(a1, a1));
    sum2 = f64x2.add(sum2, f64x2.mul(b0, b0));
    sum3 = f64x2.add(sum3, f64x2.mul(b1, b1));
  }
  const sum = f64x2.add(f64x2.add(sum0, sum1), f64x2.add(sum2, sum3));
  let total = f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
  const end: usize = (<usize>n) << 2;
  for (; i < end; i += 4) {
    const value = <f64>load<f32>(g + i);
    total += value * value;
  }
  return total;
}

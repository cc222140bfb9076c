/** Token vectors to one vector a text, for ONNX files that stop at the tokens. Our own graphs pool inside. */

/**
 * Pool the token vectors of each text, ignoring padding.
 *
 * @param hidden float32 [b, t, d], row-major
 * @param mask   int64 [b, t], 0 or 1; every row has a 1
 * @param mode   "mean" over the tokens, "cls" the first token, "max" the largest value of each dimension
 * @returns      float32 [b, d], not normalised. New buffer.
 * Cost: O(b·t·d). Deterministic: sums in token order, in float64.
 * Source: Reimers and Gurevych 2019, section 3.
 */
export function poolTokens(
  hidden: Float32Array,
  mask: BigInt64Array,
  [b, t, d]: readonly [number, number, number],
  mode: "mean" | "cls" | "max",
): Float32Array {
  const out = new Float32Array(b * d);
  const sums = new Float64Array(d);
  for (let i = 0; i < b; i++) {
    if (mode === "cls") {
      out.set(hidden.subarray(i * t * d, i * t * d + d), i * d);
      continue;
    }
    sums.fill(mode === "max" ? Number.NEGATIVE_INFINITY : 0);
    let count = 0;
    for (let j = 0; j < t; j++) {
      if (mask[i * t + j] === 0n) continue;
      count++;
      const start = (i * t + j) * d;
      if (mode === "max") {
        for (let k = 0; k < d; k++) if (hidden[start + k] > sums[k]) sums[k] = hidden[start + k];
      } else for (let k = 0; k < d; k++) sums[k] += hidden[start + k];
    }
    const scale = mode === "mean" ? 1 / count : 1;
    for (let k = 0; k < d; k++) out[i * d + k] = sums[k] * scale;
  }
  return out;
}

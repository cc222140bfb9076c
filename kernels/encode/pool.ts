/** Token vectors to one vector a text, for ONNX files that stop at the tokens. Our own graphs pool inside. */
import type { DenseHead } from "../model/dense.ts";
import type { Pooling } from "../model/pooling.ts";

/**
 * Pool the token vectors of each text, ignoring what does not count.
 *
 * @param hidden float32 [b, t, d], row-major
 * @param mask   int64 [b, t], 1 = counts, 0 = padding (or a token that the pooling leaves out)
 * @param mode   see `Pooling`
 * @returns      float32 [b, d], not normalised. New buffer. A row where nothing counts gives zeros.
 * Cost: O(b·t·d). Deterministic: sums in token order, in float64.
 * Source: Reimers and Gurevych 2019, section 3; "weighted-mean": Muennighoff 2022, section 3.1.
 */
export function poolTokens(
  hidden: Float32Array,
  mask: BigInt64Array,
  [b, t, d]: readonly [number, number, number],
  mode: Pooling,
): Float32Array {
  const out = new Float32Array(b * d);
  const sums = new Float64Array(d);
  for (let i = 0; i < b; i++) {
    const row = mask.subarray(i * t, (i + 1) * t);
    const first = i * t * d;
    if (mode === "cls") {
      out.set(hidden.subarray(first, first + d), i * d);
      continue;
    }
    if (mode === "last-token") {
      const last = row.lastIndexOf(1n);
      if (last >= 0) out.set(hidden.subarray(first + last * d, first + (last + 1) * d), i * d);
      continue;
    }
    sums.fill(mode === "max" ? Number.NEGATIVE_INFINITY : 0);
    let count = 0;
    let total = 0;
    for (let j = 0; j < t; j++) {
      if (row[j] === 0n) continue;
      const weight = mode === "weighted-mean" ? j + 1 : 1;
      count++;
      total += weight;
      const start = first + j * d;
      if (mode === "max") {
        for (let k = 0; k < d; k++) if (hidden[start + k] > sums[k]) sums[k] = hidden[start + k];
      } else for (let k = 0; k < d; k++) sums[k] += weight * hidden[start + k];
    }
    if (count === 0) continue;
    const scale = mode === "max" ? 1 : 1 / (mode === "mean-sqrt-length" ? Math.sqrt(count) : total);
    for (let k = 0; k < d; k++) out[i * d + k] = sums[k] * scale;
  }
  return out;
}

/**
 * Dense layers on pooled vectors, in order: activation(x Wᵀ + bias).
 *
 * @param vectors float32 [b, in], row-major
 * @returns       float32 [b, out]; the same buffer when there is no layer. Sums in float64.
 */
export function applyDense(vectors: Float32Array, b: number, heads: readonly DenseHead[]): Float32Array {
  let current = vectors;
  for (const { weight, bias, activation } of heads) {
    const [out, inner] = weight.dims;
    const w = weight.data as Float32Array;
    const add = bias?.data as Float32Array | undefined;
    const next = new Float32Array(b * out);
    for (let i = 0; i < b; i++)
      for (let o = 0; o < out; o++) {
        let sum = add?.[o] ?? 0;
        for (let k = 0; k < inner; k++) sum += current[i * inner + k] * w[o * inner + k];
        next[i * out + o] = activation === "tanh" ? Math.tanh(sum) : sum;
      }
    current = next;
  }
  return current;
}

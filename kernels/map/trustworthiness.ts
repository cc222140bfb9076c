/** How far a map's neighbourhoods can be trusted. */
import type { WorkContext } from "../protocol/progress.ts";

/**
 * Trustworthiness: 1 minus the penalty for points that are neighbours in the map but not in the original space.
 *
 *   T(k) = 1 − 2 / (n·k·(2n − 3k − 1)) · Σ_i Σ_{j ∈ U_k(i)} (r(i, j) − k)
 *
 * where U_k(i) are the map's k nearest of i that are not among its k nearest in the original space, and r(i, j) is the
 * rank of j around i in the original space. Over a sample of points i the sum is scaled by n / sample; ranks are always
 * counted among all n points.
 *
 * @param points    float32 [n, 2].
 * @param distances returns the original-space distances of row i to all rows: float32 [n] (its own entry is ignored).
 * @param sample    row numbers to measure at; all rows for the exact value.
 * @returns         in [0, 1]; 1 when every neighbour in the map is one in the original space.
 * Cost: O(sample · n) beside the distances. Deterministic.
 * Source: Venna and Kaski 2001; checked against scikit-learn's `trustworthiness`.
 */
export async function trustworthiness(
  points: Float32Array,
  n: number,
  k: number,
  sample: readonly number[],
  distances: (rows: readonly number[]) => Promise<Float32Array>,
  context: WorkContext = {},
): Promise<number> {
  if (2 * n - 3 * k - 1 <= 0) return Number.NaN;
  let penalty = 0;
  const block = 256;
  for (let start = 0; start < sample.length; start += block) {
    context.signal?.throwIfAborted();
    context.onProgress?.({ stage: "Trustworthiness", done: start, total: sample.length, unit: "points" });
    const rows = sample.slice(start, start + block);
    const original = await distances(rows);
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r];
      const row = original.subarray(r * n, (r + 1) * n);
      for (const j of nearestInMap(points, n, i, k)) {
        // Rank by (distance, row number), the point itself left out: ties are ordered as a stable sort would.
        let rank = 1;
        const own = row[j];
        for (let m = 0; m < n; m++) if (m !== i && m !== j && (row[m] < own || (row[m] === own && m < j))) rank++;
        if (rank > k) penalty += rank - k;
      }
    }
  }
  const scale = n / sample.length;
  return 1 - (2 / (n * k * (2 * n - 3 * k - 1))) * penalty * scale;
}

/** The k nearest points of i in the plane, by partial selection. */
function nearestInMap(points: Float32Array, n: number, i: number, k: number): number[] {
  const best: number[] = [];
  const bestDistance: number[] = [];
  const x = points[2 * i];
  const y = points[2 * i + 1];
  for (let j = 0; j < n; j++) {
    if (j === i) continue;
    const distance = (points[2 * j] - x) ** 2 + (points[2 * j + 1] - y) ** 2;
    if (best.length === k && distance >= bestDistance[k - 1]) continue;
    let place = best.length < k ? best.length : k - 1;
    while (place > 0 && bestDistance[place - 1] > distance) {
      best[place] = best[place - 1];
      bestDistance[place] = bestDistance[place - 1];
      place--;
    }
    best[place] = j;
    bestDistance[place] = distance;
  }
  return best;
}

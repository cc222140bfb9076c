/**
 * The first two principal components, by subspace iteration. Used to start UMAP (a spectral-like start keeps the large
 * structure and makes the layout repeatable) and as a map of its own.
 */

export interface PcaResult {
  /** Interleaved x, y: float32 [n, 2]. */
  points: Float32Array;
  /** Share of the variance that each component explains, in [0, 1]. */
  explained: [number, number];
}

/** Subspace a little wider than asked: converges faster when eigenvalues lie close (Halko, Martinsson and Tropp 2011, §4.5). */
const WIDTH = 6;
/** The gap between neighbouring eigenvalues of real embeddings is small; 60 rounds reach float32 accuracy on them. */
const ROUNDS = 60;

/**
 * Projects rows on their first two principal components; each component's sign is chosen so that its largest loading
 * is positive, so that the same vectors give the same picture.
 *
 * @param vectors float32 [n, d], row-major, finite.
 * Cost: O(60 · n · d · 6) time, 8·n·6 bytes. Deterministic.
 */
export function pca(vectors: Float32Array, n: number, d: number): PcaResult {
  const width = Math.min(WIDTH, d, Math.max(1, n - 1));
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j] += vectors[i * d + j];
  for (let j = 0; j < d; j++) mean[j] /= n;

  let total = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) total += (vectors[i * d + j] - mean[j]) ** 2;
  if (total === 0) return { points: new Float32Array(2 * n), explained: [0, 0] };

  // basis: float64 [width, d], started with fixed pseudo-random rows.
  const basis = new Float64Array(width * d);
  let state = 0x9e3779b9;
  for (let i = 0; i < basis.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    basis[i] = state / 2 ** 32 - 0.5;
  }
  orthonormalise(basis, width, d);
  const scores = new Float64Array(n * width);
  const eigen = new Float64Array(width);
  for (let round = 0; round < ROUNDS; round++) {
    project(vectors, mean, basis, scores, n, d, width);
    // basis ← scoresᵀ · (X − mean)
    basis.fill(0);
    for (let i = 0; i < n; i++)
      for (let c = 0; c < width; c++) {
        const s = scores[i * width + c];
        const row = c * d;
        const offset = i * d;
        for (let j = 0; j < d; j++) basis[row + j] += s * (vectors[offset + j] - mean[j]);
      }
    for (let c = 0; c < width; c++) {
      let norm = 0;
      for (let j = 0; j < d; j++) norm += basis[c * d + j] ** 2;
      eigen[c] = Math.sqrt(norm);
    }
    orthonormalise(basis, width, d);
  }
  for (let c = 0; c < Math.min(2, width); c++) {
    let largest = 0;
    for (let j = 1; j < d; j++) if (Math.abs(basis[c * d + j]) > Math.abs(basis[c * d + largest])) largest = j;
    if (basis[c * d + largest] < 0) for (let j = 0; j < d; j++) basis[c * d + j] = -basis[c * d + j];
  }
  project(vectors, mean, basis, scores, n, d, width);
  const points = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    points[2 * i] = scores[i * width];
    points[2 * i + 1] = width > 1 ? scores[i * width + 1] : 0;
  }
  return { points, explained: [eigen[0] / total, width > 1 ? eigen[1] / total : 0] };
}

function project(
  vectors: Float32Array,
  mean: Float64Array,
  basis: Float64Array,
  scores: Float64Array,
  n: number,
  d: number,
  width: number,
): void {
  for (let i = 0; i < n; i++)
    for (let c = 0; c < width; c++) {
      let sum = 0;
      const offset = i * d;
      const row = c * d;
      for (let j = 0; j < d; j++) sum += (vectors[offset + j] - mean[j]) * basis[row + j];
      scores[i * width + c] = sum;
    }
}

/** Modified Gram–Schmidt over the rows; a row that vanishes stays zero. */
function orthonormalise(rows: Float64Array, count: number, d: number): void {
  for (let c = 0; c < count; c++) {
    for (let p = 0; p < c; p++) {
      let dot = 0;
      for (let j = 0; j < d; j++) dot += rows[c * d + j] * rows[p * d + j];
      for (let j = 0; j < d; j++) rows[c * d + j] -= dot * rows[p * d + j];
    }
    let norm = 0;
    for (let j = 0; j < d; j++) norm += rows[c * d + j] ** 2;
    norm = Math.sqrt(norm);
    const scale = norm > 1e-300 ? 1 / norm : 0;
    for (let j = 0; j < d; j++) rows[c * d + j] *= scale;
  }
}

/** The generator of test/golden/map.py: points around `groups` centres. float32 [n, d]. */
export function groupedVectors(n: number, d: number, groups: number, seed: number): Float32Array {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const centres = Array.from({ length: groups }, () => Array.from({ length: d }, uniform));
  const vectors = new Float32Array(n * d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) vectors[i * d + j] = 2 * centres[i % groups][j] + 0.6 * uniform();
  return vectors;
}

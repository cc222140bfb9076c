/** The clouds of test/golden/evaluate.py: same generator, same order, so both sides classify the same numbers. */
export function blobs(
  seed: number,
  classes: number,
  perClass: number,
  d: number,
  spread: number,
): { x: Float32Array; y: Int32Array } {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const centres = Array.from({ length: classes }, () => Array.from({ length: d }, () => uniform() - 0.5));
  const n = classes * perClass;
  const x = new Float32Array(n * d);
  const y = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    y[i] = i % classes;
    const row = centres[i % classes]!.map((c) => c + spread * (uniform() + uniform() + uniform() - 1.5));
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    x.set(
      row.map((v) => v / norm),
      i * d,
    );
  }
  return { x, y };
}

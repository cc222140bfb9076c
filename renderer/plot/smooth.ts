/** Smoothing and reading of a curve. */

/**
 * Exponential moving average with the start corrected for (each value divided by the weight seen so far), so that the
 * first points are not pulled to zero. NaN values are skipped and leave a gap.
 *
 * @param weight 0 (raw) to 0.99.
 */
export function smooth(values: ArrayLike<number>, n: number, weight: number): Float64Array {
  const out = new Float64Array(n);
  if (weight <= 0) {
    for (let i = 0; i < n; i++) out[i] = values[i]!;
    return out;
  }
  let mean = 0;
  let mass = 0;
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) {
      out[i] = Number.NaN;
      continue;
    }
    mean = weight * mean + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    out[i] = mean / mass;
  }
  return out;
}

/** The trend for a screen reader: "down from 3.4 to 1.1". Compares the mean of the first and of the last tenth. */
export function spokenTrend(values: ArrayLike<number>, n: number, format: (value: number) => string): string {
  const finite: number[] = [];
  for (let i = 0; i < n; i++) if (Number.isFinite(values[i]!)) finite.push(values[i]!);
  if (finite.length === 0) return "no values yet";
  if (finite.length === 1) return `at ${format(finite[0]!)}`;
  const span = Math.max(1, Math.floor(finite.length / 10));
  const mean = (part: number[]) => part.reduce((sum, v) => sum + v, 0) / part.length;
  const first = mean(finite.slice(0, span));
  const last = mean(finite.slice(-span));
  const [from, to] = [format(first), format(last)];
  if (from === to) return `level at ${to}`;
  return `${last < first ? "down" : "up"} from ${from} to ${to}`;
}

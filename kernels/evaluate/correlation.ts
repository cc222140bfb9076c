/** Rank and product-moment correlation. */

/** Row numbers in ascending order of value (ties in row order). O(n log n). */
export function ascending(values: ArrayLike<number>): Int32Array {
  const order = Int32Array.from({ length: values.length }, (_, i) => i);
  return order.sort((i, j) => values[i]! - values[j]! || i - j);
}

/**
 * Ranks from 1, equal values sharing the mean of their ranks ("average ranks", as scipy.stats.rankdata).
 * @param values finite numbers [n].
 * @returns float64 [n].
 * Cost: O(n log n). Checked against SciPy in test/evaluate/correlation.test.ts.
 */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = ascending(values);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end += 1;
    for (let k = start; k < end; k++) ranks[order[k]!] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/** Pearson's r of two columns of equal length; NaN when either is constant. Two passes, float64. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = x.length;
  let mx = 0;
  let my = 0;
  for (let i = 0; i < n; i++) {
    mx += x[i]!;
    my += y[i]!;
  }
  mx /= n;
  my /= n;
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [u, v] = [x[i]! - mx, y[i]! - my];
    xx += u * u;
    yy += v * v;
    xy += u * v;
  }
  return xx === 0 || yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy);
}

/** Spearman's rho: Pearson's r of the average ranks. NaN when either column is constant. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(averageRanks(x), averageRanks(y));
}

/**
 * One column prepared for many resamples: sorted once, so that the average ranks of a resample (given as how often each
 * row was drawn) take one walk, not a sort. Exactly the ranks of the resample written out in full.
 */
export class ResampledRanks {
  readonly #order: Int32Array;
  /** Starts of the groups of equal values in the order, and the end. */
  readonly #starts: Int32Array;
  /** Rank of each row in the last resample, minus the mean rank (n + 1) / 2. */
  readonly centred: Float64Array;

  constructor(values: ArrayLike<number>) {
    this.#order = ascending(values);
    const starts: number[] = [];
    for (let k = 0; k < this.#order.length; k++)
      if (k === 0 || values[this.#order[k]!] !== values[this.#order[k - 1]!]) starts.push(k);
    starts.push(this.#order.length);
    this.#starts = Int32Array.from(starts);
    this.centred = new Float64Array(values.length);
  }

  /** Ranks the resample into `centred`; returns the sum of squares over it. O(n). */
  rank(counts: ArrayLike<number>): number {
    const [order, starts, centred] = [this.#order, this.#starts, this.centred];
    const middle = (order.length + 1) / 2;
    let seen = 0;
    let squares = 0;
    for (let g = 0; g + 1 < starts.length; g++) {
      const [from, to] = [starts[g]!, starts[g + 1]!];
      let drawn = 0;
      for (let k = from; k < to; k++) drawn += counts[order[k]!]!;
      const rank = seen + (drawn + 1) / 2 - middle;
      for (let k = from; k < to; k++) centred[order[k]!] = rank;
      squares += drawn * rank * rank;
      seen += drawn;
    }
    return squares;
  }
}

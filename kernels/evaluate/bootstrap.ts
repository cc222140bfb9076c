/** How far a score can be trusted: percentile bootstrap over units, paired over several results of the same units. */
import { count } from "../data/table-view.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { Interval, TaskResult } from "../protocol/results.ts";
import { ResampledRanks } from "./correlation.ts";
import type { Measured } from "./measure.ts";
import { Pace } from "./pace.ts";
import { Random } from "./random.ts";

export const DEFAULT_RESAMPLES = 10_000;
export const DEFAULT_SEED = 0;
const LEVEL = 0.95;

/** Scores one resample, given as how often each unit was drawn. NaN where the score is not defined (constant ranks). */
type ResampleScore = (counts: Int32Array) => number;

/**
 * Scores of many resamples of the same units, the same resamples for every result, so that differences are paired.
 * The whole metric is computed anew for each: Spearman with average ranks, means as means.
 *
 * @param results measured on the same n units in the same order.
 * @returns one float64 [resamples] a result.
 * @throws {ParallaxError} work.cancelled
 * Cost: O(resamples · n · results): 1,379 pairs × 10,000 resamples in under a second. Deterministic for a seed.
 * Source: Efron and Tibshirani 1993, chapter 13.
 */
export async function bootstrapScores(
  results: readonly Measured[],
  options: { seed: number; resamples: number } & WorkContext,
): Promise<Float64Array[]> {
  const { seed, resamples } = options;
  const n = results[0]!.n;
  const random = new Random(seed);
  const counts = new Int32Array(n);
  // Gold ranks are the same for all results that share the gold column.
  const gold = new Map<Float64Array, ResampledRanks>();
  const scorers = results.map((result) => scorer(result, gold));
  const scores = results.map(() => new Float64Array(resamples));
  const goldSquares = new Map<ResampledRanks, number>();
  const pace = new Pace(options, "Resampling", "resamples");
  for (let r = 0; r < resamples; r++) {
    random.resample(counts);
    goldSquares.clear();
    for (const ranks of gold.values()) goldSquares.set(ranks, ranks.rank(counts));
    for (let k = 0; k < scorers.length; k++) scores[k]![r] = scorers[k]!(counts, goldSquares);
    if ((r & 15) === 0 && pace.due) await pace.breathe(r, resamples);
  }
  return scores;
}

function scorer(
  result: Measured,
  gold: Map<Float64Array, ResampledRanks>,
): (counts: Int32Array, goldSquares: ReadonlyMap<ResampledRanks, number>) => number {
  if (result.kind === "mean") {
    const { values, n } = result;
    const mean: ResampleScore = (counts) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += counts[i]! * values[i]!;
      return sum / n;
    };
    return mean;
  }
  const ranks = new ResampledRanks(result.x);
  let goldRanks = gold.get(result.y);
  if (goldRanks === undefined) {
    goldRanks = new ResampledRanks(result.y);
    gold.set(result.y, goldRanks);
  }
  const shared = goldRanks;
  return (counts, goldSquares) => {
    const squares = ranks.rank(counts) * goldSquares.get(shared)!;
    if (squares === 0) return Number.NaN;
    const [u, v] = [ranks.centred, shared.centred];
    let sum = 0;
    for (let i = 0; i < counts.length; i++) sum += counts[i]! * u[i]! * v[i]!;
    return sum / Math.sqrt(squares);
  };
}

/** The q-quantile of ascending values, linear between neighbours (NumPy's default). */
export function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/**
 * The central 95 % of resampled values. Resamples whose score is not defined are left out and counted in `method`.
 * @param subject what was resampled, for the sentence: n and the unit.
 */
export function percentileInterval(
  values: Float64Array,
  subject: { n: number; unit: TaskResult["unit"]; seed: number; paired?: boolean },
): Interval {
  const defined = values.filter((value) => !Number.isNaN(value)).sort();
  const left = values.length - defined.length;
  const method = `${subject.paired === true ? "paired " : ""}percentile bootstrap over ${count(subject.n)} ${subject.unit}, ${count(values.length)} resamples${left === 0 ? "" : ` (${count(left)} of them without a score)`}, seed ${subject.seed}`;
  if (defined.length === 0) return { low: Number.NaN, high: Number.NaN, level: LEVEL, method };
  return { low: quantile(defined, (1 - LEVEL) / 2), high: quantile(defined, (1 + LEVEL) / 2), level: LEVEL, method };
}

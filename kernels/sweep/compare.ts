/** Trials compared on the units of one task: intervals, paired differences, and whether there is a best one at all. */
import { bootstrapScores, percentileInterval } from "../evaluate/bootstrap.ts";
import type { Measured } from "../evaluate/measure.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { Interval } from "../protocol/results.ts";

export interface ComparedTrial {
  score: number;
  interval: Interval;
  /** This trial's score minus the leader's, and its paired interval; 0 for the leader itself. */
  toLeader: number;
  toLeaderInterval: Interval;
}

export interface TrialComparison {
  /** One a trial, in the order given. */
  trials: ComparedTrial[];
  /** Places by score, highest first; of equal ones the earlier. */
  order: number[];
  /** True when the difference between the first and the second is clear: its paired 95 % interval lies above 0. */
  clear: boolean;
}

/**
 * All trials on the same resamples of the same units, so that differences are paired.
 *
 * @param measured of the same task, in the same order of units, at least one.
 * @throws {ParallaxError} work.cancelled
 * Cost: O(resamples · n · trials). Source: Efron and Tibshirani 1993, chapter 13, as in kernels/evaluate/bootstrap.ts.
 */
export async function compareTrials(
  measured: readonly Measured[],
  options: { seed: number; resamples: number } & WorkContext,
): Promise<TrialComparison> {
  const order = measured.map((_, i) => i).sort((a, b) => measured[b]!.score - measured[a]!.score || a - b);
  const leader = order[0]!;
  const scores = await bootstrapScores(measured, options);
  const { n, unit } = measured[leader]!;
  const interval = (values: Float64Array, paired: boolean) =>
    percentileInterval(values, { n, unit, seed: options.seed, paired });
  const trials = measured.map((each, i) => ({
    score: each.score,
    interval: interval(scores[i]!, false),
    toLeader: each.score - measured[leader]!.score,
    toLeaderInterval: interval(
      scores[i]!.map((value, r) => value - scores[leader]![r]!),
      true,
    ),
  }));
  const next = order[1];
  return { trials, order, clear: next === undefined || trials[next]!.toLeaderInterval.high < 0 };
}

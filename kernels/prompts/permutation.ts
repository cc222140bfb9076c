/** Is a difference between two prompts more than chance? Paired permutation tests and Holm's correction. */
import { averageRanks } from "../evaluate/correlation.ts";
import type { Measured } from "../evaluate/measure.ts";
import { Pace } from "../evaluate/pace.ts";
import { Random } from "../evaluate/random.ts";
import type { WorkContext } from "../protocol/progress.ts";

export const PERMUTATIONS = 10_000;
/** Up to here every one of the 2^n swaps is tried. */
const EXACT_UNITS = 15;

/** Difference of the two scores after swapping the two results of the units with a 1 in `swapped`. */
type SwappedDifference = (swapped: Uint8Array) => number;

/**
 * Two-sided paired permutation tests of each result against the first: were the two results of a unit exchangeable, how
 * often would the difference be as large as the one seen?
 *
 * Every draw swaps each unit's two results with probability ½; the same draws serve all tests. With at most 15 units all
 * swaps are tried. For Spearman what is swapped are ranks within each prompt's own cosines: a common shift of all cosines
 * changes no score and must not blunt the test.
 *
 * @returns p of each result, 1 for the first: (1 + #{|swapped| ≥ |seen|}) / (1 + draws), or #/2^n when exact.
 * @throws {ParallaxError} work.cancelled
 * Cost: O(draws · n · results). Deterministic for a seed.
 * Source: Good 2005, chapter 3; Phipson and Smyth 2010 for the added one. False alarms are measured in
 *   test/prompts/permutation.test.ts.
 */
export async function permutationTests(
  results: readonly Measured[],
  options: { seed: number; draws?: number } & WorkContext,
): Promise<number[]> {
  const base = results[0]!;
  const n = base.n;
  const tests = results.slice(1).map((result) => swappedDifference(base, result));
  const swapped = new Uint8Array(n);
  const seen = tests.map((difference) => Math.abs(difference(swapped)));
  const hits = tests.map(() => 0);
  const exact = n <= EXACT_UNITS;
  const draws = exact ? 2 ** n : (options.draws ?? PERMUTATIONS);
  // A stream of its own: the bootstrap of the same seed uses the seed itself.
  const random = new Random(options.seed ^ 0x7065726d);
  const pace = new Pace(options, "Permuting", "draws");
  for (let draw = 0; draw < draws; draw++) {
    if (exact) for (let i = 0; i < n; i++) swapped[i] = (draw >> i) & 1;
    else
      for (let i = 0; i < n; ) {
        let bits = random.uint32();
        for (let k = 0; k < 32 && i < n; k++, i++, bits >>>= 1) swapped[i] = bits & 1;
      }
    // Sums of the same numbers in another order may differ in the last bits.
    for (let t = 0; t < tests.length; t++) if (Math.abs(tests[t]!(swapped)) >= seen[t]! - 1e-12) hits[t]! += 1;
    if ((draw & 15) === 0 && pace.due) await pace.breathe(draw, draws);
  }
  return [1, ...hits.map((count) => (exact ? count / draws : (1 + count) / (1 + draws)))];
}

function swappedDifference(base: Measured, other: Measured): SwappedDifference {
  if (base.kind === "spearman" && other.kind === "spearman") return swappedSpearman(base.x, other.x, base.y);
  if (base.kind === "spearman" || other.kind === "spearman")
    throw new TypeError("Two results of one task are of one kind.");
  const n = base.n;
  const gains = Float64Array.from(base.values, (value, i) => other.values[i]! - value);
  const total = gains.reduce((sum, gain) => sum + gain, 0);
  return (swapped) => {
    let moved = 0;
    for (let i = 0; i < n; i++) moved += swapped[i]! * gains[i]!;
    return (total - 2 * moved) / n;
  };
}

function swappedSpearman(x: Float64Array, z: Float64Array, y: Float64Array): SwappedDifference {
  const n = x.length;
  const centre = (values: Float64Array): Float64Array => averageRanks(values).map((rank) => rank - (n + 1) / 2);
  const [a, b, g] = [centre(x), centre(z), centre(y)];
  const dot = (u: Float64Array, v: Float64Array): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  const [aa, bb, gg, ag, bg] = [dot(a, a), dot(b, b), dot(g, g), dot(a, g), dot(b, g)];
  // What one swap moves from the base's sums to the other's.
  const [first, square, cross] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    first[i] = b[i]! - a[i]!;
    square[i] = b[i]! * b[i]! - a[i]! * a[i]!;
    cross[i] = first[i]! * g[i]!;
  }
  return (swapped) => {
    let [d1, d2, d3] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const s = swapped[i]!;
      d1 += s * first[i]!;
      d2 += s * square[i]!;
      d3 += s * cross[i]!;
    }
    const lost = (d1 * d1) / n;
    return (bg - d3) / Math.sqrt((bb - d2 - lost) * gg) - (ag + d3) / Math.sqrt((aa + d2 - lost) * gg);
  };
}

/**
 * Holm's correction: the smallest p times m, the next times m − 1, …, never falling, at most 1.
 * Source: Holm 1979. Checked against worked numbers in test/prompts/permutation.test.ts.
 */
export function holm(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((i, j) => p[i]! - p[j]!);
  const adjusted = new Array<number>(p.length).fill(1);
  let floor = 0;
  for (const [place, i] of order.entries()) {
    floor = Math.max(floor, Math.min(1, p[i]! * (p.length - place)));
    adjusted[i] = floor;
  }
  return adjusted;
}

/** Relative position bias of T5 (Raffel et al. 2020, section 2.1) and MPNet: one learnt number per head and distance. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { tensor } from "../graph/tensor.ts";

/**
 * The bucket of a distance r = key − query, both directions: half of the buckets for r > 0, half for the rest; each half
 * exact for small distances, then logarithmic up to maxDistance, past which all share the last one.
 *
 * The logarithm is taken in float32 as the original does: 16, 32, 64 lie exactly on borders.
 */
export function relativeBucket(r: number, buckets: number, maxDistance: number): number {
  const half = buckets / 2;
  const exact = half / 2;
  const base = r > 0 ? half : 0;
  const m = Math.abs(r);
  if (m < exact) return base + m;
  const f = Math.fround;
  const ratio = f(f(Math.log(f(m / exact))) / f(Math.log(maxDistance / exact)));
  return base + Math.min(half - 1, exact + Math.floor(f(ratio * (half - exact))));
}

/**
 * The bias of all pairs of positions.
 *
 * @param table  float [buckets, heads], as stored
 * @param sample any int64 or float [b, t] value: only its t is used
 * @returns      float [1, heads, t, t], to be added to scores; row = query, column = key. Any t.
 */
export function relativeBias(
  b: GraphBuilder,
  table: Value,
  sample: Value,
  { buckets, maxDistance }: { buckets: number; maxDistance: number },
): Value {
  return b.scope("relative_bias", () => {
    // Distances of maxDistance and more share a bucket, so a short list of buckets holds for every length.
    const list = Array.from({ length: 2 * maxDistance + 1 }, (_, i) =>
      BigInt(relativeBucket(i - maxDistance, buckets, maxDistance)),
    );
    const bucketOf = b.initializer("relative_buckets", tensor("int64", [list.length], BigInt64Array.from(list)));
    const length = b.shapeOf(sample, 1, 2);
    const places = b.cumSum(b.filled(length, 1), 0); // [t]: 1, 2, …
    const distance = b.sub(b.unsqueeze(places, [0]), b.unsqueeze(places, [1])); // [t, t]: key − query
    const bounded = b.min(b.max(distance, -maxDistance), maxDistance);
    const index = b.cast(b.add(bounded, maxDistance), "int64");
    const perPair = b.gather(table, b.gather(bucketOf, index)); // [t, t, heads]
    return b.unsqueeze(b.transpose(perPair, [2, 0, 1]), [0]);
  });
}

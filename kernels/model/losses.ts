/** Losses as graph parts. */
import type { GraphBuilder, Value } from "../graph/builder.ts";

export interface InfoNceOptions {
  name: "info-nce";
  /** τ: what the similarities are divided by. Default 0.05. */
  temperature?: number;
  /** Also the other way round (positives find their anchors); the mean of both. Default false. */
  symmetric?: boolean;
}

/**
 * In-batch InfoNCE (van den Oord et al. 2018): each anchor must find its positive among all positives of the batch.
 *
 * One row is a pair:  anchor [d] | positive [d]; every other positive of the batch is a negative.
 * z = anchors · positivesᵀ / τ, loss = −(1/b) Σ log softmax(z)ᵢᵢ, in nats. At chance: ln b (also when symmetric).
 * The gradient is that of the mean, so it does not grow with b. With unit vectors z is the cosine divided by τ.
 *
 * @param anchors   float [b, d]
 * @param positives float [b, d]
 * @returns         float scalar
 */
export function infoNce(b: GraphBuilder, anchors: Value, positives: Value, options: InfoNceOptions): Value {
  return b.scope("info-nce", () => {
    const temperature = options.temperature ?? 0.05;
    const z = b.gemm(anchors, positives, undefined, { transB: true, alpha: 1 / temperature }); // [b, b]
    const pairs = b.cast(b.shapeOf(z, 0, 1), z.dtype); // [1]
    const diagonal = b.eyeLike(z);
    const one = (axis: number) => {
      const chosen = b.reduceSum(b.mul(b.logSoftmax(z, axis), diagonal));
      return b.neg(b.div(chosen, b.squeeze(pairs, [0])));
    };
    if (!options.symmetric) return one(1);
    return b.mul(b.add(one(1), one(0)), 0.5);
  });
}

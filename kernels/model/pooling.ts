/** From token vectors to one vector per text, as graph parts. */
import type { GraphBuilder, Value } from "../graph/builder.ts";

export type Pooling = "mean" | "cls" | "max";

/** Below every real activation: where padding must never be the largest. */
const LOWEST = -1e9;

/**
 * One vector per text.
 *
 * @param tokens float [b, t, d]
 * @param mask   float [b, t], 1 = counts, 0 = does not; every row needs at least one 1.
 * @returns      float [b, d]: the mean or the largest of the counted tokens, or the first token's vector.
 * Source: Reimers and Gurevych 2019, section 3.
 */
export function pool(b: GraphBuilder, tokens: Value, mask: Value, pooling: Pooling): Value {
  return b.scope("pooling", () => {
    switch (pooling) {
      case "mean": {
        const count = b.max(b.reduceSum(mask, [1], true), 1e-9); // [b, 1]
        const share = b.unsqueeze(b.div(mask, count), [1]); // [b, 1, t]
        return b.squeeze(b.matMul(share, tokens), [1]);
      }
      case "cls":
        return b.squeeze(b.slice(tokens, 1, 0, 1), [1]);
      case "max": {
        const counts = b.greater(b.unsqueeze(mask, [2]), 0); // [b, t, 1]
        return b.reduceMax(b.where(counts, tokens, LOWEST), [1]);
      }
    }
  });
}

/** Each row divided by its length, or by 1e-12 when it is shorter (a row of zeros stays zeros). float [b, d]. */
export function l2Normalise(b: GraphBuilder, x: Value): Value {
  return b.scope("normalise", () => b.div(x, b.max(b.reduceL2(x, [1], true), 1e-12)));
}

/** From token vectors to one vector per text, as graph parts. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { POOLINGS, type PoolingName } from "../protocol/results.ts";

/**
 * The six ways of sentence-transformers. "cls" is the first token, "last-token" the last that counts; "weighted-mean"
 * weighs token i (from 1) by i (Muennighoff 2022, SGPT, section 3.1); "mean-sqrt-length" divides the sum by √n.
 */
export type Pooling = PoolingName;
export { POOLINGS };

/** Below every real activation: where padding must never be the largest. */
const LOWEST = -1e9;

/**
 * One vector per text.
 *
 * @param tokens float [b, t, d]
 * @param mask   float [b, t], 1 = counts, 0 = does not; every row needs at least one 1.
 * @returns      float [b, d]: see `Pooling`; a row where nothing counts gives zeros (max: -1e9).
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
      case "mean-sqrt-length": {
        const count = b.max(b.reduceSum(mask, [1], true), 1e-9); // [b, 1]
        return b.squeeze(b.matMul(b.unsqueeze(b.div(mask, b.sqrt(count)), [1]), tokens), [1]);
      }
      case "weighted-mean": {
        // Positions are counted from the start of the text, tokens that are left out included.
        const weights = b.mul(mask, placeOf(b, mask)); // [b, t]
        const total = b.max(b.reduceSum(weights, [1], true), 1e-9);
        return b.squeeze(b.matMul(b.unsqueeze(b.div(weights, total), [1]), tokens), [1]);
      }
      case "last-token": {
        const places = b.mul(mask, placeOf(b, mask)); // [b, t]: 0 where a token does not count
        const last = b.reduceMax(places, [1], true); // [b, 1]
        // 1 at the last token that counts, 0 elsewhere (also in rows where none does).
        const isLast = b.mul(b.cast(b.equal(places, last), mask.dtype), mask);
        return b.squeeze(b.matMul(b.unsqueeze(isLast, [1]), tokens), [1]);
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

/** 1, 2, 3, … along the tokens of every row. float [b, t]. */
function placeOf(b: GraphBuilder, mask: Value): Value {
  return b.cumSum(b.add(b.mul(mask, 0), 1), 1);
}

/** Each row divided by its length, or by 1e-12 when it is shorter (a row of zeros stays zeros). float [b, d]. */
export function l2Normalise(b: GraphBuilder, x: Value): Value {
  return b.scope("normalise", () => b.div(x, b.max(b.reduceL2(x, [1], true), 1e-12)));
}

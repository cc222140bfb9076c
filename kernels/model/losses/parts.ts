/** What the losses share: vectors by column, similarities, masks, and the softmax over candidates. */
import type { GraphBuilder, Value } from "../../graph/builder.ts";
import type { FalseNegatives } from "../../protocol/losses.ts";

/** The vectors of one batch. b rows; each row is an anchor, its positive and h hard negatives. */
export interface LossInputs {
  /** float [b, d] */
  anchors: Value;
  /** float [b, d] */
  positives: Value;
  /** h values float [b, d]: the first negative of every row, then the second of every row, … */
  negatives: readonly Value[];
  /** float [b, m], see LOSS_NEEDS; only for losses that read scores. */
  scores?: Value | undefined;
  /**
   * float, 1 where a candidate's text equals the row's anchor or positive and is not the row's own positive:
   * [b, (1+h)·b], columns in the order of `passages`; for GTE's loss [b, b]. Only where the loss asks for it.
   */
  sameText?: Value | undefined;
}

/** Far below every similarity: a candidate with this logit has no share in the softmax, and no gradient. */
const EXCLUDED = -1e9;

/** x · yᵀ / τ: float [n, d], [m, d] → [n, m]. The cosine over τ where vectors have length 1. */
export function similarities(b: GraphBuilder, x: Value, y: Value, temperature: number): Value {
  return b.gemm(x, y, undefined, { transB: true, alpha: 1 / temperature });
}

/** Σ x ⊙ y of each row: float [b, d], [b, d] → [b, 1]. */
export function rowDots(b: GraphBuilder, x: Value, y: Value): Value {
  return b.reduceSum(b.mul(x, y), [1], true);
}

/** All positives, then all negatives: float [(1+h)·b, d]; row i of the first b belongs to anchor i. */
export function passages(b: GraphBuilder, { positives, negatives }: LossInputs): Value {
  return negatives.length === 0 ? positives : b.concat([positives, ...negatives], 0);
}

/** Mean of a value over the rows: [b, …] summed and divided by b. A scalar. */
export function meanOverRows(b: GraphBuilder, x: Value): Value {
  const rows = b.squeeze(b.cast(b.shapeOf(x, 0, 1), x.dtype), [0]);
  return b.div(b.reduceSum(x), rows);
}

/**
 * −(1/b) Σ log softmax(z)ᵢᵢ over the last axis, where the right candidate of row i is column i.
 * @param z float [b, m], m ≥ b
 */
export function crossEntropyAtOwn(b: GraphBuilder, z: Value): Value {
  // EyeLike of a wide matrix has its ones at [i, i]: exactly the right candidates.
  return b.neg(meanOverRows(b, b.mul(b.logSoftmax(z, 1), b.eyeLike(z))));
}

/** −(1/b) Σ log softmax(z)ᵢ₀: the right candidate of every row is column 0. */
export function crossEntropyAtFirst(b: GraphBuilder, z: Value): Value {
  return b.neg(meanOverRows(b, b.slice(b.logSoftmax(z, 1), 1, 0, 1)));
}

/** z with the candidates where `mask` (float [n, m]) is 1 left out. */
export function exclude(b: GraphBuilder, z: Value, mask: Value): Value {
  return b.where(b.greater(mask, 0.5), EXCLUDED, z);
}

/** z [b, b] without its diagonal. */
export function withoutOwn(b: GraphBuilder, z: Value): Value {
  return exclude(b, z, b.eyeLike(z));
}

/**
 * z without candidates that are positives by accident.
 *
 * "same-text": where `sameText` is 1. "margin": also where the cosine to the anchor is over that of the row's own
 * positive by more than the margin (Qwen3-Embedding and GISTEmbed decide likewise, the latter by a guide); the decision
 * itself has no gradient. The row's own positive always stays.
 *
 * @param z float [b, m], cosines over τ; column i is the own positive of row i when `hasOwn`
 * @param own float [b, 1], the cosine over τ with the own positive
 */
export function excludeFalseNegatives(
  b: GraphBuilder,
  z: Value,
  rule: FalseNegatives,
  parts: { own: Value; temperature: number; sameText: Value | undefined; hasOwn: boolean },
): Value {
  if (rule.rule === "keep") return z;
  let result = parts.sameText === undefined ? z : exclude(b, z, parts.sameText);
  if (rule.rule === "margin") {
    const over = b.cast(b.greater(z, b.add(parts.own, rule.margin / parts.temperature)), z.dtype);
    result = exclude(b, result, parts.hasOwn ? b.mul(over, b.sub(1, b.eyeLike(z))) : over);
  }
  return result;
}

/** Losses for pairs with a score, and for triplets: nothing but the row itself is compared. */
import type { GraphBuilder, Value } from "../../graph/builder.ts";
import type { Loss } from "../../protocol/losses.ts";
import { exclude, type LossInputs, meanOverRows, rowDots } from "./parts.ts";

type Named<N extends Loss["name"]> = Omit<Extract<Loss, { name: N }>, "name">;

/**
 * CoSENT (Su 2022): of any two pairs of the batch, the one with the higher score is to have the higher cosine.
 *
 * Row:      anchor | other text | score
 * Value:    ln(1 + Σ_{yₐ < y_b} e^{λ(sₐ − s_b)}), nats. At chance ln(1 + number of pairs of rows with different scores).
 * Gradient: that of the sum: it depends on how many scores of the batch differ, and keeps the batch's scale.
 * Prefer:   for graded similarity (STS), where it beats squared errors: only the order counts, as in Spearman.
 */
export function cosent(b: GraphBuilder, inputs: LossInputs, { scale }: Named<"cosent">): Value {
  return b.scope("cosent", () => {
    const s = b.mul(rowDots(b, inputs.anchors, inputs.positives), scale); // [b, 1]
    const y = inputs.scores!; // [b, 1]
    const row = (x: Value) => b.transpose(x, [1, 0]);
    const difference = b.sub(s, row(s)); // [a, b]: λ(sₐ − s_b)
    const isOrdered = b.cast(b.less(y, row(y)), s.dtype);
    const terms = b.reshape(exclude(b, difference, b.sub(1, isOrdered)), [1, -1]);
    // ln(1 + Σ e^x) is minus the log-softmax of the 0 that stands for the 1.
    const zero = b.mul(b.slice(terms, 1, 0, 1), 0);
    return b.neg(b.reduceSum(b.slice(b.logSoftmax(b.concat([zero, terms], 1), 1), 1, 0, 1)));
  });
}

/**
 * Squared error of the cosine (sentence-transformers' CosineSimilarityLoss; Reimers and Gurevych 2019, section 3).
 *
 * Row:      anchor | other text | score, scaled to 0 … 1
 * Value:    (1/b) Σ (s − y)². No level of chance.
 * Gradient: that of the mean over rows.
 * Prefer:   when the cosine itself is to mean something; for rankings CoSENT is better.
 */
export function cosineMse(b: GraphBuilder, inputs: LossInputs): Value {
  return b.scope("cosine-mse", () => {
    const error = b.sub(rowDots(b, inputs.anchors, inputs.positives), inputs.scores!);
    return meanOverRows(b, b.mul(error, error));
  });
}

/**
 * Triplet loss (Schroff et al. 2015, equation 1; Reimers and Gurevych 2019, section 3).
 *
 * Row:      anchor | positive | negative 1 … h
 * Value:    mean over rows and negatives of max(0, d(a, p) − d(a, n) + margin); d = 1 − s ("cosine") or ‖a − x‖
 *           ("euclidean"). At chance the margin.
 * Gradient: that of the mean over rows and negatives; rows that keep the margin have none.
 * Prefer:   for few, hand-made triplets; InfoNCE with the same negatives learns more from each batch. For unit vectors
 *           distances end at 2, so a margin of 5, a usual default elsewhere, is never kept.
 */
export function triplet(b: GraphBuilder, inputs: LossInputs, { margin, distance }: Named<"triplet">): Value {
  return b.scope("triplet", () => {
    const { anchors, positives, negatives } = inputs;
    const far = (x: Value): Value => {
      if (distance === "cosine") return b.sub(1, rowDots(b, anchors, x));
      const apart = b.sub(anchors, x);
      // Where two vectors are equal the root has no slope; the bound gives it 0.
      return b.sqrt(b.max(b.reduceSum(b.mul(apart, apart), [1], true), 1e-12));
    };
    const near = far(positives);
    const terms = negatives.map((negative) => b.relu(b.add(b.sub(near, far(negative)), margin)));
    const all = terms.length === 1 ? terms[0]! : b.concat(terms, 1);
    return b.mul(meanOverRows(b, all), 1 / terms.length);
  });
}

/** Losses that tell the positive apart from the other texts of the batch. */
import type { GraphBuilder, Value } from "../../graph/builder.ts";
import type { Loss } from "../../protocol/losses.ts";
import {
  crossEntropyAtFirst,
  crossEntropyAtOwn,
  excludeFalseNegatives,
  type LossInputs,
  passages,
  rowDots,
  similarities,
  withoutOwn,
} from "./parts.ts";

type Named<N extends Loss["name"]> = Omit<Extract<Loss, { name: N }>, "name">;

/**
 * InfoNCE over in-batch negatives (van den Oord et al. 2018, equation 4), with hard negatives when rows have them: each
 * anchor must find its positive among all positives and all hard negatives of the batch.
 *
 * Row:      anchor | positive | negative 1 … h
 * Value:    z = anchors · passagesᵀ / τ [b, (1+h)·b], loss = −(1/b) Σ log softmax(z)ᵢᵢ, nats. At chance ln((1+h)·b).
 *           `symmetric` is the mean with the way back, where each positive must find its anchor: chance ln b.
 * Gradient: that of the mean over rows, so it does not grow with b; it grows with 1/τ.
 * Prefer:   for pairs without scores, which is most data. Larger batches are harder and better (`chunk`).
 */
export function infoNce(b: GraphBuilder, inputs: LossInputs, options: Named<"info-nce">): Value {
  return b.scope("info-nce", () => {
    const { temperature, symmetric, falseNegatives } = options;
    const z = similarities(b, inputs.anchors, passages(b, inputs), temperature);
    const own = b.reduceSum(b.mul(z, b.eyeLike(z)), [1], true);
    const clean = (logits: Value, sameText: Value | undefined) =>
      excludeFalseNegatives(b, logits, falseNegatives, { own, temperature, sameText, hasOwn: true });
    const there = crossEntropyAtOwn(b, clean(z, inputs.sameText));
    if (!symmetric) return there;
    // The way back: column i of the positives' part. Its same-text mask is the transposed first part.
    const width = 1 + inputs.negatives.length;
    const first = (x: Value) => (width === 1 ? x : b.split(x, width, 1)[0]!);
    const back = b.transpose(first(z), [1, 0]);
    const mask = inputs.sameText === undefined ? undefined : b.transpose(first(inputs.sameText), [1, 0]);
    return b.mul(b.add(there, crossEntropyAtOwn(b, clean(back, mask))), 0.5);
  });
}

/**
 * GTE's contrastive loss (Li et al. 2023, equation 2): the denominator also holds the other anchors of the batch for the
 * anchor, and both for the positive.
 *
 * Row:      anchor q | positive d
 * Value:    −(1/b) Σ log e^{s(qᵢ,dᵢ)/τ} / Zᵢ, Zᵢ = Σⱼ e^{s(qᵢ,dⱼ)/τ} + Σ_{j≠i} e^{s(qᵢ,qⱼ)/τ} + Σⱼ e^{s(dᵢ,qⱼ)/τ}
 *           + Σ_{j≠i} e^{s(dᵢ,dⱼ)/τ}. At chance ln(4b − 2). The third sum counts the row's own pair once more
 *           (`ownPairTwice`), so the loss cannot fall below ln 2; without it j ≠ i there, chance ln(4b − 3), floor 0.
 * Gradient: that of the mean over rows.
 * Prefer:   for pairs whose two sides are of one kind (questions with questions), and for small batches.
 */
export function gteLoss(b: GraphBuilder, inputs: LossInputs, options: Named<"gte">): Value {
  return b.scope("gte", () => {
    const { temperature, ownPairTwice, falseNegatives } = options;
    const { anchors: q, positives: d } = inputs;
    const zqd = similarities(b, q, d, temperature);
    const own = b.reduceSum(b.mul(zqd, b.eyeLike(zqd)), [1], true);
    const clean = (z: Value, hasOwn: boolean) =>
      excludeFalseNegatives(b, z, falseNegatives, { own, temperature, sameText: inputs.sameText, hasOwn });
    const zdq = b.transpose(zqd, [1, 0]);
    const parts = [
      clean(zqd, true),
      withoutOwn(b, clean(similarities(b, q, q, temperature), true)),
      ownPairTwice ? clean(zdq, true) : withoutOwn(b, clean(zdq, true)),
      withoutOwn(b, clean(similarities(b, d, d, temperature), true)),
    ];
    return crossEntropyAtOwn(b, b.concat(parts, 1));
  });
}

/**
 * InstructOR's loss as its trainer has it: the anchor against its own positive and the hard negatives of the whole batch
 * (not the other positives), plus the positive against all anchors.
 *
 * Row:      anchor | positive | negative 1 … h (each with its own instruction)
 * Value:    (a) −(1/b) Σ log e^{s(qᵢ,pᵢ)/τ} / (e^{s(qᵢ,pᵢ)/τ} + Σⱼ e^{s(qᵢ,nⱼ)/τ}) + (b) −(1/b) Σ log softmax of
 *           s(pᵢ,qⱼ)/τ over j. At chance ln(h·b + 1) + ln b. The sum of both ways, not their mean.
 * Gradient: that of the means over rows.
 * Prefer:   to redo InstructOR (Su et al. 2023, section 2.3): rows of one task a batch, instructions out of the mean.
 */
export function instructorLoss(b: GraphBuilder, inputs: LossInputs, { temperature }: Named<"instructor">): Value {
  return b.scope("instructor", () => {
    const { anchors, positives, negatives } = inputs;
    const own = b.mul(rowDots(b, anchors, positives), 1 / temperature); // [b, 1]
    const others = negatives.map((negative) => similarities(b, anchors, negative, temperature));
    const there = crossEntropyAtFirst(b, b.concat([own, ...others], 1));
    return b.add(there, crossEntropyAtOwn(b, similarities(b, positives, anchors, temperature)));
  });
}

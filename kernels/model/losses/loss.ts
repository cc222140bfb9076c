/** From the settings of a run to its loss as a part of a graph. */
import type { GraphBuilder, Value } from "../../graph/builder.ts";
import { ParallaxError } from "../../protocol/errors.ts";
import { LOSS_NEEDS, type Loss, type Matryoshka } from "../../protocol/losses.ts";
import { l2Normalise } from "../pooling.ts";
import { gteLoss, infoNce, instructorLoss } from "./contrastive.ts";
import { distillation, marginMse } from "./distillation.ts";
import { cosent, cosineMse, triplet } from "./graded.ts";
import type { LossInputs } from "./parts.ts";

export interface LossPlan {
  loss: Loss;
  matryoshka: Matryoshka | null;
  /** Hard negatives of each row, h. */
  negatives: number;
}

/** Inputs that a loss adds to the graph beside the vectors. */
export const SCORES_INPUT = "scores";
export const SAME_TEXT_INPUT = "same_text";

/** Columns of texts that a step embeds: anchors, positives and h columns of negatives. */
export function columnsOf({ negatives }: LossPlan): number {
  return 2 + negatives;
}

/** Numbers a row in the input `scores`, 0 when the loss reads none. */
export function scoresOf({ loss, negatives }: LossPlan): number {
  const { scores } = LOSS_NEEDS[loss.name];
  return scores === "none" ? 0 : scores === "pair" ? 1 : 1 + negatives;
}

/** Whether the loss wants to know which candidates are equal texts, and how many columns of b candidates it has. */
export function sameTextColumns({ loss, negatives }: LossPlan): number {
  if (loss.name === "gte") return loss.falseNegatives.rule === "keep" ? 0 : 1;
  if (loss.name === "info-nce") return loss.falseNegatives.rule === "keep" ? 0 : 1 + negatives;
  return 0;
}

/**
 * The loss of a batch, a scalar.
 *
 * @param vectors float [(2+h)·b, d]: anchors, positives, then each column of negatives. Length 1 for cosines.
 * @param isNormalised whether cuts of the vectors (Matryoshka) are to be made of length 1 again.
 * @throws {ParallaxError} train.bad-temperature
 */
export function buildLoss(b: GraphBuilder, vectors: Value, plan: LossPlan, isNormalised: boolean): Value {
  const { loss, matryoshka } = plan;
  if ("temperature" in loss && !(loss.temperature > 0 && Number.isFinite(loss.temperature)))
    throw new ParallaxError("train.bad-temperature", `The temperature is ${loss.temperature}.`, {
      hint: "Use a number above 0; 0.02 to 0.05 is usual.",
    });
  const dtype = vectors.dtype;
  const scored = scoresOf(plan);
  const sameWidth = sameTextColumns(plan);
  const scores = scored === 0 ? undefined : b.input(SCORES_INPUT, dtype, ["b", scored]);
  const sameText =
    sameWidth === 0 ? undefined : b.input(SAME_TEXT_INPUT, dtype, ["b", sameWidth === 1 ? "b" : `${sameWidth}*b`]);
  const of = (x: Value): Value => {
    const [anchors, positives, ...negatives] = b.split(x, columnsOf(plan), 0);
    return oneLoss(b, { anchors: anchors!, positives: positives!, negatives, scores, sameText }, loss);
  };
  if (matryoshka === null) return of(vectors);
  const terms = matryoshka.dimensions.map((size, i) => {
    const cut = size === vectors.shape[1] ? vectors : b.slice(vectors, 1, 0, size);
    return b.mul(of(isNormalised ? l2Normalise(b, cut) : cut), matryoshka.weights[i]!);
  });
  return terms.reduce((sum, term) => b.add(sum, term));
}

function oneLoss(b: GraphBuilder, inputs: LossInputs, loss: Loss): Value {
  switch (loss.name) {
    case "info-nce":
      return infoNce(b, inputs, loss);
    case "gte":
      return gteLoss(b, inputs, loss);
    case "instructor":
      return instructorLoss(b, inputs, loss);
    case "distillation":
      return distillation(b, inputs, loss);
    case "margin-mse":
      return marginMse(b, inputs, loss);
    case "cosent":
      return cosent(b, inputs, loss);
    case "cosine-mse":
      return cosineMse(b, inputs);
    case "triplet":
      return triplet(b, inputs, loss);
  }
}

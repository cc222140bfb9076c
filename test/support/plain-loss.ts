/** InfoNCE over in-batch negatives and nothing else, as the plan of a training step. */
import type { LossPlan } from "../../kernels/model/losses/loss.ts";

export function plainInfoNce(temperature = 0.05, symmetric = false): LossPlan {
  return {
    loss: { name: "info-nce", temperature, symmetric, falseNegatives: { rule: "keep" } },
    matryoshka: null,
    negatives: 0,
  };
}

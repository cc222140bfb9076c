/** The losses of a fine-tune, as a run's config says them. The formulas are in kernels/model/losses. */
import { z } from "zod";

const temperature = z.number().positive();

/** What the similarities of a contrastive loss are compared with, and what it makes of accidental positives. */
const falseNegatives = z.discriminatedUnion("rule", [
  /** Every other text of the batch is a negative. */
  z.object({ rule: z.literal("keep") }),
  /** A text that equals the row's positive is left out of the row's negatives. */
  z.object({ rule: z.literal("same-text") }),
  /** The same, and every text more similar to the anchor than its positive by more than `margin` (cosine). */
  z.object({ rule: z.literal("margin"), margin: z.number() }),
]);
export type FalseNegatives = z.infer<typeof falseNegatives>;

export const lossSchema = z.discriminatedUnion("name", [
  z.object({
    name: z.literal("info-nce"),
    temperature,
    symmetric: z.boolean(),
    falseNegatives: falseNegatives.default({ rule: "same-text" }),
  }),
  z.object({
    name: z.literal("gte"),
    temperature,
    /** The third sum of the denominator counts the row's own pair again, as the table of the paper does. */
    ownPairTwice: z.boolean(),
    falseNegatives: falseNegatives.default({ rule: "same-text" }),
  }),
  z.object({ name: z.literal("instructor"), temperature }),
  z.object({
    name: z.literal("distillation"),
    temperature,
    /** The teacher's scores are divided by it before their softmax. */
    teacherTemperature: temperature,
    /** Weight of InfoNCE beside the divergence; 0 for none. */
    contrastive: z.number().min(0),
  }),
  z.object({ name: z.literal("margin-mse"), scale: z.number().positive() }),
  z.object({ name: z.literal("cosent"), scale: z.number().positive() }),
  z.object({ name: z.literal("cosine-mse") }),
  z.object({
    name: z.literal("triplet"),
    margin: z.number().positive(),
    distance: z.enum(["cosine", "euclidean"]),
  }),
]);
export type Loss = z.infer<typeof lossSchema>;
export type LossName = Loss["name"];

/** The same loss on the first dimensions of every vector, made of length 1 again, and their weighted sum. */
export const matryoshkaSchema = z.object({
  dimensions: z.array(z.number().int().positive()).min(1),
  weights: z.array(z.number().positive()).min(1),
});
export type Matryoshka = z.infer<typeof matryoshkaSchema>;

export interface LossNeeds {
  /** How many negatives each row must carry: none are read, any number will do, or at least one. */
  negatives: "ignored" | "optional" | "required";
  /** What `scores` of a row holds: nothing, one number for the pair, or one for the positive and one for each negative. */
  scores: "none" | "pair" | "candidates";
  /** Other rows of the batch serve as negatives, so equal texts and groups must not share one. */
  inBatch: boolean;
}

/** What a loss reads of a row. */
export const LOSS_NEEDS: Readonly<Record<LossName, LossNeeds>> = {
  "info-nce": { negatives: "optional", scores: "none", inBatch: true },
  gte: { negatives: "ignored", scores: "none", inBatch: true },
  instructor: { negatives: "required", scores: "none", inBatch: true },
  distillation: { negatives: "required", scores: "candidates", inBatch: true },
  "margin-mse": { negatives: "required", scores: "candidates", inBatch: false },
  cosent: { negatives: "ignored", scores: "pair", inBatch: false },
  "cosine-mse": { negatives: "ignored", scores: "pair", inBatch: false },
  triplet: { negatives: "required", scores: "none", inBatch: false },
};

/**
 * The loss of an encoder that tells nothing apart, in nats: what a curve starts from at chance. Null where there is no
 * such level (regressions).
 *
 * @param batchSize rows; @param negatives hard negatives of each row.
 */
export function chanceLevel(loss: Loss, batchSize: number, negatives: number): number | null {
  const n = batchSize;
  switch (loss.name) {
    case "info-nce":
      // The way back has the n anchors alone to choose from.
      return loss.symmetric ? (Math.log(n * (1 + negatives)) + Math.log(n)) / 2 : Math.log(n * (1 + negatives));
    case "gte":
      return Math.log(loss.ownPairTwice ? 4 * n - 2 : 4 * n - 3);
    case "instructor":
      return Math.log(n + 1) + Math.log(n);
    case "triplet":
      return loss.margin;
    case "distillation":
    case "margin-mse":
    case "cosent":
    case "cosine-mse":
      return null;
  }
}

/** "InfoNCE, both directions, temperature 0.05": a loss in a few words. */
export function describeLoss(loss: Loss): string {
  switch (loss.name) {
    case "info-nce":
      return `InfoNCE${loss.symmetric ? ", both directions" : ""}, temperature ${loss.temperature}`;
    case "gte":
      return `GTE's InfoNCE in four parts, temperature ${loss.temperature}`;
    case "instructor":
      return `InstructOR's InfoNCE both ways, temperature ${loss.temperature}`;
    case "distillation":
      return `KL divergence from a teacher, temperature ${loss.temperature}${loss.contrastive > 0 ? `, plus ${loss.contrastive} × InfoNCE` : ""}`;
    case "margin-mse":
      return `margin-MSE, scale ${loss.scale}`;
    case "cosent":
      return `CoSENT, scale ${loss.scale}`;
    case "cosine-mse":
      return "squared error of the cosine";
    case "triplet":
      return `triplet, ${loss.distance} distance, margin ${loss.margin}`;
  }
}

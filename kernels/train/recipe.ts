/** The recipe of a fine-tune: its options with their defaults, checked. */
import { ParallaxError } from "../protocol/errors.ts";
import { BatchPlan } from "./batches.ts";
import type { Pair } from "./pairs.ts";

export interface RecipeOptions {
  /** Pairs a step; each is told apart from the others of its batch. 2 and up, default 32. More is harder and better. */
  batchSize?: number | undefined;
  /** Default: one epoch. */
  steps?: number | undefined;
  /** Passes over the pairs, instead of steps. May be a fraction. */
  epochs?: number | undefined;
  /** Highest learning rate, default 2e-5; 1e-5 for larger encoders. */
  learningRate?: number | undefined;
  /** Share of the steps in which the rate climbs, 0 to 1, default 0.1. */
  warmupRatio?: number | undefined;
  /** What the rate does after the warm-up: falls to 0 ("linear", default) or stays ("constant"). */
  schedule?: "linear" | "constant" | undefined;
  /** Default 0.01, not applied to biases and layer norms. 0 for none. */
  weightDecay?: number | undefined;
  /** Longer gradients are scaled down to this norm. Default 1. */
  clipNorm?: number | undefined;
  /** Cosines are divided by it: lower is sharper. Default 0.05. */
  temperature?: number | undefined;
  /** Also tell anchors apart by their positives; the loss is the mean of both directions. Default false. */
  symmetric?: boolean | undefined;
  /** Longer texts are cut in training. Default 128 or what the encoder takes, if that is less. */
  maxTokens?: number | undefined;
  /** Default true: a fifth faster, and words that the pairs lack keep their meaning. */
  freezeWordEmbeddings?: boolean | undefined;
  /** Templates with {text} for the two sides. Default none. */
  prompts?: { anchor?: string | undefined; positive?: string | undefined } | undefined;
  /** Order of the pairs, and resamples of the intervals. Default 0. */
  seed?: number | undefined;
  /** Steps between checkpoints, default 50. */
  checkpointEvery?: number | undefined;
  /** Steps between evaluations, default a quarter of the steps. */
  evaluateEvery?: number | undefined;
  /** Threads of ONNX Runtime; a resumed run uses the same number. Default: from the size of the encoder. */
  threads?: number | undefined;
}

export interface Recipe {
  batchSize: number;
  steps: number;
  learningRate: number;
  warmupRatio: number;
  schedule: "linear" | "constant";
  weightDecay: number;
  clipNorm: number;
  loss: { name: "info-nce"; temperature: number; symmetric: boolean };
  maxTokens: number;
  freezeWordEmbeddings: boolean;
  prompts: { anchor: string; positive: string };
  seed: number;
  checkpointEvery: number;
  evaluateEvery: number;
}

const whole = (least: number) => ({
  says: `a whole number from ${least}`,
  holds: (value: number) => Number.isSafeInteger(value) && value >= least,
});
const over0 = { says: "a number over 0", holds: (value: number) => value > 0 && Number.isFinite(value) };
const from0 = { says: "a number from 0", holds: (value: number) => value >= 0 && Number.isFinite(value) };

const NUMBERS = {
  batchSize: whole(2),
  steps: whole(1),
  epochs: over0,
  learningRate: over0,
  warmupRatio: { says: "a number from 0 to 1", holds: (value: number) => value >= 0 && value <= 1 },
  weightDecay: from0,
  clipNorm: over0,
  temperature: over0,
  maxTokens: whole(3),
  seed: { says: "a whole number", holds: Number.isSafeInteger },
  checkpointEvery: whole(1),
  evaluateEvery: whole(1),
  threads: whole(1),
} as const;

/**
 * @throws {ParallaxError} train.bad-option names the option, its value and what it may be. Cost: none but the numbers.
 */
export function checkOptions(options: RecipeOptions): void {
  for (const [name, { says, holds }] of Object.entries(NUMBERS)) {
    const value = options[name as keyof typeof NUMBERS] as unknown;
    if (value === undefined || (typeof value === "number" && holds(value))) continue;
    throw new ParallaxError(
      "train.bad-option",
      `${name} is ${typeof value === "string" ? JSON.stringify(value) : String(value)}; it must be ${says}. Nothing was started.`,
      {
        hint: `Leave ${name} out for the default.`,
        details: { option: name, value: String(value) },
      },
    );
  }
  if (options.steps !== undefined && options.epochs !== undefined)
    throw new ParallaxError(
      "train.bad-option",
      `Both steps (${options.steps}) and epochs (${options.epochs}) were given. Nothing was started.`,
      {
        hint: "Give one of them.",
        details: { option: "epochs" },
      },
    );
  if (options.schedule !== undefined && options.schedule !== "linear" && options.schedule !== "constant")
    throw new ParallaxError(
      "train.bad-option",
      `schedule is ${JSON.stringify(options.schedule)}; it must be "linear" or "constant". Nothing was started.`,
      {
        hint: "Leave schedule out for the default.",
        details: { option: "schedule" },
      },
    );
}

/**
 * Options with their defaults.
 * @param most tokens that the encoder takes.
 * @throws {ParallaxError} train.bad-option, train.no-batch
 */
export function fillRecipe(options: RecipeOptions, pairs: readonly Pair[], most: number): Recipe {
  checkOptions(options);
  const { batchSize = 32, seed = 0, maxTokens = Math.min(128, most) } = options;
  if (maxTokens > most)
    throw new ParallaxError(
      "train.bad-option",
      `maxTokens is ${maxTokens}; the encoder takes at most ${most}. Nothing was started.`,
      {
        hint: `Use maxTokens ${most} or less.`,
        details: { option: "maxTokens", most },
      },
    );
  const perEpoch = new BatchPlan(pairs, batchSize, seed).batchesPerEpoch;
  const steps = options.steps ?? Math.max(1, Math.round((options.epochs ?? 1) * perEpoch));
  return {
    batchSize,
    steps,
    learningRate: options.learningRate ?? 2e-5,
    warmupRatio: options.warmupRatio ?? 0.1,
    schedule: options.schedule ?? "linear",
    weightDecay: options.weightDecay ?? 0.01,
    clipNorm: options.clipNorm ?? 1,
    loss: { name: "info-nce", temperature: options.temperature ?? 0.05, symmetric: options.symmetric ?? false },
    maxTokens,
    freezeWordEmbeddings: options.freezeWordEmbeddings ?? true,
    prompts: { anchor: options.prompts?.anchor ?? "", positive: options.prompts?.positive ?? "" },
    seed,
    checkpointEvery: options.checkpointEvery ?? 50,
    evaluateEvery: options.evaluateEvery ?? Math.max(1, Math.ceil(steps / 4)),
  };
}

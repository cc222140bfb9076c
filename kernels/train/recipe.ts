/** The recipe of a fine-tune: its options with their defaults, checked. */
import { z } from "zod";
import { ParallaxError } from "../protocol/errors.ts";
import { LOSS_NEEDS, type Loss, type LossName, lossSchema, type Matryoshka } from "../protocol/losses.ts";
import { type Lora, loraSchema, type RunConfig } from "../protocol/run-files.ts";
import { BatchPlan } from "./batches.ts";
import type { TrainingRow } from "./rows.ts";

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
  /** What the rate does after the warm-up: falls to 0 ("linear", default, or "cosine") or stays ("constant"). */
  schedule?: "linear" | "cosine" | "constant" | undefined;
  /** Default 0.01, not applied to biases and layer norms. 0 for none. */
  weightDecay?: number | undefined;
  /** Longer gradients are scaled down to this norm. Default 1. */
  clipNorm?: number | undefined;
  /** What is made small, by name or with its settings. Default "info-nce". docs/fine-tuning.md compares them. */
  loss?: LossName | LossOptions | undefined;
  /** Cosines are divided by it: lower is sharper. Default 0.05. Short for loss.temperature. */
  temperature?: number | undefined;
  /** InfoNCE only: also tell anchors apart by their positives; the mean of both directions. Default false. */
  symmetric?: boolean | undefined;
  /** Train also the first so many dimensions of every vector: sizes, or sizes with weights (default 1 each). */
  matryoshka?:
    | readonly number[]
    | { dimensions: readonly number[]; weights?: readonly number[] | undefined }
    | undefined;
  /** Hard negatives read of each row. Default: as many as every row has, for losses that read them. */
  negatives?: number | undefined;
  /** Batches averaged before a step of the optimiser, default 1. For more negatives use `chunk` instead. */
  accumulate?: number | undefined;
  /** Texts embedded at once (GradCache): batches of thousands in the memory of a chunk. Default: the whole batch. */
  chunk?: number | undefined;
  /** One task a batch, and how sizes of tasks count (p ∝ size^exponent). Default: apart when rows have tasks, 1. */
  tasks?: { apart?: boolean | undefined; exponent?: number | undefined } | undefined;
  /** Each layer learns this much slower than the one above, 0 to 1. Default 1. */
  layerDecay?: number | undefined;
  /** Lowest layers that stay as they are. Default 0. */
  freezeLayers?: number | undefined;
  /** Share of activations set to 0 while training, 0 to 0.9. Default 0. */
  dropout?: number | undefined;
  /** Train small adapters instead of the weights: true, or its settings. Default: the weights. */
  lora?: boolean | Partial<Lora> | undefined;
  /** Longer texts are cut in training. Default 128 or what the encoder takes, if that is less. */
  maxTokens?: number | undefined;
  /** Default true: a fifth faster, and words that the pairs lack keep their meaning. */
  freezeWordEmbeddings?: boolean | undefined;
  /** Templates with {text} for each side. Default none; negatives get what positives get. */
  prompts?: { anchor?: string | undefined; positive?: string | undefined; negative?: string | undefined } | undefined;
  /** Order of the pairs, and resamples of the intervals. Default 0. */
  seed?: number | undefined;
  /** Steps between checkpoints, default 50. */
  checkpointEvery?: number | undefined;
  /** Steps between evaluations, default a quarter of the steps. */
  evaluateEvery?: number | undefined;
  /** Evaluations without a new best after which the run ends. Default: it goes to its last step. */
  patience?: number | undefined;
  /** What is exported: the last weights (default), or the checkpoint with the best score. */
  keep?: "last" | "best" | undefined;
  /** Threads of ONNX Runtime; a resumed run uses the same number. Default: from the size of the encoder. */
  threads?: number | undefined;
}

/** A loss by name, with as many of its settings as one likes. */
export type LossOptions = {
  [N in LossName]: { name: N } & Partial<Omit<Extract<Loss, { name: N }>, "name">>;
}[LossName];

/** What of a run's config follows from the options and the rows. */
export type Recipe = Pick<
  RunConfig,
  | "batchSize"
  | "accumulate"
  | "chunk"
  | "tasks"
  | "steps"
  | "learningRate"
  | "warmupRatio"
  | "schedule"
  | "weightDecay"
  | "clipNorm"
  | "layerDecay"
  | "loss"
  | "matryoshka"
  | "maxTokens"
  | "freezeWordEmbeddings"
  | "freezeLayers"
  | "dropout"
  | "lora"
  | "prompts"
  | "seed"
  | "checkpointEvery"
  | "keep"
> & { negatives: number; evaluateEvery: number; patience: number | null };

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
  negatives: whole(0),
  accumulate: whole(1),
  chunk: whole(1),
  layerDecay: { says: "a number over 0, at most 1", holds: (value: number) => value > 0 && value <= 1 },
  freezeLayers: whole(0),
  dropout: { says: "a number from 0 to 0.9", holds: (value: number) => value >= 0 && value <= 0.9 },
  patience: whole(1),
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
  oneOf(options, "schedule", ["linear", "cosine", "constant"]);
  oneOf(options, "keep", ["last", "best"]);
  lossOf(options);
  loraOf(options.lora);
}

function oneOf<K extends "schedule" | "keep">(options: RecipeOptions, name: K, values: readonly string[]): void {
  const value = options[name];
  if (value === undefined || values.includes(value)) return;
  throw badOption(name, value, `one of ${values.map((each) => `"${each}"`).join(", ")}`);
}

function badOption(option: string, value: unknown, says: string): ParallaxError {
  const found = typeof value === "string" || typeof value === "object" ? JSON.stringify(value) : String(value);
  return new ParallaxError("train.bad-option", `${option} is ${found}; it must be ${says}. Nothing was started.`, {
    hint: `Leave ${option} out for the default.`,
    details: { option, value: String(value) },
  });
}

/** Each loss with its usual settings. Their sources stand with each loss in kernels/model/losses. */
const LOSS_DEFAULTS: { [N in LossName]: Extract<Loss, { name: N }> } = {
  "info-nce": { name: "info-nce", temperature: 0.05, symmetric: false, falseNegatives: { rule: "same-text" } },
  gte: { name: "gte", temperature: 0.05, ownPairTwice: true, falseNegatives: { rule: "same-text" } },
  instructor: { name: "instructor", temperature: 0.05 },
  distillation: { name: "distillation", temperature: 0.05, teacherTemperature: 1, contrastive: 0.2 },
  "margin-mse": { name: "margin-mse", scale: 1 },
  cosent: { name: "cosent", scale: 20 },
  "cosine-mse": { name: "cosine-mse" },
  triplet: { name: "triplet", margin: 0.2, distance: "cosine" },
};

/** The loss that the options ask for. @throws {ParallaxError} train.bad-option */
function lossOf({ loss, temperature, symmetric }: RecipeOptions): Loss {
  const asked = typeof loss === "string" ? { name: loss } : (loss ?? { name: "info-nce" as const });
  const names = Object.keys(LOSS_DEFAULTS);
  if (typeof asked !== "object" || asked === null || !names.includes(asked.name))
    throw badOption(
      "loss",
      typeof asked === "object" && asked !== null ? asked.name : asked,
      `one of ${names.join(", ")}`,
    );
  const defaults = LOSS_DEFAULTS[asked.name];
  for (const [option, value] of Object.entries({ temperature, symmetric }))
    if (value !== undefined && !(option in defaults))
      throw badOption(option, value, `left out: the loss ${asked.name} has none`);
  const whole = {
    ...defaults,
    ...(temperature === undefined ? {} : { temperature }),
    ...(symmetric === undefined ? {} : { symmetric }),
    ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
  };
  const unknown = Object.keys(asked).find((key) => !(key in defaults));
  if (unknown !== undefined)
    throw badOption(
      `loss.${unknown}`,
      (asked as Record<string, unknown>)[unknown],
      `left out: the loss ${asked.name} knows ${Object.keys(defaults).join(", ")}`,
    );
  const parsed = lossSchema.safeParse(whole);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.join(".");
  throw badOption(`loss.${field}`, (whole as Record<string, unknown>)[field], issue.message);
}

/** Rank 8, alpha 16 on the query and value layers, as the paper's section 4.2 finds enough. */
const LORA_DEFAULTS: Lora = { rank: 8, alpha: 16, dropout: 0, targets: ["query", "value"] };

function loraOf(lora: RecipeOptions["lora"]): Lora | null {
  if (lora === undefined || lora === false) return null;
  const parsed = loraSchema.strict().safeParse({ ...LORA_DEFAULTS, ...(lora === true ? {} : lora) });
  if (parsed.success) return parsed.data;
  throw badOption("lora", lora, z.prettifyError(parsed.error));
}

function matryoshkaOf(asked: RecipeOptions["matryoshka"], dimensions: number): Matryoshka | null {
  if (asked === undefined) return null;
  const { dimensions: sizes, weights } = "dimensions" in asked ? asked : { dimensions: asked, weights: undefined };
  const fits = sizes.length > 0 && sizes.every((size) => Number.isSafeInteger(size) && size >= 1 && size <= dimensions);
  if (!fits) throw badOption("matryoshka", sizes, `sizes from 1 to ${dimensions}`);
  const weighed = weights ?? sizes.map(() => 1);
  if (weighed.length !== sizes.length || !weighed.every((weight) => weight > 0 && Number.isFinite(weight)))
    throw badOption("matryoshka.weights", weighed, `${sizes.length} numbers over 0`);
  return { dimensions: [...sizes], weights: [...weighed] };
}

/** Hard negatives that every row has. */
function negativesOf(options: RecipeOptions, loss: Loss, rows: readonly TrainingRow[]): number {
  const needs = LOSS_NEEDS[loss.name];
  if (needs.negatives === "ignored") return 0;
  const fewest = rows.reduce((least, row) => Math.min(least, row.negatives?.length ?? 0), Number.POSITIVE_INFINITY);
  const used = options.negatives ?? (Number.isFinite(fewest) ? fewest : 0);
  if (used > fewest || (needs.negatives === "required" && used === 0))
    throw new ParallaxError(
      "train.no-negatives",
      `The loss ${loss.name} was asked to read ${Math.max(1, used)} hard negative${used > 1 ? "s" : ""} of each row; row ${rows.findIndex((row) => (row.negatives?.length ?? 0) === fewest) + 1} has ${fewest}. Nothing was started.`,
      {
        hint: "Mine hard negatives first (mineNegatives), or use a loss without them: info-nce.",
        details: { used, fewest },
      },
    );
  return used;
}

/** @throws {ParallaxError} train.bad-scores */
function checkScores(loss: Loss, negatives: number, rows: readonly TrainingRow[]): void {
  const { scores } = LOSS_NEEDS[loss.name];
  if (scores === "none") return;
  const wanted = scores === "pair" ? 1 : 1 + negatives;
  const bad = rows.findIndex((row) => (row.scores?.length ?? 0) < wanted || !row.scores!.every(Number.isFinite));
  if (bad < 0) return;
  throw new ParallaxError(
    "train.bad-scores",
    `The loss ${loss.name} needs ${wanted === 1 ? "a score" : `${wanted} scores`} in each row; row ${bad + 1} has ${JSON.stringify(rows[bad]!.scores ?? [])}. Nothing was started.`,
    {
      hint:
        scores === "pair"
          ? 'Name the column of the scores: columns: { score: "…" }.'
          : "Let a teacher score the rows first (scoreRows).",
      details: { row: bad, wanted },
    },
  );
}

/**
 * Options with their defaults.
 * @param most tokens that the encoder takes. @param dimensions of its vectors. @param layers it has.
 * @throws {ParallaxError} train.bad-option, train.no-batch, train.no-negatives, train.bad-scores
 */
export function fillRecipe(
  options: RecipeOptions,
  rows: readonly TrainingRow[],
  { most, dimensions, layers }: { most: number; dimensions: number; layers: number },
): Recipe {
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
  const { freezeLayers = 0 } = options;
  if (freezeLayers > layers)
    throw badOption("freezeLayers", freezeLayers, `at most ${layers}: the encoder has no more`);
  const loss = lossOf(options);
  const negatives = negativesOf(options, loss, rows);
  checkScores(loss, negatives, rows);
  const tasks = {
    apart: options.tasks?.apart ?? rows.some((row) => row.task !== undefined),
    exponent: options.tasks?.exponent ?? 1,
  };
  const accumulate = options.accumulate ?? 1;
  const perEpoch = new BatchPlan(rows, { batchSize, seed, tasks, loss, negatives }).batchesPerEpoch;
  const steps = options.steps ?? Math.max(1, Math.round(((options.epochs ?? 1) * perEpoch) / accumulate));
  const positive = options.prompts?.positive ?? "";
  return {
    batchSize,
    accumulate,
    chunk: options.chunk ?? null,
    tasks,
    steps,
    learningRate: options.learningRate ?? 2e-5,
    warmupRatio: options.warmupRatio ?? 0.1,
    schedule: options.schedule ?? "linear",
    weightDecay: options.weightDecay ?? 0.01,
    clipNorm: options.clipNorm ?? 1,
    layerDecay: options.layerDecay ?? 1,
    loss,
    matryoshka: matryoshkaOf(options.matryoshka, dimensions),
    negatives,
    maxTokens,
    freezeWordEmbeddings: options.freezeWordEmbeddings ?? true,
    freezeLayers,
    dropout: options.dropout ?? 0,
    lora: loraOf(options.lora),
    prompts: { anchor: options.prompts?.anchor ?? "", positive, negative: options.prompts?.negative ?? positive },
    seed,
    checkpointEvery: options.checkpointEvery ?? 50,
    evaluateEvery: options.evaluateEvery ?? Math.max(1, Math.ceil(steps / 4)),
    patience: options.patience ?? null,
    keep: options.keep ?? "last",
  };
}

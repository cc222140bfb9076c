/**
 * The files of a run folder. A run is a folder: whoever reads these files knows all there is to know, whichever process
 * wrote them. `config.json` is written once, `status.json` is replaced atomically, `metrics.jsonl` only grows.
 *
 *   runs/<id>/config.json  status.json  metrics.jsonl  log.txt  data/  checkpoints/step-N/  export/
 *   runs/<id>/label.json   what a person called the run and wrote beside it; absent until somebody does
 *   runs/<id>/stop         its presence asks the trainer to stop: "after-step" (keep a checkpoint) or "now"
 */
import { z } from "zod";
import { errorDataSchema } from "./errors.ts";
import { chanceLevel, lossSchema, matryoshkaSchema } from "./losses.ts";
import { POOLINGS } from "./results.ts";

export const RUN_FILES = {
  config: "config.json",
  status: "status.json",
  metrics: "metrics.jsonl",
  log: "log.txt",
  stop: "stop",
  label: "label.json",
  data: "data",
  checkpoints: "checkpoints",
  export: "export",
} as const;

/** Low-rank adapters (Hu et al. 2021): W x + (alpha / rank) · B A dropout(x) on the chosen linear layers. */
export const loraSchema = z.object({
  rank: z.number().int().positive(),
  alpha: z.number().positive(),
  dropout: z.number().min(0).max(0.9),
  /** Which linear layers: "query", "key", "value", "output" of the attention, "inner", "outer" of the feed-forward. */
  targets: z.array(z.enum(["query", "key", "value", "output", "inner", "outer"])).min(1),
});
export type Lora = z.infer<typeof loraSchema>;

export const RUN_CONFIG_VERSION = 2;

export const runConfigSchema = z.object({
  version: z.literal(RUN_CONFIG_VERSION),
  id: z.string().min(1),
  /** Two words, for people: "lively-otter". */
  name: z.string().min(1),
  kind: z.literal("fine-tune"),
  createdAt: z.string(),
  parallaxVersion: z.string(),
  encoder: z.object({
    /** What the user named: "default", an absolute folder. */
    reference: z.string(),
    name: z.string(),
    weightsSha256: z.string(),
    /** What was in force when the run was made, whether a file or the user said it. */
    spec: z.object({
      pooling: z.enum(POOLINGS),
      normalise: z.boolean(),
      maxTokens: z.number().int().positive(),
      prompts: z.record(z.string(), z.string()),
    }),
  }),
  data: z.object({
    /** Rows inside the run folder: one JSON object a line, see TrainingRow. */
    file: z.string(),
    n: z.number().int().positive(),
    sha256: z.string(),
    /** Where it came from, for people. */
    source: z.string(),
    /** Hard negatives that a step reads of each row. */
    negatives: z.number().int().min(0),
  }),
  loss: lossSchema,
  matryoshka: matryoshkaSchema.nullable(),
  batchSize: z.number().int().min(2),
  /** Batches whose gradients are averaged before a step of the optimiser. Not the same as a larger batch. */
  accumulate: z.number().int().positive(),
  /** Texts that are embedded at once; the loss sees the whole batch (GradCache). Null: all at once. */
  chunk: z.number().int().positive().nullable(),
  /** Rows of one batch come from one `task`, drawn in proportion to size^exponent. */
  tasks: z.object({ apart: z.boolean(), exponent: z.number().min(0) }),
  steps: z.number().int().positive(),
  learningRate: z.number().positive(),
  warmupRatio: z.number().min(0).max(1),
  schedule: z.enum(["linear", "cosine", "constant"]),
  weightDecay: z.number().min(0),
  clipNorm: z.number().positive(),
  /** The learning rate of each layer is that of the layer above times this; 1 for one rate. */
  layerDecay: z.number().positive().max(1),
  maxTokens: z.number().int().positive(),
  freezeWordEmbeddings: z.boolean(),
  /** Layers that stay as they are, counted from the embeddings: 0 for none, 3 for the embeddings and layers 0 to 2. */
  freezeLayers: z.number().int().min(0),
  /** Share of activations set to 0 in training, as the family's authors place dropout. */
  dropout: z.number().min(0).max(0.9),
  /** Null: the weights themselves are trained. */
  lora: loraSchema.nullable(),
  /** Instruction put before anchors, before positives and before negatives; "" for none. */
  prompts: z.object({ anchor: z.string(), positive: z.string(), negative: z.string() }),
  seed: z.number().int(),
  checkpointEvery: z.number().int().positive(),
  /**
   * Tasks to score before, during and after; files inside the run folder (JSON task data), or null. The first one's
   * main score says which checkpoint is best.
   */
  evaluation: z
    .object({
      files: z.array(z.string()).min(1),
      every: z.number().int().positive(),
      /** Evaluations without a new best score after which the run ends. Null: it goes to its last step. */
      patience: z.number().int().positive().nullable(),
    })
    .nullable(),
  /** What becomes the export: the last weights, or the checkpoint with the best score. */
  keep: z.enum(["last", "best"]),
  provider: z.string(),
  threads: z.number().int().positive(),
});
export type RunConfig = z.infer<typeof runConfigSchema>;

/** Loss of an encoder that tells nothing apart, all sizes of a Matryoshka loss counted. Null where there is none. */
export function chanceLoss({ loss, batchSize, data, matryoshka }: RunConfig): number | null {
  const level = chanceLevel(loss, batchSize, data.negatives);
  const weight = matryoshka?.weights.reduce((sum, each) => sum + each, 0) ?? 1;
  return level === null ? null : level * weight;
}

/** What a field was before it existed: a config of version 1 as one of version 2. Same numbers. */
export function upgradeRunConfig(value: unknown): unknown {
  if (typeof value !== "object" || value === null || (value as { version?: unknown }).version !== 1) return value;
  const old = value as Record<string, unknown> & {
    data?: object;
    loss?: object;
    prompts?: object;
    evaluation?: { file?: unknown; every?: unknown } | null;
  };
  return {
    ...old,
    version: RUN_CONFIG_VERSION,
    data: { ...old.data, negatives: 0 },
    loss: { ...old.loss, falseNegatives: { rule: "keep" } },
    matryoshka: null,
    accumulate: 1,
    chunk: null,
    tasks: { apart: false, exponent: 1 },
    layerDecay: 1,
    freezeLayers: 0,
    dropout: 0,
    lora: null,
    prompts: { ...old.prompts, negative: "" },
    evaluation: old.evaluation
      ? { files: [old.evaluation.file], every: old.evaluation.every, patience: null }
      : (old.evaluation ?? null),
    keep: "last",
  };
}

/** What a whole run is expected to take, and from what that was worked out. Milliseconds and bytes. */
export const runEstimateSchema = z.object({
  elapsedMs: z.number(),
  /** Highest resident memory of the trainer. */
  memoryBytes: z.number(),
  /** One step, one round of all evaluation tasks, one checkpoint, the export. Absent in older runs. */
  stepMs: z.number().optional(),
  evaluationMs: z.number().optional(),
  checkpointMs: z.number().optional(),
  exportMs: z.number().optional(),
});
export type RunEstimate = z.infer<typeof runEstimateSchema>;

export const runStatusSchema = z.object({
  version: z.literal(1),
  state: z.enum(["starting", "running", "stopping", "stopped", "done", "failed"]),
  /** Process that writes the folder; null when none does. A dead pid with state "running" means it was killed. */
  pid: z.number().int().nullable(),
  step: z.number().int(),
  steps: z.number().int(),
  startedAt: z.string().nullable(),
  updatedAt: z.string(),
  /** Steps per second over the last steps. */
  rate: z.number().nullable(),
  etaMs: z.number().nullable(),
  lastCheckpoint: z.number().int().nullable(),
  /** Resident memory of the trainer, bytes. */
  memoryBytes: z.number().nullable(),
  /** What the whole run was expected to take, made from measured steps before the first one that counts. */
  estimate: runEstimateSchema.nullable().optional(),
  /** What it took, all processes of the run together; the memory is the highest of any. Null until it is done. */
  actual: z.object({ elapsedMs: z.number(), memoryBytes: z.number() }).nullable().optional(),
  /** Why it is done: all its steps, or `evaluation.patience`. */
  ended: z.enum(["all-steps", "patience"]).optional(),
  /** The step whose weights are exported. */
  exportedStep: z.number().int().optional(),
  error: errorDataSchema.nullable(),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

export const runMetricSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("step"),
    step: z.number().int(),
    epoch: z.number(),
    /** Nats for losses over a softmax; see chanceLevel. */
    loss: z.number(),
    learningRate: z.number(),
    /** Euclidean norm of the whole gradient before clipping. */
    gradNorm: z.number(),
    elapsedMs: z.number(),
  }),
  z.object({
    kind: z.literal("eval"),
    step: z.number().int(),
    metric: z.string(),
    score: z.number(),
    low: z.number(),
    high: z.number(),
    n: z.number().int(),
    seed: z.number().int(),
    task: z.string(),
  }),
]);
export type RunMetric = z.infer<typeof runMetricSchema>;

/** What a person says of a run. */
export const runLabelSchema = z.object({
  /** Shown in place of config.name; "" for none. */
  name: z.string(),
  notes: z.string(),
  /** Other runs are compared with this one. */
  pinned: z.boolean(),
});
export type RunLabel = z.infer<typeof runLabelSchema>;

/** What a list of runs shows of each. */
export const runSummarySchema = z.object({
  /** Absolute path of the run folder: the id of a run within one host. */
  folder: z.string(),
  config: runConfigSchema,
  status: runStatusSchema,
  /** True when status says running and its process is alive. */
  alive: z.boolean(),
  /** Absent while nobody labelled it. */
  label: runLabelSchema.optional(),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** What to call a run: as a person named it, else by its own two words. */
export function runTitle({ config, label }: Pick<RunSummary, "config" | "label">): string {
  return label === undefined || label.name === "" ? config.name : label.name;
}

/**
 * The status to show: a trainer that was killed could not say so itself, so a folder that claims to be running while
 * its process is gone is shown as stopped, with what is kept and what to do.
 *
 * @param alive whether the process that status.pid names is still there.
 */
export function shownStatus(status: RunStatus, alive: boolean): RunStatus {
  const claimsToRun = status.state === "running" || status.state === "stopping" || status.state === "starting";
  if (alive || !claimsToRun || status.pid === null) return status;
  const kept =
    status.lastCheckpoint === null
      ? "No checkpoint was written yet, so it would begin again."
      : `Checkpoint ${status.lastCheckpoint} is kept.`;
  return {
    ...status,
    state: "stopped",
    pid: null,
    rate: null,
    etaMs: null,
    error: {
      code: "train.killed",
      kind: "environment",
      message: `The training process ${status.pid} ended without a word at step ${status.step} of ${status.steps}: it was killed, or the machine ran out of memory or power. ${kept}`,
      hint: "Resume the run: it goes on to the same numbers.",
    },
  };
}

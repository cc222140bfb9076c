/**
 * The files of a run folder. A run is a folder: whoever reads these files knows all there is to know, whichever process
 * wrote them. `config.json` is written once, `status.json` is replaced atomically, `metrics.jsonl` only grows.
 *
 *   runs/<id>/config.json  status.json  metrics.jsonl  log.txt  data/  checkpoints/step-N/  export/
 *   runs/<id>/stop         its presence asks the trainer to stop: "after-step" (keep a checkpoint) or "now"
 */
import { z } from "zod";
import { errorDataSchema } from "./errors.ts";
import { POOLINGS } from "./results.ts";

export const RUN_FILES = {
  config: "config.json",
  status: "status.json",
  metrics: "metrics.jsonl",
  log: "log.txt",
  stop: "stop",
  data: "data",
  checkpoints: "checkpoints",
  export: "export",
} as const;

export const runConfigSchema = z.object({
  version: z.literal(1),
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
    /** Pairs file inside the run folder: one JSON object a line, {"anchor": string, "positive": string, "group"?: string}. */
    file: z.string(),
    n: z.number().int().positive(),
    sha256: z.string(),
    /** Where it came from, for people. */
    source: z.string(),
  }),
  loss: z.object({ name: z.literal("info-nce"), temperature: z.number().positive(), symmetric: z.boolean() }),
  batchSize: z.number().int().min(2),
  steps: z.number().int().positive(),
  learningRate: z.number().positive(),
  warmupRatio: z.number().min(0).max(1),
  schedule: z.enum(["linear", "constant"]),
  weightDecay: z.number().min(0),
  clipNorm: z.number().positive(),
  maxTokens: z.number().int().positive(),
  freezeWordEmbeddings: z.boolean(),
  /** Instruction put before anchors and before positives; "" for none. */
  prompts: z.object({ anchor: z.string(), positive: z.string() }),
  seed: z.number().int(),
  checkpointEvery: z.number().int().positive(),
  /** Task to score before, during and after; file inside the run folder (JSON task data), or null. */
  evaluation: z.object({ file: z.string(), every: z.number().int().positive() }).nullable(),
  provider: z.string(),
  threads: z.number().int().positive(),
});
export type RunConfig = z.infer<typeof runConfigSchema>;

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
  estimate: z.object({ elapsedMs: z.number(), memoryBytes: z.number() }).nullable().optional(),
  error: errorDataSchema.nullable(),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

export const runMetricSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("step"),
    step: z.number().int(),
    epoch: z.number(),
    /** Nats. Chance is ln(batchSize) for one direction. */
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

/** What a list of runs shows of each. */
export const runSummarySchema = z.object({
  /** Absolute path of the run folder: the id of a run within one host. */
  folder: z.string(),
  config: runConfigSchema,
  status: runStatusSchema,
  /** True when status says running and its process is alive. */
  alive: z.boolean(),
});
export type RunSummary = z.infer<typeof runSummarySchema>;

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

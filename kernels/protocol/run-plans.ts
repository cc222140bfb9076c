/** What a page asks about runs before they start and beside their curves: data to train on, cost, what a folder holds. */
import { z } from "zod";
import { runSummarySchema } from "./run-files.ts";

/** Rows of a data file or of a run that are shown. */
export const PREVIEW_ROWS = 5;
/** Characters of a text that are shown. */
export const PREVIEW_CHARACTERS = 300;

/** The head of a table, its values as texts. */
export const dataPreviewSchema = z.object({
  /** Absolute path. */
  file: z.string(),
  n: z.number().int(),
  sizeBytes: z.number(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.string())),
});
export type DataPreview = z.infer<typeof dataPreviewSchema>;

/** What a form asks `fineTune` for: the same names, as plain values. Paths are absolute or relative to the root. */
export const runRequestSchema = z.object({
  encoder: z.string(),
  pairs: z.string(),
  columns: z.record(z.string(), z.string()).optional(),
  evaluation: z.string().optional(),
  /** Rows that repeat an earlier one are left out. */
  dropDuplicates: z.boolean().optional(),
  /** Make some steps for the answer: seconds, and one evaluation. Else it is worked out. */
  measure: z.boolean().optional(),
  recipe: z.record(z.string(), z.unknown()),
});
export type RunRequest = z.infer<typeof runRequestSchema>;

/** A row as a run trains on it. */
export const shownRowSchema = z.object({
  anchor: z.string(),
  positive: z.string(),
  negatives: z.array(z.string()).optional(),
  scores: z.array(z.number()).optional(),
  group: z.string().optional(),
  task: z.string().optional(),
});
export type ShownRow = z.infer<typeof shownRowSchema>;

export const runPlanSchema = z.object({
  /** Rows that would be trained on. */
  n: z.number().int(),
  rows: z.array(shownRowSchema),
  /** Rows that repeat an earlier one. */
  duplicates: z.number().int(),
  /** Hard negatives that a step reads of each row. */
  negatives: z.number().int(),
  steps: z.number().int(),
  batchSize: z.number().int(),
  maxTokens: z.number().int(),
  weightsSha256: z.string(),
  /** Resident memory of the trainer, bytes: calculated, or measured when that was asked for. */
  memoryBytes: z.number(),
  /** The whole run by steps made just now; null when it was not measured. */
  measuredMs: z.number().nullable(),
  freeBytes: z.number(),
  /** Sentences to read first. */
  notes: z.array(z.string()),
  /** The whole run; null where nothing on this computer was measured yet. */
  elapsedMs: z.number().nullable(),
  /** What the time was worked out from, for people. */
  elapsedFrom: z.string().nullable(),
});
export type RunPlan = z.infer<typeof runPlanSchema>;

export const runDetailsSchema = z.object({
  rows: z.array(shownRowSchema),
  /** Rows that repeat an earlier one, rows whose two texts are the same, different groups, tasks; null when unreadable. */
  report: z
    .object({
      n: z.number().int(),
      duplicates: z.number().int(),
      equalSides: z.number().int(),
      groups: z.number().int(),
      tasks: z.array(z.object({ name: z.string(), n: z.number().int() })),
    })
    .nullable(),
  checkpoints: z.array(
    z.object({
      step: z.number().int(),
      bytes: z.number(),
      writtenAt: z.string(),
      score: z.number().nullable(),
    }),
  ),
  /** Files that the run is scored on, with what tells two of them apart. */
  evaluation: z.array(z.object({ file: z.string(), sha256: z.string() })),
  /** The export is whole. */
  exported: z.boolean(),
});
export type RunDetails = z.infer<typeof runDetailsSchema>;

const folder = z.object({ folder: z.string() });

export const runMethods = {
  /** The first rows of a data file, and how many there are. */
  preview: { params: z.object({ file: z.string() }), result: dataPreviewSchema },
  /** Checks a request as fineTune does and says what it will take. Nothing is kept. */
  plan: { params: runRequestSchema, result: runPlanSchema },
  details: { params: folder, result: runDetailsSchema },
  /** What a person writes beside a run. A name of "" gives the run its own name back. */
  label: {
    params: folder.extend({ name: z.string().max(80).optional(), notes: z.string().max(100_000).optional() }),
    result: z.object({ run: runSummarySchema }),
  },
  /** The run that others are compared with; null for none. */
  pin: { params: z.object({ folder: z.string().nullable() }), result: z.object({}) },
  /** A new run that goes on from a checkpoint of another, perhaps at another learning rate; it starts at once. */
  fork: {
    params: folder.extend({ step: z.number().int().positive(), learningRate: z.number().positive().optional() }),
    result: folder,
  },
} as const;

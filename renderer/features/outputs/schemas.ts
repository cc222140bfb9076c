/**
 * Shapes of our own MIME types, checked before a view sees them: a saved file may come from anywhere. JSON has no NaN,
 * so a number that is null (or missing where it only adds information) reads as NaN and is shown as "–".
 */
import { z } from "zod";
import type { MapView, RunView, TableView, ValuePreview } from "../../../kernels/protocol/display.ts";
import { type CellError, cellErrorSchema } from "../../../kernels/protocol/kernel-messages.ts";
import { POOLINGS, type PromptReport, type TaskResult } from "../../../kernels/protocol/results.ts";
import { runMetricSchema } from "../../../kernels/protocol/run-files.ts";

const number = z
  .union([z.number(), z.null(), z.literal("NaN"), z.literal("Infinity"), z.literal("-Infinity")])
  .transform((value) => (value === null ? Number.NaN : Number(value)));
const count = z.number().int().nonnegative();
const text = z.string();

const interval = z.object({ low: number, high: number, level: number.default(0.95), method: text.default("") });

const encoder = z.object({
  reference: text.default(""),
  name: text,
  architecture: text.default(""),
  dimensions: z.number().default(0),
  maxTokens: z.number().default(0),
  pooling: z.enum([...POOLINGS, "static", "model"]).default("mean"),
  normalised: z.boolean().default(true),
  weightsSha256: text.default(""),
  provider: text.default(""),
  precision: text.default(""),
});

const encodeReport = z.object({
  n: z.number().default(0),
  tokens: z.number().default(0),
  truncated: z.array(z.number()).default([]),
  maxTokens: z.number().default(0),
  empty: z.array(z.number()).default([]),
  unknownShare: number.default(0),
  scripts: z.array(z.tuple([z.string(), z.number()])).default([]),
  elapsedMs: number.default(Number.NaN),
  textsPerSecond: number.default(Number.NaN),
  warnings: z.array(z.string()).default([]),
});

const valueSchema = z.object({
  version: z.literal(1),
  name: text.optional(),
  type: text,
  bytes: z.number().nonnegative().optional(),
  preview: text,
  cut: z.boolean().default(false),
});

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const tableSchema = z.object({
  version: z.literal(1),
  title: text.optional(),
  columns: z.array(
    z.object({
      name: text,
      kind: z.enum(["text", "number", "boolean"]).catch("text"),
      decimals: z.number().int().min(0).max(12).optional().catch(undefined),
      unit: text.optional(),
    }),
  ),
  rows: z.array(z.array(cell)),
  total: count,
  notes: z.array(text).default([]),
});

const mapSchema = z
  .object({
    version: z.literal(1),
    n: count.max(2_000_000),
    dimensions: count,
    points: text,
    texts: z.array(text),
    labels: z.array(text).optional(),
    labelName: text.optional(),
    neighbours: text,
    similarities: text,
    k: count,
    metric: text,
    method: text,
    minDist: number.default(Number.NaN),
    epochs: number.default(Number.NaN),
    seed: number.default(Number.NaN),
    trustworthiness: number.default(Number.NaN),
    trustworthinessK: number.default(Number.NaN),
    trustworthinessN: number.default(Number.NaN),
    notes: z.array(text).default([]),
    encoderName: text.optional(),
  })
  .refine((map) => map.texts.length === map.n, { message: "texts and n disagree", path: ["texts"] })
  .refine((map) => map.labels === undefined || map.labels.length === map.n, {
    message: "labels and n disagree",
    path: ["labels"],
  });

const runSchema = z.object({
  version: z.literal(1),
  folder: text,
  relative: text.optional(),
  name: text,
  chanceLoss: number.nullable(),
  base: z
    .object({ metric: text, score: number, low: number, high: number, n: z.number(), seed: z.number() })
    .optional(),
  steps: count,
  /** A line that cannot be read is left out: the curve stays. */
  snapshot: z.array(z.unknown()).transform((lines) =>
    lines.flatMap((line) => {
      const parsed = runMetricSchema.safeParse(line);
      return parsed.success ? [parsed.data] : [];
    }),
  ),
  state: z.enum(["starting", "running", "stopping", "stopped", "done", "failed"]),
});

const taskType = z.enum(["sts", "retrieval", "classification"]);
const unit = z.enum(["pairs", "queries", "texts"]);

const taskSchema = z.object({
  version: z.literal(1),
  task: text,
  taskType,
  metric: text,
  score: number,
  n: count,
  unit,
  seed: number,
  interval,
  more: z.record(z.string(), number).default({}),
  encoder,
  prompts: z.record(z.string(), text).default({}),
  report: encodeReport,
  elapsedMs: number.default(Number.NaN),
});

const promptsSchema = z.object({
  version: z.literal(1),
  task: text,
  taskType,
  metric: text,
  n: count,
  unit,
  seed: number,
  encoder,
  baseline: text,
  scores: z
    .array(
      z.object({
        name: text,
        template: z.record(z.string(), text).default({}),
        score: number,
        interval,
        delta: number,
        deltaInterval: interval,
        p: number.default(Number.NaN),
        pHolm: number.default(Number.NaN),
        clear: z.boolean().default(false),
        report: encodeReport,
      }),
    )
    .min(1),
  best: text,
  worst: text,
  gap: number,
  gapInterval: interval,
  gapByChance: number.default(Number.NaN),
  moved: z
    .array(z.object({ row: z.number(), text: text, prompt: text, cosine: number, gain: number, change: text }))
    .default([]),
  elapsedMs: number.default(Number.NaN),
});

export type Parsed<T> = { ok: true; value: T } | { ok: false; reason: string };

function parser<T>(schema: z.ZodType): (data: unknown) => Parsed<T> {
  return (data) => {
    const parsed = schema.safeParse(typeof data === "string" ? fromJson(data) : data);
    if (parsed.success) return { ok: true, value: parsed.data as T };
    const issue = parsed.error.issues[0];
    return { ok: false, reason: `${issue?.path.join(".") || "data"}: ${issue?.message ?? "unreadable"}` };
  };
}

/** Some writers store +json types as text. Broken text stays text, and the schema then says what is wrong. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const parseValue = parser<ValuePreview>(valueSchema);
export const parseTable = parser<TableView>(tableSchema);
export const parseMap = parser<MapView>(mapSchema);
export const parseRun = parser<RunView>(runSchema);
export const parseTask = parser<TaskResult>(taskSchema);
export const parsePrompts = parser<PromptReport>(promptsSchema);
export const parseCellError = parser<CellError>(cellErrorSchema);
export const parsePlotly = parser<{ data: Record<string, unknown>[]; layout: Record<string, unknown> }>(
  z.object({ data: z.array(z.record(z.string(), z.unknown())), layout: z.record(z.string(), z.unknown()).default({}) }),
);

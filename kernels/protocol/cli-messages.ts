/**
 * What the command line and its computing process say to each other. The command line parses words and prints; the
 * process computes. One request, then progress, then one answer.
 */
import { z } from "zod";
import { errorDataSchema } from "./errors.ts";

const encoder = z.string();

/** Where training rows come from. */
const rowSource = {
  file: z.string(),
  columns: z.object({
    anchor: z.string().nullable(),
    positive: z.string().nullable(),
    negatives: z.array(z.string()),
    group: z.string().nullable(),
  }),
  dropBad: z.boolean(),
};

/** One line a command: what it needs, already checked. Paths are absolute. */
export const cliRequestSchema = z.discriminatedUnion("command", [
  z.object({
    command: z.literal("encode"),
    encoder,
    file: z.string(),
    column: z.string(),
    prompt: z.string().nullable(),
    out: z.string(),
  }),
  z.object({
    command: z.literal("eval"),
    encoder,
    task: z.string(),
    prompt: z.string().nullable(),
    documentPrompt: z.string().nullable(),
    seed: z.number().int(),
    resamples: z.number().int(),
  }),
  z.object({
    command: z.literal("compare"),
    encoder,
    task: z.string(),
    prompts: z.string(),
    seed: z.number().int(),
    resamples: z.number().int(),
  }),
  z.object({
    command: z.literal("precision"),
    encoder,
    task: z.string(),
    /** Empty: all. */
    precisions: z.array(z.string()),
    vectors: z.array(
      z.object({
        type: z.enum(["float32", "int8", "binary"]),
        dimensions: z.number().int().nullable(),
        ranges: z.enum(["measured", "fixed"]),
      }),
    ),
    documents: z.number().int().nullable(),
    /** A table of texts for int8 ranges, or how many of the task's texts. */
    calibration: z.union([z.object({ file: z.string(), column: z.string() }), z.number().int()]).nullable(),
    seed: z.number().int(),
    resamples: z.number().int(),
  }),
  z.object({
    command: z.literal("map"),
    encoder,
    file: z.string(),
    column: z.string().nullable(),
    labels: z.string().nullable(),
    out: z.string(),
    seed: z.number().int(),
    neighbours: z.number().int(),
  }),
  z.object({ command: z.literal("train"), config: z.string(), dryRun: z.boolean().default(false) }),
  z.object({ command: z.literal("sweep"), config: z.string() }),
  z.object({
    command: z.literal("mine"),
    ...rowSource,
    encoder,
    out: z.string(),
    negatives: z.number().int(),
    ranks: z.tuple([z.number().int(), z.number().int()]),
    margin: z.number().nullable(),
    relativeMargin: z.number().nullable(),
    sample: z.enum(["top", "random"]),
    short: z.enum(["drop", "keep", "fill"]),
    corpus: z.object({ file: z.string(), column: z.string() }).nullable(),
    seed: z.number().int(),
  }),
  z.object({
    command: z.literal("filter"),
    ...rowSource,
    encoder,
    out: z.string(),
    pool: z.number().int(),
    k: z.number().int(),
    seed: z.number().int(),
  }),
  z.object({
    command: z.literal("leaks"),
    ...rowSource,
    tasks: z.array(z.string()),
    /** Where the other rows go; null only looks. */
    out: z.string().nullable(),
    documents: z.boolean(),
  }),
  z.object({ command: z.literal("resume"), folder: z.string() }),
  z.object({ command: z.literal("runs"), folder: z.string() }),
  z.object({
    command: z.literal("corpus-encode"),
    encoder,
    file: z.string(),
    column: z.string(),
    id: z.string().nullable(),
    prompt: z.string().nullable(),
    out: z.string(),
    dtype: z.enum(["float32", "float16", "int8"]),
  }),
  z.object({
    command: z.literal("corpus-nearest"),
    folder: z.string(),
    queries: z.array(z.string()).min(1),
    k: z.number().int(),
    exact: z.boolean().nullable(),
    /** File with one query a line; null: none. */
    heldOut: z.string().nullable(),
    prompt: z.string().nullable(),
  }),
  z.object({ command: z.literal("cache"), action: z.enum(["info", "clear"]) }),
  z.object({ command: z.literal("doctor") }),
  z.object({
    command: z.literal("gpu"),
    /** plan: what an install would fetch, nothing changed. */
    action: z.enum(["plan", "install", "status", "remove"]),
    /** Address of a NuGet v3 index. */
    source: z.string().nullable(),
  }),
  z.discriminatedUnion("action", [
    z.object({ command: z.literal("encoders"), action: z.literal("list"), all: z.boolean() }),
    z.object({ command: z.literal("encoders"), action: z.literal("find"), query: z.string(), limit: z.number().int() }),
    z.object({
      command: z.literal("encoders"),
      action: z.literal("download"),
      id: z.string(),
      revision: z.string().nullable(),
      variant: z.string().nullable(),
      trustHub: z.boolean(),
    }),
    z.object({ command: z.literal("encoders"), action: z.literal("remove"), id: z.string() }),
    z.object({ command: z.literal("encoders"), action: z.literal("measure"), encoder }),
    z.object({ command: z.literal("encoders"), action: z.literal("settings") }),
    /** Null forgets it. */
    z.object({ command: z.literal("encoders"), action: z.literal("set-token"), token: z.string().nullable() }),
  ]),
]);
export type CliRequest = z.infer<typeof cliRequestSchema>;

export const cliReplySchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("progress"),
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.string(),
    rate: z.number().optional(),
    etaMs: z.number().optional(),
    note: z.string().optional(),
  }),
  /** A sentence for stderr: warnings, what was written where. */
  z.object({ type: z.literal("note"), text: z.string() }),
  /** `text` for people, `json` for --json; `ok: false` makes the exit code 1 although an answer came (doctor). */
  z.object({ type: z.literal("result"), text: z.string(), json: z.unknown(), ok: z.boolean() }),
  z.object({ type: z.literal("error"), error: errorDataSchema }),
]);
export type CliReply = z.infer<typeof cliReplySchema>;

/** Exit codes that a script can rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

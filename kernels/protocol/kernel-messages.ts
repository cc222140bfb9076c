/**
 * What host and kernel say to each other, over Node's IPC channel, in both directions validated on arrival.
 * A kernel says busy before and idle after each request, whatever happens in between.
 */
import { z } from "zod";
import { keychainSchema } from "./encoders.ts";
import { errorDataSchema } from "./errors.ts";

/** Raised when either side's messages change shape; both compare it in the handshake. */
export const KERNEL_PROTOCOL_VERSION = 1;

const mimeBundle = z.record(z.string(), z.unknown());

/** Where in which cell. Lines and columns count from 1. */
export const cellFrameSchema = z.object({
  cellId: z.string(),
  /** Execution count of that cell when it ran, for "Cell [5]". */
  executionCount: z.number().int().nullable(),
  line: z.number().int(),
  column: z.number().int(),
  functionName: z.string().optional(),
});
export type CellFrame = z.infer<typeof cellFrameSchema>;

export const cellErrorSchema = z.object({
  error: errorDataSchema,
  /** Error class as the user knows it: "TypeError", "ParallaxError". */
  name: z.string(),
  /** Frames in the user's cells, innermost first. */
  frames: z.array(cellFrameSchema),
  /** Library frames, folded by the view. */
  libraryFrames: z.array(z.string()),
});
export type CellError = z.infer<typeof cellErrorSchema>;

export const toKernelSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("execute"),
    requestId: z.string(),
    cellId: z.string(),
    code: z.string(),
  }),
  /** Names that each cell defines and uses, without running anything. Answered by "analysis". */
  z.object({
    type: z.literal("analyse"),
    requestId: z.string(),
    cells: z.array(z.object({ cellId: z.string(), code: z.string() })),
  }),
  /** Stops the running cell, keeps variables. Also cancels encodes, maps and waits of that cell. */
  z.object({ type: z.literal("interrupt") }),
  z.object({ type: z.literal("variables"), requestId: z.string() }),
  /** A closer look at one variable: its display bundle, cut. */
  z.object({ type: z.literal("inspect"), requestId: z.string(), name: z.string() }),
  /** The desktop app's keychain with the hub's token, for downloads from cells. Kept in memory, shown nowhere. */
  z.object({ type: z.literal("keychain"), keychain: keychainSchema }),
  z.object({ type: z.literal("shutdown") }),
]);
export type ToKernel = z.infer<typeof toKernelSchema>;

export const variableSchema = z.object({
  name: z.string(),
  /** "Float32 [200, 384]", "string[2000]", "function". */
  type: z.string(),
  bytes: z.number().nullable(),
  preview: z.string(),
  /** Cell that last defined it. */
  cellId: z.string(),
});
export type Variable = z.infer<typeof variableSchema>;

export const cellNamesSchema = z.object({
  cellId: z.string(),
  defines: z.array(z.string()),
  /** Free names that the cell reads and that are no globals. */
  uses: z.array(z.string()),
});
export type CellNames = z.infer<typeof cellNamesSchema>;

export const fromKernelSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), version: z.number().int(), pid: z.number().int(), node: z.string() }),
  z.object({ type: z.literal("busy"), requestId: z.string() }),
  z.object({ type: z.literal("idle"), requestId: z.string() }),
  z.object({
    type: z.literal("stream"),
    cellId: z.string(),
    name: z.enum(["stdout", "stderr"]),
    text: z.string(),
  }),
  /** A display. With `displayId` set, a later message with the same id and `update` replaces it in place. */
  z.object({
    type: z.literal("display"),
    cellId: z.string(),
    data: mimeBundle,
    metadata: z.record(z.string(), z.unknown()),
    displayId: z.string().optional(),
    update: z.boolean(),
  }),
  /** The value of the cell's last expression (nbformat: execute_result). */
  z.object({
    type: z.literal("result"),
    cellId: z.string(),
    data: mimeBundle,
    metadata: z.record(z.string(), z.unknown()),
    executionCount: z.number().int(),
  }),
  z.object({ type: z.literal("error"), cellId: z.string(), error: cellErrorSchema }),
  z.object({ type: z.literal("clear"), cellId: z.string(), wait: z.boolean() }),
  z.object({
    type: z.literal("progress"),
    cellId: z.string(),
    /** One bar per job; the same id is updated, and goes when finished is true. */
    jobId: z.string(),
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    unit: z.string(),
    rate: z.number().optional(),
    etaMs: z.number().optional(),
    note: z.string().optional(),
    finished: z.boolean(),
  }),
  /** A fine-tune was started or resumed from a cell; it lives in its own process. */
  z.object({ type: z.literal("run-started"), cellId: z.string(), folder: z.string() }),
  z.object({
    type: z.literal("done"),
    requestId: z.string(),
    cellId: z.string(),
    status: z.enum(["ok", "error", "interrupted"]),
    executionCount: z.number().int(),
    elapsedMs: z.number(),
    names: cellNamesSchema,
  }),
  z.object({ type: z.literal("analysis"), requestId: z.string(), cells: z.array(cellNamesSchema) }),
  z.object({ type: z.literal("variables"), requestId: z.string(), variables: z.array(variableSchema) }),
  z.object({
    type: z.literal("inspected"),
    requestId: z.string(),
    data: mimeBundle.optional(),
    error: errorDataSchema.optional(),
  }),
  /** Every two seconds while something changed: for the title bar. */
  z.object({
    type: z.literal("stats"),
    memoryBytes: z.number(),
    sessions: z.number().int(),
    encoders: z.array(z.string()),
  }),
]);
export type FromKernel = z.infer<typeof fromKernelSchema>;

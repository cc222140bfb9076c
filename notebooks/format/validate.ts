/** Checks operations that come from another process, in depth: what passes is what nbformat and the reducer can hold. */
import { z } from "zod";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { isValidCellId } from "./ids.ts";
import type { NotebookOp } from "./model.ts";

const json = z.record(z.string(), z.unknown());
const cellType = z.enum(["code", "markdown", "raw"]);
const streamName = z.enum(["stdout", "stderr"]);
const count = z.number().int().nullable();

const outputSchema = z.discriminatedUnion("output_type", [
  z.looseObject({ output_type: z.literal("stream"), name: streamName, text: z.string() }),
  z.looseObject({ output_type: z.literal("display_data"), data: json, metadata: json }),
  z.looseObject({ output_type: z.literal("execute_result"), data: json, metadata: json, execution_count: count }),
  z.looseObject({
    output_type: z.literal("error"),
    ename: z.string(),
    evalue: z.string(),
    traceback: z.array(z.string()),
  }),
]);
/** Outputs of a type that nbformat does not know yet come back with an undone deletion. */
const anyOutput = z.union([outputSchema, z.looseObject({ output_type: z.string() })]);

const cellSchema = z.looseObject({
  id: z.string().refine(isValidCellId, "1 to 64 letters, digits, - and _ were expected"),
  cell_type: cellType,
  source: z.string(),
  metadata: json,
  execution_count: count.optional(),
  outputs: z.array(anyOutput).optional(),
  attachments: json.optional(),
});

const opSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("insert-cell"), index: z.number().int(), cell: cellSchema }),
  z.object({ type: z.literal("delete-cell"), cellId: z.string() }),
  z.object({ type: z.literal("move-cell"), cellId: z.string(), index: z.number().int() }),
  z.object({ type: z.literal("set-source"), cellId: z.string(), source: z.string() }),
  z.object({ type: z.literal("set-cell-type"), cellId: z.string(), cellType }),
  z.object({ type: z.literal("set-cell-metadata"), cellId: z.string(), metadata: json }),
  z.object({ type: z.literal("set-notebook-metadata"), metadata: json }),
  z.object({ type: z.literal("set-attachments"), cellId: z.string(), attachments: json.nullable() }),
  z.object({
    type: z.literal("set-outputs"),
    cellId: z.string(),
    outputs: z.array(anyOutput),
    executionCount: count,
  }),
  z.object({ type: z.literal("append-output"), cellId: z.string(), output: anyOutput }),
  z.object({ type: z.literal("append-stream"), cellId: z.string(), name: streamName, text: z.string() }),
  z.object({ type: z.literal("update-display"), displayId: z.string(), data: json, metadata: json }),
  z.object({ type: z.literal("set-execution-count"), cellId: z.string(), executionCount: count }),
]);

/**
 * @throws {ParallaxError} notebook.invalid-op  with the number of the operation and the path of the bad field
 */
export function checkOps(ops: readonly unknown[]): NotebookOp[] {
  return ops.map((op, index) => {
    const parsed = opSchema.safeParse(op);
    if (parsed.success) return parsed.data as NotebookOp;
    const issue = parsed.error.issues[0];
    const where = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
    throw new ParallaxError(
      "notebook.invalid-op",
      `Operation ${index + 1} of ${ops.length} is not valid${where}: ${issue?.message ?? "unknown"}. Nothing was changed.`,
      { kind: "bug", hint: "Reload the page.", details: { index, op } },
    );
  });
}

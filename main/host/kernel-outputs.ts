/** What a kernel shows, as the outputs that nbformat knows. */
import type { CellError, FromKernel } from "../../kernels/protocol/kernel-messages.ts";
import type { JsonObject, NotebookOp, Output } from "../../notebooks/format/model.ts";

type Shown = Extract<FromKernel, { type: "display" | "result" | "error" | "clear" }>;

export function outputOp(message: Shown): NotebookOp {
  const { cellId } = message;
  switch (message.type) {
    case "display": {
      const { data, displayId, update } = message;
      const metadata = message.metadata as JsonObject;
      if (displayId !== undefined && update) return { type: "update-display", displayId, data, metadata };
      const output: Output = { output_type: "display_data", data, metadata: withDisplayId(metadata, displayId) };
      return { type: "append-output", cellId, output };
    }
    case "result": {
      const { data, executionCount } = message;
      const metadata = message.metadata as JsonObject;
      const output: Output = { output_type: "execute_result", data, metadata, execution_count: executionCount };
      return { type: "append-output", cellId, output };
    }
    case "error":
      return { type: "append-output", cellId, output: errorOutput(message.error) };
    case "clear":
      return { type: "set-outputs", cellId, outputs: [], executionCount: null };
  }
}

function withDisplayId(metadata: JsonObject, displayId: string | undefined): JsonObject {
  if (displayId === undefined) return metadata;
  const ours = metadata.parallax as JsonObject | undefined;
  return { ...metadata, parallax: { ...ours, displayId } };
}

/** The located error for our view, and the same in words for every other program. */
export function errorOutput(located: CellError): Output {
  const { error, name, frames } = located;
  const head = name === "ParallaxError" ? `${name} ${error.code}: ${error.message}` : `${name}: ${error.message}`;
  const places = frames.map((frame) => {
    const cell = frame.executionCount === null ? "this cell" : `cell [${frame.executionCount}]`;
    const what = frame.functionName === undefined ? "" : ` in ${frame.functionName}`;
    return `  at ${cell}, line ${frame.line}, column ${frame.column}${what}`;
  });
  const traceback = [head, ...places, ...(error.hint === undefined ? [] : [error.hint])];
  return { output_type: "error", ename: name, evalue: error.message, traceback, parallax: located };
}

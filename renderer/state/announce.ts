/** One short sentence for the live region when a cell finished. */

import { MIME, type ValuePreview } from "../../kernels/protocol/display.ts";
import type { CellState } from "../../kernels/protocol/host-methods.ts";
import type { Cell } from "../../notebooks/format/model.ts";
import type { DocumentState } from "./types.ts";

const SPOKEN: Partial<Record<CellState["state"], string>> = { done: "done", failed: "failed", stopped: "stopped" };

export function describeFinished(before: DocumentState, after: DocumentState, changed: CellState[]): string | null {
  const parts: string[] = [];
  for (const cell of changed) {
    const word = SPOKEN[cell.state];
    const was = before.cells[cell.cellId]?.state ?? "idle";
    if (!word || (was !== "running" && was !== "queued")) continue;
    const index = after.notebook.cells.findIndex((candidate) => candidate.id === cell.cellId);
    const found = after.notebook.cells[index];
    if (!found) continue;
    const detail = cell.state === "failed" ? errorName(found) : shape(found);
    parts.push(`Cell ${index + 1} ${word}${detail === null ? "" : `, ${detail}`}`);
  }
  return parts.length === 0 ? null : `${parts.join(". ")}.`;
}

/** "Float32 200 by 384" instead of "Float32 [200, 384]". */
function shape(cell: Cell): string | null {
  for (const output of cell.outputs ?? []) {
    const data = output.output_type === "execute_result" ? output.data : undefined;
    const preview = (data as Record<string, unknown> | undefined)?.[MIME.value] as ValuePreview | undefined;
    if (preview && typeof preview.type === "string")
      return preview.type.replace(/\[([^\]]*)\]/, (_, inner: string) => inner.split(", ").join(" by "));
  }
  return null;
}

function errorName(cell: Cell): string | null {
  const error = cell.outputs?.find((output) => output.output_type === "error");
  return error ? `${String(error.ename)}: ${String(error.evalue).slice(0, 120)}` : null;
}

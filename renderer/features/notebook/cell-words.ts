/** States of a cell in words: always glyph, word and colour together. */
import type { CellState } from "../../../kernels/protocol/host-methods.ts";
import type { Cell } from "../../../notebooks/format/model.ts";
import { formatDuration } from "../../ui/units.ts";

export interface StateWords {
  glyph: string;
  word: string;
  tone: "idle" | "busy" | "ok" | "warn" | "error";
}

export function stateWords(state: CellState, executionCount: number | null, elapsedMs: number | null): StateWords {
  const time = elapsedMs === null ? "" : ` ${formatDuration(elapsedMs)}`;
  switch (state.state) {
    case "queued":
      return { glyph: "◌", word: `queued ${state.position ?? ""}`.trim(), tone: "busy" };
    case "running":
      return { glyph: "◐", word: `running${time}`, tone: "busy" };
    case "failed":
      return { glyph: "✕", word: `failed${time}`, tone: "error" };
    case "stopped":
      return { glyph: "■", word: `stopped${time}`, tone: "idle" };
    default:
      if (state.stale !== null) return { glyph: "≠", word: `stale${time}`, tone: "warn" };
      if (state.state === "done") return { glyph: "✓", word: `done${time}`, tone: "ok" };
      return executionCount === null
        ? { glyph: "", word: "", tone: "idle" }
        : { glyph: "○", word: "idle", tone: "idle" };
  }
}

/** "Code cell 4, stale, last run 1.4 seconds". */
export function cellName(cell: Cell, number: number, state: CellState): string {
  if (cell.cell_type === "markdown") return `Text cell ${number}${heading(cell.source)}`;
  if (cell.cell_type === "raw") return `Raw cell ${number}`;
  const parts = [`Code cell ${number}`];
  if (state.state === "queued") parts.push(`queued ${state.position ?? ""}`.trim());
  else if (state.state !== "idle" && state.stale === null) parts.push(state.state);
  else if (state.stale !== null) parts.push("stale");
  if (state.elapsedMs !== null && state.state !== "running")
    parts.push(`last run ${(state.elapsedMs / 1000).toFixed(1)} seconds`);
  return parts.join(", ");
}

function heading(source: string): string {
  const found = /^#{1,6}\s+(.+)$/m.exec(source)?.[1];
  return found === undefined ? "" : `, ${found.trim()}`;
}

/** Questions to the state that more than one place asks. */
import type { CellState } from "../../kernels/protocol/host-methods.ts";
import type { Cell } from "../../notebooks/format/model.ts";
import type { AppState, DocumentState, Tab } from "./types.ts";

export function activeTab(state: AppState): Tab {
  return state.tabs[state.activeTab] ?? { kind: "start" };
}

/** The notebook on screen; null on other screens. */
export function activeDocument(state: AppState): DocumentState | null {
  const tab = activeTab(state);
  return tab.kind === "notebook" ? (state.documents[tab.docId] ?? null) : null;
}

/** The notebook that panels write into: the one that was in front last, else any that is open and can be edited. */
export function targetDocument(state: AppState): DocumentState | null {
  const open = Object.values(state.documents).filter((doc) => !doc.readOnly);
  return open.find((doc) => doc.docId === state.lastNotebook) ?? open[0] ?? null;
}

export function cellIndex(doc: DocumentState, cellId: string | null): number {
  return doc.notebook.cells.findIndex((cell) => cell.id === cellId);
}

/** Cells between anchor and active one, in the notebook's order. */
export function selectedCells(doc: DocumentState): Cell[] {
  const a = cellIndex(doc, doc.anchor);
  const b = cellIndex(doc, doc.active);
  if (b < 0) return [];
  const from = a < 0 ? b : Math.min(a, b);
  return doc.notebook.cells.slice(from, Math.max(a, b) + 1);
}

const IDLE: Omit<CellState, "cellId"> = {
  state: "idle",
  position: null,
  startedAt: null,
  elapsedMs: null,
  stale: null,
};
const idleStates = new Map<string, CellState>();

export function cellState(doc: DocumentState, cellId: string): CellState {
  const known = doc.cells[cellId];
  if (known) return known;
  let idle = idleStates.get(cellId);
  if (!idle) {
    idle = { cellId, ...IDLE };
    idleStates.set(cellId, idle);
  }
  return idle;
}

export function staleCells(doc: DocumentState): Cell[] {
  return doc.notebook.cells.filter((cell) => cell.cell_type === "code" && (doc.cells[cell.id]?.stale ?? null) !== null);
}

export function failedCells(doc: DocumentState): Cell[] {
  return doc.notebook.cells.filter((cell) => doc.cells[cell.id]?.state === "failed" || hasError(cell));
}

function hasError(cell: Cell): boolean {
  return cell.outputs?.some((output) => output.output_type === "error") ?? false;
}

export function isBusy(doc: DocumentState): boolean {
  return doc.kernel.state === "busy" || doc.kernel.state === "interrupting";
}

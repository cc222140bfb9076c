/** What cell commands do to a notebook, as operations and the cell that is active afterwards. Pure. */
import { newCellId } from "../../notebooks/format/ids.ts";
import type { Cell, CellType, Json, JsonObject, NotebookOp } from "../../notebooks/format/model.ts";
import { newCell } from "../../notebooks/format/ops.ts";
import { cellIndex, selectedCells } from "../state/selectors.ts";
import type { DocumentState } from "../state/types.ts";

export interface Edit {
  ops: NotebookOp[];
  active?: string | null;
}

export function insertCell(doc: DocumentState, where: "above" | "below", type: CellType = "code", source = ""): Edit {
  const at = cellIndex(doc, doc.active);
  const index = at < 0 ? doc.notebook.cells.length : where === "above" ? at : at + 1;
  return insertAt(index, type, source);
}

export function insertAt(index: number, type: CellType, source = ""): Edit {
  const cell = newCell(type, source);
  return { ops: [{ type: "insert-cell", index, cell }], active: cell.id };
}

/** A notebook always keeps one cell to write in. */
export function deleteCells(doc: DocumentState, cells: readonly Cell[] = selectedCells(doc)): Edit {
  const gone = new Set(cells.map((cell) => cell.id));
  const ops: NotebookOp[] = cells.map((cell) => ({ type: "delete-cell", cellId: cell.id }));
  const first = doc.notebook.cells.findIndex((cell) => gone.has(cell.id));
  const left = doc.notebook.cells.filter((cell) => !gone.has(cell.id));
  if (left.length === 0) {
    const fresh = insertAt(0, "code");
    return { ops: [...ops, ...fresh.ops], active: fresh.active ?? null };
  }
  return { ops, active: left[Math.min(Math.max(first, 0), left.length - 1)]?.id ?? null };
}

/** Copies get ids of their own. */
export function pasteCells(doc: DocumentState, cells: readonly Cell[]): Edit {
  const at = cellIndex(doc, selectedCells(doc).at(-1)?.id ?? null) + 1;
  const copies = cells.map((cell) => ({ ...cell, id: newCellId() }));
  return {
    ops: copies.map((cell, i) => ({ type: "insert-cell", index: at + i, cell })),
    active: copies.at(-1)?.id ?? doc.active,
  };
}

export function moveCells(doc: DocumentState, direction: "up" | "down"): Edit | null {
  const cells = selectedCells(doc);
  const first = cellIndex(doc, cells[0]?.id ?? null);
  const last = first + cells.length - 1;
  if (first < 0) return null;
  // Moving the neighbour to the other side moves the whole selection.
  const neighbour = doc.notebook.cells[direction === "up" ? first - 1 : last + 1];
  if (!neighbour) return null;
  return { ops: [{ type: "move-cell", cellId: neighbour.id, index: direction === "up" ? last : first }] };
}

/** The selected cells as one; a single one takes the cell below in. */
export function mergeCells(doc: DocumentState): Edit | null {
  let cells = selectedCells(doc);
  if (cells.length === 1) {
    const below = doc.notebook.cells[cellIndex(doc, doc.active) + 1];
    cells = below ? [...cells, below] : [];
  }
  const [head, ...rest] = cells;
  if (!head || rest.length === 0) return null;
  const ops: NotebookOp[] = [
    { type: "set-source", cellId: head.id, source: cells.map((cell) => cell.source).join("\n\n") },
    ...rest.map((cell): NotebookOp => ({ type: "delete-cell", cellId: cell.id })),
  ];
  return { ops, active: head.id };
}

/** The text before the cursor becomes a cell above; the cell itself keeps the rest, its outputs and its id. */
export function splitCell(doc: DocumentState, cellId: string, offset: number): Edit | null {
  const index = cellIndex(doc, cellId);
  const cell = doc.notebook.cells[index];
  if (!cell) return null;
  const head = newCell(cell.cell_type, cell.source.slice(0, offset).replace(/\n+$/, ""));
  return {
    ops: [
      { type: "insert-cell", index, cell: head },
      { type: "set-source", cellId, source: cell.source.slice(offset).replace(/^\n+/, "") },
    ],
    active: cellId,
  };
}

export function setType(doc: DocumentState, type: CellType): Edit {
  const cells = selectedCells(doc).filter((cell) => cell.cell_type !== type);
  return { ops: cells.map((cell) => ({ type: "set-cell-type", cellId: cell.id, cellType: type })) };
}

/** Markdown with a heading of that level in its first line. */
export function setHeading(doc: DocumentState, level: number): Edit {
  const ops: NotebookOp[] = [];
  for (const cell of selectedCells(doc)) {
    if (cell.cell_type !== "markdown") ops.push({ type: "set-cell-type", cellId: cell.id, cellType: "markdown" });
    const [first = "", ...rest] = cell.source.split("\n");
    const source = [`${"#".repeat(level)} ${first.replace(/^#{1,6}\s*/, "")}`, ...rest].join("\n");
    if (source !== cell.source) ops.push({ type: "set-source", cellId: cell.id, source });
  }
  return { ops };
}

export function isOutputHidden(cell: Cell): boolean {
  const jupyter = cell.metadata.jupyter as JsonObject | undefined;
  return jupyter?.outputs_hidden === true || cell.metadata.collapsed === true;
}

export function toggleOutputs(doc: DocumentState, cells: readonly Cell[] = selectedCells(doc)): Edit {
  const code = cells.filter((cell) => cell.cell_type === "code");
  const hide = !code.every(isOutputHidden);
  return {
    ops: code.map((cell) => {
      const { collapsed: _old, jupyter, ...metadata } = cell.metadata;
      const { outputs_hidden: _was, ...others } = (jupyter ?? {}) as JsonObject;
      const next: { [key: string]: Json } = hide ? { ...others, outputs_hidden: true } : others;
      return {
        type: "set-cell-metadata",
        cellId: cell.id,
        metadata: Object.keys(next).length > 0 ? { ...metadata, jupyter: next } : metadata,
      };
    }),
  };
}

export function clearOutputs(cells: readonly Cell[]): Edit {
  return {
    ops: cells
      .filter((cell) => cell.cell_type === "code" && (cell.outputs?.length ?? 0) > 0)
      .map((cell) => ({ type: "set-outputs", cellId: cell.id, outputs: [], executionCount: null })),
  };
}

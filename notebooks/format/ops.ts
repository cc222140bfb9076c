/**
 * The reducer of a notebook. Host and page apply the same operations with it, so both hold the same notebook without
 * sending it whole. Pure: the given notebook is never changed, and what an operation does not touch is shared.
 */
import { newCellId } from "./ids.ts";
import type { Cell, CellType, JsonObject, Notebook, NotebookOp, Output } from "./model.ts";

/** A cell with a fresh id, ready to insert. */
export function newCell(type: CellType, source = ""): Cell {
  const cell: Cell = { id: newCellId(), cell_type: type, source, metadata: {} };
  return type === "code" ? { ...cell, execution_count: null, outputs: [] } : cell;
}

/** What a new file starts with: one empty code cell, and a kernelspec so that Jupyter knows which kernel to ask for. */
export function newNotebook(): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { display_name: "Parallax (TypeScript)", language: "typescript", name: "parallax" },
      language_info: {
        codemirror_mode: { name: "javascript", typescript: true },
        file_extension: ".ts",
        mimetype: "text/x-typescript",
        name: "typescript",
        pygments_lexer: "typescript",
      },
    },
    cells: [newCell("code")],
  };
}

/**
 * The notebook after one operation.
 *
 * An operation that names a cell which is gone, inserts an id that is there already, or changes nothing gives the very
 * same object back: late outputs of a deleted cell are normal, not an error. Indices are clamped to the cells there are.
 * Cost: O(cells) for the array that changes, nothing is copied deeply.
 */
export function applyOp(notebook: Notebook, op: NotebookOp): Notebook {
  switch (op.type) {
    case "insert-cell": {
      if (indexOf(notebook, op.cell.id) >= 0) return notebook;
      const cells = notebook.cells.slice();
      cells.splice(clamp(op.index, cells.length), 0, op.cell);
      return { ...notebook, cells };
    }
    case "delete-cell": {
      const at = indexOf(notebook, op.cellId);
      return at < 0 ? notebook : { ...notebook, cells: notebook.cells.filter((_, i) => i !== at) };
    }
    case "move-cell": {
      const from = indexOf(notebook, op.cellId);
      const to = clamp(op.index, notebook.cells.length - 1);
      if (from < 0 || from === to) return notebook;
      const cells = notebook.cells.slice();
      const [cell] = cells.splice(from, 1);
      cells.splice(to, 0, cell as Cell);
      return { ...notebook, cells };
    }
    case "set-source":
      return withCell(notebook, op.cellId, (cell) =>
        cell.source === op.source ? cell : { ...cell, source: op.source },
      );
    case "set-cell-type":
      return withCell(notebook, op.cellId, (cell) => retyped(cell, op.cellType));
    case "set-cell-metadata":
      return withCell(notebook, op.cellId, (cell) => ({ ...cell, metadata: op.metadata }));
    case "set-notebook-metadata":
      return { ...notebook, metadata: op.metadata };
    case "set-attachments":
      return withCell(notebook, op.cellId, (cell) => {
        if (op.attachments !== null) return { ...cell, attachments: op.attachments };
        const { attachments: _dropped, ...rest } = cell;
        return rest;
      });
    case "set-outputs":
      return withCode(notebook, op.cellId, (cell) => ({
        ...cell,
        outputs: op.outputs,
        execution_count: op.executionCount,
      }));
    case "append-output":
      return withCode(notebook, op.cellId, (cell) => ({ ...cell, outputs: [...(cell.outputs ?? []), op.output] }));
    case "append-stream":
      return op.text === "" ? notebook : withCode(notebook, op.cellId, (cell) => withStream(cell, op.name, op.text));
    case "update-display":
      return withDisplay(notebook, op);
    case "set-execution-count":
      return withCode(notebook, op.cellId, (cell) =>
        cell.execution_count === op.executionCount ? cell : { ...cell, execution_count: op.executionCount },
      );
  }
}

/** Several operations in order. */
export function applyOps(notebook: Notebook, ops: readonly NotebookOp[]): Notebook {
  return ops.reduce(applyOp, notebook);
}

/**
 * The operations that undo `op`, in the order to apply them: `applyOps(applyOp(before, op), invertOp(before, op))` has
 * the content of `before`. Empty when `op` changes nothing. Most inverses are one operation; changing a cell's type or
 * updating a display that stands in several cells needs more.
 */
export function invertOp(before: Notebook, op: NotebookOp): NotebookOp[] {
  switch (op.type) {
    case "insert-cell":
      return indexOf(before, op.cell.id) >= 0 ? [] : [{ type: "delete-cell", cellId: op.cell.id }];
    case "set-notebook-metadata":
      return [{ type: "set-notebook-metadata", metadata: before.metadata }];
    case "update-display":
      return before.cells
        .filter((cell) => cell.outputs?.some((output) => displayIdOf(output) === op.displayId))
        .map(restoreOutputs);
    default: {
      const index = indexOf(before, op.cellId);
      const cell = before.cells[index];
      return cell === undefined ? [] : invertCellOp(cell, index, op);
    }
  }
}

type CellOp = Exclude<NotebookOp, { type: "insert-cell" | "set-notebook-metadata" | "update-display" }>;

function invertCellOp(cell: Cell, index: number, op: CellOp): NotebookOp[] {
  const cellId = cell.id;
  switch (op.type) {
    case "delete-cell":
      return [{ type: "insert-cell", index, cell }];
    case "move-cell":
      return [{ type: "move-cell", cellId, index }];
    case "set-source":
      return [{ type: "set-source", cellId, source: cell.source }];
    case "set-cell-metadata":
      return [{ type: "set-cell-metadata", cellId, metadata: cell.metadata }];
    case "set-attachments":
      return [{ type: "set-attachments", cellId, attachments: cell.attachments ?? null }];
    case "set-cell-type": {
      const ops: NotebookOp[] = [{ type: "set-cell-type", cellId, cellType: cell.cell_type }];
      if (cell.cell_type === "code") ops.push(restoreOutputs(cell));
      if (cell.attachments) ops.push({ type: "set-attachments", cellId, attachments: cell.attachments });
      return cell.cell_type === op.cellType ? [] : ops;
    }
    case "set-execution-count":
      if (cell.cell_type !== "code") return [];
      return [{ type: "set-execution-count", cellId, executionCount: cell.execution_count ?? null }];
    case "set-outputs":
    case "append-output":
    case "append-stream":
      return cell.cell_type === "code" ? [restoreOutputs(cell)] : [];
  }
}

/** The id under which a display may be updated later: `metadata.parallax.displayId`. */
export function displayIdOf(output: Output): string | undefined {
  const metadata = output.metadata as JsonObject | undefined;
  const ours = metadata?.parallax;
  if (typeof ours !== "object" || ours === null || Array.isArray(ours)) return undefined;
  return typeof ours.displayId === "string" ? ours.displayId : undefined;
}

function restoreOutputs(cell: Cell): NotebookOp {
  return {
    type: "set-outputs",
    cellId: cell.id,
    outputs: cell.outputs ?? [],
    executionCount: cell.execution_count ?? null,
  };
}

function indexOf(notebook: Notebook, cellId: string): number {
  return notebook.cells.findIndex((cell) => cell.id === cellId);
}

function clamp(index: number, max: number): number {
  return Math.max(0, Math.min(max, Math.trunc(index)));
}

function withCell(notebook: Notebook, cellId: string, change: (cell: Cell) => Cell): Notebook {
  const at = indexOf(notebook, cellId);
  const cell = notebook.cells[at];
  if (cell === undefined) return notebook;
  const changed = change(cell);
  if (changed === cell) return notebook;
  const cells = notebook.cells.slice();
  cells[at] = changed;
  return { ...notebook, cells };
}

/** Only code cells have outputs: an output for a cell that became text since is dropped. */
function withCode(notebook: Notebook, cellId: string, change: (cell: Cell) => Cell): Notebook {
  return withCell(notebook, cellId, (cell) => (cell.cell_type === "code" ? change(cell) : cell));
}

/** nbformat allows outputs in code cells only, and attachments in the others only. */
function retyped(cell: Cell, type: CellType): Cell {
  if (cell.cell_type === type) return cell;
  const { outputs, execution_count, attachments, ...rest } = cell;
  if (type === "code") return { ...rest, cell_type: type, execution_count: null, outputs: [] };
  return { ...rest, cell_type: type, ...(attachments ? { attachments } : {}) };
}

function withStream(cell: Cell, name: "stdout" | "stderr", text: string): Cell {
  const outputs = cell.outputs ?? [];
  const last = outputs.at(-1);
  if (last?.output_type === "stream" && last.name === name)
    return { ...cell, outputs: [...outputs.slice(0, -1), { ...last, text: last.text + text }] };
  return { ...cell, outputs: [...outputs, { output_type: "stream", name, text }] };
}

function withDisplay(notebook: Notebook, op: Extract<NotebookOp, { type: "update-display" }>): Notebook {
  let found = false;
  const cells = notebook.cells.map((cell) => {
    if (!cell.outputs?.some((output) => displayIdOf(output) === op.displayId)) return cell;
    found = true;
    const outputs = cell.outputs.map((output) => {
      if (displayIdOf(output) !== op.displayId) return output;
      // The id stays, so that a later update finds the output again.
      const kept = (output.metadata as JsonObject).parallax as JsonObject;
      const given = op.metadata.parallax as JsonObject | undefined;
      return { ...output, data: op.data, metadata: { ...op.metadata, parallax: { ...kept, ...given } } } as Output;
    });
    return { ...cell, outputs };
  });
  return found ? { ...notebook, cells } : notebook;
}

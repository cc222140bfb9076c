/** The reducer of one open notebook. Pure: an action in, the whole next state out. */
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import type { CellState, KernelState, OpenedNotebook } from "../../kernels/protocol/host-methods.ts";
import type { Notebook, NotebookOp } from "../../notebooks/format/model.ts";
import { applyOp, invertOp } from "../../notebooks/format/ops.ts";
import type { CellMode, DocumentState, FocusWish, LastGood, UndoEntry } from "./types.ts";

const UNDO_LIMIT = 200;

export type DocumentAction =
  /** Changes made here; `undoable` ones can be taken back with Z. */
  | { type: "document.edited"; docId: string; ops: NotebookOp[]; undoable: boolean; active?: string | null }
  /** Changes made by the kernel or by another page. */
  | { type: "document.changed"; docId: string; revision: number; ops: NotebookOp[] }
  | { type: "document.undone"; docId: string }
  | { type: "document.redone"; docId: string }
  | { type: "document.confirmed"; docId: string; revision: number }
  | { type: "document.saving"; docId: string }
  | { type: "document.saved"; docId: string; path: string; name: string; savedAt: string; revision: number | null }
  | { type: "document.save-failed"; docId: string; error: ErrorData }
  | { type: "document.conflicted"; docId: string; error: ErrorData | null }
  | { type: "document.bar-dismissed"; docId: string; bar: "recovered" | "conflict" | "saveError" }
  | { type: "kernel.changed"; docId: string; kernel: KernelState }
  | { type: "cells.changed"; docId: string; cells: CellState[] }
  | {
      type: "cell.selected";
      docId: string;
      cellId: string;
      extend?: boolean;
      mode?: CellMode;
      focus?: FocusWish["target"];
    }
  | { type: "cells.selected-all"; docId: string }
  | { type: "mode.changed"; docId: string; mode: CellMode; focus?: boolean }
  | { type: "focus.taken"; docId: string; serial: number }
  | { type: "markdown.edited"; docId: string; cellId: string; editing: boolean }
  | { type: "line-numbers.toggled"; docId: string };

export function openDocument(opened: OpenedNotebook): DocumentState {
  // Validated in depth by the host with notebooks/format; the protocol only knows that it is an object.
  const notebook = opened.notebook as unknown as Notebook;
  const first = notebook.cells[0]?.id ?? null;
  return {
    docId: opened.docId,
    path: opened.path,
    name: opened.name,
    notebook,
    revision: opened.revision,
    dirty: opened.dirty,
    savedAt: opened.savedAt,
    saving: false,
    readOnly: opened.readOnly,
    problem: opened.problem,
    recovered: opened.recovered,
    saveError: null,
    conflict: null,
    kernel: opened.kernel,
    cells: Object.fromEntries(opened.cells.map((cell) => [cell.cellId, cell])),
    lastGood: {},
    active: first,
    anchor: first,
    mode: "command",
    focus: first === null ? null : { cellId: first, target: "cell", serial: 1 },
    undo: [],
    redo: [],
    lineNumbers: false,
    editing: {},
  };
}

export function reduceDocument(doc: DocumentState, action: DocumentAction): DocumentState {
  switch (action.type) {
    case "document.edited":
      return edited(doc, action);
    case "document.changed": {
      const lastGood = keepGood(doc, action.ops);
      const notebook = action.ops.reduce(applyOp, doc.notebook);
      return withValidSelection({ ...doc, notebook, revision: action.revision, lastGood, dirty: true }, doc);
    }
    case "document.undone":
      return replay(doc, "undo");
    case "document.redone":
      return replay(doc, "redo");
    case "document.confirmed":
      return { ...doc, revision: Math.max(doc.revision, action.revision) };
    case "document.saving":
      return { ...doc, saving: true, saveError: null };
    case "document.saved":
      return {
        ...doc,
        saving: false,
        saveError: null,
        conflict: null,
        recovered: false,
        path: action.path,
        name: action.name,
        savedAt: action.savedAt,
        dirty: action.revision !== null && action.revision < doc.revision,
      };
    case "document.save-failed":
      return { ...doc, saving: false, saveError: action.error };
    case "document.conflicted":
      return { ...doc, saving: false, conflict: action.error };
    case "document.bar-dismissed":
      return action.bar === "recovered" ? { ...doc, recovered: false } : { ...doc, [action.bar]: null };
    case "kernel.changed":
      return { ...doc, kernel: action.kernel };
    case "cells.changed":
      return cellsChanged(doc, action.cells);
    case "cell.selected":
      return {
        ...doc,
        active: action.cellId,
        anchor: action.extend ? (doc.anchor ?? action.cellId) : action.cellId,
        mode: action.mode ?? doc.mode,
        focus: action.focus ? wish(doc, action.cellId, action.focus) : doc.focus,
      };
    case "cells.selected-all": {
      const first = doc.notebook.cells[0]?.id ?? null;
      const last = doc.notebook.cells.at(-1)?.id ?? null;
      return { ...doc, anchor: first, active: last, mode: "command" };
    }
    case "mode.changed":
      return {
        ...doc,
        mode: action.mode,
        focus:
          action.focus && doc.active !== null
            ? wish(doc, doc.active, action.mode === "edit" ? "editor" : "cell")
            : doc.focus,
      };
    case "focus.taken":
      return doc.focus?.serial === action.serial ? { ...doc, focus: null } : doc;
    case "markdown.edited": {
      const { [action.cellId]: _was, ...rest } = doc.editing;
      return { ...doc, editing: action.editing ? { ...rest, [action.cellId]: true } : rest };
    }
    case "line-numbers.toggled":
      return { ...doc, lineNumbers: !doc.lineNumbers };
  }
}

let serial = 1;

function wish(_doc: DocumentState, cellId: string, target: FocusWish["target"]): FocusWish {
  serial += 1;
  return { cellId, target, serial };
}

function edited(doc: DocumentState, action: Extract<DocumentAction, { type: "document.edited" }>): DocumentState {
  if (doc.readOnly) return doc;
  let notebook = doc.notebook;
  const undo: NotebookOp[] = [];
  for (const op of action.ops) {
    if (action.undoable) undo.unshift(...invertOp(notebook, op));
    notebook = applyOp(notebook, op);
  }
  if (notebook === doc.notebook) return doc;
  const activeAfter = action.active === undefined ? doc.active : action.active;
  const entry: UndoEntry = { undo, redo: action.ops, activeBefore: doc.active, activeAfter };
  return withValidSelection(
    {
      ...doc,
      notebook,
      dirty: true,
      active: activeAfter,
      anchor: action.active === undefined ? doc.anchor : activeAfter,
      undo: action.undoable ? [...doc.undo.slice(-UNDO_LIMIT + 1), entry] : doc.undo,
      redo: action.undoable ? [] : doc.redo,
    },
    doc,
  );
}

function replay(doc: DocumentState, direction: "undo" | "redo"): DocumentState {
  const entry = doc[direction].at(-1);
  if (!entry || doc.readOnly) return doc;
  const notebook = entry[direction].reduce(applyOp, doc.notebook);
  const active = direction === "undo" ? entry.activeBefore : entry.activeAfter;
  return withValidSelection(
    {
      ...doc,
      notebook,
      dirty: true,
      active,
      anchor: active,
      mode: "command",
      undo: direction === "undo" ? doc.undo.slice(0, -1) : [...doc.undo, entry],
      redo: direction === "redo" ? doc.redo.slice(0, -1) : [...doc.redo, entry],
      focus: active === null ? doc.focus : wish(doc, active, "cell"),
    },
    doc,
  );
}

/** Selected cells may be gone: then the nearest cell that is still there is selected. */
function withValidSelection(doc: DocumentState, before: DocumentState): DocumentState {
  const ids = new Set(doc.notebook.cells.map((cell) => cell.id));
  if (doc.active !== null && ids.has(doc.active))
    return doc.anchor !== null && ids.has(doc.anchor) ? doc : { ...doc, anchor: doc.active };
  const was = before.notebook.cells.findIndex((cell) => cell.id === doc.active);
  const cells = doc.notebook.cells;
  const next = cells[Math.min(Math.max(was, 0), cells.length - 1)]?.id ?? null;
  const focus = next !== null && before.focus === null ? wish(doc, next, "cell") : doc.focus;
  return { ...doc, active: next, anchor: next, mode: "command", focus };
}

/** A run begins by clearing the outputs: those that were good are kept aside until a run succeeds. */
function keepGood(doc: DocumentState, ops: NotebookOp[]): DocumentState["lastGood"] {
  let lastGood = doc.lastGood;
  for (const op of ops) {
    if (op.type !== "set-outputs" || op.outputs.length > 0) continue;
    const cell = doc.notebook.cells.find((candidate) => candidate.id === op.cellId);
    const outputs = cell?.outputs ?? [];
    if (outputs.length === 0 || outputs.some((output) => output.output_type === "error")) continue;
    const kept: LastGood = { outputs, executionCount: cell?.execution_count ?? null };
    lastGood = { ...lastGood, [op.cellId]: kept };
  }
  return lastGood;
}

function cellsChanged(doc: DocumentState, changed: CellState[]): DocumentState {
  const cells = { ...doc.cells };
  let lastGood = doc.lastGood;
  for (const cell of changed) {
    cells[cell.cellId] = cell;
    if ((cell.state === "done" || cell.state === "idle") && cell.cellId in lastGood) {
      const { [cell.cellId]: _gone, ...rest } = lastGood;
      lastGood = rest;
    }
  }
  return { ...doc, cells, lastGood };
}

/** Commands on cells. Keys are Jupyter's, unchanged; G G, F8 and Mod+↓ are ours. */
import type { Cell } from "../../notebooks/format/model.ts";
import type { App } from "../state/app.ts";
import { cellIndex, failedCells, selectedCells, staleCells } from "../state/selectors.ts";
import type { DocumentState } from "../state/types.ts";
import * as ops from "./cell-ops.ts";
import { type Command, canEdit, hasDocument, onDocument } from "./command.ts";
import { activeEditor } from "./editors.ts";

function apply(app: App, doc: DocumentState, edit: ops.Edit | null, focus: "cell" | "editor" | null = "cell"): void {
  if (edit === null) return;
  app.edit(doc.docId, edit.ops, edit.active === undefined ? {} : { active: edit.active });
  if (focus === null) return;
  const after = app.store.state.documents[doc.docId];
  if (after?.active) select(app, after, after.active, focus);
}

function select(app: App, doc: DocumentState, cellId: string, focus: "cell" | "editor" | "output" = "cell"): void {
  app.store.dispatch({
    type: "cell.selected",
    docId: doc.docId,
    cellId,
    focus,
    mode: focus === "editor" ? "edit" : "command",
  });
}

function step(app: App, doc: DocumentState, by: 1 | -1, extend: boolean): void {
  const next = doc.notebook.cells[cellIndex(doc, doc.active) + by];
  if (!next) return;
  app.store.dispatch({
    type: "cell.selected",
    docId: doc.docId,
    cellId: next.id,
    extend,
    focus: "cell",
    mode: "command",
  });
}

/** Text cells are shown, code cells go to the kernel in the notebook's order. */
export function runCells(app: App, doc: DocumentState, cells: readonly Cell[]): void {
  for (const cell of cells)
    if (cell.cell_type === "markdown" && doc.editing[cell.id])
      app.store.dispatch({ type: "markdown.edited", docId: doc.docId, cellId: cell.id, editing: false });
  const code = cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.id);
  if (!doc.readOnly) void app.run(doc.docId, code);
}

function runAndAdvance(app: App, doc: DocumentState): void {
  const cells = selectedCells(doc);
  runCells(app, doc, cells);
  const next = doc.notebook.cells[cellIndex(doc, cells.at(-1)?.id ?? null) + 1];
  if (next) select(app, doc, next.id);
  else if (!doc.readOnly) apply(app, doc, ops.insertAt(doc.notebook.cells.length, "code"), "editor");
}

export function startEditing(app: App, doc: DocumentState): void {
  const cell = doc.notebook.cells[cellIndex(doc, doc.active)];
  if (!cell) return;
  if (cell.cell_type === "markdown")
    app.store.dispatch({ type: "markdown.edited", docId: doc.docId, cellId: cell.id, editing: true });
  select(app, doc, cell.id, "editor");
}

function showMarkdownSource(app: App, doc: DocumentState): void {
  for (const cell of selectedCells(doc))
    app.store.dispatch({ type: "markdown.edited", docId: doc.docId, cellId: cell.id, editing: true });
}

function goToFailed(app: App, doc: DocumentState, by: 1 | -1): void {
  const failed = failedCells(doc).map((cell) => cellIndex(doc, cell.id));
  const at = cellIndex(doc, doc.active);
  const index = by > 0 ? (failed.find((i) => i > at) ?? failed[0]) : (failed.findLast((i) => i < at) ?? failed.at(-1));
  const cell = index === undefined ? undefined : doc.notebook.cells[index];
  if (cell) select(app, doc, cell.id);
  else app.store.dispatch({ type: "announced", text: "No failed cell." });
}

const edit = (make: (doc: DocumentState) => ops.Edit | null, focus: "cell" | "editor" | null = "cell") =>
  onDocument((app, doc) => apply(app, doc, make(doc), focus));

export const cellCommands: Command[] = [
  {
    id: "cell.run-next",
    title: "Run, go to next cell",
    group: "Run",
    keys: ["Shift+Enter"],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument(runAndAdvance),
  },
  {
    id: "cell.run",
    title: "Run, stay on the cell",
    group: "Run",
    keys: ["Mod+Enter", "Ctrl+Enter"],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument((app, doc) => {
      runCells(app, doc, selectedCells(doc));
      app.store.dispatch({ type: "mode.changed", docId: doc.docId, mode: "command", focus: true });
    }),
  },
  {
    id: "cell.run-insert",
    title: "Run, insert a cell below",
    group: "Run",
    keys: ["Alt+Enter"],
    when: "notebook",
    enabled: canEdit,
    run: onDocument((app, doc) => {
      runCells(app, doc, selectedCells(doc));
      apply(app, doc, ops.insertCell(doc, "below"), "editor");
    }),
  },
  {
    id: "notebook.run-all",
    title: "Run all cells",
    group: "Run",
    keys: [],
    when: "notebook",
    enabled: canEdit,
    run: onDocument((app, doc) => runCells(app, doc, doc.notebook.cells)),
  },
  {
    id: "notebook.run-to",
    title: "Run all cells up to this one",
    group: "Run",
    keys: [],
    when: "notebook",
    enabled: canEdit,
    run: onDocument((app, doc) => runCells(app, doc, doc.notebook.cells.slice(0, cellIndex(doc, doc.active) + 1))),
  },
  {
    id: "notebook.run-stale",
    title: "Run stale cells",
    group: "Run",
    keys: ["G G"],
    when: "command",
    enabled: canEdit,
    run: onDocument((app, doc) => {
      const stale = staleCells(doc);
      if (stale.length === 0) app.store.dispatch({ type: "announced", text: "No cell is stale." });
      runCells(app, doc, stale);
    }),
  },
  {
    id: "cell.edit",
    title: "Edit the cell",
    group: "Move",
    keys: ["Enter"],
    when: "command",
    enabled: hasDocument,
    run: onDocument(startEditing),
  },
  {
    id: "cell.command-mode",
    title: "Command mode",
    group: "Move",
    keys: ["Escape", "Ctrl+M"],
    when: "edit",
    enabled: hasDocument,
    run: onDocument((app, doc) =>
      app.store.dispatch({ type: "mode.changed", docId: doc.docId, mode: "command", focus: true }),
    ),
  },
  {
    id: "cell.previous",
    title: "Previous cell",
    group: "Move",
    keys: ["K", "ArrowUp"],
    when: "command",
    keyOnly: true,
    run: onDocument((app, doc) => step(app, doc, -1, false)),
  },
  {
    id: "cell.next",
    title: "Next cell",
    group: "Move",
    keys: ["J", "ArrowDown"],
    when: "command",
    keyOnly: true,
    run: onDocument((app, doc) => step(app, doc, 1, false)),
  },
  {
    id: "cell.extend-up",
    title: "Extend the selection up",
    group: "Move",
    keys: ["Shift+K", "Shift+ArrowUp"],
    when: "command",
    keyOnly: true,
    run: onDocument((app, doc) => step(app, doc, -1, true)),
  },
  {
    id: "cell.extend-down",
    title: "Extend the selection down",
    group: "Move",
    keys: ["Shift+J", "Shift+ArrowDown"],
    when: "command",
    keyOnly: true,
    run: onDocument((app, doc) => step(app, doc, 1, true)),
  },
  {
    id: "cell.select-all",
    title: "Select all cells",
    group: "Move",
    keys: ["Mod+A"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => app.store.dispatch({ type: "cells.selected-all", docId: doc.docId })),
  },
  {
    id: "cell.enter-output",
    title: "Go to the output",
    group: "Move",
    keys: ["Mod+ArrowDown"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => doc.active && select(app, doc, doc.active, "output")),
  },
  {
    id: "cell.next-failed",
    title: "Next failed cell",
    group: "Move",
    keys: ["F8"],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument((app, doc) => goToFailed(app, doc, 1)),
  },
  {
    id: "cell.previous-failed",
    title: "Previous failed cell",
    group: "Move",
    keys: ["Shift+F8"],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument((app, doc) => goToFailed(app, doc, -1)),
  },
  {
    id: "cell.insert-above",
    title: "Insert a cell above",
    group: "Cell",
    keys: ["A"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.insertCell(doc, "above")),
  },
  {
    id: "cell.insert-below",
    title: "Insert a cell below",
    group: "Cell",
    keys: ["B"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.insertCell(doc, "below")),
  },
  {
    id: "cell.cut",
    title: "Cut cells",
    group: "Cell",
    keys: ["X"],
    when: "command",
    enabled: canEdit,
    run: onDocument((app, doc) => {
      app.store.dispatch({ type: "clipboard.filled", cells: selectedCells(doc) });
      apply(app, doc, ops.deleteCells(doc));
    }),
  },
  {
    id: "cell.copy",
    title: "Copy cells",
    group: "Cell",
    keys: ["C"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => app.store.dispatch({ type: "clipboard.filled", cells: selectedCells(doc) })),
  },
  {
    id: "cell.paste",
    title: "Paste cells below",
    group: "Cell",
    keys: ["V"],
    when: "command",
    enabled: (state) => canEdit(state) && state.clipboard.length > 0,
    run: onDocument((app, doc) => apply(app, doc, ops.pasteCells(doc, app.store.state.clipboard))),
  },
  {
    id: "cell.delete",
    title: "Delete cells",
    group: "Cell",
    keys: ["D D"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.deleteCells(doc)),
  },
  {
    id: "cell.undo",
    title: "Undo cell change",
    group: "Cell",
    keys: ["Z"],
    when: "command",
    enabled: canEdit,
    run: onDocument((app, doc) => app.undo(doc.docId)),
  },
  {
    id: "cell.redo",
    title: "Redo cell change",
    group: "Cell",
    keys: ["Shift+Z"],
    when: "command",
    enabled: canEdit,
    run: onDocument((app, doc) => app.redo(doc.docId)),
  },
  {
    id: "cell.to-markdown",
    title: "Change to text",
    group: "Cell",
    keys: ["M"],
    when: "command",
    enabled: canEdit,
    run: onDocument((app, doc) => {
      showMarkdownSource(app, doc);
      apply(app, doc, ops.setType(doc, "markdown"));
    }),
  },
  {
    id: "cell.to-code",
    title: "Change to code",
    group: "Cell",
    keys: ["Y"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.setType(doc, "code")),
  },
  {
    id: "cell.to-raw",
    title: "Change to raw",
    group: "Cell",
    keys: ["R"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.setType(doc, "raw")),
  },
  ...[1, 2, 3, 4, 5, 6].map(
    (level): Command => ({
      id: `cell.heading-${level}`,
      title: `Change to heading ${level}`,
      group: "Cell",
      keys: [String(level)],
      when: "command",
      keyOnly: true,
      enabled: canEdit,
      run: onDocument((app, doc) => {
        showMarkdownSource(app, doc);
        apply(app, doc, ops.setHeading(doc, level));
      }),
    }),
  ),
  {
    id: "cell.merge",
    title: "Merge cells",
    group: "Cell",
    keys: ["Shift+M"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.mergeCells(doc)),
  },
  {
    id: "cell.split",
    title: "Split the cell at the cursor",
    group: "Cell",
    keys: ["Ctrl+Shift+-"],
    when: "edit",
    keyOnly: true,
    enabled: canEdit,
    run: onDocument((app, doc) => {
      const editor = activeEditor();
      if (editor?.docId === doc.docId) apply(app, doc, ops.splitCell(doc, editor.cellId, editor.offset()), "editor");
    }),
  },
  {
    id: "cell.move-up",
    title: "Move cells up",
    group: "Cell",
    keys: ["Ctrl+Shift+ArrowUp"],
    when: "notebook",
    enabled: canEdit,
    run: edit((doc) => ops.moveCells(doc, "up"), null),
  },
  {
    id: "cell.move-down",
    title: "Move cells down",
    group: "Cell",
    keys: ["Ctrl+Shift+ArrowDown"],
    when: "notebook",
    enabled: canEdit,
    run: edit((doc) => ops.moveCells(doc, "down"), null),
  },
  {
    id: "cell.toggle-output",
    title: "Show or hide the output",
    group: "View",
    keys: ["O"],
    when: "command",
    enabled: canEdit,
    run: edit((doc) => ops.toggleOutputs(doc), null),
  },
  {
    id: "notebook.clear-outputs",
    title: "Clear all outputs",
    group: "Cell",
    keys: [],
    when: "notebook",
    enabled: canEdit,
    run: edit((doc) => ops.clearOutputs(doc.notebook.cells), null),
  },
  {
    id: "notebook.line-numbers",
    title: "Show or hide line numbers",
    group: "View",
    keys: ["Shift+L"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => app.store.dispatch({ type: "line-numbers.toggled", docId: doc.docId })),
  },
];

/** Writes `.ipynb` files. Rules are numbered in SPEC.md; the numbers in comments are theirs. */
import { isValidCellId } from "./ids.ts";
import type { Cell, Notebook, Output } from "./model.ts";
import { type Member, membersOf, parseSlice, type Span } from "./scan.ts";
import { DEFAULT_STYLE, indexSource, isJsonMime, isLineMime, type NotebookSource } from "./source.ts";
import { KEEP, Lines, Metadata, type Piece, patch, rebuild, writeFresh } from "./write-json.ts";

export interface PrintedNotebook {
  text: string;
  /** What to give to the next print, once the text has been written. */
  source: NotebookSource;
}

/**
 * The text of a notebook.
 *
 * @param source where it was read from or last written; null for a notebook that has no file yet.
 * @returns      the same characters as `source.text` when nothing was edited; otherwise only edited cells, their commas,
 *               and edited metadata differ.
 * Cost: O(edited cells) beside one copy of the text and one scan of it.
 */
export function printNotebook(notebook: Notebook, source: NotebookSource | null): PrintedNotebook {
  const text = source === null ? freshText(notebook) : patchedText(notebook, source);
  if (source !== null && text === source.text && hasSameCells(notebook, source)) return { text, source };
  return { text, source: indexSource(text, notebook) };
}

/** UTF-8 bytes of a printed notebook; a byte order mark is part of the text. */
export function encodeNotebook(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function hasSameCells(notebook: Notebook, source: NotebookSource): boolean {
  return notebook.metadata === source.metadata && notebook.cells.every((cell) => source.cells.has(cell));
}

function freshText(notebook: Notebook): string {
  const value = {
    cells: notebook.cells.map((cell) => cellFields(cell, null, notebook.nbformat_minor)),
    metadata: notebook.metadata,
    nbformat: 4,
    nbformat_minor: notebook.nbformat_minor,
  };
  return `${writeFresh(value, DEFAULT_STYLE, 0)}\n`;
}

function patchedText(notebook: Notebook, source: NotebookSource): string {
  const { text, style, members } = source;
  const last = new Map(members.map((member) => [member.key, member]));
  let out = "";
  let at = 0;
  for (const member of members) {
    const changed = last.get(member.key) === member ? topMember(member, notebook, source) : null;
    if (changed === null) continue;
    out += text.slice(at, member.start) + changed;
    at = member.end;
  }
  // Rule 3.7: metadata that the file lacks is added only when there is some.
  if (!last.has("metadata") && Object.keys(notebook.metadata).length > 0) {
    const end = (members.at(-1) as Member).end;
    const separator = members[1] ? text.slice((members[0] as Member).end, members[1].keyStart) : style.comma;
    out += `${text.slice(at, end)}${separator}"metadata"${style.colon}${writeFresh(notebook.metadata, style, 1)}`;
    at = end;
  }
  return out + text.slice(at);
}

/** New text of a top-level value; null to keep it. */
function topMember(member: Member, notebook: Notebook, source: NotebookSource): string | null {
  if (member.key === "metadata")
    return notebook.metadata === source.metadata
      ? null
      : patch(source.text, member, new Metadata(notebook.metadata), source.style, 1);
  return member.key === "cells" ? cellList(member, notebook, source) : null;
}

function cellList(list: Span, notebook: Notebook, source: NotebookSource): string {
  const { text, style, cellSpans } = source;
  const indexOf = new Map(cellSpans.map((span, i) => [span, i]));
  const used = new Set<Span>();
  const pieces = notebook.cells.map((cell): Piece => {
    const same = source.cells.get(cell);
    const span = same ?? source.cellById.get(cell.id)?.span;
    // Two cells of one id cannot be in a notebook, but one that was deleted and made anew can share its place.
    if (span === undefined || used.has(span))
      return { text: writeFresh(cellFields(cell, null, notebook.nbformat_minor), style, 2), was: null };
    used.add(span);
    const was = indexOf.get(span) as number;
    if (same !== undefined) return { text: text.slice(span.start, span.end), was };
    return { text: editedCell(cell, span, notebook, source), was };
  });
  return rebuild(text, list, cellSpans, pieces, style, 1);
}

/** The cell as it was spelled, with what changed in it. Parts that are still the same objects are not even compared. */
function editedCell(cell: Cell, span: Span, notebook: Notebook, source: NotebookSource): string {
  const fields = cellFields(cell, idInFile(source.text, span), notebook.nbformat_minor);
  const before = source.cellById.get(cell.id)?.cell;
  if (before?.metadata === cell.metadata) fields.metadata = KEEP;
  if (before?.outputs !== undefined && cell.outputs !== undefined) {
    const old = before.outputs;
    if (old === cell.outputs) fields.outputs = KEEP;
    else fields.outputs = cell.outputs.map((output, i) => (output === old[i] ? KEEP : outputFields(output)));
  }
  return patch(source.text, span, fields, source.style, 2);
}

type IdInFile = { id: unknown };

function idInFile(text: string, span: Span): IdInFile {
  const member = membersOf(text, span.start).findLast((each) => each.key === "id");
  return { id: member === undefined ? undefined : parseSlice(text, member) };
}

/** A cell as nbformat has it, keys in the order in which nbformat writes them. `before` is null for a new cell. */
function cellFields(cell: Cell, before: IdInFile | null, minor: number): Record<string, unknown> {
  const { id, cell_type, source, metadata, execution_count, outputs, attachments, ...unknown } = cell;
  const fields: Record<string, unknown> = {
    ...unknown,
    cell_type,
    // Rule 2.3: only nbformat 4.5 and later have ids; before, the one in memory is never written.
    id: minor >= 5 ? idToWrite(id, before) : KEEP,
    metadata: new Metadata(metadata),
    source: new Lines(source),
    ...(attachments === undefined ? {} : { attachments }),
  };
  if (cell_type === "code") {
    fields.execution_count = execution_count ?? null;
    fields.outputs = (outputs ?? []).map(outputFields);
  } else if (outputs !== undefined) fields.outputs = outputs;
  return sorted(fields);
}

function idToWrite(id: string, before: IdInFile | null): unknown {
  // Whatever made the id unusable in memory, an edited cell gets a good one.
  return before !== null && isValidCellId(before.id) && before.id === id ? KEEP : id;
}

function outputFields(output: Output): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...output };
  if (output.output_type === "stream") fields.text = new Lines(output.text);
  // Rule 4.2: nbformat allows no field of ours in an error output.
  if (output.output_type === "error") fields.parallax = KEEP;
  if (output.output_type === "display_data" || output.output_type === "execute_result")
    fields.data = bundleFields(output.data);
  if (typeof output.metadata === "object" && output.metadata !== null && !Array.isArray(output.metadata))
    fields.metadata = new Metadata(output.metadata as Record<string, unknown>);
  return sorted(fields);
}

function bundleFields(bundle: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(bundle).map(([mime, value]) => [mime, typeof value === "string" ? textOf(mime, value) : value]),
  );
}

/** Text that may stand in the file as a list of lines, whatever its type; new text does for the types that nbformat splits. */
function textOf(mime: string, value: string): unknown {
  if (isJsonMime(mime)) return value;
  return new Lines(value, isLineMime(mime) ? "list" : "string");
}

function sorted(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

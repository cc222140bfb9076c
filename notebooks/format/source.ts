/** What is kept of a file beside the notebook: its text, and which part of it each unedited object came from. */
import type { Cell, JsonObject, Notebook } from "./model.ts";
import { elementsOf, type Member, membersOf, type Span, skipSpace } from "./scan.ts";

/** How a file spells its white space. */
export interface JsonStyle {
  /** One level of indentation; null when the file is on one line. */
  indent: string | null;
  eol: string;
  colon: string;
  /** Between members on one line. */
  comma: string;
  /** True when the file escapes everything that is not ASCII. */
  ascii: boolean;
}

/** What nbformat itself writes. */
export const DEFAULT_STYLE: JsonStyle = { indent: " ", eol: "\n", colon: ": ", comma: ",", ascii: false };

/**
 * The text that a notebook was read from or last written as. Objects of the notebook are immutable and shared between
 * its versions, so an object that is still the same one is written as the same characters.
 */
export interface NotebookSource {
  text: string;
  style: JsonStyle;
  /** Start of the top object. */
  start: number;
  members: Member[];
  metadata: JsonObject;
  cells: Map<Cell, Span>;
  cellById: Map<string, { span: Span; cell: Cell }>;
  /** Spans in file order, to know which cells stood side by side. */
  cellSpans: Span[];
}

/**
 * Metadata larger than this many characters (one value, or an object as a whole) is not built, sent or compared: it
 * stays in the file, untouched. People attach whole data sets to notebooks; opening them must not hang.
 */
export const HOLD_BACK_CHARS = 8 * 1024 * 1024;
/** Keys that are built even when the metadata object around them is too large. */
const ALWAYS_BUILT = new Set(["kernelspec", "language_info", "parallax"]);

/** Whether a member of a metadata object stays out of memory. */
export function isHeldBack(whole: Span, member: Member): boolean {
  if (member.end - member.start > HOLD_BACK_CHARS) return true;
  return whole.end - whole.start > HOLD_BACK_CHARS && !ALWAYS_BUILT.has(member.key);
}

/** Types whose text nbformat stores as a list of lines. */
export function isLineMime(mime: string): boolean {
  return mime.startsWith("text/") || mime === "image/svg+xml" || mime === "application/javascript";
}
/** Types whose value is JSON and never joined. */
export function isJsonMime(mime: string): boolean {
  return mime === "application/json" || (mime.startsWith("application/") && mime.endsWith("+json"));
}

export function detectStyle(text: string, start: number, members: readonly Member[]): JsonStyle {
  const first = members[0];
  if (first === undefined) return DEFAULT_STYLE;
  const lead = text.slice(start + 1, first.keyStart);
  const newline = lead.lastIndexOf("\n");
  const second = members[1];
  const between = second === undefined ? "," : text.slice(first.end, second.keyStart);
  const head = text.slice(0, 4 * 1024 * 1024);
  return {
    indent: newline < 0 ? null : lead.slice(newline + 1),
    eol: lead.includes("\r\n") ? "\r\n" : "\n",
    colon: text.slice(first.keyEnd, first.start).trimStart(),
    comma: between.includes("\n") ? "," : between,
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
    ascii: !/[^\x00-\x7f]/.test(head) && /\\u(?!00[0-7])[0-9a-fA-F]{4}/.test(head),
  };
}

/** Ties the objects of `notebook` to their places in `text`, which is known to hold exactly this notebook. */
export function indexSource(text: string, notebook: Notebook): NotebookSource {
  let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  start = skipSpace(text, start);
  const members = membersOf(text, start);
  const list = members.findLast((member) => member.key === "cells");
  const spans = list === undefined ? [] : elementsOf(text, list.start);
  return sourceOf(text, start, members, spans, notebook);
}

export function sourceOf(
  text: string,
  start: number,
  members: Member[],
  cellSpans: Span[],
  notebook: Notebook,
): NotebookSource {
  const cells = new Map<Cell, Span>();
  const cellById: NotebookSource["cellById"] = new Map();
  for (const [i, cell] of notebook.cells.entries()) {
    const span = cellSpans[i];
    if (span === undefined) continue;
    cells.set(cell, span);
    cellById.set(cell.id, { span, cell });
  }
  const style = detectStyle(text, start, members);
  return { text, style, start, members, metadata: notebook.metadata, cells, cellById, cellSpans };
}

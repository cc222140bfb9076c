/** Reads `.ipynb` files. Rules are numbered in SPEC.md; the numbers in comments are theirs. */
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import { isValidCellId, placeholderId } from "./ids.ts";
import { readLegacy } from "./legacy.ts";
import type { Cell, CellType, Json, JsonObject, Notebook, Output } from "./model.ts";
import * as problems from "./problems.ts";
import {
  isArrayAt,
  isObjectAt,
  type Member,
  membersOf,
  parseSlice,
  ScanError,
  type Span,
  skipSpace,
  skipValue,
  walkArray,
  walkObject,
} from "./scan.ts";
import { isHeldBack, isJsonMime, type NotebookSource, sourceOf } from "./source.ts";

export interface ParsedNotebook {
  /** What can be shown: everything, or what stands before the fault. */
  notebook: Notebook;
  /** Needed to write the file again; null when it must not be written. */
  source: NotebookSource | null;
  /** Why the file is shown read-only, in words. */
  problem: ErrorData | null;
}

/**
 * Reads the bytes of a file.
 *
 * Never throws: a file that is no notebook gives a problem and as much of the notebook as could be read.
 * Cost: one pass over the bytes and JSON.parse of what is kept in memory; metadata past 8 MB is skipped over.
 */
export function decodeNotebook(bytes: Uint8Array): ParsedNotebook {
  // V8 holds at most 2^29 - 24 characters in one string.
  if (bytes.length > 0x1fffffe8) return unreadable(problems.tooLarge(bytes.length));
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return unreadable(problems.notUtf8("UTF-16"));
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Shown as far as it goes: the replacement characters would be written back otherwise.
    const lossy = parseNotebook(new TextDecoder().decode(bytes));
    return { ...lossy, source: null, problem: problems.notUtf8("another encoding, or damaged") };
  }
  // The decoder drops a byte order mark; it is part of the file's bytes (rule 3.5).
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return parseNotebook(marked ? `\ufeff${text}` : text);
}

/** Reads the text of a file, a byte order mark included. Otherwise like `decodeNotebook`. */
export function parseNotebook(text: string): ParsedNotebook {
  const start = skipSpace(text, text.charCodeAt(0) === 0xfeff ? 1 : 0);
  if (start >= text.length) return unreadable(problems.empty(text.length));
  if (!isObjectAt(text, start)) return unreadable(problems.notJson(text, start));

  const members: Member[] = [];
  const cellSpans: Span[] = [];
  let fault: ScanError | null = null;
  let cellsAt = -1;
  try {
    const end = walkObject(text, start, (member) => {
      let valueEnd: number;
      if (member.key === "cells" && isArrayAt(text, member.start)) {
        cellSpans.length = 0;
        cellsAt = member.start;
        valueEnd = walkArray(text, member.start, (span) => cellSpans.push(span));
      } else valueEnd = skipValue(text, member.start);
      members.push({ ...member, end: valueEnd });
      return valueEnd;
    });
    const rest = skipSpace(text, end);
    if (rest < text.length) fault = new ScanError(rest, "the end of the file");
  } catch (error) {
    if (!(error instanceof ScanError)) throw error;
    fault = error;
  }

  try {
    const version = memberValue(text, members, "nbformat");
    if (fault === null && typeof version === "number" && version !== 4)
      return version < 4
        ? { notebook: readLegacy(text, start), source: null, problem: problems.oldFormat(version) }
        : unreadable(problems.newerFormat(version));
    if (cellsAt < 0)
      return unreadable(fault === null ? problems.notANotebook(version) : problems.broken(text, fault, 0));
    const minor = memberValue(text, members, "nbformat_minor");
    const metadata = members.findLast((member) => member.key === "metadata");
    const notebook: Notebook = {
      nbformat: 4,
      nbformat_minor: typeof minor === "number" && Number.isInteger(minor) ? minor : 0,
      metadata: metadata === undefined ? {} : readMetadata(text, metadata, "the notebook"),
      cells: [],
    };
    const refused = readCells(text, cellSpans, notebook.cells);
    if (fault !== null) return { notebook, source: null, problem: problems.broken(text, fault, notebook.cells.length) };
    if (refused !== null) return { notebook, source: null, problem: refused };
    if (version !== 4) return { notebook, source: null, problem: problems.notANotebook(version) };
    return { notebook, source: sourceOf(text, start, members, cellSpans, notebook), problem: null };
  } catch (error) {
    if (error instanceof Invalid) return unreadable(problems.invalid(error.message, 0));
    if (error instanceof ScanError) return unreadable(problems.broken(text, error, 0));
    throw error;
  }
}

/** Something that is JSON, but that our model cannot hold without losing it. */
class Invalid extends Error {}

function unreadable(problem: ErrorData): ParsedNotebook {
  return { notebook: { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] }, source: null, problem };
}

function memberValue(text: string, members: readonly Member[], key: string): unknown {
  const member = members.findLast((each) => each.key === key);
  // A list or object where a number belongs is not worth building.
  if (member === undefined || member.end - member.start > 100) return undefined;
  return parseSlice(text, member);
}

/** Reads cells until the first one that cannot be held; the problem then names it. */
function readCells(text: string, spans: readonly Span[], into: Cell[]): ErrorData | null {
  const ids = new Set<string>();
  const waiting: number[] = [];
  let refused: ErrorData | null = null;
  for (const [index, span] of spans.entries()) {
    try {
      const cell = readCell(text, span);
      // Rules 2.2 and 2.3: a missing, invalid or repeated id is replaced in memory, after the good ones are known.
      if (isValidCellId(cell.id) && !ids.has(cell.id)) ids.add(cell.id);
      else waiting.push(index);
      into.push(cell);
    } catch (error) {
      if (error instanceof Invalid) refused = problems.invalid(`Cell ${index + 1} has ${error.message}`, into.length);
      else if (error instanceof ScanError) refused = problems.broken(text, error, into.length);
      else throw error;
      break;
    }
  }
  for (const index of waiting) {
    const id = placeholderId(index, ids);
    ids.add(id);
    into[index] = { ...(into[index] as Cell), id };
  }
  return refused;
}

const CELL_TYPES = new Set<unknown>(["code", "markdown", "raw"]);

function readCell(text: string, span: Span): Cell {
  if (!isObjectAt(text, span.start)) throw new Invalid("no fields");
  const fields: Record<string, unknown> = {};
  let metadata: JsonObject = {};
  let outputs: Output[] | undefined;
  for (const member of membersOf(text, span.start)) {
    if (member.key === "metadata") metadata = readMetadata(text, member, "its cell");
    else if (member.key === "outputs") outputs = readOutputs(text, member);
    else setOwn(fields, member.key, parseSlice(text, member));
  }
  const type = fields.cell_type;
  if (!CELL_TYPES.has(type)) throw new Invalid(`the type ${JSON.stringify(type)} (known: code, markdown, raw)`);
  if (outputs !== undefined && type !== "code") setOwn(fields, "outputs", outputs);
  const cell = {
    ...fields,
    id: fields.id as string,
    cell_type: type as CellType,
    source: joined(fields.source ?? "", "source"),
    metadata,
  };
  if (type !== "code") return cell;
  const count = fields.execution_count ?? null;
  if (count !== null && typeof count !== "number")
    throw new Invalid(`${JSON.stringify(count)} as its execution count (a number or null was expected)`);
  return { ...cell, execution_count: count, outputs: outputs ?? [] };
}

function readMetadata(text: string, span: Span, of: string): JsonObject {
  if (!isObjectAt(text, span.start)) throw new Invalid(`metadata of ${of} that is no object`);
  const metadata: JsonObject = {};
  for (const member of membersOf(text, span.start))
    if (!isHeldBack(span, member)) setOwn(metadata, member.key, parseSlice(text, member) as Json);
  return metadata;
}

function readOutputs(text: string, span: Span): Output[] {
  if (!isArrayAt(text, span.start)) throw new Invalid("outputs that are no list");
  const outputs: Output[] = [];
  walkArray(text, span.start, (element) => {
    outputs.push(readOutput(text, element));
  });
  return outputs;
}

function readOutput(text: string, span: Span): Output {
  if (!isObjectAt(text, span.start)) throw new Invalid("an output that is no object");
  const output: Record<string, unknown> = {};
  for (const member of membersOf(text, span.start)) {
    const value = member.key === "metadata" ? readMetadata(text, member, "an output of its") : parseSlice(text, member);
    setOwn(output, member.key, value);
  }
  if (output.output_type === "stream") output.text = joined(output.text ?? "", "stream text");
  if (output.output_type === "display_data" || output.output_type === "execute_result") {
    const data = output.data ?? {};
    if (typeof data !== "object" || Array.isArray(data)) throw new Invalid("an output whose data is no object");
    const bundle: Record<string, unknown> = {};
    for (const [mime, value] of Object.entries(data))
      setOwn(bundle, mime, isJsonMime(mime) || !isLines(value) ? value : value.join(""));
    output.data = bundle;
    output.metadata ??= {};
  }
  if (output.output_type === "error") {
    if (!isLines(output.traceback ?? [])) throw new Invalid("an error output whose traceback is no list of lines");
    output.traceback ??= [];
  }
  return output as unknown as Output;
}

function isLines(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((line) => typeof line === "string");
}

function joined(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  if (isLines(value)) return value.join("");
  throw new Invalid(`${what} that is neither text nor a list of lines`);
}

/** Plain assignment would call the setter of "__proto__", a key that a file may well have. */
function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

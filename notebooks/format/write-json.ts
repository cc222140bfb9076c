/** Writes JSON values, either fresh or into existing text, where everything that did not change stays as it is spelled. */
import { elementsOf, isArrayAt, isObjectAt, type Member, membersOf, parseSlice, type Span } from "./scan.ts";
import { isHeldBack, type JsonStyle } from "./source.ts";

/** Text that a file may store as one string or as a list of lines: what the file has stays; new text is as `fresh` says. */
export class Lines {
  readonly text: string;
  readonly fresh: "list" | "string";
  constructor(text: string, fresh: "list" | "string" = "list") {
    this.text = text;
    this.fresh = fresh;
  }
}
/** An object of which parts may have been held back when reading: those stay in the file. */
export class Metadata {
  readonly value: Record<string, unknown>;
  constructor(value: Record<string, unknown>) {
    this.value = value;
  }
}
/** Leaves what is there, and adds nothing where nothing is. */
export const KEEP = Symbol("keep");

/** "a\nb" → ["a\n", "b"]; "" → []. */
export function splitLines(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  const last = lines.pop() as string;
  const whole = lines.map((line) => `${line}\n`);
  return last === "" ? whole : [...whole, last];
}

function quote(value: string, style: JsonStyle): string {
  const text = JSON.stringify(value);
  if (!style.ascii) return text;
  return text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `depth` is the number of containers around the value. */
export function writeFresh(value: unknown, style: JsonStyle, depth: number): string {
  if (value instanceof Lines)
    return value.fresh === "string" ? quote(value.text, style) : writeFresh(splitLines(value.text), style, depth);
  if (value instanceof Metadata) return writeFresh(value.value, style, depth);
  if (typeof value === "string") return quote(value, style);
  if (Array.isArray(value))
    return wrap(
      "[",
      "]",
      value.map((each) => writeFresh(each, style, depth + 1)),
      style,
      depth,
    );
  if (typeof value === "object" && value !== null) {
    const parts = Object.entries(value)
      .filter(([, each]) => each !== undefined && each !== KEEP)
      .map(([key, each]) => quote(key, style) + style.colon + writeFresh(each, style, depth + 1));
    return wrap("{", "}", parts, style, depth);
  }
  return JSON.stringify(value) ?? "null";
}

export function lineBreak(style: JsonStyle, depth: number): string {
  return style.indent === null ? "" : style.eol + style.indent.repeat(depth);
}

function wrap(open: string, close: string, parts: string[], style: JsonStyle, depth: number): string {
  if (parts.length === 0) return open + close;
  const lead = lineBreak(style, depth + 1);
  const comma = style.indent === null ? style.comma : `,${lead}`;
  return open + lead + parts.join(comma) + lineBreak(style, depth) + close;
}

/** A part of a rebuilt container: where it stood before (its index there), or null when it is new. */
export interface Piece {
  text: string;
  was: number | null;
}

/**
 * A container of `old` spans at `span`, rebuilt from pieces. White space and commas between two neighbours that were
 * neighbours before are theirs; new places look like the container's first one, else like the file's style.
 */
export function rebuild(
  text: string,
  span: Span,
  old: readonly { start: number; end: number }[],
  pieces: readonly Piece[],
  style: JsonStyle,
  depth: number,
): string {
  const open = text[span.start] as string;
  const close = text[span.end - 1] as string;
  if (pieces.length === 0) return old.length === 0 ? text.slice(span.start, span.end) : open + close;
  const first = old[0];
  const second = old[1];
  const last = old.at(-1);
  const lead = first === undefined ? lineBreak(style, depth + 1) : text.slice(span.start + 1, first.start);
  const tail = last === undefined ? lineBreak(style, depth) : text.slice(last.end, span.end - 1);
  const usual =
    first !== undefined && second !== undefined
      ? text.slice(first.end, second.start)
      : style.indent === null
        ? style.comma
        : `,${lead}`;
  // Concatenation, not join: V8 shares the long slices instead of copying them.
  let out = open + lead;
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) {
      const before = (pieces[i - 1] as Piece).was;
      const beside = before !== null && piece.was === before + 1;
      out += beside ? text.slice((old[before] as Span).end, (old[piece.was as number] as Span).start) : usual;
    }
    out += piece.text;
  }
  return out + tail + close;
}

/**
 * The text of `value` where `text` has `span` now. Equal parts keep their spelling (1.0, 1e5, escapes, order, white
 * space), so the result is the old text when nothing changed.
 */
export function patch(text: string, span: Span, value: unknown, style: JsonStyle, depth: number): string {
  if (value === KEEP) return text.slice(span.start, span.end);
  if (value instanceof Lines) return patchLines(text, span, value, style, depth);
  if (value instanceof Metadata)
    return isObjectAt(text, span.start)
      ? patchObject(text, span, value.value, style, depth, true)
      : writeFresh(value.value, style, depth);
  if (Array.isArray(value)) {
    if (!isArrayAt(text, span.start)) return writeFresh(value, style, depth);
    const old = elementsOf(text, span.start);
    const pieces = value.map((each, i): Piece => {
      const at = old[i];
      return at === undefined
        ? { text: writeFresh(each, style, depth + 1), was: null }
        : { text: patch(text, at, each, style, depth + 1), was: i };
    });
    return rebuild(text, span, old, pieces, style, depth);
  }
  if (typeof value === "object" && value !== null) {
    if (!isObjectAt(text, span.start)) return writeFresh(value, style, depth);
    return patchObject(text, span, value as Record<string, unknown>, style, depth, false);
  }
  if (!isObjectAt(text, span.start) && !isArrayAt(text, span.start) && parseSlice(text, span) === value)
    return text.slice(span.start, span.end);
  return writeFresh(value, style, depth);
}

function patchObject(
  text: string,
  span: Span,
  value: Record<string, unknown>,
  style: JsonStyle,
  depth: number,
  holds: boolean,
): string {
  const old = membersOf(text, span.start);
  // Of a repeated key the last one counts, as JSON.parse reads it; the others stay as they are.
  const lastOf = new Map(old.map((member, i) => [member.key, i]));
  const pieces: (Piece & { key: string })[] = [];
  for (const [i, member] of old.entries()) {
    const given = Object.hasOwn(value, member.key) ? value[member.key] : undefined;
    const held = holds && isHeldBack(span, member);
    if (given === undefined && !held) continue;
    const unchanged = given === undefined || lastOf.get(member.key) !== i;
    const body = unchanged ? text.slice(member.start, member.end) : patch(text, member, given, style, depth + 1);
    pieces.push({ key: member.key, text: text.slice(member.keyStart, member.start) + body, was: i });
  }
  const isSorted = old.every((member, i) => i === 0 || (old[i - 1] as Member).key <= member.key);
  for (const [key, each] of Object.entries(value)) {
    if (lastOf.has(key) || each === undefined || each === KEEP) continue;
    const added = { key, text: quote(key, style) + style.colon + writeFresh(each, style, depth + 1), was: null };
    const place = isSorted ? pieces.findIndex((piece) => piece.key > key) : -1;
    pieces.splice(place < 0 ? pieces.length : place, 0, added);
  }
  const places = old.map((member) => ({ start: member.keyStart, end: member.end }));
  return rebuild(text, span, places, pieces, style, depth);
}

/** A text that the file has as one string stays one string; a list keeps the spelling of the lines that did not change. */
function patchLines(text: string, span: Span, given: Lines, style: JsonStyle, depth: number): string {
  const value = given.text;
  if (!isArrayAt(text, span.start)) {
    if (text[span.start] !== '"') return writeFresh(given, style, depth);
    return parseSlice(text, span) === value ? text.slice(span.start, span.end) : quote(value, style);
  }
  const old = elementsOf(text, span.start);
  const lines = old.map((element) => parseSlice(text, element) as string);
  if (lines.join("") === value) return text.slice(span.start, span.end);
  const places = new Map<string, number[]>();
  for (const [i, line] of lines.entries()) places.set(line, [...(places.get(line) ?? []), i]);
  const pieces = splitLines(value).map((line): Piece => {
    const was = places.get(line)?.shift();
    const at = was === undefined ? undefined : (old[was] as Span);
    return at === undefined || was === undefined
      ? { text: quote(line, style), was: null }
      : { text: text.slice(at.start, at.end), was };
  });
  return rebuild(text, span, old, pieces, style, depth);
}

/**
 * Finds where the values of a JSON text begin and end, without building them. The codec needs the places because what
 * nobody edited is written back as the very characters that were read. Values themselves come from JSON.parse on a
 * slice, which also checks the details that are skipped over here.
 */

/** Half-open range of characters. */
export interface Span {
  start: number;
  end: number;
}

/** A member of an object: the span is its value's. */
export interface Member extends Span {
  key: string;
  /** Range of the quoted key. */
  keyStart: number;
  keyEnd: number;
}

/** The text stops being JSON at `at`. */
export class ScanError extends Error {
  readonly at: number;
  constructor(at: number, expected: string) {
    super(expected);
    this.name = "ScanError";
    this.at = at;
  }
}

/** Deeper nesting than any notebook has; beyond it printing and sending would exhaust the stack. */
const MAX_DEPTH = 500;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

export function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

export function skipSpace(text: string, at: number): number {
  let i = at;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

function skipString(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) throw new ScanError(at, "a string");
  for (let i = at + 1; ; ) {
    const quote = text.indexOf('"', i);
    if (quote < 0) throw new ScanError(text.length, "the end of a string");
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    i = quote + 1;
  }
}

/** End of the number, true, false or null that starts at `at`. */
function skipWord(text: string, at: number): number {
  let i = at;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const inWord = (c >= 48 && c <= 57) || (c >= 97 && c <= 122) || c === 45 || c === 43 || c === 46 || c === 69;
    if (!inWord) break;
  }
  if (i === at) throw new ScanError(at, "a value");
  return i;
}

/**
 * End (exclusive) of the value that starts at `at`.
 * @throws {ScanError} where the text stops being JSON or nests deeper than 500 levels
 * Cost: O(characters), no recursion.
 */
export function skipValue(text: string, at: number): number {
  const open: number[] = [];
  let i = at;
  for (;;) {
    i = skipSpace(text, i);
    const c = text.charCodeAt(i);
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (open.length >= MAX_DEPTH) throw new ScanError(i, `fewer than ${MAX_DEPTH} levels of nesting`);
      open.push(c);
      i = skipSpace(text, i + 1);
      const closes = c === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
      if (text.charCodeAt(i) !== closes) {
        if (c === OPEN_BRACE) i = skipKey(text, i);
        continue;
      }
    } else i = c === QUOTE ? skipString(text, i) : skipWord(text, i);
    // A value has ended at i (or an empty container stands open at its closing sign): go on in what encloses it.
    for (;;) {
      const inside = open.at(-1);
      if (inside === undefined) return i;
      i = skipSpace(text, i);
      const next = text.charCodeAt(i);
      if (next === (inside === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
        open.pop();
        i++;
        continue;
      }
      if (next !== COMMA) throw new ScanError(i, inside === OPEN_BRACE ? '"," or "}"' : '"," or "]"');
      i = skipSpace(text, i + 1);
      if (inside === OPEN_BRACE) i = skipKey(text, i);
      break;
    }
  }
}

function skipKey(text: string, at: number): number {
  const i = skipSpace(text, skipString(text, at));
  if (text.charCodeAt(i) !== COLON) throw new ScanError(i, '":"');
  return i + 1;
}

/**
 * Visits the members of the object at `at` and returns its end. `visit` may walk the value itself and return its end;
 * otherwise the value is skipped. What was visited before an error was whole.
 */
export function walkObject(
  text: string,
  at: number,
  visit: (member: Omit<Member, "end">) => number | undefined,
): number {
  if (text.charCodeAt(at) !== OPEN_BRACE) throw new ScanError(at, '"{"');
  let i = skipSpace(text, at + 1);
  if (text.charCodeAt(i) === CLOSE_BRACE) return i + 1;
  for (;;) {
    const keyStart = i;
    const keyEnd = skipString(text, i);
    const start = skipSpace(text, skipKey(text, i));
    const key = parseSlice(text, { start: keyStart, end: keyEnd }) as string;
    i = skipSpace(text, visit({ key, keyStart, keyEnd, start }) ?? skipValue(text, start));
    const c = text.charCodeAt(i);
    if (c === CLOSE_BRACE) return i + 1;
    if (c !== COMMA) throw new ScanError(i, '"," or "}"');
    i = skipSpace(text, i + 1);
  }
}

/** Visits the elements of the array at `at`, each one whole, and returns the array's end. */
export function walkArray(text: string, at: number, visit: (element: Span) => void): number {
  if (text.charCodeAt(at) !== OPEN_BRACKET) throw new ScanError(at, '"["');
  let i = skipSpace(text, at + 1);
  if (text.charCodeAt(i) === CLOSE_BRACKET) return i + 1;
  for (;;) {
    const start = i;
    const end = skipValue(text, start);
    visit({ start, end });
    i = skipSpace(text, end);
    const c = text.charCodeAt(i);
    if (c === CLOSE_BRACKET) return i + 1;
    if (c !== COMMA) throw new ScanError(i, '"," or "]"');
    i = skipSpace(text, i + 1);
  }
}

export function membersOf(text: string, at: number): Member[] {
  const members: Member[] = [];
  walkObject(text, at, (member) => {
    const end = skipValue(text, member.start);
    members.push({ ...member, end });
    return end;
  });
  return members;
}

export function elementsOf(text: string, at: number): Span[] {
  const elements: Span[] = [];
  walkArray(text, at, (element) => {
    elements.push(element);
  });
  return elements;
}

/**
 * The value of a span.
 * @throws {ScanError} at the place of the fault within the whole text
 */
export function parseSlice(text: string, span: Span): unknown {
  const slice = text.slice(span.start, span.end);
  try {
    return JSON.parse(slice);
  } catch (error) {
    const offset = /position (\d+)/.exec(String(error))?.[1];
    throw new ScanError(span.start + Number(offset ?? 0), "JSON");
  }
}

export const isObjectAt = (text: string, at: number): boolean => text.charCodeAt(at) === OPEN_BRACE;
export const isArrayAt = (text: string, at: number): boolean => text.charCodeAt(at) === OPEN_BRACKET;

/** Line and column (from 1) of a character. */
export function placeOf(text: string, at: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) {
    line++;
    lineStart = i + 1;
  }
  return { line, column: at - lineStart + 1 };
}

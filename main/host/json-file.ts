/** Small files of ours. What cannot be read is told, never guessed over. */
import { readFileSync } from "node:fs";
import { type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { systemCode } from "./disk-errors.ts";

/** A file's text; null when there is no file. */
export function textOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

/** The value of a JSON text; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** Where a text stops being JSON, and how. Comments are no fault. */
export function firstFault(text: string): { line: number; what: string } | null {
  const errors: ParseError[] = [];
  parseTree(text, errors, { allowTrailingComma: true });
  const first = errors[0];
  return first === undefined ? null : { line: lineOf(text, first.offset), what: printParseErrorCode(first.error) };
}

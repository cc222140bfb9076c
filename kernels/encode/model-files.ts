/** Small JSON files of a model folder. */
import { readFileSync } from "node:fs";
import { ParallaxError } from "../protocol/errors.ts";

/**
 * A JSON file's contents, undefined when there is no such file.
 * @throws {ParallaxError} encoder.damaged-file when it is no JSON or not of the kind asked for
 */
export function readJsonFile(file: string, kind: "object" | "array" = "object"): Record<string, unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ParallaxError(
      "encoder.damaged-file",
      `${file} could not be read (${code ?? (error as Error).message}). Nothing was loaded.`,
      {
        kind: "environment",
        hint: "Check the file's permissions.",
        details: { file },
        cause: error,
      },
    );
  }
  const bad = (problem: string, cause?: unknown) =>
    new ParallaxError("encoder.damaged-file", `${file} ${problem}. Nothing was loaded.`, {
      hint: "Copy the file from the model again.",
      details: { file, bytes: text.length },
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(`(${text.length} characters) is not valid JSON: ${(error as Error).message}`, error);
  }
  const right =
    kind === "array" ? Array.isArray(value) : typeof value === "object" && value !== null && !Array.isArray(value);
  if (!right) throw bad(`is not a JSON ${kind}`);
  return value as Record<string, unknown>;
}

/** What a folder holds, for a message: at most eight names. */
export function foundIn(names: readonly string[]): string {
  if (names.length === 0) return "nothing";
  const shown = [...names].sort().slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

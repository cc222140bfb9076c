/** JSON files that describe work, with comments and trailing commas, and mistakes told by their lines. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { findNodeAtLocation, getNodeValue, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { z } from "zod";
import { nearestName } from "../data/nearest.ts";
import { ParallaxError } from "../protocol/errors.ts";

/**
 * Read a file against a schema.
 * @param about what the file should be, for the message, and where its fields are described.
 * @throws {ParallaxError} train.config-missing; train.bad-config names every bad field with its line (details.problems).
 */
export function readJsonConfig<S extends z.ZodObject>(
  file: string,
  schema: S,
  about: { what: string; docs: string },
): z.output<S> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError("train.config-missing", `${file} could not be read (${code}). Nothing was started.`, {
      kind: code === "ENOENT" ? "user" : "environment",
      hint: "Check the path.",
      details: { file },
      cause,
    });
  }
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const bad = (problems: { line: number; problem: string }[]) =>
    new ParallaxError(
      "train.bad-config",
      `${path.basename(file)} is no ${about.what}: ${problems.map(({ line, problem }) => `line ${line}: ${problem}`).join("; ")}. Nothing was started.`,
      { hint: `The fields are in ${about.docs}.`, details: { file, problems } },
    );
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  if (errors.length > 0 || tree === undefined)
    throw bad(
      errors.length === 0
        ? [{ line: 1, problem: "the file is empty" }]
        : errors
            .slice(0, 3)
            .map(({ offset, error }) => ({ line: lineAt(offset), problem: printParseErrorCode(error) })),
    );
  const parsed = schema.safeParse(getNodeValue(tree));
  if (parsed.success) return parsed.data;
  throw bad(
    parsed.error.issues.flatMap((issue) => {
      const at = issue.path as (string | number)[];
      // A missing field has no place of its own; its parent has.
      const node = findNodeAtLocation(tree, at) ?? findNodeAtLocation(tree, at.slice(0, -1)) ?? tree;
      if (issue.code === "unrecognized_keys")
        return issue.keys.map((key) => {
          const near = nearestName(key, Object.keys(schema.shape));
          const child = findNodeAtLocation(tree, [...at, key]) ?? node;
          return {
            line: lineAt(child.offset),
            problem: `unknown field "${[...at, key].join(".")}"${near === undefined || at.length > 0 ? "" : ` (did you mean "${near}"?)`}`,
          };
        });
      return [{ line: lineAt(node.offset), problem: `${at.join(".") || "the file"}: ${issue.message}` }];
    }),
  );
}

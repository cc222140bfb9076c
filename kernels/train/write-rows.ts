/** Training rows as a file that rowsFromTable reads back. */
import path from "node:path";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { TrainingRow } from "./rows.ts";

/**
 * Write rows: one object a line (.jsonl), a list (.json), or a table with columns anchor, positive, negative_1 …, score or
 * scores, group, task (.tsv). The file is there whole or not at all.
 *
 * @throws {ParallaxError} train.rows-format for another ending; train.rows-not-tsv for texts with tabs or line ends, and
 *   rows with instructions; file.write-failed
 */
export function writeRows(file: string, rows: readonly TrainingRow[]): void {
  const ending = path.extname(file).toLowerCase();
  if (ending === ".jsonl") writeFileAtomically(file, jsonLines(rows));
  else if (ending === ".json") writeFileAtomically(file, [`${JSON.stringify(rows, null, 1)}\n`]);
  else if (ending === ".tsv") writeFileAtomically(file, [tsv(rows)]);
  else
    throw new ParallaxError(
      "train.rows-format",
      `Rows are written as .jsonl, .json or .tsv; ${path.basename(file)} ends in none of them.`,
      { hint: "Use .jsonl: it takes every row." },
    );
}

function* jsonLines(rows: readonly TrainingRow[]): Generator<string> {
  for (let start = 0; start < rows.length; start += 1000)
    yield rows
      .slice(start, start + 1000)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join("");
}

function tsv(rows: readonly TrainingRow[]): string {
  const negatives = rows.reduce((most, row) => Math.max(most, row.negatives?.length ?? 0), 0);
  const single = rows.every((row) => (row.scores?.length ?? 1) === 1);
  const has = (name: "scores" | "group" | "task") => rows.some((row) => row[name] !== undefined);
  const columns = [
    "anchor",
    "positive",
    ...Array.from({ length: negatives }, (_, i) => `negative_${i + 1}`),
    ...(has("scores") ? [single ? "score" : "scores"] : []),
    ...(has("group") ? ["group"] : []),
    ...(has("task") ? ["task"] : []),
  ];
  const lines = rows.map((row, i) => {
    const cells = [
      row.anchor,
      row.positive,
      ...Array.from({ length: negatives }, (_, j) => row.negatives?.[j] ?? ""),
      ...(has("scores") ? [row.scores === undefined ? "" : single ? row.scores[0] : JSON.stringify(row.scores)] : []),
      ...(has("group") ? [row.group ?? ""] : []),
      ...(has("task") ? [row.task ?? ""] : []),
    ].map(String);
    const odd = row.instructions !== undefined || cells.some((cell) => /[\t\n\r]/.test(cell));
    if (!odd) return cells.join("\t");
    throw new ParallaxError(
      "train.rows-not-tsv",
      `Row ${i + 1} ${row.instructions === undefined ? "has a text with a tab or a line end" : "has instructions of its own"}, which tsv has no place for. Nothing was written.`,
      { hint: "Write .jsonl.", details: { row: i } },
    );
  });
  return `${[columns.join("\t"), ...lines].join("\n")}\n`;
}

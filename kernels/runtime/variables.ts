/** The list of variables, and a closer look at one. */
import { bytesOf, previewLine, typeOf } from "../api/describe-value.ts";
import { isDisplayable, previewBundle, valueBundle } from "../api/value-bundle.ts";
import { tableBundle } from "../data/table-view.ts";
import { MIME, type MimeBundle, type ValuePreview } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Variable } from "../protocol/kernel-messages.ts";
import type { NotebookScope } from "./scope.ts";

/** All variables but imported names, newest first. */
export function listVariables(scope: NotebookScope): Variable[] {
  return scope
    .names()
    .filter(({ name }) => !scope.isImport(name))
    .map(({ name, cellId }) => {
      const value = scope.value(name);
      return { name, type: typeOf(value), bytes: bytesOf(value), preview: previewLine(value).text, cellId };
    });
}

/** Rows of a matrix, and numbers of a row, that a closer look shows. */
const SHOWN_ROWS = 20;
const SHOWN_COLUMNS = 12;

/**
 * A bundle for one variable: its own display, its rows, or its numbers summed up.
 * @throws {ParallaxError} variable.not-found
 */
export async function inspectVariable(scope: NotebookScope, name: string): Promise<MimeBundle> {
  if (!scope.isSet(name))
    throw new ParallaxError("variable.not-found", `No cell that ran has set \`${name}\`.`, {
      hint: "Run the cell that defines it.",
    });
  const value = scope.value(name);
  const numbers = numericMatrix(value);
  if (numbers === undefined || isDisplayable(value)) return valueBundle(value);
  return { ...previewBundle(value), ...tableBundle(summary(numbers)), [MIME.value]: preview(value, name) };
}

function preview(value: unknown, name: string): ValuePreview {
  const shown = previewLine(value);
  const bytes = bytesOf(value);
  return {
    version: 1,
    name,
    type: typeOf(value),
    ...(bytes === null ? {} : { bytes }),
    preview: shown.text,
    cut: shown.cut,
  };
}

interface Matrix {
  data: ArrayLike<number>;
  rows: number;
  columns: number;
}

function numericMatrix(value: unknown): Matrix | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const own = (key: string): unknown => Object.getOwnPropertyDescriptor(value, key)?.value;
  const isNumbers = (given: unknown): given is Float32Array =>
    ArrayBuffer.isView(given) && !(given instanceof DataView) && typeof (given as Float32Array)[0] !== "bigint";
  if (isNumbers(value)) return { data: value, rows: 1, columns: value.length };
  const data = own("data");
  const n = own("n");
  const dimensions = own("dimensions");
  if (isNumbers(data) && typeof n === "number" && typeof dimensions === "number" && n * dimensions === data.length)
    return { data, rows: n, columns: dimensions };
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number"))
    return { data: value, rows: 1, columns: value.length };
  return undefined;
}

function summary({ data, rows, columns }: Matrix): Parameters<typeof tableBundle>[0] {
  let [low, high, sum, unreadable, normSum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let r = 0; r < rows; r++) {
    let squares = 0;
    for (let c = 0; c < columns; c++) {
      const x = data[r * columns + c]!;
      if (Number.isNaN(x)) {
        unreadable += 1;
        continue;
      }
      low = Math.min(low, x);
      high = Math.max(high, x);
      sum += x;
      squares += x * x;
    }
    normSum += Math.sqrt(squares);
  }
  const counted = rows * columns - unreadable;
  const short = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(6));
  const notes =
    counted === 0
      ? [`${rows * columns} numbers, all NaN.`]
      : [
          `min ${short(low)}, max ${short(high)}, mean ${short(sum / counted)}, NaN ${unreadable}` +
            (rows > 1 ? `, mean norm ${short(normSum / rows)}` : ""),
        ];
  // A single row is shown as a column: its index is what one looks for.
  const tall = rows === 1;
  const shown = Math.min(tall ? 1 : columns, SHOWN_COLUMNS);
  const cell = (x: number): number | string => (Number.isFinite(x) ? x : String(x));
  return {
    version: 1,
    columns: [
      { name: tall ? "index" : "row", kind: "number" },
      ...Array.from({ length: shown }, (_, c) => ({ name: tall ? "value" : String(c), kind: "number" as const })),
    ],
    rows: Array.from({ length: Math.min(tall ? columns : rows, SHOWN_ROWS) }, (_, r) => [
      r,
      ...Array.from({ length: shown }, (_, c) => cell(data[tall ? r : r * columns + c]!)),
    ]),
    total: tall ? columns : rows,
    notes: shown < columns && !tall ? [`${shown} of ${columns} columns are shown.`, ...notes] : notes,
  };
}

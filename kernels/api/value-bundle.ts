/** Any value as an output: its own display, a table of rows, or a typed preview with plain text beside it. */
import { types } from "node:util";
import { tableBundle, toCell } from "../data/table-view.ts";
import {
  DISPLAY,
  type Displayable,
  MIME,
  type MimeBundle,
  type TableColumn,
  type ValuePreview,
} from "../protocol/display.ts";
import { toErrorData } from "../protocol/errors.ts";
import { bytesOf, isPlainObject, previewLine, renderValue, typeOf } from "./describe-value.ts";

const INLINE_ROWS = 200;
const INLINE_COLUMNS = 50;

/** True for a value that shows itself. Asks no proxy, and a getter that throws counts as no. */
export function isDisplayable(value: unknown): value is Displayable {
  if ((typeof value !== "object" && typeof value !== "function") || value === null || types.isProxy(value))
    return false;
  try {
    return typeof (value as Partial<Displayable>)[DISPLAY] === "function";
  } catch {
    return false;
  }
}

/**
 * The bundle that shows `value`, at once where that is possible. Never throws and never rejects: a display that fails
 * gives the plain preview and says what went wrong.
 *
 * @param name  the variable's name, when the cell ended with its declaration
 */
export function valueBundle(value: unknown, name?: string): MimeBundle | Promise<MimeBundle> {
  if (isDisplayable(value)) {
    const failed = (error: unknown): MimeBundle => {
      const bundle = previewBundle(value, name);
      return { ...bundle, [MIME.plain]: `${bundle[MIME.plain]}\nIts display failed: ${toErrorData(error).message}` };
    };
    try {
      const bundle = value[DISPLAY]();
      return types.isPromise(bundle) ? bundle.then(checked, failed) : checked(bundle);
    } catch (error) {
      return failed(error);
    }
  }
  return rowsBundle(value, name) ?? previewBundle(value, name);
}

/** A user's class may return anything from its display method. */
function checked(bundle: unknown): MimeBundle {
  if (isPlainObject(bundle)) return MIME.plain in bundle ? bundle : { ...bundle, [MIME.plain]: "" };
  return previewBundle(bundle);
}

/** The typed preview alone: for declarations at the end of a cell and for values with nothing better. */
export function previewBundle(value: unknown, name?: string): MimeBundle {
  const shown = name === undefined ? renderValue(value) : previewLine(value);
  const bytes = bytesOf(value);
  const preview: ValuePreview = {
    version: 1,
    ...(name === undefined ? {} : { name }),
    type: typeOf(value),
    ...(bytes === null ? {} : { bytes }),
    preview: shown.text,
    cut: shown.cut,
  };
  return { [MIME.value]: preview, [MIME.plain]: name === undefined ? shown.text : `${name} = ${shown.text}` };
}

/** Rows of plain objects as a table, undefined for anything else. */
function rowsBundle(value: unknown, name: string | undefined): MimeBundle | undefined {
  if (types.isProxy(value) || !Array.isArray(value) || value.length < 2) return undefined;
  const rows: Record<string, unknown>[] = [];
  const names: string[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < value.length && rows.length < INLINE_ROWS; i++) {
    const row: unknown = Object.getOwnPropertyDescriptor(value, i)?.value;
    if (!isPlainObject(row)) return undefined;
    rows.push(row);
    for (const key of Object.keys(row)) {
      if (seen.has(key)) continue;
      seen.add(key);
      names.push(key);
    }
  }
  if (names.length === 0) return undefined;
  const columns = names.slice(0, INLINE_COLUMNS);
  const cells = rows.map((row) => columns.map((column) => cell(row, column)));
  return tableBundle({
    version: 1,
    ...(name === undefined ? {} : { title: name }),
    columns: columns.map((column, j): TableColumn => ({ name: column, kind: columnKind(cells.map((row) => row[j]!)) })),
    rows: cells,
    total: value.length,
    notes: names.length > columns.length ? [`${columns.length} of ${names.length} columns are shown.`] : [],
  });
}

function cell(row: Record<string, unknown>, column: string): string | number | boolean | null {
  const value: unknown = Object.getOwnPropertyDescriptor(row, column)?.value;
  if (typeof value !== "object" || value === null || value instanceof Date)
    return typeof value === "function" ? "function" : toCell(value);
  return previewLine(value).text;
}

function columnKind(values: readonly unknown[]): TableColumn["kind"] {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => typeof value));
  if (kinds.size !== 1) return "text";
  return kinds.has("number") ? "number" : kinds.has("boolean") ? "boolean" : "text";
}

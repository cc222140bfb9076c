/** One column of a table of any size, row by row, in bounded memory. The same rules and errors as `readTable`. */
import path from "node:path";
import { parse as csvParser } from "csv-parse";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { parquetRows } from "./parquet.ts";
import { placesOf } from "./places.ts";
import { checkCancelled, linesOf, textBlocks } from "./source.ts";
import { formatOf, header, objectOf, parseJson, type TableFormat } from "./table.ts";
import { count } from "./table-view.ts";

export interface StreamedRow {
  text: string;
  /** Value of the id column as text; the row number when there is none. */
  id: string;
}

export interface TextStreamOptions extends WorkContext {
  /** Column with the texts. A txt file has one, "text". */
  column: string;
  /** Column that names the rows. Default: none. */
  idColumn?: string | undefined;
  format?: TableFormat | undefined;
  /** Rows to pass over at the start. */
  skip?: number;
}

/**
 * @yields rows in the order of the file, in small lists
 * @throws {ParallaxError} table.* as readTable; table.missing-column; table.not-text (with the row) for a cell that is not
 *   text; table.unsupported-stream for json, which has to be read whole
 * Cost: memory is a block of 1 MiB (parquet: one row group of two columns).
 */
export async function* streamTexts(file: string, options: TextStreamOptions): AsyncGenerator<StreamedRow[]> {
  const format = options.format ?? formatOf(file);
  const name = path.basename(file);
  const wanted = [options.column, ...(options.idColumn === undefined ? [] : [options.idColumn])];
  let row = 0;
  const skip = options.skip ?? 0;
  for await (const rows of records(file, name, format, wanted, options)) {
    const block: StreamedRow[] = [];
    for (const values of rows) {
      const at = row++;
      if (at < skip) continue;
      const text = values[0];
      if (typeof text !== "string")
        throw new ParallaxError(
          "table.not-text",
          `Row ${count(at)} (rows count from 0) of ${name} has ${text === null || text === undefined ? "nothing" : `a ${typeof text}`} in the column "${options.column}". Rows before it were read.`,
          { hint: "Fill or leave out such rows.", details: { row: at, column: options.column } },
        );
      block.push({ text, id: options.idColumn === undefined ? String(at) : String(values[1] ?? "") });
    }
    if (block.length > 0) yield block;
  }
}

type Records = AsyncGenerator<unknown[][]>;

function records(
  file: string,
  name: string,
  format: TableFormat,
  wanted: readonly string[],
  ctx: WorkContext,
): Records {
  switch (format) {
    case "tsv":
      return tsv(file, name, wanted, ctx);
    case "csv":
      return csv(file, name, wanted, ctx);
    case "txt":
      return txt(file, name, wanted, ctx);
    case "jsonl":
      return jsonLines(file, name, wanted, ctx);
    case "parquet":
      return parquetRows(file, name, wanted, ctx);
    case "json":
      throw new ParallaxError(
        "table.unsupported-stream",
        `${name} is one JSON list, which has to be read whole before its first row is known.`,
        { hint: "Write it as jsonl: one object a line." },
      );
  }
}

async function* tsv(file: string, name: string, wanted: readonly string[], ctx: WorkContext): Records {
  let columns: string[] | undefined;
  let places: number[] = [];
  let windows = false;
  for await (const block of textBlocks(file, ctx)) {
    if (columns === undefined) windows = /^[^\n]*\r\n/.test(block.text);
    const rows: unknown[][] = [];
    let line = block.firstLine;
    for (const text of linesOf(block, windows)) {
      if (columns === undefined) {
        columns = header(text.split("\t"), name);
        places = placesOf(columns, wanted, name);
      } else if (text !== "" || columns.length === 1) rows.push(pick(text.split("\t"), columns, places, line, name));
      line += 1;
    }
    yield rows;
  }
}

async function* csv(file: string, name: string, wanted: readonly string[], ctx: WorkContext): Records {
  const parser = csvParser({ skip_empty_lines: true, relax_column_count: true, info: true });
  let failed: Error | undefined;
  parser.on("error", (error) => {
    failed = error;
  });
  let columns: string[] | undefined;
  let places: number[] = [];
  const drain = (): unknown[][] => {
    if (failed !== undefined)
      throw new ParallaxError("table.broken-csv", `${name} is not csv: ${failed.message}`, {
        hint: "Check the quotes of that line.",
        cause: failed,
      });
    const rows: unknown[][] = [];
    for (;;) {
      const next = parser.read() as { record: string[]; info: { lines: number } } | null;
      if (next === null) return rows;
      if (columns === undefined) {
        columns = header(next.record, name);
        places = placesOf(columns, wanted, name);
      } else rows.push(pick(next.record, columns, places, next.info.lines, name));
    }
  };
  for await (const block of textBlocks(file, ctx)) {
    await new Promise<void>((resolve) => parser.write(block.text, () => resolve()));
    yield drain();
  }
  await new Promise<void>((resolve) => {
    parser.once("error", () => resolve());
    parser.once("readable", () => resolve());
    parser.once("end", () => resolve());
    parser.end(() => resolve());
  });
  yield drain();
}

function pick(
  cells: readonly string[],
  columns: readonly string[],
  places: readonly number[],
  line: number,
  name: string,
): string[] {
  if (cells.length !== columns.length)
    throw new ParallaxError(
      "table.ragged-row",
      `Line ${count(line)} of ${name} has ${cells.length} cells, its header has ${columns.length} (${columns.join(", ")}).`,
      { hint: "A text of this line probably holds the separator; quote it, or use jsonl.", details: { line } },
    );
  return places.map((place) => cells[place]);
}

async function* txt(file: string, name: string, wanted: readonly string[], ctx: WorkContext): Records {
  placesOf(["text"], wanted, name);
  let windows: boolean | undefined;
  for await (const block of textBlocks(file, ctx)) {
    windows ??= /^[^\n]*\r\n/.test(block.text);
    yield linesOf(block, windows).map((line) => [line]);
  }
}

async function* jsonLines(file: string, name: string, wanted: readonly string[], ctx: WorkContext): Records {
  let isFirst = true;
  for await (const block of textBlocks(file, ctx)) {
    checkCancelled(ctx, `Reading ${name}`);
    const rows: unknown[][] = [];
    let line = block.firstLine - 1;
    for (const text of block.text.split("\n")) {
      line += 1;
      if (text.trim() === "") continue;
      const row = objectOf(parseJson(text, name, line), name, `line ${count(line)}`, { line });
      if (isFirst) placesOf(Object.keys(row), wanted, name);
      isFirst = false;
      rows.push(wanted.map((column) => row[column]));
    }
    yield rows;
  }
}

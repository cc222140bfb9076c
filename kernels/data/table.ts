/** Reading tables from files: tsv, csv, jsonl, json, one text a line, parquet; all but parquet also gzipped. */
import path from "node:path";
import { type Options as CsvOptions, parse as csvParser } from "csv-parse";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { readParquet } from "./parquet.ts";
import { checkCancelled, linesOf, textBlocks } from "./source.ts";
import { Table } from "./table-data.ts";
import { count } from "./table-view.ts";

export { type Row, Table } from "./table-data.ts";

export type TableFormat = "tsv" | "csv" | "jsonl" | "json" | "txt" | "parquet";

export interface ReadTableOptions extends WorkContext {
  /** Default: from the file's name (`.gz` is looked through). */
  format?: TableFormat;
  /** tsv only: true when cells may be quoted as in csv. Default false: a quote is a character like any other. */
  quoted?: boolean;
  /** Stop after this many rows. Default: all. */
  limit?: number;
}

const FORMATS: Record<string, TableFormat> = {
  ".tsv": "tsv",
  ".tab": "tsv",
  ".csv": "csv",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".txt": "txt",
  ".parquet": "parquet",
};

/**
 * Reads a table. Texts stay exactly as they are in the file: nothing is trimmed, normalised or unescaped beyond what
 * the format says.
 *
 * tsv: UTF-8, one header line, tab separated, no quoting. csv: RFC 4180, one header line. jsonl: one object a line.
 * json: one list of objects. txt: one text a line, in a column "text". Values of tsv, csv and txt are texts.
 *
 * @param file path; relative ones start at the working folder.
 * @throws {ParallaxError} table.not-found, table.is-folder, table.unreadable, table.unknown-format, table.empty,
 *   table.not-utf8, table.broken-gzip, table.broken-json, table.broken-csv, table.ragged-row, table.duplicate-column,
 *   table.broken-parquet; work.cancelled.
 * Cost: streams the file in blocks of 1 MiB; memory is the table itself.
 */
export async function readTable(file: string, options: ReadTableOptions = {}): Promise<Table> {
  const format = options.format ?? formatOf(file);
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const name = path.basename(file);
  switch (format) {
    case "tsv":
      return options.quoted === true ? readCsv(file, name, "\t", limit, options) : readTsv(file, name, limit, options);
    case "csv":
      return readCsv(file, name, ",", limit, options);
    case "jsonl":
      return readJsonLines(file, name, limit, options);
    case "json":
      return readJson(file, name, limit, options);
    case "txt":
      return readLines(file, name, limit, options);
    case "parquet":
      return readParquet(file, name, limit, options);
  }
}

export function formatOf(file: string): TableFormat {
  const bare = file.toLowerCase().replace(/\.gz$/, "");
  const format = FORMATS[path.extname(bare)];
  if (format !== undefined) return format;
  throw new ParallaxError(
    "table.unknown-format",
    `${path.basename(file)} does not say by its name how it is written.`,
    {
      hint: `Known endings: ${Object.keys(FORMATS).join(" ")} (and .gz after them); or give { format: "tsv" }.`,
    },
  );
}

function emptyError(name: string, found: string): ParallaxError {
  return new ParallaxError("table.empty", `${name} is empty: ${found}.`, {
    hint: "Check that this is the file you meant.",
  });
}

/** Column names from a header; a nameless column gets its place as name, two of one name are refused. */
export function header(cells: readonly string[], name: string): string[] {
  const names = cells.map((cell, j) => (cell === "" ? `column${j + 1}` : cell));
  const twice = names.find((cell, j) => names.indexOf(cell) !== j);
  if (twice !== undefined)
    throw new ParallaxError("table.duplicate-column", `${name} has two columns named "${twice}".`, {
      hint: "Rename one of them in the header line.",
      details: { columns: names },
    });
  return names;
}

class Columns {
  readonly names: string[];
  readonly values: string[][];
  readonly #name: string;

  constructor(cells: readonly string[], name: string) {
    this.names = header(cells, name);
    this.values = this.names.map(() => []);
    this.#name = name;
  }

  get n(): number {
    return this.values[0]!.length;
  }

  push(cells: readonly string[], line: number): void {
    if (cells.length !== this.names.length)
      throw new ParallaxError(
        "table.ragged-row",
        `Line ${count(line)} of ${this.#name} has ${cells.length} cells, its header has ${this.names.length} (${this.names.join(", ")}).`,
        { hint: "A text of this line probably holds the separator; quote it, or use jsonl.", details: { line } },
      );
    for (let j = 0; j < cells.length; j++) this.values[j]!.push(cells[j]!);
  }

  table(): Table {
    if (this.n === 0) throw emptyError(this.#name, `it has a header (${this.names.join(", ")}) and no rows`);
    return Table.fromColumns(new Map(this.names.map((column, j) => [column, this.values[j]!])), this.#name);
  }
}

async function readTsv(file: string, name: string, limit: number, ctx: WorkContext): Promise<Table> {
  let columns: Columns | undefined;
  let windows = false;
  for await (const block of textBlocks(file, ctx)) {
    if (columns === undefined) windows = /^[^\n]*\r\n/.test(block.text);
    let line = block.firstLine;
    for (const text of linesOf(block, windows)) {
      if (columns === undefined) columns = new Columns(text.split("\t"), name);
      // A blank line is an empty text where there is one column, and nothing otherwise.
      else if (text !== "" || columns.names.length === 1) columns.push(text.split("\t"), line);
      line += 1;
      if (columns.n >= limit) return columns.table();
    }
  }
  if (columns === undefined) throw emptyError(name, "it has no header line");
  return columns.table();
}

async function readCsv(file: string, name: string, delimiter: string, limit: number, ctx: WorkContext): Promise<Table> {
  const settings: CsvOptions = { delimiter, skip_empty_lines: true, relax_column_count: true, info: true };
  const parser = csvParser(settings);
  let columns: Columns | undefined;
  let full = false;
  const finished = new Promise<void>((resolve, reject) => {
    parser.on("data", ({ record, info }: { record: string[]; info: { lines: number } }) => {
      if (full) return;
      try {
        if (columns === undefined) columns = new Columns(record, name);
        else columns.push(record, info.lines);
        full = columns.n >= limit;
        if (full) resolve();
      } catch (error) {
        full = true;
        reject(error);
      }
    });
    parser.on("error", (error) => {
      const lines = (error as { lines?: number }).lines;
      const where = lines === undefined ? "" : ` at line ${count(lines)}`;
      reject(
        new ParallaxError("table.broken-csv", `${name} is not csv${where}: ${error.message}`, {
          hint: "Check the quotes of that line.",
          details: { line: lines },
          cause: error,
        }),
      );
    });
    parser.on("end", resolve);
  });
  // A failure is met where it is awaited, in the race below or at the end.
  finished.catch((error: unknown) => void error);
  for await (const block of textBlocks(file, ctx)) {
    await Promise.race([new Promise<void>((resolve) => parser.write(block.text, () => resolve())), finished]);
    if (full) break;
  }
  if (!full) parser.end();
  await finished;
  if (columns === undefined) throw emptyError(name, "it has no header line");
  return (columns as Columns).table();
}

async function readLines(file: string, name: string, limit: number, ctx: WorkContext): Promise<Table> {
  const texts: string[] = [];
  let windows: boolean | undefined;
  for await (const block of textBlocks(file, ctx)) {
    windows ??= /^[^\n]*\r\n/.test(block.text);
    for (const line of linesOf(block, windows)) if (texts.length < limit) texts.push(line);
    if (texts.length >= limit) break;
  }
  if (texts.length === 0) throw emptyError(name, "it has no lines");
  return Table.fromColumns({ text: texts }, name);
}

async function readJsonLines(file: string, name: string, limit: number, ctx: WorkContext): Promise<Table> {
  const rows: Record<string, unknown>[] = [];
  outer: for await (const block of textBlocks(file, ctx)) {
    checkCancelled(ctx, `Reading ${name}`);
    let line = block.firstLine - 1;
    for (const text of block.text.split("\n")) {
      line += 1;
      if (text.trim() === "") continue;
      rows.push(objectOf(parseJson(text, name, line), name, `line ${count(line)}`, { line }));
      if (rows.length >= limit) break outer;
    }
  }
  if (rows.length === 0) throw emptyError(name, "it has no lines with an object");
  return Table.fromRows(rows, name);
}

async function readJson(file: string, name: string, limit: number, ctx: WorkContext): Promise<Table> {
  const text = await readText(file, ctx);
  if (text.trim() === "") throw emptyError(name, "it has no text");
  const value = parseJson(text, name, undefined);
  if (!Array.isArray(value))
    throw new ParallaxError("table.broken-json", `${name} is JSON but no list of rows: found ${typeof value}.`, {
      hint: 'A table as JSON is a list of objects: [{"text": "…"}, …]. A task file is read with loadTask.',
    });
  if (value.length === 0) throw emptyError(name, "its list has no rows");
  return Table.fromRows(
    value.slice(0, limit).map((row, i) => objectOf(row, name, `row ${count(i)} (rows count from 0)`, { row: i })),
    name,
  );
}

/** The whole text of a file, under the same rules and errors as a table. */
export async function readText(file: string, ctx: WorkContext = {}): Promise<string> {
  const parts: string[] = [];
  for await (const block of textBlocks(file, ctx)) parts.push(block.text);
  return parts.join("");
}

export function parseJson(text: string, name: string, line: number | undefined): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ParallaxError(
      "table.broken-json",
      `${line === undefined ? name : `Line ${count(line)} of ${name}`} is not JSON: ${(error as Error).message}.`,
      {
        hint:
          line === undefined
            ? "Check the file's end: it may be cut."
            : "Correct that line; a jsonl file has one whole object a line.",
        details: { line, text: text.slice(0, 200) },
        cause: error,
      },
    );
  }
}

export function objectOf(
  value: unknown,
  name: string,
  where: string,
  details: Record<string, unknown>,
): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ParallaxError(
    "table.broken-json",
    `${name} has no object in ${where}: found ${Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`}.`,
    { hint: 'Every row is an object: {"text": "…"}.', details },
  );
}

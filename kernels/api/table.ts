/** `readTable`: a file as a table. */
import path from "node:path";
import { type ReadTableOptions, readTable as readTableFile, type Table } from "../data/table.ts";
import { currentContext, withJob } from "./context.ts";

export { type ReadTableOptions, type Row, Table, type TableFormat } from "../data/table.ts";

/**
 * Read a table: .tsv (no quoting), .csv, .jsonl, .json (a list of objects), .txt (one text a line), .parquet; gzipped too.
 *
 * @param file    path, relative to the notebook
 * @param options `format` when the name does not say it, `limit` for the first rows only
 * @returns       a table that shows itself: `columns`, `n`, `text(name)`, `numbers(name)`, `filter`, `slice`, `rows()`
 * @throws {ParallaxError} table.not-found, table.empty, table.not-utf8 (with the line), table.broken-json (with the line),
 *   table.ragged-row, …; table.missing-column and table.not-a-number when columns are read
 *
 * @example const pairs = await readTable("pairs.tsv"); pairs.text("sentence1")
 */
export async function readTable(file: string, options: ReadTableOptions = {}): Promise<Table> {
  const where = path.resolve(currentContext().workingFolder, file);
  return withJob(options, (work) => readTableFile(where, { ...options, ...work }));
}

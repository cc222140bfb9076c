/** `trainingRows` and `nliTriplets`: what a user has, as rows to train on. */
import path from "node:path";
import { readTable, Table } from "../data/table.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type ReadRows, type ReadRowsOptions, rowsFromArray, rowsFromTable } from "../train/read-rows.ts";
import type { TrainingRow } from "../train/rows.ts";
import { currentContext } from "./context.ts";

export { type NliOptions, nliTriplets } from "../train/nli.ts";
export type { PairColumns, ReadRows, ReadRowsOptions } from "../train/read-rows.ts";
export type { TrainingRow } from "../train/rows.ts";

/** Where rows may come from: rows, [anchor, positive] arrays, a Table, a file that readTable takes, or what made rows. */
export type RowSource =
  | readonly (TrainingRow | readonly [anchor: string, positive: string])[]
  | Table
  | string
  | { readonly rows: readonly TrainingRow[] };

/**
 * Read training rows: pairs, triplets, scored pairs, a teacher's scores, MEDI and FlagEmbedding lines. The layouts are in
 * docs/training-data.md.
 *
 * @param source  rows, a table, or a file (tsv, csv, jsonl, json, parquet), relative to the notebook.
 * @param options `columns` where names are not the customary ones; `badRows: "drop"` leaves bad rows out.
 * @returns       rows, which were dropped and why, notes to read first.
 * @throws {ParallaxError} train.missing-column, train.bad-pair, train.equal-negative, train.bad-scale, table.*
 *
 * @example const { rows, notes } = await trainingRows("medi.jsonl.gz", { badRows: "drop" });
 */
export async function trainingRows(source: RowSource, options: ReadRowsOptions = {}): Promise<ReadRows> {
  return (await readSource(source, options)).read;
}

/** The same, with a name for where the rows came from. */
export async function readSource(
  source: RowSource,
  options: ReadRowsOptions,
): Promise<{ read: ReadRows; source: string }> {
  const { workingFolder, signal } = currentContext();
  if (typeof source === "string") {
    const table = await readTable(path.resolve(workingFolder, source), { signal });
    return { read: rowsFromTable(table, options), source: path.basename(source) };
  }
  if (source instanceof Table) return { read: rowsFromTable(source, options), source: source.name };
  const rows = Array.isArray(source) ? source : (source as { rows?: unknown } | null | undefined)?.rows;
  if (Array.isArray(rows)) return { read: rowsFromArray(rows, options), source: "an array in the notebook" };
  throw new ParallaxError(
    "train.no-pairs",
    `fineTune needs pairs; found ${source === null || source === undefined ? String(source) : typeof source}. Nothing was started.`,
    { hint: "Give pairs: [{ anchor, positive }, …], a table, or a file." },
  );
}

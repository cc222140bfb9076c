/** Parquet tables, one row group at a time. */
import type { FileHandle } from "node:fs/promises";
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { placesOf } from "./places.ts";
import { checkCancelled, openFile } from "./source.ts";
import { Table } from "./table-data.ts";

/**
 * @returns whole table; 64-bit integers as numbers where they fit exactly, else bigint; strings as texts, lists and structs as they are.
 * @throws {ParallaxError} table.not-found, table.empty, table.broken-parquet; work.cancelled between row groups.
 */
export async function readParquet(file: string, name: string, limit: number, ctx: WorkContext): Promise<Table> {
  const { handle, size } = await openFile(file);
  try {
    if (size === 0)
      throw new ParallaxError("table.empty", `${name} is empty: it has no bytes.`, {
        hint: "Check that this is the file you meant.",
      });
    const buffer = bufferOf(handle, size);
    const metadata = await understood(name, () => parquetMetadataAsync(buffer));
    const total = Math.min(Number(metadata.num_rows), limit);
    if (total === 0)
      throw new ParallaxError(
        "table.empty",
        `${name} is empty: it has columns (${columnNames(metadata).join(", ")}) and no rows.`,
      );
    const columns = new Map<string, unknown[]>(columnNames(metadata).map((column) => [column, []]));
    let start = 0;
    for (const group of metadata.row_groups) {
      checkCancelled(ctx, `Reading ${name}`);
      const end = Math.min(start + Number(group.num_rows), total);
      const rows = await understood(name, () =>
        parquetReadObjects({ file: buffer, metadata, compressors, rowStart: start, rowEnd: end }),
      );
      for (const row of rows) for (const [column, values] of columns) values.push(plain(row[column]));
      start = end;
      ctx.onProgress?.({ stage: `Reading ${name}`, done: start, total, unit: "rows" });
      if (start >= total) break;
    }
    return Table.fromColumns(columns, name);
  } finally {
    await handle.close();
  }
}

/** Rows decoded at a time when a file is streamed. */
const STREAMED_ROWS = 20_000;

/**
 * Values of some columns, row by row, a slice of a row group at a time.
 * @throws {ParallaxError} table.missing-column, table.broken-parquet, table.not-found; work.cancelled between slices
 */
export async function* parquetRows(
  file: string,
  name: string,
  wanted: readonly string[],
  ctx: WorkContext,
): AsyncGenerator<unknown[][]> {
  const { handle, size } = await openFile(file);
  try {
    const buffer = bufferOf(handle, size);
    const metadata = await understood(name, () => parquetMetadataAsync(buffer));
    placesOf(columnNames(metadata), wanted, name);
    let first = 0;
    for (const group of metadata.row_groups) {
      const end = first + Number(group.num_rows);
      for (let start = first; start < end; start += STREAMED_ROWS) {
        checkCancelled(ctx, `Reading ${name}`);
        const rows = await understood(name, () =>
          parquetReadObjects({
            file: buffer,
            metadata,
            compressors,
            columns: [...wanted],
            rowStart: start,
            rowEnd: Math.min(end, start + STREAMED_ROWS),
          }),
        );
        yield rows.map((row) => wanted.map((column) => plain(row[column])));
      }
      first = end;
    }
  } finally {
    await handle.close();
  }
}

function bufferOf(handle: FileHandle, size: number): AsyncBuffer {
  return {
    byteLength: size,
    async slice(start: number, end: number = size): Promise<ArrayBuffer> {
      const from = start < 0 ? Math.max(0, size + start) : start;
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - from));
      await handle.read(bytes, 0, bytes.length, from);
      return bytes.buffer;
    },
  };
}

function columnNames(metadata: FileMetaData): string[] {
  // The schema is a tree in depth-first order; the root's children are the columns.
  const names: string[] = [];
  const skip = (index: number): number => {
    let next = index + 1;
    for (let child = 0; child < (metadata.schema[index]!.num_children ?? 0); child++) next = skip(next);
    return next;
  };
  for (let index = 1; index < metadata.schema.length; index = skip(index)) names.push(metadata.schema[index]!.name);
  return names;
}

async function understood<T>(name: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new ParallaxError("table.broken-parquet", `${name} cannot be read as parquet: ${(error as Error).message}.`, {
      hint: "Get the file again, or convert it to jsonl.",
      cause: error,
    });
  }
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint")
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  return value ?? null;
}

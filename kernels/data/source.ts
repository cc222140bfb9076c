/** Bytes of a file as UTF-8 blocks that end at line ends: unzipped on the way, with progress, cancelling and good errors. */
import { type FileHandle, open, readdir } from "node:fs/promises";
import path from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { nearestName } from "./nearest.ts";

const CHUNK = 1 << 20;

export interface TextBlock {
  text: string;
  /** Line number (from 1) of the block's first line. */
  firstLine: number;
}

/**
 * Opens a file for reading.
 * @throws {ParallaxError} table.not-found (with the nearest name in its folder), table.is-folder, table.unreadable
 */
export async function openFile(file: string): Promise<{ handle: FileHandle; size: number }> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    throw await openError(file, error);
  }
  const stat = await handle.stat();
  if (!stat.isDirectory()) return { handle, size: stat.size };
  await handle.close();
  throw new ParallaxError("table.is-folder", `${file} is a folder, not a table.`, {
    hint: "Name a file in it; a folder with a task is read with loadTask.",
  });
}

async function openError(file: string, error: unknown): Promise<ParallaxError> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== "ENOENT" && code !== "ENOTDIR")
    return new ParallaxError("table.unreadable", `${file} cannot be read (${code ?? String(error)}).`, {
      kind: "environment",
      hint: "Check that you may read the file.",
      cause: error,
    });
  let names: string[] = [];
  try {
    names = await readdir(path.dirname(file));
  } catch (inner) {
    if ((inner as NodeJS.ErrnoException).code === "ENOENT")
      return new ParallaxError("table.not-found", `There is no file ${file}: its folder does not exist either.`, {
        hint: "Check the path; relative ones start at the notebook's folder.",
        details: { path: path.resolve(file) },
      });
  }
  const nearest = nearestName(path.basename(file), names);
  return new ParallaxError("table.not-found", `There is no file ${file}.`, {
    hint:
      nearest === undefined
        ? "Check the path; relative ones start at the notebook's folder."
        : `Did you mean ${path.join(path.dirname(file), nearest)}?`,
    details: { path: path.resolve(file) },
  });
}

/** @throws {CancelledError} when the caller's signal says so. */
export function checkCancelled(ctx: WorkContext, what: string): void {
  if (ctx.signal?.aborted === true) throw new CancelledError(what);
}

/** Chunks of the file's bytes, unzipped when it starts as gzip does. */
async function* byteChunks(file: string, ctx: WorkContext): AsyncGenerator<Buffer> {
  const { handle, size } = await openFile(file);
  const name = path.basename(file);
  let done = 0;
  async function* raw(): AsyncGenerator<Buffer> {
    const started = Date.now();
    for (;;) {
      checkCancelled(ctx, `Reading ${name}`);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
      const rate = done / Math.max(1e-3, (Date.now() - started) / 1000);
      ctx.onProgress?.({
        stage: `Reading ${name}`,
        done,
        total: size,
        unit: "bytes",
        rate,
        etaMs: Math.max(0, ((size - done) / rate) * 1000),
      });
    }
  }
  try {
    const head = Buffer.alloc(2);
    await handle.read(head, 0, 2, 0);
    if (head[0] !== 0x1f || head[1] !== 0x8b) {
      // A position-less read goes on from the start: the look at the head named its position.
      yield* raw();
      return;
    }
    const gunzip = createGunzip({ chunkSize: CHUNK });
    // The error reaches the reader below; the callback only keeps it from being unhandled.
    pipeline(Readable.from(raw()), gunzip, (error) => void error);
    try {
      for await (const chunk of gunzip) yield chunk as Buffer;
    } catch (error) {
      if (error instanceof ParallaxError) throw error;
      throw new ParallaxError(
        "table.broken-gzip",
        `${name} is not whole: it cannot be unzipped (${(error as Error).message}).`,
        {
          hint: "Get the file again.",
          cause: error,
        },
      );
    }
  } finally {
    await handle.close();
  }
}

/**
 * The file's text in blocks of whole lines (line ends kept; only the last block may lack one). A byte order mark is
 * left out. Streams: memory is one block and the longest line.
 *
 * @throws {ParallaxError} table.not-found, table.is-folder, table.unreadable, table.broken-gzip, table.not-utf8 with the line.
 */
export async function* textBlocks(file: string, ctx: WorkContext = {}): AsyncGenerator<TextBlock> {
  const name = path.basename(file);
  let waiting: Buffer[] = [];
  let line = 1;
  let first = true;
  const finish = (bytes: Buffer): TextBlock => {
    if (first) {
      first = false;
      refuseUtf16(bytes, name);
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
    }
    const block = { text: decode(bytes, line, name), firstLine: line };
    for (const byte of bytes) if (byte === 10) line += 1;
    return block;
  };
  for await (const chunk of byteChunks(file, ctx)) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      waiting.push(chunk);
      continue;
    }
    waiting.push(chunk.subarray(0, end + 1));
    yield finish(waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting));
    waiting = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
  }
  if (waiting.length > 0) yield finish(Buffer.concat(waiting));
}

function refuseUtf16(bytes: Buffer, name: string): void {
  const mark = bytes.length >= 2 ? (bytes[0]! << 8) | bytes[1]! : 0;
  if (mark === 0xfffe || mark === 0xfeff)
    throw new ParallaxError("table.not-utf8", `${name} is UTF-16, not UTF-8.`, {
      hint: "Save it as UTF-8.",
      details: { line: 1 },
    });
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer, firstLine: number, name: string): string {
  try {
    return strict.decode(bytes);
  } catch (error) {
    // A line feed is never part of a longer character, so the first bad line can be found on its own.
    let start = 0;
    for (let line = firstLine; start < bytes.length; line++) {
      const end = bytes.indexOf(10, start);
      const stop = end < 0 ? bytes.length : end + 1;
      const slice = bytes.subarray(start, stop);
      if (!isUtf8(slice))
        throw new ParallaxError("table.not-utf8", `${name} is not UTF-8: line ${line} holds other bytes.`, {
          hint: "Save it as UTF-8 (from Latin-1: iconv -f latin1 -t utf8).",
          details: { line, lossy: slice.toString("utf8").slice(0, 200) },
          cause: error,
        });
      start = stop;
    }
    throw error;
  }
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}

/** The lines of a block without their ends. `\r\n` and `\n` end a line; a lone `\r` is part of the text. */
export function linesOf(block: TextBlock, windows: boolean): string[] {
  const lines = block.text.split("\n");
  // What follows the last line feed is no line: either nothing, or (last block) a line of its own.
  if (lines[lines.length - 1] === "") lines.pop();
  return windows ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines;
}

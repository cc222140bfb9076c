/** Files that are either the old ones or the new ones, never half of each: write beside, sync, rename. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";

let counter = 0;

/**
 * Write a file from pieces; an existing file of that name is replaced only when all pieces are on disk.
 *
 * @param chunks strings (UTF-8) or bytes, written in order; they are not kept.
 * @throws {ParallaxError} file.write-failed (environment) with the system's code; the old file, if any, is untouched.
 * Cost: one pass, one fsync.
 */
export function writeFileAtomically(file: string, chunks: Iterable<Uint8Array | string>): void {
  const temporary = `${file}.${process.pid}-${++counter}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    const fd = openSync(temporary, "wx");
    try {
      for (const chunk of chunks) writeFully(fd, typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof ParallaxError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError(
      "file.write-failed",
      `Writing ${file} failed (${code}: ${(error as Error).message}). What was there before is unchanged.`,
      {
        kind: "environment",
        hint:
          code === "ENOSPC"
            ? "Free some disk space and save again."
            : "Check that the folder exists and may be written to.",
        details: { file, systemCode: code },
        cause: error,
      },
    );
  }
}

/** write(2) may take less than it was given. */
function writeFully(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.byteLength; )
    offset += writeSync(fd, bytes, offset, Math.min(bytes.byteLength - offset, 1 << 26));
}

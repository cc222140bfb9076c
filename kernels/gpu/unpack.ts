/** Chosen files out of a zip archive that nobody needs to trust: exact names, checked sizes and sums, no way out of the folder. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import path from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Entry, ZipFile } from "yauzl";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import { gpuError } from "./gpu-errors.ts";

export interface UnpackedFile {
  name: string;
  sizeBytes: number;
  sha256: string;
}

/** Largest file that we take: CUDA's provider is about half a gigabyte. */
const MOST_BYTES = 4 * 2 ** 30;

/**
 * Unpack some entries.
 *
 * @param wanted path in the archive → file name in `folder`, which exists; names with a separator are refused
 * @throws {ParallaxError} gpu.bad-package when it is no zip, an entry is missing, damaged or points out of the archive
 * Cost: one pass over the wanted entries; memory bounded.
 */
export async function unpack(
  archive: string,
  wanted: ReadonlyMap<string, string>,
  folder: string,
  signal?: AbortSignal,
): Promise<UnpackedFile[]> {
  const bad = (why: string, cause?: unknown) =>
    gpuError(
      "bad-package",
      `${path.basename(archive)} is not the package it should be: ${why}. Nothing was installed.`,
      "Run the command again; if it happens twice, the mirror or the way to it changes files.",
      { archive },
      cause,
    );
  for (const name of wanted.values()) if (name !== path.basename(name)) throw bad(`it would write to ${name}`);
  let zip: ZipFile;
  try {
    // Only this command needs it.
    const { openPromise } = await import("yauzl");
    zip = await openPromise(archive, { lazyEntries: true, autoClose: false, validateEntrySizes: true });
  } catch (error) {
    throw bad((error as Error).message, error);
  }
  const files: UnpackedFile[] = [];
  try {
    // The library refuses names that lead out of the archive ("../x", "/x", "C:\\x") wherever they stand in it.
    for await (const entry of zip.eachEntry()) {
      const name = wanted.get(entry.fileName);
      if (name === undefined) continue;
      if (entry.uncompressedSize > MOST_BYTES)
        throw bad(`${entry.fileName} would have ${entry.uncompressedSize} bytes`);
      if (files.some((file) => file.name === name)) throw bad(`it holds ${entry.fileName} twice`);
      files.push(await writeEntry(zip, entry, path.join(folder, name), signal));
    }
  } catch (error) {
    if (signal?.aborted) throw new CancelledError("Unpacking");
    if (error instanceof ParallaxError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EACCES" || code === "EROFS")
      throw gpuError(
        code === "EACCES" || code === "EROFS" ? "write-failed" : "disk-full",
        `CUDA's files could not be unpacked to ${folder} (${code}). Nothing was installed; the package is kept.`,
        "Free some space, or look at the folder's rights; then run the command again.",
        { folder, systemCode: code },
        error,
      );
    throw bad((error as Error).message, error);
  } finally {
    zip.close();
  }
  const missing = [...wanted].filter(([, name]) => !files.some((file) => file.name === name));
  if (missing.length > 0) throw bad(`it has no ${missing.map(([from]) => from).join(", ")}`);
  return files;
}

async function writeEntry(zip: ZipFile, entry: Entry, file: string, signal?: AbortSignal): Promise<UnpackedFile> {
  const sha256 = createHash("sha256");
  let sizeBytes = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sha256.update(chunk);
      sizeBytes += chunk.byteLength;
      done(null, chunk);
    },
  });
  const source = await zip.openReadStreamPromise(entry);
  await pipeline(source, counting, createWriteStream(file, { flags: "wx", mode: 0o755, flush: true }), {
    ...(signal === undefined ? {} : { signal }),
  });
  return { name: path.basename(file), sizeBytes, sha256: sha256.digest("hex") };
}

/** sha256 of files, remembered by path, size and time of change, so that a large weights file is read once. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { appFolders } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";

interface Remembered {
  path: string;
  sizeBytes: number;
  mtimeMs: number;
  sha256: string;
}

/**
 * The sha256 (lower-case hex) of a file's bytes.
 *
 * @param options.fresh read the file even when a digest is remembered.
 * @throws {ParallaxError} file.missing
 * Cost: one streamed pass the first time, one stat later. The memory lies in the app's cache folder.
 */
export async function fileSha256(
  file: string,
  options: { fresh?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const absolute = path.resolve(file);
  const stat = statSync(absolute, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new ParallaxError("file.missing", `${absolute} does not exist.`, {
      hint: "Check the path.",
      details: { path: absolute },
    });
  const memory = path.join(
    appFolders().cache,
    "digests",
    `${createHash("sha256").update(absolute).digest("hex").slice(0, 32)}.json`,
  );
  if (options.fresh !== true) {
    const known = recall(memory);
    if (known?.path === absolute && known.sizeBytes === stat.size && known.mtimeMs === stat.mtimeMs)
      return known.sha256;
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(absolute, { highWaterMark: 1 << 20 })) {
    if (options.signal?.aborted) throw new CancelledError("Checking the file");
    hash.update(chunk as Buffer);
  }
  const sha256 = hash.digest("hex");
  const fact: Remembered = { path: absolute, sizeBytes: stat.size, mtimeMs: stat.mtimeMs, sha256 };
  try {
    writeFileAtomically(memory, [JSON.stringify(fact)]);
  } catch (error) {
    // A cache that cannot be written costs time, nothing else.
    if (!(error instanceof ParallaxError) || error.kind !== "environment") throw error;
  }
  return sha256;
}

/** A damaged memory is as good as none: the file is read again and the memory replaced. */
function recall(memory: string): Remembered | undefined {
  if (!existsSync(memory)) return undefined;
  try {
    return JSON.parse(readFileSync(memory, "utf8")) as Remembered;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

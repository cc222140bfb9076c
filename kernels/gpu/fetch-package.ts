/** One large file to disk: goes on where it was, and is given to nobody before its sha512 is right. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { HubHttp } from "../hub/http.ts";
import { formatBytes, noConnection, systemCode } from "../hub/hub-errors.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { gpuError } from "./gpu-errors.ts";
import type { NugetPackage } from "./nuget.ts";

/** What the unfinished bytes belong to; other bytes are thrown away. */
interface PartFacts {
  url: string;
  etag: string | null;
}

/**
 * Fetch a package, or go on.
 *
 * @param file the finished package's path; `file.part` holds what is here of it, also after an error or a stop
 * @returns sha512 in base64
 * @throws {ParallaxError} gpu.wrong-hash, gpu.wrong-size, gpu.disk-full, gpu.write-failed and those of the connection
 */
export async function fetchPackage(
  http: HubHttp,
  found: NugetPackage,
  file: string,
  { signal, onProgress }: WorkContext = {},
): Promise<string> {
  if (existsSync(file)) {
    // An earlier start came to its end, and unpacking did not.
    const here = await sha512Of(file, signal);
    if (found.sha512 === null || found.sha512 === here) return here;
    rmSync(file);
  }
  const part = `${file}.part`;
  const notes = `${part}.json`;
  const known = readFacts(notes);
  if (known?.url !== found.url) rmSync(part, { force: true });
  let etag = known?.url === found.url ? known.etag : null;
  const handle = await open(part, "a+");
  const started = performance.now();
  let begunAt = 0;
  let total = found.sizeBytes;
  const show = (done: number) => {
    const rate = (1000 * (done - begunAt)) / Math.max(1, performance.now() - started);
    onProgress?.({
      stage: "Downloading",
      done,
      total: total ?? 0,
      unit: "bytes",
      ...(rate > 0 ? { rate, ...(total === null ? {} : { etaMs: (1000 * (total - done)) / rate }) } : {}),
    });
  };
  try {
    begunAt = (await handle.stat()).size;
    checkSpace(file, (total ?? 0) - begunAt);
    await http.retrying({ signal }, async (moved) => {
      let here = (await handle.stat()).size;
      if (total !== null && here === total) return;
      if (total !== null && here > total) here = await restart(handle);
      const response = await http.once(found.url, {
        what: path.basename(file),
        signal,
        accept: [416],
        headers: here === 0 ? {} : { range: `bytes=${here}-`, ...(etag === null ? {} : { "if-range": etag }) },
      });
      response.body.on("error", () => undefined);
      try {
        const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
        if (response.status === 416 || (response.status === 206 && Number(range?.[1]) !== here)) {
          await restart(handle);
          throw wrongSize(found, "the feed has other bytes than are here", true);
        }
        if (response.status === 200 && here > 0) here = await restart(handle);
        const length = Number(response.headers.get("content-length") ?? Number.NaN);
        total ??= Number.isNaN(length) ? null : here + length;
        const tag = response.headers.get("etag");
        // Weak tags do not promise equal bytes.
        etag = tag?.startsWith('"') ? tag : null;
        writeFileSync(notes, JSON.stringify({ url: found.url, etag } satisfies PartFacts));
        for await (const piece of response.body) {
          const bytes = piece as Buffer;
          if (total !== null && here + bytes.byteLength > total) {
            await restart(handle);
            throw wrongSize(found, `the feed sends more than ${total} bytes`, true);
          }
          await write(handle, bytes, file);
          here += bytes.byteLength;
          moved();
          show(here);
          if (signal?.aborted) throw new CancelledError("The download");
        }
      } catch (error) {
        if (signal?.aborted) throw new CancelledError("The download");
        if (error instanceof ParallaxError) throw error;
        throw noConnection(path.basename(file), new URL(found.url).host, error);
      } finally {
        response.body.destroy();
      }
      if (total !== null && here < total)
        throw wrongSize(found, `the connection ended after ${here} of ${total} bytes`, true);
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  const sha512 = await sha512Of(part, signal);
  if (found.sha512 !== null && found.sha512 !== sha512) {
    rmSync(part, { force: true });
    rmSync(notes, { force: true });
    throw gpuError(
      "wrong-hash",
      `${found.name} ${found.version} does not match its sha512: the feed says ${found.sha512.slice(0, 12)}…, the file has ${sha512.slice(0, 12)}…. The file was removed and nothing was installed.`,
      "Run the command again; if it happens twice, the mirror or the way to it changes files.",
      { expected: found.sha512, found: sha512 },
    );
  }
  renameSync(part, file);
  rmSync(notes, { force: true });
  return sha512;
}

export async function sha512Of(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha512");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    if (signal?.aborted) throw new CancelledError("The download");
    hash.update(chunk as Buffer);
  }
  return hash.digest("base64");
}

async function restart(handle: FileHandle): Promise<0> {
  await handle.truncate(0);
  return 0;
}

async function write(handle: FileHandle, bytes: Buffer, file: string): Promise<void> {
  try {
    for (let at = 0; at < bytes.byteLength; ) at += (await handle.write(bytes, at, bytes.byteLength - at)).bytesWritten;
  } catch (error) {
    const code = systemCode(error);
    throw gpuError(
      code === "ENOSPC" || code === "EDQUOT" ? "disk-full" : "write-failed",
      `${path.basename(file)} could not be written to ${path.dirname(file)} (${code}). What was downloaded so far is kept.`,
      "Free some space, or look at the folder's rights; then run the command again.",
      { file, systemCode: code },
      error,
    );
  }
}

/** The package, and its files unpacked: about three times its size. */
function checkSpace(file: string, bytes: number): void {
  if (bytes <= 0) return;
  const { bavail, bsize } = statfsSync(path.dirname(file));
  const free = bavail * bsize;
  if (free >= 3 * bytes) return;
  throw gpuError(
    "disk-full",
    `CUDA's files need about ${formatBytes(3 * bytes)} while they are installed, ${formatBytes(free)} are free in ${path.dirname(file)}. Nothing was downloaded.`,
    "Free some space and run the command again.",
    { needsBytes: 3 * bytes, freeBytes: free },
  );
}

function wrongSize({ name, version }: NugetPackage, why: string, passing: boolean): ParallaxError {
  return gpuError(
    "wrong-size",
    `${name} ${version} did not come whole: ${why}. What was downloaded so far is kept.`,
    "Run the command again; it goes on where it was.",
    { passing },
  );
}

function readFacts(file: string): PartFacts | undefined {
  try {
    const { url, etag } = JSON.parse(readFileSync(file, "utf8")) as Partial<PartFacts>;
    return typeof url === "string" ? { url, etag: typeof etag === "string" ? etag : null } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * One file of a model to disk: goes on where it was, checks every promise of the other side, and gives the file its name
 * only when its hash is right.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import { askFile } from "./client.ts";
import type { HubHttp, HubResponse, RequestOptions } from "./http.ts";
import { diskFull, hubError, KEPT, noConnection, systemCode } from "./hub-errors.ts";
import { type PartFile, unfinished } from "./part.ts";

export interface FetchOptions extends Pick<RequestOptions, "signal" | "onWait"> {
  http: HubHttp;
  id: string;
  revision: string;
  folder: string;
  file: PartFile;
  /** Bytes of the file that are here now; may go back when the other side makes us begin again. */
  onBytes(bytes: number): void;
  /** Reading what is here, to go on with its hash. */
  onChecking(isChecking: boolean): void;
  /** The etag changed: worth keeping for the next start. */
  onEtag(etag: string | null): void;
  freeBytes(folder: string): number;
  /** Stand-in for tests of full disks. */
  write?: (handle: FileHandle, bytes: Uint8Array) => Promise<void>;
}

/**
 * Fetch, or go on.
 * @returns sha256 of the file, which now has its name.
 * @throws {ParallaxError} hub.wrong-hash, hub.wrong-size, hub.changed, hub.disk-full and the errors of the connection
 */
export async function fetchFile(options: FetchOptions): Promise<string> {
  const target = path.join(options.folder, options.file.path);
  mkdirSync(path.dirname(target), { recursive: true });
  dropLink(unfinished(target));
  const hadBytes = existsSync(unfinished(target));
  try {
    return await new FileFetch(options, target).run();
  } catch (error) {
    // Bytes of an earlier start may be damaged (a power cut, another program): once more from the beginning.
    if (!hadBytes || !(error instanceof ParallaxError) || error.code !== "hub.wrong-hash") throw error;
    options.onBytes(0);
    return new FileFetch(options, target).run();
  }
}

/** We never link unfinished files: one with a second name, or a symbolic link, would have us write into somebody's file. */
function dropLink(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found !== undefined && (!found.isFile() || found.nlink > 1)) rmSync(file, { force: true });
}

/** sha256 and the git blob's sha1 of a file on disk. */
export async function hashFile(file: string, signal?: AbortSignal): Promise<{ sha256: string; gitSha1: string }> {
  const hashes = new Hashes(statSync(file).size);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    if (signal?.aborted) throw new CancelledError("The download");
    hashes.update(chunk as Buffer);
  }
  return hashes.digest();
}

class Hashes {
  readonly #sha256: Hash = createHash("sha256");
  /** Git hashes "blob <length>\0" before the content, so the length must be known. */
  readonly #git: Hash | null;

  constructor(sizeBytes: number) {
    this.#git = sizeBytes < 0 ? null : createHash("sha1").update(`blob ${sizeBytes}\0`);
  }

  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#git?.update(bytes);
  }

  digest(): { sha256: string; gitSha1: string } {
    return { sha256: this.#sha256.digest("hex"), gitSha1: this.#git?.digest("hex") ?? "" };
  }
}

class FileFetch {
  readonly #o: FetchOptions;
  readonly #target: string;
  readonly #size: number;
  #hashes: Hashes;
  #here = 0;
  #most = 0;
  #etag: string | null;

  constructor(options: FetchOptions, target: string) {
    this.#o = options;
    this.#target = target;
    this.#size = options.file.sizeBytes;
    this.#hashes = this.#newHashes();
    this.#etag = options.file.etag;
  }

  async run(): Promise<string> {
    const { http, signal, onWait } = this.#o;
    const handle = await open(unfinished(this.#target), "a+");
    try {
      await this.#takeUp(handle);
      // Not known: at least one request tells.
      if (this.#here !== this.#size) await http.retrying({ signal, onWait }, (moved) => this.#attempt(handle, moved));
      await handle.sync();
    } finally {
      await handle.close();
    }
    const { sha256, gitSha1 } = this.#hashes.digest();
    const { file, id } = this.#o;
    const [expected, found] = file.sha256 !== null ? [file.sha256, sha256] : [file.gitSha1, gitSha1];
    if (expected !== null && expected !== found) {
      rmSync(unfinished(this.#target), { force: true });
      throw new ParallaxError(
        "hub.wrong-hash",
        `${file.path} of ${id} does not match its checksum: expected ${expected.slice(0, 12)}…, got ${found.slice(0, 12)}…. The file was removed, other encoders are untouched.`,
        {
          kind: "environment",
          hint: "Download again; if it happens twice, the mirror or the way to it changes files.",
          details: { id, path: file.path, expected, found },
        },
      );
    }
    renameSync(unfinished(this.#target), this.#target);
    return sha256;
  }

  /** Takes the bytes that are here into the hash. */
  async #takeUp(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size === 0) return;
    if (this.#size >= 0 && size > this.#size) return this.#beginAgain(handle);
    this.#o.onChecking(true);
    for await (const chunk of createReadStream(unfinished(this.#target), { end: size - 1, highWaterMark: 1 << 20 })) {
      if (this.#o.signal?.aborted) throw new CancelledError("The download");
      this.#hashes.update(chunk as Buffer);
    }
    this.#o.onChecking(false);
    this.#here = size;
    this.#most = size;
    this.#o.onBytes(size);
  }

  async #attempt(handle: FileHandle, moved: () => void): Promise<void> {
    const { http, id, revision, file, signal } = this.#o;
    const response = await askFile(http, id, revision, file.path, {
      start: this.#here,
      ifRange: this.#etag,
      signal,
    });
    // An error of a body that nobody reads any more must not end the process.
    response.body.on("error", () => undefined);
    try {
      await this.#agree(response, handle);
      for await (const piece of response.body) {
        await this.#write(handle, piece as Buffer);
        // Bytes that came before are no progress: a server that always breaks at the same place must end.
        if (this.#here > this.#most) {
          this.#most = this.#here;
          moved();
        }
      }
    } catch (error) {
      if (signal?.aborted) throw new CancelledError("The download");
      if (error instanceof ParallaxError) throw error;
      throw noConnection(`${id}/${file.path}`, this.#host(), error);
    } finally {
      response.body.destroy();
    }
    if (this.#size >= 0 && this.#here < this.#size)
      throw this.#wrongSize(`the connection ended after ${this.#here} of ${this.#size} bytes`);
  }

  /** What the answer promises must be the file that was asked for, from the byte that was asked for. */
  async #agree(response: HubResponse, handle: FileHandle): Promise<void> {
    const { revision, file } = this.#o;
    const commit = response.first.get("x-repo-commit");
    if (commit !== null && commit !== revision) throw this.#changed(`commit ${commit} instead of ${revision}`);
    const linked = response.first.get("x-linked-etag")?.replace(/^W\/|"/g, "");
    if (linked !== undefined && file.sha256 !== null && /^[0-9a-f]{64}$/.test(linked) && linked !== file.sha256)
      throw this.#changed(`a file with sha256 ${linked.slice(0, 12)}… instead of ${file.sha256.slice(0, 12)}…`);
    const linkedSize = Number(response.first.get("x-linked-size") ?? Number.NaN);
    if (this.#size >= 0 && !Number.isNaN(linkedSize) && linkedSize !== this.#size)
      throw this.#wrongSize(`the hub now speaks of ${linkedSize} bytes instead of ${this.#size}`);
    if (response.status === 416) {
      await this.#beginAgain(handle);
      throw this.#wrongSize("the hub has fewer bytes than are here");
    }
    if (response.status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
      const total = range?.[2] === "*" ? this.#size : Number(range?.[2]);
      if (range === null || Number(range[1]) !== this.#here || (this.#size >= 0 && total !== this.#size)) {
        await this.#beginAgain(handle);
        throw this.#wrongSize(`the hub answered with another range (${response.headers.get("content-range")})`);
      }
    } else if (this.#here > 0) {
      // The whole file: it changed, or the other side does not know ranges.
      await this.#beginAgain(handle);
    }
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    if (this.#size >= 0 && !Number.isNaN(length) && length !== this.#size - this.#here)
      throw this.#wrongSize(`the hub announces ${length} bytes instead of ${this.#size - this.#here}`);
    const etag = response.headers.get("etag");
    // Weak tags do not promise equal bytes.
    this.#etag = etag?.startsWith('"') ? etag : null;
    this.#o.onEtag(this.#etag);
  }

  async #write(handle: FileHandle, bytes: Uint8Array): Promise<void> {
    if (this.#size >= 0 && this.#here + bytes.byteLength > this.#size) {
      await this.#beginAgain(handle);
      throw this.#wrongSize(`the hub sends more than ${this.#size} bytes`);
    }
    try {
      await (this.#o.write?.(handle, bytes) ?? writeFully(handle, bytes));
    } catch (error) {
      // Whatever part of it was written is not in the hash.
      await handle.truncate(this.#here).catch(() => undefined);
      const code = systemCode(error);
      const { id, folder, file, freeBytes } = this.#o;
      if (code === "ENOSPC" || code === "EDQUOT")
        throw diskFull(id, this.#size - this.#here, freeBytes(folder), folder);
      throw new ParallaxError("hub.write-failed", `${file.path} of ${id} could not be written (${code}). ${KEPT}`, {
        kind: "environment",
        hint: `Look at the rights of ${folder}.`,
        details: { folder, systemCode: code },
      });
    }
    this.#hashes.update(bytes);
    this.#here += bytes.byteLength;
    this.#o.onBytes(this.#here);
  }

  async #beginAgain(handle: FileHandle): Promise<void> {
    await handle.truncate(0);
    this.#hashes = this.#newHashes();
    this.#here = 0;
    this.#o.onBytes(0);
  }

  #newHashes(): Hashes {
    return new Hashes(this.#size);
  }

  #host(): string {
    return new URL(this.#o.http.options.endpoint).host;
  }

  #changed(found: string): ParallaxError {
    return hubError("hub.changed", `${this.#o.id}/${this.#o.file.path}`, `the hub gives ${found}`);
  }

  /** Worth another try: a proxy or a mirror under load cuts answers short. */
  #wrongSize(why: string): ParallaxError {
    return hubError("hub.wrong-size", `${this.#o.id}/${this.#o.file.path}`, why, { passing: true });
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; )
    offset += (await handle.write(bytes, offset, bytes.byteLength - offset)).bytesWritten;
}

/**
 * Vectors on disk, by content: the digest of the encoder (weights, tokenizer, pooling, …), its precision and provider, and
 * the tokens that its graph sees. A prompt sweep pays only for what changed, in this notebook or in another one. A vector
 * comes back byte for byte.
 *
 * An LMDB file in the cache folder: several processes may use it at once, and what a killed process was writing is never
 * read. Bounded: past the limit, what was not used for the longest time goes first.
 */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { type Database, open } from "lmdb";
import { appFolders } from "../files/app-folders.ts";
import { ParallaxError } from "../protocol/errors.ts";

/** Largest size by default, in bytes. PARALLAX_CACHE_BYTES sets another one, PARALLAX_CACHE=off none at all. */
const MAX_BYTES = 2 * 2 ** 30;
/** After an eviction this share of the limit is left, so that the next one is not at once. */
const KEPT_SHARE = 0.8;
/** Vectors written between two looks at the size. */
const LOOK_EVERY = 2000;
const DAY_MS = 86_400_000;
/** A value is the day of its last use (uint32) and the numbers (float32), little-endian. */
const HEAD_BYTES = 4;
const KEY_BYTES = 20;

/** What a vector is made from: token ids, and how many at the start do not count in the pooling. */
export interface CacheRow {
  ids: readonly number[];
  skip: number;
}

export interface VectorCacheInfo {
  folder: string;
  entries: number;
  bytes: number;
  maxBytes: number;
  /** Since this process opened it. */
  hits: number;
  misses: number;
}

export class VectorCache {
  readonly folder: string;
  readonly maxBytes: number;
  readonly #db: Database<Buffer, Buffer>;
  #hits = 0;
  #misses = 0;
  #sinceLook = 0;

  private constructor(folder: string, maxBytes: number, db: Database<Buffer, Buffer>) {
    this.folder = folder;
    this.maxBytes = maxBytes;
    this.#db = db;
  }

  /**
   * @throws {ParallaxError} cache.unusable (environment): another file is in its place, or the disk refuses
   */
  static open(options: { folder?: string; maxBytes?: number } = {}): VectorCache {
    const folder = options.folder ?? path.join(appFolders().cache, "vectors");
    const said = Number(process.env.PARALLAX_CACHE_BYTES);
    const maxBytes = options.maxBytes ?? (Number.isFinite(said) && said > 0 ? said : MAX_BYTES);
    try {
      // Without sync a power cut may lose the newest vectors, never damage older ones; they can be made again.
      const db = open<Buffer, Buffer>({ path: folder, encoding: "binary", keyEncoding: "binary", noMetaSync: true });
      return new VectorCache(folder, maxBytes, db);
    } catch (error) {
      throw new ParallaxError(
        "cache.unusable",
        `The cache of vectors in ${folder} cannot be opened: ${(error as Error).message}. Encoding works without it.`,
        {
          kind: "environment",
          hint: "parallax cache clear empties it; PARALLAX_CACHE=off does without.",
          details: { folder },
          cause: error,
        },
      );
    }
  }

  /**
   * The vector of each row, undefined where it is not there.
   *
   * @param context what identifies encoder, precision and provider
   * @param d       dimensions; an entry of another size is not used
   * Cost: about 10 µs a row.
   */
  lookup(context: string, rows: readonly CacheRow[], d: number): (Float32Array | undefined)[] {
    const today = Math.floor(Date.now() / DAY_MS);
    const used: { key: Buffer; value: Buffer }[] = [];
    const keyOf = keys(context);
    const found = rows.map((row) => {
      const key = keyOf(row);
      const value = this.#db.get(key);
      if (value === undefined || value.length !== HEAD_BYTES + 4 * d) {
        this.#misses++;
        return undefined;
      }
      this.#hits++;
      if (value.readUInt32LE(0) !== today) used.push({ key, value: Buffer.from(value) });
      // A buffer of its own: the database's may be reused, and may lie at any address.
      const bytes = new Uint8Array(4 * d);
      bytes.set(value.subarray(HEAD_BYTES));
      return new Float32Array(bytes.buffer);
    });
    for (const { value } of used) value.writeUInt32LE(today, 0);
    void this.#write(used);
    return found;
  }

  /**
   * Keep vectors: float32 [rows.length, d]. Resolves when they are written; a disk that is full keeps nothing and stops
   * nobody.
   */
  async store(context: string, rows: readonly CacheRow[], vectors: Float32Array, d: number): Promise<void> {
    const today = Math.floor(Date.now() / DAY_MS);
    const keyOf = keys(context);
    const entries = rows.map((row, i) => {
      const value = Buffer.alloc(HEAD_BYTES + 4 * d);
      value.writeUInt32LE(today, 0);
      value.set(new Uint8Array(vectors.buffer, vectors.byteOffset + 4 * i * d, 4 * d), HEAD_BYTES);
      return { key: keyOf(row), value };
    });
    await this.#write(entries);
    this.#sinceLook += rows.length;
    if (this.#sinceLook < LOOK_EVERY) return;
    this.#sinceLook = 0;
    await this.trim();
  }

  /** Remove what was used longest ago when the limit is passed. Returns how many went. */
  async trim(): Promise<number> {
    const { entries, bytes } = this.info();
    if (bytes <= this.maxBytes || entries === 0) return 0;
    const excess = Math.ceil(entries * (1 - (KEPT_SHARE * this.maxBytes) / bytes));
    const byAge: { day: number; key: Buffer }[] = [];
    for (const { key, value } of this.#db.getRange()) byAge.push({ day: value.readUInt32LE(0), key: Buffer.from(key) });
    byAge.sort((a, b) => a.day - b.day);
    const gone = byAge.slice(0, excess);
    await settled(gone.map(({ key }) => this.#db.remove(key)));
    return gone.length;
  }

  info(): VectorCacheInfo {
    const stats = this.#db.getStats() as Record<string, number>;
    const pages = (stats.treeBranchPageCount ?? 0) + (stats.treeLeafPageCount ?? 0) + (stats.overflowPages ?? 0);
    return {
      folder: this.folder,
      entries: stats.entryCount ?? 0,
      bytes: pages * (stats.pageSize ?? 4096),
      maxBytes: this.maxBytes,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  /** Remove everything. */
  async clear(): Promise<void> {
    await this.#db.clearAsync();
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  /**
   * The database writes from a thread of its own. A transaction around JavaScript would be quicker and must not be: a cell
   * can be stopped in the middle of any statement, and would leave the database locked for every process.
   */
  #write(entries: readonly { key: Buffer; value: Buffer }[]): Promise<void> {
    return settled(entries.map(({ key, value }) => this.#db.put(key, value)));
  }
}

/** MDB_MAP_FULL, ENOSPC: the vectors are in memory, only the next run pays again. */
async function settled(writes: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(writes))
    if (result.status === "rejected" && !/MDB_|ENOSPC|space/i.test(String(result.reason))) throw result.reason;
}

/** Removes the files of a cache that cannot even be opened. */
export function removeVectorCache(folder: string = path.join(appFolders().cache, "vectors")): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Digests of rows under one context: 160 bits, so that two different texts never meet. */
function keys(context: string): (row: CacheRow) => Buffer {
  const start = createHash("sha256").update(context).update("\0");
  return ({ ids, skip }) => {
    const numbers = Int32Array.from(ids);
    return start
      .copy()
      .update(Int32Array.of(skip))
      .update(new Uint8Array(numbers.buffer))
      .digest()
      .subarray(0, KEY_BYTES);
  };
}

let shared: VectorCache | null | undefined;

/**
 * The cache that this process's encoders use. None until a process asks for one (kernels and commands do): trainers and
 * library users encode without.
 */
export function sharedVectorCache(): VectorCache | null {
  return shared ?? null;
}

/**
 * Use the cache from now on, unless PARALLAX_CACHE=off.
 * @returns a sentence when it cannot be used, for people; encoding then works without it
 */
export function enableVectorCache(): string | null {
  if (process.env.PARALLAX_CACHE === "off" || shared !== undefined) return null;
  try {
    shared = VectorCache.open();
    return null;
  } catch (error) {
    shared = null;
    if (error instanceof ParallaxError) return error.message;
    throw error;
  }
}

/** For tests and for closing down. */
export async function closeVectorCache(): Promise<void> {
  await shared?.close();
  shared = undefined;
}

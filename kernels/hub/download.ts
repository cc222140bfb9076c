/**
 * A model from the hub to the store: asks what it holds, chooses, checks the space, fetches each file, and renames the
 * whole folder into place. It may be stopped, killed or cut off at any instant and goes on where it was.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { tryLock } from "../files/process-lock.ts";
import type { DownloadProgress, HashTrust } from "../protocol/encoders.ts";
import { CancelledError, isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import { type ChosenFiles, chooseFiles } from "./choose-files.ts";
import { type ModelInfo, modelInfo } from "./client.ts";
import { type FetchOptions, fetchFile, hashFile } from "./fetch-file.ts";
import type { HubHttp } from "./http.ts";
import { diskFull, systemCode } from "./hub-errors.ts";
import { storeName } from "./hub-id.ts";
import {
  bytesHere,
  PART_STATE,
  type PartFile,
  type PartState,
  partFolder,
  readPartState,
  writePartState,
} from "./part.ts";
import { DownloadMeter } from "./rate.ts";
import {
  findStored,
  inUse,
  modelFolder,
  namesIn,
  RECORD,
  removeEmpty,
  type StoredEncoder,
  type StoredRecord,
  storeFolder,
} from "./store.ts";

export interface DownloadOptions {
  http: HubHttp;
  /** Commit, branch or tag. Default: the newest of "main". */
  revision?: string | undefined;
  /** Path of an ONNX file of the repository to take instead of the weights. */
  variant?: string | undefined;
  /**
   * Abort with the reason "pause" to keep the wish to go on later, with "quit" to leave it like a process that was cut
   * off; any other reason is a cancel. All keep the part.
   */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** A file's sha256 as Parallax knows it from elsewhere (the catalogue), lower-case hex, or null. */
  knownSha256?: ((id: string, revision: string, file: string) => string | null) | undefined;
  /** Take files although the hash that `knownSha256` knows is another one: the authors changed them. Default false. */
  trustHub?: boolean | undefined;
  /** Another process downloads the same model: wait for it (default), or throw hub.in-use. */
  whenBusy?: "wait" | "fail" | undefined;
  /** Stand-ins for tests of full disks. */
  freeBytes?: (folder: string) => number;
  write?: FetchOptions["write"];
}

const BUSY_LOOK_MS = 250;
/** Left free on the disk: a system without any space does worse things than not downloading. */
const RESERVE_BYTES = 50e6;

/**
 * Download a model, or go on with it, or find that it is here.
 *
 * @returns the encoder in the store; `faults` is empty.
 * @throws {ParallaxError} hub.bad-id, hub.not-found, hub.gated, hub.token-refused, hub.pickle-only, hub.no-weights,
 *   hub.unsafe-path, hub.known-hash, hub.wrong-hash, hub.wrong-size, hub.changed, hub.disk-full, hub.in-use, hub.offline,
 *   hub.no-connection, hub.busy, hub.unavailable. The part stays in every case but a wrong hash, which removes that file.
 * @throws {CancelledError}
 * Cost: each byte is read once from the network and hashed on its way; going on reads the part once.
 */
export async function downloadModel(id: string, options: DownloadOptions): Promise<StoredEncoder> {
  const folder = modelFolder(id);
  mkdirSync(folder, { recursive: true });
  const unlock = await lock(id, folder, options);
  try {
    return await new Download(id, options).run();
  } finally {
    unlock();
    removeEmpty(folder);
  }
}

async function lock(
  id: string,
  folder: string,
  { signal, whenBusy, onProgress }: DownloadOptions,
): Promise<() => void> {
  for (;;) {
    if (signal?.aborted) throw new CancelledError("The download");
    mkdirSync(folder, { recursive: true });
    const held = lockIfThere(folder);
    if (held === null) continue;
    if (typeof held === "function") return held;
    if (whenBusy === "fail") throw inUse(id, held.pid);
    const note = `Process ${held.pid} is downloading it; waiting for that.`;
    onProgress?.({ files: [], doneBytes: 0, totalBytes: 0, rate: null, etaMs: null, phase: "downloading", note });
    await sleep(BUSY_LOOK_MS, undefined, { signal }).catch(() => {
      throw new CancelledError("The download");
    });
  }
}

/** Null: another process removed the folder after we made it (its download found nothing, or the encoder was removed). */
function lockIfThere(folder: string): ReturnType<typeof tryLock> | null {
  try {
    return tryLock(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

class Download {
  readonly #id: string;
  readonly #o: DownloadOptions;

  constructor(id: string, options: DownloadOptions) {
    this.#id = id;
    this.#o = options;
  }

  async run(): Promise<StoredEncoder> {
    const { http, signal, revision, variant } = this.#o;
    const info = await modelInfo(http, this.#id, revision, { signal });
    const chosen = chooseFiles(this.#id, info.files, variant);
    const stored = findStored(this.#id, info.revision);
    if (stored !== null && stored.faults.length === 0 && chosen.weights.every((file) => has(stored, file)))
      return stored;
    const trust = this.#checkKnown(info, chosen);
    const folder = partFolder(this.#id, info.revision);
    const state = this.#takeUp(folder, info, chosen);
    const meter = new DownloadMeter(state.files, this.#o.onProgress);
    try {
      await this.#carryOver(folder, state, meter);
      for (const file of state.files) meter.here(file.path, bytesHere(folder, file), false);
      this.#checkSpace(folder, state);
      writePartState(folder, state);
      // Small ones first: what is wrong with a model mostly stands in them.
      for (const file of [...state.files].sort((a, b) => a.sizeBytes - b.sizeBytes))
        await this.#fetch(folder, state, file, meter);
    } catch (error) {
      this.#leave(folder, state, error);
      throw error;
    } finally {
      meter.stop();
    }
    meter.phase("done");
    return this.#install(folder, state, info, chosen, trust);
  }

  /** The state of the part: an earlier one's, where it still fits. */
  #takeUp(folder: string, info: ModelInfo, chosen: ChosenFiles): PartState {
    mkdirSync(folder, { recursive: true });
    const before = readPartState(folder);
    return {
      version: 1,
      id: this.#id,
      source: this.#o.http.options.endpoint,
      revision: info.revision,
      variant: this.#o.variant ?? null,
      state: "downloading",
      error: null,
      startedAt: new Date().toISOString(),
      files: chosen.files.map((file) => {
        const same = before?.files.find((each) => each.path === file.path && isSame(each, file));
        const isWhole = same?.checked != null && existsSync(path.join(folder, file.path));
        return { ...file, checked: isWhole ? same.checked : null, etag: same?.etag ?? null };
      }),
    };
  }

  /** Files of other parts and revisions of this model that are the same by their hash need no network. */
  async #carryOver(folder: string, state: PartState, meter: DownloadMeter): Promise<void> {
    const home = modelFolder(this.#id);
    const others = namesIn(home).filter(
      (name) => /^[0-9a-f]{40}(\.part)?$/.test(name) && path.join(home, name) !== folder,
    );
    for (const name of others) {
      const from = path.join(home, name);
      const isPart = name.endsWith(".part");
      const known: readonly Pick<PartFile, "path" | "sizeBytes" | "sha256" | "gitSha1">[] = isPart
        ? (readPartState(from)?.files ?? [])
        : (findStored(this.#id, name)?.record.files ?? []);
      for (const file of state.files) {
        const same = known.find((each) => each.path === file.path && isSame(each, file));
        if (same === undefined || bytesHere(folder, file) > 0) continue;
        take(path.join(from, file.path), path.join(folder, file.path), isPart);
        if (isPart) take(`${path.join(from, file.path)}.part`, `${path.join(folder, file.path)}.part`, true);
      }
      // Its bytes were of another revision, which nobody asks for any more.
      if (isPart) rmSync(from, { recursive: true, force: true });
    }
    for (const file of state.files) {
      const at = path.join(folder, file.path);
      if (file.checked !== null || !existsSync(at)) continue;
      meter.phase("checking");
      const { sha256, gitSha1 } = await hashFile(at, this.#o.signal);
      if (file.sha256 === sha256 || (file.sha256 === null && file.gitSha1 === gitSha1)) file.checked = sha256;
      else rmSync(at, { force: true });
    }
    meter.phase("downloading");
  }

  async #fetch(folder: string, state: PartState, file: PartFile, meter: DownloadMeter): Promise<void> {
    if (this.#o.signal?.aborted) throw new CancelledError("The download");
    if (file.checked !== null) return;
    let isChecking = false;
    file.checked = await fetchFile({
      http: this.#o.http,
      id: this.#id,
      revision: state.revision,
      folder,
      file,
      signal: this.#o.signal,
      freeBytes: this.#o.freeBytes ?? freeBytes,
      ...(this.#o.write === undefined ? {} : { write: this.#o.write }),
      onBytes: (bytes) => meter.here(file.path, bytes, !isChecking),
      onChecking: (checking) => {
        isChecking = checking;
        meter.phase(checking ? "checking" : "downloading");
      },
      onEtag: (etag) => {
        if (etag === file.etag) return;
        file.etag = etag;
        writePartState(folder, state);
      },
      onWait: (note) => meter.note(note),
    });
    meter.here(file.path, bytesHere(folder, file), true);
    writePartState(folder, state);
  }

  #checkSpace(folder: string, state: PartState): void {
    const needs = state.files.reduce((sum, file) => sum + Math.max(0, file.sizeBytes - bytesHere(folder, file)), 0);
    const free = (this.#o.freeBytes ?? freeBytes)(folder);
    if (needs + (needs > 0 ? RESERVE_BYTES : 0) > free) throw diskFull(this.#id, needs, free, folder);
  }

  /** What we knew before goes before what the hub says now. */
  #checkKnown(info: ModelInfo, chosen: ChosenFiles): Map<string, HashTrust> {
    const seen = readSeen(this.#id)[info.revision] ?? {};
    const trust = new Map<string, HashTrust>();
    for (const file of chosen.files) {
      const given = this.#o.knownSha256?.(this.#id, info.revision, file.path) ?? null;
      const published = this.#o.trustHub === true && file.sha256 !== null && file.sha256 !== given ? null : given;
      const known = published ?? seen[file.path] ?? null;
      if (known !== null && file.sha256 !== null && known !== file.sha256)
        throw new ParallaxError(
          "hub.known-hash",
          `${new URL(this.#o.http.options.endpoint).host} offers ${file.path} of ${this.#id} with sha256 ${file.sha256.slice(0, 12)}…, but ${published === null ? "an earlier download of the same revision had" : "the published one is"} ${known.slice(0, 12)}…. Nothing was downloaded.`,
          {
            kind: "environment",
            hint:
              published === null
                ? "Do not trust this mirror; ask at the hub's own address."
                : "The authors may have changed the file since. If you trust this address, download with --trust-hub ({ trustHub: true }); the file is then marked as trusted on first use.",
            details: { id: this.#id, revision: info.revision, path: file.path, expected: known, found: file.sha256 },
          },
        );
      // A hub that gives no hash of its own is held to ours.
      if (known !== null) file.sha256 = known;
      trust.set(
        file.path,
        published !== null ? "as published" : (file.sha256 ?? file.gitSha1) ? "trusted on first use" : "not known",
      );
    }
    return trust;
  }

  /** The part with why it lies there. */
  #leave(folder: string, state: PartState, error: unknown): void {
    if (isCancelled(error)) {
      const reason: unknown = this.#o.signal?.reason;
      state.state = reason === "pause" ? "paused" : reason === "quit" ? "downloading" : "stopped";
    } else {
      state.state = "failed";
      const { stack: _, ...data } = toErrorData(error);
      state.error = data;
    }
    try {
      writePartState(folder, state);
    } catch {
      // A full disk: the bytes are there, and the state before says the same but for the reason.
    }
  }

  #install(
    folder: string,
    state: PartState,
    info: ModelInfo,
    chosen: ChosenFiles,
    trust: ReadonlyMap<string, HashTrust>,
  ): StoredEncoder {
    const record: StoredRecord = {
      version: 1,
      id: this.#id,
      source: state.source,
      revision: info.revision,
      downloadedAt: new Date().toISOString(),
      format: chosen.format,
      weights: chosen.weights,
      licence: info.licence,
      languages: info.languages,
      files: state.files.map((file) => ({
        path: file.path,
        sizeBytes: bytesHere(folder, file),
        sha256: file.checked!,
        gitSha1: file.gitSha1,
        trust: trust.get(file.path) ?? "not known",
      })),
      onnxVariants: chosen.onnxVariants,
      verified: null,
    };
    writeSeen(this.#id, info.revision, record);
    writeFileAtomically(path.join(folder, RECORD), [`${JSON.stringify(record, null, 2)}\n`]);
    rmSync(path.join(folder, PART_STATE), { force: true });
    const target = folder.slice(0, -".part".length);
    // A damaged folder of the same revision makes room.
    if (existsSync(target)) {
      const away = path.join(storeFolder(), `.removed-${process.pid}-${Date.now()}`);
      renameSync(target, away);
      rmSync(away, { recursive: true, force: true, maxRetries: 3 });
    }
    renameSync(folder, target);
    return { id: this.#id, folder: target, record, faults: [] };
  }
}

/** Free for this user, in bytes. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

const has = (stored: StoredEncoder, file: string): boolean => stored.record.files.some((each) => each.path === file);

/** Equal by a hash that both know. */
function isSame(a: Pick<PartFile, "sha256" | "gitSha1">, b: Pick<PartFile, "sha256" | "gitSha1">): boolean {
  if (b.sha256 !== null) return a.sha256 === b.sha256;
  return b.gitSha1 !== null && a.gitSha1 === b.gitSha1;
}

/** Moves, or links (whole files never change), or copies where links are not possible. */
function take(from: string, to: string, move: boolean): void {
  if (!existsSync(from)) return;
  mkdirSync(path.dirname(to), { recursive: true });
  if (move) {
    renameSync(from, to);
    return;
  }
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** Hashes of earlier downloads, by revision and path. They stay when an encoder is removed. */
const seenSchema = z.record(z.string(), z.record(z.string(), z.string()));
const seenFile = (id: string): string => path.join(storeFolder(), ".seen", `${storeName(id)}.json`);

function readSeen(id: string): z.infer<typeof seenSchema> {
  try {
    const parsed = seenSchema.safeParse(JSON.parse(readFileSync(seenFile(id), "utf8")));
    return parsed.success ? parsed.data : {};
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

function writeSeen(id: string, revision: string, record: StoredRecord): void {
  const hashes = Object.fromEntries(record.files.map((file) => [file.path, file.sha256]));
  writeFileAtomically(seenFile(id), [JSON.stringify({ ...readSeen(id), [revision]: hashes })]);
}

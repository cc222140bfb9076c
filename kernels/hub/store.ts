/**
 * Downloaded encoders on disk: `<data>/encoders/<owner>--<name>/<revision>/`, plain model folders with a `parallax.json`
 * beside the model's own files. A folder of that name is whole: it was renamed into place when everything was checked.
 * `<revision>.part` beside it is a download that is not finished.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { appFolders } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { lockOwner, tryLock } from "../files/process-lock.ts";
import { hashTrustSchema } from "../protocol/encoders.ts";
import { errorDataSchema, ParallaxError } from "../protocol/errors.ts";
import { checkHubId, idOfStoreName, storeName } from "./hub-id.ts";

export const RECORD = "parallax.json";

const storedFileSchema = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  /** Of the bytes as they were checked. */
  sha256: z.string(),
  gitSha1: z.string().nullable(),
  trust: hashTrustSchema,
});

/** What parallax.json holds. */
export const recordSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  /** Address of the hub or mirror. */
  source: z.string(),
  revision: z.string(),
  downloadedAt: z.string(),
  format: z.enum(["safetensors", "onnx"]),
  weights: z.array(z.string()),
  licence: z.string().nullable(),
  languages: z.array(z.string()),
  files: z.array(storedFileSchema),
  onnxVariants: z.array(z.object({ path: z.string(), sizeBytes: z.number() })),
  /** Whether it was loaded to a vector after the download; null: not tried. */
  verified: z
    .object({ ok: z.boolean(), at: z.string(), dimensions: z.number().nullable(), error: errorDataSchema.nullable() })
    .nullable(),
});
export type StoredRecord = z.infer<typeof recordSchema>;

export interface StoredEncoder {
  id: string;
  folder: string;
  record: StoredRecord;
  /** Files that are missing or have another size than when they were checked. */
  faults: string[];
}

/** Where downloaded encoders live. Nothing is created. */
export function storeFolder(): string {
  return path.join(appFolders().data, "encoders");
}

/** Folder of all revisions of a model. @throws {ParallaxError} hub.bad-id */
export function modelFolder(id: string): string {
  checkHubId(id);
  return path.join(storeFolder(), storeName(id));
}

/**
 * A downloaded encoder: the revision that was asked for, else the one downloaded last. Damaged ones are found, too
 * (`faults`), so that an error can say what is wrong.
 *
 * @returns null when there is none; also for a text that is no hub id.
 * Cost: a read of one small file and a stat for each file.
 */
export function findStored(id: string, revision?: string): StoredEncoder | null {
  return (
    revisionsOf(id)
      .filter((stored) => revision === undefined || stored.record.revision === revision)
      .at(0) ?? null
  );
}

/** All downloaded encoders, newest revision each, by id. */
export function listStored(): StoredEncoder[] {
  return namesIn(storeFolder())
    .map(idOfStoreName)
    .flatMap((id) => (id === null ? [] : revisionsOf(id).slice(0, 1)))
    .sort((a, b) => (a.id.toLowerCase() < b.id.toLowerCase() ? -1 : 1));
}

/**
 * Remove all revisions of a model, parts included.
 * @returns bytes freed
 * @throws {ParallaxError} hub.not-stored, hub.in-use when a process downloads it now
 */
export function removeStored(id: string): number {
  const folder = modelFolder(id);
  if (!existsSync(folder)) throw notStored(id);
  const lock = tryLock(folder);
  if (typeof lock !== "function") throw inUse(id, lock.pid);
  const freed = folderBytes(folder);
  // Out of sight in one step, so that nobody finds a half of it.
  const away = path.join(storeFolder(), `.removed-${process.pid}-${Date.now()}`);
  renameSync(folder, away);
  rmSync(away, { recursive: true, force: true, maxRetries: 3 });
  return freed;
}

/**
 * Remove what is left of downloads of a model that nobody works on; whole revisions stay.
 * @returns bytes freed
 * @throws {ParallaxError} hub.no-part, hub.in-use
 */
export function removePart(id: string): number {
  const folder = modelFolder(id);
  const parts = namesIn(folder).filter((name) => name.endsWith(".part"));
  if (parts.length === 0)
    throw new ParallaxError("hub.no-part", `There is no part of a download of ${id}. Nothing was removed.`, {
      hint: "parallax encoders list shows what is here.",
      details: { id },
    });
  const lock = tryLock(folder);
  if (typeof lock !== "function") throw inUse(id, lock.pid);
  let freed = 0;
  try {
    for (const part of parts) {
      freed += folderBytes(path.join(folder, part));
      rmSync(path.join(folder, part), { recursive: true, force: true, maxRetries: 3 });
    }
  } finally {
    lock();
  }
  removeEmpty(folder);
  return freed;
}

/** A model of which there is nothing leaves no folder. Another process that has just put its lock there keeps it. */
export function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EPERM", "EBUSY"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
  }
}

/** Number of the process that downloads the model now, or null. */
export function downloader(id: string): number | null {
  const folder = modelFolder(id);
  return existsSync(folder) ? (lockOwner(folder)?.pid ?? null) : null;
}

/** Writes down whether the encoder could be loaded. */
export function recordVerified(stored: StoredEncoder, verified: NonNullable<StoredRecord["verified"]>): StoredEncoder {
  const record = { ...stored.record, verified };
  writeFileAtomically(path.join(stored.folder, RECORD), [`${JSON.stringify(record, null, 2)}\n`]);
  return { ...stored, record };
}

export function notStored(id: string): ParallaxError {
  return new ParallaxError("hub.not-stored", `The encoder ${id} is not on this computer.`, {
    hint: `parallax encoders download ${id}`,
    details: { id },
  });
}

export function inUse(id: string, pid: number): ParallaxError {
  const who = pid === 0 ? "Another process" : `Process ${pid}`;
  return new ParallaxError("hub.in-use", `${who} is downloading ${id} now. Nothing was changed.`, {
    hint: "Wait for it, or pause or cancel it there.",
    details: { id, pid },
  });
}

/** Bytes of all files below a folder; 0 when it is not there. */
export function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      bytes += statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

/** Newest first. */
function revisionsOf(id: string): StoredEncoder[] {
  const name = storeName(id);
  if (idOfStoreName(name) !== id) return [];
  const folder = path.join(storeFolder(), name);
  return namesIn(folder)
    .filter((revision) => /^[0-9a-f]{40}$/.test(revision))
    .flatMap((revision) => readStored(id, path.join(folder, revision)) ?? [])
    .sort((a, b) => (a.record.downloadedAt < b.record.downloadedAt ? 1 : -1));
}

/** A folder whose record cannot be read was not made by a download; it is passed over. */
function readStored(id: string, folder: string): StoredEncoder | null {
  let text: string;
  try {
    text = readFileSync(path.join(folder, RECORD), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const parsed = recordSchema.safeParse(value);
  if (!parsed.success || parsed.data.id !== id) return null;
  const faults = parsed.data.files.flatMap((file) => {
    const found = statSync(path.join(folder, file.path), { throwIfNoEntry: false })?.size;
    if (found === file.sizeBytes) return [];
    return [
      found === undefined ? `${file.path} is missing` : `${file.path} has ${found} bytes instead of ${file.sizeBytes}`,
    ];
  });
  return { id, folder, record: parsed.data, faults };
}

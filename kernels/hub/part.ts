/** A download that is not finished: the folder `<revision>.part` with its `download.json`. It survives quits and kills. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { DownloadProgress } from "../protocol/encoders.ts";
import { errorDataSchema } from "../protocol/errors.ts";
import { idOfStoreName } from "./hub-id.ts";
import { downloader, modelFolder, namesIn, storeFolder } from "./store.ts";

export const PART_STATE = "download.json";

const partFileSchema = z.object({
  path: z.string(),
  /** -1: the hub does not say. */
  sizeBytes: z.number(),
  sha256: z.string().nullable(),
  gitSha1: z.string().nullable(),
  /** sha256 of the bytes once they are all here and checked. */
  checked: z.string().nullable(),
  /** ETag of the host that gave the bytes, for If-Range. */
  etag: z.string().nullable(),
});
export type PartFile = z.infer<typeof partFileSchema>;

const partStateSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  source: z.string(),
  revision: z.string(),
  /** Null: the weights as Parallax chooses them. */
  variant: z.string().nullable(),
  /** "downloading" without a living process: it was killed. */
  state: z.enum(["downloading", "paused", "stopped", "failed"]),
  error: errorDataSchema.nullable(),
  startedAt: z.string(),
  files: z.array(partFileSchema),
});
export type PartState = z.infer<typeof partStateSchema>;

export interface Part {
  folder: string;
  state: PartState;
  progress: DownloadProgress;
  /** Number of the process that works on it, or null. */
  pid: number | null;
}

export const partFolder = (id: string, revision: string): string => path.join(modelFolder(id), `${revision}.part`);

/** Where the bytes of a file are collected until they are all there. */
export const unfinished = (file: string): string => `${file}.part`;

export function writePartState(folder: string, state: PartState): void {
  writeFileAtomically(path.join(folder, PART_STATE), [`${JSON.stringify(state, null, 2)}\n`]);
}

/** Null for a folder without a readable state: its bytes cannot be trusted to be anything. */
export function readPartState(folder: string): PartState | null {
  try {
    const parsed = partStateSchema.safeParse(JSON.parse(readFileSync(path.join(folder, PART_STATE), "utf8")));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The part of a model's download, the one that was started last when there are several. */
export function findPart(id: string): Part | null {
  const folder = modelFolder(id);
  const parts = namesIn(folder)
    .filter((name) => /^[0-9a-f]{40}\.part$/.test(name))
    .flatMap((name): Part[] => {
      const state = readPartState(path.join(folder, name));
      if (state === null || state.id !== id) return [];
      const at = path.join(folder, name);
      return [{ folder: at, state, progress: partProgress(at, state), pid: null }];
    })
    .sort((a, b) => (a.state.startedAt < b.state.startedAt ? 1 : -1));
  return parts.length === 0 ? null : { ...parts[0], pid: downloader(id) };
}

/** All unfinished downloads, by id. */
export function listParts(): Part[] {
  return namesIn(storeFolder())
    .map(idOfStoreName)
    .flatMap((id) => (id === null ? [] : (findPart(id) ?? [])));
}

/** Bytes here and bytes in all, from the sizes of the files. */
export function partProgress(folder: string, state: PartState): DownloadProgress {
  const files = state.files.map((file) => ({
    path: file.path,
    doneBytes: bytesHere(folder, file),
    totalBytes: Math.max(0, file.sizeBytes),
  }));
  return {
    files,
    doneBytes: files.reduce((sum, file) => sum + file.doneBytes, 0),
    totalBytes: files.reduce((sum, file) => sum + file.totalBytes, 0),
    rate: null,
    etaMs: null,
    phase: "downloading",
    note: null,
  };
}

/** Of a file whole or unfinished. */
export function bytesHere(folder: string, file: Pick<PartFile, "path">): number {
  const at = path.join(folder, file.path);
  return statSync(existsSync(at) ? at : unfinished(at), { throwIfNoEntry: false })?.size ?? 0;
}

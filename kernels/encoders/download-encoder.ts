/** From a hub id to an encoder that was loaded once: download, check, try. */
import { knownFile } from "../encode/catalogue/catalogue.ts";
import { type DownloadOptions, downloadModel } from "../hub/download.ts";
import type { StoredEncoder } from "../hub/store.ts";
import type { DownloadProgress } from "../protocol/encoders.ts";
import type { Progress } from "../protocol/progress.ts";
import { type Access, withHub } from "./access.ts";
import { verifyStored } from "./measure.ts";

export interface DownloadEncoderOptions
  extends Pick<DownloadOptions, "revision" | "variant" | "signal" | "onProgress" | "trustHub" | "whenBusy"> {}

/**
 * Download an encoder (or go on, or find that it is here) and load it once.
 *
 * Hashes of files that the catalogue knows are checked against it; all others against what the hub says itself.
 * @throws {ParallaxError} see downloadModel. An encoder that does not load is no error here: `record.verified` says why.
 * @throws {CancelledError}
 */
export async function fetchEncoder(
  id: string,
  options: DownloadEncoderOptions = {},
  access?: Access,
): Promise<StoredEncoder> {
  let last: DownloadProgress | null = null;
  const stored = await withHub(access, (http) =>
    downloadModel(id, {
      http,
      ...options,
      knownSha256: (model, _revision, file) => knownFile(model, file)?.sha256 ?? null,
      onProgress: (progress) => {
        last = progress;
        if (progress.phase !== "done") options.onProgress?.(progress);
      },
    }),
  );
  const at = (phase: DownloadProgress["phase"]): DownloadProgress => {
    const bytes = stored.record.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const files = stored.record.files.map(({ path, sizeBytes }) => ({
      path,
      doneBytes: sizeBytes,
      totalBytes: sizeBytes,
    }));
    return { ...(last ?? { note: null }), files, doneBytes: bytes, totalBytes: bytes, rate: null, etaMs: null, phase };
  };
  let result = stored;
  if (stored.record.verified?.ok !== true) {
    options.onProgress?.(at("verifying"));
    result = await verifyStored(stored, options.signal);
  }
  options.onProgress?.(at("done"));
  return result;
}

const STAGES = { downloading: "Downloading", checking: "Checking", verifying: "Loading once to verify", done: "Done" };

/** The same progress for a bar that knows nothing of files. */
export function plainProgress(id: string, progress: DownloadProgress): Progress {
  return {
    stage: `${STAGES[progress.phase]} ${id}`,
    done: progress.doneBytes,
    total: progress.totalBytes,
    unit: "bytes",
    ...(progress.rate === null ? {} : { rate: progress.rate }),
    ...(progress.etaMs === null ? {} : { etaMs: progress.etaMs }),
    ...(progress.note === null ? {} : { note: progress.note }),
  };
}

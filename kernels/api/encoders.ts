/** Encoders on this computer and at the hub: `listEncoders`, `downloadEncoder`. */
import { fetchEncoder, plainProgress } from "../encoders/download-encoder.ts";
import { listEntries } from "../encoders/entries.ts";
import { entriesTable } from "../encoders/entries-table.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle } from "../protocol/display.ts";
import type { EncoderEntry } from "../protocol/encoders.ts";
import { fromErrorData } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { withJob } from "./context.ts";

export type { EncoderEntry } from "../protocol/encoders.ts";

export interface DownloadOptions extends WorkContext {
  /** Commit, branch or tag. Default: the newest of "main". */
  revision?: string;
  /** An ONNX file of the repository in place of the weights, e.g. "onnx/model_int8.onnx". */
  variant?: string;
  /** Take files although the hash that is published for them is another one. Default false. */
  trustHub?: boolean;
}

export interface DownloadedEncoder {
  id: string;
  /** A plain model folder. */
  folder: string;
  /** Commit of the model's repository. */
  revision: string;
  sizeBytes: number;
}

/**
 * Download an encoder from the hub, or find that it is here. The cell shows a bar; stopping the cell keeps what has come,
 * and the next call goes on there.
 *
 * @param id "owner/name" as on the hub
 * @returns  where it lies. It was loaded once, so `loadEncoder(id)` will not fail for a wrong file.
 * @throws {ParallaxError} hub.bad-id, hub.offline, hub.not-found, hub.gated, hub.pickle-only, hub.disk-full, hub.wrong-hash,
 *   hub.no-connection, …; and what loading throws when the model is none that Parallax runs
 * @throws {CancelledError}
 *
 * @example await downloadEncoder("BAAI/bge-small-en-v1.5");
 */
export async function downloadEncoder(id: string, options: DownloadOptions = {}): Promise<DownloadedEncoder> {
  const { signal: given, onProgress: told, revision, variant, trustHub } = options;
  const { record, folder } = await withJob({ signal: given, onProgress: told }, ({ signal, onProgress }) =>
    fetchEncoder(id, {
      ...(revision === undefined ? {} : { revision }),
      ...(variant === undefined ? {} : { variant }),
      ...(trustHub === undefined ? {} : { trustHub }),
      signal,
      onProgress: (progress) => onProgress(plainProgress(id, progress)),
    }),
  );
  if (record.verified?.ok === false && record.verified.error !== null) throw fromErrorData(record.verified.error);
  return {
    id,
    folder,
    revision: record.revision,
    sizeBytes: record.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  };
}

/** Rows, and a table of them under a cell. */
export class EncoderList extends Array<EncoderEntry> implements Displayable {
  /** Maps and filters give plain arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  [DISPLAY](): MimeBundle {
    return { [MIME.plain]: entriesTable(this) };
  }
}

/**
 * The encoders on this computer: installed, downloaded, half downloaded, and folders that were added on the Encoders page.
 *
 * @param options.all also those that Parallax knows and could download (state "available")
 * @returns rows with id, name, dimensions, maxTokens, sizeBytes, licence, languages, prompts, state, sha256, speed, …
 */
export async function listEncoders(options: { all?: boolean } = {}): Promise<EncoderList> {
  const entries = await listEntries();
  return EncoderList.from(
    entries.filter((entry) => options.all === true || entry.state !== "available"),
  ) as EncoderList;
}

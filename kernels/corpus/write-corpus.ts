/**
 * Encoding a corpus: a stream of texts into a corpus folder, a chunk at a time. After each chunk the files are synced and
 * the manifest says how far they are whole, so that a process killed at any instant loses at most one chunk. The chunks and
 * the batch plan inside them are kept, so a resumed corpus has the bits of an unbroken one.
 */
import { mkdirSync, statfsSync, statSync } from "node:fs";
import path from "node:path";
import { type StreamedRow, streamTexts, type TextStreamOptions } from "../data/text-stream.ts";
import { formatBytes } from "../encode/embedding-set.ts";
import type { Encoder } from "../encode/encoder.ts";
import { fileSha256 } from "../encode/file-digest.ts";
import { tryLock } from "../files/process-lock.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { bytesPerRow, CORPUS_FILES, type CorpusManifest, readManifest } from "./corpus-files.ts";
import { CorpusWriter } from "./corpus-writer.ts";

/** Texts between two checkpoints: a second or two of work for a small encoder, and the memory of one chunk. */
const CHUNK_TEXTS = 2048;

export interface WriteCorpusOptions extends WorkContext {
  /** Table: tsv, csv, jsonl, txt (also .gz) or parquet. */
  file: string;
  column: string;
  idColumn?: string | undefined;
  format?: TextStreamOptions["format"];
  encoder: Encoder;
  /** As for `Encoder.encode`. */
  prompt?: string | undefined;
  /** The corpus folder: made, or gone on with when it holds the same job. */
  folder: string;
  /**
   * Default "float32". "float16" halves the file; cosines change by less than 1e-3. "int8" is a quarter, with a scale for
   * each row; what that loses is measured while it is written and stands in the manifest.
   */
  dtype?: CorpusManifest["dtype"];
}

/**
 * Encode every row of a table into a corpus folder, or go on where an earlier call stopped.
 *
 * @returns the manifest, state "done"
 * @throws {ParallaxError} table.*, corpus.other-job (the folder holds another encoder, prompt or source), corpus.in-use (with
 *   the process), corpus.changed-source, corpus.disk-full, corpus.damaged; what the encoder throws
 * @throws {CancelledError} between two batches; what was finished stays
 * Cost: encoding; memory is one chunk of texts and vectors, whatever the size of the table.
 */
export async function writeCorpus(options: WriteCorpusOptions): Promise<CorpusManifest> {
  const { folder, encoder, signal } = options;
  mkdirSync(folder, { recursive: true });
  const lock = tryLock(folder, { name: "writing" });
  if (typeof lock !== "function")
    throw new ParallaxError(
      "corpus.in-use",
      `The corpus ${folder} is being written by process ${lock.pid} on ${lock.host}. Nothing was changed.`,
      { hint: "Wait for it or stop it, then call again: it goes on where the other one was.", details: { ...lock } },
    );
  try {
    const manifest = await begin(options);
    if (manifest.state === "done") return manifest;
    await writeRows(options, manifest);
    return manifest;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOSPC") throw error;
    throw new ParallaxError("corpus.disk-full", `The disk is full: ${folder} could not be written further.`, {
      kind: "environment",
      hint: "Free some space and call again; finished rows are kept.",
      details: { folder, encoder: encoder.identity.name, cancelled: signal?.aborted },
      cause: error,
    });
  } finally {
    lock();
  }
}

/** The manifest to go on with: the folder's own when it is the same job, else a new one. */
async function begin(options: WriteCorpusOptions): Promise<CorpusManifest> {
  const { folder, encoder, file, column, idColumn, dtype = "float32" } = options;
  const sizeBytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  // Reading finds out by itself that there is no such file, with a hint; the digest comes after the first look.
  for await (const _ of streamTexts(file, { ...options, skip: 0 })) break;
  const sha256 = await fileSha256(file, { signal: options.signal });
  const prompt = (await encoder.encode([], { ...promptOf(options) })).prompt;
  const fresh: CorpusManifest = {
    parallaxCorpus: 1,
    state: "running",
    rows: 0,
    textBytes: 0,
    idBytes: 0,
    dimensions: encoder.dimensions,
    dtype,
    plan: { chunkTexts: CHUNK_TEXTS, batchTokens: encoder.batchTokens, threads: encoder.threads ?? null },
    encoder: encoder.identity,
    prompt,
    source: { file: path.resolve(file), column, idColumn: idColumn ?? null, sizeBytes, sha256 },
    report: { tokens: 0, truncated: 0, empty: 0, unknownPieces: 0 },
    seconds: 0,
  };
  if (!statSync(path.join(folder, CORPUS_FILES.manifest), { throwIfNoEntry: false })) {
    checkSpace(folder, fresh);
    return fresh;
  }
  const found = readManifest(folder);
  const same = (name: string, was: unknown, is: unknown) =>
    was === is ? [] : [`${name}: ${String(was)}, now ${String(is)}`];
  if (found.source.file === fresh.source.file && found.source.sha256 !== sha256)
    throw new ParallaxError(
      "corpus.changed-source",
      `${file} was changed since ${found.rows.toLocaleString("en-US")} of its rows were encoded into ${folder} (${found.source.sizeBytes} bytes then, ${sizeBytes} now). Nothing was changed.`,
      { hint: "Encode it into another folder, or remove this one first.", details: { folder, file } },
    );
  const different = [
    ...same("encoder", found.encoder.specSha256 ?? found.encoder.weightsSha256, encoder.identity.specSha256),
    ...same("provider", found.encoder.provider, encoder.identity.provider),
    ...same("precision", found.encoder.precision, encoder.identity.precision),
    ...same("prompt", found.prompt, prompt),
    ...same("source", found.source.sha256, sha256),
    ...same("column", found.source.column, column),
    ...same("id column", found.source.idColumn, idColumn ?? null),
    ...same("numbers", found.dtype, dtype),
    ...same("threads", found.plan.threads, encoder.threads ?? null),
  ];
  if (different.length > 0)
    throw new ParallaxError(
      "corpus.other-job",
      `${folder} holds a corpus that was made otherwise (${different.join("; ")}). Nothing was changed.`,
      { hint: "Choose another folder, or remove this one first.", details: { folder, different } },
    );
  return found;
}

function promptOf({ prompt }: WriteCorpusOptions): { prompt?: string } {
  return prompt === undefined ? {} : { prompt };
}

/** At least room for a first part; the table's rows are not known before it is read. */
function checkSpace(folder: string, manifest: CorpusManifest): void {
  const { bavail, bsize } = statfsSync(folder);
  const least = CHUNK_TEXTS * bytesPerRow(manifest) * 4 + manifest.source.sizeBytes;
  if (bavail * bsize < least)
    throw new ParallaxError(
      "corpus.disk-full",
      `A corpus of ${manifest.source.file} needs at least ${formatBytes(least)}; ${formatBytes(bavail * bsize)} are free in ${folder}. Nothing was written.`,
      { kind: "environment", hint: "Free some space, or choose a folder on another disk.", details: { folder } },
    );
}

async function writeRows(options: WriteCorpusOptions, manifest: CorpusManifest): Promise<void> {
  const { encoder, signal, onProgress } = options;
  const files = new CorpusWriter(options.folder, manifest);
  const started = performance.now();
  const before = manifest.seconds;
  const from = manifest.rows;
  let readShare = 0;
  try {
    let waiting: StreamedRow[] = [];
    const flush = async (rows: StreamedRow[]) => {
      const set = await encoder.encode(
        rows.map(({ text }) => text),
        {
          ...promptOf(options),
          batchTokens: manifest.plan.batchTokens,
          // A corpus is read once; its vectors would push out those of sweeps.
          cache: "skip",
          ...(signal === undefined ? {} : { signal }),
        },
      );
      const { report } = set;
      manifest.report.tokens += report.tokens;
      manifest.report.truncated += report.truncated.length;
      manifest.report.empty += report.empty.length;
      manifest.report.unknownPieces += Math.round(report.unknownShare * report.tokens);
      manifest.seconds = before + (performance.now() - started) / 1000;
      files.append(rows, set.data);
      const done = manifest.rows;
      const rate = (1000 * (done - from)) / (performance.now() - started);
      const total = readShare > 0.001 ? Math.max(done, Math.round(done / readShare)) : done;
      onProgress?.({
        stage: "Encoding the corpus",
        done,
        total,
        unit: "texts",
        rate,
        ...(readShare > 0.001 ? { etaMs: (1000 * (total - done)) / Math.max(1e-9, rate) } : {}),
      });
    };
    const stream = streamTexts(options.file, {
      column: options.column,
      idColumn: options.idColumn,
      format: options.format,
      skip: manifest.rows,
      ...(signal === undefined ? {} : { signal }),
      // How far the reading is tells how far the whole is.
      onProgress: ({ done, total }) => {
        readShare = total > 0 ? done / total : 0;
      },
    });
    for await (const rows of stream)
      for (let at = 0; at < rows.length; ) {
        const part = rows.slice(at, at + manifest.plan.chunkTexts - waiting.length);
        waiting.push(...part);
        at += part.length;
        if (waiting.length < manifest.plan.chunkTexts) continue;
        if (signal?.aborted) throw new CancelledError("Encoding the corpus");
        await flush(waiting);
        waiting = [];
      }
    if (waiting.length > 0) await flush(waiting);
    manifest.state = "done";
    files.finish();
  } finally {
    files.close();
  }
}

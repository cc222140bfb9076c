/** `loadEncoder`: encoders by name, each loaded once. */
import { statSync } from "node:fs";
import type { Encoder } from "../encode/encoder.ts";
import { encoderDigests } from "../encode/encoder-digests.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { type OpenOptions, openSpec } from "../encode/open-encoder.ts";
import { lossSentence } from "../encode/precision-losses.ts";
import { readSpec } from "../encode/read-spec.ts";
import { resolveReference } from "../encode/reference.ts";
import { PRECISIONS } from "../graph/precision.ts";
import { isHubId } from "../hub/hub-id.ts";
import { findStored } from "../hub/store.ts";
import { MIME } from "../protocol/display.ts";
import { CancelledError } from "../protocol/errors.ts";
import { currentContext } from "./context.ts";
import { downloadEncoder } from "./encoders.ts";

export type { EncoderProvider } from "../encode/encoder.ts";
export { Encoder } from "../encode/encoder.ts";
export type { EncoderSpec } from "../encode/encoder-spec.ts";

/** What may be said about an encoder over its folder's own files. */
export interface EncoderOptions
  extends Pick<
    OpenOptions,
    | "pooling"
    | "normalise"
    | "maxTokens"
    | "prompts"
    | "promptPooling"
    | "promptRule"
    | "onnx"
    | "model"
    | "precision"
    | "name"
    | "provider"
    | "threads"
  > {
  /** True downloads a hub id that is not here yet, with a bar; the cell's stop keeps what has come. Default false. */
  download?: boolean;
  /** False loads a new one even when the same encoder is loaded already. Default true. */
  shared?: boolean;
}

/** What an encoder argument may be everywhere in this module: loaded, or a reference that is loaded on first use. */
export type EncoderLike = Encoder | string;

const loaded = new Map<string, Promise<Encoder>>();

/**
 * Load an encoder.
 *
 * @param reference "default" (all-MiniLM-L6-v2, installed with Parallax), "default-int8" (its weights at 8 bits),
 *                  "default-static" (its word pieces averaged), a sentence-transformers folder, relative to the
 *                  notebook, or the hub id of a downloaded encoder, "BAAI/bge-small-en-v1.5". Default "default".
 * @param options   what the folder's own files do not say, or say wrongly. A plain transformers folder needs `pooling`:
 *                  "mean", "cls" or "max".
 * @returns         an encoder with `identity`, `spec`, `encode(texts)` and `dispose()`. The same reference gives the same
 *                  encoder until it is disposed or its weights change.
 * @throws {ParallaxError} encoder.not-found, encoder.missing-file, encoder.pickle-only, encoder.no-pooling,
 *   encoder.wrong-shape, encoder.not-finite, encoder.not-an-encoder, encoder.unsupported-architecture,
 *   encoder.default-missing, encoder.default-damaged, encoder.not-downloaded, and with `download` the hub's errors, …
 *
 * @example const encoder = await loadEncoder("../models/my-encoder", { pooling: "mean" });
 */
export async function loadEncoder(reference = "default", options: EncoderOptions = {}): Promise<Encoder> {
  const { signal, workingFolder } = currentContext();
  if (signal.aborted) throw new CancelledError("Loading the encoder");
  const { shared = true, download = false, ...said } = options;
  const name = resolveReference(reference, workingFolder);
  if (download && isHubId(name) && findStored(name)?.faults.length !== 0) await downloadEncoder(name);
  const spec: EncoderSpec = { ...(await readSpec(name, { ...said, signal })), reference };
  const { mtimeMs, size } = statSync(spec.weights.file);
  const key = JSON.stringify([name, Object.entries(said).sort(), mtimeMs, size]);
  for (let known = loaded.get(key); shared && known !== undefined; known = loaded.get(key)) {
    const encoder = await known;
    if (!encoder.isDisposed) return encoder;
    if (loaded.get(key) === known) loaded.delete(key);
  }
  // Not the signal of this cell: another cell may wait for the same encoder.
  if (said.precision !== undefined || reference === "default-int8")
    await sayLoss(spec, said.precision ?? "int8-weights", signal);
  const opening = openSpec(spec, said);
  if (shared) {
    loaded.set(key, opening);
    opening.catch(() => loaded.delete(key));
  }
  return opening;
}

/** What a precision loses, in the cell's output (or the command's), before the encoder is loaded. */
async function sayLoss(spec: EncoderSpec, precision: string, signal: AbortSignal): Promise<void> {
  if (precision === "float32" || spec.architecture === "static" || !Object.hasOwn(PRECISIONS, precision)) return;
  const { weights: weightsSha256 } = await encoderDigests(spec, signal);
  const text = lossSentence({ name: spec.name, weightsSha256 }, precision);
  currentContext().display({ [MIME.plain]: text });
}

/** The encoder that an argument means; undefined means the default one. */
export async function resolveEncoder(encoder: EncoderLike | undefined): Promise<Encoder> {
  return encoder === undefined || typeof encoder === "string" ? loadEncoder(encoder) : encoder;
}

/** Names of the encoders that are loaded now. */
export async function loadedEncoders(): Promise<string[]> {
  const all = await Promise.allSettled(loaded.values());
  return all.flatMap((result) =>
    result.status === "fulfilled" && !result.value.isDisposed ? [result.value.identity.name] : [],
  );
}

/** Free every encoder that `loadEncoder` keeps. */
export async function disposeEncoders(): Promise<void> {
  const all = [...loaded.values()];
  loaded.clear();
  for (const result of await Promise.allSettled(all)) if (result.status === "fulfilled") await result.value.dispose();
}

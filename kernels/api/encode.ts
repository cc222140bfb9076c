/** `encode`: texts to vectors, with a progress bar of its own. */
import type { EmbeddingSet } from "../encode/embedding-set.ts";
import type { EncodeOptions as EncoderEncodeOptions } from "../encode/encoder.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";

export { EmbeddingSet } from "../encode/embedding-set.ts";

export interface EncodeOptions extends EncoderEncodeOptions, WorkContext {
  /** A loaded encoder or a reference for `loadEncoder`. Default: the default encoder. */
  encoder?: EncoderLike;
}

/**
 * Encode texts with a local encoder.
 *
 * @param texts   n strings: an array or a column (`table.text("sentence")`)
 * @param options `prompt`: a template with {text} such as "query: {text}", or the name of one of the encoder's prompts
 * @returns       an EmbeddingSet: float32 [n, d] in the order of the texts, with a report of what was cut, empty, unknown
 * @throws {ParallaxError} encode.not-text, prompt.no-text-place; what loadEncoder throws
 * @throws {CancelledError} when the cell is stopped, between two batches
 * Cost: the default encoder does some hundred sentences a second on two cores.
 *
 * @example const vectors = await encode(table.text("question"), { prompt: "query: {text}" });
 */
export async function encode(texts: readonly string[], options: EncodeOptions = {}): Promise<EmbeddingSet> {
  const { encoder, signal, onProgress, ...rest } = options;
  const model = await resolveEncoder(encoder);
  return withJob({ signal, onProgress }, (context) => model.encode(texts, { ...rest, ...context }));
}

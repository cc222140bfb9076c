/** What evaluation asks of an encoder; the real Encoder satisfies it, and so does a small fake in a test. */
import type { WorkContext } from "../protocol/progress.ts";
import type { EncodeReport, EncoderIdentity } from "../protocol/results.ts";

export interface EmbeddingSetLike {
  readonly n: number;
  readonly dimensions: number;
  /** float32 [n, dimensions], row-major. */
  readonly data: Float32Array;
  readonly report: EncodeReport;
}

export interface Embedder {
  readonly identity: EncoderIdentity;
  /** @param options prompt: a template that holds {text}; "{text}" for none. */
  encode(texts: readonly string[], options?: { prompt?: string } & WorkContext): Promise<EmbeddingSetLike>;
}

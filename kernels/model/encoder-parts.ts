/** What the builders of all families take and give. */
import type { Value } from "../graph/builder.ts";

/** Gives the builder a weight as a value of the graph. */
export type WeightProvider = (name: string) => Value;

export interface EncoderInputs {
  /** int64 [b, t] */
  inputIds: Value;
  /** int64 [b, t], 1 = token, 0 = padding; every row needs at least one 1. */
  attentionMask: Value;
}

export interface EncoderBlocks {
  /** float [b, t, d], the last layer's output. */
  tokens: Value;
  /** float [b, t], the mask as numbers. */
  mask: Value;
  /** float [b·t, d]: the gathered rows of the word embeddings, before anything is added. */
  words: Value;
}

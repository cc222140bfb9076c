/** What the builders of all families take and give. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import type { BlockContext, DropoutPlaces, LayerAdapters } from "./blocks.ts";

/** Gives the builder a weight as a value of the graph. */
export type WeightProvider = (name: string) => Value;

export interface EncoderInputs {
  /** int64 [b, t] */
  inputIds: Value;
  /** int64 [b, t], 1 = token, 0 = padding; every row needs at least one 1. Padding is at the end. */
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

/** How a graph is built that will be differentiated; all left out for one that only runs. */
export interface BuildOptions {
  /** See BlockContext.inParts. */
  forTraining?: boolean;
  dropout?: DropoutPlaces | undefined;
  adapters?: LayerAdapters | undefined;
}

/** What the blocks share, and the mask as numbers. The type of the graph is that of the word embeddings. */
export function blockContext(
  b: GraphBuilder,
  weight: WeightProvider,
  words: string,
  inputs: EncoderInputs,
  options: BuildOptions,
): { context: BlockContext; mask: Value } {
  const dtype = weight(words).dtype === "float64" ? "float64" : "float32";
  const sizes = b.shapeOf(inputs.inputIds);
  const mask = b.scope("mask", () => b.cast(inputs.attentionMask, dtype));
  const { forTraining: inParts = false, dropout, adapters } = options;
  return { context: { b, weight, dtype, sizes, inParts, dropout, adapters }, mask };
}

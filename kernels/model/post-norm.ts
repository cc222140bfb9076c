/** The layers that BERT, RoBERTa, DistilBERT and MPNet share: each block's result is added, then normalised. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type AttentionNames, type BlockContext, drop, feedForward, layerNorm, selfAttention } from "./blocks.ts";
import type { Activation } from "./config-fields.ts";
import type { EncoderBlocks, EncoderInputs } from "./encoder-parts.ts";

export interface PostNormConfig {
  vocabSize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  ffnSize: number;
  layerNormEps: number;
  activation: Activation;
}

/** Where the weights of a layer are: the names without ".weight" and ".bias". */
export interface LayerNames {
  attention: AttentionNames;
  attentionNorm: string;
  inner: string;
  output: string;
  outputNorm: string;
}

/** Shapes of one layer's weights. Linear layers are [out, in]. */
export function layerShapes(names: LayerNames, { hiddenSize: d, ffnSize: f }: PostNormConfig): [string, number[]][] {
  const linear = (prefix: string, out: number, inner: number): [string, number[]][] => [
    [`${prefix}.weight`, [out, inner]],
    [`${prefix}.bias`, [out]],
  ];
  const norm = (prefix: string): [string, number[]][] => [
    [`${prefix}.weight`, [d]],
    [`${prefix}.bias`, [d]],
  ];
  const { query, key, value, output } = names.attention;
  return [
    ...[query, key, value].flatMap((name) => linear(name, d, d)),
    ...linear(output, d, d),
    ...norm(names.attentionNorm),
    ...linear(names.inner, f, d),
    ...linear(names.output, d, f),
    ...norm(names.outputNorm),
  ];
}

/**
 * Embedding rows, summed and normalised, then the layers.
 *
 * @param extra  [b·t, d] or something that broadcasts to [b, t, d] once reshaped: positions, types
 * Dropout as in Hugging Face's code: after the embeddings' norm, on the attention's weights, on the results of both blocks
 * (`dropsAttended: false`, DistilBERT: of the second only).
 *
 * @param bias   added to the scores of every layer, [b or 1, heads or 1, t or 1, t]
 */
export function buildPostNorm(
  context: BlockContext,
  config: PostNormConfig,
  names: { words: string; norm: string; layer: (layer: number) => LayerNames },
  inputs: EncoderInputs,
  parts: { extra: Value; bias: Value; mask: Value; dropsAttended?: boolean },
): EncoderBlocks {
  const { b, sizes, weight } = context;
  const { hiddenSize: d, heads, layerNormEps } = config;
  const headSize = d / heads;
  const attention = { heads, headSize, scale: 1 / Math.sqrt(headSize), hasBias: true };

  const { words, embedded } = b.scope("embeddings", () => {
    const words = b.gather(weight(names.words), b.reshape(inputs.inputIds, [-1])); // [b·t, d]
    const rows = b.concat([sizes, b.integers([d])], 0);
    const sum = b.add(b.reshape(words, rows), parts.extra); // [b, t, d]
    return { words, embedded: layerNorm(context, b.reshape(sum, [-1, d]), names.norm, layerNormEps) };
  });

  let hidden = drop(context, embedded, "embeddings"); // [b·t, d]
  for (let layer = 0; layer < config.layers; layer++) {
    const at = names.layer(layer);
    hidden = b.scope(`layer.${layer}`, () => {
      const attended = selfAttention(context, hidden, at.attention, attention, parts.bias);
      const dropped = parts.dropsAttended === false ? attended : drop(context, attended, at.attention.output);
      const middle = layerNorm(context, b.add(dropped, hidden), at.attentionNorm, layerNormEps);
      return b.scope("ffn", () =>
        layerNorm(
          context,
          b.add(drop(context, feedForward(context, middle, at, config.activation), at.output), middle),
          at.outputNorm,
          layerNormEps,
        ),
      );
    });
  }
  return { tokens: tokensOf(b, hidden, inputs, sizes, d), mask: parts.mask, words };
}

/** [b·t, d] → [b, t, d], with the shape of the inputs. */
export function tokensOf(b: GraphBuilder, hidden: Value, { inputIds }: EncoderInputs, sizes: Value, d: number): Value {
  const result = b.scope("tokens", () => b.reshape(hidden, b.concat([sizes, b.integers([d])], 0)));
  if (result.shape[0] !== inputIds.shape[0] || result.shape[1] !== inputIds.shape[1])
    throw new ParallaxError("bug.invariant", "The encoder lost the shape of its inputs.", { kind: "bug" });
  return result;
}

/**
 * Positions of RoBERTa and MPNet: padding has the row padId, the tokens the rows padId + 1, padId + 2, …, counted over
 * tokens that are not padding (Hugging Face's create_position_ids_from_input_ids).
 *
 * @returns float [b, t, d]
 */
export function paddedPositions(context: BlockContext, table: Value, ids: Value, padId: number, d: number): Value {
  const { b, sizes } = context;
  return b.scope("positions", () => {
    const real = b.cast(b.not(b.equal(ids, padId)), "int64"); // [b, t]
    const places = b.add(b.mul(b.cumSum(real, 1), real), padId);
    const rows = b.gather(table, b.reshape(places, [-1])); // [b·t, d]
    return b.reshape(rows, b.concat([sizes, b.integers([d])], 0));
  });
}

/**
 * MPNet (Song et al. 2020): the layers of BERT, positions as RoBERTa, no token types, and a relative position bias that
 * all layers share, added to the scores after their scaling. all-mpnet-base-v2.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import { EMBEDDING_NORM, POSITIONS, readPostNorm, WORD_EMBEDDINGS } from "./bert.ts";
import { maskBias } from "./blocks.ts";
import { badConfig, ConfigFields } from "./config-fields.ts";
import {
  type BuildOptions,
  blockContext,
  type EncoderBlocks,
  type EncoderInputs,
  type WeightProvider,
} from "./encoder-parts.ts";
import { buildPostNorm, type LayerNames, layerShapes, type PostNormConfig, paddedPositions } from "./post-norm.ts";
import { relativeBias } from "./relative-bias.ts";

export interface MpnetConfig extends PostNormConfig {
  maxPositions: number;
  padId: number;
  buckets: number;
}

/** Fixed in the original code, in no config.json. */
const MAX_DISTANCE = 128;
const RELATIVE_BIAS = "encoder.relative_attention_bias.weight";

/** @throws {ParallaxError} model.unsupported, model.bad-config */
export function parseMpnetConfig(json: unknown): MpnetConfig {
  const fields = new ConfigFields(json);
  const config = {
    ...readPostNorm(fields, 1e-12),
    maxPositions: fields.count("max_position_embeddings"),
    padId: fields.count("pad_token_id", 1, 0),
    buckets: fields.count("relative_attention_num_buckets", 32, 4),
  };
  if (config.buckets % 4 !== 0 || config.buckets > 4 * MAX_DISTANCE)
    throw badConfig(`config.json says relative_attention_num_buckets ${config.buckets}; a multiple of 4 is needed.`);
  if (config.maxPositions <= config.padId + 1)
    throw badConfig(
      `config.json says max_position_embeddings ${config.maxPositions} and pad_token_id ${config.padId}: no position is left for a token.`,
    );
  return config;
}

export function mpnetLayerNames(layer: number): LayerNames {
  const prefix = `encoder.layer.${layer}`;
  return {
    attention: {
      query: `${prefix}.attention.attn.q`,
      key: `${prefix}.attention.attn.k`,
      value: `${prefix}.attention.attn.v`,
      output: `${prefix}.attention.attn.o`,
    },
    attentionNorm: `${prefix}.attention.LayerNorm`,
    inner: `${prefix}.intermediate.dense`,
    output: `${prefix}.output.dense`,
    outputNorm: `${prefix}.output.LayerNorm`,
  };
}

export function mpnetWeightShapes(config: MpnetConfig): Map<string, number[]> {
  const d = config.hiddenSize;
  const shapes = new Map<string, number[]>([
    [WORD_EMBEDDINGS, [config.vocabSize, d]],
    [POSITIONS, [config.maxPositions, d]],
    [`${EMBEDDING_NORM}.weight`, [d]],
    [`${EMBEDDING_NORM}.bias`, [d]],
    [RELATIVE_BIAS, [config.buckets, config.heads]],
  ]);
  for (let layer = 0; layer < config.layers; layer++)
    for (const [name, shape] of layerShapes(mpnetLayerNames(layer), config)) shapes.set(name, shape);
  return shapes;
}

/** The encoder's layers. */
export function buildMpnet(
  b: GraphBuilder,
  config: MpnetConfig,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  const { context, mask } = blockContext(b, weight, WORD_EMBEDDINGS, inputs, options);
  const extra = b.scope("embeddings", () =>
    paddedPositions(context, weight(POSITIONS), inputs.inputIds, config.padId, config.hiddenSize),
  );
  const relative = relativeBias(b, weight(RELATIVE_BIAS), inputs.inputIds, {
    buckets: config.buckets,
    maxDistance: MAX_DISTANCE,
  });
  const bias = b.add(relative, maskBias(b, mask)); // [b, heads, t, t], once for all layers
  const names = { words: WORD_EMBEDDINGS, norm: EMBEDDING_NORM, layer: mpnetLayerNames };
  return buildPostNorm(context, config, names, inputs, { extra, bias, mask });
}

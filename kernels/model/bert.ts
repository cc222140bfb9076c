/**
 * BERT (Devlin et al. 2018, post-layer-norm) as a graph builder: the encoder of MiniLM, BGE, GTE, E5 and of every
 * sentence-transformers model with model_type "bert". The pooler is not used.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import { maskBias } from "./blocks.ts";
import { ConfigFields } from "./config-fields.ts";
import {
  type BuildOptions,
  blockContext,
  type EncoderBlocks,
  type EncoderInputs,
  type WeightProvider,
} from "./encoder-parts.ts";
import { buildPostNorm, type LayerNames, layerShapes, type PostNormConfig } from "./post-norm.ts";

export interface BertConfig extends PostNormConfig {
  maxPositions: number;
  typeVocabSize: number;
}

/**
 * Reads config.json of a model folder.
 * @throws {ParallaxError} model.unsupported (another architecture or activation), model.bad-config (a field is missing)
 */
export function parseBertConfig(json: unknown): BertConfig {
  const fields = new ConfigFields(json);
  fields.only("model_type", "bert");
  fields.only("position_embedding_type", "absolute");
  fields.only("is_decoder", false);
  return { ...readPostNorm(fields, 1e-12), ...readTables(fields) };
}

/** The fields that BERT and RoBERTa name alike. */
export function readPostNorm(fields: ConfigFields, epsilon: number): PostNormConfig {
  const config = {
    vocabSize: fields.count("vocab_size"),
    hiddenSize: fields.count("hidden_size"),
    layers: fields.count("num_hidden_layers"),
    heads: fields.count("num_attention_heads"),
    ffnSize: fields.count("intermediate_size"),
    layerNormEps: fields.epsilon("layer_norm_eps", epsilon),
    activation: fields.activation("hidden_act"),
  };
  fields.divides(["num_attention_heads", config.heads], ["hidden_size", config.hiddenSize]);
  return config;
}

export function readTables(fields: ConfigFields, types = 2): { maxPositions: number; typeVocabSize: number } {
  return {
    maxPositions: fields.count("max_position_embeddings"),
    typeVocabSize: fields.count("type_vocab_size", types),
  };
}

export const WORD_EMBEDDINGS = "embeddings.word_embeddings.weight";
export const POSITIONS = "embeddings.position_embeddings.weight";
export const TYPES = "embeddings.token_type_embeddings.weight";
export const EMBEDDING_NORM = "embeddings.LayerNorm";

/** Names of a layer, which RoBERTa shares. */
export function bertLayerNames(layer: number): LayerNames {
  const prefix = `encoder.layer.${layer}`;
  return {
    attention: {
      query: `${prefix}.attention.self.query`,
      key: `${prefix}.attention.self.key`,
      value: `${prefix}.attention.self.value`,
      output: `${prefix}.attention.output.dense`,
    },
    attentionNorm: `${prefix}.attention.output.LayerNorm`,
    inner: `${prefix}.intermediate.dense`,
    output: `${prefix}.output.dense`,
    outputNorm: `${prefix}.output.LayerNorm`,
  };
}

/** Every tensor that the encoder reads, with its shape. Linear layers are [out, in]. */
export function bertWeightShapes(config: BertConfig): Map<string, number[]> {
  const { hiddenSize: d } = config;
  const shapes = new Map<string, number[]>([
    [WORD_EMBEDDINGS, [config.vocabSize, d]],
    [POSITIONS, [config.maxPositions, d]],
    [TYPES, [config.typeVocabSize, d]],
    [`${EMBEDDING_NORM}.weight`, [d]],
    [`${EMBEDDING_NORM}.bias`, [d]],
  ]);
  for (let layer = 0; layer < config.layers; layer++)
    for (const [name, shape] of layerShapes(bertLayerNames(layer), config)) shapes.set(name, shape);
  return shapes;
}

/** The encoder's layers. */
export function buildBert(
  b: GraphBuilder,
  config: BertConfig,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  const { context, mask } = blockContext(b, weight, WORD_EMBEDDINGS, inputs, options);
  const extra = b.scope("embeddings", () => {
    const positions = b.slice(weight(POSITIONS), 0, 0, b.shapeOf(inputs.inputIds, 1, 2)); // [t, d]
    return b.add(positions, b.gather(weight(TYPES), b.integers([0]))); // one text, so all tokens are of type 0
  });
  const names = { words: WORD_EMBEDDINGS, norm: EMBEDDING_NORM, layer: bertLayerNames };
  return buildPostNorm(context, config, names, inputs, { extra, bias: maskBias(b, mask), mask });
}

/** "bert.encoder…" and "0.auto_model.encoder…" lose their prefix; norms called gamma and beta get today's names. */
export function bertCanonicalName(name: string): string {
  return name
    .replace(/^(.*?\.)?(?=(embeddings|encoder)\.)/, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");
}

/** DistilBERT (Sanh et al. 2019): the layers of BERT under other names, positions from 0, no token types. */
import type { GraphBuilder } from "../graph/builder.ts";
import { EMBEDDING_NORM, POSITIONS, WORD_EMBEDDINGS } from "./bert.ts";
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

export interface DistilBertConfig extends PostNormConfig {
  maxPositions: number;
}

/** @throws {ParallaxError} model.unsupported, model.bad-config */
export function parseDistilBertConfig(json: unknown): DistilBertConfig {
  const fields = new ConfigFields(json);
  const config = {
    vocabSize: fields.count("vocab_size"),
    hiddenSize: fields.count("dim"),
    layers: fields.count("n_layers"),
    heads: fields.count("n_heads"),
    ffnSize: fields.count("hidden_dim"),
    maxPositions: fields.count("max_position_embeddings"),
    // Fixed in the original code, in no config.json.
    layerNormEps: 1e-12,
    activation: fields.activation("activation"),
  };
  fields.divides(["n_heads", config.heads], ["dim", config.hiddenSize]);
  return config;
}

export function distilBertLayerNames(layer: number): LayerNames {
  const prefix = `transformer.layer.${layer}`;
  return {
    attention: {
      query: `${prefix}.attention.q_lin`,
      key: `${prefix}.attention.k_lin`,
      value: `${prefix}.attention.v_lin`,
      output: `${prefix}.attention.out_lin`,
    },
    attentionNorm: `${prefix}.sa_layer_norm`,
    inner: `${prefix}.ffn.lin1`,
    output: `${prefix}.ffn.lin2`,
    outputNorm: `${prefix}.output_layer_norm`,
  };
}

export function distilBertWeightShapes(config: DistilBertConfig): Map<string, number[]> {
  const d = config.hiddenSize;
  const shapes = new Map<string, number[]>([
    [WORD_EMBEDDINGS, [config.vocabSize, d]],
    [POSITIONS, [config.maxPositions, d]],
    [`${EMBEDDING_NORM}.weight`, [d]],
    [`${EMBEDDING_NORM}.bias`, [d]],
  ]);
  for (let layer = 0; layer < config.layers; layer++)
    for (const [name, shape] of layerShapes(distilBertLayerNames(layer), config)) shapes.set(name, shape);
  return shapes;
}

/** The encoder's layers. */
export function buildDistilBert(
  b: GraphBuilder,
  config: DistilBertConfig,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  const { context, mask } = blockContext(b, weight, WORD_EMBEDDINGS, inputs, options);
  const extra = b.scope("embeddings", () => b.slice(weight(POSITIONS), 0, 0, b.shapeOf(inputs.inputIds, 1, 2)));
  const names = { words: WORD_EMBEDDINGS, norm: EMBEDDING_NORM, layer: distilBertLayerNames };
  return buildPostNorm(context, config, names, inputs, { extra, bias: maskBias(b, mask), mask, dropsAttended: false });
}

/** "distilbert.transformer…" and wrappers of sentence-transformers lose their prefix. */
export function distilBertCanonicalName(name: string): string {
  return name.replace(/^(.*?\.)?(?=(embeddings|transformer)\.)/, "");
}

/**
 * RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al. 2020): the layers of BERT, positions counted from padId + 1, and
 * one token type whose row is still added. multilingual-E5 base and large, BGE-M3.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import {
  type BertConfig,
  bertLayerNames,
  bertWeightShapes,
  EMBEDDING_NORM,
  POSITIONS,
  readPostNorm,
  readTables,
  TYPES,
  WORD_EMBEDDINGS,
} from "./bert.ts";
import { maskBias } from "./blocks.ts";
import { badConfig, ConfigFields } from "./config-fields.ts";
import {
  type BuildOptions,
  blockContext,
  type EncoderBlocks,
  type EncoderInputs,
  type WeightProvider,
} from "./encoder-parts.ts";
import { buildPostNorm, paddedPositions } from "./post-norm.ts";

export interface RobertaConfig extends BertConfig {
  /** Positions start after this row of the table. 1 in all published models. */
  padId: number;
}

/** @throws {ParallaxError} model.unsupported, model.bad-config */
export function parseRobertaConfig(json: unknown): RobertaConfig {
  const fields = new ConfigFields(json);
  fields.only("position_embedding_type", "absolute");
  fields.only("is_decoder", false);
  const config = { ...readPostNorm(fields, 1e-5), ...readTables(fields, 1), padId: fields.count("pad_token_id", 1, 0) };
  if (config.maxPositions <= config.padId + 1)
    throw badConfig(
      `config.json says max_position_embeddings ${config.maxPositions} and pad_token_id ${config.padId}: no position is left for a token.`,
    );
  return config;
}

export const robertaWeightShapes = (config: RobertaConfig): Map<string, number[]> => bertWeightShapes(config);

/** The encoder's layers. */
export function buildRoberta(
  b: GraphBuilder,
  config: RobertaConfig,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  const { context, mask } = blockContext(b, weight, WORD_EMBEDDINGS, inputs, options);
  const extra = b.scope("embeddings", () => {
    const positions = paddedPositions(context, weight(POSITIONS), inputs.inputIds, config.padId, config.hiddenSize);
    return b.add(positions, b.gather(weight(TYPES), b.integers([0])));
  });
  const names = { words: WORD_EMBEDDINGS, norm: EMBEDDING_NORM, layer: bertLayerNames };
  return buildPostNorm(context, config, names, inputs, { extra, bias: maskBias(b, mask), mask });
}

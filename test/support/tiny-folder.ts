/** A whole model folder of any family with tiny seeded weights, and the tokenizer of the tiny BERT. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeSafetensors } from "../../kernels/encode/safetensors.ts";
import type { Tensor } from "../../kernels/graph/tensor.ts";
import { type Architecture, parseArchitecture, weightShapes } from "../../kernels/model/architecture.ts";
import { randomTensor, randomWeights } from "../../kernels/model/random.ts";
import { tinyTokenizerJson, tinyVocabulary } from "./tiny-bert.ts";

const vocabulary = tinyVocabulary();
const size = vocabulary.length;

/** config.json of a tiny encoder per family: 2 layers, 32 dimensions. */
export const TINY_CONFIGS = {
  bert: {
    model_type: "bert",
    vocab_size: size,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 48,
    max_position_embeddings: 64,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  },
  "xlm-roberta": {
    model_type: "xlm-roberta",
    vocab_size: size,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 48,
    max_position_embeddings: 66,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
    hidden_act: "gelu",
    pad_token_id: 1,
  },
  distilbert: {
    model_type: "distilbert",
    vocab_size: size,
    dim: 32,
    n_layers: 2,
    n_heads: 4,
    hidden_dim: 48,
    max_position_embeddings: 64,
    activation: "gelu",
  },
  mpnet: {
    model_type: "mpnet",
    vocab_size: size,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 48,
    max_position_embeddings: 66,
    layer_norm_eps: 1e-5,
    hidden_act: "gelu",
    pad_token_id: 1,
    relative_attention_num_buckets: 32,
  },
  t5: {
    model_type: "t5",
    vocab_size: size,
    d_model: 32,
    d_kv: 12,
    d_ff: 48,
    num_layers: 2,
    num_heads: 4,
    relative_attention_num_buckets: 32,
    feed_forward_proj: "relu",
    layer_norm_epsilon: 1e-6,
  },
} as const;

export interface TinyFolderOptions {
  seed?: number;
  pooling?: string;
  /** Outputs of a 2_Dense module without bias, as T5 encoders have. */
  dense?: number;
  includePrompt?: boolean;
  prompts?: Record<string, string>;
  /** A tokenizer file in place of tokenizer.json, and the rows that its ids need. */
  tokenizer?: { from: string; as: string; config?: unknown; vocabSize: number };
  /** Names the weights are saved under. */
  rename?: (name: string) => string;
}

/** @returns what the folder holds, to build the same encoder by hand */
export function writeTinyFolder(
  folder: string,
  type: keyof typeof TINY_CONFIGS,
  options: TinyFolderOptions = {},
): { architecture: Architecture; seed: number } {
  const {
    seed = 3,
    pooling = "pooling_mode_mean_tokens",
    dense,
    includePrompt,
    prompts,
    rename = (name) => name,
    tokenizer,
  } = options;
  const json = (name: string, value: unknown) => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  };
  const config = { ...TINY_CONFIGS[type], ...(tokenizer ? { vocab_size: tokenizer.vocabSize } : {}) };
  const architecture = parseArchitecture(config);
  const weights = randomWeights(architecture, seed);
  json("config.json", config);
  if (tokenizer === undefined) json("tokenizer.json", tinyTokenizerJson(vocabulary));
  else {
    copyFileSync(tokenizer.from, path.join(folder, tokenizer.as));
    if (tokenizer.config !== undefined) json("tokenizer_config.json", tokenizer.config);
  }
  const tensors = new Map<string, Tensor>(
    [...weightShapes(architecture).keys()].map((name) => [rename(name), weights.get(name)]),
  );
  writeSafetensors(path.join(folder, "model.safetensors"), tensors);
  json("1_Pooling/config.json", {
    word_embedding_dimension: 32,
    [pooling]: true,
    ...(includePrompt === undefined ? {} : { include_prompt: includePrompt }),
  });
  const step = (idx: number, where: string, kind: string) => ({
    idx,
    name: String(idx),
    path: where,
    type: `sentence_transformers.models.${kind}`,
  });
  json("modules.json", [
    step(0, "", "Transformer"),
    step(1, "1_Pooling", "Pooling"),
    ...(dense === undefined ? [] : [step(2, "2_Dense", "Dense")]),
    step(3, "3_Normalize", "Normalize"),
  ]);
  if (dense !== undefined) {
    json("2_Dense/config.json", {
      in_features: 32,
      out_features: dense,
      bias: false,
      activation_function: "torch.nn.modules.linear.Identity",
    });
    writeSafetensors(
      path.join(folder, "2_Dense/model.safetensors"),
      new Map([["linear.weight", randomTensor("dense.weight", [dense, 32], seed)]]),
    );
  }
  if (prompts !== undefined) json("config_sentence_transformers.json", { prompts, default_prompt_name: null });
  return { architecture, seed };
}

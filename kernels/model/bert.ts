/**
 * BERT (Devlin et al. 2018, post-layer-norm) as a graph builder: the encoder of MiniLM, BGE, GTE, E5 and of every
 * sentence-transformers model with model_type "bert". Dropout is off, the pooler is not used.
 */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderBlocks, EncoderInputs, WeightProvider } from "./encoder-parts.ts";

export interface BertConfig {
  vocabSize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  ffnSize: number;
  maxPositions: number;
  typeVocabSize: number;
  layerNormEps: number;
  /** x·½(1 + erf(x/√2)), not the tanh form. */
  activation: "gelu";
}

const NUMBERS = {
  vocabSize: "vocab_size",
  hiddenSize: "hidden_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  ffnSize: "intermediate_size",
  maxPositions: "max_position_embeddings",
  typeVocabSize: "type_vocab_size",
} as const;

function badConfig(message: string, hint: string): ParallaxError {
  return new ParallaxError("model.bad-config", message, { hint });
}

/**
 * Reads config.json of a model folder.
 * @throws {ParallaxError} model.unsupported (another architecture or activation), model.bad-config (a field is missing)
 */
export function parseBertConfig(json: unknown): BertConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw badConfig("config.json is not a JSON object.", "Get config.json of the model again.");
  const fields = json as Record<string, unknown>;
  const refuse = (field: string, found: unknown, supported: string) =>
    new ParallaxError(
      "model.unsupported",
      `config.json says ${field} ${JSON.stringify(found)}; only ${supported} is supported.`,
      {
        hint: "Use a model of the BERT family (MiniLM, BGE, GTE, E5), or its ONNX export.",
        details: { field, found },
      },
    );
  if (fields.model_type !== undefined && fields.model_type !== "bert")
    throw refuse("model_type", fields.model_type, '"bert"');
  if ((fields.hidden_act ?? "gelu") !== "gelu") throw refuse("hidden_act", fields.hidden_act, '"gelu"');
  if ((fields.position_embedding_type ?? "absolute") !== "absolute")
    throw refuse("position_embedding_type", fields.position_embedding_type, '"absolute"');
  if (fields.is_decoder === true) throw refuse("is_decoder", true, "false");
  const read = (field: string, otherwise?: number): number => {
    const value = fields[field] ?? otherwise;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw badConfig(
        `config.json says ${field} ${JSON.stringify(value)}; a whole number from 1 is needed.`,
        "Get config.json of the model again.",
      );
    return value;
  };
  const config = Object.fromEntries(
    Object.entries(NUMBERS).map(([key, field]) => [key, read(field, field === "type_vocab_size" ? 2 : undefined)]),
  ) as Pick<BertConfig, keyof typeof NUMBERS>;
  const epsilon = fields.layer_norm_eps ?? 1e-12;
  if (typeof epsilon !== "number" || !(epsilon > 0))
    throw badConfig(
      `config.json says layer_norm_eps ${JSON.stringify(epsilon)}.`,
      "It must be a small positive number.",
    );
  if (config.hiddenSize % config.heads !== 0)
    throw badConfig(
      `config.json says hidden_size ${config.hiddenSize} and num_attention_heads ${config.heads}, which does not divide it.`,
      "Get config.json of the model again.",
    );
  return { ...config, layerNormEps: epsilon, activation: "gelu" };
}

export const WORD_EMBEDDINGS = "embeddings.word_embeddings.weight";
const POSITIONS = "embeddings.position_embeddings.weight";
const TYPES = "embeddings.token_type_embeddings.weight";

/** Every tensor that the encoder reads, with its shape. Linear layers are [out, in]. */
export function bertWeightShapes(config: BertConfig): Map<string, number[]> {
  const { hiddenSize: d, ffnSize: f } = config;
  const shapes = new Map<string, number[]>([
    [WORD_EMBEDDINGS, [config.vocabSize, d]],
    [POSITIONS, [config.maxPositions, d]],
    [TYPES, [config.typeVocabSize, d]],
    ["embeddings.LayerNorm.weight", [d]],
    ["embeddings.LayerNorm.bias", [d]],
  ]);
  const linear = (prefix: string, out: number, inner: number) => {
    shapes.set(`${prefix}.weight`, [out, inner]);
    shapes.set(`${prefix}.bias`, [out]);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"]) linear(`${prefix}.attention.self.${part}`, d, d);
    linear(`${prefix}.attention.output.dense`, d, d);
    shapes.set(`${prefix}.attention.output.LayerNorm.weight`, [d]);
    shapes.set(`${prefix}.attention.output.LayerNorm.bias`, [d]);
    linear(`${prefix}.intermediate.dense`, f, d);
    linear(`${prefix}.output.dense`, d, f);
    shapes.set(`${prefix}.output.LayerNorm.weight`, [d]);
    shapes.set(`${prefix}.output.LayerNorm.bias`, [d]);
  }
  return shapes;
}

/** Added to the scores of padded keys: far below every real score, so that their softmax is exactly 0. */
const MASKED = 1e9;
const SQRT_HALF = Math.SQRT1_2;

/**
 * The encoder's layers. Rows of all texts stay one matrix [b·t, d] throughout, so that every linear layer is one Gemm
 * that reads the weight as it is stored; the 1/√(d/h) of the scores and the 1/√2 of GELU ride along as its factor.
 *
 * @param forTraining GELU in parts whose results the backward pass uses again, instead of the one fused operator.
 */
export function buildBert(
  b: GraphBuilder,
  config: BertConfig,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: { forTraining?: boolean } = {},
): EncoderBlocks {
  const { hiddenSize: d, heads, layerNormEps } = config;
  const headSize = d / heads;
  const [texts, tokens] = inputs.inputIds.shape;
  const dtype = weight(WORD_EMBEDDINGS).dtype;

  const linear = (x: Value, prefix: string, alpha = 1, beta = alpha) =>
    b.gemm(x, weight(`${prefix}.weight`), weight(`${prefix}.bias`), { transB: true, alpha, beta });
  const norm = (x: Value, prefix: string) =>
    b.layerNorm(x, weight(`${prefix}.weight`), weight(`${prefix}.bias`), layerNormEps);

  const sizes = b.shapeOf(inputs.inputIds);
  const toHeads = b.concat([sizes, b.integers([heads, headSize])], 0);
  /** [b·t, d] → [b, heads, t, d/heads] */
  const splitHeads = (x: Value) => b.transpose(b.reshape(x, toHeads), [0, 2, 1, 3]);

  const mask = b.scope("mask", () => b.cast(inputs.attentionMask, dtype));
  const bias = b.scope("mask", () => b.unsqueeze(b.mul(b.sub(mask, 1), MASKED), [1, 2])); // [b, 1, 1, t]

  const { words, embedded } = b.scope("embeddings", () => {
    const words = b.gather(weight(WORD_EMBEDDINGS), b.reshape(inputs.inputIds, [-1])); // [b·t, d]
    const positions = b.slice(weight(POSITIONS), 0, 0, b.shapeOf(inputs.inputIds, 1, 2)); // [t, d]
    const type = b.gather(weight(TYPES), b.integers([0])); // [1, d]: one text, so all tokens are of type 0
    const rows = b.concat([sizes, b.integers([d])], 0);
    const sum = b.add(b.reshape(words, rows), b.add(positions, type)); // [b, t, d]
    return { words, embedded: norm(b.reshape(sum, [-1, d]), "embeddings.LayerNorm") };
  });

  let hidden = embedded; // [b·t, d]
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `encoder.layer.${layer}`;
    hidden = b.scope(`layer.${layer}`, () => {
      const attended = b.scope("attention", () => {
        const self = `${prefix}.attention.self`;
        const q = splitHeads(linear(hidden, `${self}.query`, 1 / Math.sqrt(headSize)));
        const k = splitHeads(linear(hidden, `${self}.key`));
        const v = splitHeads(linear(hidden, `${self}.value`));
        const scores = b.add(b.matMul(q, b.transpose(k, [0, 1, 3, 2])), bias); // [b, heads, t, t]
        const mixed = b.matMul(b.softmax(scores), v); // [b, heads, t, d/heads]
        const rows = b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [-1, d]); // [b·t, d]
        const out = linear(rows, `${prefix}.attention.output.dense`);
        return norm(b.add(out, hidden), `${prefix}.attention.output.LayerNorm`);
      });
      return b.scope("ffn", () => {
        let out: Value;
        if (options.forTraining || dtype === "float64") {
          // With s = x/√2: gelu(x) = x·½(1 + erf s) = s(1 + erf s)/√2.
          const s = linear(attended, `${prefix}.intermediate.dense`, SQRT_HALF);
          out = linear(b.mul(s, b.add(b.erf(s), 1)), `${prefix}.output.dense`, SQRT_HALF, 1);
        } else out = linear(b.gelu(linear(attended, `${prefix}.intermediate.dense`)), `${prefix}.output.dense`);
        return norm(b.add(out, attended), `${prefix}.output.LayerNorm`);
      });
    });
  }
  const shape = b.concat([sizes, b.integers([d])], 0);
  const result = b.scope("tokens", () => b.reshape(hidden, shape));
  if (result.shape[0] !== texts || result.shape[1] !== tokens)
    throw new ParallaxError("bug.invariant", "The encoder lost the shape of its inputs.", { kind: "bug" });
  return { tokens: result, mask, words };
}

/** Sizes as every family states them. */
export function bertSizes(config: BertConfig) {
  const { vocabSize, hiddenSize, layers, heads, ffnSize, maxPositions } = config;
  return { vocabSize, hiddenSize, layers, heads, ffnSize, maxTokens: maxPositions };
}

/** "bert.encoder…" and "0.auto_model.encoder…" lose their prefix; norms called gamma and beta get today's names. */
export function bertCanonicalName(name: string): string {
  return name
    .replace(/^(.*?\.)?(?=(embeddings|encoder)\.)/, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");
}

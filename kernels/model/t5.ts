/**
 * The encoder half of T5 (Raffel et al. 2020): normalised before each block, no biases, no position embeddings but a
 * relative bias of block 0 that all blocks use, scores not scaled. v1.0 has one inner layer with ReLU (GTR, sentence-T5,
 * InstructOR), v1.1 a gated one with GELU in the tanh form (Shazeer 2020).
 */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { activate, type BlockContext, drop, linear, maskBias, rmsNorm, selfAttention } from "./blocks.ts";
import { type Activation, badConfig, ConfigFields, unsupported } from "./config-fields.ts";
import {
  type BuildOptions,
  blockContext,
  type EncoderBlocks,
  type EncoderInputs,
  type WeightProvider,
} from "./encoder-parts.ts";
import { tokensOf } from "./post-norm.ts";
import { relativeBias } from "./relative-bias.ts";

export interface T5Config {
  vocabSize: number;
  hiddenSize: number;
  /** Width of a head; heads · headSize need not be the hidden size. */
  headSize: number;
  layers: number;
  heads: number;
  ffnSize: number;
  normEps: number;
  buckets: number;
  maxDistance: number;
  activation: Activation;
  gated: boolean;
}

const FEED_FORWARD: Readonly<Record<string, { activation: Activation; gated: boolean }>> = {
  relu: { activation: "relu", gated: false },
  // What the name means in Hugging Face's code: the tanh form.
  "gated-gelu": { activation: "gelu-tanh", gated: true },
  "gated-relu": { activation: "relu", gated: true },
};

/** @throws {ParallaxError} model.unsupported, model.bad-config */
export function parseT5Config(json: unknown): T5Config {
  const fields = new ConfigFields(json);
  const kind = fields.fields.feed_forward_proj ?? "relu";
  const form = typeof kind === "string" && Object.hasOwn(FEED_FORWARD, kind) ? FEED_FORWARD[kind] : undefined;
  if (form === undefined) throw unsupported("feed_forward_proj", kind, Object.keys(FEED_FORWARD).join(", "));
  const config = {
    vocabSize: fields.count("vocab_size"),
    hiddenSize: fields.count("d_model"),
    headSize: fields.count("d_kv"),
    layers: fields.count("num_layers"),
    heads: fields.count("num_heads"),
    ffnSize: fields.count("d_ff"),
    normEps: fields.epsilon("layer_norm_epsilon", 1e-6),
    buckets: fields.count("relative_attention_num_buckets", 32, 4),
    maxDistance: fields.count("relative_attention_max_distance", 128, 8),
    ...form,
  };
  if (config.buckets % 4 !== 0 || config.maxDistance > 65536 || config.buckets / 4 >= config.maxDistance)
    throw badConfig(
      `config.json says relative_attention_num_buckets ${config.buckets} and relative_attention_max_distance ${config.maxDistance}; the first must be a multiple of 4 and less than four times the second.`,
    );
  return config;
}

export const T5_WORDS = "shared.weight";
const FINAL_NORM = "encoder.final_layer_norm";

export function t5BlockNames(block: number) {
  const attention = `encoder.block.${block}.layer.0`;
  const ffn = `encoder.block.${block}.layer.1`;
  return {
    attention: {
      query: `${attention}.SelfAttention.q`,
      key: `${attention}.SelfAttention.k`,
      value: `${attention}.SelfAttention.v`,
      output: `${attention}.SelfAttention.o`,
    },
    attentionNorm: `${attention}.layer_norm`,
    inner: `${ffn}.DenseReluDense.wi`,
    output: `${ffn}.DenseReluDense.wo`,
    ffnNorm: `${ffn}.layer_norm`,
  };
}

const RELATIVE_BIAS = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";

export function t5WeightShapes(config: T5Config): Map<string, number[]> {
  const { hiddenSize: d, ffnSize: f } = config;
  const inner = config.heads * config.headSize;
  const shapes = new Map<string, number[]>([
    [T5_WORDS, [config.vocabSize, d]],
    [RELATIVE_BIAS, [config.buckets, config.heads]],
  ]);
  for (let block = 0; block < config.layers; block++) {
    const names = t5BlockNames(block);
    const { query, key, value, output } = names.attention;
    for (const name of [query, key, value]) shapes.set(`${name}.weight`, [inner, d]);
    shapes.set(`${output}.weight`, [d, inner]);
    shapes.set(`${names.attentionNorm}.weight`, [d]);
    for (const name of config.gated ? [`${names.inner}_0`, `${names.inner}_1`] : [names.inner])
      shapes.set(`${name}.weight`, [f, d]);
    shapes.set(`${names.output}.weight`, [d, f]);
    shapes.set(`${names.ffnNorm}.weight`, [d]);
  }
  shapes.set(`${FINAL_NORM}.weight`, [d]);
  return shapes;
}

/** wo(act(wi x)), or gated wo(act(wi_0 x) · wi_1 x). */
function t5FeedForward(
  context: BlockContext,
  x: Value,
  names: ReturnType<typeof t5BlockNames>,
  config: T5Config,
): Value {
  if (!config.gated) {
    const active = activate(context, linear(context, x, names.inner, false), config.activation);
    return linear(context, drop(context, active, `${names.output}.inner`), names.output, false);
  }
  const gate = activate(context, linear(context, x, `${names.inner}_0`, false), config.activation);
  const product = context.b.mul(gate, linear(context, x, `${names.inner}_1`, false));
  return linear(context, drop(context, product, `${names.output}.inner`), names.output, false);
}

/** The encoder's layers. Dropout as in Hugging Face's code: after the embeddings, on weights and results of each block, in the feed-forward, at the end. */
export function buildT5(
  b: GraphBuilder,
  config: T5Config,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  const { context, mask } = blockContext(b, weight, T5_WORDS, inputs, options);
  const { heads, headSize, hiddenSize: d, normEps } = config;
  const words = b.scope("embeddings", () => b.gather(weight(T5_WORDS), b.reshape(inputs.inputIds, [-1]))); // [b·t, d]
  const relative = relativeBias(b, weight(RELATIVE_BIAS), inputs.inputIds, config);
  const bias = b.add(relative, maskBias(b, mask)); // [b, heads, t, t], once for all blocks
  const attention = { heads, headSize, scale: 1, hasBias: false };

  let hidden = drop(context, words, "embeddings");
  for (let block = 0; block < config.layers; block++) {
    const names = t5BlockNames(block);
    hidden = b.scope(`block.${block}`, () => {
      const rows = rmsNorm(context, hidden, names.attentionNorm, normEps);
      const mixed = selfAttention(context, rows, names.attention, attention, bias);
      const attended = b.add(hidden, drop(context, mixed, names.attention.output));
      return b.scope("ffn", () => {
        const inner = rmsNorm(context, attended, names.ffnNorm, normEps);
        return b.add(attended, drop(context, t5FeedForward(context, inner, names, config), names.output));
      });
    });
  }
  const last = b.scope("final", () => drop(context, rmsNorm(context, hidden, FINAL_NORM, normEps), FINAL_NORM));
  return { tokens: tokensOf(b, last, inputs, context.sizes, d), mask, words };
}

/** Wrappers lose their prefix; both names of the tied table become one. */
export function t5CanonicalName(name: string): string {
  const plain = name.replace(/^(.*?\.)?(?=(shared|encoder)\.)/, "");
  return plain === "encoder.embed_tokens.weight" ? T5_WORDS : plain;
}

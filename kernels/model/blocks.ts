/**
 * The blocks that encoders are made of, one function each. Rows of all texts stay one matrix [b·t, d] throughout, so
 * that every linear layer is one Gemm that reads the weight as it is stored.
 *
 * Attention is always the same operators in the same order, whatever the family (passes that fuse it rely on that):
 *
 *   q, k, v   Gemm → Reshape [b, t, h, s] → Transpose [0, 2, 1, 3]     (1/√s of the scores is the Gemm's alpha of q)
 *   k         … → Transpose [0, 1, 3, 2]
 *   scores    MatMul(q, k) → Add(bias) → Softmax                        (bias [b or 1, h or 1, t or 1, t])
 *   mixed     MatMul(scores, v) → Transpose [0, 2, 1, 3] → Reshape [b·t, h·s] → Gemm
 */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import type { Activation } from "./config-fields.ts";
import type { WeightProvider } from "./encoder-parts.ts";

/** Added to the scores of keys that are padding: far below every real score, so that their softmax is exactly 0. */
const MASKED = 1e9;
const SQRT_HALF = Math.SQRT1_2;
/** Coefficients of the tanh form of GELU (Hendrycks and Gimpel 2016, section 2). */
const ROOT_TWO_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** Where activations are dropped (dropout.ts). */
export interface DropoutPlaces {
  apply(b: GraphBuilder, x: Value, name: string): Value;
}

/** What is added to linear layers (lora.ts). */
export interface LayerAdapters {
  add(b: GraphBuilder, y: Value, x: Value, prefix: string, factor: number): Value;
}

/** What the blocks of one encoder share. */
export interface BlockContext {
  b: GraphBuilder;
  weight: WeightProvider;
  /** The float type of the graph. */
  dtype: "float32" | "float64";
  /** int64 [2]: b and t of this run. */
  sizes: Value;
  /** Activations in parts whose results the backward pass uses again, instead of one fused operator. */
  inParts: boolean;
  /** Where activations are dropped; undefined where none is. */
  dropout: DropoutPlaces | undefined;
  /** Low-rank adapters beside some linear layers. */
  adapters: LayerAdapters | undefined;
}

/** x with dropout, in a graph for training that has it. @param site unique name of the place */
export function drop({ b, dropout }: BlockContext, x: Value, site: string): Value {
  return dropout === undefined ? x : dropout.apply(b, x, site);
}

/**
 * alpha · x Wᵀ + beta · bias: rows [n, in] → [n, out], with W = `prefix`.weight [out, in] and, when it is there,
 * `prefix`.bias [out]. An adapter of this layer is added, times alpha.
 */
export function linear(
  { b, weight, adapters }: BlockContext,
  x: Value,
  prefix: string,
  hasBias = true,
  alpha = 1,
  beta = alpha,
): Value {
  const bias = hasBias ? weight(`${prefix}.bias`) : undefined;
  const y = b.gemm(x, weight(`${prefix}.weight`), bias, { transB: true, alpha, beta });
  return adapters === undefined ? y : adapters.add(b, y, x, prefix, alpha);
}

/** Layer normalisation over the last axis (Ba et al. 2016, equation 4). */
export function layerNorm({ b, weight }: BlockContext, x: Value, prefix: string, epsilon: number): Value {
  return b.layerNorm(x, weight(`${prefix}.weight`), weight(`${prefix}.bias`), epsilon);
}

/** w · x/√(mean(x²) + ε), no mean taken off, no bias (Zhang and Sennrich 2019, equation 4). */
export function rmsNorm({ b, weight }: BlockContext, x: Value, prefix: string, epsilon: number): Value {
  const scale = b.sqrt(b.add(b.reduceMean(b.pow(x, 2), [1], true), epsilon));
  return b.mul(b.div(x, scale), weight(`${prefix}.weight`));
}

/** 0 where the mask is 1, far below 0 where it is 0: [b, t] → [b, 1, 1, t], to be added to scores. */
export function maskBias(b: GraphBuilder, mask: Value): Value {
  return b.scope("mask", () => b.unsqueeze(b.mul(b.sub(mask, 1), MASKED), [1, 2]));
}

export interface AttentionShape {
  heads: number;
  headSize: number;
  /** What the scores are multiplied by: 1/√headSize, or 1 (T5). */
  scale: number;
  /** Biases of the four linear layers. */
  hasBias: boolean;
}

export interface AttentionNames {
  query: string;
  key: string;
  value: string;
  output: string;
}

/** Multi-head self-attention (Vaswani et al. 2017, section 3.2): rows [b·t, d] → [b·t, d]. */
export function selfAttention(
  context: BlockContext,
  x: Value,
  names: AttentionNames,
  { heads, headSize, scale, hasBias }: AttentionShape,
  bias: Value,
): Value {
  const { b, sizes } = context;
  return b.scope("attention", () => {
    const toHeads = b.concat([sizes, b.integers([heads, headSize])], 0);
    /** [b·t, h·s] → [b, h, t, s] */
    const split = (rows: Value) => b.transpose(b.reshape(rows, toHeads), [0, 2, 1, 3]);
    const q = split(linear(context, x, names.query, hasBias, scale));
    const k = split(linear(context, x, names.key, hasBias));
    const v = split(linear(context, x, names.value, hasBias));
    const scores = b.add(b.matMul(q, b.transpose(k, [0, 1, 3, 2])), bias); // [b, h, t, t]
    const shares = drop(context, b.softmax(scores), `${names.query}.scores`);
    const mixed = b.matMul(shares, v); // [b, h, t, s]
    const rows = b.reshape(b.transpose(mixed, [0, 2, 1, 3]), [-1, heads * headSize]);
    return linear(context, rows, names.output, hasBias);
  });
}

/** activation(x) for rows. */
export function activate({ b, inParts, dtype }: BlockContext, x: Value, activation: Activation): Value {
  if (activation === "relu") return b.relu(x);
  const fused = !inParts && dtype === "float32";
  if (activation === "gelu") return fused ? b.gelu(x) : b.mul(x, b.mul(b.add(b.erf(b.mul(x, SQRT_HALF)), 1), 0.5));
  if (fused) return b.geluTanh(x);
  const cubic = b.mul(x, b.add(b.mul(b.mul(x, x), CUBIC), 1)); // x + 0.044715 x³
  return b.mul(b.mul(x, 0.5), b.add(b.tanh(b.mul(cubic, ROOT_TWO_OVER_PI)), 1));
}

/** output(activation(inner(x))): rows [n, d] → [n, d]. */
export function feedForward(
  context: BlockContext,
  x: Value,
  names: { inner: string; output: string },
  activation: Activation,
  hasBias = true,
): Value {
  const { b, inParts, dtype } = context;
  if (activation === "gelu" && (inParts || dtype === "float64") && hasBias) {
    // With s = x/√2: gelu(x) = x·½(1 + erf s) = s(1 + erf s)/√2. Both factors ride along in the products.
    const s = linear(context, x, names.inner, true, SQRT_HALF);
    return linear(context, b.mul(s, b.add(b.erf(s), 1)), names.output, true, SQRT_HALF, 1);
  }
  return linear(
    context,
    activate(context, linear(context, x, names.inner, hasBias), activation),
    names.output,
    hasBias,
  );
}

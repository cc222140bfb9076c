/**
 * Tiny encoders with reproducible weights, for tests and golden numbers: any program can make the same ones from the
 * few lines below (test/golden/tiny.py does).
 */
import { elementCount, type Tensor, tensor } from "../graph/tensor.ts";
import { type Architecture, weightShapes } from "./architecture.ts";
import { type BertConfig, bertWeightShapes } from "./bert.ts";
import { type Weights, weightsOf } from "./weights.ts";

export const TINY_BERT: BertConfig = {
  vocabSize: 97,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  ffnSize: 64,
  maxPositions: 40,
  typeVocabSize: 2,
  layerNormEps: 1e-12,
  activation: "gelu",
};

/** The same as an architecture. */
export const TINY: Architecture = { family: "bert", config: TINY_BERT };

/** FNV-1a, 32 bit, of the name's ASCII codes. */
function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/**
 * Number `index` of a stream, in [0, 1) with 24 random bits: the mixing function of mulberry32 applied to a counter.
 * All arithmetic is modulo 2^32.
 */
export function counterUniform(seed: number, index: number): number {
  const a = (seed + Math.imul(index + 1, 0x6d2b79f5)) >>> 0;
  let x = Math.imul(a ^ (a >>> 15), a | 1);
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
  return ((x ^ (x >>> 14)) >>> 8) / 2 ** 24;
}

/**
 * Number i of tensor `name` is c + s·(2·u − 1) with u = counterUniform(seed + FNV-1a(name), i), rounded to float32.
 * Layer-norm weights have c = 1, s = 0.2; biases c = 0, s = 0.1; embeddings s = 0.5; matrices s = 0.25.
 */
export function randomTensor(name: string, dims: readonly number[], seed: number): Tensor<"float32"> {
  const isNorm = /layer_?norm\.weight$/i.test(name);
  const scale = isNorm ? 0.2 : name.endsWith(".bias") ? 0.1 : name.startsWith("embeddings.") ? 0.5 : 0.25;
  const start = (seed + hash(name)) >>> 0;
  const data = new Float32Array(elementCount(dims));
  for (let i = 0; i < data.length; i++) data[i] = (isNorm ? 1 : 0) + scale * (2 * counterUniform(start, i) - 1);
  return tensor("float32", dims, data);
}

/** All weights of an encoder. Same seed, same numbers, on every machine. */
export function randomBertWeights(config: BertConfig = TINY_BERT, seed = 1): Weights {
  return weightsOf(
    new Map([...bertWeightShapes(config)].map(([name, dims]) => [name, randomTensor(name, dims, seed)])),
  );
}

/** The same for any family. */
export function randomWeights(architecture: Architecture, seed = 1): Weights {
  return weightsOf(
    new Map([...weightShapes(architecture)].map(([name, dims]) => [name, randomTensor(name, dims, seed)])),
  );
}

/** What a run will take, before it starts. */
import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { formatBytes } from "../encode/embedding-set.ts";
import { type BertConfig, bertWeightShapes, WORD_EMBEDDINGS } from "../model/bert.ts";
import { ParallaxError } from "../protocol/errors.ts";

export interface TrainingSize {
  batchSize: number;
  /** Longest text of a batch, in tokens. */
  tokens: number;
  freezeWordEmbeddings: boolean;
}

/** Node, ONNX Runtime and the tokenizer, before any model. */
const PROCESS_BYTES = 150e6;

/**
 * Resident memory of a trainer, in bytes: weights and optimiser (16 a trained weight, 4 a frozen one), a second copy of
 * the weights for the evaluation, and what the backward pass keeps of the forward pass.
 *
 * Per token and layer it keeps about 14 vectors of size d and 4 of the inner layer, and per pair of tokens and head two
 * numbers; the arena of ONNX Runtime holds about 1.3 times that. An upper bound: it takes every text to have `tokens`
 * tokens, and texts that are shorter need less.
 */
export function estimateMemory(config: BertConfig, size: TrainingSize): number {
  let trained = 0;
  let frozen = 0;
  for (const [name, dims] of bertWeightShapes(config)) {
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (size.freezeWordEmbeddings && name === WORD_EMBEDDINGS) frozen += count;
    else trained += count;
  }
  const texts = 2 * size.batchSize;
  const perToken = config.layers * (14 * config.hiddenSize + 4 * config.ffnSize);
  const perPair = config.layers * config.heads * 2;
  const activations = 4 * texts * size.tokens * (perToken + perPair * size.tokens);
  return PROCESS_BYTES + 16 * trained + 4 * frozen + 4 * (trained + frozen) + 1.3 * activations;
}

/** Memory that can be had without swapping: on Linux what the kernel would give, elsewhere what is free. */
export function availableMemory(): number {
  if (process.platform !== "linux") return freemem();
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"));
  return line === null ? freemem() : Number(line[1]) * 1024;
}

/** @throws {ParallaxError} train.not-enough-memory with the batch size that would fit. */
export function checkMemory(config: BertConfig, size: TrainingSize, available = availableMemory()): number {
  const needed = estimateMemory(config, size);
  if (needed <= available) return needed;
  let batchSize = size.batchSize;
  while (batchSize > 2 && estimateMemory(config, { ...size, batchSize }) > available)
    batchSize = Math.floor(batchSize / 2);
  throw new ParallaxError(
    "train.not-enough-memory",
    `Training with batches of ${size.batchSize} pairs of up to ${size.tokens} tokens needs about ${formatBytes(needed)}; ${formatBytes(available)} are free. Nothing was started.`,
    {
      kind: "environment",
      hint:
        batchSize < size.batchSize
          ? `Use batchSize ${batchSize}, or shorter texts (maxTokens).`
          : "Close other programs, or train a smaller encoder.",
      details: { neededBytes: needed, availableBytes: available, batchSize },
    },
  );
}

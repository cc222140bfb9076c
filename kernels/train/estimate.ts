/** What a run will take, before it starts. */
import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { formatBytes } from "../encode/embedding-set.ts";
import { elementCount } from "../graph/tensor.ts";
import { type Architecture, architectureSizes, weightShapes } from "../model/architecture.ts";
import { layerOf, wordTable } from "../model/layers.ts";
import { loraShapes } from "../model/lora.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { RunConfig } from "../protocol/run-files.ts";

export type TrainingSize = Pick<
  RunConfig,
  "batchSize" | "accumulate" | "chunk" | "maxTokens" | "freezeWordEmbeddings" | "freezeLayers" | "lora" | "dropout"
> & { negatives: number };

/** Node, ONNX Runtime and the tokenizer, before any model. */
const PROCESS_BYTES = 150e6;

/** Numbers that the optimiser moves. */
export function trainedCount(model: Architecture, size: TrainingSize): number {
  if (size.lora !== null)
    return [...loraShapes(model, size.lora).values()].reduce((sum, dims) => sum + elementCount(dims), 0);
  let trained = 0;
  for (const [name, dims] of weightShapes(model)) {
    const isFrozen = size.freezeLayers > 0 && layerOf(name, model) < size.freezeLayers;
    if (!isFrozen && !(size.freezeWordEmbeddings && name === wordTable(model))) trained += elementCount(dims);
  }
  return trained;
}

/**
 * Resident memory of a trainer, in bytes: weights and optimiser (16 a trained weight, 20 where gradients are summed up, 4
 * a frozen one), a second copy of the weights for the evaluation, and what the backward pass keeps of the forward pass.
 *
 * Per token and layer it keeps about 14 vectors of size d and 4 of the inner layer, and per pair of tokens and head two
 * numbers; the arena of ONNX Runtime holds about 1.3 times that. An upper bound: it takes every text to have `maxTokens`
 * tokens, and texts that are shorter need less. Layers below the lowest trained one keep nothing.
 */
export function estimateMemory(model: Architecture, size: TrainingSize): number {
  const { hiddenSize, ffnSize, heads, layers, parameters } = architectureSizes(model);
  const trained = trainedCount(model, size);
  const sums = size.accumulate > 1 || size.chunk !== null;
  const texts = Math.min((2 + size.negatives) * size.batchSize, size.chunk ?? Number.POSITIVE_INFINITY);
  const kept = layers - Math.min(layers - 1, size.freezeLayers);
  const dropped = size.dropout > 0 ? 0.5 : 0; // masks of a byte, and the values before and after them
  const perToken = kept * ((14 + 4 * dropped) * hiddenSize + 4 * ffnSize);
  const perPair = kept * heads * (2 + 2 * dropped);
  const activations = 4 * texts * size.maxTokens * (perToken + perPair * size.maxTokens);
  const frozen = Math.max(0, parameters - (size.lora === null ? trained : 0));
  return PROCESS_BYTES + (sums ? 20 : 16) * trained + 4 * frozen + 4 * parameters + 1.3 * activations;
}

/** Memory that can be had without swapping: on Linux what the kernel would give, elsewhere what is free. */
export function availableMemory(): number {
  if (process.platform !== "linux") return freemem();
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"));
  return line === null ? freemem() : Number(line[1]) * 1024;
}

/** @throws {ParallaxError} train.not-enough-memory with the batch size that would fit. */
export function checkMemory(model: Architecture, size: TrainingSize, available = availableMemory()): number {
  const needed = estimateMemory(model, size);
  if (needed <= available) return needed;
  let batchSize = size.batchSize;
  while (batchSize > 2 && estimateMemory(model, { ...size, batchSize }) > available)
    batchSize = Math.floor(batchSize / 2);
  throw new ParallaxError(
    "train.not-enough-memory",
    `Training with batches of ${size.batchSize} pairs of up to ${size.maxTokens} tokens needs about ${formatBytes(needed)}; ${formatBytes(available)} are free. Nothing was started.`,
    {
      kind: "environment",
      hint:
        batchSize < size.batchSize
          ? `Use chunk ${2 * batchSize}, which keeps the batch; or batchSize ${batchSize}, or shorter texts (maxTokens).`
          : "Close other programs, or train adapters (lora) or a smaller encoder.",
      details: { neededBytes: needed, availableBytes: available, batchSize },
    },
  );
}

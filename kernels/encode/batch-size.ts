/** How much an encoder is given at once. */
import { statSync } from "node:fs";
import type { ProviderName } from "../graph/compute.ts";
import { architectureSizes } from "../model/architecture.ts";
import type { EncoderSpec } from "./encoder-spec.ts";

/** Work that one batch should be at most, in multiplications: about half a second on two cores. */
const BATCH_WORK = 3e10;
/** Padded tokens past which a batch's activations no longer fit a core's cache: a tenth slower at 4096. */
const CPU_BATCH_TOKENS = 1024;

/** Padded tokens a batch: as many as keep the graph busy, few enough that a stop is noticed within a second. */
export function batchTokens(spec: EncoderSpec, provider: ProviderName = "cpu"): number {
  const sizes = spec.model && architectureSizes(spec.model);
  const weights = sizes
    ? sizes.layers * (4 * sizes.hiddenSize ** 2 + 2 * sizes.hiddenSize * sizes.ffnSize)
    : statSync(spec.weights.file).size / 4;
  const most = provider === "cpu" && sizes ? CPU_BATCH_TOKENS : 4096;
  return Math.round(Math.min(most, Math.max(128, BATCH_WORK / Math.max(1, weights))));
}

/** In how many bits an encoder's weights are kept and multiplied: one named pass each. */
import { ParallaxError } from "../protocol/errors.ts";
import { fuseAttention } from "./fuse-attention.ts";
import { storeHalf } from "./half-precision.ts";
import type { Graph } from "./ir.ts";
import { quantiseBlocks } from "./quantise-blocks.ts";
import { quantiseDynamic } from "./quantise-dynamic.ts";
import { quantiseWeights } from "./quantise-weights.ts";

/** What each precision rounds, in a sentence. Losses are measured, not promised: see `comparePrecisions`. */
export const PRECISIONS = {
  float32: "nothing is rounded",
  float16: "weights are stored in 16 bits, computed in float32",
  int8: "weights in 7 bits and activations in 8, multiplied as integers; one scale for all texts of a batch",
  "int8-weights": "weights in 8 bits, one scale a row, computed in float32",
  "int8-blocks": "weights in 8 bits, one scale for 32 numbers, computed in float32",
  "int4-blocks": "weights in 4 bits, one scale for 32 numbers, computed in float32; tables in 8 bits",
} as const;

export type Precision = keyof typeof PRECISIONS;

/** Changes when a pass changes what it writes, so that no cache holds on to an old graph. */
export const PASSES_VERSION = "passes-1";

/** @throws {ParallaxError} encoder.bad-precision */
export function checkPrecision(value: string): Precision {
  if (Object.hasOwn(PRECISIONS, value)) return value as Precision;
  throw new ParallaxError(
    "encoder.bad-precision",
    `The precision "${value}" was asked for; there are ${Object.keys(PRECISIONS).join(", ")}. Nothing was loaded.`,
    { hint: 'Leave it out for "float32".', details: { precision: value, known: Object.keys(PRECISIONS) } },
  );
}

/**
 * The graph of an encoder in a precision. Any graph will do: layers are found by their operators. The graph given is
 * not changed, what is not rounded is shared with it. "float32" returns it as it is.
 */
export function toPrecision(graph: Graph, precision: Precision): Graph {
  switch (precision) {
    case "float32":
      return graph;
    case "float16":
      return storeHalf(graph);
    case "int8":
      return quantiseDynamic(graph);
    case "int8-weights":
      return quantiseWeights(graph);
    case "int8-blocks":
      return quantiseBlocks(graph, 8);
    case "int4-blocks":
      return quantiseBlocks(graph, 4);
  }
}

/**
 * What runs on the CPU in place of the graph as it was built: same vectors to 1e-6, a tenth faster.
 *
 * Of ONNX Runtime's fused operators only attention is faster on a CPU. SkipLayerNormalization (0.89 times the speed of the
 * parts), BiasGelu (1.00) and one product for query, key and value (0.99) are not, so they are not used.
 */
export function forCpu(graph: Graph): Graph {
  return fuseAttention(graph);
}

/** A whole encoder as one graph: token ids in, one vector per text out. */
import { GraphBuilder } from "../graph/builder.ts";
import type { Graph } from "../graph/ir.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import type { Lora } from "../protocol/run-files.ts";
import { type Architecture, weightShapes } from "./architecture.ts";
import { buildBert } from "./bert.ts";
import { checkDense, type DenseHead, dense, denseNames } from "./dense.ts";
import { buildDistilBert } from "./distilbert.ts";
import type { BuildOptions, EncoderBlocks, EncoderInputs, WeightProvider } from "./encoder-parts.ts";
import { Adapters } from "./lora.ts";
import { buildMpnet } from "./mpnet.ts";
import { l2Normalise, type Pooling, pool } from "./pooling.ts";
import { buildRoberta } from "./roberta.ts";
import { buildT5 } from "./t5.ts";
import { checkShapes, type Weights } from "./weights.ts";

export interface EncoderGraphOptions {
  pooling: Pooling;
  /** Linear layers between pooling and normalising, in order (sentence-transformers' Dense modules). Default none. */
  dense?: readonly DenseHead[];
  /** Each embedding to length 1. */
  normalise: boolean;
  /** With an input of its own that says which tokens count in the pooling (InstructOR). Default false: all tokens do. */
  poolingMask?: boolean;
  /** Low-rank adapters, whose weights are among the weights (lora.ts). Default none. */
  lora?: Lora | null;
  /** In the graph, or one graph input each (named as the tensor; of dense heads, as `denseNames`). */
  weightsAs: "initializers" | "inputs";
  /** Default "float32". */
  dtype?: "float32" | "float64";
}

/** A weight in the type of the graph. */
function inDtype(value: Tensor, dtype: "float32" | "float64"): Tensor {
  if (value.dtype === dtype) return value;
  const numbers = value.data as Float32Array | Float64Array;
  return dtype === "float32"
    ? tensor("float32", value.dims, Float32Array.from(numbers))
    : tensor("float64", value.dims, Float64Array.from(numbers));
}

/** Asks for each weight once, when it is first used. */
export function provideWeights(
  b: GraphBuilder,
  weights: Weights,
  options: Pick<EncoderGraphOptions, "weightsAs" | "dtype">,
): WeightProvider {
  const made = new Map<string, ReturnType<WeightProvider>>();
  const dtype = options.dtype ?? "float32";
  return (name) => {
    let value = made.get(name);
    if (!value) {
      value =
        options.weightsAs === "inputs"
          ? b.input(name, dtype, weights.get(name).dims)
          : b.initializer(name, inDtype(weights.get(name), dtype));
      made.set(name, value);
    }
    return value;
  };
}

/** The layers of any family: token vectors, before pooling. */
export function buildTokens(
  b: GraphBuilder,
  architecture: Architecture,
  weight: WeightProvider,
  inputs: EncoderInputs,
  options: BuildOptions = {},
): EncoderBlocks {
  switch (architecture.family) {
    case "bert":
      return buildBert(b, architecture.config, weight, inputs, options);
    case "roberta":
      return buildRoberta(b, architecture.config, weight, inputs, options);
    case "distilbert":
      return buildDistilBert(b, architecture.config, weight, inputs, options);
    case "mpnet":
      return buildMpnet(b, architecture.config, weight, inputs, options);
    case "t5":
      return buildT5(b, architecture.config, weight, inputs, options);
  }
}

/**
 * The whole encoder.
 *
 * Inputs:  input_ids int64 [b, t], attention_mask int64 [b, t] (1 = token); with `poolingMask` also pooling_mask int64
 *          [b, t] (1 = counts in the pooling; attention still sees every token); with `weightsAs: "inputs"` each weight.
 * Output:  sentence_embedding float [b, d], d = the last dense head's, else the hidden size.
 *
 * @param weights float32 tensors under their canonical names (`canonicalWeights`). Shared with the graph, not copied.
 * @throws {ParallaxError} weights.missing, weights.wrong-shape, weights.wrong-type
 * Checked against PyTorch in test/model.
 */
export function buildEncoderGraph(architecture: Architecture, weights: Weights, options: EncoderGraphOptions): Graph {
  checkShapes(weights, weightShapes(architecture));
  const heads = options.dense ?? [];
  checkDense(heads, architecture.config.hiddenSize);
  const b = new GraphBuilder(`${architecture.family}-encoder`);
  const inputIds = b.input("input_ids", "int64", ["b", "t"]);
  const attentionMask = b.input("attention_mask", "int64", ["b", "t"]);
  const provider = provideWeights(b, weights, options);
  const adapters = options.lora ? new Adapters(architecture, options.lora, provider, null) : undefined;
  const { tokens, mask } = buildTokens(b, architecture, provider, { inputIds, attentionMask }, { adapters });
  const counted = options.poolingMask
    ? b.cast(b.input("pooling_mask", "int64", ["b", "t"]), options.dtype ?? "float32")
    : mask;
  let vectors = pool(b, tokens, counted, options.pooling);
  heads.forEach((head, i) => {
    const names = denseNames(i);
    const dtype = options.dtype ?? "float32";
    const own = (name: string, value: Tensor) =>
      options.weightsAs === "inputs" ? b.input(name, dtype, value.dims) : b.initializer(name, inDtype(value, dtype));
    vectors = dense(b, vectors, `dense.${i}`, {
      weight: own(names.weight, head.weight),
      bias: head.bias === null ? undefined : own(names.bias, head.bias),
      activation: head.activation,
    });
  });
  b.output(options.normalise ? l2Normalise(b, vectors) : vectors, "sentence_embedding");
  return b.build();
}

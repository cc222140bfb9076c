/** A linear layer after the pooling, as the Dense module of sentence-transformers. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { formatShape } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";

export interface DenseHead {
  /** float [out, in] */
  weight: Tensor;
  /** float [out] */
  bias: Tensor | null;
  activation: "identity" | "tanh";
}

/** Names of the weights of a head among those of the encoder. */
export function denseNames(i: number): { weight: string; bias: string } {
  return { weight: `dense.${i}.weight`, bias: `dense.${i}.bias` };
}

/** activation(x Wᵀ + bias): float [b, in] → [b, out]. */
export function dense(
  b: GraphBuilder,
  x: Value,
  name: string,
  head: { weight: Value; bias: Value | undefined; activation: DenseHead["activation"] },
): Value {
  return b.scope(name, () => {
    const out = b.gemm(x, head.weight, head.bias, { transB: true });
    return head.activation === "tanh" ? b.tanh(out) : out;
  });
}

/**
 * Each head takes what the one before it gives.
 * @throws {ParallaxError} weights.wrong-shape
 */
export function checkDense(heads: readonly DenseHead[], inner: number): void {
  let size = inner;
  heads.forEach(({ weight, bias }, i) => {
    if (weight.dims.length !== 2 || weight.dims[1] !== size || (bias && bias.dims.join() !== String(weight.dims[0])))
      throw new ParallaxError(
        "weights.wrong-shape",
        `Dense layer ${i + 1} has a weight of shape ${formatShape(weight.dims)}${bias ? ` and a bias of shape ${formatShape(bias.dims)}` : ""}; it gets vectors of ${size} dimensions.`,
        { hint: "Copy all files from the same model.", details: { layer: i, expected: size, found: [...weight.dims] } },
      );
    size = weight.dims[0];
  });
}

/** Tensors as plain data: what crosses every border in the kernels. Row-major, no strides. */
import { ParallaxError } from "../protocol/errors.ts";

export type DType = "float32" | "float64" | "float16" | "bfloat16" | "int64" | "int32" | "int8" | "uint8" | "bool";

export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  /** Raw bits. */
  float16: Uint16Array;
  /** Raw bits. */
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int8: Int8Array;
  uint8: Uint8Array;
  /** 0 or 1. */
  bool: Uint8Array;
}

export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly dims: readonly number[];
  readonly data: TypedArrays[D];
}

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** @throws {ParallaxError} tensor.shape-mismatch when data and dims disagree. The array is kept, not copied. */
export function tensor<D extends DType>(dtype: D, dims: readonly number[], data: TypedArrays[D]): Tensor<D> {
  if (data.length !== elementCount(dims))
    throw new ParallaxError(
      "tensor.shape-mismatch",
      `A ${dtype} tensor of shape [${dims.join(", ")}] needs ${elementCount(dims)} numbers, found ${data.length}.`,
    );
  return { dtype, dims, data };
}

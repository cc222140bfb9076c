/** The linear layers and tables of any encoder graph, whoever made it: where a pass may store weights in another way. */
import { floatAttribute, type Graph, intAttribute, type Node } from "./ir.ts";
import { elementCount, type Tensor, type TypedArrays, tensor } from "./tensor.ts";

/** Matrices with fewer numbers stay as they are: they are not worth an operator of their own. */
export const SMALLEST_MATRIX = 4096;

/** y = alpha · x · W + beta · bias for rows x [n, in]: a Gemm, or a MatMul by a constant. */
export interface LinearLayer {
  node: Node;
  /** Name of the constant. */
  weight: string;
  /** The constant is [out, in] (as safetensors store it) instead of [in, out]. */
  transposed: boolean;
  inputSize: number;
  outputSize: number;
  /** Name of a float32 constant [out]; undefined for none. */
  bias: string | undefined;
  alpha: number;
  beta: number;
}

/** The linear layer that a node is, when its weight is a large float32 constant matrix. */
export function linearLayer(node: Node, graph: Graph): LinearLayer | undefined {
  if (node.domain !== undefined || (node.op !== "Gemm" && node.op !== "MatMul")) return undefined;
  const [, weight, bias] = node.inputs;
  const value = graph.initializers.get(weight);
  if (!isLargeMatrix(value) || graph.initializers.has(node.inputs[0])) return undefined;
  if (intAttribute(node.attributes, "transA", 0) === 1) return undefined;
  const biasDims = bias === undefined ? undefined : graph.initializers.get(bias)?.dims;
  const transposed = intAttribute(node.attributes, "transB", 0) === 1;
  const [rows, columns] = value.dims;
  const [inputSize, outputSize] = transposed ? [columns, rows] : [rows, columns];
  // A Gemm whose bias is a whole matrix (a residual) or computed stays as it is.
  if (bias !== undefined && (biasDims?.length !== 1 || biasDims[0] !== outputSize)) return undefined;
  const alpha = floatAttribute(node.attributes, "alpha", 1);
  const beta = floatAttribute(node.attributes, "beta", 1);
  return { node, weight, transposed, inputSize, outputSize, bias, alpha, beta };
}

/** The name of the table whose rows a node gathers, when it is a large float32 constant matrix. */
export function gatheredTable(node: Node, graph: Graph): string | undefined {
  if (node.op !== "Gather" || node.domain !== undefined || intAttribute(node.attributes, "axis", 0) !== 0) return;
  return isLargeMatrix(graph.initializers.get(node.inputs[0])) ? node.inputs[0] : undefined;
}

function isLargeMatrix(value: Tensor | undefined): value is Tensor<"float32"> {
  return value?.dtype === "float32" && value.dims.length === 2 && elementCount(value.dims) >= SMALLEST_MATRIX;
}

/** The weight as float32 [out, in], times alpha. */
export function layerRows(graph: Graph, layer: LinearLayer): Tensor<"float32"> {
  const weight = graph.initializers.get(layer.weight) as Tensor<"float32">;
  const rows = layer.transposed ? weight : transposedMatrix(weight);
  return layer.alpha === 1
    ? rows
    : tensor(
        "float32",
        rows.dims,
        rows.data.map((x) => x * layer.alpha),
      );
}

/** beta · bias as a constant of its own; undefined for none. */
export function layerBias(graph: Graph, { bias, beta }: LinearLayer): Tensor<"float32"> | undefined {
  if (bias === undefined) return undefined;
  const value = graph.initializers.get(bias) as Tensor<"float32">;
  return beta === 1
    ? value
    : tensor(
        "float32",
        value.dims,
        value.data.map((x) => x * beta),
      );
}

/** [m, n] → [n, m], a new tensor. */
export function transposedMatrix<D extends "float32" | "int8">(value: Tensor<D>): Tensor<D> {
  const [rows, columns] = value.dims;
  const data: Float32Array | Int8Array = value.data;
  const out = data.slice();
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j];
  return tensor(value.dtype, [columns, rows], out as TypedArrays[D]);
}

/** Computes small nodes whose inputs are all constants while the graph is built. */
import { ONNX_TYPE } from "./builder.ts";
import { broadcastShapes, isStatic } from "./dims.ts";
import { intAttribute, intsAttribute, type Node } from "./ir.ts";
import { type DType, elementCount, type Tensor, tensor } from "./tensor.ts";

/** Larger results would only make the file larger. */
const LIMIT = 65_536;
const BINARY: Record<string, (a: number, b: number) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Max: Math.max,
  Min: Math.min,
};
const UNARY: Record<string, (a: number) => number> = {
  Neg: (a) => -a,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Reciprocal: (a) => 1 / a,
};

function make(dtype: DType, dims: readonly number[], numbers: number[]): Tensor | undefined {
  if (dtype === "float32") return tensor(dtype, dims, Float32Array.from(numbers));
  if (dtype === "float64") return tensor(dtype, dims, Float64Array.from(numbers));
  if (dtype === "int64")
    return tensor(
      dtype,
      dims,
      BigInt64Array.from(numbers, (x) => BigInt(Math.trunc(x))),
    );
  return undefined;
}

const numbersOf = (value: Tensor): number[] => Array.from(value.data as Float32Array | BigInt64Array, Number);

/** For each position of `shape`, the position in a tensor of shape `dims` that broadcasts to it. */
function broadcastIndex(dims: readonly number[], shape: readonly number[]): (at: number) => number {
  const offset = shape.length - dims.length;
  return (at) => {
    let rest = at;
    let index = 0;
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const place = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
      const dim = axis >= offset ? dims[axis - offset] : 1;
      if (axis >= offset) {
        if (dim !== 1) index += place * stride;
        stride *= dim;
      }
    }
    return index;
  };
}

/** The node's value, or undefined when it is too large or not one of the operators that fold. */
export function foldNode(node: Node, inputs: readonly (Tensor | undefined)[]): Tensor | undefined {
  const [x, y] = inputs;
  if (!x || inputs.some((value) => value !== undefined && value.data.length > LIMIT)) return undefined;
  if (x.dtype === "float16" || x.dtype === "bfloat16") return undefined;
  const binary = BINARY[node.op];
  if (binary && y && inputs.length === 2) {
    if (x.dtype === "int64" && node.op === "Div") return undefined;
    const shape = broadcastShapes(node.op, [x.dims, y.dims]);
    if (!isStatic(shape) || elementCount(shape) > LIMIT) return undefined;
    const [a, b] = [numbersOf(x), numbersOf(y)];
    const [atA, atB] = [broadcastIndex(x.dims, shape), broadcastIndex(y.dims, shape)];
    return make(
      x.dtype,
      shape,
      Array.from({ length: elementCount(shape) }, (_, i) => binary(a[atA(i)], b[atB(i)])),
    );
  }
  const unary = UNARY[node.op];
  if (unary) return make(x.dtype, x.dims, numbersOf(x).map(unary));
  switch (node.op) {
    case "Cast": {
      const to = Object.entries(ONNX_TYPE).find(([, number]) => number === intAttribute(node.attributes, "to", 0))?.[0];
      return to ? make(to as DType, x.dims, numbersOf(x)) : undefined;
    }
    case "Reshape": {
      const target = y ? numbersOf(y) : [];
      const dims = target.map((dim, i) => (dim === 0 ? x.dims[i] : dim));
      const open = dims.indexOf(-1);
      if (open >= 0)
        dims[open] = x.data.length / dims.reduce((product, dim, i) => (i === open ? product : product * dim), 1);
      return elementCount(dims) === x.data.length ? ({ ...x, dims } as Tensor) : undefined;
    }
    case "Unsqueeze": {
      const axes = intsAttribute(node.attributes, "axes") ?? (y ? numbersOf(y) : []);
      const rank = x.dims.length + axes.length;
      const places = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
      let next = 0;
      return { ...x, dims: Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : x.dims[next++])) } as Tensor;
    }
    case "Squeeze": {
      const axes = intsAttribute(node.attributes, "axes") ?? (y ? numbersOf(y) : undefined);
      const places = axes?.map((axis) => (axis < 0 ? axis + x.dims.length : axis));
      return { ...x, dims: x.dims.filter((dim, i) => (places ? !places.includes(i) : dim !== 1)) } as Tensor;
    }
    case "Concat": {
      if (x.dims.length !== 1 || inputs.some((value) => value === undefined)) return undefined;
      const numbers = inputs.flatMap((value) => numbersOf(value as Tensor));
      return make(x.dtype, [numbers.length], numbers);
    }
    default:
      return undefined;
  }
}

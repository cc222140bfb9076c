/**
 * Runs graphs in float64 with plain loops: an oracle that shares no code with ONNX Runtime and has no fused operators.
 * Integers and truth values are float64 too. Slow on purpose; for tensors of a few hundred numbers.
 */
import type { Graph, Node } from "../../kernels/graph/ir.ts";
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "../../kernels/graph/ir.ts";
import type { Tensor } from "../../kernels/graph/tensor.ts";

export interface Nd {
  dims: number[];
  data: Float64Array;
}

const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
export const nd = (dims: readonly number[], data: Iterable<number>): Nd => ({
  dims: [...dims],
  data: Float64Array.from(data),
});
export const fromTensor = (t: Tensor): Nd => nd(t.dims, Array.from(t.data as Float32Array | BigInt64Array, Number));

function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return strides;
}

/** All index tuples of a shape, last axis fastest. */
function* indices(dims: readonly number[]): Generator<number[]> {
  const total = count(dims);
  const strides = stridesOf(dims);
  for (let flat = 0; flat < total; flat++) yield dims.map((dim, i) => Math.floor(flat / strides[i]) % dim);
}

function fill(dims: readonly number[], value: (index: number[]) => number): Nd {
  const data = new Float64Array(count(dims));
  let at = 0;
  for (const index of indices(dims)) data[at++] = value(index);
  return { dims: [...dims], data };
}

/** Element at an index that may have more axes (broadcast from the right) or larger sizes where this has 1. */
function read(x: Nd, index: readonly number[]): number {
  const offset = index.length - x.dims.length;
  const strides = stridesOf(x.dims);
  let at = 0;
  for (let i = 0; i < x.dims.length; i++) at += x.dims[i] === 1 ? 0 : index[i + offset] * strides[i];
  return x.data[at];
}

function broadcastDims(...shapes: number[][]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[i - rank + shape.length] ?? 1);
    const large = sizes.find((size) => size !== 1) ?? 1;
    if (sizes.some((size) => size !== 1 && size !== large))
      throw new Error(`shapes ${JSON.stringify(shapes)} do not broadcast`);
    return large;
  });
}

const map = (x: Nd, f: (value: number) => number): Nd => ({ dims: x.dims, data: x.data.map(f) });
const zip = (f: (...values: number[]) => number, ...xs: Nd[]): Nd =>
  fill(broadcastDims(...xs.map((x) => x.dims)), (index) => f(...xs.map((x) => read(x, index))));

/** erf to double precision: its series for small arguments, the continued fraction of erfc beyond. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 200; n++) {
      term *= (-a * a) / n;
      const next = term / (2 * n + 1);
      sum += next;
      if (Math.abs(next) < 1e-18) break;
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = a;
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
}

const UNARY: Record<string, (x: number) => number> = {
  Identity: (x) => x,
  Neg: (x) => -x,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Erf: erf,
  Tanh: Math.tanh,
  Abs: Math.abs,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Relu: (x) => Math.max(0, x),
  Reciprocal: (x) => 1 / x,
  Sign: Math.sign,
  Floor: Math.floor,
  Not: (x) => (x === 0 ? 1 : 0),
  Gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
};
const VARIADIC: Record<string, (...values: number[]) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Max: Math.max,
  Min: Math.min,
  Sum: (...values) => values.reduce((sum, value) => sum + value, 0),
  Equal: (a, b) => (a === b ? 1 : 0),
  Greater: (a, b) => (a > b ? 1 : 0),
  Less: (a, b) => (a < b ? 1 : 0),
  GreaterOrEqual: (a, b) => (a >= b ? 1 : 0),
  LessOrEqual: (a, b) => (a <= b ? 1 : 0),
  And: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  Or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
  Where: (c, a, b) => (c !== 0 ? a : b),
};

function matMul(a: Nd, b: Nd): Nd {
  const left = a.dims.length === 1 ? nd([1, ...a.dims], a.data) : a;
  const right = b.dims.length === 1 ? nd([...b.dims, 1], b.data) : b;
  const [m, inner] = left.dims.slice(-2);
  const n = right.dims[right.dims.length - 1];
  const batch = broadcastDims(left.dims.slice(0, -2), right.dims.slice(0, -2));
  const full = fill([...batch, m, n], (index) => {
    const [i, j] = index.slice(-2);
    let sum = 0;
    for (let k = 0; k < inner; k++)
      sum += read(left, [...index.slice(0, -2), i, k]) * read(right, [...index.slice(0, -2), k, j]);
    return sum;
  });
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])];
  return { dims, data: full.data };
}

function transpose(x: Nd, order: readonly number[]): Nd {
  return fill(
    order.map((axis) => x.dims[axis]),
    (index) => {
      const source = new Array<number>(order.length);
      order.forEach((axis, i) => {
        source[axis] = index[i];
      });
      return read(x, source);
    },
  );
}

function reduce(x: Nd, axes: readonly number[], keep: boolean, of: (values: number[]) => number): Nd {
  const kept = x.dims.map((dim, i) => (axes.includes(i) ? 1 : dim));
  const groups = new Map<string, number[]>();
  for (const index of indices(x.dims)) {
    const key = index.map((place, i) => (axes.includes(i) ? 0 : place)).join();
    const group = groups.get(key) ?? [];
    group.push(read(x, index));
    groups.set(key, group);
  }
  const result = fill(kept, (index) => of(groups.get(index.join()) ?? []));
  return keep ? result : { dims: x.dims.filter((_, i) => !axes.includes(i)), data: result.data };
}

const total = (values: number[]) => values.reduce((sum, value) => sum + value, 0);
const REDUCE: Record<string, (values: number[]) => number> = {
  ReduceSum: total,
  ReduceMean: (v) => total(v) / v.length,
  ReduceMax: (v) => Math.max(...v),
  ReduceMin: (v) => Math.min(...v),
  ReduceSumSquare: (v) => total(v.map((x) => x * x)),
  ReduceL2: (v) => Math.sqrt(total(v.map((x) => x * x))),
  ReduceLogSumExp: (v) => Math.max(...v) + Math.log(total(v.map((x) => Math.exp(x - Math.max(...v))))),
};

function softmax(x: Nd, axis: number, log: boolean): Nd {
  const largest = reduce(x, [axis], true, (v) => Math.max(...v));
  const shifted = zip((a, b) => a - b, x, largest);
  const sums = reduce(map(shifted, Math.exp), [axis], true, total);
  return log ? zip((a, b) => a - Math.log(b), shifted, sums) : zip((a, b) => Math.exp(a) / b, shifted, sums);
}

const wrap = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

function run(node: Node, inputs: (Nd | undefined)[]): Nd[] {
  const { op, attributes } = node;
  const at = (i: number): Nd => {
    const value = inputs[i];
    if (!value) throw new Error(`${op}: input ${i} is missing`);
    return value;
  };
  if (op === "Gelu" && attributes.approximate?.kind === "string" && attributes.approximate.value === "tanh")
    return [map(at(0), (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2)];
  const unary = UNARY[op];
  if (unary) return [map(at(0), unary)];
  const variadic = VARIADIC[op];
  if (variadic) return [zip(variadic, ...inputs.map((_, i) => at(i)))];
  const x = inputs[0] ?? nd([], [0]);
  const rank = x.dims.length;
  const axis = wrap(
    intAttribute(attributes, "axis", op.includes("oftmax") || op.startsWith("LayerNorm") ? -1 : 0),
    rank,
  );
  const listed = (i: number): number[] | undefined => {
    const given = intsAttribute(attributes, "axes") ?? (inputs[i] ? [...at(i).data] : undefined);
    return given?.map((a) => a);
  };
  const ofAxes = REDUCE[op];
  if (ofAxes) {
    const given = listed(1) ?? [];
    if (given.length === 0 && intAttribute(attributes, "noop_with_empty_axes", 0)) return [x];
    const axes = given.length === 0 ? x.dims.map((_, i) => i) : given.map((a) => wrap(a, rank));
    return [reduce(x, axes, intAttribute(attributes, "keepdims", 1) !== 0, ofAxes)];
  }
  switch (op) {
    case "Cast":
      return [
        [6, 7].includes(intAttribute(attributes, "to", 1))
          ? map(x, Math.trunc)
          : intAttribute(attributes, "to", 1) === 9
            ? map(x, (v) => (v !== 0 ? 1 : 0))
            : x,
      ];
    case "Constant":
      if (attributes.value?.kind !== "tensor") throw new Error("Constant without a tensor");
      return [fromTensor(attributes.value.value)];
    case "MatMul":
      return [matMul(x, at(1))];
    case "Gemm": {
      const flip = (value: Nd, name: string) => (intAttribute(attributes, name, 0) ? transpose(value, [1, 0]) : value);
      const product = map(
        matMul(flip(x, "transA"), flip(at(1), "transB")),
        (v) => v * floatAttribute(attributes, "alpha", 1),
      );
      const beta = floatAttribute(attributes, "beta", 1);
      return [inputs[2] ? zip((a, c) => a + beta * c, product, at(2)) : product];
    }
    case "Softmax":
      return [softmax(x, axis, false)];
    case "LogSoftmax":
      return [softmax(x, axis, true)];
    case "LayerNormalization": {
      const axes = x.dims.map((_, i) => i).slice(axis);
      const mean = reduce(x, axes, true, (v) => total(v) / v.length);
      const centred = zip((a, m) => a - m, x, mean);
      const variance = reduce(centred, axes, true, (v) => total(v.map((d) => d * d)) / v.length);
      const inverse = map(variance, (v) => 1 / Math.sqrt(v + floatAttribute(attributes, "epsilon", 1e-5)));
      const scaled = zip((c, i, s) => c * i * s, centred, inverse, at(1));
      return [inputs[2] ? zip((a, b) => a + b, scaled, at(2)) : scaled, mean, inverse];
    }
    case "Transpose":
      return [transpose(x, intsAttribute(attributes, "perm") ?? x.dims.map((_, i) => rank - 1 - i))];
    case "Reshape": {
      const dims = [...at(1).data].map((dim, i) => (dim === 0 ? x.dims[i] : dim));
      const open = dims.indexOf(-1);
      if (open >= 0) dims[open] = x.data.length / -count(dims);
      if (count(dims) !== x.data.length) throw new Error(`Reshape of [${x.dims}] to [${dims}]`);
      return [{ dims, data: x.data }];
    }
    case "Unsqueeze": {
      const axes = (listed(1) ?? []).map((a) => wrap(a, rank + (listed(1)?.length ?? 0)));
      let next = 0;
      return [
        {
          dims: Array.from({ length: rank + axes.length }, (_, i) => (axes.includes(i) ? 1 : x.dims[next++])),
          data: x.data,
        },
      ];
    }
    case "Squeeze": {
      const axes = listed(1)?.map((a) => wrap(a, rank));
      return [{ dims: x.dims.filter((dim, i) => (axes ? !axes.includes(i) : dim !== 1)), data: x.data }];
    }
    case "Expand": {
      const dims = broadcastDims(x.dims, [...at(1).data]);
      return [fill(dims, (index) => read(x, index))];
    }
    case "Concat": {
      const parts = inputs.map((_, i) => at(i));
      const dims = [...x.dims];
      dims[axis] = total(parts.map((part) => part.dims[axis]));
      return [
        fill(dims, (index) => {
          let place = index[axis];
          for (const part of parts) {
            if (place < part.dims[axis])
              return part.data[
                index.reduce((sum, p, i) => sum + (i === axis ? place : p) * stridesOf(part.dims)[i], 0)
              ];
            place -= part.dims[axis];
          }
          throw new Error("Concat: out of range");
        }),
      ];
    }
    case "Split": {
      const sizes = inputs[1] ? [...at(1).data] : node.outputs.map(() => x.dims[axis] / node.outputs.length);
      let from = 0;
      return sizes.map((size) => {
        const start = from;
        from += size;
        return fill(
          x.dims.map((dim, i) => (i === axis ? size : dim)),
          (index) =>
            read(
              x,
              index.map((p, i) => (i === axis ? p + start : p)),
            ),
        );
      });
    }
    case "Slice": {
      const [starts, ends] = [[...at(1).data], [...at(2).data]];
      const axes = inputs[3] ? [...at(3).data] : starts.map((_, i) => i);
      const begin = x.dims.map(() => 0);
      const dims = [...x.dims];
      axes.forEach((given, k) => {
        const a = wrap(given, rank);
        const clamp = (v: number) => Math.min(Math.max(v < 0 ? v + x.dims[a] : v, 0), x.dims[a]);
        begin[a] = clamp(starts[k]);
        dims[a] = Math.max(0, clamp(ends[k]) - begin[a]);
      });
      return [
        fill(dims, (index) => x.data[index.reduce((sum, p, i) => sum + (p + begin[i]) * stridesOf(x.dims)[i], 0)]),
      ];
    }
    case "Gather": {
      const which = at(1);
      const dims = [...x.dims.slice(0, axis), ...which.dims, ...x.dims.slice(axis + 1)];
      return [
        fill(dims, (index) => {
          const place = read(which, index.slice(axis, axis + which.dims.length));
          const source = [...index.slice(0, axis), wrap(place, x.dims[axis]), ...index.slice(axis + which.dims.length)];
          return x.data[source.reduce((sum, p, i) => sum + p * stridesOf(x.dims)[i], 0)];
        }),
      ];
    }
    case "GatherElements":
      return [
        fill(at(1).dims, (index) =>
          read(
            x,
            index.map((p, i) => (i === axis ? read(at(1), index) : p)),
          ),
        ),
      ];
    case "ScatterElements": {
      const result = nd(x.dims, x.data);
      for (const index of indices(at(1).dims)) {
        const target = index.map((p, i) => (i === axis ? read(at(1), index) : p));
        const flat = target.reduce((sum, p, i) => sum + p * stridesOf(x.dims)[i], 0);
        const value = read(at(2), index);
        result.data[flat] =
          stringAttribute(attributes, "reduction", "none") === "add" ? result.data[flat] + value : value;
      }
      return [result];
    }
    case "ScatterND": {
      const [which, updates] = [at(1), at(2)];
      const depth = which.dims[which.dims.length - 1];
      const result = nd(x.dims, x.data);
      for (const index of indices(updates.dims)) {
        const lead = index.slice(0, which.dims.length - 1);
        const target = [
          ...Array.from({ length: depth }, (_, k) => read(which, [...lead, k])),
          ...index.slice(which.dims.length - 1),
        ];
        const flat = target.reduce((sum, p, i) => sum + p * stridesOf(x.dims)[i], 0);
        const value = read(updates, index);
        result.data[flat] =
          stringAttribute(attributes, "reduction", "none") === "add" ? result.data[flat] + value : value;
      }
      return [result];
    }
    case "Pad": {
      const pads = [...at(1).data];
      const dims = x.dims.map((dim, i) => dim + pads[i] + pads[i + rank]);
      return [
        fill(dims, (index) => {
          const source = index.map((p, i) => p - pads[i]);
          return source.some((p, i) => p < 0 || p >= x.dims[i])
            ? 0
            : source.length === 0
              ? x.data[0]
              : x.data[source.reduce((sum, p, i) => sum + p * stridesOf(x.dims)[i], 0)];
        }),
      ];
    }
    case "Shape": {
      const part = x.dims.slice(intAttribute(attributes, "start", 0), intAttribute(attributes, "end", rank));
      return [nd([part.length], part)];
    }
    case "ConstantOfShape": {
      const value = attributes.value?.kind === "tensor" ? Number(attributes.value.value.data[0]) : 0;
      return [fill([...x.data], () => value)];
    }
    case "EyeLike":
      return [fill(x.dims, ([i, j]) => (i === j ? 1 : 0))];
    case "NonZero": {
      const hits = [...indices(x.dims)].filter((index) => read(x, index) !== 0);
      return [fill([rank, hits.length], ([i, k]) => hits[k][i])];
    }
    case "Clip":
      return [map(x, (v) => Math.min(Math.max(v, inputs[1]?.data[0] ?? -Infinity), inputs[2]?.data[0] ?? Infinity))];
    default:
      throw new Error(`the interpreter does not know ${op}`);
  }
}

/** Every value of the graph, by name. */
export function interpret(graph: Graph, feeds: Record<string, Nd>): Record<string, Nd> {
  const values: Record<string, Nd> = { ...feeds };
  for (const [name, value] of graph.initializers) values[name] ??= fromTensor(value);
  for (const input of graph.inputs) if (!values[input.name]) throw new Error(`the input ${input.name} is missing`);
  for (const node of graph.nodes) {
    const results = run(
      node,
      node.inputs.map((name) => (name === "" ? undefined : values[name])),
    );
    node.outputs.forEach((name, i) => {
      if (name !== "") values[name] = results[i];
    });
  }
  return values;
}

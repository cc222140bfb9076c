/**
 * Shape inference: for each operator, the types and symbolic shapes of what it makes. One rule per operator; each
 * refuses inputs that cannot fit and names the shapes it found.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { addDims, broadcastShapes, divideDim, formatShape, multiplyDims, normaliseAxis } from "./dims.ts";
import { type Attribute, type Dim, intAttribute, intsAttribute, type ValueInfo } from "./ir.ts";
import type { DType, Tensor } from "./tensor.ts";

export type TypeAndShape = Pick<ValueInfo, "dtype" | "shape">;

export interface InferContext {
  op: string;
  inputs: readonly (TypeAndShape | undefined)[];
  attributes: Record<string, Attribute>;
  outputCount: number;
  /** What an integer input holds when that is known while building; entries may be symbolic. */
  contents(input: number): readonly Dim[] | undefined;
}

type ShapeRule = (c: InferContext) => TypeAndShape[];

function fail(c: InferContext, found: string, hint?: string): never {
  throw new ParallaxError("graph.shape-mismatch", `${c.op}: ${found}`, {
    kind: "bug",
    ...(hint === undefined ? {} : { hint }),
    details: { op: c.op, shapes: c.inputs.map((input) => (input ? [...input.shape] : null)) },
  });
}

function input(c: InferContext, at: number): TypeAndShape {
  const value = c.inputs[at];
  if (!value) fail(c, `input ${at} is missing.`);
  return value;
}

/** False only when both are numbers and differ: names are trusted. */
const canEqual = (a: Dim, b: Dim) => typeof a === "string" || typeof b === "string" || a === b;

const sameAsFirst: ShapeRule = (c) => [{ dtype: input(c, 0).dtype, shape: input(c, 0).shape }];

function elementwise(result?: DType): ShapeRule {
  return (c) => {
    const values = c.inputs.map((_, i) => input(c, i));
    const first = values[0];
    const odd = values.find((value) => value.dtype !== first.dtype);
    if (odd) fail(c, `the inputs have different types, ${first.dtype} and ${odd.dtype}.`, "Cast one of them.");
    return [
      {
        dtype: result ?? first.dtype,
        shape: broadcastShapes(
          c.op,
          values.map((value) => value.shape),
        ),
      },
    ];
  };
}

const matMul: ShapeRule = (c) => {
  const [a, b] = [input(c, 0), input(c, 1)];
  if (a.dtype !== b.dtype) fail(c, `the inputs have different types, ${a.dtype} and ${b.dtype}.`);
  if (a.shape.length === 0 || b.shape.length === 0) fail(c, "both inputs need at least one axis.");
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [inner, outer] = [left[left.length - 1], right[right.length - 2]];
  if (!canEqual(inner, outer))
    fail(
      c,
      `${formatShape(a.shape)} and ${formatShape(b.shape)} do not match: ${inner} columns against ${outer} rows.`,
      "The last size of the first must equal the last but one of the second.",
    );
  const batch = broadcastShapes(c.op, [left.slice(0, -2), right.slice(0, -2)]);
  const shape = [...batch];
  if (a.shape.length > 1) shape.push(left[left.length - 2]);
  if (b.shape.length > 1) shape.push(right[right.length - 1]);
  return [{ dtype: a.dtype, shape }];
};

const gemm: ShapeRule = (c) => {
  const [a, b] = [input(c, 0), input(c, 1)];
  if (a.shape.length !== 2 || b.shape.length !== 2)
    fail(c, `both matrices need two axes, found ${formatShape(a.shape)} and ${formatShape(b.shape)}.`);
  const transA = intAttribute(c.attributes, "transA", 0) !== 0;
  const transB = intAttribute(c.attributes, "transB", 0) !== 0;
  const [m, inner] = transA ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [outer, n] = transB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  if (!canEqual(inner, outer))
    fail(
      c,
      `${formatShape(a.shape)}${transA ? " transposed" : ""} and ${formatShape(b.shape)}${transB ? " transposed" : ""} ` +
        `do not match: ${inner} columns against ${outer} rows.`,
    );
  const bias = c.inputs[2];
  if (bias) broadcastShapes(c.op, [[m, n], bias.shape]);
  return [{ dtype: a.dtype, shape: [m, n] }];
};

const transpose: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const order = intsAttribute(c.attributes, "perm") ?? shape.map((_, i) => shape.length - 1 - i);
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== shape.length)
    fail(c, `the order [${order.join(", ")}] is no permutation of the axes of ${formatShape(shape)}.`);
  return [{ dtype, shape: order.map((axis) => shape[axis]) }];
};

const reshape: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const target = c.contents(1);
  if (!target) {
    const rank = input(c, 1).shape[0];
    if (typeof rank !== "number") fail(c, "the number of axes of the result is not known.");
    return [{ dtype, shape: Array.from({ length: rank }, (_, i) => `?${i}`) }];
  }
  const allowZero = intAttribute(c.attributes, "allowzero", 0) !== 0;
  const result: Dim[] = target.map((dim, i) => {
    if (dim !== 0 || allowZero) return dim;
    if (i >= shape.length) fail(c, `size ${i} is to be copied from ${formatShape(shape)}, which has no such axis.`);
    return shape[i];
  });
  const open = result.indexOf(-1);
  const total = multiplyDims(shape);
  if (open >= 0) {
    const known = multiplyDims(result.filter((_, i) => i !== open));
    const rest = divideDim(total, known);
    if (rest === undefined && typeof total === "number" && typeof known === "number")
      fail(c, `${formatShape(shape)} has ${total} elements, which cannot be laid out as ${formatShape(result)}.`);
    result[open] = rest ?? `(${String(total).replaceAll("*", "·")}/${String(known).replaceAll("*", "·")})`;
  } else if (!canEqual(multiplyDims(result), total))
    fail(c, `${formatShape(shape)} has ${total} elements, ${formatShape(result)} has ${multiplyDims(result)}.`);
  return [{ dtype, shape: result }];
};

/** Axes as an attribute (older operators) or as input number `at`. */
function axesOf(c: InferContext, at: number): number[] | undefined {
  const attribute = intsAttribute(c.attributes, "axes");
  if (attribute) return [...attribute];
  if (!c.inputs[at]) return undefined;
  const contents = c.contents(at);
  return contents?.every((axis) => typeof axis === "number") ? (contents as number[]) : undefined;
}

const reduce: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const keep = intAttribute(c.attributes, "keepdims", 1) !== 0;
  const given = axesOf(c, 1);
  if (!given && c.inputs[1]) {
    if (!keep) fail(c, "the axes are only known at run time and are not kept, so the rank is unknown.");
    return [{ dtype, shape: shape.map((_, i) => `?${i}`) }];
  }
  if ((given ?? []).length === 0 && intAttribute(c.attributes, "noop_with_empty_axes", 0) !== 0)
    return [{ dtype, shape }];
  const all = given === undefined || given.length === 0;
  const axes = new Set(all ? shape.map((_, i) => i) : given.map((axis) => normaliseAxis(c.op, axis, shape.length)));
  return [{ dtype, shape: shape.flatMap((dim, i): Dim[] => (axes.has(i) ? (keep ? [1] : []) : [dim])) }];
};

const argReduce: ShapeRule = (c) => {
  const { shape } = input(c, 0);
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", 0), shape.length);
  const keep = intAttribute(c.attributes, "keepdims", 1) !== 0;
  return [{ dtype: "int64", shape: shape.flatMap((dim, i): Dim[] => (i === axis ? (keep ? [1] : []) : [dim])) }];
};

const unsqueeze: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const given = axesOf(c, 1);
  if (!given) fail(c, "the axes must be known while building.");
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => normaliseAxis(c.op, axis, rank)));
  let next = 0;
  return [{ dtype, shape: Array.from({ length: rank }, (_, i): Dim => (axes.has(i) ? 1 : shape[next++])) }];
};

const squeeze: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const given = axesOf(c, 1)?.map((axis) => normaliseAxis(c.op, axis, shape.length));
  const wrong = given?.find((axis) => typeof shape[axis] === "number" && shape[axis] !== 1);
  if (wrong !== undefined) fail(c, `axis ${wrong} of ${formatShape(shape)} is not 1.`);
  return [{ dtype, shape: shape.filter((dim, i) => (given ? !given.includes(i) : dim !== 1)) }];
};

const concat: ShapeRule = (c) => {
  const values = c.inputs.map((_, i) => input(c, i));
  const { dtype, shape } = values[0];
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", 0), shape.length);
  for (const other of values.slice(1))
    if (other.shape.length !== shape.length || other.shape.some((dim, i) => i !== axis && !canEqual(dim, shape[i])))
      fail(c, `${formatShape(shape)} and ${formatShape(other.shape)} differ outside of axis ${axis}.`);
  const length = addDims(values.map((value) => value.shape[axis]));
  return [{ dtype, shape: shape.map((dim, i) => (i === axis ? length : dim)) }];
};

const split: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", 0), shape.length);
  const sizes = c.contents(1);
  if (sizes && !canEqual(addDims(sizes), shape[axis]))
    fail(c, `axis ${axis} of ${formatShape(shape)} is not the sum of ${formatShape(sizes)}.`);
  return Array.from({ length: c.outputCount }, (_, k) => {
    const even = divideDim(shape[axis], c.outputCount);
    const size = sizes ? sizes[k] : (even ?? `(${String(shape[axis]).replaceAll("*", "·")}/${c.outputCount}#${k})`);
    return { dtype, shape: shape.map((dim, i) => (i === axis ? size : dim)) };
  });
};

const slice: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const [starts, ends] = [c.contents(1), c.contents(2)];
  const axes = c.inputs[3] ? c.contents(3) : starts?.map((_, i) => i);
  const steps = c.inputs[4] ? c.contents(4) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return [{ dtype, shape: shape.map((_, i) => `?${i}`) }];
  const result = [...shape];
  axes.forEach((at, k) => {
    const axis = normaliseAxis(c.op, Number(at), shape.length);
    const [size, start, end, step] = [shape[axis], starts[k], ends[k], steps[k]];
    if (typeof size === "number" && typeof start === "number" && typeof end === "number" && typeof step === "number") {
      const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x < 0 ? x + size : x, low), high);
      const [from, to] =
        step > 0 ? [clamp(start, 0, size), clamp(end, 0, size)] : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
      result[axis] = Math.max(0, Math.ceil((to - from) / step));
    } else if (start === 0 && step === 1 && typeof end === "string") result[axis] = end;
    else if (start === 0 && step === 1 && end === size) result[axis] = size;
    else result[axis] = `(${size}[${start}:${end}:${step}])`.replaceAll("*", "·");
  });
  return [{ dtype, shape: result }];
};

const gather: ShapeRule = (c) => {
  const [data, indices] = [input(c, 0), input(c, 1)];
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", 0), data.shape.length);
  return [
    { dtype: data.dtype, shape: [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)] },
  ];
};

const layerNormalization: ShapeRule = (c) => {
  const [x, scale] = [input(c, 0), input(c, 1)];
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", -1), x.shape.length);
  for (const factor of [scale, c.inputs[2]])
    if (factor && broadcastShapes(c.op, [x.shape, factor.shape]).length !== x.shape.length)
      fail(c, `the scale ${formatShape(factor.shape)} has more axes than ${formatShape(x.shape)}.`);
  const statistics: TypeAndShape = { dtype: x.dtype, shape: x.shape.map((dim, i) => (i < axis ? dim : 1)) };
  return [{ dtype: x.dtype, shape: x.shape }, statistics, statistics].slice(0, c.outputCount);
};

const castTo: Record<number, DType> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
  16: "bfloat16",
};

const cast: ShapeRule = (c) => {
  const to = intAttribute(c.attributes, "to", 0);
  const dtype = castTo[to];
  if (!dtype) fail(c, `type number ${to} is not supported.`);
  return [{ dtype, shape: input(c, 0).shape }];
};

const fromContents: ShapeRule = (c) => {
  const value = c.attributes.value;
  const dtype = value?.kind === "tensor" ? value.value.dtype : "float32";
  const rank = input(c, 0).shape[0];
  const shape =
    c.contents(0) ?? (typeof rank === "number" ? Array.from({ length: rank }, (_, i) => `?${i}`) : undefined);
  if (!shape) fail(c, "the number of axes of the result is not known.");
  return [{ dtype, shape }];
};

const expand: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const rank = input(c, 1).shape[0];
  const target =
    c.contents(1) ?? (typeof rank === "number" ? Array.from({ length: rank }, (_, i) => `?${i}`) : undefined);
  if (!target) fail(c, "the number of axes of the result is not known.");
  return [{ dtype, shape: broadcastShapes(c.op, [shape, target]) }];
};

const pad: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const pads = c.contents(1);
  const axes = c.inputs[3] ? c.contents(3) : shape.map((_, i) => i);
  if (!pads || !axes) return [{ dtype, shape: shape.map((_, i) => `?${i}`) }];
  if (pads.length !== 2 * axes.length) fail(c, `${pads.length} pads for ${axes.length} axes.`);
  const result = [...shape];
  axes.forEach((at, k) => {
    const axis = normaliseAxis(c.op, Number(at), shape.length);
    result[axis] = addDims([pads[k], shape[axis], pads[k + axes.length]]);
  });
  return [{ dtype, shape: result }];
};

const where: ShapeRule = (c) => {
  const [condition, a, b] = [input(c, 0), input(c, 1), input(c, 2)];
  if (condition.dtype !== "bool") fail(c, `the condition is ${condition.dtype}, not bool.`);
  if (a.dtype !== b.dtype) fail(c, `the choices have different types, ${a.dtype} and ${b.dtype}.`);
  return [{ dtype: a.dtype, shape: broadcastShapes(c.op, [condition.shape, a.shape, b.shape]) }];
};

const topK: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  const axis = normaliseAxis(c.op, intAttribute(c.attributes, "axis", -1), shape.length);
  const k = c.contents(1)?.[0] ?? "k";
  if (typeof k === "number" && typeof shape[axis] === "number" && k > shape[axis])
    fail(c, `the ${k} largest of axis ${axis} of ${formatShape(shape)} were asked.`);
  const result = shape.map((dim, i) => (i === axis ? k : dim));
  return [
    { dtype, shape: result },
    { dtype: "int64", shape: result },
  ];
};

const shapeOf: ShapeRule = (c) => {
  const rank = input(c, 0).shape.length;
  const start = intAttribute(c.attributes, "start", 0);
  const end = intAttribute(c.attributes, "end", rank);
  return [{ dtype: "int64", shape: [[...Array(rank).keys()].slice(start, end).length] }];
};

const eyeLike: ShapeRule = (c) => {
  const { dtype, shape } = input(c, 0);
  if (shape.length !== 2) fail(c, `a matrix is needed, found ${formatShape(shape)}.`);
  const to = intAttribute(c.attributes, "dtype", 0);
  return [{ dtype: castTo[to] ?? dtype, shape }];
};

const nonZero: ShapeRule = (c) => [{ dtype: "int64", shape: [input(c, 0).shape.length, "?1"] }];

const constant: ShapeRule = (c) => {
  const value = c.attributes.value;
  if (value?.kind !== "tensor") fail(c, "only constants given as a tensor are supported.");
  return [{ dtype: value.value.dtype, shape: value.value.dims }];
};

const range: ShapeRule = (c) => {
  const [start, limit, delta] = [c.contents(0)?.[0], c.contents(1)?.[0], c.contents(2)?.[0]];
  const length: Dim =
    start === 0 && delta === 1 && limit !== undefined
      ? limit
      : typeof start === "number" && typeof limit === "number" && typeof delta === "number"
        ? Math.max(0, Math.ceil((limit - start) / delta))
        : "?0";
  return [{ dtype: input(c, 0).dtype, shape: [length] }];
};

const gatherElements: ShapeRule = (c) => [{ dtype: input(c, 0).dtype, shape: input(c, 1).shape }];

const dropout: ShapeRule = (c) =>
  [
    { dtype: input(c, 0).dtype, shape: input(c, 0).shape },
    { dtype: "bool" as const, shape: input(c, 0).shape },
  ].slice(0, c.outputCount);

const named = (rule: ShapeRule, ...ops: string[]) => ops.map((op): [string, ShapeRule] => [op, rule]);

/** One rule per operator that our graphs use, plus the usual ones of exported encoders. */
export const SHAPE_RULES: ReadonlyMap<string, ShapeRule> = new Map([
  ...named(sameAsFirst, "Identity", "Neg", "Sqrt", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "Relu", "Reciprocal", "Abs"),
  ...named(sameAsFirst, "Sign", "Floor", "Not", "Softmax", "LogSoftmax", "Gelu", "Clip", "Trilu", "CumSum"),
  ...named(sameAsFirst, "ScatterND", "ScatterElements"),
  ...named(elementwise(), "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "And", "Or"),
  ...named(elementwise("bool"), "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"),
  ...named(
    reduce,
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceSumSquare",
    "ReduceL2",
    "ReduceLogSumExp",
  ),
  ...named(argReduce, "ArgMax", "ArgMin"),
  ["MatMul", matMul],
  ["Gemm", gemm],
  ["Transpose", transpose],
  ["Reshape", reshape],
  ["Unsqueeze", unsqueeze],
  ["Squeeze", squeeze],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gather],
  ["GatherElements", gatherElements],
  ["LayerNormalization", layerNormalization],
  ["Cast", cast],
  ["ConstantOfShape", fromContents],
  ["Expand", expand],
  ["Pad", pad],
  ["Where", where],
  ["TopK", topK],
  ["Shape", shapeOf],
  ["Size", () => [{ dtype: "int64", shape: [] }]],
  ["EyeLike", eyeLike],
  ["NonZero", nonZero],
  ["Constant", constant],
  ["Range", range],
  ["Dropout", dropout],
]);

/**
 * Types and shapes of the outputs of one node.
 * @throws {ParallaxError} graph.unknown-operator, graph.shape-mismatch (names the shapes), graph.bad-axis
 */
export function inferShapes(context: InferContext): TypeAndShape[] {
  const rule = SHAPE_RULES.get(context.op);
  if (!rule)
    throw new ParallaxError("graph.unknown-operator", `No shape rule is known for the operator ${context.op}.`, {
      kind: "bug",
      hint: `Known operators: ${[...SHAPE_RULES.keys()].sort().join(", ")}.`,
    });
  return rule(context);
}

/** The integers that a node makes, when they follow from shapes: what Shape → Gather → Concat chains hold. */
export function inferContents(context: InferContext): readonly Dim[] | undefined {
  const { op, attributes } = context;
  switch (op) {
    case "Shape": {
      const shape = context.inputs[0]?.shape;
      const end = intAttribute(attributes, "end", shape?.length ?? 0);
      return shape?.slice(intAttribute(attributes, "start", 0), end);
    }
    case "Constant":
      return attributes.value?.kind === "tensor" ? tensorContents(attributes.value.value) : undefined;
    case "Identity":
    case "Cast":
    case "Squeeze":
    case "Unsqueeze":
      return context.contents(0);
    case "Concat": {
      const parts = context.inputs.map((_, i) => context.contents(i));
      return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
    }
    case "Gather": {
      const [data, at] = [context.contents(0), context.contents(1)];
      if (!data || !at?.every((index) => typeof index === "number")) return undefined;
      return (at as number[]).map((index) => data[index < 0 ? index + data.length : index]);
    }
    case "Mul": {
      const [a, b] = [context.contents(0), context.contents(1)];
      if (!a || !b || a.length !== b.length || [...a, ...b].some((x) => typeof x === "number" && x < 0))
        return undefined;
      return a.map((dim, i) => multiplyDims([dim, b[i]]));
    }
    default:
      return undefined;
  }
}

/** The contents of a small integer tensor, as sizes. */
export function tensorContents(value: Tensor): readonly number[] | undefined {
  if ((value.dtype !== "int64" && value.dtype !== "int32") || value.dims.length > 1 || value.data.length > 64)
    return undefined;
  return Array.from(value.data as Int32Array | BigInt64Array, Number);
}

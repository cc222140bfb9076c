/** Gradients of operators that only move numbers: the same move backwards. */
import { ParallaxError } from "../../protocol/errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { isUnknown, multiplyDims, normaliseAxis } from "../dims.ts";
import { int, intAttribute, intsAttribute } from "../ir.ts";
import { type GradientContext, type GradientRule, reshapeLike, sumTo } from "./rule.ts";

const transpose: GradientRule = (c) => {
  const rank = c.dy.shape.length;
  const order = intsAttribute(c.node.attributes, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = order.map((_, i) => order.indexOf(i));
  return [c.b.transpose(c.dy, inverse)];
};

const relayout: GradientRule = (c) => [reshapeLike(c.b, c.dy, c.input(0))];

function zerosLike(b: GraphBuilder, x: Value): Value {
  return b.filled(b.sizesOf(x), 0, x.dtype === "float64" ? "float64" : "float32");
}

/** int64 [1]: the size of one axis. */
const sizeOf = (b: GraphBuilder, x: Value, axis: number) =>
  isUnknown(x.shape[axis]) ? b.shapeOf(x, axis, axis + 1) : b.shapeValue([x.shape[axis]]);

const concat: GradientRule = (c) => {
  const { b, dy } = c;
  const axis = normaliseAxis("Concat", intAttribute(c.node.attributes, "axis", 0), dy.shape.length);
  let from: Value | number = 0;
  return c.node.inputs.map((_, i) => {
    const x = c.input(i);
    const size = x.shape[axis];
    const start: Value | number = from;
    const end: Value | number =
      typeof size === "number" && typeof start === "number"
        ? start + size
        : b.add(typeof start === "number" ? b.integers([start]) : start, sizeOf(b, x, axis));
    from = end;
    return c.needs(i) ? b.slice(dy, axis, start, end) : undefined;
  });
};

const split: GradientRule = (c) => {
  const { b } = c;
  const axis = normaliseAxis("Split", intAttribute(c.node.attributes, "axis", 0), c.input(0).shape.length);
  const parts = c.node.outputs.map((_, i) => c.gradient(i) ?? zerosLike(b, c.output(i)));
  return [b.concat(parts, axis)];
};

/** Zeros around the gradient, as many as were cut off; counted at run time where sizes are names. */
const slice: GradientRule = (c) => {
  const { b, dy } = c;
  const x = c.input(0);
  const steps = c.has(4) ? b.contents(c.input(4)) : [1];
  const axes = c.has(3) ? b.contents(c.input(3)) : undefined;
  const starts = b.contents(c.input(1));
  if (axes?.length !== 1 || steps?.some((step) => step !== 1) || typeof starts?.[0] !== "number")
    throw new ParallaxError(
      "graph.no-gradient",
      "Slice: a gradient is known for one axis, a fixed start and step 1 only.",
      {
        kind: "bug",
      },
    );
  const axis = normaliseAxis("Slice", Number(axes[0]), x.shape.length);
  const [size, length] = [x.shape[axis], dy.shape[axis]];
  const rest = (n: number) => Array.from({ length: n }, () => 0);
  const begin = starts[0] as number;
  if (typeof size === "number" && typeof length === "number") {
    const before = begin < 0 ? Math.max(0, begin + size) : Math.min(begin, size);
    const pads = (at: number) => [...rest(axis), at, ...rest(x.shape.length - axis - 1)];
    return [b.pad(dy, pads(before), pads(size - before - length))];
  }
  if (begin < 0)
    throw new ParallaxError("graph.no-gradient", "Slice: no gradient is known for a start counted from an open end.", {
      kind: "bug",
    });
  // The slice may be shorter than the names promise (end past the size): its own shape tells.
  const after = b.sub(b.sub(b.shapeOf(x, axis, axis + 1), b.shapeOf(c.output(), axis, axis + 1)), b.integers([begin]));
  const parts = [
    b.integers([...rest(axis), begin, ...rest(x.shape.length - axis - 1), ...rest(axis)]),
    after,
    ...(axis < x.shape.length - 1 ? [b.integers(rest(x.shape.length - axis - 1))] : []),
  ];
  return [padLike(b, dy, b.concat(parts, 0), x)];
};

function padLike(b: GraphBuilder, value: Value, pads: Value, like: Value): Value {
  const [padded] = b.op("Pad", [value, pads]);
  return b.assume(padded, like.shape);
}

/** Tables up to this many rows are summed by a product with ones and zeros. */
const ONE_HOT_ROWS = 4096;

/**
 * Zeros in the shape of `data`, with each row of `dy` added to the row that `indices` names.
 *
 * Not by ScatterND with reduction "add": ONNX Runtime 1.30.0 spreads its updates over threads without a lock, so equal
 * indices lose additions now and then. A product is exact in order and fast for small tables; ScatterElements works
 * through its updates one by one.
 *
 * @param data float [rows, …]; @param indices int64, any shape; @param dy float [indices …, …]
 */
function scatterAdd(b: GraphBuilder, data: Value, indices: Value, dy: Value): Value {
  const [rows, ...rest] = data.shape;
  const flat = b.reshape(indices, [-1]);
  const width = multiplyDims(rest);
  if (typeof rows === "number" && rows <= ONE_HOT_ROWS && typeof width === "number") {
    const places = b.constant(
      "int64",
      [rows, 1],
      BigInt64Array.from({ length: rows }, (_, i) => BigInt(i)),
    );
    const row = b.unsqueeze(flat, [0]); // [1, n]
    const positive = b.where(b.less(row, 0), b.add(row, rows), row);
    const isThere = b.cast(b.equal(places, positive), dy.dtype); // [rows, n]
    const sums = b.matMul(isThere, b.reshape(dy, [-1, width])); // [rows, width]
    return rest.length === 1 ? sums : b.reshape(sums, data.shape);
  }
  const ones = rest.map(() => 1);
  const updates =
    rest.length === 0 ? b.reshape(dy, [-1]) : b.reshape(dy, b.concat([b.integers([-1]), b.shapeOf(data, 1)], 0));
  const at = b.op("Expand", [b.reshape(flat, [-1, ...ones]), b.shapeOf(updates)])[0];
  return b.op("ScatterElements", [zerosLike(b, data), at, updates], {
    axis: int(0),
    reduction: { kind: "string", value: "add" },
  })[0];
}

/** Each gathered row is added to where it came from; rows that were taken twice get both. */
const gather: GradientRule = (c) => {
  const { b, dy } = c;
  const [data, indices] = [c.input(0), b.cast(c.input(1), "int64")];
  const axis = normaliseAxis("Gather", intAttribute(c.node.attributes, "axis", 0), data.shape.length);
  if (axis === 0) return [scatterAdd(b, data, indices, dy)];
  // The same with the gathered axis first.
  const rank = data.shape.length;
  const extra = indices.shape.length;
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  const forward = [axis, ...others];
  const dyOrder = [
    ...Array.from({ length: extra }, (_, i) => axis + i),
    ...others.map((i) => (i < axis ? i : i - 1 + extra)),
  ];
  const moved = scatterAdd(b, b.transpose(data, forward), indices, b.transpose(dy, dyOrder));
  return [
    b.transpose(
      moved,
      forward.map((_, i) => forward.indexOf(i)),
    ),
  ];
};

const gatherElements: GradientRule = (c) => {
  const { b, dy } = c;
  const data = c.input(0);
  const axis = intAttribute(c.node.attributes, "axis", 0);
  const at = b.cast(c.input(1), "int64");
  const attributes = { axis: int(axis), reduction: { kind: "string" as const, value: "add" } };
  return [b.op("ScatterElements", [zerosLike(b, data), at, dy], attributes)[0]];
};

const pad: GradientRule = (c: GradientContext) => {
  const { b } = c;
  const pads = b.contents(c.input(1));
  const x = c.input(0);
  if (!pads?.every((n) => typeof n === "number" && n >= 0) || c.has(3))
    throw new ParallaxError("graph.no-gradient", "Pad: a gradient is known for fixed pads on all axes only.", {
      kind: "bug",
    });
  let result = c.dy;
  x.shape.forEach((_, axis) => {
    const [before, after] = [Number(pads[axis]), Number(pads[axis + x.shape.length])];
    if (before > 0 || after > 0) result = b.slice(result, axis, before, after > 0 ? -after : Number.MAX_SAFE_INTEGER);
  });
  return [result === c.dy ? result : b.assume(result, x.shape)];
};

export const LAYOUT: Record<string, GradientRule> = {
  Transpose: transpose,
  Reshape: relayout,
  Unsqueeze: relayout,
  Squeeze: relayout,
  Expand: (c) => [sumTo(c.b, c.dy, c.input(0))],
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  Pad: pad,
};

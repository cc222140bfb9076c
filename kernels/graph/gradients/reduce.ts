/** Gradients of sums, means and maxima over axes. */
import type { Value } from "../builder.ts";
import { isUnknown, multiplyDims, normaliseAxis } from "../dims.ts";
import { intAttribute, intsAttribute } from "../ir.ts";
import type { GradientContext, GradientRule } from "./rule.ts";

/** The reduced axes. @returns undefined when they are only known at run time */
function axesOf(c: GradientContext): number[] {
  const rank = c.input(0).shape.length;
  const given = intsAttribute(c.node.attributes, "axes") ?? (c.has(1) ? c.b.contents(c.input(1)) : undefined);
  if (given === undefined || given.length === 0) return c.input(0).shape.map((_, i) => i);
  return given.map((axis) => normaliseAxis(c.node.op, Number(axis), rank));
}

/** A reduced value or gradient with its axes back, as size 1, so that it broadcasts against the input. */
function kept(c: GradientContext, value: Value): Value {
  if (intAttribute(c.node.attributes, "keepdims", 1) !== 0) return value;
  const axes = axesOf(c).sort((a, b) => a - b);
  return axes.length === 0 ? value : c.b.unsqueeze(value, axes);
}

/** The gradient spread over the input's shape; only where a product does not do that anyway. */
function spread(c: GradientContext, value: Value): Value {
  return c.b.expand(value, c.b.sizesOf(c.input(0)));
}

/** How many numbers each result is made of, as a float value. */
function count(c: GradientContext): Value | number {
  const { b } = c;
  const x = c.input(0);
  const dims = axesOf(c).map((axis) => x.shape[axis]);
  const size = multiplyDims(dims);
  if (typeof size === "number") return size;
  const sizes = axesOf(c)
    .map((axis) => (isUnknown(x.shape[axis]) ? b.shapeOf(x, axis, axis + 1) : b.shapeValue([x.shape[axis]])))
    .reduce((product, dim) => b.mul(product, dim));
  return b.cast(sizes, x.dtype);
}

const sum: GradientRule = (c) => [spread(c, kept(c, c.dy))];

const mean: GradientRule = (c) => [spread(c, c.b.div(kept(c, c.dy), count(c)))];

/** Numbers that are equally large (small) share the gradient. */
const extreme: GradientRule = (c) => {
  const { b } = c;
  const hits = b.cast(b.equal(c.input(0), kept(c, c.output())), c.dy.dtype);
  const ties = b.reduceSum(hits, axesOf(c), true);
  return [b.mul(hits, b.div(kept(c, c.dy), ties))];
};

export const REDUCE: Record<string, GradientRule> = {
  ReduceSum: sum,
  ReduceMean: mean,
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceSumSquare: (c) => [c.b.mul(c.input(0), c.b.mul(kept(c, c.dy), 2))],
  // At length 0 the direction is not defined; the smallest divisor makes it 0 instead of NaN.
  ReduceL2: (c) => [c.b.mul(c.input(0), c.b.div(kept(c, c.dy), c.b.max(kept(c, c.output()), 1e-30)))],
  ReduceLogSumExp: (c) => [c.b.mul(c.b.exp(c.b.sub(c.input(0), kept(c, c.output()))), kept(c, c.dy))],
};

/** What a gradient rule sees of its node, and the two helpers that all rules share. */
import { invariant } from "../../protocol/errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { isUnknown, multiplyDims, sameShape } from "../dims.ts";
import type { Node } from "../ir.ts";

/** One use of a rule: the forward node, its values, and the gradient that has arrived at each of its outputs. */
export class GradientContext {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly #gradients: readonly (Value | undefined)[];
  readonly #needed: readonly boolean[];

  constructor(b: GraphBuilder, node: Node, gradients: readonly (Value | undefined)[], needed: readonly boolean[]) {
    this.b = b;
    this.node = node;
    this.#gradients = gradients;
    this.#needed = needed;
  }

  input(at: number): Value {
    return this.b.value(this.node.inputs[at]);
  }

  has(at: number): boolean {
    return (this.node.inputs[at] ?? "") !== "";
  }

  output(at = 0): Value {
    return this.b.value(this.node.outputs[at]);
  }

  /** dL/d(output), in the output's shape. */
  get dy(): Value {
    const value = this.#gradients[0];
    invariant(value, `the gradient of "${this.node.outputs[0]}" was not made`);
    return value;
  }

  gradient(at: number): Value | undefined {
    return this.#gradients[at];
  }

  /** Whether anybody asks for the gradient of this input. */
  needs(at: number): boolean {
    return this.#needed[at] ?? false;
  }
}

/** dL/d(input) for each input that `needs` says, in the input's shape. */
export type GradientRule = (c: GradientContext) => (Value | undefined)[];

/**
 * Sums a gradient over the axes along which a value was broadcast. Where two sizes are names that only the run can tell
 * apart, the axes are found at run time.
 */
export function sumTo(b: GraphBuilder, gradient: Value, target: Value): Value {
  if (sameShape(gradient.shape, target.shape)) return gradient;
  const extra = gradient.shape.length - target.shape.length;
  const open = target.shape.some(
    (dim, i) => typeof dim === "string" && (dim !== gradient.shape[i + extra] || isUnknown(dim)),
  );
  if (open) {
    const ones = Array.from({ length: extra }, () => 1);
    const sizes = b.shapeOf(target);
    const padded = extra > 0 ? b.concat([b.integers(ones), sizes], 0) : sizes;
    const axes = b.reshape(b.op("NonZero", [b.equal(padded, 1)])[0], [-1]);
    const summed = b.op("ReduceSum", [gradient, axes], {
      keepdims: { kind: "int", value: 1 },
      noop_with_empty_axes: { kind: "int", value: 1 },
    })[0];
    return b.op("Reshape", [summed, sizes])[0];
  }
  const leading = Array.from({ length: extra }, (_, i) => i);
  const ones = target.shape.flatMap((dim, i) => (dim === 1 && gradient.shape[i + extra] !== 1 ? [i + extra] : []));
  let result = gradient;
  if (ones.length > 0) result = b.reduceSum(result, ones, true);
  if (leading.length > 0) result = b.reduceSum(result, leading, false);
  return result;
}

/** `x` laid out in the shape of `like`, without keeping `like` itself in memory until then. */
export function reshapeLike(b: GraphBuilder, x: Value, like: Value): Value {
  if (sameShape(x.shape, like.shape)) return x;
  const open = like.shape.filter((dim) => typeof dim === "string");
  if (open.some(isUnknown)) return b.reshape(x, b.shapeOf(like));
  if (open.length === 0) return b.reshape(x, like.shape);
  if (open.length === 1 && multiplyDims(like.shape) === multiplyDims(x.shape))
    return b.reshape(
      x,
      like.shape.map((dim) => (typeof dim === "string" ? -1 : dim)),
    );
  return b.reshape(x, b.sizesOf(like));
}

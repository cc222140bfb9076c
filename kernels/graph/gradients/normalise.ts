/** Gradients of softmax and layer normalisation: the two that couple all numbers of a row. */

import type { Value } from "../builder.ts";
import { normaliseAxis } from "../dims.ts";
import { floatAttribute, intAttribute } from "../ir.ts";
import { type GradientRule, sumTo } from "./rule.ts";

/** dx = y ⊙ (dy − Σ dy ⊙ y) */
const softmax: GradientRule = (c) => {
  const { b, dy } = c;
  const y = c.output();
  const axis = intAttribute(c.node.attributes, "axis", -1);
  const dot = b.reduceSum(b.mul(dy, y), [normaliseAxis("Softmax", axis, y.shape.length)], true);
  return [b.mul(y, b.sub(dy, dot))];
};

/** dx = dy − softmax(x) · Σ dy */
const logSoftmax: GradientRule = (c) => {
  const { b, dy } = c;
  const y = c.output();
  const axis = intAttribute(c.node.attributes, "axis", -1);
  const total = b.reduceSum(dy, [normaliseAxis("LogSoftmax", axis, y.shape.length)], true);
  return [b.sub(dy, b.mul(b.exp(y), total))];
};

/**
 * With x̂ = (x − μ)/σ and g = dy ⊙ scale: dx = (g − mean(g) − x̂ · mean(g ⊙ x̂)) / σ, dscale = Σ dy ⊙ x̂, dbias = Σ dy.
 * x̂ and 1/σ come from one more run of the operator itself, which costs less than keeping or rebuilding them in parts;
 * the two means are products with the vector scale/d, so that no product is written out only to be summed.
 */
const layerNormalization: GradientRule = (c) => {
  const { b, dy, node } = c;
  const [x, scale] = [c.input(0), c.input(1)];
  const axis = normaliseAxis(node.op, intAttribute(node.attributes, "axis", -1), x.shape.length);
  const epsilon = floatAttribute(node.attributes, "epsilon", 1e-5);
  const axes = x.shape.map((_, i) => i).slice(axis);
  const size = x.shape[x.shape.length - 1];
  const ones =
    scale.shape.every((dim) => typeof dim === "number") && (scale.dtype === "float32" || scale.dtype === "float64")
      ? constantOnes(c.b, scale)
      : b.add(b.mul(scale, 0), 1);
  const [normal, , inverse] = b.op(
    "LayerNormalization",
    [x, ones],
    { axis: { kind: "int", value: axis }, epsilon: { kind: "float", value: epsilon } },
    3,
  );
  const gradients: (Value | undefined)[] = [];
  const product = c.needs(0) || c.needs(1) ? b.mul(dy, normal) : undefined;
  if (c.needs(0) && product) {
    let meanG: Value;
    let meanGX: Value;
    const g = b.mul(dy, scale);
    if (axes.length === 1 && scale.shape.length === 1 && typeof size === "number") {
      const column = b.unsqueeze(b.mul(scale, 1 / size), [1]); // [d, 1]
      meanG = b.matMul(dy, column);
      meanGX = b.matMul(product, column);
    } else {
      meanG = b.reduceMean(g, axes, true);
      meanGX = b.reduceMean(b.mul(product, scale), axes, true);
    }
    gradients[0] = b.mul(b.sub(b.sub(g, meanG), b.mul(normal, meanGX)), inverse);
  }
  if (c.needs(1) && product) gradients[1] = sumTo(b, product, scale);
  if (c.has(2) && c.needs(2)) gradients[2] = sumTo(b, dy, c.input(2));
  return gradients;
};

function constantOnes(b: Parameters<typeof sumTo>[0], scale: Value): Value {
  const dims = scale.shape as number[];
  const count = dims.reduce((product, dim) => product * dim, 1);
  return scale.dtype === "float64"
    ? b.constant("float64", dims, new Float64Array(count).fill(1))
    : b.constant("float32", dims, new Float32Array(count).fill(1));
}

export const NORMALISE: Record<string, GradientRule> = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalization,
};

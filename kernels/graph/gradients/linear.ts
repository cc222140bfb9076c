/** Gradients of matrix products. */
import type { GraphBuilder, Value } from "../builder.ts";
import { floatAttribute, intAttribute } from "../ir.ts";
import { type GradientRule, reshapeLike, sumTo } from "./rule.ts";

/** The last two axes exchanged. */
function flip(b: GraphBuilder, x: Value): Value {
  const order = x.shape.map((_, i) => i);
  const last = order.length - 1;
  [order[last - 1], order[last]] = [last, last - 1];
  return b.transpose(x, order);
}

const matMul: GradientRule = (c) => {
  const { b } = c;
  const [a, w] = [c.input(0), c.input(1)];
  // Vectors count as one row on the left and as one column on the right.
  const left = a.shape.length === 1 ? b.unsqueeze(a, [0]) : a;
  const right = w.shape.length === 1 ? b.unsqueeze(w, [1]) : w;
  let dy = c.dy;
  if (w.shape.length === 1) dy = b.unsqueeze(dy, [dy.shape.length]);
  if (a.shape.length === 1) dy = b.unsqueeze(dy, [dy.shape.length - 1]);
  const reduced = (gradient: Value, matrix: Value, original: Value) => {
    const summed = sumTo(b, gradient, matrix);
    return matrix === original ? summed : b.squeeze(summed, [matrix === left ? 0 : 1]);
  };

  if (right.shape.length === 2 && left.shape.length > 2) {
    // One weight matrix for all rows: as plain matrices there is nothing to sum afterwards.
    const rows = b.reshape(dy, [-1, right.shape[1]]);
    const flat = () => b.reshape(left, [-1, right.shape[0]]);
    return [
      c.needs(0) ? reduced(reshapeLike(b, b.gemm(rows, right, undefined, { transB: true }), left), left, a) : undefined,
      c.needs(1) ? reduced(b.gemm(flat(), rows, undefined, { transA: true }), right, w) : undefined,
    ];
  }
  return [
    c.needs(0) ? reduced(b.matMul(dy, flip(b, right)), left, a) : undefined,
    c.needs(1) ? reduced(b.matMul(flip(b, left), dy), right, w) : undefined,
  ];
};

/** Y = alpha · op(A) · op(B) + beta · C. The factor and the transposes stay inside of the products. */
const gemm: GradientRule = (c) => {
  const { b, dy } = c;
  const [a, w] = [c.input(0), c.input(1)];
  const transA = intAttribute(c.node.attributes, "transA", 0) !== 0;
  const transB = intAttribute(c.node.attributes, "transB", 0) !== 0;
  const alpha = floatAttribute(c.node.attributes, "alpha", 1);
  const beta = floatAttribute(c.node.attributes, "beta", 1);
  const gradients: (Value | undefined)[] = [];
  if (c.needs(0))
    gradients[0] = transA
      ? b.gemm(w, dy, undefined, { transA: transB, transB: true, alpha })
      : b.gemm(dy, w, undefined, { transB: !transB, alpha });
  if (c.needs(1))
    gradients[1] = transB
      ? b.gemm(dy, a, undefined, { transA: true, transB: transA, alpha })
      : b.gemm(a, dy, undefined, { transA: !transA, alpha });
  if (c.has(2) && c.needs(2)) {
    const bias = sumTo(b, dy, c.input(2));
    gradients[2] = beta === 1 ? bias : b.mul(bias, beta);
  }
  return gradients;
};

export const LINEAR: Record<string, GradientRule> = { MatMul: matMul, Gemm: gemm };

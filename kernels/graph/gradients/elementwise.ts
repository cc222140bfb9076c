/** Gradients of operators that work on each number by itself, with broadcasting. */
import { ParallaxError } from "../../protocol/errors.ts";
import type { Value } from "../builder.ts";
import { type GradientContext, type GradientRule, sumTo } from "./rule.ts";

/** dL/dx = dL/dy · derivative, for operators with one input. */
const unary =
  (derivative: (c: GradientContext, x: Value, y: Value) => Value): GradientRule =>
  (c) => [derivative(c, c.input(0), c.output())];

/** Gradients of two broadcast operands; each is made only when somebody needs it. */
const binary =
  (left: (c: GradientContext) => Value, right: (c: GradientContext) => Value): GradientRule =>
  (c) => [
    c.needs(0) ? sumTo(c.b, left(c), c.input(0)) : undefined,
    c.needs(1) ? sumTo(c.b, right(c), c.input(1)) : undefined,
  ];

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);
const ROOT_TWO_OVER_PI = Math.sqrt(2 / Math.PI);
const ONE_OVER_ROOT_TWO_PI = 1 / Math.sqrt(2 * Math.PI);

/** e^(−x²) as 1 / e^(x²) would cost a division instead of a sign: x / e^(x²) gives x·e^(−x²) in three passes. */
const erf: GradientRule = (c) => {
  const { b, dy } = c;
  const x = c.input(0);
  return [b.mul(dy, b.mul(b.exp(b.neg(b.mul(x, x))), TWO_OVER_ROOT_PI))];
};

/** d/dx ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³): ½(1 + tanh u) + ½x(1 − tanh² u)·du/dx. */
const geluTanh: GradientRule = (c) => {
  const { b, dy } = c;
  const x = c.input(0);
  const square = b.mul(x, x);
  const tanh = b.tanh(b.mul(b.mul(x, b.add(b.mul(square, 0.044715), 1)), ROOT_TWO_OVER_PI));
  const inner = b.mul(b.add(b.mul(square, 3 * 0.044715), 1), ROOT_TWO_OVER_PI);
  const slope = b.mul(b.mul(b.mul(x, 0.5), b.sub(1, b.mul(tanh, tanh))), inner);
  return [b.mul(dy, b.add(b.mul(b.add(tanh, 1), 0.5), slope))];
};

const gelu: GradientRule = (c) => {
  const form = c.node.attributes.approximate;
  if (form?.kind === "string" && form.value === "tanh") return geluTanh(c);
  const { b, dy } = c;
  const x = c.input(0);
  const s = b.mul(x, Math.SQRT1_2);
  const cdf = b.mul(b.add(b.erf(s), 1), 0.5);
  const density = b.div(b.mul(x, ONE_OVER_ROOT_TWO_PI), b.exp(b.mul(s, s))); // x·φ(x)
  return [b.mul(dy, b.add(cdf, density))];
};

const pow: GradientRule = (c) => {
  const { b, dy } = c;
  const [x, p] = [c.input(0), c.input(1)];
  if (c.needs(1))
    throw new ParallaxError("graph.no-gradient", `Pow: no gradient is known for the exponent "${p.name}".`, {
      kind: "bug",
    });
  const fixed = b.initializerOf(p);
  const exponent = fixed && fixed.data.length === 1 ? Number(fixed.data[0]) : undefined;
  if (exponent === 2) return [sumTo(b, b.mul(dy, b.mul(x, 2)), x)];
  return [sumTo(b, b.mul(dy, b.mul(p, b.pow(x, b.sub(p, 1)))), x)];
};

/** The gradient goes to the largest (smallest) operand; operands that are equal share it. */
const extreme: GradientRule = (c) => {
  const { b, dy } = c;
  const inputs = c.node.inputs.map((_, i) => c.input(i));
  const y = c.output();
  const hits = inputs.map((x) => b.cast(b.equal(x, y), dy.dtype));
  const wanted = inputs.filter((_, i) => c.needs(i)).length;
  // A constant bound, as in max(x, 1e-12), takes nothing from x on a tie: the convention of clamp.
  const share =
    wanted > 1
      ? b.div(
          dy,
          hits.reduce((sum, hit) => b.add(sum, hit)),
        )
      : dy;
  return inputs.map((x, i) => (c.needs(i) ? sumTo(b, b.mul(share, hits[i]), x) : undefined));
};

const clip: GradientRule = (c) => {
  const { b } = c;
  const x = c.input(0);
  let result = c.dy;
  if (c.has(1)) result = b.where(b.greaterOrEqual(x, c.input(1)), result, 0);
  if (c.has(2)) result = b.where(b.greaterOrEqual(c.input(2), x), result, 0);
  return [result];
};

export const ELEMENTWISE: Record<string, GradientRule> = {
  Identity: (c) => [c.dy],
  Cast: (c) => [c.b.cast(c.dy, c.input(0).dtype)],
  Add: binary(
    (c) => c.dy,
    (c) => c.dy,
  ),
  Sub: binary(
    (c) => c.dy,
    (c) => c.b.neg(c.dy),
  ),
  Mul: binary(
    (c) => c.b.mul(c.dy, c.input(1)),
    (c) => c.b.mul(c.dy, c.input(0)),
  ),
  Div: binary(
    (c) => c.b.div(c.dy, c.input(1)),
    (c) => c.b.neg(c.b.div(c.b.mul(c.dy, c.output()), c.input(1))),
  ),
  Sum: (c) => c.node.inputs.map((_, i) => (c.needs(i) ? sumTo(c.b, c.dy, c.input(i)) : undefined)),
  Pow: pow,
  Max: extreme,
  Min: extreme,
  Clip: clip,
  Where: (c) => {
    const { b, dy } = c;
    return [
      undefined,
      c.needs(1) ? sumTo(b, b.where(c.input(0), dy, 0), c.input(1)) : undefined,
      c.needs(2) ? sumTo(b, b.where(c.input(0), 0, dy), c.input(2)) : undefined,
    ];
  },
  Neg: unary((c) => c.b.neg(c.dy)),
  Sqrt: unary((c, _, y) => c.b.div(c.b.mul(c.dy, 0.5), y)),
  Exp: unary((c, _, y) => c.b.mul(c.dy, y)),
  Log: unary((c, x) => c.b.div(c.dy, x)),
  Reciprocal: unary((c, _, y) => c.b.neg(c.b.mul(c.dy, c.b.mul(y, y)))),
  Abs: unary((c, x) => c.b.mul(c.dy, c.b.sign(x))),
  Tanh: unary((c, _, y) => c.b.mul(c.dy, c.b.sub(1, c.b.mul(y, y)))),
  Sigmoid: unary((c, _, y) => c.b.mul(c.dy, c.b.mul(y, c.b.sub(1, y)))),
  Relu: unary((c, x) => c.b.where(c.b.greater(x, 0), c.dy, 0)),
  Erf: erf,
  Gelu: gelu,
};

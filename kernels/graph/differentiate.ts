/**
 * Reverse-mode derivatives, graph to graph: the result is a graph of standard operators like any other, so it runs on
 * every provider, can be saved, and can be looked at.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { GraphBuilder, type Value } from "./builder.ts";
import { formatShape } from "./dims.ts";
import { ELEMENTWISE } from "./gradients/elementwise.ts";
import { LAYOUT } from "./gradients/layout.ts";
import { LINEAR } from "./gradients/linear.ts";
import { NORMALISE } from "./gradients/normalise.ts";
import { REDUCE } from "./gradients/reduce.ts";
import { GradientContext, type GradientRule } from "./gradients/rule.ts";
import { describeNode, type Graph, type Node } from "./ir.ts";
import { simplify } from "./passes.ts";

/** The vector-Jacobian product of each operator that can be differentiated. */
export const GRADIENT_RULES: Readonly<Record<string, GradientRule>> = {
  ...ELEMENTWISE,
  ...LINEAR,
  ...REDUCE,
  ...NORMALISE,
  ...LAYOUT,
};

/** Operators whose result does not change with small changes of their inputs: the gradient stops there. */
const FLAT = new Set([
  "Shape",
  "Size",
  "Equal",
  "Greater",
  "Less",
  "GreaterOrEqual",
  "LessOrEqual",
  "Not",
  "And",
  "Or",
]);
for (const op of ["ArgMax", "ArgMin", "NonZero", "Sign", "Floor", "EyeLike", "ConstantOfShape", "Range"]) FLAT.add(op);

export interface DifferentiateOptions {
  /** The scalar value (an output or any other) whose gradients are asked. */
  of: string;
  /** The values (inputs, weights or any other) with respect to which. */
  wrt: readonly string[];
  /** Name of the output that holds a gradient. Default `grad:<name>`. */
  gradientName?: (name: string) => string;
}

/**
 * The graph with one more output for each value of `wrt`: the gradient of `of`, in that value's shape. A value that
 * `of` does not depend on gets zeros. Shapes may stay symbolic.
 *
 * @throws {ParallaxError} graph.no-gradient when an operator on the way is not covered (names operator and node),
 *   graph.unknown-value, graph.not-scalar
 * Each rule is checked against central differences in float64: test/graph/gradients.test.ts.
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const b = GraphBuilder.from(graph);
  const target = b.value(options.of);
  if (target.shape.some((dim) => dim !== 1))
    throw new ParallaxError(
      "graph.not-scalar",
      `Gradients of "${options.of}" were asked; its shape is ${formatShape(target.shape)}, not one number.`,
      {
        kind: "bug",
        hint: "Sum it, or take its mean.",
      },
    );
  const wrt = options.wrt.map((name) => b.value(name));
  const active = activeValues(b.nodes, options.of, options.wrt, (name) => b.value(name).dtype);

  const partial = new Map<string, Value[]>();
  partial.set(target.name, [b.reshape(b.scalar(1, target.dtype), target.shape)]);
  const gradientOf = (name: string): Value | undefined => {
    const parts = partial.get(name);
    if (!parts) return undefined;
    const sum = parts.reduce((a, c) => b.add(a, c));
    partial.set(name, [sum]);
    return sum;
  };

  const forward = [...b.nodes];
  b.scope("backward", () => {
    for (const node of forward.reverse()) {
      if (!node.outputs.some((name) => active.has(name) && partial.has(name))) continue;
      const needed = node.inputs.map((name) => active.has(name));
      if (!needed.includes(true)) continue;
      const rule = node.domain === undefined ? GRADIENT_RULES[node.op] : undefined;
      if (!rule)
        throw new ParallaxError("graph.no-gradient", `No gradient is known for ${describeNode(node)}.`, {
          kind: "bug",
          hint: `Covered operators: ${Object.keys(GRADIENT_RULES).sort().join(", ")}.`,
          details: { op: node.op, node: node.name ?? null },
        });
      const gradients = node.outputs.map((name) => gradientOf(name));
      const made = b.scope(node.name ?? node.outputs[0], () => rule(new GradientContext(b, node, gradients, needed)));
      made.forEach((value, i) => {
        const name = node.inputs[i];
        if (!value || !needed[i]) return;
        partial.set(name, [...(partial.get(name) ?? []), value]);
      });
    }
  });

  for (const value of wrt) {
    const name = options.gradientName?.(value.name) ?? `grad:${value.name}`;
    const dtype = value.dtype === "float64" ? "float64" : "float32";
    b.output(gradientOf(value.name) ?? b.filled(b.sizesOf(value), 0, dtype), name);
  }
  return simplify(b.build());
}

/** Values on a differentiable way from one of `wrt` to `of`. */
function activeValues(
  nodes: readonly Node[],
  of: string,
  wrt: readonly string[],
  dtypeOf: (name: string) => string,
): Set<string> {
  const isFloat = (name: string) => dtypeOf(name).startsWith("float");
  const reached = new Set(wrt);
  for (const node of nodes)
    if (!FLAT.has(node.op) && node.inputs.some((name) => reached.has(name)))
      for (const name of node.outputs) if (name !== "" && isFloat(name)) reached.add(name);
  const needed = new Set([of]);
  for (const node of [...nodes].reverse())
    if (!FLAT.has(node.op) && node.outputs.some((name) => needed.has(name)))
      for (const name of node.inputs) needed.add(name);
  return new Set([...reached].filter((name) => needed.has(name)));
}

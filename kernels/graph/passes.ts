/**
 * Passes that make a graph smaller without changing what it computes: copies and double moves go, constants are
 * computed once, equal nodes become one, broadcasts are not written out, sums ride along in products, and what nobody
 * uses is dropped.
 */
import { invariant } from "../protocol/errors.ts";
import { isStatic, sameShape } from "./dims.ts";
import { foldNode } from "./fold.ts";
import { type Attribute, type Graph, intAttribute, intsAttribute, type Node, type ValueInfo } from "./ir.ts";
import type { Tensor } from "./tensor.ts";

/** Operators that accept any operand that broadcasts, so that an operand need not be expanded first. */
const BROADCASTING = new Set(["Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "Equal", "Greater", "Less"]);
const RELAYOUT = new Set(["Reshape", "Unsqueeze", "Squeeze"]);

/** Everything in turn until nothing changes. Names of inputs and outputs stay. */
export function simplify(graph: Graph): Graph {
  let current = prune(renameOutputs(graph));
  for (let round = 0; round < 12; round++) {
    const before = current.nodes.length;
    const rewriter = new Rewriter(current);
    current = prune(shareEqual(rewriter.run()));
    if (rewriter.changes === 0 && current.nodes.length === before) return current;
  }
  return current;
}

/** Drops nodes, constants and value notes that no output needs. */
export function prune(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") noteOuter(attribute.value, needed);
    nodes.push(node);
  }
  nodes.reverse();
  const made = new Set(nodes.flatMap((node) => node.outputs));
  return {
    ...graph,
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
    values: new Map([...graph.values].filter(([name]) => made.has(name))),
  };
}

/** A graph inside of a node may use the names of the graph around it. */
function noteOuter(inner: Graph, needed: Set<string>): void {
  for (const output of inner.outputs) needed.add(output.name);
  for (const node of inner.nodes) {
    for (const name of node.inputs) needed.add(name);
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") noteOuter(attribute.value, needed);
  }
}

/** An output that is a copy of a value takes that value's place, which saves the copy. */
function renameOutputs(graph: Graph): Graph {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const makers = new Set(graph.nodes.flatMap((node) => node.outputs));
  const renamed = new Map<string, string>();
  for (const node of graph.nodes) {
    const [from, to] = [node.inputs[0], node.outputs[0]];
    if (node.op === "Identity" && outputs.has(to) && makers.has(from) && !outputs.has(from) && !renamed.has(from))
      renamed.set(from, to);
  }
  if (renamed.size === 0) return graph;
  const name = (old: string) => renamed.get(old) ?? old;
  const nodes = graph.nodes
    .filter((node) => !(node.op === "Identity" && renamed.get(node.inputs[0]) === node.outputs[0]))
    .map((node) => ({ ...node, inputs: node.inputs.map(name), outputs: node.outputs.map(name) }));
  const values = new Map([...graph.values].map(([old, info]) => [name(old), { ...info, name: name(old) }]));
  return { ...graph, nodes, values };
}

/** Nodes with the same operator, inputs and attributes become one. */
export function shareEqual(graph: Graph): Graph {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const seen = new Map<string, Node>();
  const alias = new Map<string, string>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => alias.get(name) ?? name) };
    const key = `${node.domain ?? ""}/${node.op}(${node.inputs.join()})${describeAttributes(node.attributes)}#${node.outputs.length}`;
    const twin = seen.get(key);
    const random = node.op.startsWith("Random") || node.op === "Dropout";
    if (twin && !random && !node.outputs.some((name) => outputs.has(name))) {
      node.outputs.forEach((name, i) => {
        alias.set(name, twin.outputs[i]);
      });
      continue;
    }
    seen.set(key, node);
    nodes.push(node);
  }
  return { ...graph, nodes };
}

function describeAttributes(attributes: Record<string, Attribute>): string {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, attribute]) => {
      if (attribute.kind === "tensor")
        return `${name}=${attribute.value.dtype}[${attribute.value.dims}]${attribute.value.data.join()}`;
      if (attribute.kind === "graph") return `${name}=graph ${attribute.value.name} ${attribute.value.nodes.length}`;
      return `${name}=${attribute.value}`;
    })
    .join(";");
}

/** One walk over the nodes; each may be replaced by an earlier value or by a better node. */
class Rewriter {
  changes = 0;
  readonly #graph: Graph;
  readonly #initializers: Map<string, Tensor>;
  readonly #values: Map<string, ValueInfo>;
  readonly #known = new Map<string, ValueInfo>();
  readonly #outputs: Set<string>;
  readonly #uses = new Map<string, number>();
  readonly #alias = new Map<string, string>();
  readonly #makers = new Map<string, Node>();
  readonly #nodes: Node[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#initializers = new Map(graph.initializers);
    this.#values = new Map(graph.values);
    this.#outputs = new Set(graph.outputs.map((output) => output.name));
    for (const info of [...graph.inputs, ...graph.values.values(), ...graph.outputs]) this.#known.set(info.name, info);
    for (const [name, value] of graph.initializers)
      this.#known.set(name, { name, dtype: value.dtype, shape: value.dims });
    for (const node of graph.nodes)
      for (const name of node.inputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  run(): Graph {
    for (const original of this.#graph.nodes) {
      const node = { ...original, inputs: original.inputs.map((name) => this.#alias.get(name) ?? name) };
      if (node.domain === undefined && this.#replace(node)) {
        this.changes++;
        continue;
      }
      this.#push(node);
    }
    return { ...this.#graph, nodes: this.#nodes, initializers: this.#initializers, values: this.#values };
  }

  #push(node: Node): void {
    this.#nodes.push(node);
    for (const name of node.outputs) this.#makers.set(name, node);
  }

  #shape(name: string) {
    return this.#known.get(name)?.shape;
  }

  #usedOnce(name: string): boolean {
    return this.#uses.get(name) === 1 && !this.#outputs.has(name);
  }

  /** The single number that a value always holds. */
  #scalar(name: string): number | undefined {
    const value = this.#initializers.get(name);
    return value && value.data.length === 1 ? Number(value.data[0]) : undefined;
  }

  #same(a: string, b: string): boolean {
    const [x, y] = [this.#shape(a), this.#shape(b)];
    return (
      x !== undefined && y !== undefined && sameShape(x, y) && this.#known.get(a)?.dtype === this.#known.get(b)?.dtype
    );
  }

  /** Uses of the node's result go to `name` from now on. Outputs of the graph keep their own node. */
  #forward(node: Node, name: string): boolean {
    const out = node.outputs[0];
    if (this.#outputs.has(out)) return false;
    this.#alias.set(out, name);
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + (this.#uses.get(out) ?? 0) - 1);
    return true;
  }

  #define(name: string, like: Omit<ValueInfo, "name">): string {
    const info = { name, dtype: like.dtype, shape: like.shape };
    this.#values.set(name, info);
    this.#known.set(name, info);
    return name;
  }

  #replace(node: Node): boolean {
    const [x, y] = node.inputs;
    const out = node.outputs[0];
    switch (node.op) {
      case "Identity":
        return this.#forward(node, x);
      case "Cast":
        if (this.#same(x, out)) return this.#forward(node, x);
        break;
      case "Add":
        if (this.#scalar(y) === 0 && this.#same(x, out)) return this.#forward(node, x);
        if (this.#scalar(x) === 0 && this.#same(y, out)) return this.#forward(node, y);
        if (this.#addIntoGemm(node)) return true;
        break;
      case "Sub":
        if (this.#scalar(y) === 0 && this.#same(x, out)) return this.#forward(node, x);
        break;
      case "Div":
        if (this.#scalar(y) === 1 && this.#same(x, out)) return this.#forward(node, x);
        break;
      case "Mul":
        if (this.#scalar(y) === 1 && this.#same(x, out)) return this.#forward(node, x);
        if (this.#scalar(x) === 1 && this.#same(y, out)) return this.#forward(node, y);
        break;
      case "Neg": {
        const inner = this.#makers.get(x);
        if (inner?.op === "Neg") return this.#forward(node, inner.inputs[0]);
        break;
      }
      case "Transpose":
        if (this.#transpose(node)) return true;
        break;
      case "Reshape":
      case "Unsqueeze":
      case "Squeeze":
        if (this.#relayout(node)) return true;
        break;
      case "Expand":
        if (this.#same(x, out)) return this.#forward(node, x);
        break;
    }
    if (BROADCASTING.has(node.op) && this.#skipExpand(node)) return true;
    return this.#fold(node);
  }

  #transpose(node: Node): boolean {
    const order = intsAttribute(node.attributes, "perm");
    if (!order) return false;
    if (order.every((axis, i) => axis === i)) return this.#forward(node, node.inputs[0]);
    const inner = this.#makers.get(node.inputs[0]);
    if (!inner || inner.domain !== undefined) return false;
    if (inner.op === "Transpose") {
      const first = intsAttribute(inner.attributes, "perm");
      if (!first) return false;
      const both = order.map((axis) => first[axis]);
      if (both.every((axis, i) => axis === i)) return this.#forward(node, inner.inputs[0]);
      // Only the exchange of the last two axes rides along in a product, so such pairs stay apart.
      if (flipsLast(order) || flipsLast(first)) return false;
      this.#push({ ...node, inputs: [inner.inputs[0]], attributes: { perm: { kind: "ints", value: both } } });
      return true;
    }
    // (A·B)ᵀ = Bᵀ·Aᵀ: a transposed factor costs nothing, a transposed result is one more pass over it.
    if (inner.op !== "MatMul" || !flipsLast(order) || !this.#usedOnce(node.inputs[0])) return false;
    const [a, b] = inner.inputs.map((name) => {
      const info = this.#known.get(name);
      if (!info || info.shape.length !== order.length) return undefined;
      const flipped = this.#define(`${node.outputs[0]}/of ${name}`, {
        ...info,
        shape: order.map((axis) => info.shape[axis]),
      });
      return {
        flipped,
        node: { op: "Transpose", name: flipped, inputs: [name], outputs: [flipped], attributes: node.attributes },
      };
    });
    if (!a || !b) return false;
    if (a.flipped === b.flipped) return false;
    this.#push(a.node);
    this.#push(b.node);
    this.#push({ ...node, op: "MatMul", inputs: [b.flipped, a.flipped], attributes: {} });
    return true;
  }

  #relayout(node: Node): boolean {
    const [x] = node.inputs;
    if (this.#same(x, node.outputs[0])) return this.#forward(node, x);
    const inner = this.#makers.get(x);
    if (!inner || !RELAYOUT.has(inner.op) || inner.domain !== undefined) return false;
    const source = inner.inputs[0];
    if (this.#same(source, node.outputs[0])) return this.#forward(node, source);
    const target = node.op === "Reshape" ? this.#initializers.get(node.inputs[1]) : undefined;
    // A 0 in the target copies a size of the direct input, which would be another one then.
    const fixed =
      node.op === "Reshape" && (target === undefined ? false : !Array.from(target.data as BigInt64Array).includes(0n));
    if (!fixed) return false;
    this.#push({ ...node, inputs: [source, node.inputs[1]] });
    return true;
  }

  /** Gemm(A, B) + C becomes one node when the product is used nowhere else. */
  #addIntoGemm(node: Node): boolean {
    for (const at of [0, 1]) {
      const product = this.#makers.get(node.inputs[at]);
      const other = node.inputs[1 - at];
      if (product?.op !== "Gemm" || product.inputs.length !== 2 || product.domain !== undefined) continue;
      if (
        !this.#usedOnce(product.outputs[0]) ||
        !this.#same(other, node.outputs[0]) ||
        !this.#same(product.outputs[0], other)
      )
        continue;
      const attributes = { ...product.attributes };
      delete attributes.beta;
      this.#push({ ...node, op: "Gemm", inputs: [...product.inputs, other], attributes });
      return true;
    }
    return false;
  }

  #skipExpand(node: Node): boolean {
    const out = this.#shape(node.outputs[0]);
    for (const [at, name] of node.inputs.entries()) {
      const inner = this.#makers.get(name);
      if (inner?.op !== "Expand" || inner.domain !== undefined || !out) continue;
      // Some other operand must have the full shape already, or the result would shrink.
      const full = node.inputs.some((other, i) => i !== at && sameShape(this.#shape(other) ?? [], out));
      if (!full) continue;
      const inputs = [...node.inputs];
      inputs[at] = inner.inputs[0];
      this.#push({ ...node, inputs });
      return true;
    }
    return false;
  }

  #fold(node: Node): boolean {
    if (node.outputs.length !== 1) return false;
    const out = node.outputs[0];
    if (node.op === "Shape") {
      const shape = this.#shape(node.inputs[0]);
      const part = shape?.slice(
        intAttribute(node.attributes, "start", 0),
        intAttribute(node.attributes, "end", shape.length),
      );
      const source = this.#known.get(node.inputs[0]);
      if (!part || !isStatic(part) || source?.unknownRank) return false;
      return this.#constant(node, { dtype: "int64", dims: [part.length], data: BigInt64Array.from(part, BigInt) });
    }
    if (node.inputs.some((name) => name !== "" && !this.#initializers.has(name))) return false;
    const inputs = node.inputs.map((name) => this.#initializers.get(name));
    const value = foldNode(node, inputs);
    invariant(!value || this.#known.has(out), `the shape of "${out}" is not known`);
    return value ? this.#constant(node, value) : false;
  }

  #constant(node: Node, value: Tensor): boolean {
    const out = node.outputs[0];
    if (this.#outputs.has(out)) return false;
    this.#values.delete(out);
    this.#initializers.set(out, value);
    this.#known.set(out, { name: out, dtype: value.dtype, shape: value.dims });
    return true;
  }
}

/** True for an order that exchanges the last two axes and leaves the others. */
function flipsLast(order: readonly number[]): boolean {
  const last = order.length - 1;
  return last >= 1 && order.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
}

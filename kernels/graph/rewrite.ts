/** What a pass that matches patterns needs to know about a graph: who makes a value, who uses it, what it looks like. */
import { type Graph, intsAttribute, type Node, type ValueInfo } from "./ir.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** Operators of ONNX Runtime's own domain, and the version its passes write. */
export const MICROSOFT = "com.microsoft";

/** The same graph with the version of ONNX Runtime's own operators written down. */
export function withMicrosoft(graph: Graph): Graph {
  return { ...graph, domains: { ...graph.domains, [MICROSOFT]: 1 } };
}

/** A graph looked up by values. Read-only: passes collect what they change and make a new graph. */
export class GraphIndex {
  readonly graph: Graph;
  readonly #makers = new Map<string, Node>();
  readonly #uses = new Map<string, number>();
  readonly #infos = new Map<string, ValueInfo>();

  constructor(graph: Graph) {
    this.graph = graph;
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#makers.set(name, node);
      for (const name of node.inputs) if (name !== "") this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    }
    for (const { name } of graph.outputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    for (const info of [...graph.inputs, ...graph.outputs, ...graph.values.values()]) this.#infos.set(info.name, info);
    for (const [name, { dtype, dims }] of graph.initializers) this.#infos.set(name, { name, dtype, shape: dims });
  }

  /** The standard node that makes a value, when it is one of these operators. */
  maker(name: string | undefined, ...ops: string[]): Node | undefined {
    const node = name === undefined ? undefined : this.#makers.get(name);
    return node && node.domain === undefined && (ops.length === 0 || ops.includes(node.op)) ? node : undefined;
  }

  /** How many nodes and outputs read a value. */
  uses(name: string): number {
    return this.#uses.get(name) ?? 0;
  }

  info(name: string): ValueInfo | undefined {
    return this.#infos.get(name);
  }

  /** Known sizes, with undefined for those that are not; undefined when not even the rank is known. */
  shape(name: string): readonly (number | string)[] | undefined {
    const info = this.#infos.get(name);
    return info === undefined || info.unknownRank ? undefined : info.shape;
  }

  constant(name: string | undefined): Tensor | undefined {
    return name === undefined ? undefined : this.graph.initializers.get(name);
  }

  /** The number that a constant of one element holds. */
  scalar(name: string | undefined): number | undefined {
    const value = this.constant(name);
    return value?.data.length === 1 ? Number(value.data[0]) : undefined;
  }

  /** The whole numbers of a constant, or of a node's attribute of the name given. */
  integers(name: string | undefined): number[] | undefined {
    const value = this.constant(name);
    return value?.dtype === "int64" ? Array.from(value.data as BigInt64Array, Number) : undefined;
  }
}

export function isTranspose(node: Node | undefined, ...order: number[]): node is Node {
  return node?.op === "Transpose" && intsAttribute(node.attributes, "perm")?.join() === order.join();
}

/** Collects a pass's result: nodes in order, constants by name. */
export class GraphEdit {
  readonly nodes: Node[] = [];
  readonly initializers: Map<string, Tensor>;
  changes = 0;
  readonly #graph: Graph;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.initializers = new Map(graph.initializers);
  }

  add(op: string, inputs: string[], output: string, more: Partial<Pick<Node, "domain" | "attributes">> = {}): string {
    while (inputs.at(-1) === "") inputs.pop();
    this.nodes.push({ op, name: output, inputs, outputs: [output], attributes: {}, ...more });
    return output;
  }

  constant(name: string, value: Tensor): string {
    this.initializers.set(name, value);
    return name;
  }

  /** A constant row of whole numbers; equal names are equal rows. */
  integers(values: readonly number[]): string {
    const name = `integers_${values.join("_").replaceAll("-", "minus")}`;
    this.initializers.set(name, tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));
    return name;
  }

  finish(): Graph {
    return { ...this.#graph, nodes: this.nodes, initializers: this.initializers };
  }
}

/**
 * The intermediate form of a model: an ONNX graph as plain data. Values have a name, a type and a symbolic shape, nodes
 * have an operator, inputs, outputs and attributes. Nothing here runs anything.
 */
import type { DType, Tensor } from "./tensor.ts";

/** A size: known, or a name for one that is known only at run time ("b", "t", "2*b"). */
export type Dim = number | string;

export interface ValueInfo {
  name: string;
  dtype: DType;
  shape: readonly Dim[];
  /** True when a foreign file states no shape, not even its rank; `shape` is then empty and means nothing. */
  unknownRank?: true;
}

export type Attribute =
  | { kind: "int"; value: number }
  | { kind: "float"; value: number }
  | { kind: "string"; value: string }
  | { kind: "tensor"; value: Tensor }
  | { kind: "graph"; value: Graph }
  | { kind: "ints"; value: readonly number[] }
  | { kind: "floats"; value: readonly number[] }
  | { kind: "strings"; value: readonly string[] };

export interface Node {
  op: string;
  /** Absent for the standard operators. */
  domain?: string;
  name?: string;
  /** An empty name means that an optional input is left out. */
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
}

export interface Graph {
  name: string;
  /** Version of the standard operators. */
  opset: number;
  /** Versions of other operator domains, when nodes use them. */
  domains?: Record<string, number>;
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  /** Weights and constants, by value name. */
  initializers: Map<string, Tensor>;
  /** In an order in which every input is made before it is used. */
  nodes: Node[];
  /** What is known about the values that nodes make. */
  values: Map<string, ValueInfo>;
}

/** Version of the standard operators that our own graphs use, and of the file format. onnxruntime 1.30 loads both. */
export const OPSET = 21;
export const IR_VERSION = 10;

export const int = (value: number): Attribute => ({ kind: "int", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
export const string = (value: string): Attribute => ({ kind: "string", value });

/** The node for people: its name when it has one, else its operator and first output. */
export function describeNode(node: Node): string {
  return node.name ? `${node.op} node "${node.name}"` : `${node.op} node that makes "${node.outputs[0] ?? ""}"`;
}

export function intAttribute(attributes: Record<string, Attribute>, name: string, otherwise: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "int" ? attribute.value : otherwise;
}

export function floatAttribute(attributes: Record<string, Attribute>, name: string, otherwise: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "float" || attribute?.kind === "int" ? attribute.value : otherwise;
}

export function intsAttribute(attributes: Record<string, Attribute>, name: string): readonly number[] | undefined {
  const attribute = attributes[name];
  return attribute?.kind === "ints" ? attribute.value : undefined;
}

export function stringAttribute(attributes: Record<string, Attribute>, name: string, otherwise: string): string {
  const attribute = attributes[name];
  return attribute?.kind === "string" ? attribute.value : otherwise;
}

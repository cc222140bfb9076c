/** Reads ONNX files, our own and foreign ones, into the graph's plain form. Model files are data and are not trusted. */
import { ParallaxError } from "../protocol/errors.ts";
import { ONNX_TYPE } from "./builder.ts";
import type { Attribute, Dim, Graph, Node, ValueInfo } from "./ir.ts";
import type { ExternalReference } from "./onnx-write.ts";
import {
  asInteger,
  asMessage,
  asNumber,
  asString,
  broken,
  fields,
  pushDoubles,
  pushFloats,
  pushIntegers,
  pushNumbers,
} from "./protobuf.ts";
import { BYTES_PER_ELEMENT, type DType, type Tensor } from "./tensor.ts";

export interface DecodeOptions {
  /**
   * Called for each weight that lies outside of the file; returns exactly its bytes. The location has passed
   * `checkExternalLocation`. Without it, such a file is refused.
   */
  external?: (reference: ExternalReference, weight: string) => Uint8Array;
}

/** Deeper graphs inside of graphs are refused: real models stay under three. */
const MAX_DEPTH = 8;
const MAX_RANK = 64;
const DTYPES = new Map<number, DType>(Object.entries(ONNX_TYPE).map(([dtype, number]) => [number, dtype as DType]));

/**
 * A location inside of the model's own folder, as a list of steps.
 * @throws {ParallaxError} onnx.external-escape for absolute paths, drive letters and ".."
 */
export function checkExternalLocation(location: string): string[] {
  const steps = location.split(/[/\\]/);
  if (
    location === "" ||
    steps.includes("..") ||
    steps[0] === "" ||
    /^[a-zA-Z]:/.test(location) ||
    location.includes("\0")
  )
    throw new ParallaxError(
      "onnx.external-escape",
      `The model file asks for weights at "${location}", outside of its own folder.`,
      {
        hint: "Do not use this file; weights must lie beside the model.",
      },
    );
  return steps.filter((step) => step !== "." && step !== "");
}

function dtypeOf(number: number, what: string): DType {
  const dtype = DTYPES.get(number);
  if (dtype) return dtype;
  if (number === 0) throw broken(`${what} has no type.`);
  throw new ParallaxError("onnx.unsupported-type", `${what} has ONNX type number ${number}, which is not supported.`, {
    hint: `Supported types: ${Object.keys(ONNX_TYPE).join(", ")}.`,
  });
}

function aligned(raw: Uint8Array, size: number): { buffer: ArrayBuffer; offset: number } {
  if (raw.byteOffset % size === 0 && raw.buffer instanceof ArrayBuffer)
    return { buffer: raw.buffer, offset: raw.byteOffset };
  return { buffer: raw.slice().buffer as ArrayBuffer, offset: 0 };
}

/** Little-endian bytes as the array of a type; no copy where the bytes are aligned. */
function arrayOf(dtype: DType, raw: Uint8Array, count: number): Tensor["data"] {
  const { buffer, offset } = aligned(raw, BYTES_PER_ELEMENT[dtype]);
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, offset, count);
    case "float64":
      return new Float64Array(buffer, offset, count);
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer, offset, count);
    case "int64":
      return new BigInt64Array(buffer, offset, count);
    case "int32":
      return new Int32Array(buffer, offset, count);
    case "int8":
      return new Int8Array(buffer, offset, count);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer, offset, count);
  }
}

/** From the typed lists that older writers use instead of raw bytes. */
function fromNumbers(dtype: DType, numbers: number[], wide: bigint[]): Tensor["data"] {
  switch (dtype) {
    case "float32":
      return Float32Array.from(numbers);
    case "float64":
      return Float64Array.from(numbers);
    case "float16":
    case "bfloat16":
      return Uint16Array.from(numbers);
    case "int64":
      return BigInt64Array.from(wide);
    case "int32":
      return Int32Array.from(numbers);
    case "int8":
      return Int8Array.from(numbers);
    case "uint8":
    case "bool":
      return Uint8Array.from(numbers);
  }
}

function decodeTensor(bytes: Uint8Array, options: DecodeOptions): { name: string; tensor: Tensor } {
  const dims: number[] = [];
  let type = 0;
  let name = "";
  let raw: Uint8Array | undefined;
  let isExternal = false;
  const numbers: number[] = [];
  const wide: bigint[] = [];
  const entries = new Map<string, string>();
  for (const field of fields(bytes)) {
    if (field.number === 1) pushNumbers(field, dims);
    else if (field.number === 2) type = asNumber(field);
    else if (field.number === 4) pushFloats(field, numbers);
    else if (field.number === 5) pushNumbers(field, numbers);
    else if (field.number === 7) pushIntegers(field, wide);
    else if (field.number === 8) name = asString(field);
    else if (field.number === 9) raw = asMessage(field);
    else if (field.number === 10) pushDoubles(field, numbers);
    else if (field.number === 14) isExternal = asNumber(field) === 1;
    else if (field.number === 13) {
      let key = "";
      let value = "";
      for (const part of fields(asMessage(field))) {
        if (part.number === 1) key = asString(part);
        else if (part.number === 2) value = asString(part);
      }
      entries.set(key, value);
    }
  }
  const what = name === "" ? "A constant" : `The weight "${name}"`;
  const dtype = dtypeOf(type, what);
  let count = 1;
  if (dims.length > MAX_RANK) throw broken(`${what} has ${dims.length} dimensions; at most ${MAX_RANK} make sense.`);
  for (const dim of dims) {
    count *= dim;
    if (dim < 0 || !Number.isSafeInteger(count)) throw broken(`${what} has the impossible shape [${dims.join(", ")}].`);
  }
  const size = count * BYTES_PER_ELEMENT[dtype];
  if (isExternal) raw = readExternal(what, name, size, entries, options);
  if (raw === undefined) {
    const found = dtype === "int64" ? wide.length : numbers.length;
    if (found !== count) throw broken(`${what} has shape [${dims.join(", ")}] and ${found} numbers.`);
    return { name, tensor: { dtype, dims, data: fromNumbers(dtype, numbers, wide) } };
  }
  if (raw.length !== size)
    throw broken(
      `${what} has shape [${dims.join(", ")}], which takes ${size} bytes, and ${raw.length} bytes are there.`,
    );
  return { name, tensor: { dtype, dims, data: arrayOf(dtype, raw, count) } };
}

function readExternal(
  what: string,
  name: string,
  size: number,
  entries: Map<string, string>,
  options: DecodeOptions,
): Uint8Array {
  const location = entries.get("location") ?? "";
  checkExternalLocation(location);
  const number = (key: string, otherwise: number) => {
    const value = entries.get(key);
    if (value === undefined) return otherwise;
    if (!/^\d{1,15}$/.test(value)) throw broken(`${what} lies at ${key} "${value}", which is no number.`);
    return Number(value);
  };
  const reference = { location, offset: number("offset", 0), length: number("length", size) };
  if (reference.length !== size)
    throw broken(`${what} takes ${size} bytes and ${reference.length} are announced in "${location}".`);
  if (!options.external)
    throw new ParallaxError("onnx.external-data", `${what} lies outside of the model file, in "${location}".`, {
      hint: "Open the model by its path, with that file beside it.",
    });
  return options.external(reference, name);
}

function decodeValueInfo(bytes: Uint8Array): ValueInfo {
  let name = "";
  let type: Uint8Array | undefined;
  for (const field of fields(bytes)) {
    if (field.number === 1) name = asString(field);
    else if (field.number === 2) type = asMessage(field);
  }
  let tensorType: Uint8Array | undefined;
  for (const field of fields(type ?? new Uint8Array(0))) if (field.number === 1) tensorType = asMessage(field);
  if (!tensorType)
    throw new ParallaxError("onnx.unsupported-type", `The value "${name}" of the model is not a tensor.`, {
      hint: "Sequences, maps and optional values are not supported.",
    });
  let elementType = 0;
  let shape: Dim[] | undefined;
  for (const field of fields(tensorType)) {
    if (field.number === 1) elementType = asNumber(field);
    else if (field.number === 2) shape = decodeShape(asMessage(field));
  }
  const info: ValueInfo = { name, dtype: dtypeOf(elementType, `The value "${name}"`), shape: shape ?? [] };
  return shape ? info : { ...info, unknownRank: true };
}

function decodeShape(bytes: Uint8Array): Dim[] {
  const shape: Dim[] = [];
  for (const field of fields(bytes)) {
    if (field.number !== 1) continue;
    // A size without value or name is unknown; each gets a name of its own.
    let dim: Dim = `?${shape.length}`;
    for (const part of fields(asMessage(field))) {
      if (part.number === 1) dim = asNumber(part);
      else if (part.number === 2) dim = asString(part) || dim;
    }
    if (typeof dim === "number" && dim < 0) dim = `?${shape.length}`;
    shape.push(dim);
  }
  return shape;
}

function decodeAttribute(bytes: Uint8Array, options: DecodeOptions, depth: number): [string, Attribute] {
  let name = "";
  let type = 0;
  let single: Attribute | undefined;
  const floats: number[] = [];
  const integers: number[] = [];
  const strings: string[] = [];
  for (const field of fields(bytes)) {
    if (field.number === 1) name = asString(field);
    else if (field.number === 20) type = asNumber(field);
    else if (field.number === 2) {
      const value: number[] = [];
      pushFloats(field, value);
      single = { kind: "float", value: value[0] ?? 0 };
    } else if (field.number === 3) single = { kind: "int", value: asNumber(field) };
    else if (field.number === 4) single = { kind: "string", value: asString(field) };
    else if (field.number === 5) single = { kind: "tensor", value: decodeTensor(asMessage(field), options).tensor };
    else if (field.number === 6)
      single = { kind: "graph", value: decodeGraph(asMessage(field), 0, options, depth + 1) };
    else if (field.number === 7) pushFloats(field, floats);
    else if (field.number === 8) pushNumbers(field, integers);
    else if (field.number === 9) strings.push(asString(field));
  }
  if (type === 6) return [name, { kind: "floats", value: floats }];
  if (type === 7) return [name, { kind: "ints", value: integers }];
  if (type === 8) return [name, { kind: "strings", value: strings }];
  if (single) return [name, single];
  // Writers leave out zero: the type alone says what it is.
  if (type === 1) return [name, { kind: "float", value: 0 }];
  if (type === 2) return [name, { kind: "int", value: 0 }];
  if (type === 3) return [name, { kind: "string", value: "" }];
  throw new ParallaxError(
    "onnx.unsupported-attribute",
    `The attribute "${name}" has ONNX type number ${type}, which is not supported.`,
    {
      hint: "Export the model again with standard operators.",
    },
  );
}

function decodeNode(bytes: Uint8Array, options: DecodeOptions, depth: number): Node {
  const node: Node = { op: "", inputs: [], outputs: [], attributes: {} };
  for (const field of fields(bytes)) {
    if (field.number === 1) node.inputs.push(asString(field));
    else if (field.number === 2) node.outputs.push(asString(field));
    else if (field.number === 3) node.name = asString(field);
    else if (field.number === 4) node.op = asString(field);
    else if (field.number === 7) {
      const domain = asString(field);
      if (domain !== "" && domain !== "ai.onnx") node.domain = domain;
    } else if (field.number === 5) {
      const [name, attribute] = decodeAttribute(asMessage(field), options, depth);
      Object.defineProperty(node.attributes, name, {
        value: attribute,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
  }
  if (node.op === "") throw broken("a node has no operator.");
  return node;
}

function decodeGraph(bytes: Uint8Array, opset: number, options: DecodeOptions, depth: number): Graph {
  if (depth > MAX_DEPTH) throw broken(`graphs are nested more than ${MAX_DEPTH} deep.`);
  const graph: Graph = {
    name: "",
    opset,
    inputs: [],
    outputs: [],
    initializers: new Map(),
    nodes: [],
    values: new Map(),
  };
  for (const field of fields(bytes)) {
    if (field.number === 1) graph.nodes.push(decodeNode(asMessage(field), options, depth));
    else if (field.number === 2) graph.name = asString(field);
    else if (field.number === 5) {
      const { name, tensor } = decodeTensor(asMessage(field), options);
      if (name === "") throw broken("a weight has no name.");
      if (graph.initializers.has(name)) throw broken(`the weight "${name}" is there twice.`);
      graph.initializers.set(name, tensor);
    } else if (field.number === 11) graph.inputs.push(decodeValueInfo(asMessage(field)));
    else if (field.number === 12) graph.outputs.push(decodeValueInfo(asMessage(field)));
    else if (field.number === 13) {
      const info = decodeValueInfo(asMessage(field));
      graph.values.set(info.name, info);
    } else if (field.number === 15)
      throw new ParallaxError("onnx.unsupported-type", "The model has sparse weights, which are not supported.");
  }
  return graph;
}

/**
 * An ONNX file as a graph. Weights are views into `bytes` where they are aligned, so keep the bytes unchanged.
 *
 * @throws {ParallaxError} onnx.broken-file (cut short, damaged, no model at all), onnx.unsupported-type,
 *   onnx.unsupported-attribute, onnx.external-data, onnx.external-escape
 * Cost: linear in the size of the file; no length in the file is believed before it is checked.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Graph {
  let graphBytes: Uint8Array | undefined;
  let opset: number | undefined;
  let irVersion = 0n;
  const domains: Record<string, number> = {};
  for (const field of fields(bytes)) {
    if (field.number === 1) irVersion = asInteger(field);
    else if (field.number === 7) graphBytes = asMessage(field);
    else if (field.number === 8) {
      let domain = "";
      let version = 0;
      for (const part of fields(asMessage(field))) {
        if (part.number === 1) domain = asString(part);
        else if (part.number === 2) version = asNumber(part);
      }
      if (domain === "" || domain === "ai.onnx") opset = version;
      else domains[domain] = version;
    }
  }
  if (irVersion <= 0n || !graphBytes) throw broken(`${bytes.length} bytes without an ONNX graph were found.`);
  if (opset === undefined) throw broken("it does not say which version of the operators it uses.");
  const graph = decodeGraph(graphBytes, opset, options, 0);
  if (Object.keys(domains).length > 0) graph.domains = domains;
  return graph;
}

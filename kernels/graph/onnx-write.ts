/** Writes a graph as an ONNX file: protobuf wire format by hand, since a model needs only four of its wire types. */
import { ParallaxError } from "../protocol/errors.ts";
import { ONNX_TYPE } from "./builder.ts";
import { isUnknown } from "./dims.ts";
import { type Attribute, type Graph, IR_VERSION, type Node, type ValueInfo } from "./ir.ts";
import { BYTES_PER_ELEMENT, type Tensor } from "./tensor.ts";

/** Where the bytes of one weight lie outside of the ONNX file, relative to the file's own folder. */
export interface ExternalReference {
  location: string;
  offset: number;
  length: number;
}

export interface EncodeOptions {
  /** Weights (by name) that are only referred to. Everything else is written into the file. */
  externalData?: ReadonlyMap<string, ExternalReference>;
}

/** Protobuf's own limit for one message. */
const MAX_BYTES = 2 ** 31 - 1;
const text = new TextEncoder();

/** One message as a list of pieces, so that weights are copied only once, into the finished file. */
class Message {
  readonly pieces: Uint8Array[] = [];
  size = 0;

  #push(bytes: Uint8Array): void {
    this.pieces.push(bytes);
    this.size += bytes.length;
  }

  #varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const bytes: number[] = [];
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest === 0n ? low : low | 128);
    } while (rest !== 0n);
    this.#push(Uint8Array.from(bytes));
  }

  #key(field: number, wire: number): void {
    this.#varint(BigInt(field * 8 + wire));
  }

  int(field: number, value: number | bigint): this {
    this.#key(field, 0);
    this.#varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.#key(field, 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#key(field, 2);
    this.#varint(BigInt(value.length));
    this.#push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, text.encode(value));
  }

  message(field: number, value: Message): this {
    this.#key(field, 2);
    this.#varint(BigInt(value.size));
    this.pieces.push(...value.pieces);
    this.size += value.size;
    return this;
  }
}

function encodeTensor(name: string, value: Tensor, external?: ExternalReference): Message {
  const message = new Message();
  for (const dim of value.dims) message.int(1, dim);
  message.int(2, ONNX_TYPE[value.dtype]).string(8, name);
  if (external) {
    const entries = { location: external.location, offset: external.offset, length: external.length };
    for (const [key, entry] of Object.entries(entries))
      message.message(13, new Message().string(1, key).string(2, String(entry)));
    return message.int(14, 1);
  }
  return message.bytes(9, new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
}

/** ONNX Runtime takes equal names for equal sizes, so an unknown size is written without one. */
function encodeName(dim: string): Message {
  return isUnknown(dim) ? new Message() : new Message().string(2, dim);
}

function encodeValueInfo(info: ValueInfo): Message {
  const tensorType = new Message().int(1, ONNX_TYPE[info.dtype]);
  if (!info.unknownRank) {
    const shape = new Message();
    for (const dim of info.shape)
      shape.message(1, typeof dim === "number" ? new Message().int(1, dim) : encodeName(dim));
    tensorType.message(2, shape);
  }
  return new Message().string(1, info.name).message(2, new Message().message(1, tensorType));
}

function encodeAttribute(name: string, attribute: Attribute): Message {
  const message = new Message().string(1, name);
  switch (attribute.kind) {
    case "float":
      return message.float(2, attribute.value).int(20, 1);
    case "int":
      return message.int(3, attribute.value).int(20, 2);
    case "string":
      return message.string(4, attribute.value).int(20, 3);
    case "tensor":
      return message.message(5, encodeTensor("", attribute.value)).int(20, 4);
    case "graph":
      return message.message(6, encodeGraph(attribute.value, {})).int(20, 5);
    case "floats":
      for (const value of attribute.value) message.float(7, value);
      return message.int(20, 6);
    case "ints":
      for (const value of attribute.value) message.int(8, value);
      return message.int(20, 7);
    case "strings":
      for (const value of attribute.value) message.string(9, value);
      return message.int(20, 8);
  }
}

function encodeNode(node: Node): Message {
  const message = new Message();
  for (const name of node.inputs) message.string(1, name);
  for (const name of node.outputs) message.string(2, name);
  if (node.name !== undefined) message.string(3, node.name);
  message.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) message.message(5, encodeAttribute(name, attribute));
  if (node.domain !== undefined) message.string(7, node.domain);
  return message;
}

function encodeGraph(graph: Graph, options: EncodeOptions): Message {
  const message = new Message();
  for (const node of graph.nodes) message.message(1, encodeNode(node));
  message.string(2, graph.name);
  for (const [name, value] of graph.initializers)
    message.message(5, encodeTensor(name, value, options.externalData?.get(name)));
  for (const info of graph.inputs) message.message(11, encodeValueInfo(info));
  for (const info of graph.outputs) message.message(12, encodeValueInfo(info));
  for (const info of graph.values.values()) message.message(13, encodeValueInfo(info));
  return message;
}

/** Bytes that the weights of a graph take. */
export function weightBytes(graph: Graph): number {
  let sum = 0;
  for (const value of graph.initializers.values()) sum += value.data.length * BYTES_PER_ELEMENT[value.dtype];
  return sum;
}

/**
 * The graph as an ONNX file (IR version 10).
 *
 * @returns a new buffer; weights are copied into it unless `externalData` names them.
 * @throws {ParallaxError} onnx.too-large when the file would pass protobuf's limit of 2 GiB
 * Cost: one copy of the weights.
 */
export function encodeModel(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const model = new Message().int(1, IR_VERSION).string(2, "parallax").message(7, encodeGraph(graph, options));
  model.message(8, new Message().string(1, "").int(2, graph.opset));
  for (const [domain, version] of Object.entries(graph.domains ?? {}))
    model.message(8, new Message().string(1, domain).int(2, version));
  if (model.size > MAX_BYTES)
    throw new ParallaxError(
      "onnx.too-large",
      `The model "${graph.name}" takes ${model.size} bytes; a file can hold ${MAX_BYTES}.`,
      {
        hint: "Keep the weights outside of the file (externalData).",
      },
    );
  const bytes = new Uint8Array(model.size);
  let at = 0;
  for (const piece of model.pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

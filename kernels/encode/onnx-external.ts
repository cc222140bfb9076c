/**
 * Where an ONNX file keeps its weights. Tensors may lie in other files ("external data"), named by paths inside the model:
 * a path that leaves the model's folder would let a model read any file of this computer, so all are checked before ONNX
 * Runtime sees the model. Only the structure is read, never the numbers: a file of 2 GB costs a few milliseconds.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";

/** Fields of onnx.proto that lead to tensors, by message. */
const NESTED: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: "graph", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "entry" },
};
const MAX_DEPTH = 64;
const WINDOW = 1 << 16;

/**
 * Files with weights beside an ONNX file, as the model names them; most models have none.
 *
 * @throws {ParallaxError} encoder.not-an-encoder (not an ONNX file), encoder.outside-folder, encoder.missing-file
 */
export function externalDataFiles(file: string): string[] {
  const locations = readLocations(file);
  const folder = path.dirname(path.resolve(file));
  const home = modelHome(folder);
  for (const location of locations) {
    const target = path.resolve(folder, location);
    const outside = (where: string) =>
      new ParallaxError(
        "encoder.outside-folder",
        `${file} keeps weights in "${location}", which lies outside of its folder (${where}). A model must not read other files of this computer; nothing was loaded.`,
        { hint: "Use only models you trust; copy the weights beside the .onnx file.", details: { file, location } },
      );
    if (path.isAbsolute(location) || /^[a-z]:|^\\\\/i.test(location) || !isInside(folder, target))
      throw outside(target);
    if (!existsSync(target))
      throw new ParallaxError(
        "encoder.missing-file",
        `${file} keeps weights in "${location}", which is not there. Nothing was loaded.`,
        { hint: `Copy ${location} from the model into the same folder.`, details: { file, location } },
      );
    // A link may lead elsewhere; the hub's own cache links from "snapshots" to "blobs" of the same model.
    const real = realpathSync(target);
    if (!isInside(home, real)) throw outside(real);
  }
  return locations;
}

/** The folder that links may lead into: the model's, or the whole cache entry of the hub's own layout. */
function modelHome(folder: string): string {
  const real = realpathSync(folder);
  const parts = real.split(path.sep);
  const at = parts.findLastIndex((part) => part.startsWith("models--"));
  return at >= 0 && parts[at + 1] === "snapshots" ? parts.slice(0, at + 1).join(path.sep) : real;
}

function isInside(folder: string, target: string): boolean {
  const relative = path.relative(folder, target);
  return relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
}

function readLocations(file: string): string[] {
  const fd = openSync(file, "r");
  try {
    const reader = new Reader(fd, fstatSync(fd).size, file);
    const found = new Set<string>();
    walk(reader, "model", 0, reader.size, 0, found);
    return [...found];
  } finally {
    closeSync(fd);
  }
}

function walk(reader: Reader, kind: string, begin: number, end: number, depth: number, found: Set<string>): void {
  if (depth > MAX_DEPTH) throw reader.damaged("its parts are nested too deep");
  const nested = NESTED[kind] ?? {};
  for (let at = begin; at < end; ) {
    const tag = reader.varint(at, end);
    const field = Math.floor(tag.value / 8);
    at = tag.next;
    switch (tag.value % 8) {
      case 0:
        at = reader.varint(at, end).next;
        break;
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      case 2: {
        const length = reader.varint(at, end);
        const last = length.next + length.value;
        if (last > end) throw reader.damaged(`a part of ${length.value} bytes at ${length.next} ends past its parent`);
        const inner = nested[field];
        if (inner === "entry") readEntry(reader, length.next, last, found);
        else if (inner !== undefined) walk(reader, inner, length.next, last, depth + 1, found);
        at = last;
        break;
      }
      default:
        throw reader.damaged(`an unknown kind of field at byte ${at}`);
    }
    if (at > end) throw reader.damaged("a field ends past its parent");
  }
}

/** One key and value of external_data; the key "location" is the path. */
function readEntry(reader: Reader, begin: number, end: number, found: Set<string>): void {
  let key = "";
  let value = "";
  for (let at = begin; at < end; ) {
    const tag = reader.varint(at, end);
    if (tag.value % 8 !== 2) throw reader.damaged("external data that is not text");
    const length = reader.varint(tag.next, end);
    const last = length.next + length.value;
    if (last > end || length.value > 4096) throw reader.damaged("external data with a path that is too long");
    const text = reader.text(length.next, length.value);
    if (Math.floor(tag.value / 8) === 1) key = text;
    else value = text;
    at = last;
  }
  if (key === "location") found.add(value);
}

/** Reads a file through a small window. */
class Reader {
  readonly #fd: number;
  readonly #file: string;
  readonly size: number;
  readonly #window = Buffer.alloc(WINDOW);
  #start = 0;
  #length = 0;

  constructor(fd: number, size: number, file: string) {
    this.#fd = fd;
    this.size = size;
    this.#file = file;
  }

  damaged(problem: string): ParallaxError {
    return new ParallaxError(
      "encoder.not-an-encoder",
      `${this.#file} (${this.size} bytes) is not a whole ONNX file: ${problem}. Nothing was loaded.`,
      { hint: "Export or download the file again.", details: { file: this.#file, problem } },
    );
  }

  byte(at: number): number {
    if (at < this.#start || at >= this.#start + this.#length) {
      this.#start = at;
      this.#length = readSync(this.#fd, this.#window, 0, WINDOW, at);
      if (this.#length === 0) throw this.damaged("it ends early");
    }
    return this.#window[at - this.#start];
  }

  varint(at: number, end: number): { value: number; next: number } {
    let value = 0;
    for (let i = 0; i < 10 && at + i < end; i++) {
      const byte = this.byte(at + i);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) {
        // Lengths past 2^53 cannot be of this file; numbers that large are only skipped.
        return { value, next: at + i + 1 };
      }
    }
    throw this.damaged(`a number at byte ${at} has no end`);
  }

  text(at: number, length: number): string {
    return Buffer.from(Array.from({ length }, (_, i) => this.byte(at + i))).toString("utf8");
  }
}

/** Reads protobuf's wire format from bytes that may be cut short, damaged or made to do harm: every length is checked. */
import { ParallaxError } from "../protocol/errors.ts";

export function broken(message: string, details?: Record<string, unknown>): ParallaxError {
  return new ParallaxError("onnx.broken-file", `The model file cannot be read: ${message}`, {
    hint: "The file is damaged or was not downloaded completely; get it again.",
    ...(details ? { details } : {}),
  });
}

const text = new TextDecoder("utf-8", { fatal: true });

/** One field of a message. `value` is a bigint for whole numbers, bytes for everything that has a length. */
export interface Field {
  number: number;
  wire: 0 | 1 | 2 | 5;
  integer: bigint;
  bytes: Uint8Array;
}

class Cursor {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  varint(): bigint {
    let result = 0;
    let factor = 1;
    const start = this.at;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.bytes.length) throw broken(`it ends within a number at byte ${this.at} of a part.`);
      const byte = this.bytes[this.at++];
      if (i < 7) result += (byte & 127) * factor;
      if (byte < 128) return i < 7 ? BigInt(result) : this.#long(start);
      factor *= 128;
    }
    throw broken("a number has more than ten bytes.");
  }

  #long(start: number): bigint {
    let result = 0n;
    for (let i = start; i < this.at; i++) result |= BigInt(this.bytes[i] & 127) << BigInt(7 * (i - start));
    return BigInt.asUintN(64, result);
  }

  take(length: bigint, what: string): Uint8Array {
    const left = this.bytes.length - this.at;
    if (length > BigInt(left)) throw broken(`${what} of ${length} bytes is announced and ${left} bytes are left.`);
    const from = this.at;
    this.at += Number(length);
    return this.bytes.subarray(from, this.at);
  }
}

const EMPTY = new Uint8Array(0);

/** The fields of one message in order. Views into `bytes`, nothing is copied. @throws {ParallaxError} onnx.broken-file */
export function* fields(bytes: Uint8Array): Generator<Field> {
  const cursor = new Cursor(bytes);
  while (cursor.at < bytes.length) {
    const key = cursor.varint();
    const wire = Number(key & 7n);
    const number = Number(key >> 3n);
    if (number === 0 || number > 536_870_911) throw broken(`field number ${number} does not exist.`);
    if (wire === 0) yield { number, wire, integer: cursor.varint(), bytes: EMPTY };
    else if (wire === 1) yield { number, wire, integer: 0n, bytes: cursor.take(8n, "a field") };
    else if (wire === 2) yield { number, wire, integer: 0n, bytes: cursor.take(cursor.varint(), "a field") };
    else if (wire === 5) yield { number, wire, integer: 0n, bytes: cursor.take(4n, "a field") };
    else throw broken(`wire type ${wire} is not used by models.`);
  }
}

export function asString(field: Field): string {
  if (field.wire !== 2) throw broken(`field ${field.number} should be text.`);
  try {
    return text.decode(field.bytes);
  } catch (error) {
    throw new ParallaxError("onnx.broken-file", `The model file cannot be read: a name is not valid UTF-8.`, {
      cause: error,
    });
  }
}

export function asMessage(field: Field): Uint8Array {
  if (field.wire !== 2) throw broken(`field ${field.number} should be a message.`);
  return field.bytes;
}

export function asInteger(field: Field): bigint {
  if (field.wire !== 0) throw broken(`field ${field.number} should be a whole number.`);
  return BigInt.asIntN(64, field.integer);
}

/** A whole number that a double holds exactly. */
export function asNumber(field: Field): number {
  return exact(asInteger(field));
}

function exact(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    // "To the end" is written as the largest or smallest 64-bit number; any size is below this one.
    return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  }
  return number;
}

/** Repeated whole numbers: packed into one field or one by one. */
export function pushIntegers(field: Field, into: bigint[]): void {
  if (field.wire === 0) {
    into.push(asInteger(field));
    return;
  }
  const cursor = new Cursor(asMessage(field));
  while (cursor.at < cursor.bytes.length) into.push(BigInt.asIntN(64, cursor.varint()));
}

export function pushNumbers(field: Field, into: number[]): void {
  const values: bigint[] = [];
  pushIntegers(field, values);
  for (const value of values) into.push(exact(value));
}

export function pushFloats(field: Field, into: number[]): void {
  if (field.wire !== 2 && field.wire !== 5) throw broken(`field ${field.number} should hold numbers.`);
  if (field.bytes.length % 4 !== 0) throw broken(`${field.bytes.length} bytes are no whole number of float32 values.`);
  const view = new DataView(field.bytes.buffer, field.bytes.byteOffset, field.bytes.length);
  for (let at = 0; at < field.bytes.length; at += 4) into.push(view.getFloat32(at, true));
}

export function pushDoubles(field: Field, into: number[]): void {
  if (field.wire !== 2 && field.wire !== 1) throw broken(`field ${field.number} should hold numbers.`);
  if (field.bytes.length % 8 !== 0) throw broken(`${field.bytes.length} bytes are no whole number of float64 values.`);
  const view = new DataView(field.bytes.buffer, field.bytes.byteOffset, field.bytes.length);
  for (let at = 0; at < field.bytes.length; at += 8) into.push(view.getFloat64(at, true));
}

/**
 * The safetensors format: eight bytes of header length, a JSON header, one block of bytes. The header is checked in
 * full before a byte of data is believed, and tensors are read one by one, so a file larger than memory can be opened.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { type DType, elementCount, type Tensor, type TypedArrays } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { bfloatToFloat, halfToFloat } from "./half.ts";
import { scanJson } from "./json-scan.ts";

/** Longest header the format allows. */
const MAX_HEADER_BYTES = 100_000_000;

/** An object of objects with lists. */
const MAX_HEADER_DEPTH = 3;

/** Bits of each dtype that a header may name, and what we call it when we can read it. */
const DTYPES: Record<string, { bits: number; ours?: DType }> = {
  F64: { bits: 64, ours: "float64" },
  F32: { bits: 32, ours: "float32" },
  F16: { bits: 16, ours: "float16" },
  BF16: { bits: 16, ours: "bfloat16" },
  I64: { bits: 64, ours: "int64" },
  I32: { bits: 32, ours: "int32" },
  I8: { bits: 8, ours: "int8" },
  U8: { bits: 8, ours: "uint8" },
  BOOL: { bits: 8, ours: "bool" },
  I16: { bits: 16 },
  U16: { bits: 16 },
  U32: { bits: 32 },
  U64: { bits: 64 },
  F8_E4M3: { bits: 8 },
  F8_E5M2: { bits: 8 },
  F8_E8M0: { bits: 8 },
  C64: { bits: 64 },
};
const NAME_OF: Partial<Record<DType, string>> = Object.fromEntries(
  Object.entries(DTYPES).flatMap(([name, { ours }]) => (ours === undefined ? [] : [[ours, name]])),
);

export interface TensorEntry {
  readonly name: string;
  /** As the file says: "F32", "F16", … */
  readonly dtype: string;
  readonly dims: readonly number[];
  /** First and one past the last byte, counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface Safetensors {
  readonly path: string;
  readonly sizeBytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** The tensor in the file's own dtype. New buffer each time. */
  read(name: string): Tensor;
  /** The same, widened to float32 from F16, BF16, F64 or an integer type. */
  readFloat32(name: string): Tensor<"float32">;
  /** The file that a tensor's bytes lie in, from `entries.get(name).begin` on: this one, or a shard. */
  fileOf(name: string): string;
}

/**
 * Open a safetensors file and check its header: length, JSON, dtypes, shapes, offsets without gaps or overlaps, file
 * size. No tensor data is read and no file handle is kept.
 *
 * @throws {ParallaxError} safetensors.missing, safetensors.damaged (details.problem says what is wrong, with numbers)
 */
export function openSafetensors(path: string): Safetensors {
  const { sizeBytes, header, dataStart } = readHeader(path);
  const { entries, metadata } = checkHeader(path, header, dataStart, sizeBytes);
  const find = (name: string): TensorEntry => {
    const entry = entries.get(name);
    if (entry === undefined)
      throw new ParallaxError(
        "safetensors.missing-tensor",
        `${path} holds no tensor named "${name}". It holds ${entries.size}, for example ${[...entries.keys()].slice(0, 3).join(", ")}.`,
        { hint: "Check that the weights belong to this architecture.", details: { path, name } },
      );
    return entry;
  };
  const read = (name: string): Tensor => {
    const entry = find(name);
    const dtype = DTYPES[entry.dtype]?.ours;
    if (dtype === undefined)
      throw new ParallaxError(
        "safetensors.unsupported-dtype",
        `The tensor "${name}" of ${path} is stored as ${entry.dtype}, which Parallax does not read. Nothing was loaded.`,
        { hint: "Save the weights as F32, F16 or BF16.", details: { path, name, dtype: entry.dtype } },
      );
    const buffer = new ArrayBuffer(entry.end - entry.begin);
    readBytes(path, new Uint8Array(buffer), entry.begin);
    return { dtype, dims: entry.dims, data: viewAs(dtype, buffer) };
  };
  return {
    path,
    sizeBytes,
    metadata,
    entries,
    read,
    readFloat32: (name) => toFloat32(read(name)),
    fileOf: () => path,
  };
}

/** Any real tensor as float32; a float32 tensor is returned as it is. */
export function toFloat32(source: Tensor): Tensor<"float32"> {
  const { dtype, dims, data } = source;
  if (dtype === "float32") return source as Tensor<"float32">;
  if (dtype === "float16") return { dtype: "float32", dims, data: halfToFloat(data as Uint16Array) };
  if (dtype === "bfloat16") return { dtype: "float32", dims, data: bfloatToFloat(data as Uint16Array) };
  if (dtype === "int64") return { dtype: "float32", dims, data: Float32Array.from(data as BigInt64Array, Number) };
  return { dtype: "float32", dims, data: Float32Array.from(data as Float64Array) };
}

/**
 * Write tensors to a safetensors file, atomically. Tensors stand in the file in the given order, data 8-byte aligned.
 *
 * @param tensors  name → tensor in any dtype of ours (float16 and bfloat16 as raw bits).
 * @param metadata strings only, as the format demands; sentence-transformers expects {format: "pt"}.
 * @throws {ParallaxError} file.write-failed; an existing file stays as it was.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Record<string, Tensor>,
  metadata: Record<string, string> = { format: "pt" },
): void {
  const list: [string, Tensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dtype, dims, data }] of list) {
    if (data.length !== elementCount(dims))
      throw new ParallaxError(
        "tensor.shape-mismatch",
        `The tensor "${name}" of shape [${dims.join(", ")}] needs ${elementCount(dims)} numbers, found ${data.length}.`,
        { kind: "bug" },
      );
    header[name] = { dtype: NAME_OF[dtype], shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header), "utf8");
  const padded = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + padded, 0x20);
  head.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(head, 8);
  writeFileAtomically(
    path,
    (function* () {
      yield head;
      for (const [, { data }] of list) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    })(),
  );
}

function damaged(path: string, problem: string, details: Record<string, unknown> = {}): ParallaxError {
  return new ParallaxError(
    "safetensors.damaged",
    `${path} is not a whole safetensors file: ${problem}. Nothing was loaded from it.`,
    { hint: "Download or export the file again.", details: { path, problem, ...details } },
  );
}

function readHeader(path: string): { sizeBytes: number; header: unknown; dataStart: number } {
  const fd = openForReading(path);
  try {
    const sizeBytes = fstatSync(fd).size;
    if (sizeBytes < 8) throw damaged(path, `it has ${sizeBytes} bytes, a header alone needs 8`);
    const first = Buffer.alloc(8);
    readSync(fd, first, 0, 8, 0);
    const length = first.readBigUInt64LE(0);
    if (length > BigInt(sizeBytes - 8))
      throw damaged(path, `its header says it is ${length} bytes long, the file has ${sizeBytes} in all`);
    if (length > BigInt(MAX_HEADER_BYTES))
      throw damaged(path, `its header says it is ${length} bytes long, the format allows ${MAX_HEADER_BYTES}`);
    const bytes = Buffer.alloc(Number(length));
    readSync(fd, bytes, 0, bytes.length, 8);
    const { depth, twice } = scanJson(bytes, MAX_HEADER_DEPTH);
    if (depth > MAX_HEADER_DEPTH) throw damaged(path, `its header is nested more than ${MAX_HEADER_DEPTH} deep`);
    if (twice !== undefined)
      throw damaged(path, `its header has the name ${JSON.stringify(twice)} twice`, { name: twice });
    try {
      return { sizeBytes, header: JSON.parse(bytes.toString("utf8")), dataStart: 8 + bytes.length };
    } catch (error) {
      throw damaged(path, `its header is not JSON (${(error as Error).message})`);
    }
  } finally {
    closeSync(fd);
  }
}

function checkHeader(
  path: string,
  header: unknown,
  dataStart: number,
  sizeBytes: number,
): { entries: Map<string, TensorEntry>; metadata: Record<string, string> } {
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw damaged(path, "its header is not a JSON object");
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      metadata = Object.fromEntries(Object.entries((value ?? {}) as object).map(([k, v]) => [k, String(v)]));
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    const type = typeof dtype === "string" ? DTYPES[dtype] : undefined;
    if (type === undefined) throw damaged(path, `the tensor "${name}" has the unknown dtype ${JSON.stringify(dtype)}`);
    if (!isCounts(shape)) throw damaged(path, `the tensor "${name}" has the shape ${JSON.stringify(shape)}`);
    if (!isCounts(offsets) || offsets.length !== 2 || offsets[1] < offsets[0])
      throw damaged(path, `the tensor "${name}" has the offsets ${JSON.stringify(offsets)}`);
    const needed = (elementCount(shape) * type.bits) / 8;
    if (offsets[1] - offsets[0] !== needed)
      throw damaged(
        path,
        `the tensor "${name}" of shape [${shape.join(", ")}] and dtype ${dtype} needs ${needed} bytes, its offsets give ${offsets[1] - offsets[0]}`,
        { name },
      );
    entries.set(name, {
      name,
      dtype: dtype as string,
      dims: shape,
      begin: dataStart + offsets[0],
      end: dataStart + offsets[1],
    });
  }
  let at = dataStart;
  let before = "the header";
  for (const entry of [...entries.values()].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at)
      throw damaged(
        path,
        entry.begin < at
          ? `the tensor "${entry.name}" overlaps ${before}`
          : `${entry.begin - at} bytes between ${before} and "${entry.name}" belong to no tensor`,
        { name: entry.name },
      );
    at = entry.end;
    before = `"${entry.name}"`;
  }
  if (at !== sizeBytes)
    throw damaged(
      path,
      at > sizeBytes
        ? `it ends ${at - sizeBytes} bytes early (${sizeBytes} bytes, the header promises ${at})`
        : `${sizeBytes - at} bytes follow its last tensor`,
    );
  return { entries, metadata };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function openForReading(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError("safetensors.missing", `${path} could not be opened (${code}).`, {
      kind: code === "ENOENT" ? "user" : "environment",
      hint: "Check the path of the weights.",
      details: { path, systemCode: code },
      cause: error,
    });
  }
}

function readBytes(path: string, target: Uint8Array, position: number): void {
  const fd = openForReading(path);
  try {
    for (let done = 0; done < target.length; ) {
      const got = readSync(fd, target, done, Math.min(target.length - done, 1 << 30), position + done);
      if (got === 0) throw damaged(path, `it became shorter while it was read (at byte ${position + done})`);
      done += got;
    }
  } finally {
    closeSync(fd);
  }
}

function viewAs(dtype: DType, buffer: ArrayBuffer): TypedArrays[DType] {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer);
  }
}

/** NumPy's .npy format, version 1.0, float32 in C order: what `numpy.load` reads without options. */
import { readFileSync } from "node:fs";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { halfToFloat } from "./half.ts";

const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);

/**
 * Write float32 numbers of the given shape, little-endian, atomically.
 *
 * @throws {ParallaxError} tensor.shape-mismatch, file.write-failed
 */
export function writeNpy(path: string, data: Float32Array, dims: readonly number[]): void {
  if (data.length !== elementCount(dims))
    throw new ParallaxError(
      "tensor.shape-mismatch",
      `An array of shape [${dims.join(", ")}] needs ${elementCount(dims)} numbers, found ${data.length}.`,
      { kind: "bug" },
    );
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(", ")})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  // The whole head is a multiple of 64 bytes and ends with a line feed.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10 + length, 0x20);
  MAGIC.copy(head);
  head[6] = 1;
  head[7] = 0;
  head.writeUInt16LE(length, 8);
  head.write(text, 10, "latin1");
  head[head.length - 1] = 0x0a;
  writeFileAtomically(path, [head, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}

/**
 * Read a .npy file of real numbers (f2, f4, f8, little-endian; C order) as float32.
 *
 * @throws {ParallaxError} npy.damaged, npy.unsupported (Fortran order, objects, other dtypes)
 */
export function readNpy(path: string): Tensor<"float32"> {
  const bytes = readFileSync(path);
  const bad = (problem: string, code = "npy.damaged") =>
    new ParallaxError(code, `${path} could not be read as vectors: ${problem}. Nothing was loaded.`, {
      hint: "Save it with numpy.save(path, vectors.astype('float32')).",
      details: { path, problem },
    });
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(MAGIC)) throw bad("it does not begin like a .npy file");
  const start = bytes[6] === 1 ? 10 : 12;
  const length = bytes[6] === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const head = bytes.toString("latin1", start, start + length);
  const descr = /'descr':\s*'([^']*)'/.exec(head)?.[1];
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(head)?.[1];
  if (descr === undefined || shape === undefined)
    throw bad(`its header is ${JSON.stringify(head.slice(0, 80))}`, "npy.unsupported");
  if (/'fortran_order':\s*True/.test(head)) throw bad("its numbers are in Fortran order", "npy.unsupported");
  const dims = shape
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  const count = elementCount(dims);
  const width = { "<f2": 2, "<f4": 4, "<f8": 8 }[descr];
  if (width === undefined) throw bad(`its dtype is "${descr}", not float16, float32 or float64`, "npy.unsupported");
  if (bytes.length - start - length !== count * width)
    throw bad(
      `shape [${dims.join(", ")}] needs ${count * width} bytes, ${bytes.length - start - length} follow the header`,
    );
  const own = new Uint8Array(bytes.subarray(start + length)).buffer;
  const data =
    width === 2
      ? halfToFloat(new Uint16Array(own))
      : width === 4
        ? new Float32Array(own)
        : Float32Array.from(new Float64Array(own));
  return { dtype: "float32", dims, data };
}

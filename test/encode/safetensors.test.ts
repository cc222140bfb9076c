import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { floatToHalf, halfToFloat } from "../../kernels/encode/half.ts";
import { openSafetensors, writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";

const folder = mkdtempSync(path.join(tmpdir(), "parallax-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file with this header text and this many bytes of data. */
function raw(name: string, header: string, dataBytes: number, statedLength?: number): string {
  const file = path.join(folder, name);
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(statedLength ?? Buffer.byteLength(header)));
  writeFileSync(file, Buffer.concat([head, Buffer.from(header), Buffer.alloc(dataBytes)]));
  return file;
}

function problemOf(file: string): unknown {
  try {
    openSafetensors(file);
  } catch (error) {
    const { code, hint, details } = error as ParallaxError;
    expect(code).toBe("safetensors.damaged");
    expect(hint).toBeTruthy();
    return details?.problem;
  }
  return "none";
}

describe("safetensors", () => {
  test("gives back every dtype it wrote, and widens to float32", () => {
    const file = path.join(folder, "all.safetensors");
    const values = Float32Array.of(1, -2.5, 0.099975586, 65504);
    const tensors = {
      single: tensor("float32", [2, 2], values),
      half: tensor("float16", [4], floatToHalf(values)),
      bfloat: tensor("bfloat16", [2], Uint16Array.of(0x3f80, 0xc020)),
      double: tensor("float64", [1], Float64Array.of(Math.PI)),
      ids: tensor("int64", [1, 3], BigInt64Array.of(1n, -2n, 3n)),
    };
    writeSafetensors(file, tensors, { format: "pt", note: "ä" });
    const open = openSafetensors(file);
    expect(open.metadata).toEqual({ format: "pt", note: "ä" });
    expect(Object.fromEntries([...open.entries.keys()].map((name) => [name, open.read(name)]))).toEqual(tensors);
    expect(open.readFloat32("half").data).toEqual(Float32Array.of(1, -2.5, 0.099975586, 65504));
    expect(open.readFloat32("bfloat").data).toEqual(Float32Array.of(1, -2.5));
    expect(open.readFloat32("double").data).toEqual(Float32Array.of(Math.PI));
    expect(open.readFloat32("ids").data).toEqual(Float32Array.of(1, -2, 3));
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("rounds to half precision and back without loss for every half there is", () => {
    const bits = new Uint16Array(65536).map((_, i) => i);
    const back = floatToHalf(halfToFloat(bits));
    const wrong = [...bits].filter((b) => (b & 0x7fff) <= 0x7c00 && back[b] !== b);
    expect(wrong).toEqual([]);
    // Halfway cases go to the even neighbour: 1 + 2^-11 → 1, 1 + 3·2^-11 → 1 + 2^-9.
    expect([...floatToHalf(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65520, 2 ** -25))]).toEqual([
      0x3c00, 0x3c02, 0x7c00, 0,
    ]);
  });

  test("names what is wrong with a file that is not whole", () => {
    const one = (fields: string) => `{"w":{${fields}}}`;
    expect(problemOf(raw("a", "", 0, 0).replace(/$/, ""))).toMatch(/not JSON/);
    expect(problemOf(raw("b", "{}", 0, 1e9))).toBe(
      "its header says it is 1000000000 bytes long, the file has 10 in all",
    );
    expect(problemOf(raw("c", "[1]", 0))).toBe("its header is not a JSON object");
    expect(problemOf(raw("d", one('"dtype":"F99","shape":[1],"data_offsets":[0,4]'), 4))).toBe(
      'the tensor "w" has the unknown dtype "F99"',
    );
    expect(problemOf(raw("e", one('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), 4))).toBe(
      'the tensor "w" has the shape [-1]',
    );
    expect(problemOf(raw("f", one('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), 4))).toBe(
      'the tensor "w" of shape [2] and dtype F32 needs 8 bytes, its offsets give 4',
    );
    expect(problemOf(raw("g", one('"dtype":"F32","shape":[1],"data_offsets":[4,0]'), 4))).toBe(
      'the tensor "w" has the offsets [4,0]',
    );
    const two = (second: string) =>
      `{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[1],"data_offsets":${second}}}`;
    expect(problemOf(raw("h", two("[4,8]"), 8))).toBe('the tensor "v" overlaps "w"');
    expect(problemOf(raw("i", two("[12,16]"), 16))).toBe('4 bytes between "w" and "v" belong to no tensor');
    expect(problemOf(raw("j", two("[8,12]"), 20))).toBe("8 bytes follow its last tensor");
    const w = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
    expect(problemOf(raw("k", `{"w":${w},"v":1,"\\u0077":${w}}`, 4))).toBe('its header has the name "w" twice');
    expect(problemOf(raw("l", one('"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]'), 4))).toBe(
      'its header has the name "shape" twice',
    );
    expect(problemOf(raw("m", one('"dtype":"F32","shape":[1],"data_offsets":[-4,0]'), 4))).toBe(
      'the tensor "w" has the offsets [-4,0]',
    );
    expect(problemOf(raw("n", one(`"dtype":"F32","shape":${"[".repeat(1e6)}`), 4))).toBe(
      "its header is nested more than 3 deep",
    );
    expect(problemOf(raw("o", " ", 0, 2 ** 62))).toMatch(/^its header says it is 4611686018427387904 bytes long/);
    const short = path.join(folder, "short");
    writeFileSync(short, "abc");
    expect(problemOf(short)).toBe("it has 3 bytes, a header alone needs 8");
  });

  test("notices a truncated file before reading any tensor", () => {
    const file = path.join(folder, "cut.safetensors");
    writeSafetensors(file, { w: tensor("float32", [100], new Float32Array(100)) });
    truncateSync(file, readFileSync(file).length - 100);
    expect(problemOf(file)).toMatch(/^it ends 100 bytes early/);
  });

  test("says which tensor and dtype it cannot give", () => {
    const file = raw("f8", '{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', 4);
    const open = openSafetensors(file);
    expect(() => open.read("w")).toThrow(/"w".*F8_E4M3/);
    expect(() => open.read("v")).toThrow(/no tensor named "v"/);
    expect(() => openSafetensors(path.join(folder, "nowhere"))).toThrow(/ENOENT/);
  });

  test("keeps the old file when writing fails", () => {
    const file = path.join(folder, "kept.safetensors");
    writeSafetensors(file, { w: tensor("float32", [1], Float32Array.of(7)) });
    const bad = { w: { dtype: "float32", dims: [2], data: Float32Array.of(1) } as const };
    expect(() => writeSafetensors(file, bad)).toThrow(/needs 2 numbers/);
    expect(openSafetensors(file).read("w").data).toEqual(Float32Array.of(7));
  });
});

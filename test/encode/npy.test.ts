import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../kernels/encode/npy.ts";

const folder = mkdtempSync(path.join(tmpdir(), "parallax-npy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("reads back what it wrote, for one, two and zero rows", () => {
  for (const dims of [[3], [2, 3], [0, 3]]) {
    const file = path.join(folder, "x.npy");
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i / 7);
    writeNpy(file, data, dims);
    expect(readNpy(file)).toEqual({ dtype: "float32", dims, data });
  }
});

const python = "/usr/bin/python3";
const hasNumpy = spawnSync(python, ["-c", "import numpy"]).status === 0;

test.skipIf(!hasNumpy)("agrees with NumPy in both directions", () => {
  const file = path.join(folder, "ours.npy");
  writeNpy(file, Float32Array.of(1, 2, 3, 4.5, 5, 6), [2, 3]);
  const script = `import numpy, sys
a = numpy.load(sys.argv[1]); print(a.dtype, a.tolist())
numpy.save(sys.argv[2], a.astype("float64").T.copy())`;
  const theirs = path.join(folder, "theirs.npy");
  expect(execFileSync(python, ["-c", script, file, theirs], { encoding: "utf8" }).trim()).toBe(
    "float32 [[1.0, 2.0, 3.0], [4.5, 5.0, 6.0]]",
  );
  expect(readNpy(theirs)).toEqual({ dtype: "float32", dims: [3, 2], data: Float32Array.of(1, 4.5, 2, 5, 3, 6) });
});

test("says why a file is not vectors", () => {
  const file = path.join(folder, "bad.npy");
  writeFileSync(file, "hello, this is text");
  expect(() => readNpy(file)).toThrow(/does not begin like a .npy file/);
});

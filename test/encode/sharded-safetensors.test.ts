import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { openWeights, weightFiles } from "../../kernels/encode/sharded-safetensors.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-shards-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const numbers = (...values: number[]): Tensor => tensor("float32", [values.length], Float32Array.from(values));

/** A model of three tensors in two files, and its index after a change. */
function model(change?: (index: Record<string, unknown>) => void): string {
  const folder = mkdtempSync(path.join(root, "model-"));
  writeSafetensors(
    path.join(folder, "a.safetensors"),
    new Map([
      ["x", numbers(1, 2)],
      ["y", numbers(3)],
    ]),
  );
  writeSafetensors(path.join(folder, "b.safetensors"), new Map([["z", numbers(4, 5, 6)]]));
  const index: Record<string, unknown> = { x: "a.safetensors", y: "a.safetensors", z: "b.safetensors" };
  change?.(index);
  const file = path.join(folder, "model.safetensors.index.json");
  writeFileSync(file, JSON.stringify({ metadata: { total_size: 24 }, weight_map: index }));
  return file;
}

function refusal(call: () => unknown): ParallaxError {
  try {
    call();
  } catch (error) {
    if (error instanceof ParallaxError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("weights in several files", () => {
  it("are read as one", () => {
    const file = model();
    const weights = openWeights(file);
    expect([...weights.entries.keys()]).toEqual(["x", "y", "z"]);
    expect(["x", "y", "z"].map((name) => [...weights.readFloat32(name).data])).toEqual([[1, 2], [3], [4, 5, 6]]);
    expect(weightFiles(file).shards.map((shard) => path.basename(shard))).toEqual(["a.safetensors", "b.safetensors"]);
  });

  it("are refused when a file is missing, by its name", () => {
    const file = model();
    rmSync(path.join(path.dirname(file), "b.safetensors"));
    const error = refusal(() => openWeights(file));
    expect(error.code).toBe("safetensors.missing");
    expect(error.message).toContain("1 of them are not there: b.safetensors");
  });

  it.each<[string, (index: Record<string, unknown>) => void, string]>([
    [
      "names another file for a tensor",
      (index) => (index.z = "a.safetensors"),
      '"z" is in a.safetensors, which does not hold it',
    ],
    ["leaves a tensor out", (index) => delete index.y, 'does not list "y", which a.safetensors holds'],
    ["leaves the folder", (index) => (index.z = "../b.safetensors"), 'the file "../b.safetensors", which lies outside'],
    ["leaves the folder in the Windows way", (index) => (index.z = "..\\b.safetensors"), "which lies outside"],
    ["names a pickle", (index) => (index.z = "b.bin"), "not a safetensors file"],
    ["names nothing", (index) => (index.z = null), "not a safetensors file"],
  ])("are refused when the index %s", (_, change, part) => {
    const error = refusal(() => openWeights(model(change)));
    expect(error.code).toBe("safetensors.damaged");
    expect(error.message).toContain(part);
  });
});

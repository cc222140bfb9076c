/** The weights of an encoder from a safetensors file: names made equal, shapes compared with config.json, every number finite. */
import type { Tensor } from "../graph/tensor.ts";
import { type Architecture, architectureSizes, canonicalName, weightShapes } from "../model/architecture.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type Safetensors, toFloat32 } from "./safetensors.ts";

/** Weights by their plain names ("encoder.layer.0.attention.self.query.weight"), float32, read when first asked for. */
export interface ModelWeights extends Weights {
  get(name: string): Tensor<"float32">;
  /** Where numbers that were read lie on disk as they are in memory; only float32 files have such. */
  readonly origins: ReadonlyMap<ArrayBufferView, Origin>;
}

export interface Origin {
  file: string;
  /** First byte in the file. */
  offset: number;
}

/**
 * The file's weights for this configuration. Shapes are checked now, from the header; numbers when a weight is read.
 *
 * @throws {ParallaxError} encoder.missing-weight, encoder.wrong-shape; from get: encoder.not-finite
 */
export function modelWeights(file: Safetensors, architecture: Architecture): ModelWeights {
  const stored = new Map<string, string>();
  for (const name of file.entries.keys()) {
    const plain = canonicalName(name, architecture);
    if (!stored.has(plain)) stored.set(plain, name);
  }
  const shapes = weightShapes(architecture);
  for (const [name, shape] of shapes) {
    const entry = file.entries.get(stored.get(name) ?? "");
    if (entry === undefined)
      throw new ParallaxError(
        "encoder.missing-weight",
        `${file.path} has no weight "${name}", which a ${architecture.family} encoder of ${architectureSizes(architecture).layers} layers needs. It holds ${file.entries.size} tensors, for example ${[...file.entries.keys()].slice(0, 2).join(", ")}. Nothing was loaded.`,
        {
          hint: "Check that config.json and the weights belong to the same model.",
          details: { file: file.path, name },
        },
      );
    if (entry.dims.length !== shape.length || entry.dims.some((size, i) => size !== shape[i]))
      throw new ParallaxError(
        "encoder.wrong-shape",
        `The weight "${name}" in ${file.path} has the shape [${entry.dims.join(", ")}], config.json asks for [${shape.join(", ")}]. Nothing was loaded.`,
        {
          hint: "Copy config.json and the weights from the same model.",
          details: { file: file.path, name, expected: shape, found: entry.dims },
        },
      );
  }
  // Kept while the graph is built, which asks for each weight twice.
  const read = new Map<string, Tensor<"float32">>();
  const origins = new Map<ArrayBufferView, Origin>();
  return {
    origins,
    names: () => [...shapes.keys()],
    has: (name) => shapes.has(name),
    get(name) {
      let weight = read.get(name);
      if (weight === undefined) {
        const own = stored.get(name) ?? name;
        weight = toFloat32(file.read(own));
        const entry = file.entries.get(own);
        if (entry?.dtype === "F32") origins.set(weight.data, { file: file.fileOf(own), offset: entry.begin });
        checkFinite(weight, name, file.path);
        read.set(name, weight);
      }
      return weight;
    },
  };
}

function checkFinite(weight: Tensor<"float32">, name: string, file: string): void {
  const { data } = weight;
  // x − x is 0 for every finite number: one addition a weight, no branch.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] - data[i];
  if (sum === 0) return;
  const at = data.findIndex((value) => !Number.isFinite(value));
  const bad = data.reduce((n, value) => n + (Number.isFinite(value) ? 0 : 1), 0);
  throw new ParallaxError(
    "encoder.not-finite",
    `The weight "${name}" in ${file} has ${bad} of ${data.length} numbers that are not finite; the first is ${data[at]} at position ${at}. Every vector would be NaN, so nothing was loaded.`,
    { hint: "Download or export the weights again.", details: { file, name, position: at, count: bad } },
  );
}

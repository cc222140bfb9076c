/** The tensors of a trained model by name, and the checks they must pass before a graph is built on them. */

import { formatShape } from "../graph/dims.ts";
import type { Tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";

export interface Weights {
  /** @throws {ParallaxError} weights.missing */
  get(name: string): Tensor;
  has(name: string): boolean;
  names(): string[];
}

/** Weights that are already in memory. */
export function weightsOf(tensors: ReadonlyMap<string, Tensor>): Weights {
  return {
    get(name) {
      const value = tensors.get(name);
      if (!value) throw missing(name, [...tensors.keys()]);
      return value;
    },
    has: (name) => tensors.has(name),
    names: () => [...tensors.keys()],
  };
}

function missing(name: string, names: readonly string[]): ParallaxError {
  const shown = names.slice(0, 5).join(", ");
  return new ParallaxError(
    "weights.missing",
    `The model has no tensor "${name}" (it has ${names.length}: ${shown}${names.length > 5 ? ", …" : ""}).`,
    { hint: "Check that the folder holds the whole model and that its architecture is the one in config.json." },
  );
}

/** The same tensors under other names; of two that get one name, the first counts. */
export function renamedWeights(weights: Weights, rename: (name: string) => string): Weights {
  const original = new Map<string, string>();
  for (const name of weights.names()) {
    const renamed = rename(name);
    if (!original.has(renamed)) original.set(renamed, name);
  }
  return {
    get(name) {
      const found = original.get(name);
      if (found === undefined) throw missing(name, [...original.keys()]);
      return weights.get(found);
    },
    has: (name) => original.has(name),
    names: () => [...original.keys()],
  };
}

/**
 * Every expected tensor is there in its shape, in a type that graphs can use.
 * @throws {ParallaxError} weights.missing, weights.wrong-shape, weights.wrong-type (each names the tensor)
 */
export function checkShapes(weights: Weights, expected: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, dims] of expected) {
    const { dims: found, dtype } = weights.get(name);
    if (found.length !== dims.length || found.some((dim, i) => dim !== dims[i]))
      throw new ParallaxError(
        "weights.wrong-shape",
        `The tensor "${name}" has shape ${formatShape(found)}; the configuration asks for ${formatShape(dims)}.`,
        {
          hint: "config.json and the weights belong to different models; get both from the same place.",
          details: { tensor: name, expected: [...dims], found: [...found] },
        },
      );
    if (dtype !== "float32" && dtype !== "float64")
      throw new ParallaxError("weights.wrong-type", `The tensor "${name}" is ${dtype}; float32 is needed.`, {
        kind: "bug",
        details: { tensor: name, dtype },
      });
  }
}

export interface NonFinite {
  tensor: string;
  /** Position in row-major order. */
  index: number;
  value: number;
}

/** The first number that is NaN or infinite, or null. Cost: one pass over the weights (about 35 ms for 22 million). */
export function findNonFinite(weights: Weights, names: Iterable<string> = weights.names()): NonFinite | null {
  for (const tensor of names) {
    const { dtype, data } = weights.get(tensor);
    if (dtype !== "float32" && dtype !== "float64") continue;
    const numbers = data as Float32Array;
    for (let index = 0; index < numbers.length; index++) {
      // x − x is 0 for every finite number and NaN for all others.
      if (numbers[index] - numbers[index] !== 0) return { tensor, index, value: numbers[index] };
    }
  }
  return null;
}

/** @throws {ParallaxError} weights.not-finite with the tensor's name and the position */
export function checkFinite(weights: Weights, names?: Iterable<string>): void {
  const found = findNonFinite(weights, names);
  if (!found) return;
  throw new ParallaxError(
    "weights.not-finite",
    `The tensor "${found.tensor}" holds ${found.value} at position ${found.index}; the model would only give NaN.`,
    {
      hint: "The file is damaged or training diverged; use an earlier checkpoint or get the file again.",
      details: { ...found },
    },
  );
}

/** Low-rank adapters (Hu et al. 2021, section 4.1): W x + (alpha / rank) · B A x, with W left as it is. */
import type { GraphBuilder, Value } from "../graph/builder.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import type { Lora } from "../protocol/run-files.ts";
import type { Architecture } from "./architecture.ts";
import type { DropoutSites } from "./dropout.ts";
import type { WeightProvider } from "./encoder-parts.ts";
import { type LinearLayer, linearLayers } from "./layers.ts";

export const loraA = (prefix: string) => `${prefix}.lora_A.weight`;
export const loraB = (prefix: string) => `${prefix}.lora_B.weight`;

/** The linear layers with an adapter. */
export function adaptedLayers(architecture: Architecture, lora: Lora): LinearLayer[] {
  return linearLayers(architecture).filter(({ target }) => lora.targets.includes(target));
}

/** Shapes of the adapters' weights: A [rank, in] and B [out, rank] of each layer. */
export function loraShapes(architecture: Architecture, lora: Lora): Map<string, number[]> {
  return new Map(
    adaptedLayers(architecture, lora).flatMap(({ prefix, inner, outer }): [string, number[]][] => [
      [loraA(prefix), [lora.rank, inner]],
      [loraB(prefix), [outer, lora.rank]],
    ]),
  );
}

/** The adapters of a graph that is being built. */
export class Adapters {
  readonly #prefixes: ReadonlySet<string>;
  readonly #lora: Lora;
  readonly #weight: WeightProvider;
  readonly #dropout: DropoutSites | null;

  /** @param dropout where their input is dropped in training; null outside of it. */
  constructor(architecture: Architecture, lora: Lora, weight: WeightProvider, dropout: DropoutSites | null) {
    this.#prefixes = new Set(adaptedLayers(architecture, lora).map(({ prefix }) => prefix));
    this.#lora = lora;
    this.#weight = weight;
    this.#dropout = dropout;
  }

  /**
   * y + factor · (alpha / rank) · B A dropout(x), or y where the layer has no adapter.
   * @param y float [n, out], what the layer itself gives; @param x float [n, in]
   */
  add(b: GraphBuilder, y: Value, x: Value, prefix: string, factor: number): Value {
    if (!this.#prefixes.has(prefix)) return y;
    const { alpha, rank, dropout } = this.#lora;
    const dropped = this.#dropout?.apply(b, x, loraA(prefix), dropout) ?? x;
    const down = b.gemm(dropped, this.#weight(loraA(prefix)), undefined, { transB: true }); // [n, rank]
    return b.gemm(down, this.#weight(loraB(prefix)), y, { transB: true, alpha: (factor * alpha) / rank });
  }
}

/**
 * The layer's weight with its adapter inside: W + (alpha / rank) · B A, float32 [out, in]. Sums are made in float64.
 * Cost: out · in · rank products.
 */
export function mergeAdapter(weight: Tensor, a: Tensor, b: Tensor, { alpha, rank }: Lora): Tensor<"float32"> {
  const [outer, inner] = weight.dims as [number, number];
  const scale = alpha / rank;
  const [w, down, up] = [weight.data, a.data, b.data] as [Float32Array, Float32Array, Float32Array];
  const merged = new Float32Array(outer * inner);
  const row = new Float64Array(inner);
  for (let i = 0; i < outer; i++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = up[i * rank + k]! * scale;
      for (let j = 0; j < inner; j++) row[j] = row[j]! + factor * down[k * inner + j]!;
    }
    for (let j = 0; j < inner; j++) merged[i * inner + j] = w[i * inner + j]! + row[j]!;
  }
  return tensor("float32", [outer, inner], merged);
}

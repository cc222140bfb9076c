/** The weights of a run: those that are trained lie in the parameter memory, the others are read from the source once. */
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { modelWeights } from "../encode/model-weights.ts";
import type { Safetensors } from "../encode/safetensors.ts";
import { openWeights } from "../encode/sharded-safetensors.ts";
import { elementCount, type Tensor, tensor } from "../graph/tensor.ts";
import { type Architecture, weightShapes } from "../model/architecture.ts";
import { type DenseHead, denseNames } from "../model/dense.ts";
import { layerOf } from "../model/layers.ts";
import { adaptedLayers, loraA, loraB, mergeAdapter } from "../model/lora.ts";
import type { TrainingStep } from "../model/training.ts";
import { type Weights, weightsOf } from "../model/weights.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { ParameterMemory } from "./parameter-memory.ts";
import { Random } from "./prng.ts";

type Settings = Pick<RunConfig, "batchSize" | "accumulate" | "chunk" | "maxTokens" | "layerDecay" | "lora" | "seed">;

export class TrainedWeights {
  readonly memory: ParameterMemory;
  /** Every weight of the step as it is now: encoder, dense heads, adapters. The trained ones are views of the memory. */
  readonly all: Weights;
  /** Numbers that are trained, and numbers in all. */
  readonly count: number;
  readonly total: number;
  readonly #file: Safetensors;
  readonly #model: Architecture;
  readonly #heads: readonly DenseHead[];
  readonly #settings: Settings;

  /**
   * Weights are zero until `reset`.
   * @throws {ParallaxError} train.too-large, train.no-memory, encoder.*
   */
  constructor(
    spec: EncoderSpec,
    model: Architecture,
    heads: readonly DenseHead[],
    step: TrainingStep,
    settings: Settings,
  ) {
    this.#model = model;
    this.#heads = heads;
    this.#settings = settings;
    const { layers } = model.config;
    // The top layer and what is above it learn at the full rate.
    const rate = (name: string) => settings.layerDecay ** Math.max(0, layers - 1 - layerOf(name, model));
    const { wordRows, weightShapes: shapes } = step;
    const texts = step.columns * settings.batchSize * settings.accumulate;
    this.memory = new ParameterMemory(
      step.trainedNames.map((name) => ({ name, dims: shapes.get(name)!, rate: rate(name) })),
      wordRows === undefined
        ? null
        : {
            name: wordRows.weight,
            dims: shapes.get(wordRows.weight) as [number, number],
            maxTouched: Math.min(shapes.get(wordRows.weight)![0]!, texts * settings.maxTokens),
            rate: rate(wordRows.weight),
          },
      { sums: settings.accumulate > 1 || settings.chunk !== null },
    );
    const trained = new Map<string, Tensor>(
      this.memory.parameters.map(({ name, dims, weight }) => [name, tensor("float32", dims, weight)]),
    );
    const { sparse } = this.memory;
    if (sparse !== null) trained.set(sparse.name, tensor("float32", [sparse.rows, sparse.width], sparse.weight));
    this.#file = openWeights(spec.weights.file);
    const source = this.#source();
    // In the order of the architecture, as exports are written.
    this.all = weightsOf(new Map([...shapes.keys()].map((name) => [name, trained.get(name) ?? source(name)])));
    this.count = this.memory.count + (sparse?.weight.length ?? 0);
    this.total = [...shapes.values()].reduce((sum, dims) => sum + elementCount(dims), 0);
  }

  /** The source's weights, fresh adapters, moments at zero. */
  reset(): void {
    const source = this.#source();
    for (const { name, weight, first, second } of this.memory.parameters) {
      weight.set(source(name).data as Float32Array);
      first.fill(0);
      second.fill(0);
    }
    const { sparse } = this.memory;
    if (sparse === null) return;
    sparse.weight.set(source(sparse.name).data as Float32Array);
    sparse.first.fill(0);
    sparse.second.fill(0);
  }

  /** The encoder's weights under plain names, adapters merged into them. */
  merged(): Weights {
    const names = [...weightShapes(this.#model).keys()];
    const current = new Map(names.map((name) => [name, this.all.get(name)]));
    const { lora } = this.#settings;
    if (lora !== null)
      for (const { prefix } of adaptedLayers(this.#model, lora)) {
        const name = `${prefix}.weight`;
        current.set(
          name,
          mergeAdapter(current.get(name)!, this.all.get(loraA(prefix)), this.all.get(loraB(prefix)), lora),
        );
      }
    return weightsOf(current);
  }

  /** The dense heads as they are now. */
  denseHeads(): DenseHead[] {
    return this.#heads.map(({ bias, activation }, i) => {
      const names = denseNames(i);
      return {
        weight: this.all.get(names.weight),
        bias: bias === null ? null : this.all.get(names.bias),
        activation,
      };
    });
  }

  /** The adapters' weights by name, or null when the weights themselves are trained. */
  get adapters(): ReadonlyMap<string, Tensor> | null {
    const { lora } = this.#settings;
    if (lora === null) return null;
    const names = adaptedLayers(this.#model, lora).flatMap(({ prefix }) => [loraA(prefix), loraB(prefix)]);
    return new Map(names.map((name) => [name, this.all.get(name)]));
  }

  /** Tensors of the source that the encoder does not use (the pooler), kept for others. */
  unused(): Map<string, Tensor> {
    return new Map(
      [...this.#file.entries.keys()]
        .filter((name) => /(^|\.)pooler\./.test(name))
        .map((name) => [name.replace(/^.*?(?=pooler\.)/, ""), this.#file.readFloat32(name)]),
    );
  }

  /** What a weight is before the first step. */
  #source(): (name: string) => Tensor {
    const file = modelWeights(this.#file, this.#model);
    const made = new Map<string, Tensor>();
    this.#heads.forEach((head, i) => {
      const names = denseNames(i);
      made.set(names.weight, head.weight);
      if (head.bias !== null) made.set(names.bias, head.bias);
    });
    const { lora, seed } = this.#settings;
    if (lora !== null)
      for (const { prefix, inner, outer } of adaptedLayers(this.#model, lora)) {
        made.set(loraA(prefix), uniform([lora.rank, inner], 1 / Math.sqrt(inner), new Random(seed, loraA(prefix))));
        made.set(loraB(prefix), tensor("float32", [outer, lora.rank], new Float32Array(outer * lora.rank)));
      }
    return (name) => made.get(name) ?? file.get(name);
  }
}

/**
 * A [rank, in] of a fresh adapter: uniform in ± 1/√in (torch's default for linear layers, which PEFT takes); B is zero, so
 * that the first step begins at the source.
 */
function uniform(dims: [number, number], bound: number, random: Random): Tensor {
  const data = new Float32Array(dims[0] * dims[1]);
  for (let i = 0; i < data.length; i++) data[i] = (2 * random.unit() - 1) * bound;
  return tensor("float32", dims, data);
}

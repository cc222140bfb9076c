/** The graph of one training step, run on the weights and into the gradients of a parameter memory. */
import type { Compute, GraphSession, ProviderReport, SessionOptions } from "../graph/compute.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import type { BertConfig } from "../model/bert.ts";
import type { InfoNceOptions } from "../model/losses.ts";
import type { Pooling } from "../model/pooling.ts";
import { buildTrainingStep, type TrainingStep } from "../model/training.ts";
import type { Weights } from "../model/weights.ts";
import { invariant } from "../protocol/errors.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import type { ParameterMemory } from "./parameter-memory.ts";

export interface StepParts {
  bert: BertConfig;
  pooling: Pooling;
  /** Compare by cosine: vectors of length 1. */
  normalise: boolean;
  /** All weights; the trained ones are views of the memory. */
  weights: Weights;
  memory: ParameterMemory;
  config: Pick<RunConfig, "loss" | "maxTokens">;
}

/** @throws {ParallaxError} session.create-failed, train.too-long, train.bad-temperature */
export async function openStepGraph(compute: Compute, options: SessionOptions, parts: StepParts): Promise<StepGraph> {
  const { bert, pooling, normalise, memory, config } = parts;
  const step = buildTrainingStep(bert, {
    pooling,
    normalise,
    loss: config.loss as InfoNceOptions,
    trainWordEmbeddings: memory.sparse !== null,
    maxTokens: Math.min(config.maxTokens, bert.maxPositions),
  });
  return new StepGraph(step, await compute.createSession({ graph: step.graph }, options), parts);
}

export class StepGraph {
  readonly #step: TrainingStep;
  readonly #session: GraphSession;
  readonly #memory: ParameterMemory;
  readonly #weights: Record<string, Tensor>;
  readonly #gradients: Record<string, Tensor>;
  readonly #outputs: string[];

  constructor(step: TrainingStep, session: GraphSession, { weights, memory }: StepParts) {
    this.#step = step;
    this.#session = session;
    this.#memory = memory;
    const fed = new Set(session.inputs.map(({ name }) => name));
    this.#weights = Object.fromEntries(
      step.weightNames.filter((name) => fed.has(name)).map((name) => [name, weights.get(name)]),
    );
    const parameters = new Map(memory.parameters.map((parameter) => [parameter.name, parameter]));
    invariant(
      step.trainedNames.every((name) => parameters.has(name)) && step.trainedNames.length === parameters.size,
      "The training step and the parameter memory disagree about the trained weights",
    );
    this.#gradients = Object.fromEntries(
      step.trainedNames.map((name) => {
        const { dims, gradient } = parameters.get(name)!;
        return [step.gradientName(name), tensor("float32", dims, gradient)];
      }),
    );
    this.#outputs = [step.lossName, ...(step.wordRows === undefined ? [] : [step.wordRows.output])];
  }

  get report(): ProviderReport {
    return this.#session.report;
  }

  /**
   * Forward and backward. Gradients are left in the memory, which may be read until the next run.
   *
   * @param anchors, positives token ids of b texts each, special tokens included; padded here to the longest of all.
   * @returns loss in nats.
   */
  async run(anchors: readonly number[][], positives: readonly number[][], padId: number): Promise<number> {
    const rows = [...anchors, ...positives]; // 2·b
    const t = Math.max(...rows.map((row) => row.length));
    const ids = new BigInt64Array(rows.length * t).fill(BigInt(padId));
    const mask = new BigInt64Array(rows.length * t);
    rows.forEach((row, i) => {
      row.forEach((id, j) => {
        ids[i * t + j] = BigInt(id);
        mask[i * t + j] = 1n;
      });
    });
    const results = await this.#session.run(
      {
        ...this.#weights,
        input_ids: tensor("int64", [rows.length, t], ids),
        attention_mask: tensor("int64", [rows.length, t], mask),
      },
      { fetches: this.#gradients, outputs: this.#outputs },
    );
    const { wordRows, lossName } = this.#step;
    const { sparse } = this.#memory;
    if (wordRows !== undefined && sparse !== null) {
      sparse.clear();
      sparse.add(ids, results[wordRows.output]!.data as Float32Array);
    }
    return (results[lossName]!.data as Float32Array)[0]!;
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

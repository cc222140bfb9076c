/** The encoder's graph over weights as they are in memory, for evaluations during training. */
import type { Engine, TokenBatch } from "../encode/engine.ts";
import type { GraphSession } from "../graph/compute.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import type { Weights } from "../model/weights.ts";

export class CurrentEngine implements Engine {
  readonly masksPooling: boolean;
  readonly dimensions: number;
  readonly provider: string;
  readonly precision = "float32";
  readonly #session: GraphSession;
  readonly #feeds: Record<string, Tensor>;

  constructor(session: GraphSession, weights: Weights, dimensions: number, masksPooling: boolean) {
    this.#session = session;
    this.dimensions = dimensions;
    this.masksPooling = masksPooling;
    this.provider = session.report.provider;
    const named = new Set(session.inputs.map(({ name }) => name));
    this.#feeds = Object.fromEntries(
      weights
        .names()
        .filter((name) => named.has(name))
        .map((name) => [name, weights.get(name)]),
    );
  }

  async run({ ids, mask, poolingMask, b, t }: TokenBatch): Promise<Float32Array> {
    const { sentence_embedding } = await this.#session.run({
      ...this.#feeds,
      input_ids: tensor("int64", [b, t], ids),
      attention_mask: tensor("int64", [b, t], mask),
      ...(this.masksPooling ? { pooling_mask: tensor("int64", [b, t], poolingMask ?? mask) } : {}),
    });
    return sentence_embedding!.data as Float32Array;
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

/**
 * One training step, run on the weights and into the gradients of a parameter memory: as one graph, or chunk by chunk
 * (GradCache).
 */
import type { Compute, GraphSession, ProviderReport, SessionOptions } from "../graph/compute.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { SAME_TEXT_INPUT, SCORES_INPUT } from "../model/losses/loss.ts";
import { STEP_VALUES, type TrainingStep } from "../model/training.ts";
import type { Weights } from "../model/weights.ts";
import { invariant } from "../protocol/errors.ts";
import type { BatchText, StepBatch } from "./batch-texts.ts";
import { DropoutMasks } from "./dropout-masks.ts";
import type { ParameterMemory } from "./parameter-memory.ts";

export interface StepParts {
  step: TrainingStep;
  /** All weights of the step; the trained ones are views of the memory. */
  weights: Weights;
  memory: ParameterMemory;
  padId: number;
  /** Texts embedded at once, or null for the whole batch. */
  chunk: number | null;
  /** The graph takes a mask of the tokens that count. */
  poolingMask: boolean;
}

export interface StepRunner {
  readonly report: ProviderReport;
  /**
   * Forward and backward of one batch. Its gradients are added to the memory's where that has sums, else they replace
   * them; so are the rows of the word embeddings, which the caller clears.
   *
   * @param stream names the random numbers of this batch, for dropout.
   * @returns loss; nats where it is a softmax.
   */
  run(batch: StepBatch, stream: readonly (number | string)[]): Promise<number>;
  dispose(): Promise<void>;
}

/** @throws {ParallaxError} session.create-failed */
export async function openStep(compute: Compute, options: SessionOptions, parts: StepParts): Promise<StepRunner> {
  const { graphs } = parts.step;
  if (parts.chunk === null) return new WholeStep(await compute.createSession({ graph: graphs.whole }, options), parts);
  const opened: GraphSession[] = [];
  try {
    for (const graph of [graphs.forward, graphs.loss, graphs.backward])
      opened.push(await compute.createSession({ graph }, options));
    const [forward, loss, backward] = opened;
    return new ChunkedStep({ forward: forward!, loss: loss!, backward: backward! }, parts, parts.chunk);
  } catch (error) {
    for (const session of opened) await session.dispose();
    throw error;
  }
}

/** What both ways share: weights and gradients by name, padded texts, word rows. */
class StepFeeds {
  readonly #parts: StepParts;
  readonly #gradients: Record<string, Tensor>;
  readonly #masks: DropoutMasks;

  constructor(parts: StepParts) {
    const { step, memory } = parts;
    this.#parts = parts;
    this.#masks = new DropoutMasks(step.dropoutSites);
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
  }

  /** Places for the gradients. */
  get gradients(): Record<string, Tensor> {
    return this.#gradients;
  }

  weightsFor(session: GraphSession): Record<string, Tensor> {
    const { step, weights } = this.#parts;
    const fed = new Set(session.inputs.map(({ name }) => name));
    return Object.fromEntries(
      [...step.weightShapes.keys()].filter((name) => fed.has(name)).map((name) => [name, weights.get(name)]),
    );
  }

  /** Texts padded to the longest of them, with masks. */
  texts(texts: readonly BatchText[], stream: readonly (number | string)[]): Record<string, Tensor> {
    const n = texts.length;
    const t = Math.max(1, ...texts.map(({ ids }) => ids.length));
    const ids = new BigInt64Array(n * t).fill(BigInt(this.#parts.padId));
    const mask = new BigInt64Array(n * t);
    const counted = this.#parts.poolingMask ? new BigInt64Array(n * t) : null;
    texts.forEach((text, i) => {
      text.ids.forEach((id, j) => {
        ids[i * t + j] = BigInt(id);
        mask[i * t + j] = 1n;
        if (counted !== null && j >= text.skip) counted[i * t + j] = 1n;
      });
    });
    return {
      [STEP_VALUES.ids]: tensor("int64", [n, t], ids),
      [STEP_VALUES.mask]: tensor("int64", [n, t], mask),
      ...(counted === null ? {} : { [STEP_VALUES.poolingMask]: tensor("int64", [n, t], counted) }),
      ...this.#masks.feeds(n, t, stream),
    };
  }

  loss({ scores, sameText, b }: StepBatch): Record<string, Tensor> {
    return {
      ...(scores === null ? {} : { [SCORES_INPUT]: tensor("float32", [b, scores.length / b], scores) }),
      ...(sameText === null ? {} : { [SAME_TEXT_INPUT]: tensor("float32", [b, sameText.length / b], sameText) }),
    };
  }

  get rowOutputs(): string[] {
    const { wordRows } = this.#parts.step;
    return wordRows === undefined ? [] : [wordRows.output];
  }

  /** Keep what a backward pass left. */
  keep(feeds: Record<string, Tensor>, results: Record<string, Tensor>): void {
    const { step, memory } = this.#parts;
    memory.collect();
    if (step.wordRows !== undefined && memory.sparse !== null)
      memory.sparse.add(
        feeds[STEP_VALUES.ids]!.data as BigInt64Array,
        results[step.wordRows.output]!.data as Float32Array,
      );
  }
}

class WholeStep implements StepRunner {
  readonly #session: GraphSession;
  readonly #feeds: StepFeeds;
  readonly #weights: Record<string, Tensor>;

  constructor(session: GraphSession, parts: StepParts) {
    this.#session = session;
    this.#feeds = new StepFeeds(parts);
    this.#weights = this.#feeds.weightsFor(session);
  }

  get report(): ProviderReport {
    return this.#session.report;
  }

  async run(batch: StepBatch, stream: readonly (number | string)[]): Promise<number> {
    const feeds = { ...this.#feeds.texts(batch.texts, [...stream, 0]), ...this.#feeds.loss(batch) };
    const results = await this.#session.run(
      { ...this.#weights, ...feeds },
      { fetches: this.#feeds.gradients, outputs: [STEP_VALUES.loss, ...this.#feeds.rowOutputs] },
    );
    this.#feeds.keep(feeds, results);
    return (results[STEP_VALUES.loss]!.data as Float32Array)[0]!;
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

interface ChunkSessions {
  forward: GraphSession;
  loss: GraphSession;
  backward: GraphSession;
}

/**
 * GradCache (Gao et al. 2021, section 3): vectors of all chunks without keeping anything; loss and its gradient for every
 * vector; then each chunk again, with the same dropout, and its gradients for the weights. Exact, because the gradient of
 * each vector already holds what it has to do with all others. Costs one forward pass more.
 */
class ChunkedStep implements StepRunner {
  readonly #sessions: ChunkSessions;
  readonly #feeds: StepFeeds;
  readonly #forwardWeights: Record<string, Tensor>;
  readonly #backwardWeights: Record<string, Tensor>;
  readonly #chunk: number;
  readonly #dimensions: number;

  constructor(sessions: ChunkSessions, parts: StepParts, chunk: number) {
    this.#sessions = sessions;
    this.#feeds = new StepFeeds(parts);
    this.#forwardWeights = this.#feeds.weightsFor(sessions.forward);
    this.#backwardWeights = this.#feeds.weightsFor(sessions.backward);
    this.#chunk = chunk;
    this.#dimensions = parts.step.dimensions;
  }

  get report(): ProviderReport {
    return this.#sessions.backward.report;
  }

  async run(batch: StepBatch, stream: readonly (number | string)[]): Promise<number> {
    const d = this.#dimensions;
    const n = batch.texts.length;
    // Texts of like length share a chunk, so that little is padding. The order is a function of the batch.
    const order = batch.texts
      .map((_, i) => i)
      .sort((i, j) => batch.texts[j]!.ids.length - batch.texts[i]!.ids.length || i - j);
    const chunks = Array.from({ length: Math.ceil(n / this.#chunk) }, (_, c) =>
      order.slice(c * this.#chunk, (c + 1) * this.#chunk),
    );
    const feedsOf = (c: number) =>
      this.#feeds.texts(
        chunks[c]!.map((i) => batch.texts[i]!),
        [...stream, c],
      );
    const vectors = new Float32Array(n * d);
    for (let c = 0; c < chunks.length; c++) {
      const { [STEP_VALUES.embedding]: made } = await this.#sessions.forward.run({
        ...this.#forwardWeights,
        ...feedsOf(c),
      });
      const data = made!.data as Float32Array;
      chunks[c]!.forEach((i, row) => {
        vectors.set(data.subarray(row * d, (row + 1) * d), i * d);
      });
    }
    const { [STEP_VALUES.loss]: loss, [STEP_VALUES.vectorGradient]: gradient } = await this.#sessions.loss.run({
      [STEP_VALUES.vectors]: tensor("float32", [n, d], vectors),
      ...this.#feeds.loss(batch),
    });
    const all = gradient!.data as Float32Array;
    for (let c = 0; c < chunks.length; c++) {
      const rows = chunks[c]!;
      const part = new Float32Array(rows.length * d);
      rows.forEach((i, row) => {
        part.set(all.subarray(i * d, (i + 1) * d), row * d);
      });
      const feeds = feedsOf(c);
      const results = await this.#sessions.backward.run(
        { ...this.#backwardWeights, ...feeds, [STEP_VALUES.vectorGradient]: tensor("float32", [rows.length, d], part) },
        { fetches: this.#feeds.gradients, outputs: this.#feeds.rowOutputs },
      );
      this.#feeds.keep(feeds, results);
    }
    return (loss!.data as Float32Array)[0]!;
  }

  async dispose(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session.dispose();
  }
}

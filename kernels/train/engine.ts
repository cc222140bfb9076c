/**
 * An encoder that is being trained: its weights in one flat memory, the graphs of a training step that write gradients
 * into it, and the encoder as it is now, for evaluations. All sessions run in this thread and feed from that memory, so
 * nothing is copied and nothing is loaded again.
 */

import { batchTokens } from "../encode/batch-size.ts";
import { Encoder } from "../encode/encoder.ts";
import { weightsDigest } from "../encode/encoder-digests.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { openEncoder } from "../encode/open-encoder.ts";
import { readDenseHeads } from "../encode/open-graph.ts";
import { readSpec } from "../encode/read-spec.ts";
import { type Compute, inThreadCompute, type SessionOptions } from "../graph/compute.ts";
import { defaultThreads } from "../graph/session.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type Architecture, architectureSizes } from "../model/architecture.ts";
import type { DenseHead } from "../model/dense.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Pooling } from "../model/pooling.ts";
import { buildTrainingStep } from "../model/training.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { loadTokenizer } from "../tokenize/tokenizer.ts";
import { BatchTexts } from "./batch-texts.ts";
import { CurrentEngine } from "./current-engine.ts";
import type { Exportable } from "./export.ts";
import type { ParameterMemory } from "./parameter-memory.ts";
import type { TrainingRow } from "./rows.ts";
import { openStep, type StepRunner } from "./step-graph.ts";
import { TrainedWeights } from "./trained-weights.ts";

/** The parts of a run's config that decide numbers of a step. */
export type EngineConfig = Pick<
  RunConfig,
  | "encoder"
  | "batchSize"
  | "accumulate"
  | "chunk"
  | "loss"
  | "matryoshka"
  | "maxTokens"
  | "freezeWordEmbeddings"
  | "freezeLayers"
  | "layerDecay"
  | "dropout"
  | "lora"
  | "prompts"
  | "seed"
  | "provider"
  | "threads"
> & { data: Pick<RunConfig["data"], "negatives"> };

export interface TrainingEngine extends Exportable {
  readonly memory: ParameterMemory;
  readonly model: Architecture;
  /** The encoder with its weights as they are now. */
  readonly embedder: Encoder;
  /**
   * Loss of a step, its gradients left in the memory. The weights stay as they are.
   * @param rows of the step: batchSize of them, or `accumulate` batches one after the other.
   * @param step names the random numbers of the step.
   */
  step(rows: readonly TrainingRow[], step: number): Promise<number>;
  /** The source's weights again, moments at zero. */
  reset(): void;
  /** "all-MiniLM-L6-v2: 10.8 of 22.7 million weights trained, cpu, 2 threads" */
  describe(): string;
  dispose(): Promise<void>;
}

/**
 * What of an encoder can be trained, or why it cannot.
 * @throws {ParallaxError} train.cannot-train
 */
export function trainable(spec: EncoderSpec): { model: Architecture; pooling: Pooling; dimensions: number } {
  const refuse = (why: string) =>
    new ParallaxError(
      "train.cannot-train",
      `The encoder "${spec.name}" cannot be trained: ${why}. Nothing was started.`,
      {
        hint: 'Fine-tune "default", or a folder with model.safetensors.',
        details: { reference: spec.reference, architecture: spec.architecture },
      },
    );
  if (spec.architecture === "static") throw refuse("it is a table of vectors without layers");
  if (spec.architecture === "onnx") throw refuse("it is an ONNX file, and only weights in safetensors are trained yet");
  if (spec.reference === "default-int8")
    throw refuse('its weights are 8-bit numbers; "default" has the same in float32');
  if (spec.model === undefined || spec.pooling === null) throw refuse("its sizes or its pooling are not known");
  const dimensions = spec.dense.at(-1)?.out ?? spec.model.config.hiddenSize;
  return { model: spec.model, pooling: spec.pooling, dimensions };
}

/** Threads that a run of this encoder gets when nobody says: fixed in its config, so that a resumed run has the same. */
export function trainingThreads(model: Architecture): number {
  return defaultThreads(architectureSizes(model).parameters);
}

/**
 * Load the encoder of a run and build its training step.
 *
 * @throws {ParallaxError} train.cannot-train; train.other-encoder when the weights are not those the run was made with;
 *   train.too-large, train.no-memory; encoder.*, tokenizer.*, session.*
 * Cost: about a second for 22 million weights.
 */
export async function createEngine(config: EngineConfig): Promise<TrainingEngine> {
  const { pooling, normalise, maxTokens, prompts } = config.encoder.spec;
  const spec = await readSpec(config.encoder.reference, {
    pooling,
    normalise,
    maxTokens,
    prompts,
    name: config.encoder.name,
  });
  trainable(spec);
  const sha256 = await weightsDigest(spec, undefined);
  if (sha256 !== config.encoder.weightsSha256)
    throw new ParallaxError(
      "train.other-encoder",
      `The run was made with ${config.encoder.name} (weights ${config.encoder.weightsSha256.slice(0, 12)}…); "${config.encoder.reference}" now has other weights (${sha256.slice(0, 12)}…). Nothing was trained.`,
      {
        hint: "Put the original encoder back, or start a new run.",
        details: { expected: config.encoder.weightsSha256, found: sha256 },
      },
    );
  const compute = inThreadCompute();
  try {
    return await EncoderEngine.open(config, spec, compute);
  } catch (error) {
    await compute.dispose();
    throw error;
  }
}

class EncoderEngine implements TrainingEngine {
  readonly spec: EncoderSpec;
  readonly model: Architecture;
  readonly dimensions: number;
  readonly embedder: Encoder;
  readonly #trained: TrainedWeights;
  readonly #config: EngineConfig;
  readonly #compute: Compute;
  readonly #sessionOptions: SessionOptions;
  readonly #texts: BatchTexts;
  readonly #runner: StepRunner;
  readonly #plan: { columns: number; scores: number; sameText: number };

  static async open(config: EngineConfig, spec: EncoderSpec, compute: Compute): Promise<EncoderEngine> {
    const { model, pooling, dimensions } = trainable(spec);
    const { lora, freezeLayers, dropout, chunk, loss, matryoshka, data } = config;
    const heads = readDenseHeads(spec);
    const poolingMask = spec.promptPooling === "exclude";
    const step = buildTrainingStep(model, {
      pooling,
      dense: heads,
      // Losses compare as users of the encoder do.
      normalise: spec.normalise || spec.similarity === "cosine",
      poolingMask,
      loss,
      matryoshka,
      negatives: data.negatives,
      trainWordEmbeddings: !config.freezeWordEmbeddings,
      freezeLayers,
      dropout,
      lora,
      maxTokens: Math.min(config.maxTokens, spec.maxTokens),
    });
    const trained = new TrainedWeights(spec, model, heads, step, config);
    const sessionOptions: SessionOptions = {
      provider: config.provider as NonNullable<SessionOptions["provider"]>,
      threads: config.threads,
    };
    const tokenizer = loadTokenizer(spec.tokenizer, { lowerCase: spec.lowerCase });
    const forward = await compute.createSession(
      {
        graph: buildEncoderGraph(model, trained.all, {
          pooling,
          dense: heads,
          normalise: spec.normalise,
          poolingMask,
          lora,
          weightsAs: "inputs",
        }),
      },
      sessionOptions,
    );
    const engine = new CurrentEngine(forward, trained.all, dimensions, poolingMask);
    const embedder = new Encoder({
      spec,
      identity: {
        reference: spec.reference,
        name: spec.name,
        architecture: spec.architecture,
        dimensions,
        maxTokens: spec.maxTokens,
        pooling,
        normalised: spec.normalise,
        weightsSha256: config.encoder.weightsSha256,
        provider: engine.provider,
        precision: engine.precision,
      },
      tokenizer,
      engine,
      batchTokens: batchTokens(spec),
    });
    const runner = await openStep(compute, sessionOptions, {
      step,
      weights: trained.all,
      memory: trained.memory,
      padId: tokenizer.padId ?? 0,
      chunk,
      poolingMask,
    });
    const { columns, scores, sameText } = step;
    return new EncoderEngine({
      spec,
      model,
      dimensions,
      embedder,
      trained,
      config,
      compute,
      sessionOptions,
      texts: new BatchTexts(tokenizer, spec, config),
      runner,
      plan: { columns, scores, sameText },
    });
  }

  private constructor(parts: {
    spec: EncoderSpec;
    model: Architecture;
    dimensions: number;
    embedder: Encoder;
    trained: TrainedWeights;
    config: EngineConfig;
    compute: Compute;
    sessionOptions: SessionOptions;
    texts: BatchTexts;
    runner: StepRunner;
    plan: { columns: number; scores: number; sameText: number };
  }) {
    this.spec = parts.spec;
    this.model = parts.model;
    this.dimensions = parts.dimensions;
    this.embedder = parts.embedder;
    this.#trained = parts.trained;
    this.#config = parts.config;
    this.#compute = parts.compute;
    this.#sessionOptions = parts.sessionOptions;
    this.#texts = parts.texts;
    this.#runner = parts.runner;
    this.#plan = parts.plan;
    this.reset();
  }

  get memory(): ParameterMemory {
    return this.#trained.memory;
  }

  get weights(): Weights {
    return this.#trained.merged();
  }

  get dense(): readonly DenseHead[] {
    return this.#trained.denseHeads();
  }

  get adapters(): ReadonlyMap<string, Tensor> | null {
    return this.#trained.adapters;
  }

  get unused(): ReadonlyMap<string, Tensor> {
    return this.#trained.unused();
  }

  async step(rows: readonly TrainingRow[], step: number): Promise<number> {
    const { batchSize, seed } = this.#config;
    const batches = Math.max(1, Math.round(rows.length / batchSize));
    this.memory.clear(batches);
    let sum = 0;
    for (let i = 0; i < batches; i++) {
      const batch = this.#texts.batch(rows.slice(i * batchSize, (i + 1) * batchSize), this.#plan);
      sum += await this.#runner.run(batch, [seed, step, i]);
    }
    return sum / batches;
  }

  reset(): void {
    this.#trained.reset();
  }

  load(folder: string): Promise<Encoder> {
    return openEncoder(folder, { compute: this.#compute, ...this.#sessionOptions });
  }

  describe(): string {
    const million = (count: number) => (count / 1e6).toFixed(count < 1e6 ? 3 : 1);
    const { provider, threads } = this.#runner.report;
    const how = this.#config.lora === null ? "" : ` (adapters of rank ${this.#config.lora.rank})`;
    return `${this.spec.name}: ${million(this.#trained.count)} of ${million(this.#trained.total)} million weights trained${how}, ${provider}, ${threads} thread${threads === 1 ? "" : "s"}`;
  }

  async dispose(): Promise<void> {
    await this.embedder.dispose();
    await this.#compute.dispose();
  }
}

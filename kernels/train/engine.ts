/**
 * An encoder that is being trained: its weights in one flat memory, the graph of a training step that writes gradients
 * into it, and the encoder as it is now, for evaluations. All sessions run in this thread and feed from that memory, so
 * nothing is copied and nothing is loaded again.
 */

import { batchTokens } from "../encode/batch-size.ts";
import { Encoder } from "../encode/encoder.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import type { Engine, TokenBatch } from "../encode/engine.ts";
import { fileSha256 } from "../encode/file-digest.ts";
import { modelWeights } from "../encode/model-weights.ts";
import { openEncoder } from "../encode/open-encoder.ts";
import { type PromptTemplate, readPrompt } from "../encode/prompt-template.ts";
import { readSpec } from "../encode/read-spec.ts";
import { openSafetensors, type Safetensors } from "../encode/safetensors.ts";
import { type Compute, type GraphSession, inThreadCompute, type SessionOptions } from "../graph/compute.ts";
import { defaultThreads } from "../graph/session.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { type BertConfig, bertWeightShapes, WORD_EMBEDDINGS } from "../model/bert.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Pooling } from "../model/pooling.ts";
import { type Weights, weightsOf } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { loadTokenizer, type Tokenizer } from "../tokenize/tokenizer.ts";
import type { Exportable } from "./export.ts";
import type { Pair } from "./pairs.ts";
import { ParameterMemory } from "./parameter-memory.ts";
import { openStepGraph, type StepGraph } from "./step-graph.ts";

/** The parts of a run's config that decide numbers. */
export type EngineConfig = Pick<
  RunConfig,
  "encoder" | "batchSize" | "loss" | "maxTokens" | "freezeWordEmbeddings" | "prompts" | "provider" | "threads"
>;

export interface TrainingEngine extends Exportable {
  readonly memory: ParameterMemory;
  readonly bert: BertConfig;
  /** The encoder with its weights as they are now. */
  readonly embedder: Encoder;
  /** Loss (nats) of a batch, its gradients left in the memory. The weights stay as they are. */
  step(pairs: readonly Pair[]): Promise<number>;
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
export function trainable(spec: EncoderSpec): { bert: BertConfig; pooling: Pooling } {
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
  if (spec.dense.length > 0) throw refuse("its vectors pass through a dense layer, which is not trained yet");
  if (spec.model.family !== "bert")
    throw refuse(`only BERT encoders are trained yet, and this is a ${spec.architecture}`);
  return { bert: spec.model.config, pooling: spec.pooling };
}

/** Threads that a run of this encoder gets when nobody says: fixed in its config, so that a resumed run has the same. */
export function trainingThreads(bert: BertConfig): number {
  let weights = 0;
  for (const dims of bertWeightShapes(bert).values()) weights += dims.reduce((product, dim) => product * dim, 1);
  return defaultThreads(weights);
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
  const sha256 = await fileSha256(spec.weights.file);
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
    return await BertEngine.open(config, spec, sha256, compute);
  } catch (error) {
    await compute.dispose();
    throw error;
  }
}

class BertEngine implements TrainingEngine {
  readonly memory: ParameterMemory;
  readonly spec: EncoderSpec;
  readonly bert: BertConfig;
  readonly dimensions: number;
  readonly weights: Weights;
  readonly unused: ReadonlyMap<string, Tensor>;
  readonly embedder: Encoder;
  readonly #file: Safetensors;
  readonly #compute: Compute;
  readonly #sessionOptions: SessionOptions;
  readonly #tokenizer: Tokenizer;
  readonly #prompts: { anchor: PromptTemplate; positive: PromptTemplate };
  readonly #maxTokens: number;
  readonly #step: StepGraph;

  static async open(config: EngineConfig, spec: EncoderSpec, sha256: string, compute: Compute): Promise<BertEngine> {
    const { bert, pooling } = trainable(spec);
    const shapes = bertWeightShapes(bert);
    const isSparse = !config.freezeWordEmbeddings;
    const trained = [...shapes].filter(([name]) => name !== WORD_EMBEDDINGS).map(([name, dims]) => ({ name, dims }));
    const memory = new ParameterMemory(
      trained,
      isSparse
        ? {
            name: WORD_EMBEDDINGS,
            dims: [bert.vocabSize, bert.hiddenSize],
            maxTouched: Math.min(bert.vocabSize, 2 * config.batchSize * config.maxTokens),
          }
        : null,
    );
    const current = new Map<string, Tensor>(
      memory.parameters.map(({ name, dims, weight }) => [name, tensor("float32", dims, weight)]),
    );
    const file = openSafetensors(spec.weights.file);
    if (memory.sparse === null) current.set(WORD_EMBEDDINGS, modelWeights(file, spec.model!).get(WORD_EMBEDDINGS));
    else current.set(WORD_EMBEDDINGS, tensor("float32", shapes.get(WORD_EMBEDDINGS)!, memory.sparse.weight));
    // In the order of the architecture, as exports are written.
    const weights = weightsOf(new Map([...shapes.keys()].map((name) => [name, current.get(name)!])));
    const sessionOptions: SessionOptions = {
      provider: config.provider as NonNullable<SessionOptions["provider"]>,
      threads: config.threads,
    };
    const tokenizer = loadTokenizer(spec.tokenizer, { lowerCase: spec.lowerCase });
    const forward = await compute.createSession(
      { graph: buildEncoderGraph(spec.model!, weights, { pooling, normalise: spec.normalise, weightsAs: "inputs" }) },
      sessionOptions,
    );
    const engine = new CurrentWeights(forward, weights, bert.hiddenSize);
    const embedder = new Encoder({
      spec,
      identity: {
        reference: spec.reference,
        name: spec.name,
        architecture: spec.architecture,
        dimensions: bert.hiddenSize,
        maxTokens: spec.maxTokens,
        pooling,
        normalised: spec.normalise,
        weightsSha256: sha256,
        provider: engine.provider,
        precision: engine.precision,
      },
      tokenizer,
      engine,
      batchTokens: batchTokens(spec),
    });
    const normalise = spec.normalise || spec.similarity === "cosine";
    const step = await openStepGraph(compute, sessionOptions, { bert, pooling, normalise, weights, memory, config });
    return new BertEngine({
      memory,
      spec,
      bert,
      weights,
      embedder,
      file,
      compute,
      sessionOptions,
      tokenizer,
      step,
      config,
    });
  }

  private constructor(parts: {
    memory: ParameterMemory;
    spec: EncoderSpec;
    bert: BertConfig;
    weights: Weights;
    embedder: Encoder;
    file: Safetensors;
    compute: Compute;
    sessionOptions: SessionOptions;
    tokenizer: Tokenizer;
    step: StepGraph;
    config: EngineConfig;
  }) {
    const { config, file } = parts;
    this.memory = parts.memory;
    this.spec = parts.spec;
    this.bert = parts.bert;
    this.dimensions = parts.bert.hiddenSize;
    this.weights = parts.weights;
    this.embedder = parts.embedder;
    this.#file = file;
    this.#compute = parts.compute;
    this.#sessionOptions = parts.sessionOptions;
    this.#tokenizer = parts.tokenizer;
    this.#step = parts.step;
    this.#maxTokens = Math.min(config.maxTokens, this.spec.maxTokens);
    const prompt = (template: string) => readPrompt(template, this.spec.prompts);
    this.#prompts = { anchor: prompt(config.prompts.anchor), positive: prompt(config.prompts.positive) };
    this.unused = new Map(
      [...file.entries.keys()]
        .filter((name) => /(^|\.)pooler\./.test(name))
        .map((name) => [name.replace(/^.*?(?=pooler\.)/, ""), file.readFloat32(name)]),
    );
    this.reset();
  }

  async step(pairs: readonly Pair[]): Promise<number> {
    const ids = (text: string, prompt: PromptTemplate) =>
      this.#tokenizer.encode(prompt.apply(text), this.#maxTokens).ids;
    return this.#step.run(
      pairs.map(({ anchor }) => ids(anchor, this.#prompts.anchor)),
      pairs.map(({ positive }) => ids(positive, this.#prompts.positive)),
      this.#tokenizer.padId ?? 0,
    );
  }

  reset(): void {
    const source = modelWeights(this.#file, { family: "bert", config: this.bert });
    for (const { name, weight, first, second } of this.memory.parameters) {
      weight.set(source.get(name).data);
      first.fill(0);
      second.fill(0);
    }
    const { sparse } = this.memory;
    if (sparse === null) return;
    sparse.weight.set(source.get(sparse.name).data);
    sparse.first.fill(0);
    sparse.second.fill(0);
  }

  load(folder: string): Promise<Encoder> {
    return openEncoder(folder, { compute: this.#compute, ...this.#sessionOptions });
  }

  describe(): string {
    const million = (count: number) => (count / 1e6).toFixed(count < 1e6 ? 3 : 1);
    const all = this.weights.names().reduce((sum, name) => sum + this.weights.get(name).data.length, 0);
    const trained = this.memory.count + (this.memory.sparse?.weight.length ?? 0);
    const { provider, threads } = this.#step.report;
    return `${this.spec.name}: ${million(trained)} of ${million(all)} million weights trained, ${provider}, ${threads} thread${threads === 1 ? "" : "s"}`;
  }

  async dispose(): Promise<void> {
    await this.embedder.dispose();
    await this.#compute.dispose();
  }
}

/** The encoder's graph over the weights as they are in memory. */
class CurrentWeights implements Engine {
  readonly masksPooling = false;
  readonly dimensions: number;
  readonly provider: string;
  readonly precision = "float32";
  readonly #session: GraphSession;
  readonly #feeds: Record<string, Tensor>;

  constructor(session: GraphSession, weights: Weights, dimensions: number) {
    this.#session = session;
    this.dimensions = dimensions;
    this.provider = session.report.provider;
    const named = new Set(session.inputs.map(({ name }) => name));
    this.#feeds = Object.fromEntries(
      weights
        .names()
        .filter((name) => named.has(name))
        .map((name) => [name, weights.get(name)]),
    );
  }

  async run({ ids, mask, b, t }: TokenBatch): Promise<Float32Array> {
    const { sentence_embedding } = await this.#session.run({
      ...this.#feeds,
      input_ids: tensor("int64", [b, t], ids),
      attention_mask: tensor("int64", [b, t], mask),
    });
    return sentence_embedding!.data as Float32Array;
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

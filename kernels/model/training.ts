/**
 * The graphs of one training step of any encoder family: forward, loss, and the gradients of the trained weights.
 *
 * As a whole it is one graph. For batches that do not fit into memory it comes in three parts (GradCache, Gao et al.
 * 2021): vectors of a chunk; loss and its gradient for the vectors of the whole batch; gradients of the weights from a
 * chunk and the gradients of its vectors. Both ways give the same gradients, because ∂L/∂θ = Σᵢ ∂L/∂vᵢ · ∂vᵢ/∂θ.
 */
import { GraphBuilder, type Value } from "../graph/builder.ts";
import { differentiate } from "../graph/differentiate.ts";
import type { Graph } from "../graph/ir.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Lora } from "../protocol/run-files.ts";
import { type Architecture, architectureSizes, weightShapes } from "./architecture.ts";
import { type DenseHead, dense, denseNames } from "./dense.ts";
import { type DropoutSite, DropoutSites } from "./dropout.ts";
import { buildTokens } from "./encoder-graph.ts";
import { layerOf, wordTable } from "./layers.ts";
import { Adapters, loraShapes } from "./lora.ts";
import { buildLoss, columnsOf, type LossPlan, sameTextColumns, scoresOf } from "./losses/loss.ts";
import { l2Normalise, type Pooling, pool } from "./pooling.ts";

export interface StepOptions extends LossPlan {
  pooling: Pooling;
  /** Linear layers after the pooling, trained like the others. Only shapes and activations are read here. */
  dense?: readonly DenseHead[];
  /** Compare vectors of length 1. */
  normalise: boolean;
  /** An input says which tokens count in the pooling (instructions left out). Default false. */
  poolingMask?: boolean;
  /** Default false: the table stays as it is, which halves the memory of the optimiser and suits small data. */
  trainWordEmbeddings?: boolean;
  /** Lowest layers, embeddings with them, that stay as they are. Default 0: none. */
  freezeLayers?: number;
  /** Share of activations set to 0. Default 0. */
  dropout?: number;
  /** Train adapters instead of the weights. Default null. */
  lora?: Lora | null;
  /** Longest text in tokens; must fit the position table. Default: as long as the table is. */
  maxTokens?: number;
}

export interface StepGraphs {
  /**
   * Everything at once. Inputs: those of the encoder for all (2+h)·b texts (anchors first, then positives, then each
   * column of negatives, all padded to one length), those of the loss, every weight. Outputs: `loss` (float32 scalar),
   * `sentence_embedding` (float32 [(2+h)·b, d]), one gradient for each trained weight.
   */
  whole: Graph;
  /** Vectors of a chunk: encoder inputs → `sentence_embedding` [n, d]. */
  forward: Graph;
  /** Loss of a batch: `vectors` [(2+h)·b, d] and the inputs of the loss → `loss`, `grad:vectors`. */
  loss: Graph;
  /** Gradients of a chunk: encoder inputs and `grad:vectors` [n, d] → one gradient for each trained weight. */
  backward: Graph;
}

export interface TrainingStep {
  /** Built when first asked for. */
  readonly graphs: StepGraphs;
  /** Every weight that must be fed, float32 and read where it is: those of the encoder, of dense heads, of adapters. */
  weightShapes: ReadonlyMap<string, readonly number[]>;
  /** Weights with a dense gradient output in their own shape, which may be preallocated (`fetches`). */
  trainedNames: string[];
  gradientName(weight: string): string;
  /**
   * Present when the word embeddings are trained. Row i of the output (float32 [n·t, d]) belongs to row `input_ids[i]`
   * of the weight: add rows of the same id, leave all others alone. Rows of padding are exactly 0.
   */
  wordRows: { weight: string; output: string } | undefined;
  /** Dropout masks that the encoder's graphs take. */
  dropoutSites: readonly DropoutSite[];
  /** Texts of a batch for each row. */
  columns: number;
  /** Numbers a row in the input `scores`; 0 when there is none. */
  scores: number;
  /** Columns of b candidates in the input `same_text`; 0 when there is none. */
  sameText: number;
  dimensions: number;
}

/** Names of inputs and outputs that are not weights. */
export const STEP_VALUES = {
  ids: "input_ids",
  mask: "attention_mask",
  poolingMask: "pooling_mask",
  loss: "loss",
  vectors: "vectors",
  embedding: "sentence_embedding",
  vectorGradient: "grad:vectors",
} as const;

/**
 * Plans the step. Trained are the adapters, or all weights but the word embeddings (those on request, through
 * `wordRows`) and frozen layers.
 *
 * @throws {ParallaxError} train.too-long when maxTokens is more than the position table, train.bad-temperature
 * Cost: a run takes about three forward passes; building a graph takes some 70 ms for six layers.
 * Checked against PyTorch: test/model/training.test.ts, test/model/losses.test.ts.
 */
export function buildTrainingStep(architecture: Architecture, options: StepOptions): TrainingStep {
  const { maxTokens: most } = architectureSizes(architecture);
  const maxTokens = options.maxTokens ?? most ?? Number.POSITIVE_INFINITY;
  if (most !== null && maxTokens > most)
    throw new ParallaxError(
      "train.too-long",
      `Texts of ${maxTokens} tokens were asked; the encoder has ${most} positions.`,
      {
        hint: `Set maxTokens to ${most} or less.`,
      },
    );
  const { lora = null, freezeLayers = 0, dense: heads = [] } = options;
  const shapes = new Map<string, readonly number[]>(weightShapes(architecture));
  heads.forEach((head, i) => {
    const names = denseNames(i);
    shapes.set(names.weight, head.weight.dims);
    if (head.bias !== null) shapes.set(names.bias, head.bias.dims);
  });
  const table = wordTable(architecture);
  const adapters = lora === null ? new Map<string, number[]>() : loraShapes(architecture, lora);
  const isTrained = (name: string) =>
    name !== table && (freezeLayers === 0 || layerOf(name, architecture) >= freezeLayers);
  const trainedNames = lora === null ? [...shapes.keys()].filter(isTrained) : [...adapters.keys()].filter(isTrained);
  for (const [name, dims] of adapters) shapes.set(name, dims);
  const trainsWords = options.trainWordEmbeddings === true && lora === null && freezeLayers === 0;
  const wordRows = trainsWords ? { weight: table, output: `grad_rows:${table}` } : undefined;
  const build = new StepBuilder(architecture, options, shapes, trainedNames, wordRows);
  return {
    graphs: build,
    weightShapes: shapes,
    trainedNames,
    gradientName,
    wordRows,
    get dropoutSites() {
      return build.dropoutSites;
    },
    columns: columnsOf(options),
    scores: scoresOf(options),
    sameText: sameTextColumns(options),
    dimensions: heads.at(-1)?.weight.dims[0] ?? architecture.config.hiddenSize,
  };
}

const gradientName = (name: string) => `grad:${name}`;

class StepBuilder implements StepGraphs {
  readonly #architecture: Architecture;
  readonly #options: StepOptions;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #trained: readonly string[];
  readonly #wordRows: TrainingStep["wordRows"];
  #sites: readonly DropoutSite[] | undefined;

  constructor(
    architecture: Architecture,
    options: StepOptions,
    shapes: ReadonlyMap<string, readonly number[]>,
    trained: readonly string[],
    wordRows: TrainingStep["wordRows"],
  ) {
    this.#architecture = architecture;
    this.#options = options;
    this.#shapes = shapes;
    this.#trained = trained;
    this.#wordRows = wordRows;
  }

  get dropoutSites(): readonly DropoutSite[] {
    if (this.#sites === undefined) this.#encoder(new GraphBuilder("sites"), "n");
    return this.#sites!;
  }

  get whole(): Graph {
    const b = new GraphBuilder("training-step");
    const { vectors, words } = this.#encoder(b, `${columnsOf(this.#options)}*b`);
    b.output(buildLoss(b, vectors, this.#options, this.#options.normalise), STEP_VALUES.loss);
    b.output(vectors, STEP_VALUES.embedding);
    return this.#differentiate(b.build(), STEP_VALUES.loss, words);
  }

  get forward(): Graph {
    const b = new GraphBuilder("vectors-of-a-chunk");
    b.output(this.#encoder(b, "n").vectors, STEP_VALUES.embedding);
    return b.build();
  }

  get loss(): Graph {
    const b = new GraphBuilder("loss-of-a-batch");
    const { dense: heads = [], normalise } = this.#options;
    const d = heads.at(-1)?.weight.dims[0] ?? this.#architecture.config.hiddenSize;
    const vectors = b.input(STEP_VALUES.vectors, "float32", [`${columnsOf(this.#options)}*b`, d]);
    b.output(buildLoss(b, vectors, this.#options, normalise), STEP_VALUES.loss);
    return differentiate(b.build(), { of: STEP_VALUES.loss, wrt: [STEP_VALUES.vectors] });
  }

  get backward(): Graph {
    const b = new GraphBuilder("gradients-of-a-chunk");
    const { vectors, words } = this.#encoder(b, "n");
    const given = b.input(STEP_VALUES.vectorGradient, "float32", vectors.shape);
    const sum = b.reduceSum(b.mul(vectors, given));
    b.output(sum, "sum");
    return this.#differentiate(b.build(), "sum", words);
  }

  #differentiate(graph: Graph, of: string, words: Value): Graph {
    const { output } = this.#wordRows ?? {};
    return differentiate(graph, {
      of,
      wrt: output === undefined ? this.#trained : [...this.#trained, words.name],
      gradientName: (name) => (output !== undefined && name === words.name ? output : gradientName(name)),
    });
  }

  /** The encoder's part: vectors [n, d], and the rows of the table that it looked up. */
  #encoder(b: GraphBuilder, n: string): { vectors: Value; words: Value } {
    const { pooling, dense: heads = [], normalise, poolingMask = false, dropout = 0, lora = null } = this.#options;
    const inputIds = b.input(STEP_VALUES.ids, "int64", [n, "t"]);
    const attentionMask = b.input(STEP_VALUES.mask, "int64", [n, "t"]);
    // Only weights that are used become inputs.
    const made = new Map<string, Value>();
    const weight = (name: string): Value => {
      const known = made.get(name) ?? b.input(name, "float32", this.#shapes.get(name)!);
      made.set(name, known);
      return known;
    };
    const sites = new DropoutSites(dropout);
    const adapters = lora === null ? undefined : new Adapters(this.#architecture, lora, weight, sites);
    const { tokens, mask, words } = buildTokens(
      b,
      this.#architecture,
      weight,
      { inputIds, attentionMask },
      { forTraining: true, dropout: dropout > 0 ? sites : undefined, adapters },
    );
    this.#sites = sites.sites;
    const counted = poolingMask ? b.cast(b.input(STEP_VALUES.poolingMask, "int64", [n, "t"]), "float32") : mask;
    let vectors = pool(b, tokens, counted, pooling); // [n, d]
    heads.forEach(({ bias, activation }, i) => {
      const names = denseNames(i);
      vectors = dense(b, vectors, `dense.${i}`, {
        weight: weight(names.weight),
        bias: bias === null ? undefined : weight(names.bias),
        activation,
      });
    });
    return { vectors: normalise ? l2Normalise(b, vectors) : vectors, words };
  }
}

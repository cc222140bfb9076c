/** One training step of a BERT encoder as one graph: forward, loss and the gradients of the trained weights. */
import { GraphBuilder, type Value } from "../graph/builder.ts";
import { differentiate } from "../graph/differentiate.ts";
import type { Graph } from "../graph/ir.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type BertConfig, bertWeightShapes, buildBert, WORD_EMBEDDINGS } from "./bert.ts";
import { type InfoNceOptions, infoNce } from "./losses.ts";
import { l2Normalise, type Pooling, pool } from "./pooling.ts";

export interface TrainingStepOptions {
  pooling: Pooling;
  normalise: boolean;
  loss: InfoNceOptions;
  /** Default false: the table stays as it is, which halves the memory of the optimiser and suits small data. */
  trainWordEmbeddings?: boolean;
  /** Longest text in tokens; must fit the position table. Default: as long as the table is. */
  maxTokens?: number;
}

export interface TrainingStep {
  /**
   * Inputs: `input_ids` and `attention_mask`, int64 [2·b, t]: the b anchors first, then their b positives in the same
   * order, all padded to one length; and every weight under its own name (float32, as `weightShapes` says). Feeding a
   * weight costs nothing: it is read where it is.
   * Outputs: `loss` (float32 scalar), `sentence_embedding` (float32 [2·b, d]), and one gradient per trained weight.
   */
  graph: Graph;
  /** Every weight that must be fed. */
  weightNames: string[];
  weightShapes: ReadonlyMap<string, readonly number[]>;
  /** Weights with a dense gradient output in their own shape, which may be preallocated (`fetches`). */
  trainedNames: string[];
  gradientName(weight: string): string;
  /**
   * Present when the word embeddings are trained. Row i of the output (float32 [2·b·t, d]) belongs to row
   * `input_ids[i]` of the weight: add rows of the same id, leave all others alone. Rows of padding are exactly 0.
   */
  wordRows: { weight: string; output: string } | undefined;
  lossName: "loss";
  embeddingName: "sentence_embedding";
}

/**
 * Builds the step. Trained are all weights but the word embeddings (those on request, through `wordRows`): linear
 * layers, layer norms, positions, and the one token type in use.
 *
 * @throws {ParallaxError} train.too-long when maxTokens is more than the position table, train.bad-temperature
 * Cost: a run takes about three forward passes; building takes some 70 ms for six layers.
 * Checked against PyTorch: test/model/training.test.ts.
 */
export function buildTrainingStep(config: BertConfig, options: TrainingStepOptions): TrainingStep {
  const maxTokens = options.maxTokens ?? config.maxPositions;
  if (maxTokens > config.maxPositions)
    throw new ParallaxError(
      "train.too-long",
      `Texts of ${maxTokens} tokens were asked; the encoder has ${config.maxPositions} positions.`,
      {
        hint: `Set maxTokens to ${config.maxPositions} or less.`,
      },
    );
  const temperature = options.loss.temperature ?? 0.05;
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new ParallaxError("train.bad-temperature", `The temperature is ${temperature}.`, {
      hint: "Use a number above 0; 0.02 to 0.05 is usual.",
    });

  const weightShapes = bertWeightShapes(config);
  const weightNames = [...weightShapes.keys()];
  const b = new GraphBuilder("bert-training-step");
  const inputIds = b.input("input_ids", "int64", ["2*b", "t"]);
  const attentionMask = b.input("attention_mask", "int64", ["2*b", "t"]);
  const weights = new Map<string, Value>();
  for (const [name, shape] of weightShapes) weights.set(name, b.input(name, "float32", shape));
  const weight = (name: string) => weights.get(name) ?? b.value(name);

  const { tokens, mask, words } = buildBert(b, config, weight, { inputIds, attentionMask }, { forTraining: true });
  const pooled = pool(b, tokens, mask, options.pooling); // [2b, d]
  const embedded = options.normalise ? l2Normalise(b, pooled) : pooled;
  const [anchors, positives] = b.split(embedded, 2, 0);
  const loss = infoNce(b, anchors, positives, options.loss);
  b.output(loss, "loss");
  b.output(embedded, "sentence_embedding");

  const trainedNames = weightNames.filter((name) => name !== WORD_EMBEDDINGS);
  const wordRows = options.trainWordEmbeddings
    ? { weight: WORD_EMBEDDINGS, output: `grad_rows:${WORD_EMBEDDINGS}` }
    : undefined;
  const gradientName = (name: string) => `grad:${name}`;
  const graph = differentiate(b.build(), {
    of: "loss",
    wrt: wordRows ? [...trainedNames, words.name] : trainedNames,
    gradientName: (name) => (wordRows && name === words.name ? wordRows.output : gradientName(name)),
  });
  return {
    graph,
    weightNames,
    weightShapes,
    trainedNames,
    gradientName,
    wordRows,
    lossName: "loss",
    embeddingName: "sentence_embedding",
  };
}

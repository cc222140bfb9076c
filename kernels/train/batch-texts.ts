/** From rows of training data to what a step is fed: token ids with their instructions, scores, equal texts. */
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { cutPrompt } from "../encode/prompt-pooling.ts";
import { readPrompt, TEXT_PLACE } from "../encode/prompt-template.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import type { Tokenizer } from "../tokenize/tokenizer.ts";
import type { TrainingRow } from "./rows.ts";
import { textKey } from "./text-key.ts";

export interface BatchText {
  ids: readonly number[];
  /** Tokens at the start that belong to the instruction and do not count in the pooling. */
  skip: number;
}

export interface StepBatch {
  /** (2+h)·b: anchors, positives, then each column of negatives. */
  texts: BatchText[];
  /** float32 [b, m], null when the loss reads none. */
  scores: Float32Array | null;
  /** float32 [b, columns·b], null when the loss does not ask. */
  sameText: Float32Array | null;
  b: number;
}

type Side = "anchor" | "positive" | "negative";

/** Tokenises rows as the run's config says. */
export class BatchTexts {
  readonly #tokenizer: Tokenizer;
  readonly #spec: EncoderSpec;
  readonly #prompts: RunConfig["prompts"];
  readonly #maxTokens: number;
  readonly #cuts = new Map<string, (text: string) => { text: string; skip: number }>();

  constructor(tokenizer: Tokenizer, spec: EncoderSpec, config: Pick<RunConfig, "prompts" | "maxTokens">) {
    this.#tokenizer = tokenizer;
    this.#spec = spec;
    this.#maxTokens = Math.min(config.maxTokens, spec.maxTokens);
    const template = (prompt: string) => readPrompt(prompt, spec.prompts).template;
    const { anchor, positive, negative } = config.prompts;
    this.#prompts = { anchor: template(anchor), positive: template(positive), negative: template(negative) };
  }

  /** @param plan what the step reads of a row: columns of texts, numbers of scores, columns of `sameText`. */
  batch(rows: readonly TrainingRow[], plan: { columns: number; scores: number; sameText: number }): StepBatch {
    const negatives = plan.columns - 2;
    const texts = [
      ...rows.map((row) => this.#text(row.anchor, "anchor", row)),
      ...rows.map((row) => this.#text(row.positive, "positive", row)),
    ];
    for (let k = 0; k < negatives; k++)
      for (const row of rows) texts.push(this.#text(row.negatives![k]!, "negative", row));
    const b = rows.length;
    const scores = plan.scores === 0 ? null : new Float32Array(b * plan.scores);
    if (scores !== null)
      rows.forEach((row, i) => {
        scores.set(row.scores!.slice(0, plan.scores), i * plan.scores);
      });
    return { texts, scores, sameText: plan.sameText === 0 ? null : sameTexts(rows, plan.sameText), b };
  }

  #text(text: string, side: Side, row: TrainingRow): BatchText {
    const own = row.instructions?.[side];
    const template = own === undefined ? this.#prompts[side] : own.includes(TEXT_PLACE) ? own : `${own}${TEXT_PLACE}`;
    if (template === "" || template === TEXT_PLACE) return { ids: this.#ids(text), skip: 0 };
    let cut = this.#cuts.get(template);
    if (cut === undefined) {
      cut = this.#cut(template);
      this.#cuts.set(template, cut);
    }
    const { text: joined, skip } = cut(text);
    return { ids: this.#ids(joined), skip };
  }

  #cut(template: string): (text: string) => { text: string; skip: number } {
    if (this.#spec.promptPooling === "include") {
      const parts = template.split(TEXT_PLACE);
      return (text) => ({ text: parts.join(text), skip: 0 });
    }
    const { join, tokens } = cutPrompt(this.#tokenizer, template, this.#spec.promptRule, this.#maxTokens);
    return (text) => ({ text: join(text), skip: tokens });
  }

  #ids(text: string): number[] {
    return this.#tokenizer.encode(text, this.#maxTokens).ids;
  }
}

/**
 * 1 where candidate j of row i has the text of the row's anchor or positive, and is not its own positive.
 * @param columns of b candidates: the positives, then each column of negatives.
 */
function sameTexts(rows: readonly TrainingRow[], columns: number): Float32Array {
  const b = rows.length;
  const width = columns * b;
  const result = new Float32Array(b * width);
  const own = rows.map((row) => [textKey(row.anchor), textKey(row.positive)]);
  const candidates = new Map<string, number[]>();
  for (let column = 0; column < columns; column++)
    rows.forEach((row, j) => {
      const key = column === 0 ? own[j]![1]! : textKey(row.negatives![column - 1]!);
      candidates.set(key, [...(candidates.get(key) ?? []), column * b + j]);
    });
  own.forEach((keys, i) => {
    for (const key of keys) for (const j of candidates.get(key) ?? []) if (j !== i) result[i * width + j] = 1;
  });
  return result;
}

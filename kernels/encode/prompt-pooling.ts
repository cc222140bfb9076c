/**
 * Which tokens of a prompted text belong to its instruction, for encoders that leave them out of the pooling.
 *
 * The authors' rule is a count, not a place in the text: the instruction alone is tokenised, its last special token
 * taken off, and as many tokens are left out at the start of the joined text. Where the instruction's last piece merges
 * with the text's first, the cut is off by one token; the report says so, and the vectors stay those of the authors' code.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { promptIds } from "../tokenize/prompt-span.ts";
import type { Tokenizer } from "../tokenize/tokenizer.ts";
import { TEXT_PLACE } from "./prompt-template.ts";

/**
 * Which code's rule:
 * - "sentence-transformers": the prompt as it is given; what SentenceTransformer.encode(prompt=…) does.
 * - "instructor": the package InstructorEmbedding of 2025; instruction and text are stripped of white space first.
 * - "instructor-2023": its evaluation code of 2023, which made the published scores; only the text is stripped, and an
 *   instruction of one token stays in the pooling.
 */
export const PROMPT_RULES = ["sentence-transformers", "instructor", "instructor-2023"] as const;
export type PromptRule = (typeof PROMPT_RULES)[number];

export interface PromptCut {
  /** Instruction and text joined, ready for the tokenizer. */
  join(text: string): string;
  /** Tokens at the start of the joined text that do not count in the pooling, special ones included. */
  readonly tokens: number;
  /** Ids of the instruction alone, its last special tokens left out: what the joined text should begin with. */
  readonly ids: readonly number[];
  /** Special tokens at the end of the joined text that the rule leaves in the pooling: 0 or 1. */
  readonly after: number;
}

/**
 * @param template a prefix and {text}
 * @param maxTokens of the encoder
 * @throws {ParallaxError} prompt.not-a-prefix when something stands after the text, or it stands more than once
 */
export function cutPrompt(tokenizer: Tokenizer, template: string, rule: PromptRule, maxTokens: number): PromptCut {
  const parts = template.split(TEXT_PLACE);
  if (parts.length !== 2 || parts[1] !== "")
    throw new ParallaxError(
      "prompt.not-a-prefix",
      `The prompt ${JSON.stringify(template)} does not end with ${TEXT_PLACE}. This encoder leaves the instruction's tokens out of its pooling, which its authors define for an instruction before the text only. Nothing was encoded.`,
      {
        hint: `Put the instruction first: ${JSON.stringify(`${parts.join(" ").trim()} ${TEXT_PLACE}`)}.`,
        details: { prompt: template },
      },
    );
  const prefix = rule === "instructor" ? parts[0].trim() : parts[0];
  const ids = promptIds(tokenizer, prefix, maxTokens);
  const tokens = rule === "instructor-2023" && ids.length <= 1 ? 0 : ids.length;
  const isStripped = rule !== "sentence-transformers";
  return {
    join: (text) => prefix + (isStripped ? text.trim() : text),
    tokens,
    ids,
    after: Math.min(1, tokenizer.suffix.length),
  };
}

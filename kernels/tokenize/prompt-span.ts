/**
 * How many tokens of prompt + text belong to the prompt: by place, and by the rule with which InstructOR leaves its
 * instruction out of the mean.
 */
import type { Encoding, Tokenizer } from "./tokenizer.ts";

export interface PromptSpan {
  /** Of prompt + text, with offsets. */
  encoding: Encoding;
  /**
   * Tokens from the beginning that stand in the prompt alone, special tokens in front included: the first token that
   * shows a character of the text is the first that does not count.
   */
  byOffsets: number;
  /**
   * InstructOR's and sentence-transformers' count: tokens of the prompt alone with its special tokens, less the final
   * special one when there is one. At most the number of ids.
   */
  byCount: number;
  /**
   * The token at which the two part, when they do: where the prompt's last piece and the text's first became one, the
   * count is off.
   */
  boundary: { index: number; id: number; piece: string; text: string } | null;
}

/**
 * Ids that the prompt has when it stands alone, the final special token taken off: as many tokens are left out of the
 * pooling by InstructOR and sentence-transformers, and the joined text should begin with them. This is the one count that
 * encoders use.
 *
 * Source: xlang-ai/instructor-embedding, `INSTRUCTOR.tokenize`, and sentence-transformers,
 * `SentenceTransformer._get_prompt_length`: the prompt is tokenised alone, with the model's length limit, n tokens; the
 * first n - 1 positions are left out of the pooling when the last of them is a special token.
 *
 * @param maxTokens of the encoder: a prompt that is longer is cut too, so its final special token stays in the pooling.
 */
export function promptIds(tokenizer: Tokenizer, prompt: string, maxTokens: number): number[] {
  const { ids } = tokenizer.encode(prompt, maxTokens);
  return tokenizer.suffix.length > 0 ? ids.slice(0, -1) : ids;
}

/**
 * Encode a prompt joined with a text (no space is put between) and tell which tokens are the prompt's.
 *
 * @param maxTokens of the joined text, special tokens included.
 * Cost: two encodings.
 */
export function promptSpan(tokenizer: Tokenizer, prompt: string, text: string, maxTokens: number): PromptSpan {
  const joined = prompt + text;
  const encoding = tokenizer.encode(joined, maxTokens, { offsets: true });
  const offsets = encoding.offsets ?? [];
  const lead = tokenizer.prefix.length;
  const last = encoding.ids.length - tokenizer.suffix.length;
  let byOffsets = prompt === "" ? 0 : Math.min(lead, last);
  if (prompt !== "") while (byOffsets < last && (offsets[byOffsets]?.[1] ?? 0) <= prompt.length) byOffsets++;
  const alone = prompt === "" ? 0 : promptIds(tokenizer, prompt, maxTokens).length;
  const byCount = Math.max(0, Math.min(encoding.ids.length, alone));
  if (byCount === byOffsets) return { encoding, byOffsets, byCount, boundary: null };
  const index = Math.min(byOffsets, byCount, encoding.ids.length - 1);
  const id = encoding.ids[index];
  const place = offsets[index];
  return {
    encoding,
    byOffsets,
    byCount,
    boundary: {
      index,
      id,
      piece: tokenizer.piece(id) ?? "",
      text: place === null || place === undefined ? "" : joined.slice(place[0], place[1]),
    },
  };
}

/**
 * Text to token ids, from a tokenizer.json. The truncation and padding written in that file are ignored: several
 * official files say 128 for models that take 256 or 512, so the length comes from the encoder's spec.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { ParallaxError } from "../protocol/errors.ts";
import { type CutRules, cutText } from "./cut-text.ts";

export interface Encoding {
  /** Special tokens included. Never padded. */
  ids: number[];
  /** True when the text had more tokens than fit. */
  truncated: boolean;
  /** How many of ids are the unknown piece. */
  unknown: number;
}

export interface TokenizerOptions {
  /** Lower-case texts first, as `do_lower_case` of sentence_bert_config.json asks. Default false. */
  lowerCase?: boolean;
  /** Contents of tokenizer_config.json; default: read beside tokenizer.json when there. */
  config?: Record<string, unknown>;
}

/**
 * Load the tokenizer of a model folder.
 *
 * @param source a folder with tokenizer.json, the path of such a file, or its parsed contents.
 * @throws {ParallaxError} tokenizer.missing, tokenizer.damaged, tokenizer.unsupported
 * Cost: about 70 ms for 30,000 pieces.
 */
export function loadTokenizer(source: string | Record<string, unknown>, options: TokenizerOptions = {}): Tokenizer {
  if (typeof source !== "string") return new Tokenizer(source, "the given tokenizer", options);
  const file = source.endsWith(".json") ? source : path.join(source, "tokenizer.json");
  const config = options.config ?? readJson(path.join(path.dirname(file), "tokenizer_config.json"), true);
  return new Tokenizer(readJson(file, false), file, { ...options, config });
}

/** Turns texts into ids. Holds no state between texts; safe to share. */
export class Tokenizer {
  readonly vocabSize: number;
  /** Ids of the special pieces; undefined where the tokenizer has none. */
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  readonly clsId: number | undefined;
  readonly sepId: number | undefined;
  /** Special tokens put before and after every text. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly #inner: HuggingFaceTokenizer;
  readonly #cutRules: CutRules;
  readonly #lowerCase: boolean;

  constructor(json: Record<string, unknown>, name: string, options: TokenizerOptions = {}) {
    try {
      this.#inner = new HuggingFaceTokenizer(json, options.config ?? {});
      this.#lowerCase = options.lowerCase ?? false;
      const whole = this.#inner.encode("a").ids;
      const body = this.#inner.encode("a", { add_special_tokens: false }).ids;
      const at = whole.findIndex((_, i) => body.every((id, j) => whole[i + j] === id));
      this.prefix = whole.slice(0, Math.max(0, at));
      this.suffix = whole.slice(Math.max(0, at) + body.length);
    } catch (error) {
      throw new ParallaxError(
        "tokenizer.unsupported",
        `The tokenizer in ${name} could not be used: ${(error as Error).message}. No text was encoded.`,
        {
          hint: "Check that tokenizer.json is complete and comes from the same model.",
          details: { file: name },
          cause: error,
        },
      );
    }
    const vocabulary = this.#inner.get_vocab(true);
    this.vocabSize = vocabulary.size;
    const model = (json.model ?? {}) as { unk_token?: string; unk_id?: number; type?: string };
    const id = (...names: (string | undefined)[]) =>
      names.map((n) => (n === undefined ? undefined : this.#inner.token_to_id(n))).find((n) => n !== undefined);
    const configured = (key: string) => {
      const value = options.config?.[key];
      return typeof value === "string" ? value : (value as { content?: string } | null | undefined)?.content;
    };
    this.unkId = model.unk_id ?? id(model.unk_token ?? undefined, configured("unk_token"), "[UNK]", "<unk>");
    this.padId = id(configured("pad_token"), "[PAD]", "<pad>");
    this.clsId = id(configured("cls_token"), "[CLS]", "<s>");
    this.sepId = id(configured("sep_token"), "[SEP]", "</s>");
    const isBert =
      (json.pre_tokenizer as { type?: string } | null)?.type === "BertPreTokenizer" &&
      (json.normalizer as { handle_chinese_chars?: boolean } | null)?.handle_chinese_chars === true;
    this.#cutRules = { atPunctuation: isBert };
  }

  /** The pieces of the vocabulary in id order, special ones left out. New array. */
  pieces(): string[] {
    return [...this.#inner.get_vocab(false).keys()];
  }

  /** The piece of an id, as the vocabulary writes it ("##ing"). */
  piece(id: number): string | undefined {
    return this.#inner.id_to_token(id);
  }

  /**
   * Ids of one text, special tokens included, at most maxTokens of them: what stands at the end is left out.
   *
   * Lone surrogates become U+FFFD first, as every UTF-8 encoder does. A long text is read only as far as its tokens are
   * needed: the ids are those of the whole text (see cut-text.ts).
   *
   * @param maxTokens at least the number of special tokens; Infinity keeps everything.
   * Cost: 50 µs for a short sentence.
   */
  encode(text: string, maxTokens = Number.POSITIVE_INFINITY): Encoding {
    const room = Math.max(0, maxTokens - this.prefix.length - this.suffix.length);
    const body = this.#body(wellFormed(text), room);
    const truncated = body.length > room;
    const ids = [...this.prefix, ...(truncated ? body.slice(0, room) : body), ...this.suffix];
    let unknown = 0;
    if (this.unkId !== undefined) for (const id of ids) if (id === this.unkId) unknown++;
    return { ids, truncated, unknown };
  }

  /** `encode` for each text, in order. */
  encodeBatch(texts: readonly string[], options: { maxTokens: number }): Encoding[] {
    return texts.map((text) => this.encode(text, options.maxTokens));
  }

  /** Ids without special tokens: at least room + 1 of them when the text has so many, else all. */
  #body(text: string, room: number): number[] {
    // Pieces near a cut could differ in tokenizers that look across spaces, so some more are read than are kept.
    const enough = room + 32;
    for (let length = 16 * enough; length < text.length; length *= 4) {
      const head = cutText(text, length, this.#cutRules);
      if (head === undefined) continue;
      const ids = this.#ids(head);
      if (ids.length > enough) return ids;
    }
    return this.#ids(text);
  }

  #ids(text: string): number[] {
    return this.#inner.encode(this.#lowerCase ? text.toLowerCase() : text, { add_special_tokens: false }).ids;
  }
}

/** Lone surrogates replaced by U+FFFD (String.prototype.toWellFormed). */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

function readJson(file: string, optional: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (optional && code === "ENOENT") return {};
    throw new ParallaxError("tokenizer.missing", `${file} could not be read (${code}). No text was encoded.`, {
      hint: "Copy tokenizer.json from the model's own folder beside its weights.",
      details: { file, systemCode: code },
      cause: error,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new SyntaxError("it is not a JSON object");
  } catch (error) {
    throw new ParallaxError(
      "tokenizer.damaged",
      `${file} is not valid JSON: ${(error as Error).message}. No text was encoded.`,
      {
        hint: "Copy the file from the model again.",
        details: { file },
        cause: error,
      },
    );
  }
}

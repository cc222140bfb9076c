/**
 * Text to token ids, from the tokenizer files of a model. The truncation and padding written in that file are ignored: several
 * official files say 128 for models that take 256 or 512, so the length comes from the encoder's spec.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { isObject } from "./components.ts";
import { type CutRules, cutText } from "./cut-text.ts";
import { Pipeline, readPipeline } from "./pipeline.ts";
import { readTokenizerFiles } from "./tokenizer-files.ts";
import { CHARACTERS, rewrite, TrackedText } from "./tracked-text.ts";

export interface Encoding {
  /** Special tokens included. Never padded. */
  ids: number[];
  /** True when the text had more tokens than fit. */
  truncated: boolean;
  /** How many of ids are the unknown piece. */
  unknown: number;
  /**
   * When asked for: for each id the UTF-16 units [start, end) of the original text that it stands for, null for special
   * tokens put around the text. White space at the ends does not count unless the token is nothing else; pieces of one
   * character (bytes, an expanded ligature) share its place.
   */
  offsets?: (readonly [number, number] | null)[];
}

export interface EncodeOptions {
  offsets?: boolean;
}

export interface TokenizerOptions {
  /** Lower-case texts first, as `do_lower_case` of sentence_bert_config.json asks. Default false. */
  lowerCase?: boolean;
  /** Contents of tokenizer_config.json; default: read beside the tokenizer file when there. */
  config?: Record<string, unknown>;
}

/**
 * Load the tokenizer of a model folder.
 *
 * @param source a folder with tokenizer.json, a SentencePiece .model, vocab.json and merges.txt, or vocab.txt (looked
 *   for in this order); the path of a .json, .model or .txt file; or the parsed contents of a tokenizer.json.
 * @throws {ParallaxError} tokenizer.missing, tokenizer.damaged, tokenizer.unsupported (details.component and
 *   details.type name a part that is not known)
 * Cost: about 70 ms for 30,000 pieces.
 */
export function loadTokenizer(source: string | Record<string, unknown>, options: TokenizerOptions = {}): Tokenizer {
  if (typeof source !== "string") return new Tokenizer(source, "the given tokenizer", options);
  const { file, contents, config } = readTokenizerFiles(source, options.config);
  return new Tokenizer(contents, file, { ...options, config });
}

/** Longest single word that is read in full when only so many tokens are wanted, in UTF-16 units. */
const LONG_WORD = 250_000;

/** Turns texts into ids. What it remembers changes no result; safe to share. */
export class Tokenizer {
  /** One more than the largest id, where ids have no gaps: the number of pieces, added ones included. */
  readonly vocabSize: number;
  /** Ids of the special pieces; undefined where the tokenizer has none. */
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  readonly clsId: number | undefined;
  readonly sepId: number | undefined;
  /** Special tokens put before and after every text. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly #pipeline: Pipeline;
  readonly #byId = new Map<number, string>();
  readonly #added: ReadonlySet<string>;
  readonly #cutRules: CutRules;
  readonly #lowerCase: boolean;

  constructor(contents: Record<string, unknown> | Pipeline, name: string, options: TokenizerOptions = {}) {
    const isRead = contents instanceof Pipeline;
    const pipeline = isRead ? contents : named(name, () => readPipeline(contents));
    this.#pipeline = pipeline;
    this.#lowerCase = options.lowerCase ?? false;
    this.prefix = pipeline.prefix;
    this.suffix = pipeline.suffix;
    const { vocabulary } = pipeline.model;
    const ids = new Map<string, number>();
    for (const { content, id } of pipeline.added) ids.set(content, id);
    this.#added = new Set(ids.keys());
    for (const [piece, id] of vocabulary) this.#byId.set(id, piece);
    for (const [piece, id] of ids) this.#byId.set(id, piece);
    this.vocabSize = this.#byId.size;
    const id = (...names: (string | undefined)[]) =>
      names.map((n) => (n === undefined ? undefined : (ids.get(n) ?? vocabulary.get(n)))).find((n) => n !== undefined);
    const configured = (key: string) => {
      const value = options.config?.[key];
      return typeof value === "string" ? value : (value as { content?: string } | null | undefined)?.content;
    };
    this.unkId = pipeline.model.unkId ?? id(configured("unk_token"), "[UNK]", "<unk>");
    this.padId = id(configured("pad_token"), "[PAD]", "<pad>");
    this.clsId = id(configured("cls_token"), "[CLS]", "<s>");
    this.sepId = id(configured("sep_token"), "[SEP]", "</s>");
    const json: Record<string, unknown> = isRead ? {} : contents;
    const isBert =
      isObject(json.pre_tokenizer) &&
      json.pre_tokenizer.type === "BertPreTokenizer" &&
      isObject(json.normalizer) &&
      json.normalizer.handle_chinese_chars === true;
    this.#cutRules = { atPunctuation: isBert };
  }

  /** The pieces of the vocabulary in id order, special and added ones left out. New array. */
  pieces(): string[] {
    return [...this.#byId]
      .filter(([, piece]) => !this.#added.has(piece))
      .sort(([a], [b]) => a - b)
      .map(([, piece]) => piece);
  }

  /** The piece of an id, as the vocabulary writes it ("##ing"). */
  piece(id: number): string | undefined {
    return this.#byId.get(id);
  }

  /**
   * Ids of one text, special tokens included, at most maxTokens of them: what stands at the end is left out.
   *
   * Lone surrogates become U+FFFD first, as every UTF-8 encoder does. A long text is read only as far as its tokens are
   * needed: the ids are those of the whole text (see cut-text.ts). Of one word of more than 250,000 characters, only
   * so much is read when maxTokens is finite.
   *
   * @param maxTokens at least the number of special tokens; Infinity keeps everything.
   * Cost: 10 µs for a short sentence of words seen before, 100 µs for new ones; offsets cost a quarter more.
   */
  encode(text: string, maxTokens = Number.POSITIVE_INFINITY, options: EncodeOptions = {}): Encoding {
    const room = Math.max(0, maxTokens - this.prefix.length - this.suffix.length);
    const spans: number[] | null = options.offsets ? [] : null;
    const body = this.#body(wellFormed(text), room, spans);
    const truncated = body.length > room;
    const kept = truncated ? room : body.length;
    const ids = this.prefix.concat(truncated ? body.slice(0, room) : body, this.suffix);
    let unknown = 0;
    if (this.unkId !== undefined) for (const id of ids) if (id === this.unkId) unknown++;
    const encoding: Encoding = { ids, truncated, unknown };
    if (spans !== null) {
      encoding.offsets = this.prefix.map(() => null);
      for (let i = 0; i < kept; i++) encoding.offsets.push([spans[2 * i], spans[2 * i + 1]]);
      for (const _ of this.suffix) encoding.offsets.push(null);
    }
    return encoding;
  }

  /** `encode` for each text, in order. */
  encodeBatch(texts: readonly string[], options: { maxTokens: number }): Encoding[] {
    return texts.map((text) => this.encode(text, options.maxTokens));
  }

  /** Ids without special tokens: at least room + 1 of them when the text has so many, else all. */
  #body(text: string, room: number, spans: number[] | null): number[] {
    // Pieces near a cut could differ in tokenizers that look across spaces, so some more are read than are kept.
    const enough = room + 32;
    for (let length = 16 * enough; length < text.length; length *= 4) {
      const head = cutText(text, length, this.#cutRules);
      if (head === undefined) continue;
      const ids = this.#ids(head, enough + 1, spans);
      if (ids.length > enough) return ids;
      if (spans !== null) spans.length = 0;
    }
    const most = Math.max(LONG_WORD, 64 * enough);
    return this.#ids(
      text.length > most ? text.slice(0, most).replace(/[\ud800-\udbff]$/, "") : text,
      enough + 1,
      spans,
    );
  }

  #ids(text: string, enough: number, spans: number[] | null): number[] {
    if (!this.#lowerCase) return this.#pipeline.encode(text, enough, spans);
    const lower = text.toLowerCase();
    const ids = this.#pipeline.encode(lower, enough, spans);
    if (spans !== null && lower !== text) {
      const { starts, ends } = rewrite(TrackedText.of(text, true), lower, CHARACTERS, (c) => c.toLowerCase());
      for (let i = 0; i < spans.length; i += 2) {
        const [start, end] = [spans[i], spans[i + 1]];
        spans[i] = starts?.[start] ?? start;
        spans[i + 1] = ends?.[Math.max(start, end - 1)] ?? end;
      }
    }
    return ids;
  }
}

/** Errors of a tokenizer's parts, with the file they are in. */
function named(file: string, read: () => Pipeline): Pipeline {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    throw new ParallaxError(error.code, error.message.replace("The tokenizer", `The tokenizer in ${file}`), {
      kind: error.kind,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      details: { ...error.details, file },
      cause: error,
    });
  }
}

/** Lone surrogates replaced by U+FFFD (String.prototype.toWellFormed). */
export function wellFormed(text: string): string {
  for (let i = 0; i < text.length; i++)
    if ((text.charCodeAt(i) & 0xf800) === 0xd800) return text.replace(/\p{Surrogate}/gu, "\ufffd");
  return text;
}

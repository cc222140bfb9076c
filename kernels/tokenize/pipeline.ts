/**
 * A whole tokenizer: added tokens, normaliser, pre-tokenizer and model, with the special tokens around a text.
 *
 * Most texts are made of words that occurred before, so what a word becomes is remembered. That is allowed where the
 * tokenizer treats the word as if it stood alone (see `Independence`); the ids are the same either way.
 */
import { type AddedToken, AddedTokenFinder, readAddedTokens } from "./added-tokens.ts";
import { badComponent, isObject, type Json } from "./components.ts";
import { createModel } from "./models.ts";
import { byteLevel, createNormaliser, type Independence, isAscii, type Normaliser, weakest } from "./normalisers.ts";
import { type PieceModel, Pieces } from "./pieces.ts";
import { checkDecoder, readPostProcessor } from "./post-processor.ts";
import { BYTE_LEVEL_WORDS, createPreTokeniser, type PreTokeniser } from "./pre-tokenisers.ts";
import { Recent } from "./recent.ts";
import { TrackedText } from "./tracked-text.ts";

export interface PipelineParts {
  normaliser: Normaliser;
  preTokeniser: PreTokeniser;
  model: PieceModel;
  added: readonly AddedToken[];
  prefix: readonly number[];
  suffix: readonly number[];
  /** Byte-level words: cut by their pattern before anything else, a space put in front of the first. */
  byteLevel?: { prefixSpace: boolean };
  /** Texts with this mark are read as a whole. */
  reserved?: string;
}

/** Parts up to this many units are remembered. */
const REMEMBERED_UNITS = 48;
/** About 40 MB when full. Half as many would be dropped before they are needed again in a mixed corpus. */
const REMEMBERED_WORDS = 262_144;
/** A mark after a space may act on the space. */
const MARK_AFTER_SPACE = / [\p{M}\p{Grapheme_Extend}\u200d]/u;

interface Word {
  ids: number[];
  /** Start and end of each id in units of the word; null until asked for. */
  spans: number[] | null;
}

/** @throws {ParallaxError} tokenizer.unsupported naming an unknown part, tokenizer.damaged */
export function readPipeline(json: Json): Pipeline {
  if (!isObject(json)) throw badComponent("tokenizer.json", "is not a JSON object");
  const normaliser = createNormaliser(json.normalizer);
  const preTokeniser = createPreTokeniser(json.pre_tokenizer);
  const model = createModel(json.model);
  const { prefix, suffix } = readPostProcessor(json.post_processor);
  checkDecoder(json.decoder);
  const pre = json.pre_tokenizer;
  const isByteLevel = (json.normalizer ?? null) === null && isObject(pre) && pre.type === "ByteLevel";
  return new Pipeline({
    normaliser,
    preTokeniser,
    model,
    added: readAddedTokens(json.added_tokens),
    prefix,
    suffix,
    ...(isByteLevel && pre.use_regex !== false ? { byteLevel: { prefixSpace: pre.add_prefix_space !== false } } : {}),
  });
}

export class Pipeline {
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly added: readonly AddedToken[];
  readonly model: PieceModel;
  readonly #parts: PipelineParts;
  readonly #raw: AddedTokenFinder;
  readonly #normalised: AddedTokenFinder;
  readonly #independent: Independence | "byte-level";
  readonly #words = new Recent<Word>(REMEMBERED_WORDS);
  readonly #pieces = new Recent<Pieces>(REMEMBERED_WORDS >> 2);

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.prefix = parts.prefix;
    this.suffix = parts.suffix;
    this.added = parts.added;
    this.model = parts.model;
    this.#raw = new AddedTokenFinder(parts.added);
    this.#normalised = new AddedTokenFinder(parts.added, parts.normaliser);
    const bySpaces = weakest([parts.normaliser.independent, parts.preTokeniser.independent]);
    const free = this.#normalised.isEmpty;
    this.#independent = !free ? null : parts.byteLevel !== undefined ? "byte-level" : bySpaces;
  }

  /**
   * Ids of a text without special tokens.
   *
   * @param enough stop after this many ids when more would follow; the ids before are those of the whole text.
   * @param spans filled with start and end of each id in UTF-16 units of the text, without white space at the ends.
   */
  encode(text: string, enough: number, spans: number[] | null): number[] {
    const ids: number[] = [];
    if (text === "") return ids;
    const { reserved } = this.#parts;
    const isFree = reserved === undefined || !text.includes(reserved);
    if (this.#independent !== null && isFree && !this.#raw.finds(text)) {
      if (this.#independent === "byte-level") return this.#byteLevel(text, enough, ids, spans);
      if (this.#independent === "words" ? isAscii(text) || !MARK_AFTER_SPACE.test(text) : isPlain(text)) {
        for (let at = 0; at < text.length && ids.length < enough; ) {
          let end = text.indexOf(" ", at);
          if (end < 0) end = text.length;
          if (end - at > REMEMBERED_UNITS && end === text.length && ids.length === 0 && spans === null)
            return this.#alone(text.slice(at, end), false).ids;
          if (end > at) this.#word(text.slice(at, end), at, ids, spans);
          at = end + 1;
        }
        return ids;
      }
    }
    const { ids: all, starts, ends } = this.#whole(text, spans !== null);
    if (spans !== null) for (let i = 0; i < all.length; i++) pushSpan(spans, text, starts[i], ends[i]);
    return all;
  }

  #byteLevel(text: string, enough: number, ids: number[], spans: number[] | null): number[] {
    const { prefixSpace } = this.#parts.byteLevel as { prefixSpace: boolean };
    const added = prefixSpace && !text.startsWith(" ") ? 1 : 0;
    for (const match of (added === 1 ? ` ${text}` : text).matchAll(BYTE_LEVEL_WORDS)) {
      if (ids.length >= enough) break;
      if (match[0].length > REMEMBERED_UNITS && match[0].length >= text.length && spans === null)
        return this.#alone(match[0], false).ids;
      this.#word(match[0], match.index - added, ids, spans);
    }
    return ids;
  }

  #word(word: string, at: number, ids: number[], spans: number[] | null): void {
    let known = word.length <= REMEMBERED_UNITS ? this.#words.get(word) : undefined;
    if (known === undefined || (spans !== null && known.spans === null)) {
      const { ids: found, starts, ends } = this.#alone(word, spans !== null);
      known = { ids: found, spans: null };
      if (spans !== null) {
        known.spans = [];
        for (let i = 0; i < found.length; i++) pushSpan(known.spans, word, starts[i], ends[i]);
      }
      if (word.length <= REMEMBERED_UNITS) this.#words.set(word, known);
    }
    for (const id of known.ids) ids.push(id);
    // A space put in front of the text has no place of its own.
    if (spans !== null) for (const place of known.spans as number[]) spans.push(Math.max(0, at + place));
  }

  #alone(word: string, tracks: boolean): Pieces {
    const into = new Pieces(tracks);
    const text = TrackedText.of(word, tracks);
    if (this.#independent === "byte-level") this.#model(byteLevel(text), into);
    else {
      // Added tokens are not in it: the whole text was searched for them.
      const { normaliser, preTokeniser } = this.#parts;
      for (const part of preTokeniser.split(normaliser.apply(text))) this.#model(part, into);
    }
    return into;
  }

  /** The long way, with places in units of the text. */
  #whole(text: string, tracks: boolean): Pieces {
    const { normaliser, preTokeniser } = this.#parts;
    const into = new Pieces(tracks);
    const places = tracks || preTokeniser.needsPlaces === true;
    for (const { part: raw, token } of this.#raw.split(TrackedText.of(text, places))) {
      if (token !== null) {
        pushToken(into, token, raw);
        continue;
      }
      for (const { part, token: found } of this.#normalised.split(normaliser.apply(raw))) {
        if (found !== null) pushToken(into, found, part);
        else for (const word of preTokeniser.split(part)) this.#model(word, into);
      }
    }
    return into;
  }

  #model(part: TrackedText, into: Pieces): void {
    if (part.text === "") return;
    const short = part.text.length <= REMEMBERED_UNITS;
    let found = short ? this.#pieces.get(part.text) : undefined;
    if (found === undefined) {
      // What is remembered serves both.
      found = this.model.encode(part.text, short || into.tracks);
      if (short) this.#pieces.set(part.text, found);
    }
    const { starts, ends } = part;
    if (!into.tracks) {
      // A word of megabytes is not copied.
      into.addIds(found.ids, !short);
      return;
    }
    for (let i = 0; i < found.ids.length; i++) {
      const from = starts === null ? 0 : starts[found.starts[i]];
      const to = ends === null ? 0 : ends[Math.max(found.starts[i], found.ends[i] - 1)];
      into.push(found.ids[i], from, to);
    }
  }
}

function pushToken(into: Pieces, token: AddedToken, part: TrackedText): void {
  into.push(token.id, part.starts?.[0] ?? 0, part.ends?.[part.text.length - 1] ?? 0);
}

/** Printable ASCII with one space between words and none at the ends. */
function isPlain(text: string): boolean {
  return isAscii(text) && /^[!-~]+(?: [!-~]+)*$/.test(text);
}

const SPACE = /\p{White_Space}/u;

/** White space at the ends is left out where something else remains. */
function pushSpan(into: number[], text: string, start: number, end: number): void {
  let from = start;
  let to = end;
  while (from < to && SPACE.test(text[from])) from++;
  while (to > from && SPACE.test(text[to - 1])) to--;
  if (from === to) into.push(start, end);
  else into.push(from, to);
}

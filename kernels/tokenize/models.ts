/** The model of a tokenizer.json. */
import { Bpe, type Merge, PAIR } from "./bpe.ts";
import {
  badComponent,
  flag,
  isObject,
  type Json,
  list,
  string,
  typeOf,
  unknownComponent,
  wholeNumber,
} from "./components.ts";
import { byteIds, type PieceModel, Pieces } from "./pieces.ts";
import { Unigram } from "./unigram.ts";
import { WordPiece } from "./wordpiece.ts";

const KNOWN = ["WordPiece", "Unigram", "BPE", "WordLevel"] as const;
const WHERE = "model";
const MAX_ID = 50_000_000;

/** @throws {ParallaxError} tokenizer.unsupported naming an unknown type, tokenizer.damaged */
export function createModel(config: unknown): PieceModel {
  const type = isObject(config) && config.type === undefined ? guessType(config) : typeOf(config, WHERE);
  const json = config as Json;
  switch (type) {
    case "WordPiece": {
      const vocabulary = readVocabulary(json.vocab);
      return new WordPiece(vocabulary, {
        unkId: requiredUnk(json, vocabulary),
        continuing: string(json, "continuing_subword_prefix", "##", WHERE),
        maxCharacters: wholeNumber(json.max_input_chars_per_word ?? 100, "max_input_chars_per_word", WHERE),
      });
    }
    case "WordLevel": {
      const vocabulary = readVocabulary(json.vocab);
      return wordLevel(vocabulary, requiredUnk(json, vocabulary));
    }
    case "Unigram":
      return unigram(json);
    case "BPE":
      return bpe(json);
    default:
      throw unknownComponent(WHERE, type, KNOWN);
  }
}

/** Older files name no type. */
function guessType(json: Json): unknown {
  if (Array.isArray(json.merges)) return "BPE";
  if (Array.isArray(json.vocab)) return "Unigram";
  if (isObject(json.vocab)) return json.continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
  return undefined;
}

function readVocabulary(value: unknown): Map<string, number> {
  if (!isObject(value)) throw badComponent(WHERE, "has no vocabulary");
  const vocabulary = new Map<string, number>();
  for (const [piece, id] of Object.entries(value)) vocabulary.set(piece, wholeNumber(id, "the id", WHERE, MAX_ID));
  if (vocabulary.size === 0) throw badComponent(WHERE, "has an empty vocabulary");
  return vocabulary;
}

function requiredUnk(json: Json, vocabulary: ReadonlyMap<string, number>): number {
  const token = string(json, "unk_token", "[UNK]", WHERE);
  const id = vocabulary.get(token);
  if (id === undefined) throw badComponent(WHERE, `has no piece for its unknown token ${JSON.stringify(token)}`);
  return id;
}

function wordLevel(vocabulary: ReadonlyMap<string, number>, unkId: number): PieceModel {
  const encode = (part: string): Pieces =>
    part === "" ? new Pieces() : Pieces.one(vocabulary.get(part) ?? unkId, part.length);
  return { vocabulary, unkId, encode };
}

function unigram(json: Json): PieceModel {
  const entries = list(json, "vocab", WHERE);
  if (entries.length === 0) throw badComponent(WHERE, "has an empty vocabulary");
  const vocabulary = new Map<string, number>();
  const scores = new Float64Array(entries.length);
  for (const [id, entry] of entries.entries()) {
    if (!Array.isArray(entry) || typeof entry[0] !== "string" || !Number.isFinite(entry[1]))
      throw badComponent(WHERE, `has the piece ${JSON.stringify(entry)?.slice(0, 80)} at ${id}`);
    if (!vocabulary.has(entry[0])) vocabulary.set(entry[0], id);
    scores[id] = entry[1];
  }
  const unkId =
    json.unk_id === null || json.unk_id === undefined
      ? undefined
      : wholeNumber(json.unk_id, "unk_id", WHERE, entries.length - 1);
  const bytes = flag(json, "byte_fallback", false, WHERE) ? byteIds(vocabulary) : undefined;
  return new Unigram(vocabulary, scores, { unkId, ...(bytes === undefined ? {} : { bytes }) });
}

function bpe(json: Json): PieceModel {
  const vocabulary = readVocabulary(json.vocab);
  const continuing = string(json, "continuing_subword_prefix", "", WHERE);
  const merges = new Map<number, Merge>();
  for (const [rank, entry] of list(json, "merges", WHERE).entries()) {
    const [left, right] = mergePair(entry);
    const a = vocabulary.get(left);
    const b = vocabulary.get(right);
    const joined = left + (right.startsWith(continuing) ? right.slice(continuing.length) : right);
    const symbol = vocabulary.get(joined);
    if (a === undefined || b === undefined || symbol === undefined)
      throw badComponent(WHERE, `merges ${JSON.stringify([left, right]).slice(0, 120)}, which are not all pieces`);
    const key = a * PAIR + b;
    merges.set(key, { rank, symbol });
  }
  const unk = json.unk_token;
  const unkId = typeof unk === "string" ? vocabulary.get(unk) : undefined;
  if (typeof unk === "string" && unkId === undefined)
    throw badComponent(WHERE, `has no piece for its unknown token ${JSON.stringify(unk)}`);
  const bytes = flag(json, "byte_fallback", false, WHERE) ? byteIds(vocabulary) : undefined;
  return new Bpe(vocabulary, merges, {
    unkId,
    ...(bytes === undefined ? {} : { bytes }),
    fuseUnknown: flag(json, "fuse_unk", false, WHERE),
    ignoreMerges: flag(json, "ignore_merges", false, WHERE),
    continuing,
    endOfWord: string(json, "end_of_word_suffix", "", WHERE),
  });
}

/** "a b", or ["a", "b"] in newer files. */
function mergePair(entry: unknown): [string, string] {
  const pair = typeof entry === "string" ? entry.split(" ") : entry;
  if (Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "string")
    return [pair[0], pair[1]];
  throw badComponent(WHERE, `has the merge ${JSON.stringify(entry)?.slice(0, 80)}`);
}

/**
 * SentencePiece's .model files: a protobuf with pieces, scores and normalisation rules (sentencepiece_model.proto).
 * The ids, scores and float32 sums are those of the SentencePiece library.
 */
import { asInteger, asMessage, asString, fields, pushFloats } from "../graph/protobuf.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { Bpe, type Merge, PAIR } from "./bpe.ts";
import { Charsmap } from "./charsmap.ts";
import { badComponent, unknownComponent } from "./components.ts";
import type { Normaliser } from "./normalisers.ts";
import { byteIds, type PieceModel } from "./pieces.ts";
import { Pipeline } from "./pipeline.ts";
import type { PreTokeniser } from "./pre-tokenisers.ts";
import { sentencePieceNormaliser } from "./sentencepiece-normaliser.ts";
import { characterUnits } from "./tracked-text.ts";
import { Trie } from "./trie.ts";
import { Unigram } from "./unigram.ts";

/** Kinds of pieces, as the file numbers them. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface SentencePieceModel {
  pieces: { text: string; score: number; kind: number }[];
  type: "unigram" | "bpe";
  byteFallback: boolean;
  rules: Uint8Array;
  addDummyPrefix: boolean;
  removeExtraSpaces: boolean;
  escapesSpaces: boolean;
}

const WHERE = "SentencePiece model";
export const SPACE_MARK = "▁";

/**
 * The contents of a .model file.
 * @throws {ParallaxError} tokenizer.damaged, tokenizer.unsupported (word and character models, spaces as suffixes)
 */
export function readSentencePiece(bytes: Uint8Array): SentencePieceModel {
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof ParallaxError) || !error.code.startsWith("onnx.")) throw error;
    // The protobuf reader speaks of models.
    throw badComponent(WHERE, `cannot be read (${error.message})`);
  }
}

function read(bytes: Uint8Array): SentencePieceModel {
  const model: SentencePieceModel = {
    pieces: [],
    type: "unigram",
    byteFallback: false,
    rules: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraSpaces: true,
    escapesSpaces: true,
  };
  for (const field of fields(bytes)) {
    if (field.number === 1) model.pieces.push(readPiece(asMessage(field)));
    else if (field.number === 2) readTrainer(asMessage(field), model);
    else if (field.number === 3) {
      for (const part of fields(asMessage(field))) {
        if (part.number === 2) model.rules = asMessage(part);
        else if (part.number === 3) model.addDummyPrefix = asInteger(part) !== 0n;
        else if (part.number === 4) model.removeExtraSpaces = asInteger(part) !== 0n;
        else if (part.number === 5) model.escapesSpaces = asInteger(part) !== 0n;
      }
    }
  }
  if (!model.pieces.some(({ kind }) => kind === PIECE.normal)) throw badComponent(WHERE, "has no pieces");
  const seen = new Set<string>();
  for (const { text, kind } of model.pieces) {
    if (text === "" || seen.has(text))
      throw badComponent(WHERE, `has the piece ${JSON.stringify(text)} twice or empty`);
    if (!(Object.values(PIECE) as number[]).includes(kind)) throw badComponent(WHERE, `has a piece of kind ${kind}`);
    seen.add(text);
  }
  return model;
}

function readPiece(bytes: Uint8Array): SentencePieceModel["pieces"][number] {
  const piece = { text: "", score: 0, kind: PIECE.normal as number };
  for (const field of fields(bytes)) {
    if (field.number === 1) piece.text = asString(field);
    else if (field.number === 2) {
      const scores: number[] = [];
      pushFloats(field, scores);
      piece.score = scores[0] ?? 0;
    } else if (field.number === 3) piece.kind = Number(asInteger(field));
  }
  if (!Number.isFinite(piece.score)) throw badComponent(WHERE, `gives ${JSON.stringify(piece.text)} no finite score`);
  return piece;
}

function readTrainer(bytes: Uint8Array, model: SentencePieceModel): void {
  for (const field of fields(bytes)) {
    if (field.number === 3) {
      const number = Number(asInteger(field));
      const type = ["", "unigram", "bpe", "word", "char"][number] ?? number;
      if (type !== "unigram" && type !== "bpe") throw unknownComponent("model", type, ["unigram", "bpe"]);
      model.type = type;
    } else if (field.number === 24 && asInteger(field) !== 0n)
      throw unknownComponent("normalizer", "treat_whitespace_as_suffix", ["spaces as prefixes"]);
    else if (field.number === 35) model.byteFallback = asInteger(field) !== 0n;
  }
}

/** Ids and special tokens that a model's authors put around SentencePiece's own. */
export interface PieceNumbering {
  /** Id of the piece at a place in the file; default: the place. */
  id?: (place: number) => number;
  /** Tokens that are not in the file, or special. */
  added?: readonly AddedToken[];
  prefix?: readonly number[];
  suffix?: readonly number[];
}

/** @throws {ParallaxError} tokenizer.damaged */
export function sentencePiecePipeline(model: SentencePieceModel, numbering: PieceNumbering = {}): Pipeline {
  const idOf = numbering.id ?? ((place) => place);
  const vocabulary = new Map<string, number>();
  const hidden = new Set<number>();
  const userDefined: [string, number][] = [];
  let unkId: number | undefined;
  for (const [place, { text, kind }] of model.pieces.entries()) {
    const id = idOf(place);
    vocabulary.set(text, id);
    if (kind === PIECE.unknown) unkId = id;
    if (kind === PIECE.userDefined) userDefined.push([text, id]);
    if (kind !== PIECE.normal && kind !== PIECE.userDefined) hidden.add(id);
  }
  if (unkId === undefined) throw badComponent(WHERE, "has no unknown piece");
  const bytes = model.byteFallback ? byteIds(vocabulary) : undefined;
  if (model.byteFallback && bytes === undefined) throw badComponent(WHERE, "falls back to bytes and lacks some");
  const options = { unkId, ...(bytes === undefined ? {} : { bytes }) };
  const alone = userDefined.length === 0 ? undefined : prefixFinder(userDefined);
  const pieceModel: PieceModel =
    model.type === "unigram"
      ? new Unigram(vocabulary, unigramScores(model, idOf), { ...options, float32: true, hidden, worst: worst(model) })
      : mergeModel(model, vocabulary, idOf, { ...options, ...(alone === undefined ? {} : { frozen: alone }) });
  const parts = spaceSplitter(model, vocabulary, hidden);
  const normaliser: Normaliser = sentencePieceNormaliser({
    charsmap: model.rules.length === 0 ? undefined : new Charsmap(model.rules),
    addDummyPrefix: model.addDummyPrefix,
    removeExtraSpaces: model.removeExtraSpaces,
    escapesSpaces: model.escapesSpaces,
    ...(alone === undefined ? {} : { alone }),
  });
  return new Pipeline({
    normaliser,
    preTokeniser: parts,
    model: pieceModel,
    added: numbering.added ?? [],
    prefix: numbering.prefix ?? [],
    suffix: numbering.suffix ?? [],
    reserved: SPACE_MARK,
  });
}

function worst({ pieces }: SentencePieceModel): number {
  return pieces.reduce((least, { score, kind }) => (kind === PIECE.normal ? Math.min(least, score) : least), Infinity);
}

/** By id. A user-defined piece beats any segmentation of its text: length × best score - 0.1. */
function unigramScores(model: SentencePieceModel, idOf: (place: number) => number): Float64Array {
  const scores = new Float64Array(model.pieces.reduce((most, _, place) => Math.max(most, idOf(place) + 1), 0));
  let best = Number.NEGATIVE_INFINITY;
  for (const { score, kind } of model.pieces) if (kind === PIECE.normal) best = Math.max(best, score);
  for (const [place, { text, score, kind }] of model.pieces.entries())
    scores[idOf(place)] = kind === PIECE.userDefined ? Buffer.byteLength(text) * best - 0.1 : score;
  return scores;
}

/** The longest of some texts that begins at a place. */
function prefixFinder(texts: readonly [string, number][]) {
  const trie = new Trie(texts);
  return (text: string, at: number): { symbol: number; units: number } | undefined => {
    let found: { symbol: number; units: number } | undefined;
    let node = Trie.ROOT;
    for (let i = at; i < text.length; i++) {
      node = trie.child(node, text.charCodeAt(i));
      if (node < 0) break;
      if (trie.value(node) >= 0) found = { symbol: trie.value(node), units: i + 1 - at };
    }
    return found;
  };
}

/**
 * Any two symbols merge when their text is a piece, the better score first. A symbol is a piece or a single character
 * of one; those that are no pieces get numbers above all ids.
 */
function mergeModel(
  model: SentencePieceModel,
  vocabulary: ReadonlyMap<string, number>,
  idOf: (place: number) => number,
  options: { unkId: number; bytes?: readonly number[]; frozen?: ReturnType<typeof prefixFinder> },
): PieceModel {
  const symbols = new Map<string, number>();
  const undo = new Map<number, [number, number]>();
  let next = 0;
  for (const place of model.pieces.keys()) next = Math.max(next, idOf(place) + 1);
  const pieceCount = next;
  const visible = model.pieces
    .map((piece, place) => ({ ...piece, id: idOf(place) }))
    .filter(({ kind }) => kind === PIECE.normal || kind === PIECE.userDefined || kind === PIECE.unused);
  for (const { text, id } of visible) symbols.set(text, id);
  for (const { text } of visible)
    for (const character of text) if (!symbols.has(character)) symbols.set(character, next++);
  const merges = new Map<number, Merge>();
  for (const { text, score, kind, id } of visible) {
    for (let at = characterUnits(text, 0); at < text.length; at += characterUnits(text, at)) {
      const left = symbols.get(text.slice(0, at));
      const right = symbols.get(text.slice(at));
      if (left === undefined || right === undefined) continue;
      merges.set(left * PAIR + right, { rank: -score, symbol: id });
      // An unused piece is taken apart again. Which way it was merged is that of its best halves.
      if (kind === PIECE.unused && !undo.has(id)) undo.set(id, [left, right]);
    }
  }
  return new Bpe(vocabulary, merges, { ...options, fuseUnknown: true, undo, pieceCount }, symbols);
}

/**
 * Words apart, when no piece reaches over the beginning of a word: the same pieces with less to look at. Not for
 * unigram: its float32 sums run through the whole text, and their rounding decides between equal segmentations.
 */
function spaceSplitter(
  model: SentencePieceModel,
  vocabulary: ReadonlyMap<string, number>,
  hidden: ReadonlySet<number>,
): PreTokeniser {
  const markId = vocabulary.get(SPACE_MARK);
  const isSafe =
    model.type === "bpe" &&
    model.escapesSpaces &&
    markId !== undefined &&
    !hidden.has(markId) &&
    !model.pieces.some(
      ({ text, kind }) =>
        text.includes(" ") || /[^▁]▁/.test(text) || (kind === PIECE.userDefined && text.includes("▁")),
    );
  if (!isSafe) return { split: (text) => [text], independent: null };
  return {
    split: (text) => {
      const parts = [];
      for (const match of text.text.matchAll(/▁*[^▁]+|▁+/g))
        parts.push(text.slice(match.index, match.index + match[0].length));
      return parts;
    },
    independent: model.addDummyPrefix ? (model.removeExtraSpaces ? "words" : "spaced") : null,
  };
}

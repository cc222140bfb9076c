/**
 * Unigram language model: the segmentation with the largest sum of log-probabilities (Kudo 2018, "Subword
 * Regularization", §3.2), by Viterbi. The path is given out as soon as all candidates share it, so a text of many
 * megabytes needs little memory beyond its own.
 */
import { type PieceModel, Pieces } from "./pieces.ts";
import { characterUnits } from "./tracked-text.ts";
import { Trie } from "./trie.ts";

export interface UnigramOptions {
  /** A text that no piece covers is unknown; undefined: such characters are left out. */
  unkId: number | undefined;
  /** Ids of the 256 byte pieces that stand for unknown characters. */
  bytes?: readonly number[];
  /** Sums kept in float32, as SentencePiece; else float64, as the `tokenizers` library. */
  float32?: boolean;
  /** Pieces that no text gives: unused ones and controls. */
  hidden?: ReadonlySet<number>;
  /** The score that an unknown character's penalty counts from. Default: the worst of all. */
  worst?: number;
}

/** Added to the worst score for an unknown character, by both implementations. */
const UNKNOWN_PENALTY = 10;
/** Viterbi's window: positions kept before the shared path is given out. */
const WINDOW = 8192;

export class Unigram implements PieceModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
  readonly #trie: Trie;
  readonly #scores: Float64Array;
  readonly #unkScore: number;
  readonly #bytes: readonly number[] | undefined;
  readonly #round: (x: number) => number;
  readonly #longest: number;

  /** @param scores by id. */
  constructor(vocabulary: ReadonlyMap<string, number>, scores: Float64Array, options: UnigramOptions) {
    this.vocabulary = vocabulary;
    this.unkId = options.unkId;
    this.#bytes = options.bytes;
    this.#round = options.float32 ? Math.fround : (x) => x;
    const { hidden } = options;
    const visible = [...vocabulary].filter(([, id]) => hidden?.has(id) !== true);
    this.#trie = new Trie(visible);
    this.#scores = scores;
    let worst = options.worst ?? Number.POSITIVE_INFINITY;
    if (options.worst === undefined) for (const score of scores) worst = Math.min(worst, score);
    this.#unkScore = this.#round(worst - UNKNOWN_PENALTY);
    this.#longest = visible.reduce((most, [piece]) => Math.max(most, piece.length), 2);
  }

  encode(text: string, tracks = true): Pieces {
    for (let window = Math.max(WINDOW, 4 * this.#longest); ; window *= 8) {
      const found = this.#encode(text, window, tracks);
      if (found !== undefined) return found;
    }
  }

  /** Undefined when the best path is not decided within the window. */
  #encode(text: string, size: number, tracks: boolean): Pieces | undefined {
    const found = new Pieces(tracks, text.length);
    const length = Math.min(text.length, size);
    // For each end: the score of the best path, where its last piece begins, and which it is (-1: unknown).
    const best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(length + 1);
    const piece = new Int32Array(length + 1).fill(-1);
    best[0] = 0;
    /** Where the window begins in the text. */
    let base = 0;
    for (let at = 0; base + at < text.length; ) {
      if (at + this.#longest > length && base + length < text.length) {
        const shared = this.#sharedEnd(from, best, at);
        if (shared === 0) return undefined;
        this.#emit(text, base, shared, from, piece, found);
        best.copyWithin(0, shared);
        best.fill(Number.NEGATIVE_INFINITY, length + 1 - shared);
        piece.copyWithin(0, shared);
        from.copyWithin(0, shared);
        for (let i = 0; i < length + 1 - shared; i++) from[i] -= shared;
        base += shared;
        at -= shared;
      }
      this.#extend(text, base, at, best, from, piece);
      at += characterUnits(text, base + at);
    }
    this.#emit(text, base, text.length - base, from, piece, found);
    return found.done();
  }

  /** Candidates that begin at a place. Of equal ones the first found stays: the longest last piece. */
  #extend(text: string, base: number, at: number, best: Float64Array, from: Int32Array, piece: Int32Array): void {
    const here = best[at];
    const character = characterUnits(text, base + at);
    let hasOwn = false;
    const stop = Math.min(text.length, base + at + this.#longest);
    let node = Trie.ROOT;
    for (let i = base + at; i < stop; i++) {
      node = this.#trie.child(node, text.charCodeAt(i));
      if (node < 0) break;
      const id = this.#trie.value(node);
      if (id < 0) continue;
      const end = i + 1 - base;
      // SentencePiece compares the sum in double precision and keeps it in single: it decides exact ties.
      const score = here + (id === this.unkId ? this.#unkScore : this.#scores[id]);
      if (end - at === character) hasOwn = true;
      if (score > best[end] || best[end] === Number.NEGATIVE_INFINITY) {
        best[end] = this.#round(score);
        from[end] = at;
        piece[end] = id;
      }
    }
    if (hasOwn) return;
    const end = at + character;
    const score = this.#round(here + this.#unkScore);
    if (score > best[end] || best[end] === Number.NEGATIVE_INFINITY) {
      best[end] = score;
      from[end] = at;
      piece[end] = -1;
    }
  }

  /** The furthest place that the best paths to all reached places at or after `at` go through. */
  #sharedEnd(from: Int32Array, best: Float64Array, at: number): number {
    const live = new Set<number>();
    for (let end = at; end < Math.min(best.length, at + this.#longest + 1); end++)
      if (best[end] > Number.NEGATIVE_INFINITY) live.add(end);
    // The latest step back until all have met.
    while (live.size > 1) {
      const latest = Math.max(...live);
      live.delete(latest);
      live.add(from[latest]);
    }
    const [shared = 0] = live;
    return Math.min(shared, at);
  }

  #emit(text: string, base: number, end: number, from: Int32Array, piece: Int32Array, into: Pieces): void {
    const ends: number[] = [];
    for (let at = end; at > 0; at = from[at]) ends.push(at);
    for (let i = ends.length - 1; i >= 0; i--) {
      const start = base + from[ends[i]];
      const stop = base + ends[i];
      const id = piece[ends[i]];
      if (id >= 0 && id !== this.unkId) into.push(id, start, stop);
      else this.#unknown(text, start, stop, into);
    }
  }

  /** Bytes of a character that has no piece; without byte pieces, neighbours become one unknown piece. */
  #unknown(text: string, start: number, end: number, into: Pieces): void {
    if (this.#bytes !== undefined) {
      for (const byte of Buffer.from(text.slice(start, end), "utf8")) into.push(this.#bytes[byte], start, end);
      return;
    }
    if (this.unkId !== undefined) into.pushFused(this.unkId, start, end);
  }
}

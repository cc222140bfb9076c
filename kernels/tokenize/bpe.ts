/**
 * Byte-pair encoding (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", §3.2): of
 * all neighbours that have a rule, the pair with the best rule is merged, the leftmost of equals first.
 */
import { noPieces, type PieceModel, type Pieces, pushPiece } from "./pieces.ts";
import { characterUnits } from "./tracked-text.ts";

/** What two neighbours become. A smaller rank is merged first. */
export interface Merge {
  rank: number;
  symbol: number;
}

export interface BpeOptions {
  unkId: number | undefined;
  /** Ids of the 256 byte pieces that stand for unknown characters. */
  bytes?: readonly number[];
  /** Neighbouring unknown characters are one piece. */
  fuseUnknown?: boolean;
  /** A part that is a piece as a whole is taken as it is. */
  ignoreMerges?: boolean;
  /** Written before all characters but the first, and after the last. */
  continuing?: string;
  endOfWord?: string;
  /** Parts of so many symbols are merged run by run. Default 1024. */
  longFrom?: number;
  /** Symbols from here on are no pieces. Default: all are. */
  pieceCount?: number;
  /** Symbols that no text may show, each with the two it was made of (SentencePiece's unused pieces). */
  undo?: ReadonlyMap<number, readonly [number, number]>;
  /** Symbols that stand alone and are never merged: the longest that begins at a place (user-defined pieces). */
  frozen?: (text: string, at: number) => { symbol: number; units: number } | undefined;
}

/** Symbols of two neighbours as one key; ids stay below 2^26. */
export const PAIR = 67_108_864;
/** Parts up to this many symbols are merged by looking at all pairs each time; longer ones by a heap. */
const SHORT = 48;
const LONG = 1024;

export class Bpe implements PieceModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #merges: ReadonlyMap<number, Merge>;
  readonly #options: BpeOptions;

  /**
   * @param merges by left × PAIR + right.
   * @param symbols texts that may be symbols although they are no pieces; their numbers stand above all ids.
   */
  constructor(
    vocabulary: ReadonlyMap<string, number>,
    merges: ReadonlyMap<number, Merge>,
    options: BpeOptions,
    symbols: ReadonlyMap<string, number> = vocabulary,
  ) {
    this.vocabulary = vocabulary;
    this.unkId = options.unkId;
    this.#symbols = symbols;
    this.#merges = merges;
    this.#options = options;
  }

  encode(part: string): Pieces {
    const found = noPieces();
    if (part === "") return found;
    const { ignoreMerges } = this.#options;
    if (ignoreMerges) {
      const id = this.vocabulary.get(part);
      if (id !== undefined) return { ids: [id], starts: [0], ends: [part.length] };
    }
    const { symbols, ends } = this.#characters(part);
    let start = 0;
    for (let from = 0; from < symbols.length; ) {
      const to = this.#runEnd(symbols, from);
      const run = from === 0 && to === symbols.length ? { symbols, ends } : sliced(symbols, ends, from, to);
      const left =
        to - from <= SHORT ? this.#mergeShort(run.symbols, run.ends) : this.#mergeLong(run.symbols, run.ends);
      for (let i = 0; i < left.symbols.length; i++) {
        this.#show(part, left.symbols[i], start, left.ends[i], found);
        start = left.ends[i];
      }
      from = to;
    }
    return found;
  }

  /**
   * Where a run of symbols that could merge ends. A long part is merged run by run: no piece holds the two characters at
   * a run's end side by side, so nothing merges across it, and the result is that of the whole.
   */
  #runEnd(symbols: readonly number[], from: number): number {
    const { continuing = "", endOfWord = "", longFrom = LONG } = this.#options;
    if (symbols.length < longFrom || continuing !== "" || endOfWord !== "") return symbols.length;
    this.#neighbours ??= neighboursIn(this.#symbols);
    let to = from + 1;
    while (to < symbols.length && this.#neighbours.has(symbols[to - 1] * PAIR + symbols[to])) to++;
    return to;
  }
  #neighbours: ReadonlySet<number> | undefined;

  /** One symbol for each character; -1 for those that are none, -2 and below for frozen ones. */
  #characters(part: string): { symbols: number[]; ends: number[] } {
    const { continuing = "", endOfWord = "", frozen } = this.#options;
    const symbols: number[] = [];
    const ends: number[] = [];
    for (let at = 0; at < part.length; ) {
      const alone = frozen?.(part, at);
      const units = alone?.units ?? characterUnits(part, at);
      const end = at + units;
      if (alone !== undefined) symbols.push(-2 - alone.symbol);
      else {
        let text = part.slice(at, end);
        if (at > 0) text = continuing + text;
        if (end === part.length) text += endOfWord;
        symbols.push(this.#symbols.get(text) ?? -1);
      }
      ends.push(end);
      at = end;
    }
    return { symbols, ends };
  }

  #merge(left: number, right: number): Merge | undefined {
    return left < 0 || right < 0 ? undefined : this.#merges.get(left * PAIR + right);
  }

  #mergeShort(symbols: number[], ends: number[]): { symbols: number[]; ends: number[] } {
    const pairs: (Merge | undefined)[] = [];
    for (let i = 0; i + 1 < symbols.length; i++) pairs.push(this.#merge(symbols[i], symbols[i + 1]));
    for (;;) {
      let at = -1;
      let rank = Number.POSITIVE_INFINITY;
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[i];
        if (pair !== undefined && pair.rank < rank) {
          rank = pair.rank;
          at = i;
        }
      }
      if (at < 0) return { symbols, ends };
      symbols[at] = (pairs[at] as Merge).symbol;
      symbols.splice(at + 1, 1);
      ends.splice(at, 1);
      pairs.splice(at, 1);
      if (at > 0) pairs[at - 1] = this.#merge(symbols[at - 1], symbols[at]);
      if (at < pairs.length) pairs[at] = this.#merge(symbols[at], symbols[at + 1]);
    }
  }

  #mergeLong(symbols: number[], ends: number[]): { symbols: number[]; ends: number[] } {
    const n = symbols.length;
    const symbol = Int32Array.from(symbols);
    const end = Int32Array.from(ends);
    const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
    const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
    const heap = new MergeHeap();
    const offer = (at: number) => {
      if (at < 0 || next[at] < 0) return;
      const merge = this.#merge(symbol[at], symbol[next[at]]);
      if (merge !== undefined) heap.push(merge.rank, at, symbol[at], symbol[next[at]]);
    };
    for (let i = 0; i + 1 < n; i++) offer(i);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const { at, left, right } = top;
      const after = next[at];
      if (symbol[at] !== left || after < 0 || symbol[after] !== right || left === GONE) continue;
      symbol[at] = (this.#merges.get(left * PAIR + right) as Merge).symbol;
      end[at] = end[after];
      symbol[after] = GONE;
      next[at] = next[after];
      if (next[at] >= 0) previous[next[at]] = at;
      offer(previous[at]);
      offer(at);
    }
    const left = { symbols: [] as number[], ends: [] as number[] };
    for (let at = 0; at >= 0; at = next[at]) {
      left.symbols.push(symbol[at]);
      left.ends.push(end[at]);
    }
    return left;
  }

  #show(part: string, symbol: number, start: number, end: number, into: Pieces): void {
    const isPiece = symbol >= 0 && symbol < this.#pieceCount && symbol !== this.unkId;
    if (symbol <= -2 || (isPiece && !this.#options.undo?.has(symbol))) {
      pushPiece(into, symbol <= -2 ? -2 - symbol : symbol, start, end);
      return;
    }
    const halves = this.#options.undo?.get(symbol);
    if (halves !== undefined) {
      const middle = start + this.#units(halves[0]);
      this.#show(part, halves[0], start, middle, into);
      this.#show(part, halves[1], middle, end, into);
      return;
    }
    const { bytes, fuseUnknown } = this.#options;
    if (bytes !== undefined) {
      for (const byte of Buffer.from(part.slice(start, end), "utf8")) pushPiece(into, bytes[byte], start, end);
      return;
    }
    if (this.unkId === undefined) return;
    const last = into.ids.length - 1;
    if (fuseUnknown && last >= 0 && into.ids[last] === this.unkId && into.ends[last] === start) into.ends[last] = end;
    else pushPiece(into, this.unkId, start, end);
  }

  get #pieceCount(): number {
    return this.#options.pieceCount ?? Number.POSITIVE_INFINITY;
  }

  #texts: Map<number, number> | undefined;
  #units(symbol: number): number {
    this.#texts ??= new Map([...this.#symbols].map(([text, id]) => [id, text.length]));
    return this.#texts.get(symbol) ?? 1;
  }
}

function sliced(symbols: number[], ends: number[], from: number, to: number): { symbols: number[]; ends: number[] } {
  return { symbols: symbols.slice(from, to), ends: ends.slice(from, to) };
}

/** All pairs of characters that stand side by side in a piece. */
function neighboursIn(symbols: ReadonlyMap<string, number>): ReadonlySet<number> {
  const pairs = new Set<number>();
  for (const text of symbols.keys()) {
    let last = -1;
    for (const character of text) {
      const symbol = symbols.get(character) ?? -1;
      if (last >= 0 && symbol >= 0) pairs.add(last * PAIR + symbol);
      last = symbol;
    }
  }
  return pairs;
}

const GONE = -1_000_000_000;

/** A binary heap of possible merges in flat arrays, the best rank and then the leftmost place on top. */
class MergeHeap {
  #ranks: number[] = [];
  #places: number[] = [];
  #lefts: number[] = [];
  #rights: number[] = [];

  push(rank: number, at: number, left: number, right: number): void {
    let i = this.#ranks.length;
    this.#ranks.push(rank);
    this.#places.push(at);
    this.#lefts.push(left);
    this.#rights.push(right);
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!this.#before(i, up)) break;
      this.#swap(i, up);
      i = up;
    }
  }

  pop(): { at: number; left: number; right: number } | undefined {
    const last = this.#ranks.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    this.#ranks.pop();
    const top = {
      at: this.#places.pop() as number,
      left: this.#lefts.pop() as number,
      right: this.#rights.pop() as number,
    };
    for (let i = 0; ; ) {
      let least = i;
      for (let child = 2 * i + 1; child <= 2 * i + 2 && child < last; child++)
        if (this.#before(child, least)) least = child;
      if (least === i) return top;
      this.#swap(i, least);
      i = least;
    }
  }

  #before(a: number, b: number): boolean {
    return (
      this.#ranks[a] - this.#ranks[b] < 0 || (this.#ranks[a] === this.#ranks[b] && this.#places[a] < this.#places[b])
    );
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#ranks, this.#places, this.#lefts, this.#rights]) [list[a], list[b]] = [list[b], list[a]];
  }
}

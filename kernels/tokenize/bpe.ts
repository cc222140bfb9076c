/**
 * Byte-pair encoding (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", §3.2): of
 * all neighbours that have a rule, the pair with the best rule is merged, the leftmost of equals first.
 */
import { type Merge, MergeTable, MergeWindow } from "./merge-window.ts";
import { type PieceModel, Pieces, type PiecesMark } from "./pieces.ts";
import { characterUnits } from "./tracked-text.ts";

export { type Merge, PAIR } from "./merge-window.ts";

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
  /** Characters of a part that are merged at once. Default 1024; the pieces are the same. */
  window?: number;
  /** Symbols from here on are no pieces. Default: all are. */
  pieceCount?: number;
  /** Symbols that no text may show, each with the two it was made of (SentencePiece's unused pieces). */
  undo?: ReadonlyMap<number, readonly [number, number]>;
  /** Symbols that stand alone and are never merged: the longest that begins at a place (user-defined pieces). */
  frozen?: (text: string, at: number) => { symbol: number; units: number } | undefined;
}

const WINDOW = 1024;
/** Pieces at a window's end that are left to the next one. */
const BORDER = 32;
const NOT_KNOWN = -2_000_000_000;

/** The piece that a window saw behind its border. */
interface Guess {
  symbol: number;
  end: number;
}

interface Merged {
  symbols: Int32Array;
  /** Where each ends, in units of the part. */
  ends: Int32Array;
  count: number;
  /** Where the last ends. */
  end: number;
}

export class Bpe implements PieceModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #merges: MergeTable;
  readonly #options: BpeOptions;
  readonly #window: number;
  readonly #units = new Int32Array(65_536).fill(NOT_KNOWN);
  #work = new MergeWindow(64);

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
    this.#merges = new MergeTable(merges);
    this.#window = options.window ?? WINDOW;
    this.#options = options;
  }

  encode(part: string, tracks = true): Pieces {
    const found = new Pieces(tracks, part.length);
    if (part === "") return found;
    const { ignoreMerges } = this.#options;
    if (ignoreMerges) {
      const id = this.vocabulary.get(part);
      if (id !== undefined) return Pieces.one(id, part.length);
    }
    this.#byWindows(part, found);
    return found.done();
  }

  /**
   * A long part is merged window by window, in memory of one window, to the pieces of the whole.
   *
   * Pieces x of a beginning and pieces y of what follows are the pieces of both together when the last of x and the first
   * of y are what these two give together: until a merge over the border is due, both sides go as they go alone, and so do
   * these two, so a border that holds for them holds for all. The last pieces of a window are left to the next one, which
   * begins at the border; the first piece behind the border is known from the window before, so the border stands when the
   * next window begins with the same piece. When it does not, the window before is taken back and looks further.
   */
  #byWindows(part: string, into: Pieces): void {
    const given: { at: number; size: number; mark: PiecesMark; next: Guess | undefined }[] = [];
    let next: Guess | undefined;
    for (let at = 0, size = this.#window; at < part.length; ) {
      const window = this.#merged(part, at, size);
      if (next !== undefined && (window.symbols[0] !== next.symbol || window.ends[0] !== next.end)) {
        const last = given.pop()!;
        into.backTo(last.mark);
        at = last.at;
        size = 2 * last.size;
        next = last.next;
        continue;
      }
      const isLast = window.end === part.length;
      const count = isLast ? window.count : window.count - Math.max(1, Math.min(BORDER, size >> 2));
      if (count < 1) {
        size *= 2;
        continue;
      }
      given.push({ at, size, mark: into.mark(), next });
      this.#showAll(part, at, window, count, into);
      at = window.ends[count - 1];
      if (!isLast) next = { symbol: window.symbols[count], end: window.ends[count] };
      size = this.#window;
    }
  }

  #showAll(
    part: string,
    at: number,
    { symbols, ends }: { symbols: Int32Array; ends: Int32Array },
    count: number,
    into: Pieces,
  ): void {
    let start = at;
    for (let i = 0; i < count; i++) {
      this.#show(part, symbols[i], start, ends[i], into);
      start = ends[i];
    }
  }

  /** At most `size` characters from a place on, merged. The arrays are used again by the next call. */
  #merged(part: string, at: number, size: number): Merged {
    const { continuing = "", endOfWord = "", frozen } = this.#options;
    const window = this.#buffer(Math.min(size, part.length - at));
    const { symbols, ends } = window;
    let n = 0;
    let place = at;
    for (; place < part.length && n < size; n++) {
      const alone = frozen?.(part, place);
      const end = place + (alone?.units ?? characterUnits(part, place));
      if (alone !== undefined) symbols[n] = -2 - alone.symbol;
      else if (end - place === 1 && place > 0 && (endOfWord === "" || end < part.length))
        symbols[n] = this.#ofUnit(part.charCodeAt(place));
      else {
        const text = part.slice(place, end);
        symbols[n] =
          this.#symbols.get((place > 0 ? continuing + text : text) + (end === part.length ? endOfWord : "")) ?? -1;
      }
      ends[n] = end;
      place = end;
    }
    return { symbols, ends, count: window.merge(n, this.#merges), end: place };
  }

  /** The symbol of one unit that is not the first of its part. */
  #ofUnit(unit: number): number {
    let symbol = this.#units[unit];
    if (symbol === NOT_KNOWN) {
      symbol = this.#symbols.get((this.#options.continuing ?? "") + String.fromCharCode(unit)) ?? -1;
      this.#units[unit] = symbol;
    }
    return symbol;
  }

  #buffer(size: number): MergeWindow {
    if (this.#work.size < size) this.#work = new MergeWindow(size);
    return this.#work;
  }

  #show(part: string, symbol: number, start: number, end: number, into: Pieces): void {
    const isPiece = symbol >= 0 && symbol < this.#pieceCount && symbol !== this.unkId;
    if (symbol <= -2 || (isPiece && !this.#options.undo?.has(symbol))) {
      into.push(symbol <= -2 ? -2 - symbol : symbol, start, end);
      return;
    }
    const halves = this.#options.undo?.get(symbol);
    if (halves !== undefined) {
      const middle = start + this.#unitsOf(halves[0]);
      this.#show(part, halves[0], start, middle, into);
      this.#show(part, halves[1], middle, end, into);
      return;
    }
    const { bytes, fuseUnknown } = this.#options;
    if (bytes !== undefined) {
      for (const byte of Buffer.from(part.slice(start, end), "utf8")) into.push(bytes[byte], start, end);
      return;
    }
    if (this.unkId === undefined) return;
    if (fuseUnknown) into.pushFused(this.unkId, start, end);
    else into.push(this.unkId, start, end);
  }

  get #pieceCount(): number {
    return this.#options.pieceCount ?? Number.POSITIVE_INFINITY;
  }

  #lengths: Map<number, number> | undefined;
  #unitsOf(symbol: number): number {
    this.#lengths ??= new Map([...this.#symbols].map(([text, id]) => [id, text.length]));
    return this.#lengths.get(symbol) ?? 1;
  }
}

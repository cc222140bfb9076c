/** What a tokenizer model makes of one part of a text. */

/** From so many on room is asked for at once; of more than that many JavaScript would make a dictionary. */
const MANY = 4096;
const MOST = 30_000_000;

export interface PiecesMark {
  n: number;
  end: number;
}

/** Ids of a part, in order, and where they stand. */
export class Pieces {
  ids: number[];
  /** For each id the UTF-16 units [starts, ends) of the part; pieces of one character's bytes share its units. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Without, starts and ends stay empty: a third of the memory, for parts of megabytes. */
  readonly tracks: boolean;
  #end = -1;
  #n = 0;

  /** @param expected about how many there will be: room that is asked for once, not bit by bit. */
  constructor(tracks = true, expected = 0) {
    this.tracks = tracks;
    this.ids = expected < MANY ? [] : new Array<number>(Math.min(expected, MOST));
  }

  /** Where the list stands, to come back to. */
  mark(): PiecesMark {
    return { n: this.#n, end: this.#end };
  }

  /** Takes back what was pushed since a mark. */
  backTo({ n, end }: PiecesMark): void {
    this.#n = n;
    this.#end = end;
    if (!this.tracks) return;
    this.starts.length = n;
    this.ends.length = n;
    if (n > 0) this.ends[n - 1] = end;
  }

  /** To be called when all are there. */
  done(): this {
    this.ids.length = this.#n;
    return this;
  }

  static one(id: number, units: number): Pieces {
    const pieces = new Pieces();
    pieces.push(id, 0, units);
    return pieces;
  }

  push(id: number, start: number, end: number): void {
    this.ids[this.#n++] = id;
    this.#end = end;
    if (!this.tracks) return;
    this.starts.push(start);
    this.ends.push(end);
  }

  /** Ids without places. @param keeps whether the list is nobody else's and may be kept, where there is none yet. */
  addIds(ids: number[], keeps: boolean): void {
    if (keeps && this.#n === 0) this.ids = ids;
    else for (let i = 0; i < ids.length; i++) this.ids[this.#n + i] = ids[i];
    this.#n += ids.length;
  }

  /** The same, but one piece with the last one where that has the same id and ends here. */
  pushFused(id: number, start: number, end: number): void {
    const last = this.#n - 1;
    if (last < 0 || this.ids[last] !== id || this.#end !== start) {
      this.push(id, start, end);
      return;
    }
    this.#end = end;
    if (this.tracks) this.ends[last] = end;
  }
}

export interface PieceModel {
  /**
   * Ids of a part; the pieces are new.
   * @param tracks whether their places are wanted. Default true.
   */
  encode(part: string, tracks?: boolean): Pieces;
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
}

/** The ids of <0x00> … <0xFF>; undefined when one is missing. */
export function byteIds(vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids: number[] = [];
  for (let byte = 0; byte < 256; byte++) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

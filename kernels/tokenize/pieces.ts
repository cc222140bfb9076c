/** What a tokenizer model makes of one part of a text. */

export interface Pieces {
  ids: number[];
  /** For each id the UTF-16 units [starts, ends) of the part; pieces of one character's bytes share its units. */
  starts: number[];
  ends: number[];
}

export interface PieceModel {
  /** Ids of a part. The arrays are new. */
  encode(part: string): Pieces;
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number | undefined;
}

export function noPieces(): Pieces {
  return { ids: [], starts: [], ends: [] };
}

export function pushPiece(into: Pieces, id: number, start: number, end: number): void {
  into.ids.push(id);
  into.starts.push(start);
  into.ends.push(end);
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

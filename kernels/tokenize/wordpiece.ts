/** WordPiece: from the left, the longest piece that is in the vocabulary; a word with a gap is unknown as a whole. */
import { type PieceModel, Pieces } from "./pieces.ts";

export interface WordPieceOptions {
  unkId: number;
  /** Written before pieces that continue a word. Default "##". */
  continuing?: string;
  /** Longer words (in characters) are unknown. Default 100. */
  maxCharacters?: number;
}

export class WordPiece implements PieceModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unkId: number;
  /** Pieces that continue a word, without their mark. */
  readonly #continuing = new Map<string, number>();
  readonly #maxCharacters: number;
  readonly #longest: number;

  constructor(vocabulary: ReadonlyMap<string, number>, options: WordPieceOptions) {
    const mark = options.continuing ?? "##";
    this.vocabulary = vocabulary;
    this.unkId = options.unkId;
    this.#maxCharacters = options.maxCharacters ?? 100;
    let longest = 1;
    for (const [piece, id] of vocabulary) {
      if (piece.startsWith(mark)) this.#continuing.set(piece.slice(mark.length), id);
      longest = Math.max(longest, piece.length);
    }
    this.#longest = longest;
  }

  encode(word: string): Pieces {
    const found = new Pieces();
    if (word === "") return found;
    if (word.length > this.#maxCharacters && characters(word, this.#maxCharacters + 1) > this.#maxCharacters)
      return this.#unknown(word);
    for (let start = 0; start < word.length; ) {
      const pieces = start === 0 ? this.vocabulary : this.#continuing;
      let end = Math.min(word.length, start + this.#longest);
      let id: number | undefined;
      for (; end > start; end--) {
        // Never between the halves of a pair.
        if ((word.charCodeAt(end) & 0xfc00) === 0xdc00 && (word.charCodeAt(end - 1) & 0xfc00) === 0xd800) continue;
        id = pieces.get(start === 0 && end === word.length ? word : word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return this.#unknown(word);
      found.push(id, start, end);
      start = end;
    }
    return found;
  }

  #unknown(word: string): Pieces {
    return Pieces.one(this.unkId, word.length);
  }
}

/** Characters of a text, counted up to a limit. */
function characters(text: string, limit: number): number {
  let count = 0;
  for (let i = 0; i < text.length && count < limit; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++;
  return count;
}

/** Which scripts texts are written in, and which of them a vocabulary knows words of. */

/** Names as Unicode gives them; the order only matters for speed. */
export const SCRIPTS = [
  "Latin",
  "Han",
  "Cyrillic",
  "Arabic",
  "Hangul",
  "Hiragana",
  "Katakana",
  "Devanagari",
  "Greek",
  "Hebrew",
  "Thai",
  "Bengali",
  "Tamil",
  "Telugu",
  "Gujarati",
  "Gurmukhi",
  "Kannada",
  "Malayalam",
  "Oriya",
  "Sinhala",
  "Georgian",
  "Armenian",
  "Ethiopic",
  "Khmer",
  "Lao",
  "Myanmar",
  "Tibetan",
  "Mongolian",
  "Syriac",
  "Thaana",
  "Cherokee",
  "Tifinagh",
  "Yi",
  "Bopomofo",
] as const;
const OTHER = "Other";

const PATTERNS = SCRIPTS.map((name) => new RegExp(`\\p{Script=${name}}`, "u"));
const LETTER = /\p{L}/u;
/** Script index + 1 per code point of the basic plane; 0 = not looked up yet, 255 = no letter, 254 = another script. */
const known = new Uint8Array(65536);

/** Index into SCRIPTS, -1 for what is no letter, SCRIPTS.length for a letter of a script not listed. */
function scriptIndex(codePoint: number): number {
  const cached = codePoint < 65536 ? known[codePoint] : 0;
  if (cached !== 0) return cached === 255 ? -1 : cached === 254 ? SCRIPTS.length : cached - 1;
  const character = String.fromCodePoint(codePoint);
  let index = -1;
  if (LETTER.test(character)) {
    index = PATTERNS.findIndex((pattern) => pattern.test(character));
    if (index < 0) index = SCRIPTS.length;
  }
  if (codePoint < 65536) known[codePoint] = index === -1 ? 255 : index === SCRIPTS.length ? 254 : index + 1;
  return index;
}

/** Counts letters per script over many texts. */
export class ScriptCounter {
  readonly #counts = new Float64Array(SCRIPTS.length + 1);

  /** Count a text, at most `limit` UTF-16 units of it. Cost: about 5 ns a character. */
  add(text: string, limit = 20_000): void {
    const end = Math.min(text.length, limit);
    for (let i = 0; i < end; i++) {
      const codePoint = text.codePointAt(i)!;
      if (codePoint > 0xffff) i++;
      const index = scriptIndex(codePoint);
      if (index >= 0) this.#counts[index]++;
    }
  }

  /** Share (0..1) of letters per script, largest first; empty when there was no letter. */
  shares(): [script: string, share: number][] {
    const total = this.#counts.reduce((a, b) => a + b, 0);
    return [...this.#counts]
      .map((count, i): [string, number] => [SCRIPTS[i] ?? OTHER, count / total])
      .filter(([, share]) => share > 0)
      .sort((a, b) => b[1] - a[1]);
  }
}

/** What a vocabulary holds of one script. */
export interface ScriptCoverage {
  /** Pieces that are one letter. */
  letters: number;
  /** Pieces of two or more letters: words and parts of words. */
  words: number;
  /** Whether texts in this script can be told apart by their words. */
  covered: boolean;
}

/** Longer pieces from which on a vocabulary was made for a script; below, its letters only came along. */
const ENOUGH_WORDS = 200;
/** Single characters from which on a vocabulary knows a script whose characters are words (Han) or syllables (Hangul). */
const ENOUGH_LETTERS = 2000;
/** Share of all longer pieces from which on a small vocabulary was made for a script. */
const ENOUGH_SHARE = 0.2;

/**
 * Count a vocabulary's pieces by script. A multilingual vocabulary has at least some hundred longer pieces of each script
 * it was made for; an English one has the single letters of many scripts, which came from stray words in its corpus and
 * carry no meaning (all-MiniLM-L6-v2: 70 Hangul jamo and no longer piece, so Korean splits into known pieces only).
 *
 * @param pieces as the vocabulary writes them; the marks "##", "▁" and "Ġ" are ignored.
 * @returns script → counts; undefined when the pieces are bytes in disguise (byte-level BPE), which says nothing.
 */
export function vocabularyScripts(pieces: readonly string[]): Map<string, ScriptCoverage> | undefined {
  // Byte-level vocabularies write a leading space as U+0120 and non-ASCII bytes as Latin letters.
  if (pieces.some((piece) => piece.length > 1 && piece.startsWith("Ġ"))) return undefined;
  const counts = new Map<string, { letters: number; words: number }>();
  let allWords = 0;
  for (const piece of pieces) {
    const first = new Set<number>();
    let letters = 0;
    for (const character of piece) {
      const index = scriptIndex(character.codePointAt(0)!);
      if (index < 0) continue;
      first.add(index);
      letters++;
    }
    if (first.size !== 1) continue;
    const name = SCRIPTS[[...first][0]] ?? OTHER;
    const entry = counts.get(name) ?? { letters: 0, words: 0 };
    if (letters > 1) {
      entry.words++;
      allWords++;
    } else entry.letters++;
    counts.set(name, entry);
  }
  return new Map(
    [...counts].map(([name, { letters, words }]) => [
      name,
      {
        letters,
        words,
        covered: words >= ENOUGH_WORDS || letters >= ENOUGH_LETTERS || words >= ENOUGH_SHARE * Math.max(1, allWords),
      },
    ]),
  );
}

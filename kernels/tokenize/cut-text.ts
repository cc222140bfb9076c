/**
 * Where a long text may be cut before tokenising without changing the tokens in front of the cut: a text of 1 MB then
 * costs as much as one of some thousand characters.
 */

export interface CutRules {
  /**
   * True for BERT's pre-tokenizer with its Chinese rule, where ASCII punctuation and each Han character stand alone, so
   * that a text may be cut in front of them too (Chinese has no spaces).
   */
  atPunctuation: boolean;
}

const SPACE = /\s/u;
/** How far is searched for a place to cut, in multiples of the length asked for. */
const SEARCH = 4;

/**
 * The longest beginning of the text that ends where a word ends, near `length` UTF-16 units.
 *
 * The place is in front of white space (or of a character that stands alone), so the last word is whole and no
 * normalisation form reaches across it: combining marks follow their letter.
 *
 * @returns a beginning of at least `length` units, or undefined when there is no such place before 4 × length.
 */
export function cutText(text: string, length: number, rules: CutRules): string | undefined {
  const end = Math.min(text.length, length * SEARCH);
  for (let i = length; i < end; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 32 ? unit === 32 || (unit >= 9 && unit <= 13) : unit > 127 && SPACE.test(text[i]))
      return text.slice(0, i);
    if (rules.atPunctuation && (isAsciiPunctuation(unit) || (unit >= 0x4e00 && unit <= 0x9fff)))
      return text.slice(0, i);
  }
  return undefined;
}

function isAsciiPunctuation(unit: number): boolean {
  return (
    (unit >= 33 && unit <= 47) ||
    (unit >= 58 && unit <= 64) ||
    (unit >= 91 && unit <= 96) ||
    (unit >= 123 && unit <= 126)
  );
}

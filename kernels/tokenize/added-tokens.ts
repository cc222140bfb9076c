/** Tokens that are found in a text before the model sees it: "[MASK]", "<extra_id_0>", words added by a user. */
import { badComponent, flag, isObject, string, wholeNumber } from "./components.ts";
import { escapePattern, type Normaliser } from "./normalisers.ts";
import { TrackedText } from "./tracked-text.ts";

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** White space beside it belongs to it. */
  left: boolean;
  right: boolean;
  /** Not found inside of a word. */
  singleWord: boolean;
  /** Looked for after normalisation. */
  normalised: boolean;
}

const WHERE = "added token";
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const SPACE = /\p{White_Space}/u;

/** @throws {ParallaxError} tokenizer.damaged */
export function readAddedTokens(list: unknown): AddedToken[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw badComponent(WHERE, "list is no list");
  return list.map((entry) => {
    if (!isObject(entry)) throw badComponent(WHERE, "is not an object");
    const special = flag(entry, "special", false, WHERE);
    return {
      id: wholeNumber(entry.id, "id", WHERE, 50_000_000),
      content: string(entry, "content", undefined, WHERE),
      special,
      left: flag(entry, "lstrip", false, WHERE),
      right: flag(entry, "rstrip", false, WHERE),
      singleWord: flag(entry, "single_word", false, WHERE),
      normalised: flag(entry, "normalized", !special, WHERE),
    };
  });
}

/** Finds tokens in a text, the leftmost first and the longest of those that begin there. */
export class AddedTokenFinder {
  readonly #byText = new Map<string, AddedToken>();
  readonly #pattern: RegExp | undefined;

  /** @param normaliser given for the tokens that are looked for in the normalised text. */
  constructor(tokens: readonly AddedToken[], normaliser?: Normaliser) {
    for (const token of tokens) {
      if (token.normalised !== (normaliser !== undefined)) continue;
      const text = normaliser?.apply(TrackedText.of(token.content, false)).text ?? token.content;
      if (text !== "") this.#byText.set(text, token);
    }
    const texts = [...this.#byText.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = texts.length === 0 ? undefined : new RegExp(texts.map(escapePattern).join("|"), "g");
  }

  get isEmpty(): boolean {
    return this.#pattern === undefined;
  }

  /** Whether any of them is in the text. */
  finds(text: string): boolean {
    return this.#pattern !== undefined && text.search(this.#pattern) >= 0;
  }

  /** The text in order: parts without such a token, and tokens with their place. */
  split(text: TrackedText): { part: TrackedText; token: AddedToken | null }[] {
    if (this.#pattern === undefined) return [{ part: text, token: null }];
    const all = text.text;
    const found: { part: TrackedText; token: AddedToken | null }[] = [];
    let at = 0;
    const rest = (to: number) => {
      if (to > at) found.push({ part: text.slice(at, to), token: null });
    };
    for (const match of all.matchAll(this.#pattern)) {
      const token = this.#byText.get(match[0]) as AddedToken;
      let from = match.index;
      let to = from + match[0].length;
      if (from < at) continue;
      if (token.singleWord && (isWord(all, from - 1) || isWord(all, to))) continue;
      if (token.left) while (from > at && SPACE.test(all[from - 1])) from--;
      if (token.right) while (to < all.length && SPACE.test(all[to])) to++;
      rest(from);
      found.push({ part: text.slice(from, to), token });
      at = to;
    }
    rest(all.length);
    return found;
  }
}

function isWord(text: string, at: number): boolean {
  if (at < 0 || at >= text.length) return false;
  const before = at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at - 1 : at;
  return WORD.test(String.fromCodePoint(text.codePointAt(before) ?? 0));
}

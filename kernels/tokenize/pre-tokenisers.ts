/** The pre-tokenizers of a tokenizer.json: how a normalised text is split into the parts that the model sees. */
import { SplitPreTokenizer } from "@huggingface/tokenizers";
import {
  badComponent,
  flag,
  isObject,
  type Json,
  list,
  string,
  typeOf,
  unknownComponent,
  wholeNumber,
} from "./components.ts";
import { byteLevel, compile, escapePattern, type Independence, insertAtStart } from "./normalisers.ts";
import { isPrintable, TrackedBuilder, type TrackedText } from "./tracked-text.ts";

export interface PreTokeniser {
  split(text: TrackedText): TrackedText[];
  /** True when it asks where a text stands in the original one, so that texts must be tracked. */
  needsPlaces?: boolean;
  /**
   * As for normalisers, of the parts that come out.
   */
  independent: Independence;
}

type Behaviour = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";
const BEHAVIOURS: readonly string[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

export const PRE_TOKENISERS = [
  "BertPreTokenizer",
  "Sequence",
  "Whitespace",
  "WhitespaceSplit",
  "Metaspace",
  "ByteLevel",
  "Split",
  "Punctuation",
  "Digits",
  "CharDelimiterSplit",
  "FixedLength",
] as const;
const WHERE = "pre_tokenizer";
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const SPACES = /\p{White_Space}+/gu;
export const BYTE_LEVEL_WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** @throws {ParallaxError} tokenizer.unsupported naming an unknown type, tokenizer.damaged */
export function createPreTokeniser(config: unknown, depth = 0): PreTokeniser {
  if (config === null || config === undefined) return { split: (text) => [text], independent: null };
  const type = typeOf(config, WHERE);
  const json = config as Json;
  const where = `${WHERE} ${JSON.stringify(type)}`;
  switch (type) {
    case "Sequence": {
      if (depth > 8) throw badComponent(WHERE, "is nested more than 8 deep");
      const steps = list(json, "pretokenizers", WHERE).map((step) => createPreTokeniser(step, depth + 1));
      return {
        split: (text) => steps.reduce((parts, step) => parts.flatMap((part) => step.split(part)), [text]),
        needsPlaces: steps.some((step) => step.needsPlaces),
        // Once the words are apart, no later step can bring them together.
        independent: steps[0]?.independent === "words" ? "words" : null,
      };
    }
    case "BertPreTokenizer":
      return {
        split: (text) => {
          if (isWord(text.text)) return [text];
          return cut(text, SPACES, "Removed").flatMap((part) => cut(part, PUNCTUATION, "Isolated"));
        },
        independent: "words",
      };
    case "WhitespaceSplit":
      return {
        split: (text) => (text.text !== "" && isPrintable(text.text) ? [text] : cut(text, SPACES, "Removed")),
        independent: "words",
      };
    case "Whitespace":
      return {
        split: (text) =>
          cut(
            text,
            /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
            "Removed",
            true,
          ),
        independent: "words",
      };
    case "Metaspace":
      return metaspace(json, where);
    case "ByteLevel":
      return byteLevelSplit(json, where);
    case "Split":
      return split(json, where);
    case "Punctuation": {
      const behaviour = behaviourOf(json.behavior ?? "Isolated", where);
      return { split: (text) => cut(text, PUNCTUATION, behaviour), independent: null };
    }
    case "Digits": {
      const single = flag(json, "individual_digits", false, where);
      return { split: (text) => cut(text, /\p{N}/gu, single ? "Isolated" : "Contiguous"), independent: null };
    }
    case "CharDelimiterSplit": {
      const delimiter = string(json, "delimiter", undefined, where);
      const pattern = new RegExp(escapePattern(delimiter) || "(?!)", "gu");
      return { split: (text) => cut(text, pattern, "Removed"), independent: null };
    }
    case "FixedLength": {
      const length = wholeNumber(json.length, "length", where);
      if (length === 0) throw badComponent(where, "has length 0");
      return { split: (text) => cut(text, new RegExp(`[\\s\\S]{1,${length}}`, "gu"), "Isolated"), independent: null };
    }
    default:
      throw unknownComponent(WHERE, type, PRE_TOKENISERS);
  }
}

/** Letters and digits of ASCII alone. */
function isWord(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (!((unit > 96 && unit < 123) || (unit > 47 && unit < 58) || (unit > 64 && unit < 91))) return false;
  }
  return text !== "";
}

function metaspace(json: Json, where: string): PreTokeniser {
  const mark = string(json, "replacement", "▁", where);
  const legacy = flag(json, "add_prefix_space", true, where) ? "always" : "never";
  const scheme = string(json, "prepend_scheme", legacy, where);
  if (!["always", "first", "never"].includes(scheme))
    throw badComponent(where, `has prepend_scheme ${JSON.stringify(scheme)}`);
  const splits = flag(json, "split", true, where);
  const pattern = new RegExp(escapePattern(mark) || "(?!)", "gu");
  return {
    split: (text) => {
      const first = scheme === "first" && text.starts?.[0] === 0;
      let t = markSpaces(text, mark);
      if (t.text !== "" && !t.text.startsWith(mark) && (scheme === "always" || first)) t = insertAtStart(t, mark);
      return splits ? cut(t, pattern, "MergedWithNext") : [t];
    },
    needsPlaces: scheme === "first",
    independent: scheme === "always" && splits ? "spaced" : null,
  };
}

/** Spaces as a visible mark. */
export function markSpaces(text: TrackedText, mark: string): TrackedText {
  if (!text.text.includes(" ")) return text;
  const builder = new TrackedBuilder(text);
  let at = 0;
  for (let space = text.text.indexOf(" "); space >= 0; space = text.text.indexOf(" ", at)) {
    builder.copy(at, space);
    builder.replace(space, space + 1, mark);
    at = space + 1;
  }
  builder.copy(at, text.text.length);
  return builder.done();
}

function byteLevelSplit(json: Json, where: string): PreTokeniser {
  const prefix = flag(json, "add_prefix_space", true, where);
  const useRegex = flag(json, "use_regex", true, where);
  return {
    split: (text) => {
      const spaced = prefix && text.text !== "" && !text.text.startsWith(" ") ? insertAtStart(text, " ") : text;
      const parts = useRegex ? cut(spaced, BYTE_LEVEL_WORDS, "Isolated") : [spaced];
      return parts.map(byteLevel);
    },
    independent: null,
  };
}

function split(json: Json, where: string): PreTokeniser {
  const behaviour = behaviourOf(json.behavior, where);
  const invert = flag(json, "invert", false, where);
  const { pattern } = json;
  if (!isObject(pattern)) throw badComponent(where, "has no pattern");
  const source = pattern.Regex ?? pattern.String;
  if (typeof source !== "string" || source === "") throw badComponent(where, "has no pattern");
  const expression =
    pattern.Regex === undefined
      ? new RegExp(escapePattern(source), "gu")
      : compile(
          () => new SplitPreTokenizer({ type: "Split", pattern: { Regex: source }, behavior: behaviour }).pattern,
          source,
          where,
        );
  return { split: (text) => cut(text, expression, behaviour, invert), independent: null };
}

function behaviourOf(value: unknown, where: string): Behaviour {
  const found = BEHAVIOURS.find((b) => b.toLowerCase() === String(value).toLowerCase().replaceAll("_", ""));
  if (found === undefined) throw badComponent(where, `has the behaviour ${JSON.stringify(value)?.slice(0, 80)}`);
  return found as Behaviour;
}

/**
 * Cut a text at the matches of a pattern; empty parts are left out.
 * @param invert matches count as what is between, and the other way round.
 */
export function cut(text: TrackedText, pattern: RegExp, behaviour: Behaviour, invert = false): TrackedText[] {
  if (text.text === "") return [];
  // [from, to, is a delimiter]
  const ranges: [number, number, boolean][] = [];
  let at = 0;
  for (const match of text.text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    if (match.index > at) ranges.push([at, match.index, invert]);
    if (end > match.index) ranges.push([match.index, end, !invert]);
    at = end;
  }
  if (at < text.text.length) ranges.push([at, text.text.length, invert]);
  const parts: [number, number, boolean][] = [];
  let last: [number, number, boolean] | undefined;
  for (const range of ranges) {
    const [, to, isDelimiter] = range;
    const joins =
      last !== undefined &&
      ((behaviour === "MergedWithPrevious" && isDelimiter && !last[2]) ||
        (behaviour === "MergedWithNext" && !isDelimiter && last[2]) ||
        (behaviour === "Contiguous" && isDelimiter === last[2]));
    if (joins && last !== undefined) {
      last[1] = to;
      // What took a delimiter in takes no second one.
      last[2] = behaviour === "MergedWithPrevious" ? true : isDelimiter;
    } else if (behaviour !== "Removed" || !isDelimiter) {
      last = [...range];
      parts.push(last);
    }
  }
  return parts.map(([from, to]) => text.slice(from, to));
}

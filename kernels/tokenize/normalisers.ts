/**
 * The normalisers of a tokenizer.json, each keeping track of where its output came from. They do what the `tokenizers`
 * library of the models' authors does, character for character (Lowercase has no final sigma, for example).
 */
import { ReplaceNormalizer } from "@huggingface/tokenizers";
import { Charsmap } from "./charsmap.ts";
import { badComponent, flag, isObject, type Json, list, string, typeOf, unknownComponent } from "./components.ts";
import { CHARACTERS, CLUSTERS, isPrintable, rewrite, TrackedBuilder, TrackedText } from "./tracked-text.ts";

export type Independence = "words" | "spaced" | null;

export interface Normaliser {
  apply(text: TrackedText): TrackedText;
  /**
   * "words": each part between spaces (U+0020) is normalised as if it stood alone, and spaces stay spaces. "spaced": so
   * too in printable ASCII with one space between two words and none at the ends. null: neither.
   */
  independent: Independence;
}

export const NORMALISERS = [
  "BertNormalizer",
  "Precompiled",
  "Sequence",
  "Replace",
  "NFC",
  "NFD",
  "NFKC",
  "NFKD",
  "Nmt",
  "Strip",
  "StripAccents",
  "Lowercase",
  "Prepend",
  "ByteLevel",
] as const;
const WHERE = "normalizer";

/** @throws {ParallaxError} tokenizer.unsupported naming an unknown type, tokenizer.damaged */
export function createNormaliser(config: unknown, depth = 0): Normaliser {
  if (config === null || config === undefined) return { apply: (text) => text, independent: "words" };
  const type = typeOf(config, WHERE);
  const json = config as Json;
  switch (type) {
    case "BertNormalizer":
      return bertNormaliser(json);
    case "Precompiled":
      return precompiled(json);
    case "Sequence": {
      if (depth > 8) throw badComponent(WHERE, "is nested more than 8 deep");
      const steps = list(json, "normalizers", WHERE).map((step) => createNormaliser(step, depth + 1));
      return {
        apply: (text) => steps.reduce((t, step) => step.apply(t), text),
        independent: weakest(steps.map((step) => step.independent)),
      };
    }
    case "Replace":
      return replace(json);
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return byWords((text) => normalForm(text, type));
    case "Nmt":
      return { apply: nmt, independent: null };
    case "Strip":
      return {
        apply: strip(flag(json, "strip_left", true, WHERE), flag(json, "strip_right", true, WHERE)),
        independent: "spaced",
      };
    case "StripAccents":
      return byWords((text) =>
        rewrite(text, text.text.replace(/\p{M}/gu, ""), CHARACTERS, (c) => (/\p{M}/u.test(c) ? "" : c)),
      );
    case "Lowercase":
      return byWords(lowerCase);
    case "Prepend": {
      const prepend = string(json, "prepend", undefined, WHERE);
      return { apply: (text) => (text.text === "" ? text : insertAtStart(text, prepend)), independent: null };
    }
    case "ByteLevel":
      return { apply: byteLevel, independent: null };
    default:
      throw unknownComponent(WHERE, type, NORMALISERS);
  }
}

export function weakest(all: readonly Independence[]): Independence {
  return all.includes(null) ? null : all.includes("spaced") ? "spaced" : "words";
}

function byWords(apply: (text: TrackedText) => TrackedText): Normaliser {
  return { apply, independent: "words" };
}

export function insertAtStart(text: TrackedText, inserted: string): TrackedText {
  const builder = new TrackedBuilder(text);
  builder.replace(0, (text.text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1, inserted);
  builder.copy(0, text.text.length);
  return builder.done();
}

export function normalForm(text: TrackedText, form: "NFC" | "NFD" | "NFKC" | "NFKD"): TrackedText {
  if (isAscii(text.text)) return text;
  return rewrite(text, text.text.normalize(form), CLUSTERS, (chunk) => chunk.normalize(form));
}

/** Each character by itself: no final sigma. */
function lowerCase(text: TrackedText): TrackedText {
  const plain = text.text.toLowerCase();
  if (plain === text.text) return text;
  if (isAscii(text.text)) return new TrackedText(plain, text.starts, text.ends);
  const lower = (s: string) => s.replaceAll("Σ", "σ").toLowerCase();
  return rewrite(text, lower(text.text), CHARACTERS, lower);
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** C0 and C1 controls, formats, private use and surrogates; tab and line ends are white space. */
const CONTROL = /[^\P{C}\t\n\r\p{Cn}]|[\0\ufffd]/gu;
const HAN =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bertNormaliser(json: Json): Normaliser {
  const where = 'normalizer "BertNormalizer"';
  const clean = flag(json, "clean_text", true, where);
  const han = flag(json, "handle_chinese_chars", true, where);
  const lower = flag(json, "lowercase", true, where);
  const accents = flag(json, "strip_accents", lower, where);
  const cleaned = (s: string) => s.replace(CONTROL, "").replace(/\p{White_Space}/gu, " ");
  const spaced = (s: string) => s.replace(HAN, " $& ");
  const stripped = (s: string) => s.normalize("NFD").replace(/\p{Mn}/gu, "");
  return byWords((text) => {
    if (isPrintable(text.text)) return lower ? lowerCase(text) : text;
    let t = text;
    if (clean) t = rewrite(t, cleaned(t.text), CHARACTERS, cleaned);
    if (!isAscii(t.text)) {
      if (han) t = rewrite(t, spaced(t.text), CHARACTERS, spaced);
      if (accents) {
        t = normalForm(t, "NFD");
        t = rewrite(t, stripped(t.text), CHARACTERS, (c) => c.replace(/\p{Mn}/gu, ""));
      }
    }
    return lower ? lowerCase(t) : t;
  });
}

function precompiled(json: Json): Normaliser {
  const where = 'normalizer "Precompiled"';
  const base64 = json.precompiled_charsmap;
  if (base64 === null || base64 === undefined || base64 === "") return byWords((text) => text);
  if (typeof base64 !== "string") throw badComponent(where, "has rules that are not text");
  const map = new Charsmap(Buffer.from(base64, "base64"));
  const { keepsAscii } = map;
  const clusters = new Intl.Segmenter("en", { granularity: "grapheme" });
  return byWords((text) => {
    if (keepsAscii && /^[ -~]*$/.test(text.text)) return text;
    const builder = new TrackedBuilder(text);
    const put = (from: number, part: string, to: string | undefined) => {
      if (to === undefined || to === part) builder.copy(from, from + part.length);
      else builder.replace(from, from + part.length, to);
    };
    for (const { segment, index } of clusters.segment(text.text)) {
      // A whole cluster only when it is short, as the original does: fewer than 6 bytes.
      const rule = segment.length < 6 && Buffer.byteLength(segment) < 6 ? map.shortest(segment) : undefined;
      if (rule !== undefined) {
        put(index, segment, rule);
        continue;
      }
      let at = index;
      for (const character of segment) {
        put(at, character, map.shortest(character));
        at += character.length;
      }
    }
    return builder.done();
  });
}

/** A pattern of tokenizer.json as a JavaScript expression: the library translates from Oniguruma's language. */
function replace(json: Json): Normaliser {
  const where = 'normalizer "Replace"';
  const content = string(json, "content", undefined, where);
  const pattern = json.pattern;
  if (!isObject(pattern)) throw badComponent(where, "has no pattern");
  if (typeof pattern.String === "string") {
    const wanted = pattern.String;
    if (wanted === "") throw badComponent(where, "has an empty pattern");
    return {
      apply: (text) => replaceMatches(text, new RegExp(escapePattern(wanted), "gu"), content),
      independent: null,
    };
  }
  if (typeof pattern.Regex !== "string") throw badComponent(where, "has no pattern");
  const source = pattern.Regex;
  const expression = compile(
    () => new ReplaceNormalizer({ type: "Replace", pattern: { Regex: source }, content }).pattern,
    source,
    where,
  );
  // T5's rule for runs of spaces, of which "spaced" texts have none.
  const independent = pattern.Regex === " {2,}" ? "spaced" : null;
  return { apply: (text) => replaceMatches(text, expression, content), independent };
}

export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

export function compile(make: () => unknown, source: string, where: string): RegExp {
  let expression: unknown;
  try {
    expression = make();
  } catch (error) {
    throw badComponent(where, `has the pattern ${JSON.stringify(source.slice(0, 120))} (${(error as Error).message})`);
  }
  if (!(expression instanceof RegExp)) throw badComponent(where, "has no pattern");
  return expression;
}

/** Longest text that replacements may make of a short one. */
const MAX_GROWN = 20_000_000;

function replaceMatches(text: TrackedText, pattern: RegExp, content: string): TrackedText {
  if (text.text.search(pattern) < 0) return text;
  // Rules that feed each other could make a text grow without end.
  const matches = content.length > 1 ? (text.text.match(pattern)?.length ?? 0) : 0;
  if (text.text.length + matches * content.length > Math.max(MAX_GROWN, 16 * text.text.length))
    throw badComponent(
      'normalizer "Replace"',
      `makes a text of ${text.text.length} characters ${matches} × ${content.length} longer`,
    );
  const builder = new TrackedBuilder(text);
  let at = 0;
  for (const match of text.text.matchAll(pattern)) {
    builder.copy(at, match.index);
    at = match.index + match[0].length;
    builder.replace(match.index, at, content);
  }
  builder.copy(at, text.text.length);
  return builder.done();
}

function strip(left: boolean, right: boolean): (text: TrackedText) => TrackedText {
  return (text) => {
    const from = left ? (/^\p{White_Space}*/u.exec(text.text)?.[0].length ?? 0) : 0;
    let to = text.text.length;
    if (right) while (to > from && /\p{White_Space}/u.test(text.text[to - 1])) to--;
    return text.slice(from, to);
  };
}

/** SentencePiece's own clean-up: some controls go, separators become spaces. */
function nmt(text: TrackedText): TrackedText {
  const one = (character: string) => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 9 || code === 10 || code === 12 || code === 13) return " ";
    if ((code > 0 && code < 32) || code === 0x7f || code === 0x8f || code === 0x9f) return "";
    if ((code >= 0x200b && code <= 0x200f) || NMT_SPACES.has(code)) return " ";
    return character;
  };
  if (!hasNmt(text.text)) return text;
  let whole = "";
  for (const character of text.text) whole += one(character);
  return rewrite(text, whole, CHARACTERS, one);
}
function hasNmt(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit < 32 && unit > 0) || unit === 0x7f || unit === 0x8f || unit === 0x9f) return true;
    if (unit > 0x167f && ((unit >= 0x200b && unit <= 0x200f) || NMT_SPACES.has(unit))) return true;
  }
  return false;
}
const NMT_SPACES: ReadonlySet<number> = new Set([0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd]);

const BYTE_CHARACTERS = byteCharacters();

/** GPT-2's printable character for each byte. */
function byteCharacters(): Uint16Array {
  const table = new Uint16Array(256);
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table[byte] = printable ? byte : next++;
  }
  return table;
}

/** UTF-8 bytes, each as its character. The bytes of one character stand for the whole of it. */
export function byteLevel(text: TrackedText): TrackedText {
  // These are their own characters.
  if (isPrintable(text.text)) return text;
  const mapped = (s: string) => {
    const bytes = Buffer.from(s, "utf8");
    const out = Buffer.allocUnsafe(2 * bytes.length);
    for (let i = 0; i < bytes.length; i++) out.writeUInt16LE(BYTE_CHARACTERS[bytes[i]], 2 * i);
    return out.toString("utf16le");
  };
  return rewrite(text, mapped(text.text), CHARACTERS, mapped);
}

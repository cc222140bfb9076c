/** SentencePiece's own normalisation: rules by longest match, spaces made one and visible, a space in front. */
import type { Charsmap } from "./charsmap.ts";
import type { Normaliser } from "./normalisers.ts";
import { characterUnits, TrackedBuilder, type TrackedText } from "./tracked-text.ts";

export interface SentencePieceRules {
  charsmap: Charsmap | undefined;
  addDummyPrefix: boolean;
  removeExtraSpaces: boolean;
  escapesSpaces: boolean;
  /** User-defined pieces, which no rule touches. */
  alone?: (text: string, at: number) => { units: number } | undefined;
}

export function sentencePieceNormaliser(rules: SentencePieceRules): Normaliser {
  const { charsmap, addDummyPrefix, removeExtraSpaces, escapesSpaces, alone } = rules;
  const keepsAscii = charsmap === undefined || charsmap.keepsAscii;
  const mark = escapesSpaces ? "▁" : " ";

  const apply = (text: TrackedText): TrackedText => {
    const source = text.text;
    const next = steps(source);
    const builder = new TrackedBuilder(text);
    let at = 0;
    let step = next(0);
    if (removeExtraSpaces)
      while (step !== undefined && step.to === " ") {
        at += step.units;
        step = next(at);
      }
    if (step === undefined) return builder.done();
    // The space in front shares the place of the first character.
    if (addDummyPrefix) builder.replace(at, at + characterUnits(source, at), mark);
    let afterSpace = removeExtraSpaces;
    for (; step !== undefined; step = next(at)) {
      const plain = plainEnd(source, at);
      if (plain > at) {
        builder.copy(at, plain);
        afterSpace = false;
        at = plain;
        continue;
      }
      const end = at + step.units;
      let to = step.to ?? source.slice(at, end);
      if (afterSpace) to = to.replace(/^ +/, "");
      if (to !== "") {
        const shown = escapesSpaces ? to.replaceAll(" ", mark) : to;
        if (shown === source.slice(at, end)) builder.copy(at, end);
        else builder.replace(at, end, shown);
        afterSpace = removeExtraSpaces && to.endsWith(" ");
      }
      at = end;
    }
    const done = builder.done();
    if (!removeExtraSpaces) return done;
    let length = done.text.length;
    while (length > 0 && done.text[length - 1] === mark) length--;
    return done.slice(0, length);
  };

  /** Where a run of characters ends that no rule touches and that are no spaces. */
  function plainEnd(source: string, at: number): number {
    if (alone !== undefined || !keepsAscii) return at;
    let end = at;
    for (let unit = source.charCodeAt(end); end < source.length; end++) {
      const after = source.charCodeAt(end + 1);
      if (unit === 32 || (charsmap !== undefined && (!isPrintable(unit) || after > 126))) break;
      unit = after;
    }
    return end;
  }

  /** What stands at a place: how many units are taken and what they become; undefined to: they stay. */
  function steps(source: string): (at: number) => { units: number; to: string | undefined } | undefined {
    let bytes: Uint8Array | undefined;
    let byteAt = 0;
    let unitAt = 0;
    return (at) => {
      if (at >= source.length) return undefined;
      const own = alone?.(source, at);
      if (own !== undefined) return { units: own.units, to: undefined };
      const unit = source.charCodeAt(at);
      if (charsmap === undefined || (keepsAscii && isPrintable(unit) && !(source.charCodeAt(at + 1) > 126))) {
        const units = characterUnits(source, at);
        return { units, to: unit === 32 ? " " : undefined };
      }
      bytes ??= Buffer.from(source, "utf8");
      for (; unitAt < at; unitAt += characterUnits(source, unitAt)) byteAt += bytesOf(source, unitAt);
      const rule = charsmap.longest(bytes, byteAt);
      if (rule === undefined) return { units: characterUnits(source, at), to: unit === 32 ? " " : undefined };
      let units = 0;
      for (let taken = 0; taken < rule.bytes; units += characterUnits(source, at + units))
        taken += bytesOf(source, at + units);
      return { units, to: rule.text };
    };
  }
  return { apply, independent: "words" };
}

function isPrintable(unit: number): boolean {
  return unit >= 32 && unit < 127;
}

function bytesOf(text: string, at: number): number {
  const code = text.codePointAt(at) ?? 0;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

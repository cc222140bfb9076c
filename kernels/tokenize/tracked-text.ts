/**
 * A text while it is normalised and split, and, where asked for, which characters of the original text each of its
 * UTF-16 units came from.
 */

export class TrackedText {
  readonly text: string;
  /** For unit i of the text: the original units [starts[i], ends[i]). Null when nobody asked. Both never decrease. */
  readonly starts: Int32Array | null;
  readonly ends: Int32Array | null;

  constructor(text: string, starts: Int32Array | null, ends: Int32Array | null) {
    this.text = text;
    this.starts = starts;
    this.ends = ends;
  }

  /** An original text: every character stands for itself, both units of a pair for the whole character. */
  static of(text: string, tracks: boolean): TrackedText {
    if (!tracks) return new TrackedText(text, null, null);
    const starts = new Int32Array(text.length);
    const ends = new Int32Array(text.length);
    for (let i = 0; i < text.length; i++) {
      const pair = isPair(text, i);
      starts[i] = i;
      ends[i] = i + (pair ? 2 : 1);
      if (pair) {
        starts[i + 1] = i;
        ends[i + 1] = i + 2;
        i++;
      }
    }
    return new TrackedText(text, starts, ends);
  }

  slice(from: number, to: number): TrackedText {
    if (from === 0 && to === this.text.length) return this;
    return new TrackedText(
      this.text.slice(from, to),
      this.starts?.subarray(from, to) ?? null,
      this.ends?.subarray(from, to) ?? null,
    );
  }
}

/** From ! to ~: no space, no control, nothing that a normalisation form changes. */
export function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 33 || unit > 126) return false;
  }
  return true;
}

function isPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
}

/** Units of the character at a place: 1 or 2. */
export function characterUnits(text: string, at: number): number {
  return isPair(text, at) ? 2 : 1;
}

/** Puts a new text together from parts of an old one. */
export class TrackedBuilder {
  readonly #source: TrackedText;
  readonly #parts: string[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Units that are copied but not yet written: neighbours become one part. */
  #from = 0;
  #to = 0;

  constructor(source: TrackedText) {
    this.#source = source;
  }

  /** Units [from, to) as they are. */
  copy(from: number, to: number): void {
    if (from >= to) return;
    if (from !== this.#to) {
      this.#write();
      this.#from = from;
    }
    this.#to = to;
  }

  #write(): void {
    const [from, to] = [this.#from, this.#to];
    this.#from = to;
    if (from >= to) return;
    this.#parts.push(this.#source.text.slice(from, to));
    const { starts, ends } = this.#source;
    if (starts === null || ends === null) return;
    for (let i = from; i < to; i++) {
      this.#starts.push(starts[i]);
      this.#ends.push(ends[i]);
    }
  }

  /** New text in the place of units [from, to): each of its units stands for all of them. */
  replace(from: number, to: number, text: string): void {
    if (text === "") return;
    this.#write();
    this.#parts.push(text);
    const { starts, ends } = this.#source;
    if (starts === null || ends === null) return;
    // What is inserted between two characters belongs to the one that follows, else to the one before.
    const first = Math.max(0, Math.min(from, starts.length - 1));
    const last = Math.max(first, Math.min(to, ends.length) - 1);
    for (let i = 0; i < text.length; i++) {
      this.#starts.push(starts[first] ?? 0);
      this.#ends.push(ends[last] ?? 0);
    }
  }

  done(): TrackedText {
    this.#write();
    const text = this.#parts.join("");
    return this.#source.starts === null
      ? new TrackedText(text, null, null)
      : new TrackedText(text, Int32Array.from(this.#starts), Int32Array.from(this.#ends));
  }
}

/** Every character. */
export const CHARACTERS = /[\s\S]/gu;
/**
 * A character with what normalisation forms may compose with it: the parts of one Korean syllable, runs of
 * compatibility jamo, combining marks, halfwidth voicing marks.
 */
export const CLUSTERS =
  /(?:[\u1100-\u115f]+[\u1160-\u11a7]*|[\uac00-\ud7a3][\u1160-\u11a7]*)[\u11a8-\u11ff]*\p{M}*|[\u3131-\u318e\uffa0-\uffdc]+\p{M}*|[\s\S][\p{M}\uff9e\uff9f]*/gu;
/**
 * A rewriting of the text of which the result is known as a whole and chunk by chunk. The chunks only say where things
 * came from: where they do not add up to the whole (a normalisation that looks further than a chunk), everything
 * between the common beginning and end counts as one replacement.
 */
export function rewrite(
  source: TrackedText,
  whole: string,
  chunks: RegExp,
  chunk: (text: string) => string,
): TrackedText {
  if (whole === source.text) return source;
  if (source.starts === null) return new TrackedText(whole, null, null);
  const builder = new TrackedBuilder(source);
  for (const match of source.text.matchAll(chunks)) {
    const to = match.index + match[0].length;
    const out = chunk(match[0]);
    if (out === match[0]) builder.copy(match.index, to);
    else builder.replace(match.index, to, out);
  }
  const result = builder.done();
  return result.text === whole ? result : replaceMiddle(source, whole);
}

function replaceMiddle(source: TrackedText, whole: string): TrackedText {
  const { text } = source;
  const most = Math.min(text.length, whole.length);
  let before = 0;
  while (before < most && text[before] === whole[before]) before++;
  let after = 0;
  while (after < most - before && text[text.length - 1 - after] === whole[whole.length - 1 - after]) after++;
  const builder = new TrackedBuilder(source);
  builder.copy(0, before);
  builder.replace(before, text.length - after, whole.slice(before, whole.length - after));
  builder.copy(text.length - after, text.length);
  return builder.done();
}

/** Where the lines of a growing text begin. Appending costs only the new part, so that 1e5 lines stay cheap. */
import { type AnsiStyle, hasEscapes, PLAIN, parseAnsi } from "./ansi.ts";

const CHECK = 256;

export class LineIndex {
  #text = "";
  #starts: number[] = [0];
  #styles: AnsiStyle[] | null = null;

  /** Points the index at `text`; scans only what was appended when the old text is its beginning. */
  update(text: string): this {
    if (text === this.#text) return this;
    const old = this.#text;
    const grew =
      text.length > old.length &&
      text.startsWith(old.slice(0, CHECK)) &&
      text.slice(Math.max(0, old.length - CHECK), old.length) === old.slice(-CHECK);
    const from = grew ? old.length : 0;
    if (!grew) this.#starts = [0];
    this.#text = text;
    this.#styles = null;
    for (let at = text.indexOf("\n", from); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
    return this;
  }

  /** Lines of the text; a line break at the very end does not begin another one. */
  get count(): number {
    const { length } = this.#starts;
    if (this.#text === "") return 0;
    return this.#starts[length - 1] === this.#text.length ? length - 1 : length;
  }

  line(i: number): string {
    const start = this.#starts[i] ?? this.#text.length;
    const next = this.#starts[i + 1];
    return this.#text.slice(start, next === undefined ? this.#text.length : next - 1);
  }

  /** Lines from (inclusive) to (exclusive) as one string. */
  slice(from: number, to: number): string {
    return this.#text.slice(this.#starts[from] ?? this.#text.length, this.#starts[to] ?? this.#text.length);
  }

  /** Style at the start of a line; colours may run over line ends. */
  styleAt(i: number): AnsiStyle {
    if (!hasEscapes(this.#text)) return PLAIN;
    this.#styles ??= [PLAIN];
    const styles = this.#styles;
    for (let j = styles.length - 1; j < i; j++) {
      const line = this.line(j);
      const before = styles[j]!;
      styles.push(hasEscapes(line) ? parseAnsi(line, before).end : before);
    }
    return styles[i]!;
  }
}

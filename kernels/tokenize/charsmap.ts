/**
 * SentencePiece's precompiled normalisation rules: a double-array trie (Darts) over UTF-8 bytes that leads to
 * replacements in one zero-terminated blob. Layout: uint32 size of the trie in bytes, trie, blob.
 */
import { ParallaxError } from "../protocol/errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Charsmap {
  readonly #units: Uint32Array;
  readonly #blob: Uint8Array;
  readonly #found = new Map<number, string>();

  /** @throws {ParallaxError} tokenizer.damaged when the sizes do not fit. */
  constructor(bytes: Uint8Array) {
    const size = bytes.length >= 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : -1;
    if (size < 0 || size % 4 !== 0 || size > bytes.length - 4)
      throw new ParallaxError(
        "tokenizer.damaged",
        `The tokenizer's normalisation rules cannot be read: ${size} bytes of rules are announced, ${Math.max(0, bytes.length - 4)} are there. No text was encoded.`,
        { hint: "Copy the tokenizer file from the model again." },
      );
    // Copies: the units are aligned, and a view would keep the whole file in memory.
    this.#units = new Uint32Array(Uint8Array.from(bytes.subarray(4, 4 + size)).buffer);
    this.#blob = Uint8Array.from(bytes.subarray(4 + size));
  }

  /**
   * True when no rule is a single printable ASCII character or begins with two: such a character stays as it is unless
   * something else (a combining mark) follows.
   */
  get keepsAscii(): boolean {
    for (let byte = 32; byte < 127; byte++) {
      const node = this.#step(this.#root(), byte);
      if (node < 0) continue;
      const unit = this.#units[node];
      if (((unit >>> 8) & 1) === 1) return false;
      for (let second = 32; second < 127; second++) if (this.#step(node ^ offsetOf(unit), second) >= 0) return false;
    }
    return true;
  }

  /** The rule for the shortest beginning of the text, as the `tokenizers` library applies it to a whole cluster. */
  shortest(text: string): string | undefined {
    return this.#search(encoder.encode(text), 0, true)?.text;
  }

  /** The rule for the longest match at a byte, as SentencePiece applies it, and the bytes it takes. */
  longest(bytes: Uint8Array, at: number): { text: string; bytes: number } | undefined {
    return this.#search(bytes, at, false);
  }

  #search(bytes: Uint8Array, at: number, first: boolean): { text: string; bytes: number } | undefined {
    let node = this.#root();
    let found = -1;
    let length = 0;
    for (let i = at; i < bytes.length && bytes[i] !== 0; i++) {
      node = this.#step(node, bytes[i]);
      if (node < 0) break;
      const unit = this.#units[node];
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1 && node < this.#units.length) {
        found = this.#units[node] & 0x7fffffff;
        length = i + 1 - at;
        if (first) break;
      }
    }
    return found < 0 ? undefined : { text: this.#replacement(found), bytes: length };
  }

  #root(): number {
    return this.#units.length === 0 ? 0 : offsetOf(this.#units[0]);
  }

  /** The node behind a byte, or -1. */
  #step(node: number, byte: number): number {
    const next = node ^ byte;
    return next < this.#units.length && (this.#units[next] & 0x800000ff) >>> 0 === byte ? next : -1;
  }

  #replacement(at: number): string {
    let text = this.#found.get(at);
    if (text === undefined) {
      const end = this.#blob.indexOf(0, at);
      text = decoder.decode(this.#blob.subarray(at, end < 0 ? this.#blob.length : end));
      this.#found.set(at, text);
    }
    return text;
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

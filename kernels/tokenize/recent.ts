/** A bounded map that forgets what was not used lately: two halves, the older one dropped when the newer is full. */

/** From this length on, V8 keeps a part of a string as a view that holds the whole text in memory. */
const SLICED = 13;

function copied(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}

export class Recent<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  readonly #half: number;

  /** @param size most entries kept. */
  constructor(size: number) {
    this.#half = Math.max(1, size >> 1);
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key.length < SLICED ? key : copied(key), value);
  }
}

/**
 * The pseudo-random numbers of training. Every draw follows from (seed, stream, index), so a resumed run needs no saved
 * generator state: it asks for the same stream again.
 *
 * xoshiro128** by Blackman and Vigna (2018), 32-bit output, period 2^128 − 1; its state is filled by four rounds of
 * SplitMix32 over a hash of the words. Not for secrets.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param words seed first, then whatever names the stream: `new Random(seed, "epoch", 3)`. Numbers are taken mod 2^32. */
  constructor(...words: (number | string)[]) {
    let hash = 0x9e3779b9;
    for (const word of words) {
      if (typeof word === "number") {
        hash = mix(hash ^ (word >>> 0));
        // The upper half of a large seed counts too.
        hash = mix(hash ^ (Math.floor(word / 4294967296) >>> 0));
      } else for (let i = 0; i < word.length; i++) hash = mix(hash ^ word.charCodeAt(i));
    }
    this.#a = mix((hash + 0x9e3779b9) | 0);
    this.#b = mix((hash + 0x3c6ef372) | 0);
    this.#c = mix((hash + 0xdaa66d2b) | 0);
    this.#d = mix((hash + 0x78dde6e4) | 0);
    // The all-zero state is a fixed point.
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#a = 1;
  }

  /** Uniform in 0 … 2^32 − 1. */
  uint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in 0 … bound − 1 without bias: draws past the last whole multiple of bound are drawn again. */
  below(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % bound;
    }
  }

  /** Uniform in [0, 1) with 32 bits. */
  unit(): number {
    return this.uint32() / 4294967296;
  }

  /** 0 … n − 1 in random order (Fisher and Yates, from the end). */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }
}

/** The finaliser of SplitMix32: every input bit changes half of the output bits. */
function mix(value: number): number {
  let x = (value + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) | 0;
}

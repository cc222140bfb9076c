/** The one generator behind every resample and permutation: xoshiro128**, seeded by splitmix32. Same seed, same numbers, on every machine. */

/**
 * xoshiro128** 1.1 (Blackman and Vigna 2018): 32-bit outputs, period 2^128 − 1. Not for secrets.
 * The seed (any finite number; its lower 32 bits count) is spread over the state by splitmix32.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    let x = seed | 0;
    const next = (): number => {
      x = (x + 0x9e3779b9) | 0;
      let z = x ^ (x >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    [this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), next()];
    // All zero is the one state that never moves.
    if ((this.#a | this.#b | this.#c | this.#d) === 0) this.#d = 1;
  }

  /** A generator that starts at a given state: for checks against the published sequence. */
  static ofState(state: readonly [number, number, number, number]): Random {
    const random = new Random(0);
    [random.#a, random.#b, random.#c, random.#d] = [state[0] | 0, state[1] | 0, state[2] | 0, state[3] | 0];
    return random;
  }

  /** Uniform integer in [0, 2^32). */
  uint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1), 32 bits fine. */
  float(): number {
    return this.uint32() / 4294967296;
  }

  /** Uniform integer in [0, n), without bias (draws again from the incomplete last stretch). n from 1 to 2^32. */
  below(n: number): number {
    const limit = 4294967296 - (4294967296 % n);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % n;
  }

  /** One resample of n units with replacement, as how often each was drawn. Fills `counts` (length n). */
  resample(counts: Uint16Array | Int32Array): void {
    counts.fill(0);
    const n = counts.length;
    const limit = 4294967296 - (4294967296 % n);
    for (let i = 0; i < n; i++) {
      let draw = this.uint32();
      while (draw >= limit) draw = this.uint32();
      counts[draw % n]! += 1;
    }
  }
}

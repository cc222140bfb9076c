/** NumPy's legacy generator, as far as MTEB's sampling needs it. */

const N = 624;
const M = 397;

/**
 * `numpy.random.RandomState(seed)`: MT19937 (Matsumoto and Nishimura 1998), seeded by one 32-bit integer. Draws the same
 * numbers as NumPy, whose legacy streams are frozen. Checked against NumPy in test/evaluate/mt19937.test.ts.
 */
export class RandomState {
  readonly #state = new Uint32Array(N);
  #index = N;

  constructor(seed: number) {
    this.#state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const previous = this.#state[i - 1]! ^ (this.#state[i - 1]! >>> 30);
      this.#state[i] = Math.imul(1812433253, previous) + i;
    }
  }

  uint32(): number {
    if (this.#index === N) this.#twist();
    let y = this.#state[this.#index++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const s = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % N]! & 0x7fffffff);
      s[i] = s[(i + M) % N]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.#index = 0;
  }

  /** Uniform integer in [0, max], by masking and drawing again, as NumPy's random_interval. */
  interval(max: number): number {
    if (max === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(max);
    let draw = (this.uint32() & mask) >>> 0;
    while (draw > max) draw = (this.uint32() & mask) >>> 0;
    return draw;
  }

  /** `RandomState.shuffle`: in place, from the last place down. */
  shuffle(items: Int32Array): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.interval(i);
      const kept = items[i]!;
      items[i] = items[j]!;
      items[j] = kept;
    }
  }
}

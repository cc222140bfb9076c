/** Merging neighbours by the best rule until none is left, in flat arrays. */

/** What two neighbours become. A smaller rank is merged first. */
export interface Merge {
  rank: number;
  symbol: number;
}

/** Symbols of two neighbours as one key; ids stay below 2^26. */
export const PAIR = 67_108_864;

/** Rules by pair, with open addressing. Ranks are counted through: equal ones stay equal. */
export class MergeTable {
  /** By place in the table. */
  readonly ranks: Int32Array;
  readonly symbols: Int32Array;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  readonly #mask: number;

  /** @param merges by left × PAIR + right. A rank that is no number never merges. */
  constructor(merges: ReadonlyMap<number, Merge>) {
    let size = 16;
    while (size < 2 * merges.size) size *= 2;
    this.#mask = size - 1;
    this.#lefts = new Int32Array(size).fill(-1);
    this.#rights = new Int32Array(size);
    this.ranks = new Int32Array(size);
    this.symbols = new Int32Array(size);
    const distinct = Float64Array.from(merges.values(), ({ rank }) => rank).sort();
    for (const [key, { rank, symbol }] of merges) {
      if (Number.isNaN(rank)) continue;
      const left = Math.floor(key / PAIR);
      const right = key - left * PAIR;
      let at = this.#hash(left, right);
      while (this.#lefts[at] !== -1) at = (at + 1) & this.#mask;
      this.#lefts[at] = left;
      this.#rights[at] = right;
      this.ranks[at] = firstAtLeast(distinct, rank);
      this.symbols[at] = symbol;
    }
  }

  /** The place of a rule, or -1. Symbols below 0 have none. */
  find(left: number, right: number): number {
    if (left < 0 || right < 0) return -1;
    for (let at = this.#hash(left, right); this.#lefts[at] !== -1; at = (at + 1) & this.#mask)
      if (this.#lefts[at] === left && this.#rights[at] === right) return at;
    return -1;
  }

  #hash(left: number, right: number): number {
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}

function firstAtLeast(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Up to so many symbols the best pair is looked for among all of them each time; above, in a heap. */
const SHORT = 48;
const NONE = 0x7fffffff;

/** Room for so many symbols, used again and again. */
export class MergeWindow {
  readonly size: number;
  readonly symbols: Int32Array;
  /** Where each symbol ends: moves along with it. */
  readonly ends: Int32Array;
  /** Rank and rule of each symbol with the one that follows it. */
  readonly #ranks: Int32Array;
  readonly #rules: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** rank × 2^31 + place, the least on top. Entries of pairs that are gone are passed over. */
  readonly #heap: Float64Array;
  #heaped = 0;

  constructor(size: number) {
    this.size = size;
    this.symbols = new Int32Array(size);
    this.ends = new Int32Array(size);
    this.#ranks = new Int32Array(size);
    this.#rules = new Int32Array(size);
    this.#next = new Int32Array(size);
    this.#previous = new Int32Array(size);
    // One for each pair, and two for each merge.
    this.#heap = new Float64Array(3 * size);
  }

  /**
   * Merges the first n symbols: of all pairs with a rule the one with the least rank, the leftmost of equals, until none is
   * left. What is left stands at the beginning of `symbols` and `ends`.
   * @returns how many are left.
   */
  merge(n: number, table: MergeTable): number {
    for (let i = 0; i < n; i++) this.#look(i, i + 1 < n ? i + 1 : -1, table);
    return n <= SHORT ? this.#mergeShort(n, table) : this.#mergeLong(n, table);
  }

  #look(at: number, after: number, table: MergeTable): void {
    const rule = after < 0 ? -1 : table.find(this.symbols[at], this.symbols[after]);
    this.#rules[at] = rule;
    this.#ranks[at] = rule < 0 ? NONE : table.ranks[rule];
  }

  #mergeShort(n: number, table: MergeTable): number {
    const { symbols, ends } = this;
    const [ranks, rules] = [this.#ranks, this.#rules];
    for (let left = n; ; ) {
      let at = -1;
      let best = NONE;
      for (let i = 0; i < left; i++)
        if (ranks[i] < best) {
          best = ranks[i];
          at = i;
        }
      if (at < 0) return left;
      symbols[at] = table.symbols[rules[at]];
      ends[at] = ends[at + 1];
      left--;
      for (let i = at + 1; i < left; i++) {
        symbols[i] = symbols[i + 1];
        ends[i] = ends[i + 1];
        ranks[i] = ranks[i + 1];
        rules[i] = rules[i + 1];
      }
      if (at > 0) this.#look(at - 1, at, table);
      this.#look(at, at + 1 < left ? at + 1 : -1, table);
    }
  }

  #mergeLong(n: number, table: MergeTable): number {
    const { symbols, ends } = this;
    const [ranks, rules, next, previous] = [this.#ranks, this.#rules, this.#next, this.#previous];
    this.#heaped = 0;
    for (let i = 0; i < n; i++) {
      next[i] = i + 1 < n ? i + 1 : -1;
      previous[i] = i - 1;
      if (ranks[i] !== NONE) this.#push(ranks[i], i);
    }
    while (this.#heaped > 0) {
      const top = this.#pop();
      const rank = Math.floor(top / PLACES);
      const at = top - rank * PLACES;
      // Another pair stands there by now, or none.
      if (ranks[at] !== rank) continue;
      const after = next[at];
      symbols[at] = table.symbols[rules[at]];
      ends[at] = ends[after];
      ranks[after] = NONE;
      next[at] = next[after];
      if (next[at] >= 0) previous[next[at]] = at;
      this.#look(at, next[at], table);
      if (ranks[at] !== NONE) this.#push(ranks[at], at);
      const before = previous[at];
      if (before < 0) continue;
      this.#look(before, at, table);
      if (ranks[before] !== NONE) this.#push(ranks[before], before);
    }
    let left = 0;
    for (let at = 0; at >= 0; at = next[at], left++) {
      symbols[left] = symbols[at];
      ends[left] = ends[at];
    }
    return left;
  }

  #push(rank: number, at: number): void {
    const heap = this.#heap;
    const value = rank * PLACES + at;
    let i = this.#heaped++;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (heap[up] <= value) break;
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = value;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0];
    const value = heap[--this.#heaped];
    let i = 0;
    for (let child = 1; child < this.#heaped; child = 2 * i + 1) {
      if (child + 1 < this.#heaped && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= value) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = value;
    return top;
  }
}

/** More places than any part has: windows grow to the whole of it at most. */
const PLACES = 2 ** 31;

/** The batches of one set of rows, epoch after epoch, when some rows may not share a batch. */
import type { Random } from "./prng.ts";

/**
 * What keeps rows apart: keys[starts[i] … starts[i + 1] − 1] are those of row i. k > 0: no other row of a batch has key k
 * at all. −k: other rows may have −k, but none k.
 */
export interface PlanKeys {
  starts: Uint32Array;
  keys: Int32Array;
}

export interface EpochOptions {
  /** The rows of the plan; null for all. */
  rows: readonly number[] | null;
  batchSize: number;
  /** The draws of an epoch. */
  random: (epoch: number) => Random;
}

/**
 * A batch takes the first rows of the epoch's permutation, from those still waiting, that go with what it holds.
 *
 * A row that does not go waits in the line of the key that stood in its way. When a batch begins, the first of each line
 * is a candidate, in the order of the permutation; the rest of a line cannot go before it does. So a batch costs its rows
 * and the lines that it meets, not all that wait.
 */
export class EpochPlan {
  readonly n: number;
  readonly #keys: PlanKeys;
  readonly #options: EpochOptions;
  /** First batch (from 0) of each planned epoch. */
  readonly #starts: number[] = [0];
  #epoch = -1;
  #batches: Uint32Array[] = [];

  constructor(keys: PlanKeys, options: EpochOptions) {
    this.#keys = keys;
    this.#options = options;
    this.n = options.rows?.length ?? keys.starts.length - 1;
  }

  /** How many batches an epoch has. Epochs up to it are planned when they were not. */
  batchesIn(epoch: number): number {
    for (let e = this.#starts.length - 1; e <= epoch; e++) this.#planTo(e);
    return this.#starts[epoch + 1]! - this.#starts[epoch]!;
  }

  /** Row numbers of a batch, counted from 0 through all epochs. There is one in the first epoch, or this never ends. */
  batch(index: number): Uint32Array {
    let epoch = Math.max(0, this.#epoch);
    while (epoch > 0 && this.#starts[epoch]! > index) epoch--;
    while (this.#starts.length <= epoch + 1 || this.#starts[epoch + 1]! <= index) {
      this.batchesIn(epoch);
      if (this.#starts[epoch + 1]! <= index) epoch++;
    }
    this.#planTo(epoch);
    return this.#batches[index - this.#starts[epoch]!]!;
  }

  #planTo(epoch: number): void {
    if (this.#epoch === epoch) return;
    this.#batches = this.#plan(epoch);
    this.#epoch = epoch;
    this.#starts[epoch + 1] = this.#starts[epoch]! + this.#batches.length;
  }

  #plan(epoch: number): Uint32Array[] {
    const { rows, batchSize } = this.#options;
    const order = this.#options.random(epoch).permutation(this.n);
    if (rows !== null) for (let i = 0; i < order.length; i++) order[i] = rows[order[i]!]!;
    const lines = new WaitingLines();
    const batches: Uint32Array[] = [];
    let from = 0;
    for (;;) {
      const batch = new Holding(this.#keys);
      const taken: number[] = [];
      // Those that waited longest go first.
      for (let place = lines.next(batch, order); place >= 0; place = lines.next(batch, order)) {
        batch.add(order[place]!);
        taken.push(order[place]!);
        if (taken.length === batchSize) break;
      }
      while (taken.length < batchSize && from < order.length) {
        const row = order[from]!;
        const key = batch.conflict(row);
        if (key === 0) {
          batch.add(row);
          taken.push(row);
        } else lines.put(key, from);
        from++;
      }
      if (taken.length < batchSize) return batches;
      lines.open();
      batches.push(Uint32Array.from(taken));
    }
  }
}

/** The keys of the rows in a batch. */
class Holding {
  readonly #own = new Set<number>();
  readonly #shared = new Set<number>();
  readonly #keys: PlanKeys;

  constructor(keys: PlanKeys) {
    this.#keys = keys;
  }

  /** A key that keeps the row out, `asked` when it is one of several; 0 when none does. */
  conflict(row: number, asked = 0): number {
    const { starts, keys } = this.#keys;
    let found = 0;
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      const key = Math.abs(keys[at]!);
      if (!this.#own.has(key) && !(keys[at]! > 0 && this.#shared.has(key))) continue;
      if (asked === 0 || key === asked) return key;
      found = found === 0 ? key : found;
    }
    return found;
  }

  add(row: number): void {
    const { starts, keys } = this.#keys;
    for (let at = starts[row]!; at < starts[row + 1]!; at++) {
      const key = keys[at]!;
      if (key > 0) this.#own.add(key);
      else this.#shared.add(-key);
    }
  }
}

interface Line {
  /** Places in the permutation of the rows that wait. */
  places: Heap;
  /** The first of them when it is a candidate of this batch, else −1. */
  offered: number;
}

/** Rows that wait, each in the line of one key, by their places in the permutation. */
class WaitingLines {
  readonly #lines = new Map<number, Line>();
  /** First places of the lines that this batch has not met yet; those no longer offered are passed over. */
  readonly #heads = new Heap();
  readonly #keyAt = new Map<number, number>();
  /** Lines that wait for the next batch. */
  #closed = new Set<number>();

  /** Into the line of a key that the batch holds: no row of that line goes before the next batch. */
  put(key: number, place: number): void {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { places: new Heap(), offered: -1 };
      this.#lines.set(key, line);
    }
    line.places.push(place);
    line.offered = -1;
    this.#closed.add(key);
  }

  /** A new batch: every line counts again. */
  open(): void {
    for (const key of this.#closed) this.#offer(key);
    this.#closed = new Set();
  }

  /** The first place whose row goes with the batch, taken out of its line; −1 when there is none. */
  next(batch: Holding, order: Uint32Array): number {
    while (this.#heads.size > 0) {
      const place = this.#heads.pop();
      const key = this.#keyAt.get(place)!;
      const line = this.#lines.get(key);
      if (line === undefined || line.offered !== place) continue;
      line.offered = -1;
      const against = batch.conflict(order[place]!, key);
      if (against === key) {
        this.#closed.add(key);
        continue;
      }
      line.places.pop();
      if (line.places.size === 0) this.#lines.delete(key);
      else if (against === 0) this.#closed.add(key);
      else this.#offer(key);
      if (against === 0) return place;
      this.put(against, place);
    }
    return -1;
  }

  #offer(key: number): void {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    const place = line.places.first!;
    line.offered = place;
    this.#heads.push(place);
    this.#keyAt.set(place, key);
  }
}

/** The least number first. */
class Heap {
  readonly #items: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  get first(): number | undefined {
    return this.#items[0];
  }

  push(value: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= value) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = value;
  }

  pop(): number {
    const items = this.#items;
    const least = items[0]!;
    const last = items.pop()!;
    const size = items.length;
    if (size === 0) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return least;
  }
}

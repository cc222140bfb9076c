/**
 * Which pairs a step sees. A plan follows from (pairs, batch size, seed) alone, so a resumed run finds its place from
 * the step number.
 */
import { ParallaxError } from "../protocol/errors.ts";
import { type Pair, textKey } from "./pairs.ts";
import { Random } from "./prng.ts";

export interface Batch {
  /** Row numbers of the pairs, [b]. */
  rows: Uint32Array;
  /** 0 for the first pass over the data. */
  epoch: number;
  /** Passes over the data when this batch is done, e.g. 1.5. */
  progress: number;
}

/**
 * Each epoch is a fresh permutation of the pairs (Random(seed, "epoch", e)). A batch takes the first pairs still
 * waiting in it whose texts and group it does not hold yet; the others wait for a later batch. Pairs that fill no batch
 * at the end of an epoch are left out of that epoch.
 *
 * Cost: planning an epoch is O(n) plus one scan of the waiting pairs a batch.
 */
export class BatchPlan {
  readonly #keys: { anchor: number; positive: number; group: number }[];
  readonly #batchSize: number;
  readonly #seed: number;
  /** First step (from 0) of each planned epoch, and its batches. */
  readonly #starts: number[] = [0];
  #epoch = -1;
  #batches: Uint32Array[] = [];

  constructor(pairs: readonly Pair[], batchSize: number, seed: number) {
    this.#batchSize = batchSize;
    this.#seed = seed;
    // Texts and groups as small numbers: comparing them is what planning does.
    const texts = new Map<string, number>();
    const groups = new Map<string, number>();
    const number = (map: Map<string, number>, key: string) => {
      const known = map.get(key);
      if (known !== undefined) return known;
      map.set(key, map.size);
      return map.size - 1;
    };
    this.#keys = pairs.map((pair) => ({
      anchor: number(texts, textKey(pair.anchor)),
      positive: number(texts, textKey(pair.positive)),
      group: pair.group === undefined ? -1 : number(groups, pair.group),
    }));
  }

  /** Batches of the first epoch: what "one epoch" means in steps. */
  get batchesPerEpoch(): number {
    this.#planTo(0);
    return this.#starts[1]!;
  }

  /**
   * The batch of a step, 1 for the first.
   * @throws {ParallaxError} train.no-batch when the pairs fill no batch without equal texts or groups.
   * Cost: nothing while steps go up within an epoch; the epochs before are planned again when they go down.
   */
  at(step: number): Batch {
    const index = step - 1;
    let epoch = 0;
    for (; ; epoch++) {
      if (this.#starts.length <= epoch + 1) this.#planTo(epoch);
      if (this.#starts[epoch + 1]! > index) break;
    }
    this.#planTo(epoch);
    const within = index - this.#starts[epoch]!;
    return { rows: this.#batches[within]!, epoch, progress: epoch + (within + 1) / this.#batches.length };
  }

  #planTo(epoch: number): void {
    if (this.#epoch === epoch) return;
    this.#batches = this.#plan(epoch);
    this.#epoch = epoch;
    if (this.#batches.length === 0)
      throw new ParallaxError(
        "train.no-batch",
        `No batch of ${this.#batchSize} pairs with different texts and groups can be made from these ${this.#keys.length} pairs.`,
        {
          hint: "Use a smaller batchSize, or add pairs.",
          details: { pairs: this.#keys.length, batchSize: this.#batchSize },
        },
      );
    this.#starts[epoch + 1] = this.#starts[epoch]! + this.#batches.length;
  }

  #plan(epoch: number): Uint32Array[] {
    let waiting = [...new Random(this.#seed, "epoch", epoch).permutation(this.#keys.length)];
    let from = 0;
    let passed: number[] = [];
    const batches: Uint32Array[] = [];
    for (;;) {
      const rows: number[] = [];
      const texts = new Set<number>();
      const groups = new Set<number>();
      const take = (row: number): boolean => {
        const { anchor, positive, group } = this.#keys[row]!;
        if (texts.has(anchor) || texts.has(positive) || (group >= 0 && groups.has(group))) return false;
        texts.add(anchor).add(positive);
        if (group >= 0) groups.add(group);
        rows.push(row);
        return true;
      };
      // Those that waited longest go first.
      const still: number[] = [];
      for (const row of passed) if (rows.length === this.#batchSize || !take(row)) still.push(row);
      while (rows.length < this.#batchSize && from < waiting.length) {
        const row = waiting[from++]!;
        if (!take(row)) still.push(row);
      }
      if (rows.length < this.#batchSize) return batches;
      batches.push(Uint32Array.from(rows));
      passed = still;
      if (from > 65_536) {
        waiting = waiting.slice(from);
        from = 0;
      }
    }
  }
}

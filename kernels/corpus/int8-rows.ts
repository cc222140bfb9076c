/** Rows at 8 bits with a scale each, and what that loses: measured against the float32 rows while they go by. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { counterUniform } from "../model/random.ts";
import type { Recall } from "./corpus-files.ts";
import { recallSummary } from "./recall.ts";

const MOST = 127;
/** Rows of the first chunk that are looked up, and how many neighbours of each. */
const QUERIES = 64;
const K = 10;
const SEED = 0;

/**
 * code = round(x / scale), scale = max |x| / 127 of its row (symmetric, so that a cosine needs no correction); a row of zeros
 * has scale 0. The cosine does not depend on the scale, which is kept so that the numbers themselves come back.
 *
 * @param rows float32 [n, d]
 * @returns codes int8 [n, d], scales float32 [n]
 */
export function quantiseRows(rows: Float32Array, d: number): { codes: Int8Array; scales: Float32Array } {
  const n = rows.length / d;
  const codes = new Int8Array(rows.length);
  const scales = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    let most = 0;
    for (let j = i * d; j < (i + 1) * d; j++) most = Math.max(most, Math.abs(rows[j]));
    scales[i] = most / MOST;
    if (scales[i] === 0) continue;
    for (let j = i * d; j < (i + 1) * d; j++)
      codes[j] = Math.max(-MOST, Math.min(MOST, Math.round(rows[j] / scales[i])));
  }
  return { codes, scales };
}

/** float32 [n, d]: codes times the scale of their row. */
export function dequantiseRows(codes: Int8Array, scales: Float32Array, d: number): Float32Array {
  const rows = new Float32Array(codes.length);
  for (let i = 0; i < scales.length; i++) for (let j = i * d; j < (i + 1) * d; j++) rows[j] = codes[j] * scales[i];
  return rows;
}

/** The k nearest of one query among the rows so far; `exact` is the float32 cosine whatever they are ordered by. */
interface Best {
  row: number[];
  cosine: number[];
  exact: number[];
}

/**
 * recall@10 of exact search over the 8-bit rows against exact search over the float32 rows, which are not kept: both lists
 * are held for 64 rows of the first chunk (seed 0; the row itself is left out) while all other rows go by. Cosines, so rows
 * are taken at length 1.
 *
 * Cost: 64 · d multiplications a row. |q·x − q·x̂| ≤ |x − x̂| at |q| = 1 (Cauchy–Schwarz) leaves out the second product for
 * nearly all rows.
 */
export class Int8Loss {
  readonly #d: number;
  #rows = 0;
  #queries = new Float32Array(0);
  #queryRows: number[] = [];
  #float: Best[] = [];
  #int8: Best[] = [];

  constructor(d: number) {
    this.#d = d;
  }

  /** What an earlier process had measured; undefined when it is not there or is of fewer rows. */
  static load(file: string, rows: number): Int8Loss | undefined {
    try {
      const state = deserialize(readFileSync(file));
      if (!(state.rows >= rows)) return undefined;
      const loss = new Int8Loss(state.d);
      loss.#rows = state.rows;
      // A copy: the file's bytes may lie at any address.
      loss.#queries = Float32Array.from(state.queries as Float32Array);
      loss.#queryRows = state.queryRows;
      loss.#float = state.float;
      loss.#int8 = state.int8;
      return loss;
    } catch {
      // The corpus is whole without it; the manifest then says that the loss was not measured.
      return undefined;
    }
  }

  save(file: string): void {
    const [d, rows, queries, queryRows, float, int8] = [
      this.#d,
      this.#rows,
      this.#queries,
      this.#queryRows,
      this.#float,
      this.#int8,
    ];
    const temporary = `${file}.tmp`;
    const fd = openSync(temporary, "w");
    try {
      writeSync(fd, serialize({ d, rows, queries, queryRows, float, int8 }));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  }

  /** @param start number of the first row. Rows that were measured before are passed over. */
  add(start: number, rows: Float32Array, codes: Int8Array, scales: Float32Array): void {
    const d = this.#d;
    const n = scales.length;
    const unit = unitRows(rows, d);
    const coarse = unitRows(dequantiseRows(codes, scales, d), d);
    if (start === 0 && this.#rows === 0) this.#choose(unit, n);
    for (let i = Math.max(0, this.#rows - start); i < n; i++) {
      let error = 0;
      for (let j = i * d; j < (i + 1) * d; j++) error += (unit[j] - coarse[j]) ** 2;
      error = Math.sqrt(error) + 1e-6;
      for (let q = 0; q < this.#queryRows.length; q++) {
        if (this.#queryRows[q] === start + i) continue;
        const exact = dot(this.#queries, q * d, unit, i * d, d);
        offer(this.#float[q], start + i, exact, exact);
        if (exact + error > least(this.#int8[q]))
          offer(this.#int8[q], start + i, dot(this.#queries, q * d, coarse, i * d, d), exact);
      }
    }
    this.#rows = Math.max(this.#rows, start + n);
  }

  /** Null for a corpus of fewer than two rows. */
  result(): Recall | null {
    const shares = this.#int8.flatMap((found, q) => {
      const right = this.#float[q].exact;
      if (right.length === 0) return [];
      // A row as near as the k-th counts as found, whichever of equal ones was taken.
      const reach = right[right.length - 1] - 1e-6;
      return [found.exact.filter((cosine) => cosine >= reach).length / right.length];
    });
    return shares.length === 0 ? null : recallSummary(shares, { k: K, seed: SEED });
  }

  #choose(unit: Float32Array, n: number): void {
    const chosen = new Set<number>();
    for (let i = 0; chosen.size < Math.min(QUERIES, n); i++) chosen.add(Math.floor(counterUniform(SEED, i) * n));
    this.#queryRows = [...chosen];
    this.#queries = new Float32Array(chosen.size * this.#d);
    this.#queryRows.forEach((row, q) => {
      this.#queries.set(unit.subarray(row * this.#d, (row + 1) * this.#d), q * this.#d);
    });
    const empty = () => this.#queryRows.map(() => ({ row: [], cosine: [], exact: [] }));
    this.#float = empty();
    this.#int8 = empty();
  }
}

function unitRows(rows: Float32Array, d: number): Float32Array {
  const out = rows.slice();
  for (let at = 0; at < out.length; at += d) {
    const length = Math.sqrt(dot(out, at, out, at, d));
    if (length > 0) for (let j = at; j < at + d; j++) out[j] /= length;
  }
  return out;
}

function dot(a: Float32Array, at: number, b: Float32Array, from: number, d: number): number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += a[at + j] * b[from + j];
  return sum;
}

function least({ cosine }: Best): number {
  return cosine.length < K ? Number.NEGATIVE_INFINITY : cosine[K - 1];
}

/** Of equal ones the earlier row stays first. */
function offer(best: Best, row: number, cosine: number, exact: number): void {
  if (!(cosine > least(best))) return;
  let at = best.cosine.length;
  while (at > 0 && cosine > best.cosine[at - 1]) at--;
  best.row.splice(at, 0, row);
  best.cosine.splice(at, 0, cosine);
  best.exact.splice(at, 0, exact);
  if (best.row.length <= K) return;
  best.row.pop();
  best.cosine.pop();
  best.exact.pop();
}

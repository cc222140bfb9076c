/**
 * Exact nearest neighbours over a corpus on disk: block by block, one matrix product and a top-k on the provider, merged.
 * Memory is one block, whatever the size of the corpus.
 */
import type { Compute, GraphSession } from "../graph/compute.ts";
import { int, OPSET } from "../graph/ir.ts";
import { tensor } from "../graph/tensor.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

/** Vectors at length 1 that can be read a block at a time: a corpus on disk, or rows in memory. */
export interface UnitRows {
  readonly n: number;
  readonly dimensions: number;
  /** Rows start … end − 1: float32 [end − start, dimensions]. */
  unitRows(start: number, end: number): Float32Array;
}

export interface NearestRows {
  k: number;
  /** int32 [m, k], nearest first; of equal ones the lower row first. */
  rows: Int32Array;
  /** float32 [m, k]: cosines. */
  cosines: Float32Array;
}

/** Rows of a block: 16,384 × 384 numbers are 25 MB. */
const BLOCK_NUMBERS = 16_384 * 384;
/** Queries at a time, so that a block's scores stay small: 64 × 16,384 are 4 MB. */
const MOST_QUERIES = 64;

/**
 * @param queries float32 [m, d] at length 1
 * @throws {CancelledError} between two blocks
 * Cost: m · n · d multiplications on the provider's threads, and reading n · d numbers once for each 64 queries.
 */
export async function exactNearest(
  corpus: UnitRows,
  queries: Float32Array,
  k: number,
  compute: Compute,
  context: WorkContext = {},
): Promise<NearestRows> {
  const d = corpus.dimensions;
  const m = queries.length / d;
  const most = Math.min(k, corpus.n);
  const rows = new Int32Array(m * most);
  const cosines = new Float32Array(m * most);
  if (most === 0 || m === 0) return { k: most, rows, cosines };
  const block = Math.max(1, Math.floor(BLOCK_NUMBERS / d));
  const session = await compute.createSession({ graph: blockGraph(d) });
  const started = performance.now();
  const total = Math.ceil(m / MOST_QUERIES) * corpus.n;
  let done = 0;
  try {
    for (let first = 0; first < m; first += MOST_QUERIES) {
      const count = Math.min(MOST_QUERIES, m - first);
      const part = queries.slice(first * d, (first + count) * d);
      const best = Array.from({ length: count }, () => new BestRows(most));
      for (let start = 0; start < corpus.n; start += block) {
        if (context.signal?.aborted) throw new CancelledError("Searching the corpus");
        const end = Math.min(corpus.n, start + block);
        await searchBlock(session, part, corpus.unitRows(start, end), start, best, d);
        done += end - start;
        const rate = (1000 * done) / Math.max(1, performance.now() - started);
        context.onProgress?.({
          stage: "Searching the corpus",
          done,
          total,
          unit: "rows",
          rate,
          etaMs: (1000 * (total - done)) / rate,
        });
      }
      best.forEach((list, i) => {
        rows.set(list.rows, (first + i) * most);
        cosines.set(list.cosines, (first + i) * most);
      });
    }
  } finally {
    await session.dispose();
  }
  return { k: most, rows, cosines };
}

async function searchBlock(
  session: GraphSession,
  queries: Float32Array,
  vectors: Float32Array,
  start: number,
  best: readonly BestRows[],
  d: number,
): Promise<void> {
  const [m, r] = [queries.length / d, vectors.length / d];
  const count = Math.min(best[0].k, r);
  const { top, index } = await session.run({
    queries: tensor("float32", [m, d], queries.slice()),
    rows: tensor("float32", [r, d], vectors),
    count: tensor("int64", [1], BigInt64Array.of(BigInt(count))),
  });
  const [scores, places] = [top.data as Float32Array, index.data as BigInt64Array];
  for (let i = 0; i < m; i++)
    for (let j = 0; j < count; j++) best[i].offer(start + Number(places[i * count + j]), scores[i * count + j]);
}

/** The k best rows so far. Rows come in rising order within equal scores, so a later equal one never goes before. */
class BestRows {
  readonly k: number;
  readonly rows: Int32Array;
  readonly cosines: Float32Array;
  #count = 0;

  constructor(k: number) {
    this.k = k;
    this.rows = new Int32Array(k).fill(-1);
    this.cosines = new Float32Array(k).fill(Number.NEGATIVE_INFINITY);
  }

  offer(row: number, cosine: number): void {
    if (this.#count === this.k && !(cosine > this.cosines[this.k - 1])) return;
    let at = Math.min(this.#count, this.k - 1);
    while (at > 0 && cosine > this.cosines[at - 1]) {
      this.cosines[at] = this.cosines[at - 1];
      this.rows[at] = this.rows[at - 1];
      at--;
    }
    this.cosines[at] = cosine;
    this.rows[at] = row;
    if (this.#count < this.k) this.#count++;
  }
}

/** scores = queries · rowsᵀ, and the best of them. ONNX's TopK gives the lower index first where scores are equal. */
function blockGraph(d: number) {
  return {
    name: "nearest-in-block",
    opset: OPSET,
    inputs: [
      { name: "queries", dtype: "float32" as const, shape: ["m", d] },
      { name: "rows", dtype: "float32" as const, shape: ["r", d] },
      { name: "count", dtype: "int64" as const, shape: [1] },
    ],
    outputs: [
      { name: "top", dtype: "float32" as const, shape: ["m", "c"] },
      { name: "index", dtype: "int64" as const, shape: ["m", "c"] },
    ],
    initializers: new Map(),
    nodes: [
      { op: "Gemm", inputs: ["queries", "rows"], outputs: ["scores"], attributes: { transB: int(1) } },
      {
        op: "TopK",
        inputs: ["scores", "count"],
        outputs: ["top", "index"],
        attributes: { axis: int(-1), largest: int(1), sorted: int(1) },
      },
    ],
    values: new Map(),
  };
}

/**
 * Exact nearest neighbours in the original space, by blocks of one matrix product and a top-k on the provider that runs
 * encoders as well. Nothing is approximate: a map's neighbours are what a reader checks a claim with.
 */
import type { Compute, GraphSession } from "../graph/compute.ts";
import { float, type Graph, int, OPSET } from "../graph/ir.ts";
import { tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

export type Metric = "cosine" | "euclidean";

export interface Neighbours {
  n: number;
  k: number;
  metric: Metric;
  /** int32 [n, k], nearest first, the point itself left out. */
  indices: Int32Array;
  /** float32 [n, k]: cosine similarity, or minus the Euclidean distance. */
  similarities: Float32Array;
}

/** Rows of one block: 512 × 10,000 scores are 20 MB. */
const BLOCK = 512;

/**
 * A search over fixed vectors; keep it while several questions are asked of them and dispose it afterwards.
 * Cost of a block of m rows: O(m · n · d) on the provider's threads.
 */
export class ExactSearch {
  readonly n: number;
  readonly d: number;
  readonly metric: Metric;
  readonly #session: GraphSession;
  /** Rows as compared: unit length for cosine. float32 [n, d]. */
  readonly #rows: Float32Array;
  readonly #squares: Float32Array;

  private constructor(
    session: GraphSession,
    rows: Float32Array,
    squares: Float32Array,
    n: number,
    d: number,
    metric: Metric,
  ) {
    this.#session = session;
    this.#rows = rows;
    this.#squares = squares;
    this.n = n;
    this.d = d;
    this.metric = metric;
  }

  /**
   * @param vectors float32 [n, d]; copied.
   * @throws {ParallaxError} map.zero-vector when the metric is cosine and a row has length 0 (details.row)
   */
  static async open(
    vectors: Float32Array,
    n: number,
    d: number,
    metric: Metric,
    compute: Compute,
  ): Promise<ExactSearch> {
    const rows = new Float32Array(vectors);
    const squares = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      let square = 0;
      for (let j = 0; j < d; j++) square += rows[i * d + j] ** 2;
      if (metric === "cosine") {
        if (square === 0)
          throw new ParallaxError(
            "map.zero-vector",
            `Row ${i} is the zero vector, which has no direction: its cosine to others is not defined.`,
            {
              hint: 'Leave the row out (an empty text?), or use metric: "euclidean".',
              details: { row: i },
            },
          );
        const scale = 1 / Math.sqrt(square);
        for (let j = 0; j < d; j++) rows[i * d + j] *= scale;
        squares[i] = 1;
      } else squares[i] = square;
    }
    const session = await compute.createSession({ graph: searchGraph(rows, squares, n, d, metric) });
    return new ExactSearch(session, rows, squares, n, d, metric);
  }

  /** The k nearest of every row. */
  async all(k: number, context: WorkContext = {}): Promise<Neighbours> {
    const indices = new Int32Array(this.n * k);
    const similarities = new Float32Array(this.n * k);
    const started = performance.now();
    for (let start = 0; start < this.n; start += BLOCK) {
      context.signal?.throwIfAborted();
      const count = Math.min(BLOCK, this.n - start);
      const result = await this.#session.run(
        {
          queries: tensor("float32", [count, this.d], this.#rows.slice(start * this.d, (start + count) * this.d)),
          // One more than asked, because every row finds itself.
          count: tensor("int64", [1], BigInt64Array.of(BigInt(Math.min(k + 1, this.n)))),
        },
        { outputs: ["best", "index"] },
      );
      const best = result.best.data as Float32Array;
      const index = result.index.data as BigInt64Array;
      const width = Math.min(k + 1, this.n);
      for (let r = 0; r < count; r++) {
        const i = start + r;
        let out = 0;
        for (let c = 0; c < width && out < k; c++) {
          const j = Number(index[r * width + c]);
          if (j === i) continue;
          indices[i * k + out] = j;
          similarities[i * k + out] = this.#similarity(i, best[r * width + c]);
          out++;
        }
      }
      const done = start + count;
      const rate = (1000 * done) / Math.max(1, performance.now() - started);
      context.onProgress?.({
        stage: "Neighbours",
        done,
        total: this.n,
        unit: "points",
        rate,
        etaMs: (1000 * (this.n - done)) / rate,
      });
    }
    return { n: this.n, k, metric: this.metric, indices, similarities };
  }

  /** Distances (any scale that keeps their order) of the given rows to all rows: float32 [rows, n]. */
  async distances(rows: readonly number[]): Promise<Float32Array> {
    const queries = new Float32Array(rows.length * this.d);
    rows.forEach((row, r) => {
      queries.set(this.#rows.subarray(row * this.d, (row + 1) * this.d), r * this.d);
    });
    const result = await this.#session.run(
      { queries: tensor("float32", [rows.length, this.d], queries), count: tensor("int64", [1], BigInt64Array.of(1n)) },
      { outputs: ["scores"] },
    );
    const scores = result.scores.data as Float32Array;
    for (let i = 0; i < scores.length; i++) scores[i] = -scores[i];
    return scores;
  }

  #similarity(i: number, score: number): number {
    if (this.metric === "cosine") return Math.min(1, score);
    return -Math.sqrt(Math.max(0, this.#squares[i] - score));
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

/** scores = queries · rowsᵀ for cosine, 2 · queries · rowsᵀ − |row|² for Euclidean: both grow with nearness. */
function searchGraph(rows: Float32Array, squares: Float32Array, n: number, d: number, metric: Metric): Graph {
  const bias = metric === "cosine" ? new Float32Array(n) : squares.map((square) => -square);
  return {
    name: "exact-search",
    opset: OPSET,
    inputs: [
      { name: "queries", dtype: "float32", shape: ["m", d] },
      { name: "count", dtype: "int64", shape: [1] },
    ],
    outputs: [
      { name: "scores", dtype: "float32", shape: ["m", n] },
      { name: "best", dtype: "float32", shape: ["m", "c"] },
      { name: "index", dtype: "int64", shape: ["m", "c"] },
    ],
    initializers: new Map([
      ["rows", tensor("float32", [n, d], rows)],
      ["bias", tensor("float32", [n], bias)],
    ]),
    nodes: [
      {
        op: "Gemm",
        inputs: ["queries", "rows", "bias"],
        outputs: ["scores"],
        attributes: { transB: int(1), alpha: float(metric === "cosine" ? 1 : 2), beta: float(1) },
      },
      {
        op: "TopK",
        inputs: ["scores", "count"],
        outputs: ["best", "index"],
        attributes: { axis: int(-1), largest: int(1), sorted: int(1) },
      },
    ],
    values: new Map(),
  };
}

/** Which way a corpus is searched: exactly, or past a size through its index, whose recall is then part of the answer. */
import type { Compute } from "../graph/compute.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { ApproximateIndex, type IndexFacts } from "./approximate.ts";
import type { Corpus } from "./corpus.ts";
import type { Recall } from "./corpus-files.ts";
import { exactNearest, type NearestRows } from "./exact-nearest.ts";

/** Rows from which on an index is used unless exact answers are asked for. */
const EXACT_UP_TO = 200_000;

export interface NearestOptions extends WorkContext {
  /** Default 10. */
  k?: number;
  /** True compares with every row, false builds or uses the index. Default: exact up to 200,000 rows. */
  exact?: boolean;
  /** Queries to measure an index with besides the corpus's own rows: float32 [m, d] at length 1, and their sample's seed. */
  heldOut?: { queries: Float32Array; seed: number } | undefined;
}

export interface Nearest extends NearestRows {
  /** The index that was used and its measured recall; null: the answer is exact. */
  index: IndexFacts | null;
  /** The index's recall on `heldOut`; null without an index or without them. */
  heldOut: Recall | null;
}

/**
 * @param queries float32 [m, d] at length 1
 * @throws {CancelledError}; what building the index throws
 * Cost: exact: m · n · d multiplications; with an index about a millisecond a query, after building it once.
 */
export async function nearest(
  corpus: Corpus,
  queries: Float32Array,
  compute: Compute,
  options: NearestOptions = {},
): Promise<Nearest> {
  const { k = 10, exact = corpus.n <= EXACT_UP_TO } = options;
  if (exact) return { ...(await exactNearest(corpus, queries, k, compute, options)), index: null, heldOut: null };
  const index = ApproximateIndex.load(corpus) ?? (await ApproximateIndex.build(corpus, compute, options));
  const { heldOut } = options;
  const isMeasured = heldOut !== undefined && heldOut.queries.length > 0;
  return {
    ...index.nearest(queries, k),
    index: index.facts,
    heldOut: isMeasured ? await index.recall(heldOut.queries, heldOut.seed, compute, options) : null,
  };
}

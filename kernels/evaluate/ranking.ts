/** Exact nearest documents and the measures over them, as trec_eval defines them. */
import type { WorkContext } from "../protocol/progress.ts";
import { Pace } from "./pace.ts";

export const CUTOFF = 10;

/** One query's result. */
export interface QueryMeasures {
  /** DCG over the first ten by the ideal DCG of all judged documents; gain = relevance, discount log2(rank + 1). */
  ndcg: number;
  /** 1 / rank of the first relevant document among the first ten, else 0. */
  reciprocalRank: number;
  /** Relevant documents among the first ten, by all relevant ones. */
  recall: number;
  /** Mean over all relevant documents of the precision at their rank, ten ranks deep (trec_eval's map_cut_10). */
  averagePrecision: number;
  /** Rank (from 1) of the first relevant document over the whole corpus; 0 when the corpus holds none. */
  bestRank: number;
}

/** Compares by code point, as C's strcmp does on UTF-8. */
export function compareIds(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    let [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    // Surrogates stand for code points above all others.
    if (x >= 0xd800 && y >= 0xd800)
      [x, y] = [x >= 0xe000 ? x - 0x2000 : x + 0x2000, y >= 0xe000 ? y - 0x2000 : y + 0x2000];
    return x - y;
  }
  return a.length - b.length;
}

/** Place of each document when ids are sorted in descending order: ties in score go to the lower place (pytrec_eval). */
export function tiePlaces(ids: readonly string[]): Int32Array {
  const order = ids.map((_, i) => i).sort((i, j) => compareIds(ids[j]!, ids[i]!));
  const places = new Int32Array(ids.length);
  for (const [place, i] of order.entries()) places[i] = place;
  return places;
}

/**
 * The k best documents: score descending, ties by place ascending.
 * @param scores float32 [m]; @param skip a document to leave out, −1 for none.
 * @returns document numbers, best first, at most k.
 * Cost: O(m + hits·k).
 */
export function topK(scores: Float32Array, places: Int32Array, k: number, skip = -1): Int32Array {
  const best = new Int32Array(k);
  let held = 0;
  for (let d = 0; d < scores.length; d++) {
    if (d === skip) continue;
    const score = scores[d]!;
    let at = held;
    while (at > 0) {
      const other = best[at - 1]!;
      if (scores[other]! > score || (scores[other] === score && places[other]! < places[d]!)) break;
      at -= 1;
    }
    if (at >= k) continue;
    const last = held < k ? held++ : k - 1;
    best.copyWithin(at + 1, at, last);
    best[at] = d;
  }
  return best.slice(0, held);
}

/**
 * Measures of one ranking.
 * @param ranked relevance of the documents found, best first (0 for unjudged); at most the first ten are read.
 * @param judged relevance of every judged document.
 */
export function rankingMeasures(ranked: readonly number[], judged: readonly number[]): Omit<QueryMeasures, "bestRank"> {
  const relevant = judged.filter((relevance) => relevance > 0);
  if (relevant.length === 0) return { ndcg: 0, reciprocalRank: 0, recall: 0, averagePrecision: 0 };
  const dcg = (gains: readonly number[]): number =>
    gains.slice(0, CUTOFF).reduce((sum, gain, i) => sum + Math.max(0, gain) / Math.log2(i + 2), 0);
  let hits = 0;
  let precisions = 0;
  let first = 0;
  for (const [i, relevance] of ranked.slice(0, CUTOFF).entries()) {
    if (relevance <= 0) continue;
    hits += 1;
    precisions += hits / (i + 1);
    if (first === 0) first = i + 1;
  }
  return {
    ndcg: dcg(ranked) / dcg(relevant.sort((x, y) => y - x)),
    reciprocalRank: first === 0 ? 0 : 1 / first,
    recall: hits / relevant.length,
    averagePrecision: precisions / relevant.length,
  };
}

export interface RankingInput {
  /** float32 [q, d], unit length. */
  queries: Float32Array;
  /** float32 [m, d], unit length. */
  documents: Float32Array;
  dimensions: number;
  queryIds: readonly string[];
  documentIds: readonly string[];
  relevant: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/**
 * Ranks the whole corpus for every query, exactly, four queries at a time. The document whose id is the query's id is
 * left out. Scores are rounded to float32 before they are compared, as in trec_eval.
 *
 * @returns one result a query, in order.
 * Cost: O(q·m·d) time, 16·m bytes beside the inputs; about 0.6 s for 300 × 5,183 × 384 on one core.
 * Source: van Gysel and de Rijke 2018 (pytrec_eval); Thakur et al. 2021 (BEIR). Checked in test/evaluate/ranking.test.ts.
 */
export async function rankQueries(input: RankingInput, ctx: WorkContext): Promise<QueryMeasures[]> {
  const { queries, documents, dimensions: d, queryIds, documentIds, relevant } = input;
  const m = documentIds.length;
  const places = tiePlaces(documentIds);
  const numberOf = new Map(documentIds.map((id, i) => [id, i]));
  const pace = new Pace(ctx, "Ranking", "queries");
  const block = [0, 1, 2, 3].map(() => new Float32Array(m));
  const results: QueryMeasures[] = [];
  for (let start = 0; start < queryIds.length; start += 4) {
    const width = Math.min(4, queryIds.length - start);
    // A short last block repeats its first query: simpler than four loops, and only once.
    const at = [0, 1, 2, 3].map((i) => (start + (i < width ? i : 0)) * d) as [number, number, number, number];
    scoreFour(queries, at, documents, m, d, block as [Float32Array, Float32Array, Float32Array, Float32Array]);
    for (let i = 0; i < width; i++) {
      const id = queryIds[start + i]!;
      results.push(
        measureQuery(block[i]!, places, numberOf, relevant.get(id) ?? new Map(), numberOf.get(id) ?? -1, documentIds),
      );
    }
    await pace.tick(results.length, queryIds.length);
  }
  return results;
}

function scoreFour(
  queries: Float32Array,
  [q0, q1, q2, q3]: [number, number, number, number],
  documents: Float32Array,
  m: number,
  d: number,
  [s0, s1, s2, s3]: [Float32Array, Float32Array, Float32Array, Float32Array],
): void {
  for (let doc = 0, row = 0; doc < m; doc++, row += d) {
    let [a, b, c, e] = [0, 0, 0, 0];
    for (let j = 0; j < d; j++) {
      const x = documents[row + j]!;
      a += x * queries[q0 + j]!;
      b += x * queries[q1 + j]!;
      c += x * queries[q2 + j]!;
      e += x * queries[q3 + j]!;
    }
    s0[doc] = a;
    s1[doc] = b;
    s2[doc] = c;
    s3[doc] = e;
  }
}

function measureQuery(
  scores: Float32Array,
  places: Int32Array,
  numberOf: ReadonlyMap<string, number>,
  judged: ReadonlyMap<string, number>,
  self: number,
  ids: readonly string[],
): QueryMeasures {
  const top = topK(scores, places, CUTOFF, self);
  const measures = rankingMeasures(
    Array.from(top, (doc) => judged.get(ids[doc]!) ?? 0),
    [...judged.values()],
  );
  let best = -1;
  for (const [id, relevance] of judged) {
    const doc = numberOf.get(id);
    if (relevance <= 0 || doc === undefined || doc === self) continue;
    if (best < 0 || scores[doc]! > scores[best]! || (scores[doc] === scores[best] && places[doc]! < places[best]!))
      best = doc;
  }
  let rank = best < 0 ? 0 : 1;
  for (let doc = 0; best >= 0 && doc < scores.length; doc++)
    if (
      doc !== self &&
      (scores[doc]! > scores[best]! || (scores[doc] === scores[best] && places[doc]! < places[best]!))
    )
      rank += 1;
  return { ...measures, bestRank: rank };
}

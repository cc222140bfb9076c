/** Recall@k: the share of the right k nearest that a quicker way finds, over a sample of queries. */
import type { Recall } from "./corpus-files.ts";
import type { NearestRows } from "./exact-nearest.ts";

/** Queries that recall is measured with; more are sampled down to so many. */
export const RECALL_QUERIES = 200;
export const RECALL_K = 10;

/** Mean of the shares with a 95 % normal interval, and the worst of them. */
export function recallSummary(shares: readonly number[], { k, seed }: { k: number; seed: number }): Recall {
  const n = shares.length;
  const mean = shares.reduce((a, b) => a + b, 0) / Math.max(1, n);
  const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / Math.max(1, n - 1);
  const half = 1.96 * Math.sqrt(variance / Math.max(1, n));
  const [low, high] = [Math.max(0, mean - half), Math.min(1, mean + half)];
  return { k, n, seed, mean, low, high, worst: Math.min(1, ...shares) };
}

/** Of each query: a row as near as the exact k-th counts as found, whichever of equal ones was taken. */
export function recallShares(exact: NearestRows, found: NearestRows): number[] {
  const { k } = exact;
  return Array.from({ length: k === 0 ? 0 : exact.rows.length / k }, (_, i) => {
    const least = exact.cosines[(i + 1) * k - 1] - 1e-6;
    let hits = 0;
    for (let j = i * k; j < (i + 1) * k; j++) if (found.cosines[j] >= least) hits++;
    return hits / k;
  });
}

/** In words: "98.2 % of the exact 10 nearest (95 % interval 97.1 % to 99.3 %, worst query 70.0 %; n = 200 rows, seed 0)". */
export function recallInWords({ k, n, seed, mean, low, high, worst }: Recall, right: string, of: string): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `${percent(mean)} of the ${right} ${k} nearest (95 % interval ${percent(low)} to ${percent(high)}, worst query ${percent(worst)}; n = ${n} ${of}, seed ${seed})`;
}

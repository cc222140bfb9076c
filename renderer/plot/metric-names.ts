/** Names of metrics as the field writes them. */
const NAMES: Record<string, string> = {
  cosine_spearman: "cosine Spearman",
  cosine_pearson: "cosine Pearson",
  pearson: "Pearson",
  spearman: "Spearman",
  accuracy: "accuracy",
  f1: "F1",
  ap: "average precision",
  map: "MAP",
};

export function metricName(metric: string): string {
  const known = NAMES[metric];
  if (known) return known;
  const cut = /^(ndcg|map|mrr|recall|precision|hit_rate)_at_(\d+)$/.exec(metric);
  if (cut) {
    const names: Record<string, string> = { ndcg: "nDCG", map: "MAP", mrr: "MRR", hit_rate: "hit rate" };
    return `${names[cut[1]!] ?? cut[1]}@${cut[2]}`;
  }
  return metric.replaceAll("_", " ");
}

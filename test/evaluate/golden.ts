import { readFileSync } from "node:fs";

export interface Golden {
  generator: { uint32: number[]; xoshiro: number[]; ten: number[][]; long: { n: number; sums: number[] } };
  correlations: { x: number[]; y: number[]; ranks: number[]; spearman: number; pearson: number }[];
  resamples: { x: number[]; y: number[]; cases: { counts: number[]; spearman: number }[] };
  quantiles: { x: number[]; q: number[]; values: number[] };
  retrieval: {
    queries: { id: string; vector: number[] }[];
    documents: { id: string; vector: number[] }[];
    relevant: Record<string, Record<string, number>>;
    measures: Record<string, { ndcg: number; mrr: number; recall: number; map: number }>;
  };
  logistic: {
    cases: { classes: number; samples: number; seed: number; d: number; accuracy: number; f1: number; ap?: number }[];
    optimum: { loss: number; weight_norm: number };
  };
}

/** Oracle values from SciPy and scikit-learn; `npm run golden` makes them again. */
export const golden = JSON.parse(readFileSync(new URL("../golden/evaluate.json", import.meta.url), "utf8")) as Golden;

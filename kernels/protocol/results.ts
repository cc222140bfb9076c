/**
 * The results that Parallax saves, shows and compares: plain data with a version. Every number carries what is needed
 * to make it again (n, seed, encoder, prompt) and how far it can be trusted (interval).
 */

/** A two-sided interval of a statistic. */
export interface Interval {
  low: number;
  high: number;
  /** 0.95 for a 95 % interval. */
  level: number;
  /** How it was made, e.g. "percentile bootstrap over 1,379 pairs, 10,000 resamples, seed 7". */
  method: string;
}

/** How token vectors become one: the six of sentence-transformers (kernels/model/pooling.ts says what each does). */
export const POOLINGS = ["mean", "cls", "max", "mean-sqrt-length", "weighted-mean", "last-token"] as const;
export type PoolingName = (typeof POOLINGS)[number];

/** The facts that identify an encoder in a result: enough to load the same one again and to notice a different one. */
export interface EncoderIdentity {
  /** What the user wrote: "default", a folder, a hub id. */
  reference: string;
  /** Display name: "all-MiniLM-L6-v2". */
  name: string;
  architecture: string;
  dimensions: number;
  maxTokens: number;
  /** "model": an ONNX file that pools by itself, in a way it does not say. */
  pooling: PoolingName | "static" | "model";
  normalised: boolean;
  /** sha256 (hex) of the weights file; of several files, of their digests, one a line in the order of their names. */
  weightsSha256: string;
  /** sha256 (hex) of all that decides its numbers: weights, tokenizer, pooling, dense layers, length limit, mask rule. */
  specSha256?: string;
  /** The whole spec. Absent for weights in training. */
  spec?: EncoderSpecRecord;
  /** Execution provider that ran it: "cpu", "webgpu", … */
  provider: string;
  /** Nodes of the graph that ran on another provider, in words. Absent when all ran where they should. */
  fallback?: string;
  /** The provider's self-test against the CPU. Absent on the CPU. */
  selfTest?: { worstCosine: number; texts: number; checkedAt: string };
  /** Precision it was run at: "float32", "float16", "int8", … (PRECISIONS in kernels/graph/precision.ts). */
  precision: string;
}

/**
 * All that decides an encoder's numbers, as plain JSON without paths or secrets: whoever has files of these digests can
 * make the same encoder again.
 */
export interface EncoderSpecRecord {
  version: 1;
  /** "default", a hub id, or the last name of a folder. */
  reference: string;
  /** Id in the catalogue of known models. */
  catalogue: string | null;
  /** "bert", …, "onnx", "static". */
  architecture: string;
  /** The sizes that the graph is built from; null for an ONNX file. */
  config: Record<string, unknown> | null;
  weights: { format: "safetensors" | "onnx"; file: string; sha256: string };
  tokenizer: { file: string; sha256: string };
  maxTokens: number;
  pooling: PoolingName | null;
  dense: { inner: number; out: number; bias: boolean; activation: string; sha256: string }[];
  normalise: boolean;
  promptPooling: "include" | "exclude";
  promptRule: string;
  lowerCase: boolean;
  /** Templates with {text}. */
  prompts: Record<string, string>;
  roles: { query: string | null; document: string | null; text: string | null };
  defaultPrompt: string | null;
  similarity: string;
  precision: string;
}

/** What happened to the texts on the way in. Shown before any score. */
export interface EncodeReport {
  n: number;
  /** Tokens of all texts together, special tokens and prompt included, after truncation. */
  tokens: number;
  /** Row numbers of texts that were longer than the encoder takes and were cut. */
  truncated: number[];
  maxTokens: number;
  /** Rows that are empty or white space only. */
  empty: number[];
  /** Share (0..1) of word pieces that the vocabulary does not know, over all texts. */
  unknownShare: number;
  /** Share (0..1) of letters per Unicode script, largest first: [["Latin", 0.98], ["Han", 0.02]]. */
  scripts: [script: string, share: number][];
  elapsedMs: number;
  textsPerSecond: number;
  /** How many of the vectors were read from the cache on disk. */
  cached?: number;
  /** Sentences a person must read before using a number: unknown words over 5 %, foreign script, truncation. */
  warnings: string[];
}

/** One evaluation of one encoder (with one prompt setting) on one task. */
export interface TaskResult {
  version: 1;
  task: string;
  taskType: "sts" | "retrieval" | "classification";
  /** Name of the main score: "cosine_spearman", "ndcg_at_10", "accuracy". */
  metric: string;
  /** In [0, 1] (Spearman: [-1, 1]). Tables show it times 100. */
  score: number;
  /** Units the score is over: pairs, queries, test items. */
  n: number;
  unit: "pairs" | "queries" | "texts";
  seed: number;
  interval: Interval;
  /** Other scores of the same run, e.g. pearson, mrr_at_10, f1. */
  more: Record<string, number>;
  encoder: EncoderIdentity;
  /** The prompt in use, by side; "" when none. */
  prompts: Record<string, string>;
  report: EncodeReport;
  /** What a reader should know about the task's data, in sentences. */
  notes?: string[] | undefined;
  elapsedMs: number;
}

/** One prompt's line in a comparison. */
export interface PromptScore {
  name: string;
  /** Template(s) with {text}; "{text}" alone is "no prompt". */
  template: Record<string, string>;
  score: number;
  interval: Interval;
  /** score − baseline score; the first prompt is the baseline. */
  delta: number;
  /** Paired bootstrap interval of delta. */
  deltaInterval: Interval;
  /** Two-sided paired permutation p, before and after Holm's correction over the prompts shown. */
  p: number;
  pHolm: number;
  /** True when the interval of delta excludes 0 and pHolm is below 0.05. */
  clear: boolean;
  report: EncodeReport;
}

/** A text whose result or vector moved between the baseline and another prompt. */
export interface MovedText {
  /** Row in the task's units. */
  row: number;
  text: string;
  prompt: string;
  /** Cosine between its vector under the baseline and under the prompt, each set's mean removed first. */
  cosine: number;
  /** Change of the unit's own measure (rank of the relevant text, squared rank error, …), positive is better. */
  gain: number;
  /** That change in words: "rank 9 → 1". */
  change: string;
}

export interface PromptReport {
  version: 1;
  task: string;
  taskType: TaskResult["taskType"];
  metric: string;
  n: number;
  unit: TaskResult["unit"];
  seed: number;
  encoder: EncoderIdentity;
  baseline: string;
  /** In the order given; scores[0] is the baseline. */
  scores: PromptScore[];
  best: string;
  worst: string;
  /** best − worst. */
  gap: number;
  /** Paired bootstrap interval of the gap between the two named prompts. */
  gapInterval: Interval;
  /** What the gap between equal prompts would look like: mean range over bootstrap replicates of one prompt. */
  gapByChance: number;
  moved: MovedText[];
  /** What a reader should know about the task's data, in sentences. */
  notes?: string[] | undefined;
  elapsedMs: number;
}

/** A two-dimensional layout of vectors. */
export interface MapLayout {
  version: 1;
  n: number;
  dimensions: number;
  /** Interleaved x, y: float32 [n, 2]. */
  points: Float32Array;
  texts: string[];
  /** Category per point, when given, and its column's name. */
  labels?: string[] | undefined;
  labelName?: string | undefined;
  /** Row in the input of each point (rows with NaN are left out). */
  rows: number[];
  /** Neighbours in the original space: int32 [n, k], row-major, nearest first, itself left out. */
  neighbours: Int32Array;
  /** Their cosine similarity (or minus the distance): float32 [n, k]. */
  similarities: Float32Array;
  k: number;
  metric: "cosine" | "euclidean";
  method: "umap" | "pca";
  minDist: number;
  epochs: number;
  seed: number;
  /** Venna and Kaski 2001, in [0, 1], at `trustworthinessK`, over `trustworthinessN` points. */
  trustworthiness: number;
  trustworthinessK: number;
  trustworthinessN: number;
  /** Sentences to read with the picture: rows left out, k reduced. */
  notes: string[];
  encoder?: EncoderIdentity | undefined;
  elapsedMs: number;
}

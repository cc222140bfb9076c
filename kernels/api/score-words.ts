/** Scores in words, alike in all results. */
import { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";
import type { EncoderIdentity } from "../protocol/results.ts";

const METRICS: Record<string, string> = {
  cosine_spearman: "Spearman (cosine)",
  cosine_pearson: "Pearson (cosine)",
  ndcg_at_10: "nDCG@10",
  mrr_at_10: "MRR@10",
  recall_at_10: "recall@10",
  map_at_10: "MAP@10",
  accuracy: "accuracy",
  f1: "macro-F1",
  ap: "average precision",
};

export function metricWords(metric: string): string {
  return METRICS[metric] ?? metric;
}

/** "82.03". */
export function times100(value: number): string {
  return Number.isFinite(value) ? (value * 100).toFixed(2) : "–";
}

/** "+4.30", "−0.12", with a true minus sign. */
export function signed100(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value * 100).toFixed(2);
  return text === "0.00" ? "0.00" : `${value > 0 ? "+" : "−"}${text}`;
}

export function encoderWords(encoder: EncoderIdentity): string {
  return `${encoder.name} (${encoder.architecture}, ${encoder.dimensions} dimensions, ${encoder.pooling} pooling, ${encoder.precision} on ${encoder.provider}, weights ${encoder.weightsSha256.slice(0, 12)})`;
}

/** The result with a way to show itself; the method is hidden from loops, copies and JSON. */
export function withDisplay<T extends object>(
  result: T,
  show: () => MimeBundle | Promise<MimeBundle>,
): T & Displayable {
  return Object.defineProperty({ ...result }, DISPLAY, { value: show, enumerable: false }) as T & Displayable;
}

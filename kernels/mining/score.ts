/** A teacher's scores for the candidates of each row. */
import type { Embedder } from "../evaluate/embedder.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { TrainingRow } from "../train/rows.ts";
import { dot } from "./mine.ts";
import { prompted, type SidePrompts } from "./sides.ts";
import { inChunks, unitVectors } from "./text-vectors.ts";

export interface ScoreReport {
  rows: number;
  /** Scores in all, and the means of positives and of negatives (NaN without any). */
  scores: number;
  meanPositive: number;
  meanNegative: number;
  /** Rows where some negative scores at least as high as the positive: perhaps no negatives. */
  doubtful: number;
  examples: { row: number; anchor: string; positive: string; score: number; negative: string; negativeScore: number }[];
}

const EXAMPLES = 5;

/**
 * Fill `scores` of every row with the cosines that a teacher (an encoder) gives the positive and then each negative: what
 * distillation and margin-MSE read. Scores that were there are replaced.
 *
 * @throws {CancelledError} between two batches
 * Cost: encoding every text of the rows once.
 */
export async function scoreRows({
  rows,
  encoder,
  prompts,
  ...context
}: {
  rows: readonly TrainingRow[];
  encoder: Embedder;
  prompts: SidePrompts;
} & WorkContext): Promise<{ rows: TrainingRow[]; report: ScoreReport }> {
  const d = encoder.identity.dimensions;
  const scored: TrainingRow[] = [];
  const report: ScoreReport = {
    rows: rows.length,
    scores: 0,
    meanPositive: 0,
    meanNegative: 0,
    doubtful: 0,
    examples: [],
  };
  let negatives = 0;
  await inChunks(
    rows,
    "Scoring rows",
    "rows",
    context,
    async (chunk, start) => {
      const texts = chunk.flatMap((row) => [
        prompted(row, "anchor", row.anchor, prompts),
        prompted(row, "positive", row.positive, prompts),
        ...(row.negatives ?? []).map((text) => prompted(row, "negative", text, prompts)),
      ]);
      const vectors = await unitVectors(encoder, texts, context);
      const vector = (at: number) => vectors.subarray(at * d, (at + 1) * d);
      let at = 0;
      chunk.forEach((row, i) => {
        const anchor = vector(at++);
        const scores = Array.from({ length: 1 + (row.negatives?.length ?? 0) }, () => dot(anchor, vector(at++)));
        scored.push({ ...row, scores });
        const [positive, ...others] = scores as [number, ...number[]];
        report.scores += scores.length;
        report.meanPositive += positive / rows.length;
        for (const score of others) report.meanNegative += score;
        negatives += others.length;
        const highest = others.length === 0 ? -1 : others.indexOf(Math.max(...others));
        if (highest < 0 || others[highest]! < positive) return;
        report.doubtful++;
        if (report.examples.length < EXAMPLES)
          report.examples.push({
            row: start + i,
            anchor: row.anchor,
            positive: row.positive,
            score: positive,
            negative: row.negatives![highest]!,
            negativeScore: others[highest]!,
          });
      });
    },
    512,
  );
  report.meanNegative = negatives === 0 ? Number.NaN : report.meanNegative / negatives;
  return { rows: scored, report };
}

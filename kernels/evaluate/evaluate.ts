/** One encoder on one task: score, interval, and what happened to the texts on the way. */
import { count } from "../data/table-view.ts";
import type { Task } from "../data/task-types.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncodeReport, TaskResult } from "../protocol/results.ts";
import { bootstrapScores, DEFAULT_RESAMPLES, DEFAULT_SEED, percentileInterval } from "./bootstrap.ts";
import type { Embedder } from "./embedder.ts";
import { prepareTask } from "./measure.ts";
import { type PromptSpec, promptTemplates } from "./prompt-sides.ts";
import { VectorStore } from "./vector-store.ts";

export interface EvaluateOptions extends WorkContext {
  /** Prompt of the texts: a template with {text}, or one a side. Default: none. */
  prompts?: PromptSpec | undefined;
  /** Of the resamples only; what MTEB fixes (seed 42 of the classification samples) stays fixed. Default 0. */
  seed?: number | undefined;
  /** Default 10,000. */
  resamples?: number | undefined;
}

/**
 * Scores an encoder on a task as MTEB v1 does, with a 95 % percentile bootstrap interval over the task's units.
 *
 * sts: Spearman of cosine and gold (also Pearson). retrieval: nDCG@10 of exact cosine ranking (also MRR, recall, MAP at
 * 10). classification: mean accuracy of ten logistic regressions on few samples (also macro-F1).
 *
 * @returns plain data; `score` in [0, 1] or [−1, 1], never times 100. `report.warnings` is to be read before the score.
 * @throws {ParallaxError} prompt.*, evaluate.bad-option, evaluate.bad-vector, evaluate.constant-scores; work.cancelled;
 *   what the encoder throws.
 * Cost: encodes each distinct text once; the interval takes about a second.
 */
export async function evaluate(embedder: Embedder, task: Task, options: EvaluateOptions = {}): Promise<TaskResult> {
  const started = Date.now();
  const { seed, resamples } = checkSampling(options);
  const templates = promptTemplates(options.prompts ?? {}, task.type, "prompt");
  const prepared = prepareTask(task);
  const store = new VectorStore(embedder);
  store.plan(prepared.parts, [templates]);
  const report = await store.ensure(prepared.parts, templates, options);
  const measured = await prepared.measure(store, templates, options);
  const [scores] = await bootstrapScores([measured], { ...options, seed, resamples });
  return {
    version: 1,
    task: task.name,
    taskType: task.type,
    metric: measured.metric,
    score: measured.score,
    n: measured.n,
    unit: measured.unit,
    seed,
    interval: percentileInterval(scores!, { n: measured.n, unit: measured.unit, seed }),
    more: measured.more,
    encoder: embedder.identity,
    prompts: Object.fromEntries(
      Object.entries(templates).map(([side, template]) => [side, template === "{text}" ? "" : template]),
    ),
    report: withTaskWarnings(report, measured.n, measured.unit),
    notes: [...(task.notes ?? [])],
    elapsedMs: Date.now() - started,
  };
}

/** @throws {ParallaxError} evaluate.bad-option */
export function checkSampling(options: { seed?: number | undefined; resamples?: number | undefined }): {
  seed: number;
  resamples: number;
} {
  const { seed = DEFAULT_SEED, resamples = DEFAULT_RESAMPLES } = options;
  if (!Number.isInteger(seed))
    throw new ParallaxError("evaluate.bad-option", `The seed is ${seed}; it has to be a whole number.`, {
      hint: "Use 0, or leave it out.",
    });
  if (!Number.isInteger(resamples) || resamples < 100 || resamples > 1_000_000)
    throw new ParallaxError(
      "evaluate.bad-option",
      `resamples is ${resamples}; it has to be a whole number from 100 to 1,000,000.`,
      {
        hint: "Use 10000, or leave it out.",
      },
    );
  return { seed, resamples };
}

/** Adds what makes the interval itself doubtful. */
export function withTaskWarnings(report: EncodeReport, n: number, unit: TaskResult["unit"]): EncodeReport {
  if (n >= 10) return report;
  return {
    ...report,
    warnings: [...report.warnings, `Only ${count(n)} ${unit}: a score and an interval over so few say little.`],
  };
}

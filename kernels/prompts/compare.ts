/** Prompts compared on one task: scores, paired differences, tests, and the texts that moved. */
import type { Task } from "../data/task-types.ts";
import { bootstrapScores, percentileInterval } from "../evaluate/bootstrap.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { checkSampling, withTaskWarnings } from "../evaluate/evaluate.ts";
import { type Measured, prepareTask } from "../evaluate/measure.ts";
import { VectorStore } from "../evaluate/vector-store.ts";
import type { Progress, WorkContext } from "../protocol/progress.ts";
import type { EncodeReport, Interval, MovedText, PromptReport, PromptScore } from "../protocol/results.ts";
import { movedTexts } from "./moved.ts";
import { holm, permutationTests } from "./permutation.ts";
import { type PromptSet, promptSet } from "./prompt-set.ts";

export interface CompareOptions extends WorkContext {
  /** Of resamples and permutations. Default 0. */
  seed?: number | undefined;
  /** Bootstrap resamples. Default 10,000. Permutations are 10,000 always. */
  resamples?: number | undefined;
  /** How many helped and how many hurt texts are listed for each prompt. Default 10. */
  moved?: number | undefined;
}

/**
 * Compares prompts on a task. The baseline, "none", comes first.
 *
 * Each (prompt, text) is encoded once. All prompts are scored on the same units and resampled together, so that the
 * interval of a difference is a paired one. p comes from a paired permutation test against the baseline, corrected by
 * Holm over the prompts shown. The gap between best and worst is biased upwards by the choosing: `gapByChance` is the range
 * that as many equal prompts would show.
 *
 * @param prompts templates with {text}; a plain string goes to the queries of a retrieval task, to all texts otherwise.
 * @throws {ParallaxError} prompt.*, evaluate.*; work.cancelled; what the encoder throws.
 * Cost: encoding, mostly; then O(resamples · n · prompts), seconds at most. Progress counts texts over the whole grid.
 */
export async function comparePrompts(
  embedder: Embedder,
  task: Task,
  prompts: PromptSet,
  options: CompareOptions = {},
): Promise<PromptReport> {
  const started = Date.now();
  const { seed, resamples } = checkSampling(options);
  const set = promptSet(prompts, task.type);
  const prepared = prepareTask(task);
  const store = new VectorStore(embedder);
  store.plan(
    prepared.parts,
    set.map(({ template }) => template),
  );
  const reports: EncodeReport[] = [];
  for (const [i, prompt] of set.entries())
    reports.push(
      await store.ensure(prepared.parts, prompt.template, options, `prompt ${i + 1} of ${set.length}: ${prompt.name}`),
    );
  const measured: Measured[] = [];
  for (const [i, prompt] of set.entries())
    measured.push(await prepared.measure(store, prompt.template, overGrid(options, i, set.length, prompt.name)));
  const { n, unit, metric } = measured[0]!;
  const scores = await bootstrapScores(measured, { ...options, seed, resamples });
  const p = await permutationTests(measured, { ...options, seed });
  const corrected = [1, ...holm(p.slice(1))];

  const interval = (values: Float64Array, paired: boolean): Interval =>
    percentileInterval(values, { n, unit, seed, paired });
  const lines = set.map((prompt, i): PromptScore => {
    const deltaInterval = interval(difference(scores[i]!, scores[0]!), true);
    return {
      name: prompt.name,
      template: prompt.template,
      score: measured[i]!.score,
      interval: interval(scores[i]!, false),
      delta: measured[i]!.score - measured[0]!.score,
      deltaInterval,
      p: p[i]!,
      pHolm: corrected[i]!,
      // The interval looks at one difference; Holm's p answers for having looked at all of them.
      clear: (deltaInterval.low > 0 || deltaInterval.high < 0) && corrected[i]! < 0.05,
      report: withTaskWarnings(reports[i]!, n, unit),
    };
  });
  const order = lines.map((_, i) => i).sort((i, j) => lines[j]!.score - lines[i]!.score || i - j);
  const [best, worst] = [order[0]!, order[order.length - 1]!];
  const base = { prompt: set[0]!, measured: measured[0]! };
  const moved: MovedText[] = set
    .slice(1)
    .flatMap((prompt, k) =>
      movedTexts(prepared, store, base, { prompt, measured: measured[k + 1]! }, options.moved ?? 10),
    );
  return {
    version: 1,
    task: task.name,
    taskType: task.type,
    metric,
    n,
    unit,
    seed,
    encoder: embedder.identity,
    baseline: set[0]!.name,
    scores: lines,
    best: lines[best]!.name,
    worst: lines[worst]!.name,
    gap: lines[best]!.score - lines[worst]!.score,
    gapInterval: interval(difference(scores[best]!, scores[worst]!), true),
    gapByChance: rangeByChance(scores[0]!, set.length),
    moved,
    notes: [...(task.notes ?? [])],
    elapsedMs: Date.now() - started,
  };
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]!);
}

/** Mean range of k bootstrap replicates of one prompt: what k prompts without any difference would show. */
export function rangeByChance(replicates: Float64Array, k: number): number {
  const defined = replicates.filter((value) => !Number.isNaN(value));
  const groups = Math.floor(defined.length / k);
  let sum = 0;
  for (let g = 0; g < groups; g++) {
    const group = defined.subarray(g * k, (g + 1) * k);
    sum += Math.max(...group) - Math.min(...group);
  }
  return groups === 0 ? Number.NaN : sum / groups;
}

/** Progress of one prompt's scoring as progress of all. */
function overGrid(ctx: WorkContext, index: number, prompts: number, name: string): WorkContext {
  return {
    signal: ctx.signal,
    onProgress: (progress: Progress) => {
      const total = progress.total * prompts;
      const done = progress.total * index + progress.done;
      // Time left for one prompt, and for those after it at the pace so far.
      const share =
        progress.total > 0 && progress.done > 0
          ? (total - done) / (progress.total - progress.done || progress.total)
          : 0;
      ctx.onProgress?.({
        ...progress,
        done,
        total,
        etaMs: progress.etaMs === undefined || share === 0 ? undefined : progress.etaMs * share,
        note: `prompt ${index + 1} of ${prompts}: ${name}`,
      });
    },
  };
}

/** `evaluate`: one encoder on one task, as a result that shows itself. */
import { escapeHtml, tableHtml, tablePlain } from "../data/table-view.ts";
import { recommendedPrompts } from "../encode/recommended-prompts.ts";
import { type EvaluateOptions as CoreOptions, evaluate as evaluateTask } from "../evaluate/evaluate.ts";
import type { PromptSpec } from "../evaluate/prompt-sides.ts";
import { type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import type { TaskResult } from "../protocol/results.ts";
import { withJob } from "./context.ts";
import { type Encoder, type EncoderLike, resolveEncoder } from "./encoder.ts";
import { encoderWords, metricWords, times100, withDisplay } from "./score-words.ts";
import { loadTask, type TaskLike } from "./task.ts";

export type { PromptSpec } from "../evaluate/prompt-sides.ts";
export type { TaskResult } from "../protocol/results.ts";

export interface EvaluateOptions extends Omit<CoreOptions, "prompts"> {
  /** A loaded encoder or a reference for `loadEncoder`. Default: the default encoder. */
  encoder?: EncoderLike | undefined;
  /**
   * Template with {text}, a name of one of the encoder's own prompts, or one a side: { query, document }. A plain string
   * goes to the queries of a retrieval task and to all texts of other tasks. Default: what the encoder's authors use for
   * the task (its own prompts, or the catalogue's); "" for none. The result says which were used.
   */
  prompt?: PromptSpec | undefined;
  /** Another name for `prompt`. */
  prompts?: PromptSpec | undefined;
}

/**
 * Score an encoder on a task, as MTEB v1 does: STS (Spearman of cosines), retrieval (nDCG@10), classification (mean
 * accuracy of ten logistic regressions).
 *
 * @param task    a task, a path, or an object as in a task file (see `loadTask`)
 * @param options `encoder`, `prompt` (default: the encoder's own for the task), `seed` (of the resamples, default 0), `resamples` (default 10,000)
 * @returns       score in [0, 1] with n, seed, a 95 % bootstrap interval, other measures in `more`, and `report.warnings`
 *                to read first. Shown times 100.
 * @throws {ParallaxError} prompt.no-text-place, evaluate.constant-scores, evaluate.bad-vector, task.*; what loadEncoder throws
 * @throws {CancelledError} when the cell is stopped
 *
 * @example await evaluate("data/pairs.tsv", { prompt: "query: {text}" })
 */
export async function evaluate(task: TaskLike, options: EvaluateOptions = {}): Promise<TaskResult & Displayable> {
  const { encoder, prompt, prompts, signal, onProgress, ...rest } = options;
  const loaded = await loadTask(task, { signal });
  const model = await resolveEncoder(encoder);
  const said = ownPrompts(prompt ?? prompts, model);
  const { templates, source } = recommendedPrompts(model.spec, loaded);
  const spec = said ?? templates;
  const result = await withJob({ signal, onProgress }, (work) =>
    evaluateTask(model, loaded, { ...rest, prompts: spec, ...work }),
  );
  if (said === undefined && source !== null)
    result.notes = [...(result.notes ?? []), `Prompts: ${source}, since none were asked for; prompt: "" is for none.`];
  return withDisplay(result, () => taskBundle(result));
}

/** Templates in place of names of the encoder's own prompts. */
export function ownPrompts(spec: PromptSpec | undefined, encoder: Encoder): PromptSpec | undefined {
  const known = encoder.spec.prompts;
  const one = (text: string): string => (Object.hasOwn(known, text) ? known[text]! : text);
  if (spec === undefined) return undefined;
  if (typeof spec === "string") return one(spec);
  return Object.fromEntries(
    Object.entries(spec).map(([side, text]) => [side, side === "name" || text === undefined ? text : one(text)]),
  );
}

/** What a result shows: our view, and a table with its sentences in HTML and plain text; warnings before any number. */
export function taskBundle(result: TaskResult): MimeBundle {
  const view = taskTable(result);
  const { warnings } = result.report;
  return {
    [MIME.task]: { ...result },
    [MIME.html]: `${warningsHtml(warnings)}${tableHtml(view)}`,
    [MIME.plain]: [...warnings.map((warning) => `Warning: ${warning}`), tablePlain(view)].join("\n"),
  };
}

function taskTable(result: TaskResult): TableView {
  const { interval, encoder, report } = result;
  const more = Object.entries(result.more);
  const prompts = Object.entries(result.prompts).filter(([, template]) => template !== "");
  return {
    version: 1,
    title: `${encoder.name} on ${result.task}`,
    columns: [
      { name: "measure", kind: "text" },
      { name: "×100", kind: "number", decimals: 2 },
      { name: "95 % interval", kind: "text" },
    ],
    rows: [
      [metricWords(result.metric), result.score * 100, `${times100(interval.low)} to ${times100(interval.high)}`],
      ...more.map(([name, value]) => [metricWords(name), value * 100, null]),
    ],
    total: 1 + more.length,
    notes: [
      `n = ${result.n.toLocaleString("en-US")} ${result.unit}, seed ${result.seed}; interval: ${interval.method}.`,
      prompts.length === 0
        ? "No prompt."
        : `Prompt: ${prompts.map(([side, template]) => `${side} ${JSON.stringify(template)}`).join(", ")}.`,
      `Encoder: ${encoderWords(encoder)}.`,
      ...(report.truncated.length > 0 && report.warnings.length === 0
        ? [`${report.truncated.length.toLocaleString("en-US")} texts were cut at ${report.maxTokens} tokens.`]
        : []),
      ...(result.notes ?? []),
    ],
  };
}

/** Sentences that stand before any number. */
export function warningsHtml(warnings: readonly string[]): string {
  return warnings.map((warning) => `<p role="note"><strong>Warning.</strong> ${escapeHtml(warning)}</p>`).join("");
}

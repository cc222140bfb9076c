/** `comparePrompts`: prompts on one task, as a report that shows itself. */
import { tableHtml, tablePlain } from "../data/table-view.ts";
import { figureBundle } from "../figure/bundle.ts";
import type { Figure } from "../figure/figure.ts";
import { type CompareOptions as CoreOptions, comparePrompts as compareOn } from "../prompts/compare.ts";
import type { PromptInput, PromptSet } from "../prompts/prompt-set.ts";
import { type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import type { PromptReport } from "../protocol/results.ts";
import { withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";
import { ownPrompts, warningsHtml } from "./evaluate.ts";
import { encoderWords, metricWords, signed100, times100, withDisplay } from "./score-words.ts";
import { loadTask, type TaskLike } from "./task.ts";

export type { PromptInput, PromptSet } from "../prompts/prompt-set.ts";
export type { PromptReport } from "../protocol/results.ts";

export interface ComparePromptsOptions extends CoreOptions {
  /** A task, a path, or an object as in a task file. */
  task: TaskLike;
  /**
   * Prompts by name, or a list: templates with {text}, or one a side, { query, document }. A plain string goes to the
   * queries of a retrieval task and to all texts of other tasks. "none" is added as the baseline when it lacks.
   */
  prompts: PromptSet;
  /** A loaded encoder or a reference for `loadEncoder`. Default: the default encoder. */
  encoder?: EncoderLike | undefined;
}

/**
 * Compare prompts on a task: how much does the instruction matter, for which texts, and is the difference real?
 *
 * @returns score and 95 % interval of each prompt; its difference to "none" with a paired bootstrap interval, permutation
 *          p and Holm's correction; best, worst, their gap beside the gap that equal prompts would show; the texts that
 *          moved most. Shown times 100 with a forest plot of the differences.
 * @throws {ParallaxError} prompt.no-text-place, prompt.duplicate, prompt.too-few, task.*, evaluate.*; what loadEncoder throws
 * @throws {CancelledError} when the cell is stopped
 * Cost: encodes every (prompt, text) once.
 *
 * @example await comparePrompts({ task: "data/pairs.tsv", prompts: { web: "web search query: {text}", e5: "query: {text}" } })
 */
export async function comparePrompts(options: ComparePromptsOptions): Promise<PromptReport & Displayable> {
  const { task, prompts, encoder, signal, onProgress, ...rest } = options;
  const loaded = await loadTask(task, { signal });
  const model = await resolveEncoder(encoder);
  const set: PromptSet = Array.isArray(prompts)
    ? (prompts as readonly PromptInput[]).map((prompt): PromptInput => {
        const known = ownPrompts(prompt, model)!;
        // The name of one of the encoder's own prompts stays its name here.
        return typeof prompt === "string" && typeof known === "string" && known !== prompt
          ? sided(known, prompt, loaded.type)
          : known;
      })
    : Object.fromEntries(
        Object.entries(prompts as Record<string, string>).map(([name, prompt]) => [name, ownPrompts(prompt, model)!]),
      );
  const report = await withJob({ signal, onProgress }, (work) => compareOn(model, loaded, set, { ...rest, ...work }));
  return withDisplay(report, () => promptsBundle(report));
}

function sided(template: string, name: string, type: PromptReport["taskType"]): PromptInput {
  return type === "retrieval" ? { name, query: template } : { name, text: template };
}

/** What a report shows: our view, the forest plot as Plotly and SVG, and the table in HTML and plain text. */
export async function promptsBundle(report: PromptReport): Promise<MimeBundle> {
  const warnings = [...new Set(report.scores.flatMap((score) => score.report.warnings))];
  const views = [scoreTable(report), movedTable(report)].filter((view) => view.rows.length > 0);
  return {
    [MIME.prompts]: { ...report },
    ...(await figureBundle(forestPlot(report))),
    [MIME.html]: `${warningsHtml(warnings)}${views.map(tableHtml).join("")}`,
    [MIME.plain]: [...warnings.map((warning) => `Warning: ${warning}`), views.map(tablePlain).join("\n\n")].join("\n"),
  };
}

/** "+4.30 (0.83 to 7.90)", or "no clear difference (n = 200)" where the interval spans 0. */
export function deltaWords(report: PromptReport, index: number): string {
  const { delta, deltaInterval, clear } = report.scores[index]!;
  if (index === 0) return "baseline";
  if (!clear) return `no clear difference (n = ${report.n.toLocaleString("en-US")})`;
  return `${signed100(delta)} (${signed100(deltaInterval.low)} to ${signed100(deltaInterval.high)})`;
}

function scoreTable(report: PromptReport): TableView {
  const chance = Number.isFinite(report.gapByChance)
    ? ` ${report.scores.length} equal prompts would differ by ${times100(report.gapByChance)} by chance.`
    : "";
  return {
    version: 1,
    title: `${report.scores.length} prompts on ${report.task}, ${metricWords(report.metric)} ×100`,
    columns: [
      { name: "prompt", kind: "text" },
      { name: "score", kind: "number", decimals: 2 },
      { name: "95 % interval", kind: "text" },
      { name: `difference to ${report.baseline}`, kind: "text" },
      { name: "p (Holm)", kind: "text" },
      { name: "template", kind: "text" },
    ],
    rows: report.scores.map((line, i) => [
      line.name,
      line.score * 100,
      `${times100(line.interval.low)} to ${times100(line.interval.high)}`,
      deltaWords(report, i),
      i === 0 ? "" : line.pHolm < 0.001 ? "< 0.001" : line.pHolm.toFixed(3),
      templateWords(line.template),
    ]),
    total: report.scores.length,
    notes: [
      `Best ${report.best}, worst ${report.worst}: gap ${times100(report.gap)} (${signed100(report.gapInterval.low)} to ${signed100(report.gapInterval.high)}).${chance}`,
      `n = ${report.n.toLocaleString("en-US")} ${report.unit}, seed ${report.seed}; differences: ${report.gapInterval.method}; p: paired permutation test, Holm over ${report.scores.length - 1}.`,
      `Encoder: ${encoderWords(report.encoder)}.`,
      ...(report.notes ?? []),
    ],
  };
}

function templateWords(template: Record<string, string>): string {
  const sides = Object.entries(template).filter(([, text]) => text !== "{text}");
  if (sides.length === 0) return "";
  return Object.keys(template).length === 1
    ? sides[0]![1]
    : sides.map(([side, text]) => `${side}: ${text}`).join(" | ");
}

function movedTable(report: PromptReport): TableView {
  const shown = [...report.moved].sort((a, b) => Math.abs(b.gain) - Math.abs(a.gain)).slice(0, 10);
  return {
    version: 1,
    title: "Texts that moved most",
    columns: [
      { name: "row", kind: "number", decimals: 0 },
      { name: "prompt", kind: "text" },
      { name: "change", kind: "text" },
      { name: "cosine", kind: "number", decimals: 3 },
      { name: "text", kind: "text" },
    ],
    rows: shown.map((moved) => [moved.row, moved.prompt, moved.change, moved.cosine, moved.text]),
    total: report.moved.length,
    notes: ["cosine: between the vector without and with the prompt, each prompt's mean vector removed."],
  };
}

/** Differences to the baseline with their intervals, one row a prompt, in the order given. */
function forestPlot(report: PromptReport): Figure {
  const lines = report.scores.slice(1);
  const names = lines.map((line) => line.name);
  const values = lines.map((line) => line.delta * 100);
  const group = (clear: boolean): Figure["marks"] => {
    const own = lines.filter((line) => line.clear === clear);
    return own.length === 0
      ? []
      : [
          {
            kind: "intervals" as const,
            name: clear ? "clear difference" : "no clear difference",
            slot: clear ? (1 as const) : (2 as const),
            along: "x" as const,
            x: own.map((line) => line.delta * 100),
            y: own.map((line) => line.name),
            low: own.map((line) => line.deltaInterval.low * 100),
            high: own.map((line) => line.deltaInterval.high * 100),
            texts: own.map(
              (line) =>
                `${line.name}: ${signed100(line.delta)} (${signed100(line.deltaInterval.low)} to ${signed100(line.deltaInterval.high)})`,
            ),
          },
        ];
  };
  return {
    title: `Differences to "${report.baseline}" on ${report.task}`,
    x: { label: `difference in ${metricWords(report.metric)}`, unit: "×100", domain: domainWithZero(lines) },
    y: { label: "prompt", scale: "category", categories: names },
    marks: [...group(true), ...group(false), { kind: "rule", along: "y", value: 0, label: report.baseline }],
    notes: [
      `n = ${report.n.toLocaleString("en-US")} ${report.unit}, seed ${report.seed}; ${report.gapInterval.method}.`,
    ],
    height: Math.max(220, 120 + 36 * values.length),
  };
}

/** From the lowest to the highest end of an interval and 0, with room for a point and the label at 0. */
function domainWithZero(lines: PromptReport["scores"]): [number, number] {
  const ends = lines
    .flatMap((line) => [line.deltaInterval.low * 100, line.deltaInterval.high * 100])
    .filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const span = high - low || 1;
  return [low - 0.06 * span, high + 0.12 * span];
}

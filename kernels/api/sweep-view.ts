/** What a sweep shows: a table of its trials and a figure of their differences, with the words "no clear best". */
import { tableHtml, tablePlain } from "../data/table-view.ts";
import type { Measured } from "../evaluate/measure.ts";
import { figureBundle } from "../figure/bundle.ts";
import type { Figure } from "../figure/figure.ts";
import { MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import type { ErrorData } from "../protocol/errors.ts";
import type { Interval, TaskResult } from "../protocol/results.ts";
import { duration } from "../train/run-view.ts";
import { metricWords, signed100, times100 } from "./score-words.ts";

/** A trial as the table has it. Scores in [0, 1] (Spearman: [-1, 1]); absent when the trial was not finished. */
export interface SweepRow {
  name: string;
  folder: string;
  settings: Readonly<Record<string, unknown>>;
  /** The settings in a few words. */
  words: string;
  state: "done" | "failed";
  error?: ErrorData | null | undefined;
  task?: string | undefined;
  measured?: Measured | undefined;
  elapsedMs?: number | null | undefined;
  score?: number | undefined;
  interval?: Interval | undefined;
  /** Score minus the leader's, with its paired 95 % interval. */
  toLeader?: number | undefined;
  toLeaderInterval?: Interval | undefined;
}

export interface SweepFacts {
  readonly folder: string;
  readonly search: "grid" | "random";
  /** Seed of the random draws. */
  readonly searchSeed: number;
  readonly task: string | null;
  readonly metric: string | null;
  readonly n: number;
  readonly unit: TaskResult["unit"];
  /** Seed of the trials and of the resamples. */
  readonly seed: number;
  /** The encoder before training, with the first trial's prompts. */
  readonly base: { readonly score: number; readonly low: number; readonly high: number } | null;
  /** Best first; the failed ones last. */
  readonly trials: readonly SweepRow[];
  /** The first is clearly ahead of the second. */
  readonly clear: boolean;
}

/** "Best: …" or "No clear best: …". */
export function sweepVerdict({ trials, clear, n, unit }: SweepFacts): string {
  const [first, next] = trials.filter(({ score }) => score !== undefined);
  if (first === undefined) return "No trial was finished.";
  if (next === undefined) return `One trial was finished: ${first.words}.`;
  const { low, high } = next.toLeaderInterval!;
  const gap = `${signed100(-next.toLeader!)} (${signed100(-high)} to ${signed100(-low)}) ahead of the next, ${next.words}`;
  return clear
    ? `Best: ${first.words}, ${gap}.`
    : `No clear best: ${first.words} leads, ${gap}; n = ${n} ${unit} cannot tell them apart.`;
}

export async function sweepBundle(facts: SweepFacts): Promise<MimeBundle> {
  const view = sweepTable(facts);
  const figure = sweepFigure(facts);
  return {
    [MIME.table]: view,
    ...(figure === null ? {} : await figureBundle(figure)),
    [MIME.html]: tableHtml(view),
    [MIME.plain]: tablePlain(view),
  };
}

function sweepTable(facts: SweepFacts): TableView {
  const { trials, task, metric, n, unit, seed, base, search, searchSeed, folder } = facts;
  const names = [...new Set(trials.flatMap(({ settings }) => Object.keys(settings)))];
  const text = (name: string) => ({ name, kind: "text" as const });
  const done = trials.filter(({ score }) => score !== undefined).length;
  const ranged = (interval: Interval | undefined, show: (value: number) => string) =>
    interval === undefined ? "" : `${show(interval.low)} to ${show(interval.high)}`;
  return {
    version: 1,
    title: `Sweep: ${trials.length} trials${task === null ? "" : ` on ${task}, ${metricWords(metric!)} ×100`}`,
    columns: [
      ...names.map(text),
      { name: "score", kind: "number", decimals: 2 },
      text("95 % interval"),
      text("difference to the first"),
      text("time"),
    ],
    rows: trials.map((row, i) => [
      ...names.map((name) => {
        const value = row.settings[name];
        return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
      }),
      row.score === undefined ? null : 100 * row.score,
      row.score === undefined ? `failed: ${row.error?.code ?? "?"}` : ranged(row.interval, times100),
      row.toLeader === undefined || i === 0
        ? ""
        : `${signed100(row.toLeader)} (${ranged(row.toLeaderInterval, signed100)})`,
      row.elapsedMs ? duration(row.elapsedMs) : "",
    ]),
    total: trials.length,
    notes: [
      sweepVerdict(facts),
      ...(base === null
        ? []
        : [`Before training: ${times100(base.score)} (${times100(base.low)} to ${times100(base.high)}).`]),
      `n = ${n.toLocaleString("en-US")} ${unit}, seed ${seed}; differences: paired percentile bootstrap over the same resamples. ${search === "random" ? `Random search, seed ${searchSeed}.` : "Every combination."}`,
      ...(done > 1
        ? [`The first of ${done} is flattered by having been chosen on this task: measure it on another.`]
        : []),
      ...trials.flatMap(({ words, error }) => (error ? [`${words}: ${error.message}`] : [])),
      `Folder: ${folder}`,
    ],
  };
}

/** Scores with their intervals, one row a trial, the highest at the top; null when there is none. */
function sweepFigure({ trials, task, metric, n, unit, seed, base }: SweepFacts): Figure | null {
  const done = trials.filter((row) => row.score !== undefined);
  if (done.length === 0) return null;
  const scores = (rows: readonly SweepRow[], name: string, slot: 1 | 2): Figure["marks"] =>
    rows.length === 0
      ? []
      : [
          {
            kind: "intervals",
            name,
            slot,
            along: "x",
            x: rows.map(({ score }) => 100 * score!),
            y: rows.map(({ words }) => words),
            low: rows.map(({ interval }) => 100 * interval!.low),
            high: rows.map(({ interval }) => 100 * interval!.high),
            texts: rows.map((row) => `${row.words}: ${times100(row.score!)}`),
          },
        ];
  // Behind the first by more than chance, or not told apart from it.
  const isBehind = (row: SweepRow) => row.toLeaderInterval!.high < 0;
  const near = done.filter((row) => !isBehind(row));
  return {
    title: `Trials on ${task}`,
    x: { label: metricWords(metric!), unit: "×100" },
    y: { label: "trial", scale: "category", categories: done.map(({ words }) => words) },
    marks: [
      ...scores(near, near.length > 1 ? "not told apart from the first" : "first", 1),
      ...scores(done.filter(isBehind), "clearly behind the first", 2),
      ...(base === null
        ? []
        : [{ kind: "rule" as const, along: "y" as const, value: 100 * base.score, label: "before training" }]),
    ],
    notes: [`95 % intervals, n = ${n} ${unit}, seed ${seed}. Compare trials by the paired differences of the table.`],
    height: Math.max(220, 120 + 36 * done.length),
  };
}

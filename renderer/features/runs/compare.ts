/** Runs side by side as data: what they share, where they differ, what may not be compared, and exports. Pure. */
import { describeLoss } from "../../../kernels/protocol/losses.ts";
import { type RunConfig, type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import type { RunDetails } from "../../../kernels/protocol/run-plans.ts";
import { metricName } from "../../plot/metric-names.ts";
import { type EvalPoint, evalKey, type RunSeries } from "../../plot/run/run-series.ts";
import { runWord } from "../../plot/run/run-state.tsx";
import { formatBytes, formatCompact, formatCount, formatDuration, formatFixed, toCsv } from "../../ui/numbers.ts";

export interface Compared {
  run: RunSummary;
  /** Null until it was read. */
  series: RunSeries | null;
  details: RunDetails | null;
}

export interface Score {
  score: number;
  low: number;
  high: number;
  n: number;
  step: number;
}

export interface CompareCell {
  /** "–" where the run has none. */
  text: string;
  score?: Score;
}

export interface CompareRow {
  id: string;
  name: string;
  kind: "setting" | "result" | "score";
  cells: CompareCell[];
  /** Not all the same; a missing value is a difference. */
  differs: boolean;
}

const MISSING = "–";

const SETTINGS: readonly [name: string, read: (config: RunConfig) => string | null][] = [
  ["encoder", ({ encoder }) => encoder.name],
  ["data", ({ data }) => `${data.source} (${formatCount(data.n)})`],
  ["data sha256", ({ data }) => data.sha256.slice(0, 8)],
  ["hard negatives", ({ data }) => String(data.negatives)],
  ["loss", ({ loss }) => describeLoss(loss)],
  ["Matryoshka", ({ matryoshka }) => matryoshka?.dimensions.join(", ") ?? null],
  ["batch", ({ batchSize }) => formatCount(batchSize)],
  ["accumulate", ({ accumulate }) => formatCount(accumulate)],
  ["chunk", ({ chunk }) => (chunk === null ? null : formatCount(chunk))],
  ["steps", ({ steps }) => formatCount(steps)],
  ["learning rate", ({ learningRate }) => formatCompact(learningRate)],
  ["schedule", ({ schedule, warmupRatio }) => `${schedule}, warm-up ${formatFixed(warmupRatio * 100, 0)} %`],
  ["weight decay", ({ weightDecay }) => formatCompact(weightDecay)],
  ["gradient norm cut", ({ clipNorm }) => formatCompact(clipNorm)],
  ["rate a layer", ({ layerDecay }) => formatCompact(layerDecay)],
  ["frozen layers", ({ freezeLayers }) => String(freezeLayers)],
  ["word embeddings", ({ freezeWordEmbeddings }) => (freezeWordEmbeddings ? "frozen" : "trained")],
  ["dropout", ({ dropout }) => formatCompact(dropout)],
  [
    "adapters",
    ({ lora }) => (lora === null ? null : `LoRA ${lora.rank}, alpha ${lora.alpha}, ${lora.targets.join(" ")}`),
  ],
  ["longest text", ({ maxTokens }) => `${maxTokens} tokens`],
  ["prompt of anchors", ({ prompts }) => prompts.anchor || null],
  ["prompt of positives", ({ prompts }) => prompts.positive || null],
  ["seed", ({ seed }) => String(seed)],
  ["exported", ({ keep }) => keep],
  ["provider", ({ provider, threads }) => `${provider}, ${threads} threads`],
];

/** The score of what the run gives: of its exported step, else its newest. */
export function finalScore(run: RunSummary, points: readonly EvalPoint[]): EvalPoint | null {
  const { exportedStep } = run.status;
  const trained = points.filter(({ step }) => step > 0);
  return trained.find(({ step }) => step === exportedStep) ?? trained.at(-1) ?? null;
}

function row(id: string, name: string, kind: CompareRow["kind"], cells: CompareCell[]): CompareRow {
  return { id, name, kind, cells, differs: cells.some(({ text }) => text !== cells[0]!.text) };
}

/** Scores first, then other results, then settings. */
export function compareRows(all: readonly Compared[]): CompareRow[] {
  if (all.length === 0) return [];
  const keys = [...new Set(all.flatMap(({ series }) => (series?.evals ?? []).map(evalKey)))];
  const tasks = new Set(keys.map((key) => key.split("\n")[0]));
  const scores = keys.flatMap((key) => {
    const [task, metric] = key.split("\n") as [string, string];
    const name = `${metricName(metric)} ×100${tasks.size > 1 ? `, ${task}` : ""}`;
    const of = (each: Compared, choose: (points: EvalPoint[]) => EvalPoint | null): CompareCell => {
      const point = choose((each.series?.evals ?? []).filter((candidate) => evalKey(candidate) === key));
      return point === null ? { text: MISSING } : { text: formatFixed(point.score * 100, 2), score: point };
    };
    return [
      row(
        `${key} after`,
        name,
        "score",
        all.map((each) => of(each, (points) => finalScore(each.run, points))),
      ),
      row(
        `${key} before`,
        `${name}, untrained`,
        "score",
        all.map((each) => of(each, (points) => points.find(({ step }) => step === 0) ?? null)),
      ),
    ];
  });
  const text = (value: string | null): CompareCell => ({ text: value ?? MISSING });
  const results = [
    row(
      "state",
      "state",
      "result",
      all.map(({ run }) => text(runWord(run))),
    ),
    row(
      "step",
      "steps done",
      "result",
      all.map(({ run }) => text(formatCount(run.status.step))),
    ),
    row(
      "loss",
      "loss at the end, nats",
      "result",
      all.map(({ series }) => text(lastLoss(series))),
    ),
    row(
      "time",
      "time",
      "result",
      all.map(({ series }) => text(timeOf(series))),
    ),
    row(
      "memory",
      "memory",
      "result",
      all.map(({ run: { status } }) => {
        const bytes = status.actual?.memoryBytes ?? status.memoryBytes;
        return text(bytes === null ? null : formatBytes(bytes));
      }),
    ),
  ];
  const settings = SETTINGS.map(([name, read]) =>
    row(
      `setting ${name}`,
      name,
      "setting",
      all.map(({ run }) => text(read(run.config))),
    ),
  );
  return [...scores, ...results, ...settings].filter(({ cells }) => cells.some((cell) => cell.text !== MISSING));
}

/** Mean of the last tenth of the steps: a single batch says little. */
function lastLoss(series: RunSeries | null): string | null {
  if (series === null || series.n === 0) return null;
  const last = Array.from(series.loss.subarray(0, series.n)).slice(-Math.max(1, Math.floor(series.n / 10)));
  return formatFixed(last.reduce((sum, value) => sum + value, 0) / last.length, 3);
}

function timeOf(series: RunSeries | null): string | null {
  return series === null || series.n === 0 ? null : formatDuration(series.elapsedMs[series.n - 1]!);
}

export interface Note {
  tone: "warning" | "info";
  text: string;
}

/** What tells one evaluation from another; null while unknown or without one. */
export function evaluationDigest({ details }: Compared): string | null {
  const digests = (details?.evaluation ?? []).map(({ sha256 }) => sha256);
  return digests.length === 0 ? null : digests.sort().join();
}

const list = new Intl.ListFormat("en", { type: "conjunction" });

/** What makes a comparison unfair, and which runs have nothing to compare. */
export function unfairNotes(all: readonly Compared[]): Note[] {
  const notes: Note[] = [];
  for (const { run, series } of all) {
    if (series === null || finalScore(run, series.evals) !== null) continue;
    const { step, lastCheckpoint } = run.status;
    const why =
      run.config.evaluation === null
        ? "was not evaluated"
        : `has no score after training (${runWord(run)} at step ${formatCount(step)}${lastCheckpoint === null ? ", no checkpoint" : ""})`;
    notes.push({ tone: "info", text: `${runTitle(run)} ${why}. Curves only.` });
  }
  const keys = [...new Set(all.flatMap(({ series }) => (series?.evals ?? []).map(evalKey)))];
  for (const key of keys) {
    const [task, metric] = key.split("\n") as [string, string];
    const sizes = new Set<number>();
    const seeds = new Set<number>();
    const without: string[] = [];
    for (const { run, series } of all) {
      const point = (series?.evals ?? []).find((candidate) => evalKey(candidate) === key);
      if (point === undefined) {
        if (series !== null && series.evals.length > 0) without.push(runTitle(run));
      } else {
        sizes.add(point.n);
        seeds.add(point.seed);
      }
    }
    if (sizes.size > 1)
      notes.push({
        tone: "warning",
        text: `Different evaluation sets: ${task} has ${list.format([...sizes].map((n) => formatCount(n)))} rows. Their ${metricName(metric)} cannot be compared.`,
      });
    else if (seeds.size > 1)
      notes.push({ tone: "info", text: `The intervals of ${task} were drawn with different seeds.` });
    if (without.length > 0)
      notes.push({
        tone: "warning",
        text: `${list.format(without)} was not scored on ${task}: that row is no comparison.`,
      });
  }
  const digests = new Set(all.map(evaluationDigest).filter((digest) => digest !== null));
  if (digests.size > 1 && !notes.some(({ text }) => text.startsWith("Different evaluation sets")))
    notes.push({
      tone: "warning",
      text: "Different evaluation sets: the files differ, though their names and sizes may agree. Their scores cannot be compared.",
    });
  if (all.length > 1) {
    const differ = SETTINGS.filter(([name, read]) => {
      const values = new Set(all.map(({ run }) => read(run.config)));
      return values.size > 1 && name !== "provider" && name !== "data sha256";
    }).map(([name]) => name);
    if (differ.length > 1)
      notes.push({
        tone: "info",
        text: `The runs differ in ${list.format(differ)}: a difference may come from any of these.`,
      });
    if (differ.length === 0)
      notes.push({ tone: "info", text: "The runs have the same settings: what differs is chance or the computer." });
  }
  return notes;
}

/**
 * How a score stands to the base's: "+1.20, intervals apart". Intervals that overlap do not prove that there is no
 * difference; they are one run each, so this says no more than it knows.
 */
export function againstBase(score: Score | undefined, base: Score | undefined, sameSet = true): string | null {
  if (score === undefined || base === undefined || score === base) return null;
  if (score.n !== base.n || !sameSet) return "other evaluation set";
  const delta = (score.score - base.score) * 100;
  const sign = delta > 0 ? "+" : delta < 0 ? "−" : "±";
  const apart = score.low > base.high || score.high < base.low;
  return `${sign}${formatFixed(Math.abs(delta), 2)}, ${apart ? "intervals apart" : "no clear difference"}`;
}

/** Rows to show: those that differ, or all; and those whose name or a value holds the search. */
export function visibleRows(rows: readonly CompareRow[], differencesOnly: boolean, query: string): CompareRow[] {
  const wanted = query.trim().toLowerCase();
  return rows.filter(
    ({ name, cells, differs }) =>
      (differs || !differencesOnly) &&
      (wanted === "" ||
        name.toLowerCase().includes(wanted) ||
        cells.some(({ text }) => text.toLowerCase().includes(wanted))),
  );
}

const exported = ({ text, score }: CompareCell): string =>
  score === undefined
    ? text
    : `${text} [${formatFixed(score.low * 100, 2)}, ${formatFixed(score.high * 100, 2)}], n ${score.n}`;

export function comparisonCsv(names: readonly string[], rows: readonly CompareRow[]): string {
  return toCsv(
    ["", ...names],
    rows.map(({ name, cells }) => [name, ...cells.map(exported)]),
  );
}

export function comparisonMarkdown(names: readonly string[], rows: readonly CompareRow[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(["", ...names]),
    line(["---", ...names.map(() => "---:")]),
    ...rows.map(({ name, cells }) => line([name, ...cells.map(exported)])),
    "",
    "Scores ×100 with 95 % bootstrap intervals.",
  ].join("\n");
}

/** A cell that makes the table again from the run folders. */
export function comparisonCell(folders: readonly string[]): string {
  return [
    'import { openRun } from "parallax";',
    "",
    `const comparedRuns = await Promise.all([`,
    ...folders.map((folder) => `  openRun(${JSON.stringify(folder)}),`),
    "]);",
    "comparedRuns.map(({ config, status, metrics }) => {",
    '  const scores = metrics.filter((metric) => metric.kind === "eval");',
    "  const last = scores.at(-1);",
    "  return {",
    "    run: config.name,",
    "    learningRate: config.learningRate,",
    "    batchSize: config.batchSize,",
    "    steps: status.step,",
    "    seed: config.seed,",
    "    metric: last?.metric ?? null,",
    "    score: last?.score ?? null,",
    "    low: last?.low ?? null,",
    "    high: last?.high ?? null,",
    "    n: last?.n ?? null,",
    "  };",
    "});",
  ].join("\n");
}

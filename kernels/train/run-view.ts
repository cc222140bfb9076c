/** What a run looks like: the data for our live view, and figures and words for everywhere else. */
import { describeFigure, type Figure, type Slot, short } from "../figure/figure.ts";
import { toPlotly } from "../figure/plotly.ts";
import { toSvg } from "../figure/svg.ts";
import { MIME, type MimeBundle, type RunView } from "../protocol/display.ts";
import { describeLoss } from "../protocol/losses.ts";
import { chanceLoss, type RunMetric, type RunSummary } from "../protocol/run-files.ts";

type StepMetric = Extract<RunMetric, { kind: "step" }>;
export type EvalMetric = Extract<RunMetric, { kind: "eval" }>;

/** Points a series that a saved notebook keeps. */
const SNAPSHOT_POINTS = 400;

/** Share of the past in the smoothed curve. */
const SMOOTHING = 0.9;

export const isStep = (metric: RunMetric): metric is StepMetric => metric.kind === "step";
export const isEval = (metric: RunMetric): metric is EvalMetric => metric.kind === "eval";

/** `application/vnd.parallax.run+json`. @param relative the folder seen from the notebook, when it lies below it. */
export function toRunView(run: RunSummary, metrics: readonly RunMetric[], relative?: string): RunView {
  const base = metrics.filter(isEval).find(({ step }) => step === 0);
  return {
    version: 1,
    folder: run.folder,
    ...(relative === undefined ? {} : { relative }),
    name: run.config.name,
    chanceLoss: chanceLoss(run.config),
    ...(base === undefined
      ? {}
      : {
          base: { metric: base.metric, score: base.score, low: base.low, high: base.high, n: base.n, seed: base.seed },
        }),
    steps: run.config.steps,
    snapshot: thinned(metrics),
    state: run.status.state,
  };
}

/** First, last and evenly spaced steps between; every evaluation while there are not too many. In order of steps. */
function thinned(metrics: readonly RunMetric[]): RunMetric[] {
  const pick = <T>(rows: T[]) =>
    rows.length <= SNAPSHOT_POINTS
      ? rows
      : Array.from(
          { length: SNAPSHOT_POINTS },
          (_, i) => rows[Math.round((i * (rows.length - 1)) / (SNAPSHOT_POINTS - 1))] as T,
        );
  const kept = new Set<RunMetric>([...pick(metrics.filter(isStep)), ...pick(metrics.filter(isEval))]);
  return metrics.filter((metric) => kept.has(metric));
}

/**
 * Exponential moving average without the pull of its start: Σ wᵗ⁻ⁱ xᵢ / Σ wᵗ⁻ⁱ. Missing values keep the last mean.
 * Same length as the input.
 */
export function smoothed(values: readonly number[], weight = SMOOTHING): number[] {
  let sum = 0;
  let weights = 0;
  return values.map((value) => {
    if (Number.isFinite(value)) {
      sum = weight * sum + value;
      weights = weight * weights + 1;
    }
    return weights === 0 ? Number.NaN : sum / weights;
  });
}

/** The loss: raw as a ghost under the smoothed curve, with the chance line. */
export function lossFigure(run: RunSummary, metrics: readonly RunMetric[]): Figure {
  const steps = metrics.filter(isStep);
  const x = steps.map(({ step }) => step);
  const losses = steps.map(({ loss }) => loss);
  const { config } = run;
  const chance = chanceLoss(config);
  return {
    title: `${config.name}: training loss`,
    x: { label: "step", domain: [0, config.steps] },
    y: { label: "loss", unit: "nats" },
    marks: [
      { kind: "line", name: "loss", x, y: losses, slot: 1, ghost: true, width: 1 },
      { kind: "line", name: "loss, smoothed", x, y: smoothed(losses), slot: 1 },
      ...(chance === null
        ? []
        : [{ kind: "rule" as const, along: "x" as const, value: chance, label: `chance: ${chanceWords(chance)}` }]),
    ],
    notes: [
      `${describeLoss(config.loss)}, batch ${config.batchSize}, learning rate ${config.learningRate}, ${config.data.n} pairs, seed ${config.seed}.`,
    ],
    height: 300,
  };
}

/** "ln 32" where the level is the logarithm of a number of candidates, else the level itself. */
function chanceWords(chance: number): string {
  const candidates = Math.round(Math.exp(chance));
  return Math.abs(Math.log(candidates) - chance) < 1e-9 ? `ln ${candidates}` : chance.toPrecision(3);
}

/** The scores of each task with their intervals and its base score as a line; null when the run has no evaluation. */
export function scoreFigure(run: RunSummary, metrics: readonly RunMetric[]): Figure | null {
  const evals = metrics.filter(isEval);
  const first = evals[0];
  if (first === undefined) return null;
  const tasks = [...new Set(evals.map(({ task }) => task))];
  const several = tasks.length > 1;
  const marks = tasks.flatMap((task, i): Figure["marks"] => {
    const own = evals.filter((metric) => metric.task === task);
    const base = own[0]!;
    const times100 = (pick: (metric: EvalMetric) => number) => own.map((metric) => 100 * pick(metric));
    const named = { name: several ? `${task}, ${base.metric}` : base.metric, slot: (((i + 1) % 8) + 1) as Slot };
    const x = own.map(({ step }) => step);
    const y = times100(({ score }) => score);
    return [
      {
        kind: "rule",
        along: "x",
        value: 100 * base.score,
        label: `base ${several ? `${task} ` : ""}${(100 * base.score).toFixed(1)}`,
      },
      {
        kind: "intervals",
        along: "y",
        ...named,
        x,
        y,
        low: times100(({ low }) => low),
        high: times100(({ high }) => high),
        texts: own.map(describeScore),
      },
      { kind: "line", ...named, x, y },
    ];
  });
  return {
    title: several ? `${tasks.length} tasks` : `${first.task}: ${first.metric}`,
    x: { label: "step", domain: [0, run.config.steps] },
    y: { label: several ? "score" : first.metric, unit: "×100" },
    marks,
    notes: several
      ? [
          `95 % intervals, seed ${first.seed}; ${tasks.map((task) => `${task} n = ${evals.find((metric) => metric.task === task)!.n}`).join(", ")}.`,
        ]
      : [`95 % intervals, n = ${first.n}, seed ${first.seed}.`],
    height: 240,
  };
}

function describeScore({ step, score, low, high }: EvalMetric): string {
  return `step ${step}: ${hundred(score)} [${hundred(low)}, ${hundred(high)}]`;
}

function hundred(value: number): string {
  return (100 * value).toFixed(2);
}

/** "lively-otter: step 340 of 1,000, loss 3.47 → 1.1 (chance 3.47); STS cosine_spearman 82.03 → 83.1 …" */
export function describeRun(run: RunSummary, metrics: readonly RunMetric[]): string {
  const { config, status } = run;
  const steps = metrics.filter(isStep);
  const evals = metrics.filter(isEval);
  const chance = chanceLoss(config);
  const lines = [
    `Fine-tune ${config.name} (${status.state}): step ${status.step.toLocaleString("en")} of ${config.steps.toLocaleString("en")}${
      steps.length === 0
        ? ""
        : `, loss ${short(steps[0]!.loss)} → ${short(smoothed(steps.map(({ loss }) => loss)).at(-1)!)} nats${chance === null ? "" : ` (chance ${short(chance)})`}`
    }.`,
  ];
  for (const base of evals.filter(({ step }) => step === 0)) {
    const own = evals.filter(({ task }) => task === base.task);
    const last = own.find(({ step }) => step === status.exportedStep) ?? own.at(-1)!;
    lines.push(
      `${base.task}, ${base.metric} ×100: base ${hundred(base.score)} [${hundred(base.low)}, ${hundred(base.high)}]${
        last === base ? "" : `, ${describeScore(last)}`
      } (95 % intervals, n = ${base.n}, seed ${base.seed}).`,
    );
  }
  if (status.ended === "patience")
    lines.push(`It ended early: no better score in ${config.evaluation?.patience} evaluations.`);
  if (status.exportedStep !== undefined && status.exportedStep !== status.step)
    lines.push(`The weights of step ${status.exportedStep}, the best, are exported.`);
  if (status.etaMs !== null && run.alive)
    lines.push(`About ${duration(status.etaMs)} left, ${status.rate?.toFixed(2) ?? "?"} steps/s.`);
  if (status.error !== null)
    lines.push(`${status.error.message}${status.error.hint === undefined ? "" : ` ${status.error.hint}`}`);
  lines.push(`Run folder: ${run.folder}`);
  return lines.join("\n");
}

/** "45 s", "6 min", "2 h 5 min". */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Everything a cell shows of a run: our live view, Plotly, SVG and words. */
export async function runBundle(
  run: RunSummary,
  metrics: readonly RunMetric[],
  relative?: string,
): Promise<MimeBundle> {
  const figures = [lossFigure(run, metrics), scoreFigure(run, metrics)].filter((figure) => figure !== null);
  return {
    [MIME.run]: toRunView(run, metrics, relative),
    [MIME.plotly]: stackPlotly(figures),
    [MIME.svg]: await stackSvg(figures),
    [MIME.plain]: [describeRun(run, metrics), ...figures.map(describeFigure)].join("\n"),
  };
}

/** Two figures as one Plotly document, one over the other. */
function stackPlotly(figures: readonly Figure[]): Record<string, unknown> {
  const [top, below] = figures.map(toPlotly);
  if (top === undefined || below === undefined) return { ...top };
  const second = (part: Record<string, unknown>): Record<string, unknown> => ({
    ...part,
    ...(part.yref === "y" ? { yref: "y2" } : {}),
    ...(part.xref === "x" ? { xref: "x2" } : {}),
  });
  const list = (layout: Record<string, unknown>, name: string) => layout[name] as Record<string, unknown>[];
  const height = figures.reduce((sum, figure) => sum + (figure.height ?? 360), 0);
  return {
    data: [...top.data, ...below.data.map((trace) => ({ ...trace, xaxis: "x2", yaxis: "y2" }))],
    layout: {
      ...top.layout,
      height,
      yaxis: { ...(top.layout.yaxis as object), domain: [0.54, 1] },
      xaxis: { ...(top.layout.xaxis as object), anchor: "y" },
      yaxis2: { ...(below.layout.yaxis as object), domain: [0, 0.36], anchor: "x2" },
      xaxis2: { ...(below.layout.xaxis as object), anchor: "y2" },
      shapes: [...list(top.layout, "shapes"), ...list(below.layout, "shapes").map(second)],
      annotations: [...list(top.layout, "annotations"), ...list(below.layout, "annotations").map(second)],
    },
    config: top.config,
  };
}

async function stackSvg(figures: readonly Figure[]): Promise<string> {
  const drawn = await Promise.all(figures.map((figure) => toSvg(figure)));
  if (drawn.length === 1) return drawn[0]!;
  const size = (svg: string, name: string) => Number(new RegExp(`^<svg[^>]*? ${name}="([\\d.]+)"`).exec(svg)?.[1] ?? 0);
  const width = Math.max(...drawn.map((svg) => size(svg, "width")));
  let y = 0;
  const parts = drawn.map((svg) => {
    const placed = svg.replace(/^<svg/, `<svg y="${y}"`);
    y += size(svg, "height");
    return placed;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}">${parts.join("")}</svg>`;
}

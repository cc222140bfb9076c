/** The curves of one or several runs: loss, evaluation, learning rate and gradient norm. */
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { announce } from "../../ui/announce.ts";
import { formatCompact, formatFixed } from "../../ui/numbers.ts";
import { type ChartSource, LineChart } from "../line-chart.tsx";
import { type ChartRule, type ChartSeries, type ChartSpec, nearestIndex } from "../line-chart-draw.ts";
import { metricName } from "../metric-names.ts";
import { smooth } from "../smooth.ts";
import { type EvalPoint, evalKey, type RunSeries } from "./run-series.ts";
import "./run.css";

export interface ChartRun {
  id: string;
  name: string;
  /** Category slot: identity of the run in every chart. */
  slot: number;
  series: RunSeries;
  chanceLoss: number | null;
  steps: number;
  /** Rows that a step trains on: batch × accumulated batches. */
  examplesPerStep: number;
  /** Tells when the series changed; absent for a fixed one. */
  subscribe?: (listener: () => void) => () => void;
}

interface Props {
  runs: readonly ChartRun[];
  smoothing: number;
  onSmoothing(value: number): void;
  height?: number;
}

/** What lies along the x axis. */
export type RunAxis = "step" | "time" | "examples";

interface View {
  smoothing: number;
  axis: RunAxis;
  logY: boolean;
}

export const SMOOTHING_STEPS = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98];

export function RunCharts({ runs, smoothing, onSmoothing, height = 216 }: Props) {
  const [axis, setAxis] = useState<RunAxis>("step");
  const [logY, setLogY] = useState(false);
  const sources = useRunSources(runs, { smoothing, axis, logY });
  const name = runs.length === 1 ? runs[0]!.name : `${runs.length} runs`;
  const id = useId();
  const step = (by: number) => {
    const at = SMOOTHING_STEPS.findIndex((value) => value >= smoothing - 1e-9);
    const next = SMOOTHING_STEPS[Math.max(0, Math.min(SMOOTHING_STEPS.length - 1, at + by))]!;
    onSmoothing(next);
    announce(`Smoothing ${formatFixed(next, 2)}`);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "[" && event.key !== "]") return;
    step(event.key === "]" ? 1 : -1);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: [ and ] work anywhere in the charts
    <div className="run-charts-box" onKeyDown={onKeyDown}>
      <div className="run-smoothing">
        <label htmlFor={id}>Smoothing</label>
        <input
          id={id}
          type="range"
          min={0}
          max={0.98}
          step={0.01}
          value={smoothing}
          aria-valuetext={smoothing === 0 ? "raw" : formatFixed(smoothing, 2)}
          onChange={(event) => onSmoothing(Number(event.target.value))}
        />
        <output htmlFor={id}>{smoothing === 0 ? "raw" : formatFixed(smoothing, 2)}</output>
        <label htmlFor={`${id}-x`}>by</label>
        <select id={`${id}-x`} value={axis} onChange={(event) => setAxis(event.currentTarget.value as RunAxis)}>
          <option value="step">step</option>
          <option value="time">time</option>
          <option value="examples">examples</option>
        </select>
        <label>
          <input type="checkbox" checked={logY} onChange={(event) => setLogY(event.currentTarget.checked)} /> log loss
        </label>
      </div>
      <div className={`run-charts ${sources.evals.length > 0 ? "run-charts-3" : "run-charts-2"}`}>
        <LineChart source={sources.loss} fileName={`${name} loss`} height={height} />
        {sources.evals.map(({ key, source }) => (
          <LineChart key={key} source={source} fileName={`${name} evaluation`} height={height} />
        ))}
        <LineChart source={sources.rates} fileName={`${name} learning rate`} height={height} />
      </div>
    </div>
  );
}

/** Charts as sources: each builds its description again only when a series or the view changed. */
function useRunSources(runs: readonly ChartRun[], view: View) {
  const now = useRef(view);
  const listeners = useRef(new Set<() => void>());
  const [, setEvalCount] = useState(0);
  const { smoothing, axis, logY } = view;
  useEffect(() => {
    now.current = { smoothing, axis, logY };
    for (const listener of listeners.current) listener();
  }, [smoothing, axis, logY]);
  useEffect(() => {
    const offs = runs.map((run) =>
      run.subscribe?.(() => {
        for (const listener of listeners.current) listener();
        // An evaluation's chart appears with its first point; this is the only thing React hears of new points.
        setEvalCount(evalKeys(runs).length);
      }),
    );
    return () => {
      for (const off of offs) off?.();
    };
  }, [runs]);
  const keys = evalKeys(runs).join("\t");
  return useMemo(() => {
    const source = (build: (runs: readonly ChartRun[], view: View) => ChartSpec): ChartSource => {
      let key = "";
      let spec: ChartSpec | null = null;
      return {
        spec: () => {
          const seen = `${JSON.stringify(now.current)} ${runs.map((run) => run.series.version).join()}`;
          if (spec === null || seen !== key) {
            spec = build(runs, now.current);
            key = seen;
          }
          return spec;
        },
        subscribe: (listener) => {
          listeners.current.add(listener);
          return () => listeners.current.delete(listener);
        },
      };
    };
    return {
      loss: source((all, { smoothing, axis, logY }) => lossSpec(all, smoothing, axis, logY)),
      evals: (keys === "" ? [] : keys.split("\t")).map((key) => ({
        key,
        source: source((all, { axis }) => evalSpec(all, axis, key)),
      })),
      rates: source((all, { smoothing, axis }) => rateSpec(all, smoothing, axis)),
    };
  }, [runs, keys]);
}

/** Task and metric of each chart of scores, in the order in which they were first made. */
export function evalKeys(runs: readonly ChartRun[]): string[] {
  return [...new Set(runs.flatMap((run) => run.series.evals.map(evalKey)))];
}

const MINUTE = 60_000;

/** Where the axis ends before the run does; undefined where nobody knows. */
function endOf(runs: readonly ChartRun[], axis: RunAxis): number | undefined {
  if (axis === "time") return undefined;
  return Math.max(...runs.map((run) => run.steps * (axis === "examples" ? run.examplesPerStep : 1)), 1);
}

const AXIS_LABELS: Record<RunAxis, string> = { step: "step", time: "minutes", examples: "examples" };

function axisOf(runs: readonly ChartRun[], axis: RunAxis): Pick<ChartSpec, "xLabel" | "xEnd"> {
  const xEnd = endOf(runs, axis);
  return { xLabel: AXIS_LABELS[axis], ...(xEnd === undefined ? {} : { xEnd }) };
}

/** x of every step of a run. */
function xOf({ series, examplesPerStep }: ChartRun, axis: RunAxis): Float64Array {
  const { n, step, elapsedMs } = series;
  if (axis === "step") return step;
  return axis === "time"
    ? Float64Array.from({ length: n }, (_, i) => elapsedMs[i]! / MINUTE)
    : Float64Array.from({ length: n }, (_, i) => step[i]! * examplesPerStep);
}

/** x of an evaluation: that of its step. */
function xOfEval({ series, examplesPerStep }: ChartRun, { step }: EvalPoint, axis: RunAxis): number {
  if (axis === "step") return step;
  if (axis === "examples") return step * examplesPerStep;
  if (step === 0 || series.n === 0) return 0;
  return series.elapsedMs[nearestIndex(series.step, series.n, step)]! / MINUTE;
}

export function lossSpec(
  runs: readonly ChartRun[],
  smoothing: number,
  axis: RunAxis = "step",
  logY = false,
): ChartSpec {
  const rules = new Map<string, ChartRule>();
  for (const run of runs)
    if (run.chanceLoss !== null && Number.isFinite(run.chanceLoss)) {
      const label = chanceLabel(run.chanceLoss);
      rules.set(label, { y: run.chanceLoss, label });
    }
  return {
    title: "loss",
    unit: "nats",
    ...axisOf(runs, axis),
    ...(logY ? { logY: true } : {}),
    series: runs.map((run): ChartSeries => {
      const { n, loss } = run.series;
      const x = xOf(run, axis);
      return smoothing > 0
        ? { name: run.name, slot: run.slot, n, x, y: smooth(loss, n, smoothing), raw: loss }
        : { name: run.name, slot: run.slot, n, x, y: loss };
    }),
    rules: [...rules.values()],
    formatY: (value) => formatCompact(value, 3),
  };
}

/** "chance ln 32 = 3.47": what a head that knows nothing would score. */
export function chanceLabel(chance: number): string {
  const batch = Math.round(Math.exp(chance));
  const known = batch >= 2 && Math.abs(Math.log(batch) - chance) < 2e-3;
  return `chance ${known ? `ln ${batch} = ` : ""}${formatFixed(chance, 2)}`;
}

/** @param key of the task and metric, see evalKey; the first one without. */
export function evalSpec(runs: readonly ChartRun[], axis: RunAxis = "step", key = evalKeys(runs)[0]): ChartSpec {
  const pointsOf = (run: ChartRun) => run.series.evals.filter((point) => evalKey(point) === key);
  const rules = new Map<string, ChartRule>();
  for (const run of runs) {
    const base = pointsOf(run).find((point) => point.step === 0);
    if (base === undefined || !Number.isFinite(base.score)) continue;
    const label = `base ${formatFixed(base.score * 100, 2)}`;
    rules.set(label, { y: base.score * 100, label });
  }
  const several = evalKeys(runs).length > 1;
  const [task, metric] = key?.split("\n") ?? [];
  return {
    title: metric === undefined ? "evaluation" : metricName(metric),
    unit: several ? `×100, ${task}` : "×100",
    ...axisOf(runs, axis),
    series: runs.flatMap((run): ChartSeries[] => {
      const points = pointsOf(run);
      if (points.length === 0) return [];
      const column = (read: (point: EvalPoint) => number) => Float64Array.from(points, read);
      return [
        {
          name: run.name,
          slot: run.slot,
          n: points.length,
          x: column((p) => xOfEval(run, p, axis)),
          y: column((p) => p.score * 100),
          low: column((p) => p.low * 100),
          high: column((p) => p.high * 100),
          marks: true,
        },
      ];
    }),
    rules: [...rules.values()],
    formatY: (value) => formatFixed(value, Math.abs(value) >= 1000 ? 0 : 1),
  };
}

export function rateSpec(runs: readonly ChartRun[], smoothing: number, axis: RunAxis = "step"): ChartSpec {
  const several = runs.length > 1;
  const norm = (run: ChartRun): Pick<ChartSeries, "n" | "x" | "y" | "raw"> => {
    const { n, gradNorm } = run.series;
    const x = xOf(run, axis);
    return smoothing > 0 ? { n, x, y: smooth(gradNorm, n, smoothing), raw: gradNorm } : { n, x, y: gradNorm };
  };
  return {
    title: several ? "gradient norm" : "learning rate",
    unit: "",
    ...axisOf(runs, axis),
    ...(several ? { logY: true } : { right: { title: "gradient norm", unit: "", logY: true } }),
    series: runs.flatMap((run): ChartSeries[] => {
      if (several) return [{ name: run.name, slot: run.slot, ...norm(run) }];
      const { n, learningRate } = run.series;
      const other = run.slot === 2 ? 3 : 2;
      return [
        { name: "gradient norm", slot: other, axis: "right", width: 1.5, solid: true, ...norm(run) },
        { name: "learning rate", slot: run.slot, n, x: xOf(run, axis), y: learningRate },
      ];
    }),
    rules: [],
    formatY: (value) => formatCompact(value, 3),
  };
}

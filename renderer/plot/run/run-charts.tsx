/** The curves of one or several runs: loss, evaluation, learning rate and gradient norm. */
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { announce } from "../../ui/announce.ts";
import { formatCompact, formatFixed } from "../../ui/numbers.ts";
import { type ChartSource, LineChart } from "../line-chart.tsx";
import type { ChartRule, ChartSeries, ChartSpec } from "../line-chart-draw.ts";
import { metricName } from "../metric-names.ts";
import { smooth } from "../smooth.ts";
import type { RunSeries } from "./run-series.ts";
import "./run.css";

export interface ChartRun {
  id: string;
  name: string;
  /** Category slot: identity of the run in every chart. */
  slot: number;
  series: RunSeries;
  chanceLoss: number | null;
  base: { metric: string; score: number; low: number; high: number } | null;
  steps: number;
  /** Tells when the series changed; absent for a fixed one. */
  subscribe?: (listener: () => void) => () => void;
}

interface Props {
  runs: readonly ChartRun[];
  smoothing: number;
  onSmoothing(value: number): void;
  height?: number;
}

export const SMOOTHING_STEPS = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98];

export function RunCharts({ runs, smoothing, onSmoothing, height = 216 }: Props) {
  const sources = useRunSources(runs, smoothing);
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
  const hasEvals = runs.some((run) => run.base !== null) || sources.evals.spec().series.length > 0;
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
      </div>
      <div className={`run-charts ${hasEvals ? "run-charts-3" : "run-charts-2"}`}>
        <LineChart source={sources.loss} fileName={`${name} loss`} height={height} />
        {hasEvals && <LineChart source={sources.evals} fileName={`${name} evaluation`} height={height} />}
        <LineChart source={sources.rates} fileName={`${name} learning rate`} height={height} />
      </div>
    </div>
  );
}

/** Charts as sources: each builds its description again only when a series or the smoothing changed. */
function useRunSources(runs: readonly ChartRun[], smoothing: number) {
  const weight = useRef(smoothing);
  const listeners = useRef(new Set<() => void>());
  const [, setEvalCount] = useState(0);
  useEffect(() => {
    weight.current = smoothing;
    for (const listener of listeners.current) listener();
  }, [smoothing]);
  useEffect(() => {
    const offs = runs.map((run) =>
      run.subscribe?.(() => {
        for (const listener of listeners.current) listener();
        // The evaluation chart appears with its first point; this is the only thing React hears of new points.
        setEvalCount(runs.reduce((sum, r) => sum + Math.min(1, r.series.evals.length), 0));
      }),
    );
    return () => {
      for (const off of offs) off?.();
    };
  }, [runs]);
  return useMemo(() => {
    const source = (build: (runs: readonly ChartRun[], smoothing: number) => ChartSpec): ChartSource => {
      let key = "";
      let spec: ChartSpec | null = null;
      return {
        spec: () => {
          const now = `${weight.current} ${runs.map((run) => run.series.version).join()}`;
          if (spec === null || now !== key) {
            spec = build(runs, weight.current);
            key = now;
          }
          return spec;
        },
        subscribe: (listener) => {
          listeners.current.add(listener);
          return () => listeners.current.delete(listener);
        },
      };
    };
    return { loss: source(lossSpec), evals: source(evalSpec), rates: source(rateSpec) };
  }, [runs]);
}

const lastStep = (runs: readonly ChartRun[]) => Math.max(...runs.map((run) => run.steps), 1);

export function lossSpec(runs: readonly ChartRun[], smoothing: number): ChartSpec {
  const rules = new Map<string, ChartRule>();
  for (const run of runs)
    if (run.chanceLoss !== null && Number.isFinite(run.chanceLoss)) {
      const label = chanceLabel(run.chanceLoss);
      rules.set(label, { y: run.chanceLoss, label });
    }
  return {
    title: "loss",
    unit: "nats",
    xLabel: "step",
    xEnd: lastStep(runs),
    series: runs.map((run): ChartSeries => {
      const { n, step, loss } = run.series;
      return smoothing > 0
        ? { name: run.name, slot: run.slot, n, x: step, y: smooth(loss, n, smoothing), raw: loss }
        : { name: run.name, slot: run.slot, n, x: step, y: loss };
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

export function evalSpec(runs: readonly ChartRun[]): ChartSpec {
  const metrics = runs
    .flatMap((run) => [run.base?.metric, ...run.series.evals.map((point) => point.metric)])
    .filter((m) => m !== undefined);
  const metric = metrics[0];
  const rules = new Map<string, ChartRule>();
  for (const run of runs)
    if (run.base && run.base.metric === metric && Number.isFinite(run.base.score)) {
      const label = `base ${formatFixed(run.base.score * 100, 2)}`;
      rules.set(label, { y: run.base.score * 100, label });
    }
  return {
    title: metric ? metricName(metric) : "evaluation",
    unit: "×100",
    xLabel: "step",
    xEnd: lastStep(runs),
    series: runs.flatMap((run): ChartSeries[] => {
      const points = run.series.evals.filter((point) => point.metric === metric);
      if (points.length === 0) return [];
      const column = (read: (point: (typeof points)[number]) => number) => Float64Array.from(points, read);
      return [
        {
          name: run.name,
          slot: run.slot,
          n: points.length,
          x: column((p) => p.step),
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

export function rateSpec(runs: readonly ChartRun[], smoothing: number): ChartSpec {
  const several = runs.length > 1;
  const norm = (run: ChartRun): Pick<ChartSeries, "n" | "x" | "y" | "raw"> => {
    const { n, step, gradNorm } = run.series;
    return smoothing > 0
      ? { n, x: step, y: smooth(gradNorm, n, smoothing), raw: gradNorm }
      : { n, x: step, y: gradNorm };
  };
  return {
    title: several ? "gradient norm" : "learning rate",
    unit: "",
    xLabel: "step",
    xEnd: lastStep(runs),
    ...(several ? { logY: true } : { right: { title: "gradient norm", unit: "", logY: true } }),
    series: runs.flatMap((run): ChartSeries[] => {
      if (several) return [{ name: run.name, slot: run.slot, ...norm(run) }];
      const { n, step, learningRate } = run.series;
      const other = run.slot === 2 ? 3 : 2;
      return [
        { name: "gradient norm", slot: other, axis: "right", width: 1.5, solid: true, ...norm(run) },
        { name: "learning rate", slot: run.slot, n, x: step, y: learningRate },
      ];
    }),
    rules: [],
    formatY: (value) => formatCompact(value, 3),
  };
}

/** A fine-tune under its cell: live from its folder while that is there, else what was known when the cell ended. */
import { useCallback, useMemo, useState } from "react";
import type { RunView as RunViewData } from "../../../kernels/protocol/display.ts";
import { runTitle } from "../../../kernels/protocol/run-files.ts";
import { metricName } from "../../plot/metric-names.ts";
import { type ChartRun, RunCharts } from "../../plot/run/run-charts.tsx";
import { evalKey, RunSeries } from "../../plot/run/run-series.ts";
import { RunBadge, RunStateLine } from "../../plot/run/run-state.tsx";
import { useFeed } from "../../plot/run/use-feed.ts";
import { formatCount, formatFixed, formatSigned } from "../../ui/numbers.ts";

export function RunView({ view }: { view: RunViewData }) {
  const feed = useFeed(view.folder);
  const live = feed !== null && feed.state === "watching" && feed.run !== null;
  const [smoothing, setSmoothing] = useState(0.6);
  const snapshot = useMemo(() => {
    const series = new RunSeries();
    series.add(view.snapshot);
    return series;
  }, [view]);
  const series = live ? feed.series : snapshot;
  const subscribe = useCallback(
    (listener: () => void) => (live && feed ? feed.subscribe(listener) : () => undefined),
    [live, feed],
  );
  // The cell replaces its display as it trains; the charts are made anew only when what they need has changed.
  const { folder, steps, chanceLoss } = view;
  // Called as on the Runs screen, where it may have been given another name.
  const name = live ? runTitle(feed.run!) : view.name;
  const { batchSize = 1, accumulate = 1 } = live ? feed.run!.config : {};
  const runs = useMemo<ChartRun[]>(
    () => [
      {
        id: folder,
        name,
        slot: 1,
        series,
        chanceLoss: chanceLoss !== null && Number.isFinite(chanceLoss) ? chanceLoss : null,
        steps,
        examplesPerStep: batchSize * accumulate,
        subscribe,
      },
    ],
    [folder, name, steps, chanceLoss, batchSize, accumulate, series, subscribe],
  );
  return (
    <section className="out-run" aria-label={`Run ${view.name}`}>
      {live ? (
        <RunStateLine run={feed.run!} slot={1} />
      ) : (
        <div className="run-line">
          <RunBadge word={view.state} />
          <span className="run-name">{view.name}</span>
          <span className="run-facts">
            step {formatCount(series.n > 0 ? series.step[series.n - 1]! : 0)} of {formatCount(view.steps)}
            {feed?.state === "missing" &&
              " · the run's folder is not on this computer, these are the values saved with the notebook"}
          </span>
        </div>
      )}
      {live && feed.run?.status.error && (
        <p className="out-run-error">
          ✕ {feed.run.status.error.message} {feed.run.status.error.hint}
        </p>
      )}
      <RunCharts runs={runs} smoothing={smoothing} onSmoothing={setSmoothing} />
      <EvalSentences series={series} />
    </section>
  );
}

/** Before and after in words, with n and seed, a line a task; nothing when no task was given. */
function EvalSentences({ series }: { series: RunSeries }) {
  const keys = [...new Set(series.evals.map(evalKey))];
  const x100 = (v: number) => formatFixed(v * 100, 2);
  return keys.map((key) => {
    const points = series.evals.filter((point) => evalKey(point) === key);
    const base = points.find((point) => point.step === 0);
    if (base === undefined) return null;
    const last = points.at(-1)!;
    return (
      <p key={key} className="out-note">
        {keys.length > 1 && `${base.task}, `}
        {metricName(base.metric)} ×100: base {x100(base.score)} [{x100(base.low)}, {x100(base.high)}]
        {last.step > 0 && (
          <>
            {" → "}step {formatCount(last.step)} {x100(last.score)} [{x100(last.low)}, {x100(last.high)}],{" "}
            {formatSigned((last.score - base.score) * 100, 2)}
          </>
        )}{" "}
        · n = {formatCount(base.n)}, seed {formatFixed(base.seed, 0)}
      </p>
    );
  });
}

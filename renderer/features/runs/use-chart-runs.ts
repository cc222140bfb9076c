import { useContext, useEffect, useMemo, useState } from "react";
import { chanceLoss, runTitle } from "../../../kernels/protocol/run-files.ts";
import type { ChartRun } from "../../plot/run/run-charts.tsx";
import { openFeed, type RunFeed } from "../../plot/run/run-feed.ts";
import { AppContext } from "../../state/hooks.ts";
import type { RunsView } from "./runs-state.ts";

/** Watches the runs that are shown (and the open one), and joins them to what the charts need. */
export function useChartRuns(view: RunsView): { chartRuns: ChartRun[]; feeds: ReadonlyMap<string, RunFeed> } {
  const client = useContext(AppContext)?.client ?? null;
  const [feeds, setFeeds] = useState<ReadonlyMap<string, RunFeed>>(new Map());
  const [loads, setLoads] = useState(0);
  const key = [...new Set([...view.shown, ...(view.open === null ? [] : [view.open])])].join("\n");
  useEffect(() => {
    if (client === null || key === "") {
      setFeeds(new Map());
      return;
    }
    const opened = key.split("\n").map((folder) => openFeed(client, folder));
    setFeeds(new Map(opened.map(([feed]) => [feed.folder, feed])));
    // Only the first load of each feed matters to React: it brings the base score.
    const offs = opened.map(([feed]) => {
      let state = feed.state;
      let evals = feed.series.evals.length;
      return feed.subscribe(() => {
        if (feed.state === state && feed.series.evals.length === evals) return;
        state = feed.state;
        evals = feed.series.evals.length;
        setLoads((n) => n + 1);
      });
    });
    return () => {
      for (const off of offs) off();
      for (const [, close] of opened) close();
    };
  }, [client, key]);

  const titles = view.runs.map(runTitle).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: `loads` says that a feed has its first points
  const chartRuns = useMemo<ChartRun[]>(
    () =>
      view.shown.flatMap((folder) => {
        const run = view.runs.find((candidate) => candidate.folder === folder);
        const feed = feeds.get(folder);
        if (!run || !feed) return [];
        const { steps, batchSize, accumulate } = run.config;
        return [
          {
            id: folder,
            name: runTitle(run),
            slot: view.slots[folder] ?? 0,
            series: feed.series,
            chanceLoss: chanceLoss(run.config),
            steps,
            examplesPerStep: batchSize * accumulate,
            subscribe: feed.subscribe,
          },
        ];
      }),
    // The list object changes with every status line; what the charts need of it does not.
    [view.shown, view.slots, view.runs.length, titles, feeds, loads],
  );
  return { chartRuns, feeds };
}

import { describe, expect, it } from "vitest";
import {
  defaultComparison,
  EMPTY_VIEW,
  type RunsAction,
  type RunsView,
  reduceRuns,
} from "../../../renderer/features/runs/runs-state.ts";
import { chanceLabel, evalKeys, evalSpec, lossSpec } from "../../../renderer/plot/run/run-charts.tsx";
import { RunSeries } from "../../../renderer/plot/run/run-series.ts";
import { runWord } from "../../../renderer/plot/run/run-state.tsx";
import { runMetrics, runSummary } from "../../support/output-fixtures.ts";

const runs = [
  runSummary("old", { createdAt: "2026-01-01T00:00:00Z" }),
  runSummary("new", { createdAt: "2026-03-01T00:00:00Z", state: "running", step: 10 }),
  runSummary("mid", { createdAt: "2026-02-01T00:00:00Z", state: "running", alive: false }),
];
const [old, fresh, mid] = runs.map((run) => run.folder) as [string, string, string];
const play = (...actions: RunsAction[]): RunsView => actions.reduce(reduceRuns, EMPTY_VIEW);

describe("the state of the runs screen", () => {
  it("opens the newest run by default and follows a newer one until something was chosen", () => {
    const listed = play({ type: "listed", runs });
    expect([listed.open, listed.shown, listed.slots]).toEqual([fresh, [fresh], { [fresh]: 1 }]);
    const newer = runSummary("newer", { createdAt: "2026-04-01T00:00:00Z" });
    expect(reduceRuns(listed, { type: "listed", runs: [...runs, newer] }).open).toBe(newer.folder);
    const chosen = reduceRuns(listed, { type: "toggled", folder: old });
    expect(reduceRuns(chosen, { type: "listed", runs: [...runs, newer] }).shown).toEqual([fresh, old]);
  });

  it("keeps a run's colour when others come and go", () => {
    const view = play(
      { type: "listed", runs },
      { type: "toggled", folder: old },
      { type: "toggled", folder: fresh },
      { type: "toggled", folder: mid },
      { type: "toggled", folder: fresh },
    );
    expect([view.shown, view.slots]).toEqual([[old, mid, fresh], { [fresh]: 1, [old]: 2, [mid]: 3 }]);
  });

  it("forgets runs that are gone", () => {
    const view = play({ type: "listed", runs }, { type: "opened", folder: old }, { type: "listed", runs: [runs[1]!] });
    expect([view.open, view.shown]).toEqual([fresh, []]);
  });
});

describe("runs that are compared or awaited", () => {
  it("are the ticked ones with the base first, else the base and the two newest that are done", () => {
    const label = { name: "", notes: "", pinned: true };
    const done = ["d1", "d2", "d3"].map((name, i) => runSummary(name, { createdAt: `2026-05-0${i + 1}T00:00:00Z` }));
    const pinned = { ...runs[2]!, label };
    const listed = play({ type: "listed", runs: [...done, pinned] });
    expect(defaultComparison(listed)).toEqual([pinned.folder, done[2]!.folder, done[1]!.folder]);
    const ticked = [done[0]!.folder, pinned.folder].reduce(
      (view, folder) => reduceRuns(view, { type: "toggled", folder }),
      listed,
    );
    expect(defaultComparison(ticked)).toEqual([pinned.folder, done[2]!.folder, done[0]!.folder]);
  });

  it("open by themselves when a cell has started them, beside what was shown", () => {
    const view = play({ type: "listed", runs }, { type: "opened", folder: old }, { type: "awaited" });
    expect(reduceRuns(view, { type: "listed", runs }).open).toBe(old);
    const newer = runSummary("newer", { createdAt: "2026-04-01T00:00:00Z" });
    const after = reduceRuns(view, { type: "listed", runs: [...runs, newer] });
    expect([after.open, after.shown, after.awaiting]).toEqual([newer.folder, [old, newer.folder], null]);
  });
});

describe("a run", () => {
  it("is killed when its status says running and no process lives", () => {
    expect(runs.map(runWord)).toEqual(["done", "running", "killed"]);
  });

  it("replaces steps that a resumed run writes again", () => {
    const series = new RunSeries();
    series.add(runMetrics(100, { seed: 1, evalEvery: 50 }));
    series.add(runMetrics(100, { seed: 2, evalEvery: 50 }).filter((m) => m.step > 60 && m.step <= 80));
    expect([series.n, series.step[series.n - 1], series.evals.map((e) => e.step)]).toEqual([80, 80, [0, 50, 100]]);
  });

  it("draws each task apart, by step, time or examples", () => {
    const series = new RunSeries();
    series.add(runMetrics(100, { evalEvery: 50 }));
    const first = series.evals.slice();
    series.add(first.map((point) => ({ kind: "eval", ...point, task: "SciFact", metric: "ndcg_at_10" })));
    const run = { ...{ id: "a", name: "a", slot: 1, series, chanceLoss: null }, steps: 100, examplesPerStep: 64 };
    expect(evalKeys([run])).toHaveLength(2);
    const spec = evalSpec([run], "examples", evalKeys([run])[1]!);
    expect([spec.title, spec.unit, spec.xEnd, Array.from(spec.series[0]!.x)]).toEqual([
      "nDCG@10",
      "×100, SciFact",
      6400,
      [0, 3200, 6400],
    ]);
    const byTime = lossSpec([run], 0, "time", true);
    expect([byTime.xLabel, byTime.logY, byTime.series[0]!.x[99]]).toEqual([
      "minutes",
      true,
      series.elapsedMs[99]! / 60_000,
    ]);
  });

  it("draws chance and base as rules, each once", () => {
    const series = new RunSeries();
    series.add(runMetrics(100, { evalEvery: 50 }));
    const run = {
      id: "a",
      name: "a",
      slot: 1,
      series,
      chanceLoss: Math.log(32),
      steps: 100,
      examplesPerStep: 32,
    };
    const other = { ...run, id: "b", name: "b", slot: 2 };
    expect(lossSpec([run, other], 0.6).rules).toEqual([{ y: Math.log(32), label: "chance ln 32 = 3.47" }]);
    const evals = evalSpec([run, other]);
    expect(evals.rules.map((rule) => rule.label)).toEqual([`base ${(series.evals[0]!.score * 100).toFixed(2)}`]);
    expect(evals.series.map((s) => [s.name, s.n, s.marks])).toEqual([
      ["a", 3, true],
      ["b", 3, true],
    ]);
    expect([chanceLabel(Math.log(16)), chanceLabel(1.234)]).toEqual(["chance ln 16 = 2.77", "chance 1.23"]);
  });
});

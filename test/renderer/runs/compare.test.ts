import { describe, expect, it } from "vitest";
import {
  againstBase,
  type Compared,
  compareRows,
  comparisonCell,
  comparisonCsv,
  comparisonMarkdown,
  finalScore,
  unfairNotes,
  visibleRows,
} from "../../../renderer/features/runs/compare.ts";
import { RunSeries } from "../../../renderer/plot/run/run-series.ts";
import { runMetrics, runSummary } from "../../support/output-fixtures.ts";

function compared(name: string, change: Partial<Compared["run"]["config"]> = {}, n = 1379, until = 100): Compared {
  const series = new RunSeries();
  const metrics = runMetrics(100, { evalEvery: 50, until });
  series.add(metrics.map((metric) => (metric.kind === "eval" ? { ...metric, n } : metric)));
  const run = runSummary(name, { step: until });
  return { run: { ...run, config: { ...run.config, ...change } }, series, details: null };
}
const find = (rows: ReturnType<typeof compareRows>, name: string) => rows.find((row) => row.name === name);

describe("a comparison of runs", () => {
  it("shows only what differs; a value that a run lacks is a dash and a difference, never 0", () => {
    const rows = compareRows([
      compared("a"),
      compared("b", { learningRate: 5e-5, lora: { rank: 8, alpha: 16, dropout: 0, targets: ["query", "value"] } }),
    ]);
    expect(visibleRows(rows, true, "").map(({ name }) => name)).toEqual(["learning rate", "adapters"]);
    expect(find(rows, "learning rate")!.cells.map(({ text }) => text)).toEqual(["2e−5", "5e−5"]);
    expect(find(rows, "adapters")!.cells.map(({ text }) => text)).toEqual(["–", "LoRA 8, alpha 16, query value"]);
    expect(find(rows, "Matryoshka")).toBeUndefined();
    expect(visibleRows(rows, false, "SEED").map(({ name }) => name)).toEqual(["seed"]);
  });

  it("takes the score of the exported step, else of the newest; a run that was cut off early has none", () => {
    const all = compared("a");
    const points = all.series!.evals;
    expect(finalScore(all.run, points)?.step).toBe(100);
    const run = { ...all.run, status: { ...all.run.status, exportedStep: 50 } };
    expect(finalScore(run, points)?.step).toBe(50);
    const early = compared("b", {}, 1379, 12);
    const rows = compareRows([all, early]);
    expect(rows[0]!.cells[1]!.text).toBe("–");
    expect(rows[1]!.name).toBe("cosine Spearman ×100, untrained");
    expect(unfairNotes([all, early])[0]!.text).toBe(
      "b has no score after training (done at step 12, no checkpoint). Curves only.",
    );
  });

  it("says when it is unfair: other sets, other settings, a missing task", () => {
    const texts = (all: Compared[]) => unfairNotes(all).map(({ text }) => text);
    expect(texts([compared("a"), compared("b", {}, 1200)])[0]).toBe(
      "Different evaluation sets: STS Benchmark test has 1,379 and 1,200 rows. Their cosine Spearman cannot be compared.",
    );
    expect(texts([compared("a"), compared("b", { learningRate: 1, seed: 9 })])).toEqual([
      "The runs differ in learning rate and seed: a difference may come from any of these.",
    ]);
    expect(texts([compared("a"), compared("b", { learningRate: 1 })])).toEqual([]);
    const details = (sha256: string) => ({
      ...{ rows: [], report: null, checkpoints: [], exported: true },
      evaluation: [{ file: "data/task.json", sha256 }],
    });
    const one = { ...compared("a"), details: details("aa") };
    expect(texts([one, { ...compared("b"), details: details("bb") }])[0]).toContain("the files differ");
    const other = compared("c");
    const scored = new RunSeries();
    scored.add(runMetrics(100, { evalEvery: 50 }).map((m) => (m.kind === "eval" ? { ...m, task: "SciFact" } : m)));
    expect(texts([compared("a"), { ...other, series: scored }]).join(" ")).toContain(
      "c was not scored on STS Benchmark test",
    );
  });

  it("calls a difference one only where the intervals are apart", () => {
    const score = (value: number) => ({ score: value, low: value - 0.01, high: value + 0.01, n: 100, step: 1 });
    expect(againstBase(score(0.65), score(0.6))).toBe("+5.00, intervals apart");
    expect(againstBase(score(0.6), score(0.61))).toBe("−1.00, no clear difference");
    expect(againstBase(score(0.6), { ...score(0.6), n: 90 })).toBe("other evaluation set");
    expect(againstBase(score(0.9), score(0.6), false)).toBe("other evaluation set");
    expect(againstBase(undefined, score(0.6))).toBeNull();
  });

  it("goes out as a table with intervals and n, and as a cell that opens the folders", () => {
    const all = [compared("a"), compared("b", { learningRate: 5e-5 })];
    const rows = visibleRows(compareRows(all), false, "spearman");
    expect(comparisonCsv(["a", "b"], rows).split("\n")[1]).toMatch(
      /^cosine Spearman ×100,"\d\d\.\d\d \[.*\], n 1379",/,
    );
    expect(comparisonMarkdown(["a|x", "b"], rows)).toContain("| a\\|x | b |");
    const cell = comparisonCell(all.map(({ run }) => run.folder));
    expect(cell).toContain('openRun("/home/ada/notebooks/runs/20260301-a")');
  });
});

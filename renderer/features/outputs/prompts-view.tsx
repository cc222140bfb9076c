/** Prompts compared on one task: scores, differences with their intervals, what moved, and what the gap is worth. */
import { useMemo, useState } from "react";
import type { PromptReport, PromptScore } from "../../../kernels/protocol/results.ts";
import { metricName } from "../../plot/metric-names.ts";
import { Button } from "../../ui/button.tsx";
import { DataTable, type TableData } from "../../ui/data-table.tsx";
import { formatCount, formatDuration, formatFixed, formatSigned } from "../../ui/numbers.ts";
import { ForestPlot } from "./forest-plot.tsx";
import { encoderText, Warnings } from "./task-view.tsx";

const x100 = (v: number, decimals = 2) => formatFixed(v * 100, decimals);

export function PromptsView({ report }: { report: PromptReport }) {
  const warnings = useMemo(() => collectWarnings(report), [report]);
  const level = formatFixed((report.scores[0]?.interval.level ?? 0.95) * 100, 0);
  return (
    <section className="out-result" aria-label={`Prompts compared on ${report.task}`}>
      <Warnings warnings={warnings} />
      <h3 className="out-result-title">
        {report.scores.length} prompts on {report.task}
      </h3>
      <p className="out-note">
        {metricName(report.metric)} ×100 · n = {formatCount(report.n)} {report.unit} · seed{" "}
        {formatFixed(report.seed, 0)} · {encoderText(report.encoder)}
        {Number.isFinite(report.elapsedMs) && ` · ${formatDuration(report.elapsedMs)}`}
      </p>
      <div className="out-scroll">
        <table className="out-prompts">
          <thead>
            <tr>
              <th scope="col">prompt</th>
              <th scope="col" className="out-num">
                score
              </th>
              <th scope="col">{level} % interval</th>
              <th scope="col">Δ to {report.baseline}</th>
              <th scope="col" className="out-num">
                p (Holm)
              </th>
              <th scope="col">template</th>
            </tr>
          </thead>
          <tbody>
            {report.scores.map((score, i) => (
              <PromptRow key={score.name} report={report} score={score} baseline={i === 0} />
            ))}
          </tbody>
        </table>
      </div>
      <p className="out-gap">{gapSentence(report)}</p>
      <ForestPlot report={report} />
      <Moved report={report} />
      <p className="out-note">
        Intervals: {report.scores[0]?.interval.method || "not stated"}. Differences:{" "}
        {report.gapInterval.method || "not stated"}. p: two-sided paired permutation test, Holm's correction over{" "}
        {report.scores.length - 1} comparisons.
      </p>
    </section>
  );
}

function PromptRow({ report, score, baseline }: { report: PromptReport; score: PromptScore; baseline: boolean }) {
  const word = score.name === report.best ? "best" : score.name === report.worst ? "worst" : null;
  return (
    <tr>
      <th scope="row">
        {score.name}
        {word && report.scores.length > 1 && <span className="out-tag">{word}</span>}
      </th>
      <td className="out-num out-strong">{x100(score.score)}</td>
      <td className="out-tab">
        {x100(score.interval.low)} to {x100(score.interval.high)}
      </td>
      <td className="out-tab">
        {baseline ? <span className="out-muted">baseline</span> : <Delta score={score} n={report.n} />}
      </td>
      <td className="out-num">{baseline ? "" : pText(score.pHolm)}</td>
      <td className="out-template">
        <Templates template={score.template} />
      </td>
    </tr>
  );
}

function Delta({ score, n }: { score: PromptScore; n: number }) {
  if (!Number.isFinite(score.delta)) return <span className="out-muted">–</span>;
  if (!score.clear)
    return (
      <span
        className="out-muted"
        title={`${formatSigned(score.delta * 100, 2)}, interval ${x100(score.deltaInterval.low)} to ${x100(score.deltaInterval.high)}`}
      >
        no clear difference (n = {formatCount(n)})
      </span>
    );
  const half = ((score.deltaInterval.high - score.deltaInterval.low) / 2) * 100;
  const up = score.delta > 0;
  return (
    <span>
      <span aria-hidden="true" className={up ? "out-up" : "out-down"}>
        {up ? "▲" : "▼"}
      </span>
      <span className="visually-hidden">{up ? "up " : "down "}</span> <b>{formatSigned(score.delta * 100, 2)}</b> ±{" "}
      {formatFixed(half, 2)}
    </span>
  );
}

function pText(p: number): string {
  if (!Number.isFinite(p)) return "–";
  return p < 0.001 ? "< .001" : formatFixed(p, 3).replace(/^0/, "");
}

function Templates({ template }: { template: Record<string, string> }) {
  const sides = Object.entries(template);
  if (sides.every(([, text]) => text === "" || text === "{text}")) return <span className="out-muted">no prompt</span>;
  return (
    <>
      {sides
        .filter(([, text]) => text !== "" && text !== "{text}")
        .map(([side, text]) => (
          <span key={side} className="out-prompt-side">
            {sides.length > 1 && <span className="out-muted">{side} </span>}
            <code>{text}</code>{" "}
          </span>
        ))}
    </>
  );
}

/** The gap of best and worst beside what equal prompts would show by chance. */
export function gapSentence(report: PromptReport): string {
  if (report.scores.length < 2) return "One prompt only: there is no gap to measure.";
  const interval = `${formatFixed(report.gapInterval.level * 100, 0)} % interval ${x100(report.gapInterval.low)} to ${x100(report.gapInterval.high)}`;
  const chance = Number.isFinite(report.gapByChance)
    ? ` ${report.scores.length} equal prompts would differ by ${x100(report.gapByChance)} by chance.`
    : "";
  return `Gap of best (${report.best}) and worst (${report.worst}): ${x100(report.gap)}, ${interval}.${chance}`;
}

function collectWarnings(report: PromptReport): string[] {
  const by = new Map<string, string[]>();
  for (const score of report.scores)
    for (const warning of score.report.warnings) by.set(warning, [...(by.get(warning) ?? []), score.name]);
  return [...by].map(([warning, names]) =>
    names.length === report.scores.length ? warning : `${names.join(", ")}: ${warning}`,
  );
}

function Moved({ report }: { report: PromptReport }) {
  const names = useMemo(() => [...new Set(report.moved.map((m) => m.prompt))], [report]);
  const [filter, setFilter] = useState<"all" | "helped" | "hurt">("all");
  const rows = useMemo(
    () => report.moved.filter((m) => filter === "all" || (filter === "helped" ? m.gain > 0 : m.gain < 0)),
    [report, filter],
  );
  if (report.moved.length === 0) return null;
  const table: TableData = {
    columns: [
      { name: "row", kind: "number", decimals: 0 },
      { name: "text", kind: "text", width: 380 },
      ...(names.length > 1 ? [{ name: "prompt", kind: "text" as const }] : []),
      { name: "change", kind: "text" },
      { name: "gain", kind: "number", decimals: 3 },
      { name: "cosine", kind: "number", decimals: 3 },
    ],
    rows: rows.map((m) => [m.row, m.text, ...(names.length > 1 ? [m.prompt] : []), m.change, m.gain, m.cosine]),
  };
  const count = (sign: 1 | -1) => report.moved.filter((m) => Math.sign(m.gain) === sign).length;
  const button = (value: typeof filter, label: string) => (
    <Button
      size="small"
      tone="quiet"
      className="plot-toggle"
      aria-pressed={filter === value}
      onClick={() => setFilter(value)}
    >
      {label}
    </Button>
  );
  return (
    <div className="out-moved">
      <div className="plot-bar">
        <h4 className="out-subtitle">Texts that moved most</h4>
        {button("all", `all ${report.moved.length}`)}
        {button("helped", `helped ${count(1)}`)}
        {button("hurt", `hurt ${count(-1)}`)}
      </div>
      <DataTable
        label={`Texts that moved most, ${filter}`}
        table={table}
        maxHeight={260}
        hideFooter={rows.length < 8}
        renderCell={(value, row, column) =>
          table.columns[column]?.name === "gain" && typeof value === "number" ? (
            <span>
              <span className={value > 0 ? "out-up" : "out-down"} aria-hidden="true">
                {value > 0 ? "▲ " : value < 0 ? "▼ " : ""}
              </span>
              {formatSigned(value, 3)}
              {void row}
            </span>
          ) : undefined
        }
      />
    </div>
  );
}

/** Differences to the baseline with their intervals, one row a prompt, around zero. */
import { useMemo } from "react";
import type { PromptReport } from "../../../kernels/protocol/results.ts";
import { FigureFrame } from "../../plot/figure-frame.tsx";
import { linearTicks } from "../../plot/line-chart-draw.ts";
import { metricName } from "../../plot/metric-names.ts";
import { drawPng, type Pen, SvgPen } from "../../plot/pen.ts";
import { type PlotTheme, plotTheme, usePlotTheme } from "../../plot/theme.ts";
import { formatCompact, formatFixed, formatSigned } from "../../ui/numbers.ts";

const ROW = 28;
const WIDTH = 640;

export function ForestPlot({ report }: { report: PromptReport }) {
  const theme = usePlotTheme();
  const height = forestHeight(report);
  const svg = useMemo(() => {
    const pen = new SvgPen(WIDTH, height, theme.font);
    drawForest(pen, report, theme);
    return pen.toString();
  }, [report, theme, height]);
  const label = `Differences to ${report.baseline} in ${metricName(report.metric)}`;
  const clear = report.scores.slice(1).filter((s) => s.clear);
  const spoken = `${label}. ${clear.length === 0 ? "No prompt differs clearly" : clear.map((s) => `${s.name} ${formatSigned(s.delta * 100, 2)}`).join(", ")}.`;
  return (
    <FigureFrame
      label={label}
      exports={{
        fileName: `${report.task} prompts`,
        png: () => drawPng(WIDTH, height, theme.font, (pen) => drawForest(pen, report, plotTheme())),
        svg: () => svg,
        table: () => ({
          columns: [
            { name: "prompt", kind: "text" },
            { name: "Δ", kind: "number", decimals: 2, unit: "×100" },
            { name: "low", kind: "number", decimals: 2 },
            { name: "high", kind: "number", decimals: 2 },
          ],
          rows: report.scores.map((s) => [
            s.name,
            s.delta * 100,
            s.deltaInterval.low * 100,
            s.deltaInterval.high * 100,
          ]),
        }),
      }}
    >
      <img
        className="out-forest"
        width={WIDTH}
        height={height}
        alt={spoken}
        src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`}
      />
    </FigureFrame>
  );
}

function forestHeight(report: PromptReport): number {
  return report.scores.length * ROW + 58;
}

export function drawForest(pen: Pen, report: PromptReport, theme: PlotTheme): void {
  const height = forestHeight(report);
  pen.rect(0, 0, WIDTH, height, { fill: theme.bg });
  const finite = report.scores
    .flatMap((s) => [s.delta, s.deltaInterval.low, s.deltaInterval.high])
    .filter(Number.isFinite)
    .map((v) => v * 100);
  const reach = Math.max(0.5, ...finite.map(Math.abs)) * 1.08;
  const names = report.scores.map((s) => (s.name.length > 26 ? `${s.name.slice(0, 25)}…` : s.name));
  const x0 = Math.min(200, Math.max(70, ...names.map((name) => pen.measure(name, 12) + 24)));
  const x1 = WIDTH - 96;
  const toX = (v: number) => x0 + ((v + reach) / (2 * reach)) * (x1 - x0);
  const top = 8;
  const base = top + report.scores.length * ROW;
  for (const tick of linearTicks(-reach, reach, 6)) {
    const x = Math.round(toX(tick)) + 0.5;
    pen.polyline([x, top, x, base], { stroke: theme.border });
    pen.text(formatCompact(tick), x, base + 8, {
      fill: theme.muted,
      size: 11,
      weight: 500,
      align: "center",
      baseline: "top",
    });
  }
  const zero = Math.round(toX(0)) + 0.5;
  pen.polyline([zero, top, zero, base + 4], { stroke: theme.text, width: 1.25 });
  pen.text(`difference to ${report.baseline}, ${metricName(report.metric)} ×100`, (x0 + x1) / 2, base + 40, {
    fill: theme.muted,
    size: 11,
    weight: 500,
    align: "center",
  });
  for (const [i, score] of report.scores.entries()) {
    const y = top + i * ROW + ROW / 2;
    pen.text(names[i]!, x0 - 12, y, { fill: theme.text, size: 12, align: "right", baseline: "middle" });
    if (i === 0) {
      pen.marker("diamond", zero, y, 4.5, { fill: theme.bg, stroke: theme.text, width: 1.5 });
      pen.text("baseline", x1 + 10, y, { fill: theme.muted, size: 11, baseline: "middle" });
      continue;
    }
    const [low, delta, high] = [score.deltaInterval.low * 100, score.delta * 100, score.deltaInterval.high * 100];
    const colour = score.clear ? theme.categories[delta > 0 ? 0 : 1]! : theme.faint;
    if (Number.isFinite(low) && Number.isFinite(high)) {
      const [a, b] = [toX(low), toX(high)];
      pen.polyline([a, y, b, y], { stroke: colour, width: 2 });
      pen.polyline([a, y - 4, a, y + 4, Number.NaN, Number.NaN, b, y - 4, b, y + 4], { stroke: colour, width: 2 });
    }
    if (Number.isFinite(delta))
      pen.marker(score.clear ? (delta > 0 ? "circle" : "triangle-down") : "ring", toX(delta), y, 4.5, { fill: colour });
    pen.text(Number.isFinite(delta) ? formatSigned(delta, 2) : formatFixed(delta, 2), WIDTH - 12, y, {
      fill: score.clear ? theme.text : theme.muted,
      size: 12,
      weight: score.clear ? 600 : 400,
      align: "right",
      baseline: "middle",
    });
  }
}

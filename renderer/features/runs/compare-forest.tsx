/** Scores of the compared runs with their intervals on one scale. */
import { FigureFrame } from "../../plot/figure-frame.tsx";
import { linearTicks } from "../../plot/line-chart-draw.ts";
import { drawPng, type Pen, SvgPen } from "../../plot/pen.ts";
import { MARKERS, type PlotTheme, plotTheme, slotColour, usePlotTheme } from "../../plot/theme.ts";
import { formatCompact, formatFixed } from "../../ui/numbers.ts";
import type { CompareRow, Score } from "./compare.ts";

const WIDTH = 640;
const ROW = 26;

export interface ForestRun {
  name: string;
  slot: number;
}

export function CompareForest({ row, runs, base }: { row: CompareRow; runs: readonly ForestRun[]; base: number }) {
  const theme = usePlotTheme();
  const height = runs.length * ROW + 52;
  const draw = (pen: Pen, colours: PlotTheme) => drawScores(pen, row, runs, base, colours);
  const pen = new SvgPen(WIDTH, height, theme.font);
  draw(pen, theme);
  const svg = pen.toString();
  const spoken = row.cells.map(
    ({ score }, i) => `${runs[i]!.name} ${score === undefined ? "no score" : inWords(score)}`,
  );
  return (
    <FigureFrame
      label={row.name}
      controls={
        <span className="plot-heading">
          <b>{row.name}</b> 95 % intervals
        </span>
      }
      exports={{
        fileName: `compared ${row.name}`,
        png: () => drawPng(WIDTH, height, theme.font, (canvas) => draw(canvas, plotTheme())),
        svg: () => svg,
        table: () => ({
          columns: [
            { name: "run", kind: "text" },
            { name: row.name, kind: "number", decimals: 2 },
            { name: "low", kind: "number", decimals: 2 },
            { name: "high", kind: "number", decimals: 2 },
            { name: "n", kind: "number", decimals: 0 },
          ],
          rows: row.cells.map(({ score }, i) => [
            runs[i]!.name,
            ...(score === undefined
              ? [null, null, null, null]
              : [score.score * 100, score.low * 100, score.high * 100, score.n]),
          ]),
        }),
      }}
    >
      <img
        className="out-forest"
        width={WIDTH}
        height={height}
        alt={`${row.name}. ${spoken.join("; ")}.`}
        src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`}
      />
    </FigureFrame>
  );
}

const x100 = (value: number) => formatFixed(value * 100, 2);
const inWords = ({ score, low, high }: Score) => `${x100(score)}, from ${x100(low)} to ${x100(high)}`;

/** Lowest and highest end of a row's intervals, ×100; null without any score. */
export function spanOf(row: CompareRow): [low: number, high: number] | null {
  const ends = row.cells.flatMap(({ score }) => (score === undefined ? [] : [score.low * 100, score.high * 100]));
  const finite = ends.filter(Number.isFinite);
  if (finite.length === 0) return null;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = Math.max(0.2, (high - low) * 0.06);
  return [low - room, high + room];
}

function drawScores(pen: Pen, row: CompareRow, runs: readonly ForestRun[], base: number, theme: PlotTheme): void {
  const height = runs.length * ROW + 52;
  pen.rect(0, 0, WIDTH, height, { fill: theme.bg });
  const span = spanOf(row);
  if (span === null) return;
  const [low, high] = span;
  const short = (name: string) => (name.length > 24 ? `${name.slice(0, 23)}…` : name);
  const x0 = Math.min(190, Math.max(...runs.map(({ name }) => pen.measure(short(name), 12))) + 24);
  const x1 = WIDTH - 70;
  const toX = (value: number) => x0 + ((value - low) / (high - low)) * (x1 - x0);
  const bottom = 8 + runs.length * ROW;
  for (const tick of linearTicks(low, high, 6)) {
    const x = Math.round(toX(tick)) + 0.5;
    pen.polyline([x, 8, x, bottom], { stroke: theme.border });
    pen.text(formatCompact(tick, 4), x, bottom + 8, {
      fill: theme.muted,
      ...{ size: 11, weight: 500, align: "center", baseline: "top" },
    });
  }
  const against = row.cells[base]?.score;
  if (against !== undefined) {
    const x = Math.round(toX(against.score * 100)) + 0.5;
    pen.polyline([x, 8, x, bottom], { stroke: theme.text, width: 1, dash: [4, 4] });
  }
  for (const [i, { score }] of row.cells.entries()) {
    const y = 8 + i * ROW + ROW / 2;
    const { name, slot } = runs[i]!;
    pen.text(short(name), x0 - 12, y, { fill: theme.text, size: 12, align: "right", baseline: "middle" });
    if (score === undefined) {
      pen.text("–", x1 + 10, y, { fill: theme.muted, size: 12, baseline: "middle" });
      continue;
    }
    const colour = slotColour(theme, slot);
    const [a, b] = [toX(score.low * 100), toX(score.high * 100)];
    pen.polyline([a, y, b, y], { stroke: colour, width: 2 });
    pen.polyline([a, y - 4, a, y + 4, Number.NaN, Number.NaN, b, y - 4, b, y + 4], { stroke: colour, width: 2 });
    pen.marker(MARKERS[slot - 1] ?? "circle", toX(score.score * 100), y, 4.5, { fill: colour });
    pen.text(x100(score.score), WIDTH - 12, y, {
      fill: theme.text,
      ...{ size: 12, weight: 600, align: "right", baseline: "middle" },
    });
  }
  pen.text(`${row.name}, 95 % intervals`, (x0 + x1) / 2, bottom + 36, {
    fill: theme.muted,
    ...{ size: 11, weight: 500, align: "center" },
  });
}

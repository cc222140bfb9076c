/**
 * A live line chart on a canvas. React mounts it once; afterwards the source tells it that something changed and it
 * draws in the next frame, at most once a frame, whatever the rate of new points.
 */
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import type { TableData } from "../ui/data-table.tsx";
import { formatCompact } from "../ui/numbers.ts";
import { FigureFrame } from "./figure-frame.tsx";
import {
  type ChartFrame,
  type ChartSeries,
  type ChartSpec,
  drawLineChart,
  nearestIndex,
  xRange,
} from "./line-chart-draw.ts";
import { CanvasPen, drawPng, fitCanvas, SvgPen } from "./pen.ts";
import { spokenTrend } from "./smooth.ts";
import { MARKER_GLYPHS, plotTheme, slotColour, usePlotTheme } from "./theme.ts";

export interface ChartSource {
  /** The chart as it is now; the same object when nothing changed. */
  spec(): ChartSpec;
  subscribe(listener: () => void): () => void;
}

interface Props {
  source: ChartSource;
  fileName: string;
  height?: number;
}

export function LineChart({ source, fileName, height = 220 }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const readout = useRef<HTMLDivElement>(null);
  const spoken = useRef<HTMLSpanElement>(null);
  const frame = useRef<ChartFrame | null>(null);
  const hover = useRef<number | null>(null);
  const redraw = useRef<() => void>(() => undefined);
  const theme = usePlotTheme();
  const [label, setLabel] = useState(() => describeChart(source.spec()));
  const id = useId();

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let pending = 0;
    let spokenAt = 0;
    const draw = () => {
      pending = 0;
      const { width } = element.getBoundingClientRect();
      if (width < 20) return;
      const context = fitCanvas(element, width, height);
      if (!context) return;
      const spec = source.spec();
      frame.current = drawLineChart(new CanvasPen(context, theme.font), width, height, spec, theme, {
        hover: hover.current,
        heading: false,
      });
      showReadout(readout.current, spec, frame.current, hover.current, width);
      // The accessible name follows at a reader's pace, not at the trainer's.
      if (performance.now() - spokenAt > 2000) {
        spokenAt = performance.now();
        setLabel(describeChart(spec));
      }
    };
    const schedule = () => {
      if (pending === 0) pending = requestAnimationFrame(draw);
    };
    redraw.current = schedule;
    schedule();
    const stop = source.subscribe(schedule);
    const observer = new ResizeObserver(schedule);
    observer.observe(element);
    return () => {
      stop();
      observer.disconnect();
      if (pending !== 0) cancelAnimationFrame(pending);
    };
  }, [source, height, theme]);

  const point = (x: number | null) => {
    hover.current = x;
    redraw.current();
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!frame.current) return;
    const x = frame.current.fromX(event.clientX - event.currentTarget.getBoundingClientRect().left);
    const [low, high] = xRange(source.spec());
    point(x < low || x > high ? null : snap(source.spec(), x));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const spec = source.spec();
    const longest = longestSeries(spec);
    if (!longest || longest.n === 0) return;
    const at = hover.current === null ? longest.n - 1 : nearestIndex(longest.x, longest.n, hover.current);
    const stride = event.shiftKey ? Math.max(1, Math.round(longest.n / 20)) : 1;
    const next: Record<string, number> = {
      ArrowLeft: at - stride,
      ArrowRight: at + stride,
      Home: 0,
      End: longest.n - 1,
    };
    if (event.key === "Escape" && hover.current !== null) point(null);
    else if (event.key in next) {
      const i = Math.max(0, Math.min(longest.n - 1, next[event.key]!));
      point(longest.x[i]!);
      if (spoken.current)
        spoken.current.textContent = readValues(spec, longest.x[i]!)
          .map(({ name, text }) => `${name} ${text}`)
          .join(", ");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const exports = useMemo(
    () => ({
      fileName,
      png: () =>
        drawPng(
          720,
          height + 60,
          plotTheme().font,
          (pen) => void drawLineChart(pen, 720, height + 60, source.spec(), plotTheme()),
        ),
      svg: () => {
        const pen = new SvgPen(720, height + 60, plotTheme().font);
        drawLineChart(pen, 720, height + 60, source.spec(), plotTheme());
        return pen.toString(source.spec().title);
      },
      table: () => chartTable(source.spec()),
    }),
    [source, fileName, height],
  );

  return (
    <FigureFrame label={source.spec().title} exports={exports} controls={<ChartHeading spec={source.spec()} />}>
      <div className="plot-canvas-box">
        <canvas
          ref={canvas}
          className="plot-canvas"
          style={{ height }}
          role="img"
          aria-label={label}
          aria-describedby={`${id}-spoken`}
          tabIndex={0}
          onPointerMove={onPointerMove}
          onPointerLeave={() => point(null)}
          onKeyDown={onKeyDown}
          onBlur={() => point(null)}
        />
        <div ref={readout} className="plot-readout" aria-hidden="true" hidden />
        <span ref={spoken} id={`${id}-spoken`} className="visually-hidden" aria-live="polite" />
      </div>
    </FigureFrame>
  );
}

function ChartHeading({ spec }: { spec: ChartSpec }) {
  return (
    <span className="plot-heading" title={spec.right ? `left: ${spec.title}, right: ${spec.right.title}` : undefined}>
      <b>{spec.title}</b> {spec.unit}
      {spec.right && ` · ${spec.right.title}`}
    </span>
  );
}

function longestSeries(spec: ChartSpec): ChartSeries | undefined {
  return spec.series.reduce<ChartSeries | undefined>((best, s) => (best && best.n >= s.n ? best : s), undefined);
}

function snap(spec: ChartSpec, x: number): number {
  const longest = longestSeries(spec);
  return longest && longest.n > 0 ? longest.x[nearestIndex(longest.x, longest.n, x)]! : x;
}

function readValues(spec: ChartSpec, x: number): { name: string; text: string; slot: number }[] {
  const format = spec.formatY ?? ((value: number) => formatCompact(value, 4));
  const out = [{ name: spec.xLabel, text: formatCompact(x, 6), slot: -1 }];
  for (const series of spec.series) {
    if (series.n === 0) continue;
    const i = nearestIndex(series.x, series.n, x);
    const ends = series.low && series.high ? ` [${format(series.low[i]!)}, ${format(series.high[i]!)}]` : "";
    const at = series.marks && series.x[i] !== x ? ` (at ${formatCompact(series.x[i]!, 6)})` : "";
    const text = series.axis === "right" ? formatCompact(series.y[i]!, 4) : format(series.y[i]!);
    out.push({ name: series.name, text: `${text}${ends}${at}`, slot: series.slot });
  }
  return out;
}

function showReadout(
  box: HTMLElement | null,
  spec: ChartSpec,
  frame: ChartFrame,
  hover: number | null,
  width: number,
): void {
  if (!box) return;
  box.hidden = hover === null;
  if (hover === null) return;
  box.replaceChildren(
    ...readValues(spec, hover).map(({ name, text, slot }) => {
      const line = document.createElement("div");
      if (slot > 0) {
        const mark = document.createElement("span");
        mark.textContent = `${MARKER_GLYPHS[slot - 1] ?? "●"} `;
        mark.style.color = slotColour(plotTheme(), slot);
        line.append(mark);
      }
      const value = document.createElement("b");
      value.textContent = text;
      line.append(`${name} `, value);
      return line;
    }),
  );
  const x = frame.toX(hover);
  const onLeft = x > width / 2;
  box.style.left = onLeft ? "" : `${x + 10}px`;
  box.style.right = onLeft ? `${width - x + 10}px` : "";
  box.style.top = `${frame.y + 2}px`;
}

/** Name and trends for a screen reader. */
export function describeChart(spec: ChartSpec): string {
  const format = spec.formatY ?? ((value: number) => formatCompact(value));
  const parts = spec.series.map(
    (s) => `${s.name}: ${spokenTrend(s.y, s.n, s.axis === "right" ? (value) => formatCompact(value) : format)}`,
  );
  const rules = spec.rules.map((rule) => rule.label);
  return `${spec.title}${spec.unit ? ` ${spec.unit}` : ""} by ${spec.xLabel}. ${[...parts, ...rules].join("; ") || "No values yet"}.`;
}

function chartTable(spec: ChartSpec): TableData {
  const several = spec.series.length > 1;
  const intervals = spec.series.some((s) => s.low);
  const raw = spec.series.some((s) => s.raw);
  const rows: (string | number | null)[][] = [];
  const value = (v: number | undefined) => (v === undefined || !Number.isFinite(v) ? null : v);
  for (const s of spec.series)
    for (let i = 0; i < s.n; i++)
      rows.push([
        ...(several ? [s.name] : []),
        s.x[i]!,
        ...(raw ? [value((s.raw ?? s.y)[i])] : []),
        value(s.y[i]),
        ...(intervals ? [value(s.low?.[i]), value(s.high?.[i])] : []),
      ]);
  const name = spec.title.replace(/ \(.*/, "");
  return {
    columns: [
      ...(several ? [{ name: "series", kind: "text" as const }] : []),
      { name: spec.xLabel, kind: "number", decimals: 0 },
      ...(raw ? [{ name, kind: "number" as const, unit: spec.unit }] : []),
      {
        name: raw ? "smoothed" : several ? "value" : name,
        kind: "number",
        ...(raw || several ? {} : { unit: spec.unit }),
      },
      ...(intervals
        ? [
            { name: "low", kind: "number" as const },
            { name: "high", kind: "number" as const },
          ]
        : []),
    ],
    rows,
    notes: spec.rules.map((rule) => rule.label),
  };
}

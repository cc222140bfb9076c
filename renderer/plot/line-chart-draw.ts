/** Drawing of a line chart, pure: a description and a size in, strokes on a pen out. */
import { formatCompact } from "../ui/numbers.ts";
import type { Pen } from "./pen.ts";
import { DASHES, MARKERS, type PlotTheme, slotColour } from "./theme.ts";

export interface ChartSeries {
  name: string;
  /** Category slot, 1 to 8. */
  slot: number;
  n: number;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** The same values before smoothing, drawn at 25 %. */
  raw?: ArrayLike<number>;
  /** Ends of an interval at each point, drawn as whiskers with a marker. */
  low?: ArrayLike<number>;
  high?: ArrayLike<number>;
  /** Unsmoothed data is drawn with a marker at each point. */
  marks?: boolean;
  axis?: "left" | "right";
  /** Pixels, default 2. */
  width?: number;
  /** Draw unbroken whatever the slot: for a lone dense series on the right axis. */
  solid?: boolean;
}
export interface ChartRule {
  y: number;
  label: string;
  /** Slot of the run it belongs to; 0 for a neutral rule. */
  slot?: number;
}
export interface ChartSpec {
  title: string;
  unit: string;
  xLabel: string;
  series: ChartSeries[];
  rules: ChartRule[];
  /** End of the x axis when the data does not reach it yet. */
  xEnd?: number;
  logY?: boolean;
  /** Name and unit of the right axis, when a series uses it. */
  right?: { title: string; unit: string; logY?: boolean };
  formatY?: (value: number) => string;
}

export interface ChartFrame {
  x: number;
  y: number;
  width: number;
  height: number;
  toX(value: number): number;
  fromX(pixel: number): number;
}

const TICK = 11;

interface Scale {
  low: number;
  high: number;
  log: boolean;
  ticks: number[];
}

/** Round steps of 1, 2 or 5 times a power of ten. */
export function linearTicks(low: number, high: number, most: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? 10 * power;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  const decades = Math.log10(high / low);
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
    for (const m of decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5]) {
      const value = m * 10 ** e;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
    }
  return ticks.length > 1 ? ticks : [low, high];
}

function scaleFor(spec: ChartSpec, side: "left" | "right", height: number): Scale | null {
  const log = side === "right" ? spec.right?.logY === true : spec.logY === true;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  const see = (value: number) => {
    if (!Number.isFinite(value) || (log && value <= 0)) return;
    if (value < low) low = value;
    if (value > high) high = value;
  };
  for (const series of spec.series) {
    if ((series.axis ?? "left") !== side) continue;
    for (let i = 0; i < series.n; i++) {
      see(series.y[i]!);
      if (series.raw) see(series.raw[i]!);
      if (series.low) see(series.low[i]!);
      if (series.high) see(series.high[i]!);
    }
  }
  if (side === "left") for (const rule of spec.rules) see(rule.y);
  if (low > high) return null;
  if (log) {
    if (high / low < 1.5) [low, high] = [low / 1.5, high * 1.5];
    return { low, high, log, ticks: logTicks(low, high) };
  }
  if (low === high) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  const room = (high - low) * 0.06;
  const touchesZero = low >= 0 && low - room < 0;
  [low, high] = [touchesZero ? 0 : low - room, high + room];
  return { low, high, log, ticks: linearTicks(low, high, Math.max(2, Math.floor(height / 36))) };
}

/** @param options.hover x in data units. options.heading: title and unit in the picture, for saved ones (default). */
export function drawLineChart(
  pen: Pen,
  width: number,
  height: number,
  spec: ChartSpec,
  theme: PlotTheme,
  options: { hover?: number | null; heading?: boolean } = {},
): ChartFrame {
  const { hover = null, heading = true } = options;
  pen.rect(0, 0, width, height, { fill: theme.bg });
  const top = heading ? 30 : 10;
  const bottom = 38;
  const inner = Math.max(10, height - top - bottom);
  const left = scaleFor(spec, "left", inner);
  const right = spec.series.some((s) => s.axis === "right") ? scaleFor(spec, "right", inner) : null;
  const format = spec.formatY ?? ((value: number) => formatCompact(value));
  const widest = (scale: Scale | null, f: (v: number) => string) =>
    Math.max(0, ...(scale?.ticks ?? []).map((tick) => pen.measure(f(tick), TICK, 500)));
  const x0 = Math.round(14 + Math.max(18, widest(left, format)) + 4);
  const x1 = Math.round(width - (right ? widest(right, formatCompact) + 20 : 14));
  const [xLow, xHigh] = xRange(spec);
  const toX = (value: number) => x0 + ((value - xLow) / (xHigh - xLow)) * (x1 - x0);
  const toY = (value: number, scale: Scale) => {
    const share = scale.log
      ? Math.log(Math.max(value, 1e-300) / scale.low) / Math.log(scale.high / scale.low)
      : (value - scale.low) / (scale.high - scale.low);
    return top + inner * (1 - share);
  };
  const frame: ChartFrame = {
    x: x0,
    y: top,
    width: x1 - x0,
    height: inner,
    toX,
    fromX: (pixel) => xLow + ((pixel - x0) / (x1 - x0)) * (xHigh - xLow),
  };

  // Heading on one line: what is measured and in which unit. On the page it is text beside the chart's buttons.
  if (heading) {
    pen.text(spec.title, 12, 17, { fill: theme.text, size: 12, weight: 600 });
    const titleWidth = pen.measure(spec.title, 12, 600);
    if (spec.unit) pen.text(spec.unit, 12 + titleWidth + 6, 17, { fill: theme.muted, size: 12 });
    if (spec.right && right)
      pen.text(`${spec.right.title} ${spec.right.unit} →`.replace("  ", " "), width - 12, 17, {
        fill: theme.muted,
        size: 12,
        align: "right",
      });
  }

  const xTicks = linearTicks(xLow, xHigh, Math.max(2, Math.floor((x1 - x0) / 84)));
  for (const tick of left?.ticks ?? []) {
    const y = Math.round(toY(tick, left!)) + 0.5;
    pen.polyline([x0, y, x1, y], { stroke: theme.border, width: 1, alpha: 0.7 });
    pen.text(format(tick), x0 - 7, y, {
      fill: theme.muted,
      size: TICK,
      weight: 500,
      align: "right",
      baseline: "middle",
    });
  }
  for (const tick of right?.ticks ?? [])
    pen.text(formatCompact(tick), x1 + 7, toY(tick, right!), {
      fill: theme.muted,
      size: TICK,
      weight: 500,
      baseline: "middle",
    });
  const base = Math.round(top + inner) + 0.5;
  pen.polyline([x0, base, x1, base], { stroke: theme.borderStrong, width: 1 });
  for (const tick of xTicks) {
    const x = Math.round(toX(tick)) + 0.5;
    pen.polyline([x, base, x, base + 4], { stroke: theme.borderStrong, width: 1 });
    pen.text(formatCompact(tick), x, base + 7, {
      fill: theme.muted,
      size: TICK,
      weight: 500,
      align: "center",
      baseline: "top",
    });
  }
  pen.text(spec.xLabel, x1, height - 5, {
    fill: theme.muted,
    size: TICK,
    weight: 500,
    align: "right",
    baseline: "bottom",
  });

  if (!left && !right) {
    pen.text("No values yet", (x0 + x1) / 2, top + inner / 2, {
      fill: theme.muted,
      size: 12,
      align: "center",
      baseline: "middle",
    });
    return frame;
  }

  pen.clip(x0 - 6, top - 4, x1 - x0 + 12, inner + 8, () => {
    for (const series of spec.series) {
      const scale = series.axis === "right" ? right : left;
      if (!scale || !series.raw) continue;
      pen.polyline(
        path(series.x, series.raw, series.n, toX, (v) => toY(v, scale), scale.log),
        {
          stroke: slotColour(theme, series.slot),
          width: 1.25,
          alpha: 0.25,
        },
      );
    }
    for (const rule of left ? spec.rules : []) {
      const y = Math.round(toY(rule.y, left!)) + 0.5;
      pen.polyline([x0, y, x1, y], {
        stroke: rule.slot ? slotColour(theme, rule.slot) : theme.muted,
        width: 1.25,
        dash: [4, 4],
      });
    }
    for (const series of spec.series) {
      const scale = series.axis === "right" ? right : left;
      if (scale) drawSeries(pen, series, scale, theme, toX, toY);
    }
  });
  const taken: number[] = [];
  for (const rule of left ? spec.rules : []) {
    const y = toY(rule.y, left!);
    const above = y - 14 > top - 6 && !taken.some((other) => Math.abs(other - (y - 5)) < 13);
    const at = above ? y - 5 : y + 13;
    if (taken.some((other) => Math.abs(other - at) < 11)) continue;
    taken.push(at);
    pen.text(rule.label, x1 - 4, at, { fill: theme.muted, size: TICK, weight: 500, align: "right", halo: theme.bg });
  }
  if (hover !== null) drawHover(pen, frame, spec, theme, hover, left, right, toY);
  return frame;
}

export function xRange(spec: ChartSpec): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = spec.xEnd ?? Number.NEGATIVE_INFINITY;
  for (const series of spec.series) {
    if (series.n === 0) continue;
    low = Math.min(low, series.x[0]!);
    high = Math.max(high, series.x[series.n - 1]!);
  }
  low = Math.min(low, 0);
  if (!(high > low)) return [0, 1];
  return [low, high];
}

/** Interleaved pixels of a series; more than two points a pixel are thinned to the extremes of each pixel. */
function path(
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  n: number,
  toX: (v: number) => number,
  toY: (v: number) => number,
  log: boolean,
): Float64Array {
  const ok = (v: number) => Number.isFinite(v) && (!log || v > 0);
  if (n < 4000) {
    const out = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      out[2 * i] = toX(xs[i]!);
      out[2 * i + 1] = ok(ys[i]!) ? toY(ys[i]!) : Number.NaN;
    }
    return out;
  }
  const out: number[] = [];
  for (let i = 0; i < n; ) {
    const column = Math.floor(toX(xs[i]!));
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (; i < n && Math.floor(toX(xs[i]!)) === column; i++) {
      const value = ys[i]!;
      if (!ok(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) out.push(column, Number.NaN);
    else if (low === high) out.push(column, toY(low));
    else out.push(column, toY(high), column, toY(low));
  }
  return Float64Array.from(out);
}

function drawSeries(
  pen: Pen,
  series: ChartSeries,
  scale: Scale,
  theme: PlotTheme,
  toX: (v: number) => number,
  toY: (v: number, scale: Scale) => number,
): void {
  const colour = slotColour(theme, series.slot);
  pen.polyline(
    path(series.x, series.y, series.n, toX, (v) => toY(v, scale), scale.log),
    {
      stroke: colour,
      width: series.width ?? 2,
      dash: series.solid ? [] : (DASHES[series.slot - 1] ?? []),
    },
  );
  if (series.low && series.high)
    for (let i = 0; i < series.n; i++) {
      const [low, high] = [series.low[i]!, series.high[i]!];
      if (!Number.isFinite(low) || !Number.isFinite(high)) continue;
      const x = toX(series.x[i]!);
      const [a, b] = [toY(low, scale), toY(high, scale)];
      pen.polyline(
        [x, a, x, b, Number.NaN, Number.NaN, x - 3, a, x + 3, a, Number.NaN, Number.NaN, x - 3, b, x + 3, b],
        {
          stroke: colour,
          width: 1.25,
          alpha: 0.65,
        },
      );
    }
  if (series.marks)
    for (let i = 0; i < series.n; i++)
      if (Number.isFinite(series.y[i]!))
        pen.marker(MARKERS[series.slot - 1] ?? "circle", toX(series.x[i]!), toY(series.y[i]!, scale), 3.5, {
          fill: colour,
          stroke: theme.bg,
          width: 1,
        });
}

/** Index of the point nearest to x in a series whose x ascend. */
export function nearestIndex(xs: ArrayLike<number>, n: number, x: number): number {
  let low = 0;
  let high = n - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - xs[low - 1]! < xs[low]! - x ? low - 1 : low;
}

function drawHover(
  pen: Pen,
  frame: ChartFrame,
  spec: ChartSpec,
  theme: PlotTheme,
  hover: number,
  left: Scale | null,
  right: Scale | null,
  toY: (v: number, scale: Scale) => number,
): void {
  const x = frame.toX(hover);
  pen.polyline([x, frame.y, x, frame.y + frame.height], { stroke: theme.borderStrong, width: 1 });
  for (const series of spec.series) {
    const scale = series.axis === "right" ? right : left;
    if (!scale || series.n === 0) continue;
    const i = nearestIndex(series.x, series.n, hover);
    if (!Number.isFinite(series.y[i]!)) continue;
    pen.marker(MARKERS[series.slot - 1] ?? "circle", frame.toX(series.x[i]!), toY(series.y[i]!, scale), 4.5, {
      fill: slotColour(theme, series.slot),
      stroke: theme.text,
      width: 1.5,
    });
  }
}

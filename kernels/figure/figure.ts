/**
 * A figure as data: what a plot shows, without saying who draws it. One description becomes Plotly JSON (our page and
 * Jupyter), SVG (GitHub, print, HTML export) and a table of its numbers.
 */

/** Category slot of the palette, 1 to 8; each slot also has a marker and a dash, so that colour never works alone. */
export type Slot = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

export interface Axis {
  /** What is measured. */
  label: string;
  /** Unit in brackets after the label: "nats", "×100". */
  unit?: string;
  scale?: "linear" | "log" | "category";
  /** Order of the categories, from the left or from the top, when scale is "category". */
  categories?: string[];
  domain?: [low: number, high: number];
  /** Show no ticks or numbers: for map axes, whose values mean nothing. */
  bare?: boolean;
}

type Coordinate = number | string;

interface Named {
  /** Legend entry; marks with the same name share one. */
  name: string;
  slot?: Slot;
  /** 0 to 1, default 1. */
  opacity?: number;
}

export interface LineMark extends Named {
  kind: "line";
  x: number[];
  y: number[];
  /** Pixels, default 2. */
  width?: number;
  /** Leave the mark out of the legend (raw curve under its smoothed twin). */
  ghost?: boolean;
}
export interface PointsMark extends Named {
  kind: "points";
  x: Coordinate[];
  y: Coordinate[];
  /** Shown on hover. */
  texts?: string[];
  /** Diameter in pixels, default 7. */
  size?: number;
}
/** Points with an interval along one axis. */
export interface IntervalsMark extends Named {
  kind: "intervals";
  along: "x" | "y";
  x: Coordinate[];
  y: Coordinate[];
  low: number[];
  high: number[];
  texts?: string[];
}
export interface BarsMark extends Named {
  kind: "bars";
  x: Coordinate[];
  y: number[];
}
/** A reference value across the plot, with its label in the plot. */
export interface RuleMark {
  kind: "rule";
  along: "x" | "y";
  value: number;
  label: string;
}
/** A matrix of values; colour is sequential (cividis). */
export interface HeatMark {
  kind: "heat";
  name: string;
  x: string[];
  y: string[];
  /** values[row of y][column of x]. */
  values: number[][];
  domain?: [low: number, high: number];
}
export type Mark = LineMark | PointsMark | IntervalsMark | BarsMark | RuleMark | HeatMark;

export interface Figure {
  title: string;
  x: Axis;
  y: Axis;
  marks: Mark[];
  /** Sentences under the figure: n, seed, method. */
  notes?: string[];
  /** Pixels, default 640 × 360. */
  width?: number;
  height?: number;
}

export function axisTitle(axis: Axis): string {
  return axis.unit === undefined ? axis.label : `${axis.label} (${axis.unit})`;
}

/** One line of words for a figure: its text/plain and its accessible name. */
export function describeFigure(figure: Figure): string {
  const parts = figure.marks.map((mark) => {
    switch (mark.kind) {
      case "line": {
        const first = mark.y[0];
        const last = mark.y[mark.y.length - 1];
        return first === undefined || last === undefined
          ? `${mark.name}: no values yet`
          : `${mark.name}: ${short(first)} to ${short(last)} over ${mark.y.length} points`;
      }
      case "points":
      case "bars":
      case "intervals":
        return `${mark.name}: ${mark.x.length} ${mark.kind === "bars" ? "bars" : "points"}`;
      case "rule":
        return `${mark.label}: ${short(mark.value)}`;
      case "heat":
        return `${mark.name}: ${mark.y.length} × ${mark.x.length} values`;
      default:
        return mark satisfies never;
    }
  });
  const lines = [
    `${figure.title}. ${axisTitle(figure.y)} over ${axisTitle(figure.x)}. ${[...new Set(parts)].join("; ")}.`,
    ...(figure.notes ?? []),
  ];
  return lines.join("\n");
}

/** Up to four significant digits, no exponent for everyday sizes. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

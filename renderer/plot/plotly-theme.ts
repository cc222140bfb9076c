/** Puts the page's theme on a Plotly figure: colours of paper become those of the theme, types and grids follow. */
import { CATEGORIES } from "../theme/categories.ts";
import type { PlotTheme } from "./theme.ts";

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export interface PlotlyFigure {
  data: Json[];
  layout: Json;
}

/** What our own figures use on paper (kernels/figure/palette.ts), by the role it has. */
const PAPER_ROLES: Record<string, keyof PlotTheme> = {
  "#1a1d23": "text",
  "#565d6b": "muted",
  "#e4e7ec": "border",
  "#646b78": "faint",
};

/** A checked and themed copy; the input is not changed. Unknown parts are passed on, Plotly ignores what it does not know. */
export function themePlotly(figure: PlotlyFigure, theme: PlotTheme): PlotlyFigure {
  const swap = new Map<string, string>();
  for (const [i, category] of CATEGORIES.entries())
    for (const colour of [category.light, category.dark]) swap.set(colour.toLowerCase(), theme.categories[i]!);
  for (const [colour, role] of Object.entries(PAPER_ROLES)) swap.set(colour, theme[role] as string);
  const recolour = (value: unknown, depth = 0): unknown => {
    if (typeof value === "string") return swap.get(value.toLowerCase()) ?? value;
    if (depth > 6) return value;
    if (Array.isArray(value)) {
      // Long arrays are data; only colour lists hold strings that could be colours.
      if (value.length > 0 && typeof value[0] !== "string" && !isObject(value[0]) && !Array.isArray(value[0]))
        return value;
      return value.map((item) => recolour(item, depth + 1));
    }
    if (isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [
          k,
          COLOURED.has(k) || isObject(v) || Array.isArray(v) ? recolourKey(k, v, depth) : v,
        ]),
      );
    return value;
  };
  const recolourKey = (key: string, value: unknown, depth: number): unknown =>
    DATA_KEYS.has(key) ? value : recolour(value, depth + 1);

  const layout = isObject(figure.layout) ? (recolour(figure.layout) as Json) : {};
  const hasHeat = figure.data.some((trace) => isObject(trace) && trace.type === "heatmap");
  const axes = Object.fromEntries(
    Object.keys({ xaxis: 1, yaxis: 1, ...layout })
      .filter((key) => /^[xy]axis\d*$/.test(key))
      .map((key) => {
        const axis = isObject(layout[key]) ? layout[key] : {};
        const title = titleText(axis.title);
        return [
          key,
          {
            automargin: true,
            ...(hasHeat ? { showgrid: false } : {}),
            ...axis,
            ...(title === "" ? {} : { title: { text: plainMarkup(title), font: { size: 12, color: theme.muted } } }),
            gridcolor: theme.border,
            linecolor: theme.borderStrong,
            zerolinecolor: theme.borderStrong,
            tickfont: { size: 11, color: theme.muted },
          },
        ];
      }),
  );
  const title = titleText(layout.title);
  const { width: _width, template: _template, ...rest } = layout;
  return {
    data: figure.data.filter(isObject).map((trace) => recolour(trace) as Json),
    layout: {
      margin: { l: 56, r: 16, t: title === "" ? 16 : 40, b: 44 },
      ...rest,
      ...(title === ""
        ? {}
        : {
            title: {
              text: plainMarkup(title),
              x: 0,
              xref: "paper",
              font: { size: 13, weight: 600, color: theme.text },
            },
          }),
      ...axes,
      autosize: true,
      colorway: theme.categories,
      paper_bgcolor: theme.bg,
      plot_bgcolor: theme.bg,
      font: { ...(isObject(layout.font) ? layout.font : {}), family: theme.font, size: 12, color: theme.text },
      hoverlabel: {
        bgcolor: theme.raised,
        bordercolor: theme.borderStrong,
        font: { color: theme.text, family: theme.font, size: 12 },
      },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.faint, activecolor: theme.accent },
    },
  };
}

const COLOURED = new Set([
  "color",
  "bgcolor",
  "bordercolor",
  "fillcolor",
  "linecolor",
  "gridcolor",
  "outlinecolor",
  "tickcolor",
  "zerolinecolor",
]);
const DATA_KEYS = new Set([
  "x",
  "y",
  "z",
  "text",
  "customdata",
  "ids",
  "labels",
  "values",
  "categoryarray",
  "ticktext",
  "tickvals",
  "hovertext",
]);

/** Accessible summary: "Scatter plot, 3 series, 120 points: A, B, C." */
export function describePlotly(figure: PlotlyFigure): string {
  const title = titleText(figure.layout?.title);
  const names = figure.data.map((trace, i) => (typeof trace.name === "string" ? trace.name : `series ${i + 1}`));
  const points = figure.data.reduce((sum, trace) => sum + listLength(trace), 0);
  const axis = (key: string) => {
    const value = figure.layout?.[key];
    return isObject(value) ? titleText(value.title) : "";
  };
  const axes = [axis("yaxis"), axis("xaxis")].filter(Boolean).join(" over ");
  const what = `${figure.data.length} series, ${points} values${names.length <= 8 ? `: ${names.join(", ")}` : ""}`;
  return [title || "Plot", axes, what].filter(Boolean).join(". ");
}

function listLength(trace: Json): number {
  for (const key of ["x", "y", "values", "z"]) {
    const list = trace[key];
    if (Array.isArray(list)) return Array.isArray(list[0]) ? list.length * list[0].length : list.length;
  }
  return 0;
}

const plainMarkup = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export function titleText(title: unknown): string {
  const text = isObject(title) ? title.text : title;
  return typeof text === "string"
    ? text
        .replace(/<[^>]*>/g, "")
        .replaceAll("&lt;", "<")
        .replaceAll("&gt;", ">")
        .replaceAll("&amp;", "&")
    : "";
}

type Cell = string | number | boolean | null;
const cell = (value: unknown): Cell =>
  value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : value === undefined
      ? null
      : JSON.stringify(value);

/** The numbers of a figure: one row a point, or a matrix for a heat map. */
export function plotlyTable(figure: PlotlyFigure): {
  columns: { name: string; kind: "text" | "number" }[];
  rows: Cell[][];
} {
  const heat = figure.data.find((trace) => Array.isArray(trace.z) && Array.isArray((trace.z as unknown[])[0]));
  if (heat) {
    const z = heat.z as unknown[][];
    const names = (key: string, n: number) =>
      Array.from({ length: n }, (_, i) => String((heat[key] as unknown[] | undefined)?.[i] ?? i + 1));
    const columns = names("x", z[0]?.length ?? 0);
    const rows = names("y", z.length);
    return {
      columns: [{ name: "", kind: "text" }, ...columns.map((name) => ({ name, kind: "number" as const }))],
      rows: z.map((row, i) => [rows[i]!, ...row.map(cell)]),
    };
  }
  const axisName = (key: string, fallback: string) => {
    const axis = figure.layout?.[key];
    return (isObject(axis) && titleText(axis.title)) || fallback;
  };
  const rows: Cell[][] = [];
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const texts = figure.data.some((trace) => Array.isArray(trace.text));
  for (const [i, trace] of figure.data.entries()) {
    const [x, y, text] = [list(trace.x ?? trace.labels), list(trace.y ?? trace.values), list(trace.text)];
    const name = typeof trace.name === "string" ? trace.name : `series ${i + 1}`;
    for (let j = 0; j < Math.max(x.length, y.length); j++)
      rows.push([name, cell(x[j] ?? j), cell(y[j] ?? null), ...(texts ? [cell(text[j] ?? null)] : [])]);
  }
  const kind = (column: number) =>
    rows.every((row) => row[column] === null || typeof row[column] === "number") ? "number" : "text";
  return {
    columns: [
      { name: "series", kind: "text" },
      { name: axisName("xaxis", "x"), kind: kind(1) },
      { name: axisName("yaxis", "y"), kind: kind(2) },
      ...(texts ? [{ name: "text", kind: "text" as const }] : []),
    ],
    rows,
  };
}

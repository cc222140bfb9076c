/** A figure as Plotly JSON: what our page and Jupyter draw. Sizes and fonts follow the page; colours are those of paper. */
import { type Axis, axisTitle, type Figure, type Mark } from "./figure.ts";
import { GRID, INK, MUTED, PAPER, SLOTS, slotAt } from "./palette.ts";

export interface PlotlyFigure {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
  config: Record<string, unknown>;
}

/** cividis, seven stops (Nuñez, Anderton and Renslow 2018). */
const CIVIDIS = ["#00224E", "#35456C", "#666970", "#948E77", "#C8B866", "#E8D24F", "#FEE838"];

export function toPlotly(figure: Figure): PlotlyFigure {
  let next = 0;
  const shapes: Record<string, unknown>[] = [];
  const annotations: Record<string, unknown>[] = [];
  const data: Record<string, unknown>[] = [];
  for (const mark of figure.marks) {
    if (mark.kind === "rule") {
      const horizontal = mark.along === "x";
      shapes.push({
        type: "line",
        xref: horizontal ? "paper" : "x",
        yref: horizontal ? "y" : "paper",
        ...(horizontal
          ? { x0: 0, x1: 1, y0: mark.value, y1: mark.value }
          : { x0: mark.value, x1: mark.value, y0: 0, y1: 1 }),
        line: { color: MUTED, width: 1, dash: "4,4" },
      });
      annotations.push({
        xref: horizontal ? "paper" : "x",
        yref: horizontal ? "y" : "paper",
        x: horizontal ? 1 : mark.value,
        y: horizontal ? mark.value : 1,
        text: escapeMarkup(mark.label),
        showarrow: false,
        xanchor: horizontal ? "right" : "left",
        yanchor: "bottom",
        font: { size: 11, color: MUTED },
      });
      continue;
    }
    data.push(trace(mark, "slot" in mark && mark.slot !== undefined ? mark.slot : slotAt(next)));
    if (!(mark.kind === "line" && mark.ghost)) next++;
  }
  const named = new Set(data.filter((t) => t.showlegend !== false).map((t) => t.name));
  return {
    data,
    layout: {
      title: { text: escapeMarkup(figure.title), font: { size: 14 }, x: 0, xref: "paper" },
      width: figure.width ?? 640,
      height: figure.height ?? 360,
      margin: { l: 64, r: 24, t: 44, b: 52 },
      font: { family: "system-ui, sans-serif", size: 12, color: INK },
      paper_bgcolor: PAPER,
      plot_bgcolor: PAPER,
      xaxis: axis(figure.x),
      // Categories read from the top, as in the SVG; Plotly would start below.
      yaxis: { ...axis(figure.y), ...(figure.y.scale === "category" ? { autorange: "reversed" } : {}) },
      shapes,
      annotations,
      showlegend: named.size > 1,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 1, xanchor: "right", font: { size: 11 } },
      hovermode: "closest",
    },
    config: { displaylogo: false, responsive: true },
  };
}

function axis(a: Axis): Record<string, unknown> {
  return {
    title: { text: a.bare ? "" : escapeMarkup(axisTitle(a)), font: { size: 12 } },
    type: a.scale === "log" ? "log" : a.scale === "category" ? "category" : "linear",
    ...(a.categories ? { categoryorder: "array", categoryarray: a.categories } : {}),
    ...(a.domain ? { range: a.scale === "log" ? a.domain.map((v) => Math.log10(v)) : a.domain } : {}),
    gridcolor: GRID,
    zeroline: false,
    linecolor: MUTED,
    automargin: true,
    ...(a.bare ? { showticklabels: false, showgrid: false } : {}),
  };
}

function trace(mark: Exclude<Mark, { kind: "rule" }>, slot: keyof typeof SLOTS): Record<string, unknown> {
  const style = SLOTS[slot];
  switch (mark.kind) {
    case "line":
      return {
        type: "scatter",
        mode: "lines",
        name: mark.name,
        x: mark.x,
        y: mark.y.map(finiteOrNull),
        opacity: mark.opacity ?? (mark.ghost ? 0.25 : 1),
        showlegend: mark.ghost !== true,
        line: {
          color: style.color,
          width: mark.width ?? 2,
          ...(style.dash === "" ? {} : { dash: pixels(style.dash) }),
        },
      };
    case "points":
      return {
        type: mark.x.length > 2000 ? "scattergl" : "scatter",
        mode: "markers",
        name: mark.name,
        x: mark.x,
        y: mark.y,
        opacity: mark.opacity ?? 1,
        ...(mark.texts ? { text: mark.texts.map(escapeMarkup), hoverinfo: "text+name" } : {}),
        marker: { color: style.color, size: mark.size ?? 7, symbol: style.marker },
      };
    case "intervals": {
      const values = (mark.along === "x" ? mark.x : mark.y) as number[];
      return {
        type: "scatter",
        mode: "markers",
        name: mark.name,
        x: mark.x,
        y: mark.y,
        opacity: mark.opacity ?? 1,
        ...(mark.texts ? { text: mark.texts.map(escapeMarkup), hoverinfo: "text" } : {}),
        marker: { color: style.color, size: 9, symbol: style.marker },
        [mark.along === "x" ? "error_x" : "error_y"]: {
          type: "data",
          symmetric: false,
          array: mark.high.map((high, i) => high - Number(values[i])),
          arrayminus: mark.low.map((low, i) => Number(values[i]) - low),
          color: style.color,
          thickness: 1.5,
          width: 5,
        },
      };
    }
    case "bars":
      return {
        type: "bar",
        name: mark.name,
        x: mark.x,
        y: mark.y,
        opacity: mark.opacity ?? 1,
        marker: { color: style.color },
      };
    case "heat":
      return {
        type: "heatmap",
        name: mark.name,
        x: mark.x.map((_, i) => i),
        y: mark.y.map((_, i) => i),
        z: mark.values.map((row) => row.map(finiteOrNull)),
        text: mark.values.map((_, r) => mark.x.map((column) => escapeMarkup(`${mark.y[r]} · ${column}`))),
        colorscale: CIVIDIS.map((color, i) => [i / (CIVIDIS.length - 1), color]),
        ...(mark.domain ? { zmin: mark.domain[0], zmax: mark.domain[1] } : {}),
        hovertemplate: "%{text}<br>%{z:.3f}<extra></extra>",
      };
    default:
      return mark satisfies never;
  }
}

const pixels = (dash: string): string =>
  dash
    .split(",")
    .map((v) => `${v}px`)
    .join(",");

/** JSON has no NaN; Plotly draws null as a gap, which is what a missing value should look like. */
const finiteOrNull = (v: number): number | null => (Number.isFinite(v) ? v : null);

/** Plotly reads a small HTML in its texts: user texts must not be markup. */
export function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

import { describe, expect, it } from "vitest";
import { assignCategories } from "../../../renderer/plot/categories.ts";
import { decodeFloat32 } from "../../../renderer/plot/decode.ts";
import { type ChartSpec, drawLineChart, linearTicks, nearestIndex } from "../../../renderer/plot/line-chart-draw.ts";
import { isInside } from "../../../renderer/plot/map/map-canvas.ts";
import { decodeMap, neighboursOf, searchMap } from "../../../renderer/plot/map/map-data.ts";
import { drawMap, fitCamera, NO_MARKS } from "../../../renderer/plot/map/map-draw.ts";
import { metricName } from "../../../renderer/plot/metric-names.ts";
import { SvgPen } from "../../../renderer/plot/pen.ts";
import { plotlyTable, themePlotly } from "../../../renderer/plot/plotly-theme.ts";
import { smooth, spokenTrend } from "../../../renderer/plot/smooth.ts";
import type { PlotTheme } from "../../../renderer/plot/theme.ts";
import { formatCompact, formatFixed, formatSigned, formatUnit } from "../../../renderer/ui/numbers.ts";
import { base64, mapView } from "../../support/output-fixtures.ts";

const theme: PlotTheme = {
  name: "dark",
  bg: "#16181d",
  sunken: "#101216",
  raised: "#1e2128",
  text: "#e8eaee",
  muted: "#a9b0bd",
  faint: "#99a1ae",
  border: "#333842",
  borderStrong: "#7d8594",
  accent: "#7fb0ff",
  selected: "#1d3357",
  ok: "#5cc98a",
  warn: "#e8b04b",
  error: "#ff8a7a",
  categories: ["#2f69e3", "#f09925", "#3eb09b", "#ad469d", "#95ebfc", "#d53b13", "#be9cf2", "#e4e960"],
  font: "sans-serif",
};

describe("numbers as text", () => {
  it("writes signs, units and exponents the way the field reads them", () => {
    expect([formatFixed(-0.001, 2), formatFixed(-1.5, 1), formatFixed(Number.NaN, 2)]).toEqual(["0.00", "−1.5", "–"]);
    expect([formatSigned(1.2, 2), formatSigned(-0.31, 2), formatSigned(0.001, 2)]).toEqual(["+1.20", "−0.31", "0.00"]);
    expect([formatUnit(0.832), formatUnit(-0.12), formatUnit(1)]).toEqual([".83", "−.12", "1.00"]);
    expect([2e-5, 0.0031, 3.4657, 1200, 4.1e7, -0.5, 0].map((v) => formatCompact(v))).toEqual([
      "2e−5",
      "0.0031",
      "3.47",
      "1,200",
      "4.1e7",
      "−0.5",
      "0",
    ]);
  });

  it("names metrics", () => {
    expect(["cosine_spearman", "ndcg_at_10", "accuracy", "own_score"].map(metricName)).toEqual([
      "cosine Spearman",
      "nDCG@10",
      "accuracy",
      "own score",
    ]);
  });
});

describe("categories", () => {
  it("gives eight labels a slot each in alphabetical order", () => {
    const { categories } = assignCategories(["b", "a", "b", "c10", "c2"]);
    expect(categories.map((c) => [c.name, c.slot, c.count])).toEqual([
      ["a", 1, 1],
      ["b", 2, 2],
      ["c2", 3, 1],
      ["c10", 4, 1],
    ]);
  });

  it("keeps the seven largest of many and puts the rest into other", () => {
    const labels = Array.from({ length: 10 }, (_, i) => Array.from({ length: i + 1 }, () => `label ${i}`)).flat();
    const { categories, of } = assignCategories(labels);
    expect(categories.map((c) => c.slot)).toEqual([1, 2, 3, 4, 5, 6, 7, 0]);
    expect(categories.at(-1)).toEqual({ name: "other (3 labels)", slot: 0, count: 6 });
    expect(of[0]).toBe(7);
  });
});

describe("curves", () => {
  it("smooths without a pull to zero at the start, and keeps gaps", () => {
    expect([...smooth([2, 2, 2], 3, 0.9)].map((v) => v.toFixed(9))).toEqual([
      "2.000000000",
      "2.000000000",
      "2.000000000",
    ]);
    const gap = smooth([1, Number.NaN, 1], 3, 0.5);
    expect([gap[0], gap[1], gap[2]]).toEqual([1, Number.NaN, 1]);
  });

  it("speaks a trend", () => {
    const falling = Float64Array.from({ length: 100 }, (_, i) => 3.4 - 0.023 * i);
    expect(spokenTrend(falling, 100, (v) => v.toFixed(1))).toBe("down from 3.3 to 1.2");
    expect(spokenTrend([], 0, String)).toBe("no values yet");
    expect(spokenTrend([Number.NaN], 1, String)).toBe("no values yet");
  });

  it("puts ticks at round values inside the range", () => {
    expect(linearTicks(0.31, 3.6, 5)).toEqual([1, 2, 3]);
    expect(linearTicks(-6.4, 6.4, 6)).toEqual([-5, 0, 5]);
    expect(linearTicks(2, 2, 5)).toEqual([2]);
  });

  it("finds the nearest point", () => {
    expect([0, 12, 14, 99].map((x) => nearestIndex([0, 10, 15, 20], 4, x))).toEqual([0, 1, 2, 3]);
  });

  it("draws a long series in a bounded number of points, NaN as a gap, and nothing for nothing", () => {
    const n = 200_000;
    const spec = (count: number, y: Float64Array): ChartSpec => ({
      title: "loss",
      unit: "nats",
      xLabel: "step",
      rules: [{ y: 3.47, label: "chance ln 32 = 3.47" }],
      series: [{ name: "a", slot: 1, n: count, x: Float64Array.from({ length: count }, (_, i) => i), y }],
    });
    const svg = (s: ChartSpec) => {
      const pen = new SvgPen(600, 240, "sans-serif");
      drawLineChart(pen, 600, 240, s, theme);
      return pen.toString("loss");
    };
    const long = svg(
      spec(
        n,
        Float64Array.from({ length: n }, (_, i) => 3 * Math.exp(-i / n) + (i % 7) / 10),
      ),
    );
    expect(long.length).toBeLessThan(60_000);
    expect(long).toContain("chance ln 32 = 3.47");
    const gap = svg(spec(5, Float64Array.from([1, 2, Number.NaN, 4, 5])));
    expect(gap).not.toContain("NaN");
    expect(svg({ ...spec(0, new Float64Array(0)), rules: [] })).toContain("No values yet");
  });
});

describe("maps", () => {
  const data = decodeMap(mapView(60));

  it("reads arrays and lists neighbours of the original space, nearest first", () => {
    const list = neighboursOf(data, 3);
    expect(list).toHaveLength(15);
    expect(list.map((n) => n.similarity)).toEqual(list.map((n) => n.similarity).sort((a, b) => b - a));
  });

  it("leaves out neighbours that do not exist", () => {
    const view = mapView(60);
    const broken = decodeMap({ ...view, neighbours: base64(new Int32Array(60 * 15).fill(-1)) });
    expect(neighboursOf(broken, 0)).toEqual([]);
  });

  it("refuses arrays of another length", () => {
    expect(() => decodeFloat32(base64(new Float32Array(3)), 4)).toThrow("holds 3 values, 4 were expected");
    expect(() => decodeMap({ ...mapView(60), points: "%" })).toThrow("not valid base64");
  });

  it("finds texts by all their words in any order", () => {
    const rows = searchMap(data, "TRAIN overnight");
    expect(rows.every((i) => data.texts[i]!.includes("overnight train"))).toBe(true);
    expect(searchMap(data, "  ")).toEqual([]);
  });

  it("tells inside from outside of a lasso", () => {
    const square = [0, 0, 10, 0, 10, 10, 0, 10];
    expect([isInside(square, 5, 5), isInside(square, 11, 5), isInside(square, 5, -1)]).toEqual([true, false, false]);
  });

  it("fits all points into the picture and leaves points without a place out", () => {
    const view = mapView(60);
    const points = new Float32Array(120).map((_, i) => i % 13);
    points[0] = Number.NaN;
    const holed = decodeMap({ ...view, points: base64(points) });
    const pen = new SvgPen(400, 300, "sans-serif");
    drawMap(pen, 400, 300, holed, fitCamera(holed, 400, 300), NO_MARKS, theme);
    const svg = pen.toString("map");
    expect(svg).not.toContain("NaN");
    expect(svg.match(/<(circle|polygon)/g)).toHaveLength(59);
  });
});

describe("Plotly figures", () => {
  it("follow the theme, whatever palette they were made with, and leave data alone", () => {
    const figure = {
      data: [
        {
          type: "scatter",
          name: "#0d5bd2",
          x: ["#0D5BD2", 2],
          y: [1, 2],
          line: { color: "#0D5BD2" },
          marker: { color: ["#DA7C36", "red"] },
        },
      ],
      layout: {
        title: { text: "a &lt; b" },
        shapes: [{ line: { color: "#565D6B" } }],
        xaxis: { title: { text: "x" } },
      },
    };
    const themed = themePlotly(figure, theme);
    expect(themed.data[0]).toMatchObject({
      x: ["#0D5BD2", 2],
      line: { color: "#2f69e3" },
      marker: { color: ["#f09925", "red"] },
    });
    expect(themed.layout).toMatchObject({
      paper_bgcolor: "#16181d",
      shapes: [{ line: { color: "#a9b0bd" } }],
      title: { text: "a &lt; b" },
    });
  });

  it("become tables: a row a point, a matrix for a heat map", () => {
    expect(
      plotlyTable({ data: [{ name: "a", x: [1, 2], y: [3, null] }], layout: { yaxis: { title: "loss" } } }),
    ).toEqual({
      columns: [
        { name: "series", kind: "text" },
        { name: "x", kind: "number" },
        { name: "loss", kind: "number" },
      ],
      rows: [
        ["a", 1, 3],
        ["a", 2, null],
      ],
    });
    expect(plotlyTable({ data: [{ type: "heatmap", x: ["p", "q"], y: ["r"], z: [[1, 2]] }], layout: {} }).rows).toEqual(
      [["r", 1, 2]],
    );
  });
});

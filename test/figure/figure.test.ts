import { describe, expect, test } from "vitest";
import { figureBundle } from "../../kernels/figure/bundle.ts";
import type { Figure } from "../../kernels/figure/figure.ts";
import { toPlotly } from "../../kernels/figure/plotly.ts";
import { toSvg } from "../../kernels/figure/svg.ts";
import { MIME } from "../../kernels/protocol/display.ts";

const figure: Figure = {
  title: "Loss of <lively> & otter",
  x: { label: "step" },
  y: { label: "loss", unit: "nats" },
  marks: [
    { kind: "line", name: "raw", slot: 1, ghost: true, x: [0, 1, 2], y: [3.4, Number.NaN, 2.2] },
    { kind: "line", name: "loss", slot: 1, x: [0, 1, 2], y: [3.4, 3, 2.4] },
    { kind: "points", name: "best", slot: 2, x: [2], y: [2.4], texts: ["step <2>"] },
    { kind: "rule", along: "x", value: 3.4657, label: "chance, ln 32 = 3.47" },
  ],
  notes: ["n = 3, seed 0"],
};

describe("a figure", () => {
  test("becomes JSON that Plotly reads, with gaps for missing values and no markup from texts", () => {
    const { data, layout } = JSON.parse(JSON.stringify(toPlotly(figure))) as ReturnType<typeof toPlotly>;
    expect(data.map((trace) => trace.name)).toEqual(["raw", "loss", "best"]);
    expect(data[0]).toMatchObject({ type: "scatter", y: [3.4, null, 2.2], showlegend: false, opacity: 0.25 });
    expect(data[2]).toMatchObject({ text: ["step &lt;2&gt;"] });
    expect(layout).toMatchObject({
      title: { text: "Loss of &lt;lively&gt; &amp; otter" },
      yaxis: { title: { text: "loss (nats)" } },
    });
  });

  test("becomes one whole SVG that says the same in words", async () => {
    const svg = await toSvg(figure);
    expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    for (const words of ["Loss of &lt;lively&gt; &amp; otter", "chance, ln 32 = 3.47", "loss (nats)", "n = 3, seed 0"])
      expect(svg).toContain(words);
    expect(svg).not.toContain("<script");
  });

  test("is a bundle for the page, for Jupyter, for GitHub and for a terminal", async () => {
    const bundle = await figureBundle(figure);
    expect(Object.keys(bundle)).toEqual([MIME.plotly, MIME.svg, MIME.plain]);
    expect(bundle[MIME.plain]).toContain("loss: 3.4 to 2.4 over 3 points");
  });
});

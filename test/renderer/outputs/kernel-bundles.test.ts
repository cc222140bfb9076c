import { describe, expect, it } from "vitest";
import { figureBundle } from "../../../kernels/figure/bundle.ts";
import { toMapView } from "../../../kernels/map/view.ts";
import { MIME } from "../../../kernels/protocol/display.ts";
import { runBundle } from "../../../kernels/train/run-view.ts";
import { pickRepresentation } from "../../../renderer/features/outputs/pick.ts";
import { decodeMap, neighboursOf } from "../../../renderer/plot/map/map-data.ts";
import { runMetrics, runSummary } from "../../support/output-fixtures.ts";

describe("what the kernel makes is what the page shows", () => {
  it("reads a layout back with its points and neighbours", () => {
    const layout = {
      version: 1 as const,
      n: 3,
      dimensions: 384,
      points: Float32Array.from([0, 0, 1, 2, -3, 4]),
      texts: ["a", "b", "c"],
      labels: ["x", "y", "x"],
      labelName: "topic",
      rows: [0, 1, 2],
      neighbours: Int32Array.from([1, 2, 0, 2, 1, 0]),
      similarities: Float32Array.from([0.75, 0.5, 0.75, 0.25, 0.25, 0.5]),
      k: 2,
      metric: "cosine" as const,
      method: "umap" as const,
      minDist: 0.1,
      epochs: 200,
      seed: 7,
      trustworthiness: Number.NaN,
      trustworthinessK: 1,
      trustworthinessN: 3,
      notes: [],
      elapsedMs: 12,
    };
    // A saved notebook is JSON: NaN becomes null on the way.
    const picked = pickRepresentation(JSON.parse(JSON.stringify({ [MIME.map]: toMapView(layout) })));
    if (picked.shown.kind !== "map") throw new Error(picked.problems.join());
    const data = decodeMap(picked.shown.value);
    expect([[...data.points], neighboursOf(data, 0)]).toEqual([
      [0, 0, 1, 2, -3, 4],
      [
        { row: 1, similarity: 0.75 },
        { row: 2, similarity: 0.5 },
      ],
    ]);
    expect(picked.shown.value.trustworthiness).toBeNaN();
  });

  it("prefers the live view of a run and keeps every metric of its snapshot", async () => {
    const metrics = runMetrics(50, { evalEvery: 25 });
    const picked = pickRepresentation(
      JSON.parse(JSON.stringify(await runBundle(runSummary("a", { steps: 50 }), metrics))),
    );
    expect(picked.shown.kind === "run" && picked.shown.value.snapshot).toEqual(metrics);
  });

  it("draws a figure with Plotly", async () => {
    const bundle = await figureBundle({
      title: "t",
      x: { label: "x" },
      y: { label: "y" },
      marks: [{ kind: "line", name: "a", x: [1, 2], y: [1, 2] }],
    });
    expect(pickRepresentation(bundle).shown.kind).toBe("plotly");
  });
});

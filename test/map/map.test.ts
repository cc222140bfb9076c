import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { threadCompute } from "../../kernels/graph/compute.ts";
import { mapHtml } from "../../kernels/map/html.ts";
import { layoutMap } from "../../kernels/map/map.ts";
import { ExactSearch } from "../../kernels/map/neighbours.ts";
import { pca } from "../../kernels/map/pca.ts";
import { trustworthiness } from "../../kernels/map/trustworthiness.ts";
import { mapFigure, toMapView } from "../../kernels/map/view.ts";
import { groupedVectors } from "./vectors.ts";

interface Golden {
  n: number;
  d: number;
  k: number;
  pca: [number, number][];
  explained: [number, number];
  cosine: number[][];
  euclidean: number[][];
  trust_plane: number;
  trust_pca: number;
}
const golden = JSON.parse(readFileSync(new URL("../golden/map.json", import.meta.url), "utf8")) as Golden;
const { n, d, k } = golden;
const vectors = groupedVectors(n, d, 5, 7);
const texts = Array.from({ length: n }, (_, i) => `text ${i}`);
const labels = Array.from({ length: n }, (_, i) => `group ${i % 5}`);
const compute = threadCompute();
afterAll(() => compute.dispose());

/** Share of rows whose neighbour list equals the golden one as a set: float32 ties may swap the last place. */
function sameSets(found: Int32Array, expected: number[][]): number {
  let same = 0;
  expected.forEach((row, i) => {
    const own = new Set(found.subarray(i * k, (i + 1) * k));
    if (row.every((j) => own.has(j))) same++;
  });
  return same / expected.length;
}

describe("exact neighbours", () => {
  test.each(["cosine", "euclidean"] as const)("are scikit-learn's by %s", async (metric) => {
    const search = await ExactSearch.open(vectors, n, d, metric, compute);
    const found = await search.all(k);
    await search.dispose();
    expect(sameSets(found.indices, golden[metric])).toBeGreaterThan(0.99);
    expect([...found.indices].every((j, at) => j !== Math.floor(at / k))).toBe(true);
  });

  test("leave a point itself out although it has exact copies", async () => {
    const copies = new Float32Array(8 * 3).map((_, i) => [1, 2, 3][i % 3]);
    const search = await ExactSearch.open(copies, 8, 3, "cosine", compute);
    const found = await search.all(7);
    await search.dispose();
    for (let i = 0; i < 8; i++)
      expect([...found.indices.subarray(i * 7, i * 7 + 7)].sort((a, b) => a - b)).toEqual(
        [0, 1, 2, 3, 4, 5, 6, 7].filter((j) => j !== i),
      );
  });

  test("refuse a zero vector by cosine, naming its row", async () => {
    await expect(ExactSearch.open(new Float32Array(12).fill(1, 3), 4, 3, "cosine", compute)).rejects.toMatchObject({
      code: "map.zero-vector",
      details: { row: 0 },
    });
  });
});

test("principal components are scikit-learn's", () => {
  const found = pca(vectors, n, d);
  // Scores are up to about 3; float32 input leaves 1e-6 relative, the iteration's own error is below it.
  let largest = 0;
  golden.pca.forEach(([x, y], i) => {
    largest = Math.max(largest, Math.abs(found.points[2 * i] - x), Math.abs(found.points[2 * i + 1] - y));
  });
  expect(largest).toBeLessThan(2e-5);
  expect(found.explained[0]).toBeCloseTo(golden.explained[0], 6);
  expect(found.explained[1]).toBeCloseTo(golden.explained[1], 6);
});

describe("trustworthiness", () => {
  const all = Array.from({ length: n }, (_, i) => i);
  test.each([
    [
      "of the first two coordinates",
      (): Float32Array => Float32Array.from({ length: 2 * n }, (_, i) => vectors[Math.floor(i / 2) * d + (i % 2)]),
      golden.trust_plane,
    ],
    ["of the principal components", (): Float32Array => Float32Array.from(golden.pca.flat()), golden.trust_pca],
  ])("%s is scikit-learn's", async (_, points, expected) => {
    const search = await ExactSearch.open(vectors, n, d, "cosine", compute);
    const found = await trustworthiness(points(), n, k, all, (rows) => search.distances(rows));
    await search.dispose();
    // One swapped tie changes the sum by about 1 of 2e5.
    expect(found).toBeCloseTo(expected, 4);
  });

  test("over every third point is near the exact value", async () => {
    const points = Float32Array.from(golden.pca.flat());
    const search = await ExactSearch.open(vectors, n, d, "cosine", compute);
    const found = await trustworthiness(
      points,
      n,
      k,
      all.filter((i) => i % 3 === 0),
      (rows) => search.distances(rows),
    );
    await search.dispose();
    expect(Math.abs(found - golden.trust_pca)).toBeLessThan(0.02);
  });
});

describe("a map", () => {
  const input = { vectors, n, dimensions: d, texts, labels, labelName: "group" };

  test("is the same for the same seed, keeps groups together and says how it was made", async () => {
    const options = { k, seed: 3, epochs: 120 };
    const first = await layoutMap(input, options, compute);
    const second = await layoutMap(input, options, compute);
    expect(second.points).toEqual(first.points);
    expect(first.trustworthiness).toBeGreaterThan(golden.trust_plane);
    expect(first).toMatchObject({
      n,
      k,
      seed: 3,
      epochs: 120,
      method: "umap",
      metric: "cosine",
      trustworthinessN: n,
      notes: [],
    });
    const figure = mapFigure(first);
    expect(figure.marks.map((mark) => ("name" in mark ? mark.name : ""))).toEqual([
      "group 0",
      "group 1",
      "group 2",
      "group 3",
      "group 4",
    ]);
  });

  test("leaves rows with NaN out and says which", async () => {
    const broken = new Float32Array(vectors);
    broken[17 * d + 3] = Number.NaN;
    const layout = await layoutMap({ ...input, vectors: broken }, { k, epochs: 5 }, compute);
    expect(layout.n).toBe(n - 1);
    expect(layout.rows).not.toContain(17);
    expect(layout.notes).toEqual([`1 of ${n} rows have NaN or infinite numbers and were left out (row 17).`]);
  });

  test("lowers k when there are few rows, and needs four", async () => {
    const few = { vectors: vectors.slice(0, 9 * d), n: 9, dimensions: d, texts: texts.slice(0, 9) };
    const layout = await layoutMap(few, { epochs: 20 }, compute);
    expect(layout.k).toBe(7);
    expect(layout.notes).toEqual(["k was lowered from 15 to 7: there are only 9 rows."]);
    await expect(
      layoutMap({ vectors: vectors.slice(0, 3 * d), n: 3, dimensions: d, texts: texts.slice(0, 3) }, {}, compute),
    ).rejects.toMatchObject({ code: "map.too-few-rows" });
  });

  test("stops within a second when asked, in mid layout", async () => {
    const controller = new AbortController();
    const many = {
      vectors: groupedVectors(2000, d, 5, 1),
      n: 2000,
      dimensions: d,
      texts: Array.from({ length: 2000 }, String),
    };
    let asked = 0;
    const work = layoutMap(
      many,
      {
        signal: controller.signal,
        onProgress: (progress) => {
          if (progress.stage === "Layout" && asked === 0) {
            asked = performance.now();
            controller.abort();
          }
        },
      },
      compute,
    );
    await expect(work).rejects.toMatchObject({ kind: "cancelled" });
    expect(performance.now() - asked).toBeLessThan(1000);
  });

  test("as a page holds hostile texts as data only", async () => {
    const layout = await layoutMap(
      { ...input, texts: texts.map((text) => `${text} </script><script>alert(1)</script>`) },
      { k, epochs: 2 },
      compute,
    );
    const page = mapHtml(toMapView(layout), "A <b>map</b>");
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).toContain("<title>A &lt;b&gt;map&lt;/b&gt;</title>");
  });
});

/** A map's arrays, decoded and checked once. */
import type { MapView } from "../../../kernels/protocol/display.ts";
import { assignCategories, type Category } from "../categories.ts";
import { decodeFloat32, decodeInt32 } from "../decode.ts";

export interface MapData {
  view: MapView;
  n: number;
  /** Interleaved x, y; NaN where a point has no place. */
  points: Float32Array;
  texts: readonly string[];
  labels: readonly string[] | null;
  categories: readonly Category[];
  /** Category of each point. */
  categoryOf: Uint16Array;
  k: number;
  neighbours: Int32Array;
  similarities: Float32Array;
  /** [left, top, right, bottom] of all finite points. */
  bounds: readonly [number, number, number, number];
  /** Where each label's name stands: the medians of its points, largest label first. */
  centroids: readonly { label: string; x: number; y: number; n: number; category: number }[];
}

/** @throws RangeError when an array does not hold what n and k say. */
export function decodeMap(view: MapView): MapData {
  const { n, k } = view;
  const points = decodeFloat32(view.points, 2 * n);
  const labels = view.labels ?? null;
  const { categories, of } = assignCategories(labels ?? new Array<string>(n).fill("all texts"));
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < n; i++) {
    const x = points[2 * i]!;
    const y = points[2 * i + 1]!;
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (left > right) [left, top, right, bottom] = [0, 0, 1, 1];
  return {
    view,
    n,
    points,
    texts: view.texts,
    labels,
    categories,
    categoryOf: of,
    k,
    neighbours: decodeInt32(view.neighbours, n * k),
    similarities: decodeFloat32(view.similarities, n * k),
    bounds: [left, top, right, bottom],
    centroids: labels ? centroidsOf(labels, points, of) : [],
  };
}

function centroidsOf(labels: readonly string[], points: Float32Array, of: Uint16Array): MapData["centroids"] {
  const rows = new Map<string, number[]>();
  for (let i = 0; i < labels.length; i++) {
    if (!Number.isFinite(points[2 * i]!) || !Number.isFinite(points[2 * i + 1]!)) continue;
    const list = rows.get(labels[i]!);
    if (list) list.push(i);
    else rows.set(labels[i]!, [i]);
  }
  const median = (list: number[], axis: 0 | 1) => {
    const values = list.map((i) => points[2 * i + axis]!).sort((a, b) => a - b);
    return values[values.length >> 1]!;
  };
  return [...rows]
    .map(([label, list]) => ({
      label,
      x: median(list, 0),
      y: median(list, 1),
      n: list.length,
      category: of[list[0]!]!,
    }))
    .sort((a, b) => b.n - a.n)
    .slice(0, 300);
}

export interface Neighbour {
  row: number;
  similarity: number;
}

/** Neighbours of a point in the original space, nearest first. Rows that do not exist are left out. */
export function neighboursOf(data: MapData, row: number): Neighbour[] {
  const out: Neighbour[] = [];
  for (let j = 0; j < data.k; j++) {
    const other = data.neighbours[row * data.k + j]!;
    if (other >= 0 && other < data.n && other !== row)
      out.push({ row: other, similarity: data.similarities[row * data.k + j]! });
  }
  return out;
}

/** Rows whose text or label holds every word of the query, in any order and any case. */
export function searchMap(data: MapData, query: string): number[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const out: number[] = [];
  for (let i = 0; i < data.n; i++) {
    const text = `${data.texts[i]} ${data.labels?.[i] ?? ""}`.toLocaleLowerCase();
    if (words.every((word) => text.includes(word))) out.push(i);
  }
  return out;
}

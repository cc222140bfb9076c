/**
 * From vectors to a picture: neighbours in the original space, UMAP from them, and a measure of how far the picture can
 * be trusted.
 */
import type { Compute } from "../graph/compute.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncoderIdentity, MapLayout } from "../protocol/results.ts";
import { ExactSearch, type Metric } from "./neighbours.ts";
import { pca } from "./pca.ts";
import { trustworthiness } from "./trustworthiness.ts";
import { defaultEpochs, runLayout } from "./umap.ts";

export interface MapInput {
  /** float32 [n, d], row-major. */
  vectors: Float32Array;
  n: number;
  dimensions: number;
  texts: readonly string[];
  /** One category a row. */
  labels?: readonly string[] | undefined;
  labelName?: string | undefined;
  encoder?: EncoderIdentity | undefined;
}

export interface MapOptions extends WorkContext {
  /** "umap" (default) or "pca". */
  method?: "umap" | "pca";
  /** Neighbours that shape the map, default 15, from 2. Lowered with a note when there are too few rows. */
  k?: number;
  /** Least distance between points in the map, default 0.1, in [0, 1). */
  minDist?: number;
  /** Similarity in the original space, default "cosine". */
  metric?: Metric;
  /** Default by n: 500 for up to 2,500 rows, 200 from 7,501. */
  epochs?: number;
  /** Default 0. Same vectors, options and seed: same map. */
  seed?: number;
}

/** Rows at which trustworthiness is measured; exact up to here. */
const TRUST_SAMPLE = 2000;

/**
 * @throws {ParallaxError} map.too-few-rows  fewer than 4 usable rows
 * @throws {ParallaxError} map.bad-option    an option outside its range
 * @throws {CancelledError} when the signal asks; nothing is kept
 * Cost: O(n²·d) for neighbours and trustworthiness (on the provider), O(n·k·epochs) for the layout (one thread).
 * Source: McInnes, Healy and Melville 2018 (umap-js); trustworthiness of Venna and Kaski 2001.
 */
export async function layoutMap(input: MapInput, options: MapOptions, compute: Compute): Promise<MapLayout> {
  const started = performance.now();
  const { method = "umap", minDist = 0.1, metric = "cosine", seed = 0 } = options;
  const notes: string[] = [];
  const d = input.dimensions;
  if (input.vectors.length !== input.n * d)
    throw new ParallaxError(
      "tensor.shape-mismatch",
      `map: vectors of shape [${input.n}, ${d}] need ${input.n * d} numbers, found ${input.vectors.length}.`,
    );
  if (!(minDist >= 0 && minDist < 1))
    throw new ParallaxError("map.bad-option", `map: minDist must be at least 0 and below 1, found ${minDist}.`);
  if (!Number.isInteger(options.k ?? 15) || (options.k ?? 15) < 2)
    throw new ParallaxError("map.bad-option", `map: k must be a whole number from 2, found ${options.k}.`);
  if (input.labels && input.labels.length !== input.n)
    throw new ParallaxError(
      "map.bad-option",
      `map: ${input.n} vectors need as many labels, found ${input.labels.length}.`,
    );

  const rows = usableRows(input, metric, notes);
  const n = rows.length;
  if (n < 4)
    throw new ParallaxError(
      "map.too-few-rows",
      `map: a picture needs at least 4 rows with finite numbers, found ${n} of ${input.n}.`,
      {
        hint: "Give more texts.",
      },
    );
  let k = options.k ?? 15;
  // The layout counts a point as its own neighbour and needs one row more than that.
  if (k > n - 2) {
    notes.push(`k was lowered from ${k} to ${n - 2}: there are only ${n} rows.`);
    k = n - 2;
  }
  const vectors = rows.length === input.n ? input.vectors : pick(input.vectors, rows, d);

  const search = await ExactSearch.open(vectors, n, d, metric, compute);
  try {
    const neighbours = await search.all(k, options);
    const components = pca(vectors, n, d);
    const epochs = method === "umap" ? (options.epochs ?? defaultEpochs(n)) : 0;
    const points =
      method === "pca"
        ? components.points
        : await runLayout(
            {
              n,
              k,
              minDist,
              epochs,
              seed,
              neighbours: neighbours.indices,
              distances: neighbours.similarities.map((s) => Math.max(0, metric === "cosine" ? 1 - s : -s)),
              start: spread(components.points, n, seed),
            },
            options,
          );
    const trustK = Math.min(k, Math.floor((n - 1) / 2));
    const sample = evenSample(n, TRUST_SAMPLE);
    const trust = await trustworthiness(points, n, trustK, sample, (r) => search.distances(r), options);
    if (method === "pca")
      notes.push(
        `The two components explain ${(100 * (components.explained[0] + components.explained[1])).toFixed(1)} % of the variance.`,
      );
    return {
      version: 1,
      n,
      dimensions: d,
      points,
      texts: rows.map((row) => input.texts[row] ?? ""),
      ...(input.labels
        ? { labels: rows.map((row) => (input.labels as readonly string[])[row]), labelName: input.labelName ?? "label" }
        : {}),
      rows,
      neighbours: neighbours.indices,
      similarities: neighbours.similarities,
      k,
      metric,
      method,
      minDist,
      epochs,
      seed,
      trustworthiness: trust,
      trustworthinessK: trustK,
      trustworthinessN: sample.length,
      notes,
      ...(input.encoder ? { encoder: input.encoder } : {}),
      elapsedMs: performance.now() - started,
    };
  } finally {
    await search.dispose();
  }
}

/** Rows that can be placed; what is left out is said, never silent. */
function usableRows(input: MapInput, metric: Metric, notes: string[]): number[] {
  const { vectors, n, dimensions: d } = input;
  const usable: number[] = [];
  const broken: number[] = [];
  const zero: number[] = [];
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let j = 0; j < d; j++) square += vectors[i * d + j] ** 2;
    if (!Number.isFinite(square)) broken.push(i);
    else if (square === 0 && metric === "cosine") zero.push(i);
    else usable.push(i);
  }
  const list = (rows: number[]): string => `${rows.slice(0, 5).join(", ")}${rows.length > 5 ? ", …" : ""}`;
  if (broken.length > 0)
    notes.push(`${broken.length} of ${n} rows have NaN or infinite numbers and were left out (row ${list(broken)}).`);
  if (zero.length > 0)
    notes.push(`${zero.length} of ${n} rows are zero vectors and were left out (row ${list(zero)}).`);
  return usable;
}

function pick(vectors: Float32Array, rows: readonly number[], d: number): Float32Array {
  const picked = new Float32Array(rows.length * d);
  rows.forEach((row, i) => {
    picked.set(vectors.subarray(row * d, (row + 1) * d), i * d);
  });
  return picked;
}

/** Components scaled to −10…10 with a little seeded noise, so that equal vectors do not start on one spot (as umap-learn does). */
function spread(components: Float32Array, n: number, seed: number): Float32Array {
  let largest = 0;
  for (const value of components) largest = Math.max(largest, Math.abs(value));
  const scale = largest > 0 ? 10 / largest : 1;
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float32Array.from({ length: 2 * n }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return components[i] * scale + (state / 2 ** 32 - 0.5) * 2e-4;
  });
}

function evenSample(n: number, most: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.floor((i * n) / most));
}

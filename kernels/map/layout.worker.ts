/**
 * The layout thread: fuzzy graph and epochs of UMAP, away from the kernel's own thread, so that the kernel answers while
 * it runs and Stop needs no cooperation from the library.
 */
import { parentPort, workerData } from "node:worker_threads";
import { UMAP } from "umap-js";
import type { LayoutReply, LayoutRequest } from "./umap.ts";

const request = workerData as LayoutRequest;
const port = parentPort;
if (port === null) throw new Error("layout.worker runs as a worker thread only");
const { n, k } = request;

const umap = new UMAP({
  nComponents: 2,
  nNeighbors: k + 1,
  minDist: request.minDist,
  nEpochs: request.epochs,
  random: uniform(request.seed),
});
// The library counts a point as its own first neighbour, as umap-learn does.
const indices: number[][] = [];
const distances: number[][] = [];
for (let i = 0; i < n; i++) {
  indices.push([i, ...request.neighbours.subarray(i * k, (i + 1) * k)]);
  distances.push([0, ...request.distances.subarray(i * k, (i + 1) * k)]);
}
umap.setPrecomputedKNN(indices, distances);
// The vectors themselves are not read once neighbours are known; only their number is.
umap.initializeFit(Array.from({ length: n }, () => [0]));

// The library starts at random places; the principal components keep far groups apart in a repeatable way.
const embedding = umap.getEmbedding();
for (let i = 0; i < n; i++) {
  const point = embedding[i] as number[];
  point[0] = request.start[2 * i] as number;
  point[1] = request.start[2 * i + 1] as number;
}
let posted = 0;
for (let epoch = 1; epoch <= request.epochs; epoch++) {
  umap.step();
  const now = performance.now();
  if (now - posted > 100 && epoch < request.epochs) {
    posted = now;
    port.postMessage({ kind: "progress", epoch } satisfies LayoutReply);
  }
}
const points = new Float32Array(2 * n);
umap.getEmbedding().forEach((point, i) => {
  points[2 * i] = point[0] as number;
  points[2 * i + 1] = point[1] as number;
});
port.postMessage({ kind: "done", points } satisfies LayoutReply, [points.buffer]);

/** mulberry32: small, seeded, and good enough for negative sampling. */
function uniform(seed: number): () => number {
  let state = (seed ^ 0x5eed5eed) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

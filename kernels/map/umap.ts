/** Runs the layout thread: neighbours in, points out, progress between, Stop at once. */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { packageRoot } from "../graph/package-root.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

export interface LayoutRequest {
  n: number;
  k: number;
  minDist: number;
  epochs: number;
  seed: number;
  /** int32 [n, k], the point itself left out, nearest first. */
  neighbours: Int32Array;
  /** float32 [n, k], not negative. */
  distances: Float32Array;
  /** float32 [n, 2], about −10 to 10. */
  start: Float32Array;
}
export type LayoutReply = { kind: "progress"; epoch: number } | { kind: "done"; points: Float32Array };

/** umap-js's own choice: fewer epochs for more points (McInnes, Healy and Melville 2018 use 500 below 10,000 points). */
export function defaultEpochs(n: number): number {
  if (n <= 2500) return 500;
  if (n <= 5000) return 400;
  if (n <= 7500) return 300;
  return 200;
}

/**
 * @returns float32 [n, 2].
 * @throws {CancelledError} within some milliseconds of the signal; the thread is ended.
 * Cost: about 3 ms per point at 500 epochs on one core. Same request, same points.
 */
export function runLayout(request: LayoutRequest, context: WorkContext = {}): Promise<Float32Array> {
  return new Promise((resolve, reject) => {
    if (context.signal?.aborted) {
      reject(new CancelledError("The map"));
      return;
    }
    const worker = new Worker(path.join(packageRoot(), "dist/kernels/map/layout.worker.mjs"), { workerData: request });
    const started = performance.now();
    const stop = (): void => {
      void worker.terminate();
      reject(new CancelledError("The map"));
    };
    const end = (): void => context.signal?.removeEventListener("abort", stop);
    context.signal?.addEventListener("abort", stop, { once: true });
    worker.on("message", (reply: LayoutReply) => {
      if (reply.kind === "done") {
        end();
        resolve(reply.points);
        return;
      }
      const rate = (1000 * reply.epoch) / (performance.now() - started);
      context.onProgress?.({
        stage: "Layout",
        done: reply.epoch,
        total: request.epochs,
        unit: "epochs",
        rate,
        etaMs: (1000 * (request.epochs - reply.epoch)) / rate,
      });
    });
    worker.on("error", (error) => {
      end();
      reject(
        new ParallaxError("map.layout-failed", `The layout of ${request.n} points failed: ${error.message}`, {
          kind: "bug",
          cause: error,
        }),
      );
    });
    worker.on("exit", (code) => {
      end();
      // After "done" or "error" this changes nothing: the promise is settled.
      reject(
        new ParallaxError("map.layout-failed", `The layout thread ended with code ${code} before it was done.`, {
          kind: "environment",
        }),
      );
    });
  });
}

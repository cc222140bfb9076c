/** `estimateRun`: what a fine-tune would take, before it is started. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { tableBundle } from "../data/table-view.ts";
import { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { availableMemory } from "../train/estimate.ts";
import { measureInChild } from "../train/estimate-run.ts";
import { readConfig } from "../train/run-folder.ts";
import { duration } from "../train/run-view.ts";
import { withJob } from "./context.ts";
import { createFineTune, type FineTuneOptions } from "./fine-tune.ts";
import { trainConfigOptions } from "./train-config.ts";

/** Time and memory of a whole run, from steps of it that were really made. */
export interface RunForecast extends Displayable {
  /** The whole run, from its start to its export; fewer when patience ends it. */
  readonly elapsedMs: number;
  /** Highest memory of the trainer, bytes; and what this computer can give now. */
  readonly memoryBytes: number;
  readonly availableBytes: number;
  /** False when the run needs more memory than there is. */
  readonly fits: boolean;
  readonly steps: number;
  readonly stepMs: number;
  /** One round over all evaluation tasks, and the number of rounds. */
  readonly evaluationMs: number;
  readonly evaluations: number;
  readonly checkpointMs: number;
  readonly exportMs: number;
  /** What to read first: duplicates, memory. */
  readonly notes: readonly string[];
}

/**
 * Measure what `fineTune(options)` would take. A trainer of its own loads the encoder, scores the tasks once, makes some
 * steps and a checkpoint; then all of it is thrown away. The run's folder is not made.
 *
 * @throws {ParallaxError} everything that fineTune refuses before it starts; work.cancelled
 * Cost: the start of the run: seconds for small encoders, and one evaluation of each task.
 *
 * @example const { elapsedMs, memoryBytes } = await estimateRun({ pairs: table, evaluation: task, epochs: 3 });
 */
export async function estimateRun(options: FineTuneOptions & WorkContext): Promise<RunForecast> {
  const { signal, onProgress, folder: _, runs: __, ...asked } = options;
  const aside = mkdtempSync(path.join(tmpdir(), "parallax-estimate-"));
  try {
    const made = await createFineTune({ ...asked, folder: path.join(aside, "run") });
    const { steps, evaluation, batchSize } = readConfig(made.folder);
    const availableBytes = availableMemory();
    const measured = await withJob({ signal, onProgress }, (work) => measureInChild(made.folder, work));
    const { elapsedMs, memoryBytes, stepMs = 0, evaluationMs = 0, checkpointMs = 0, exportMs = 0 } = measured;
    const evaluations = evaluation === null ? 0 : Math.ceil(steps / evaluation.every) + 1;
    const forecast = {
      elapsedMs,
      memoryBytes,
      availableBytes,
      fits: memoryBytes <= availableBytes,
      steps,
      stepMs,
      evaluationMs,
      evaluations,
      checkpointMs,
      exportMs,
      notes: made.notes,
    };
    return { ...forecast, [DISPLAY]: () => forecastBundle(forecast, batchSize, evaluation?.patience ?? null) };
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** The same for a configuration file: `parallax train --dry-run`. @throws also train.config-missing, train.bad-config */
export async function estimateTrainConfig(file: string): Promise<RunForecast> {
  return estimateRun(await trainConfigOptions(file));
}

function forecastBundle(
  forecast: Omit<RunForecast, typeof DISPLAY>,
  batchSize: number,
  patience: number | null,
): MimeBundle {
  const { elapsedMs, steps, stepMs, evaluations, evaluationMs, memoryBytes, availableBytes, fits } = forecast;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  const rows = [
    ["whole run", duration(elapsedMs)],
    [`${steps.toLocaleString("en")} steps of ${batchSize}`, `${stepMs.toFixed(0)} ms each`],
    ...(evaluations === 0 ? [] : [[`${evaluations} evaluations`, `${duration(evaluationMs)} each`]]),
    ["memory", `${gigabytes(memoryBytes)} of ${gigabytes(availableBytes)} free`],
  ];
  return tableBundle({
    version: 1,
    title: "What the run would take",
    columns: [
      { name: "part", kind: "text" },
      { name: "estimate", kind: "text" },
    ],
    rows,
    total: rows.length,
    notes: [
      ...(fits ? [] : ["It needs more memory than is free: use a smaller batchSize, a chunk, or shorter texts."]),
      ...(patience === null ? [] : [`It may end sooner: after ${patience} evaluations without a better score.`]),
      "Measured on this computer as busy as it was; nothing was kept.",
      ...forecast.notes,
    ],
  });
}

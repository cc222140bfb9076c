/** metrics.jsonl: one line a step or an evaluation, in the order of steps, only ever appended to. */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import path from "node:path";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES, type RunMetric, runMetricSchema } from "../protocol/run-files.ts";

export interface ParsedMetrics {
  metrics: RunMetric[];
  /** Bytes up to the end of the last whole line. */
  wholeBytes: number;
}

/**
 * The whole lines of a piece of metrics.jsonl. A last line without its line end is still being written, or was torn by
 * a kill; it is left for later.
 * @throws {ParallaxError} run.damaged-metrics when a whole line is no metric (details.line, from 1).
 */
export function parseMetrics(bytes: Uint8Array, firstLine = 1): ParsedMetrics {
  const wholeBytes = bytes.lastIndexOf(10) + 1;
  const lines = new TextDecoder().decode(bytes.subarray(0, wholeBytes)).split("\n").slice(0, -1);
  const metrics = lines.map((line, i) => {
    const parsed = runMetricSchema.safeParse(parseJson(line));
    if (!parsed.success)
      throw new ParallaxError(
        "run.damaged-metrics",
        `Line ${firstLine + i} of ${RUN_FILES.metrics} is no metric: ${line.slice(0, 80)}`,
        { hint: "Restore the file from a copy, or start the run again.", details: { line: firstLine + i } },
      );
    return parsed.data;
  });
  return { metrics, wholeBytes };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** All metrics written so far; none when the run has not begun. */
export function readMetrics(folder: string): RunMetric[] {
  try {
    return parseMetrics(readFileSync(path.join(folder, RUN_FILES.metrics))).metrics;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The trainer's end of the file. Lines reach other processes at once and the disk at `sync`. */
export class MetricsWriter {
  readonly #fd: number;

  /**
   * Open for appending, after dropping everything later than a step (and a torn line). The shortened file is a new
   * file renamed into place, so that a watcher notices even when it has grown again.
   * @param lastStep lines of later steps are dropped; -1 drops all.
   */
  constructor(folder: string, lastStep: number) {
    const file = path.join(folder, RUN_FILES.metrics);
    const kept = readMetrics(folder).filter((metric) => metric.step <= lastStep);
    writeFileAtomically(file, [kept.map((metric) => `${JSON.stringify(metric)}\n`).join("")]);
    this.#fd = openSync(file, "a");
  }

  append(metric: RunMetric): void {
    // NaN and infinity are no JSON: such a step is reported as the error that stops the run.
    const line = Buffer.from(`${JSON.stringify(metric)}\n`);
    for (let done = 0; done < line.length; ) done += writeSync(this.#fd, line, done);
  }

  sync(): void {
    fsyncSync(this.#fd);
  }

  close(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }
}

/** Reading run folders from outside: the trainer needs to know nothing of us, and may die at any instant. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import {
  RUN_FILES,
  type RunMetric,
  type RunSummary,
  runConfigSchema,
  runLabelSchema,
  runMetricSchema,
  runStatusSchema,
  shownStatus,
  upgradeRunConfig,
} from "../../kernels/protocol/run-files.ts";
import { systemCode } from "./disk-errors.ts";
import { parseJson, textOf } from "./json-file.ts";
import { isRunning } from "./process-identity.ts";

/** @throws {ParallaxError} run.missing, run.damaged */
export function readRun(folder: string): RunSummary {
  const configText = textOf(path.join(folder, RUN_FILES.config));
  const statusText = textOf(path.join(folder, RUN_FILES.status));
  if (configText === null || statusText === null)
    throw new ParallaxError(
      "run.missing",
      `There is no run in ${folder}: ${configText === null ? RUN_FILES.config : RUN_FILES.status} is missing.`,
      {
        hint: "It may have been moved or deleted; look at the list of runs.",
        details: { folder },
      },
    );
  const config = runConfigSchema.safeParse(upgradeRunConfig(parseJson(configText)));
  const status = runStatusSchema.safeParse(parseJson(statusText));
  const bad = config.success ? (status.success ? null : status.error) : config.error;
  if (!config.success || !status.success) {
    const issue = bad?.issues[0];
    const file = config.success ? RUN_FILES.status : RUN_FILES.config;
    throw new ParallaxError(
      "run.damaged",
      `${file} of the run in ${folder} is not valid: ${issue?.path.join(".") || "it"}: ${issue?.message ?? "not readable"}.`,
      {
        hint: "Open its log.txt, or start the run again.",
        details: { folder },
      },
    );
  }
  const { pid } = status.data;
  const alive = pid !== null && isRunning({ pid, start: null });
  // What a person wrote is worth less than the run: a damaged label is none.
  const label = runLabelSchema.safeParse(parseJson(textOf(path.join(folder, RUN_FILES.label)) ?? ""));
  return {
    folder,
    config: config.data,
    status: shownStatus(status.data, alive),
    alive,
    ...(label.success ? { label: label.data } : {}),
  };
}

/** A log past this is shown from its end. */
const LOG_SHOWN_BYTES = 200_000;

/** What a run folder has written since the last look. */
export class RunTail {
  readonly #folder: string;
  #metrics = { inode: 0, offset: 0 };
  #log: { inode: number; offset: number } | null = null;
  #shown = "";

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * What is new, or null. After a resume has cut later steps off, all metrics come again.
   * @throws {ParallaxError} run.missing, run.damaged
   */
  look(): { run: RunSummary; metrics: RunMetric[]; log: string } | null {
    // The status first: metrics are then never older than it says.
    const run = readRun(this.#folder);
    const metrics = this.#newMetrics();
    const log = this.#newLog();
    const shown = JSON.stringify([run.status, run.alive, run.label]);
    if (metrics.length === 0 && log === "" && shown === this.#shown) return null;
    this.#shown = shown;
    return { run, metrics, log };
  }

  #newMetrics(): RunMetric[] {
    const read = readFrom(path.join(this.#folder, RUN_FILES.metrics), this.#metrics);
    if (read === null) return [];
    // A line without its end is still being written.
    const whole = read.bytes.lastIndexOf(10) + 1;
    this.#metrics = { inode: read.inode, offset: read.from + whole };
    return read.bytes
      .subarray(0, whole)
      .toString("utf8")
      .split("\n")
      .flatMap((line) => {
        const parsed = runMetricSchema.safeParse(parseJson(line));
        return parsed.success ? [parsed.data] : [];
      });
  }

  #newLog(): string {
    const first = this.#log === null;
    const read = readFrom(path.join(this.#folder, RUN_FILES.log), this.#log ?? { inode: 0, offset: 0 });
    if (read === null) return "";
    let whole = read.bytes.lastIndexOf(10) + 1;
    if (first && whole > LOG_SHOWN_BYTES) {
      const cut = read.bytes.indexOf(10, whole - LOG_SHOWN_BYTES) + 1;
      this.#log = { inode: read.inode, offset: read.from + whole };
      return `… ${cut} bytes before this are in ${RUN_FILES.log}\n${read.bytes.subarray(cut, whole).toString("utf8")}`;
    }
    if (whole === 0) whole = read.bytes.length > 65_536 ? read.bytes.length : 0;
    this.#log = { inode: read.inode, offset: read.from + whole };
    return read.bytes.subarray(0, whole).toString("utf8");
  }
}

/** Bytes of a file after an offset; from its start when it is another file, or shorter, than at the last look. */
function readFrom(
  file: string,
  last: { inode: number; offset: number },
): { bytes: Buffer; from: number; inode: number } | null {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
  try {
    const { ino, size } = fstatSync(fd);
    const from = ino === last.inode && size >= last.offset ? last.offset : 0;
    const bytes = Buffer.alloc(size - from);
    let got = 0;
    while (got < bytes.length) {
      const n = readSync(fd, bytes, got, bytes.length - got, from + got);
      if (n === 0) break;
      got += n;
    }
    return { bytes: bytes.subarray(0, got), from, inode: ino };
  } finally {
    closeSync(fd);
  }
}

/** The last lines of a run's log, for the message of a failed start. */
export function lastLogLines(folder: string, n: number): string {
  const text = textOf(path.join(folder, RUN_FILES.log)) ?? "";
  return text.trimEnd().split("\n").slice(-n).join(" / ");
}

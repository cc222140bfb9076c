/** Following a run from another process: by its files, so that nothing need be agreed with the trainer. */
import { closeSync, type FSWatcher, fstatSync, openSync, readSync, watch } from "node:fs";
import path from "node:path";
import { RUN_FILES, type RunMetric, type RunSummary } from "../protocol/run-files.ts";
import { parseMetrics } from "./metrics-file.ts";
import { readRun } from "./run-folder.ts";

export interface RunUpdate {
  run: RunSummary;
  /** Metrics since the last update, in order. */
  metrics: RunMetric[];
  /** True when `metrics` is the whole history: the first update, and after a resumed run cut its tail. */
  reset: boolean;
}

export interface RunWatch {
  /** Stop following. Safe to call twice. */
  stop(): void;
  /** Look now; the listener is called before this returns when something is new. */
  check(): void;
}

/** How often the folder is looked at when the system does not tell of changes (network folders do not). */
const POLL_MS = 400;

/**
 * Call the listener at once with everything so far, then within half a second of each change, until `stop`.
 *
 * @param onError receives what goes wrong while reading (run.damaged, run.damaged-metrics); following goes on. By
 *   default it is thrown from the timer, which ends the process.
 * @throws {ParallaxError} run.missing, run.damaged at once when the folder is no run.
 * The watch keeps no process alive by itself.
 */
export function watchRun(
  folder: string,
  listener: (update: RunUpdate) => void,
  onError: (error: unknown) => void = (error) => {
    throw error;
  },
): RunWatch {
  const absolute = path.resolve(folder);
  const tail = new MetricsTail(path.join(absolute, RUN_FILES.metrics));
  let shown = "";
  let first = true;
  let stopped = false;

  const look = () => {
    // The status first: then metrics are never older than it says.
    const run = readRun(absolute);
    const { metrics, reset } = tail.read();
    const state = JSON.stringify([run.status, run.alive]);
    if (!first && metrics.length === 0 && !reset && state === shown) return;
    shown = state;
    listener({ run, metrics, reset: first || reset });
    first = false;
  };
  const check = () => {
    if (stopped) return;
    try {
      look();
    } catch (error) {
      onError(error);
    }
  };

  look();
  let watcher: FSWatcher | undefined;
  let soon: NodeJS.Timeout | undefined;
  try {
    watcher = watch(absolute, { persistent: false }, () => {
      // Several events come for one change.
      soon ??= setTimeout(() => {
        soon = undefined;
        check();
      }, 30).unref();
    });
    // No more events (too many watches, folder gone): polling goes on.
    watcher.on("error", () => watcher?.close());
  } catch (error) {
    if (!["ENOSPC", "EMFILE", "ENOSYS", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  const poll = setInterval(check, POLL_MS).unref();
  return {
    stop() {
      stopped = true;
      clearInterval(poll);
      clearTimeout(soon);
      watcher?.close();
    },
    check,
  };
}

/** Reads what was added to metrics.jsonl since the last look; starts over when the file is another one or shorter. */
class MetricsTail {
  readonly #file: string;
  #offset = 0;
  #lines = 0;
  #inode = -1;

  constructor(file: string) {
    this.#file = file;
  }

  read(): { metrics: RunMetric[]; reset: boolean } {
    let fd: number;
    try {
      fd = openSync(this.#file, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      const reset = this.#offset > 0;
      this.#restart(-1);
      return { metrics: [], reset };
    }
    try {
      const { size, ino } = fstatSync(fd);
      const reset = this.#inode !== -1 && (ino !== this.#inode || size < this.#offset);
      if (reset || this.#inode === -1) this.#restart(ino);
      if (size === this.#offset) return { metrics: [], reset };
      const bytes = Buffer.alloc(size - this.#offset);
      const got = readSync(fd, bytes, 0, bytes.length, this.#offset);
      const { metrics, wholeBytes } = parseMetrics(bytes.subarray(0, got), this.#lines + 1);
      this.#offset += wholeBytes;
      this.#lines += metrics.length;
      return { metrics, reset };
    } finally {
      closeSync(fd);
    }
  }

  #restart(inode: number): void {
    this.#offset = 0;
    this.#lines = 0;
    this.#inode = inode;
  }
}

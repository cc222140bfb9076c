/** One run of one cell: its output, its progress, its awaits, and how it is stopped. */
import type { CellContext, DisplayOptions } from "../api/context.ts";
import { ProgressMeter } from "../api/progress-meter.ts";
import type { MimeBundle } from "../protocol/display.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { FromKernel } from "../protocol/kernel-messages.ts";
import type { Progress } from "../protocol/progress.ts";
import { CellOutput } from "./output.ts";

/** How long a stopped cell's own catch and finally blocks may still await. */
const GRACE_MS = 500;
/** Displays that one run may show; a loop that shows without end would fill the notebook. */
const DISPLAY_LIMIT = 1000;

/** running → over; or running → stopping (signal aborted, finally blocks run) → over; `cut` once it must not go on. */
type Phase = "running" | "stopping" | "over" | "cut";

export class CellRun implements CellContext {
  readonly id: number;
  readonly cellId: string;
  readonly executionCount: number;
  readonly workingFolder: string;
  readonly output: CellOutput;
  readonly #send: (message: FromKernel) => void;
  readonly #stopper = new AbortController();
  readonly #waiting = new Map<object, { resolve(value: unknown): void; reject(error: unknown): void }>();
  readonly #meters = new Map<string, ProgressMeter>();
  readonly #displays = new Set<Promise<unknown>>();
  #phase: Phase = "running";
  #displayed = 0;
  #cutOff: (() => void) | undefined;
  /** Offset, in the cell's JavaScript, of the top-level await that it stands at. */
  awaitingAt: number | undefined;

  constructor(options: {
    id: number;
    cellId: string;
    executionCount: number;
    workingFolder: string;
    send: (message: FromKernel) => void;
  }) {
    this.id = options.id;
    this.cellId = options.cellId;
    this.executionCount = options.executionCount;
    this.workingFolder = options.workingFolder;
    this.#send = options.send;
    this.output = new CellOutput((name, text) => this.#send({ type: "stream", cellId: this.cellId, name, text }));
  }

  get signal(): AbortSignal {
    return this.#stopper.signal;
  }

  get stopped(): boolean {
    return this.#stopper.signal.aborted;
  }

  /**
   * Stops the cell: its signal aborts and everything that it awaits fails with CancelledError, so that finally blocks
   * run. When it has not ended by itself after half a second it is cut off: no await of it ever returns.
   * @param cutOff  told when that happens
   */
  stop(cutOff: () => void): void {
    if (this.stopped) return;
    if (this.#phase === "running") this.#phase = "stopping";
    this.#cutOff = cutOff;
    this.#stopper.abort(new CancelledError("The cell"));
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new CancelledError("The cell"));
    if (this.#phase === "stopping")
      setTimeout(() => {
        if (this.#phase === "stopping") this.cut();
      }, GRACE_MS);
  }

  /** Nothing of this run goes on: its frames are gone, or it would not end. */
  cut(): void {
    if (this.#phase === "cut" || this.#phase === "over") return;
    this.#phase = "cut";
    // Bound to a promise that never settles, none of them settles any more.
    for (const { resolve } of this.#waiting.values()) resolve(new Promise(() => undefined));
    this.#waiting.clear();
    if (!this.stopped) this.#stopper.abort(new CancelledError("The cell"));
    this.#cutOff?.();
  }

  /** The cell has ended. What it left behind (timers, loops nobody awaits) goes on until the next interrupt. */
  over(): void {
    if (this.#phase !== "cut") this.#phase = "over";
    for (const jobId of this.#meters.keys()) this.progress(jobId, { finished: true });
    this.output.flush();
  }

  get hasBackgroundWork(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * What an `await` of a cell waits for instead of `value`: the same, until the cell is stopped. Plain values pass.
   * The extra promise is chained with its own resolvers, because async stack traces follow those and nothing else.
   */
  wait(value: unknown): unknown {
    if (this.#phase === "cut") return new Promise(() => undefined);
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
    const promise = value instanceof Promise ? Promise.resolve(value) : thenable(value);
    if (promise === undefined) return value;
    let handle: { resolve(value: unknown): void; reject(error: unknown): void };
    const guarded = new Promise((resolve, reject) => {
      handle = { resolve, reject };
      Promise.prototype.then.call(promise, resolve, reject);
    });
    this.#waiting.set(guarded, handle!);
    waiters.set(guarded, this);
    return guarded;
  }

  /** Told by the promise hook when a guarded promise has settled. */
  settled(guarded: object): void {
    this.#waiting.delete(guarded);
  }

  /** Every value of an async iterable, each awaited like an `await` of the cell. */
  each(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<unknown> {
    const asynchronous = (values as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
    const run = this;
    return {
      [Symbol.asyncIterator](): AsyncIterator<unknown> {
        const iterator = asynchronous ? asynchronous.call(values) : (values as Iterable<unknown>)[Symbol.iterator]();
        return {
          async next() {
            const step = (await run.wait(iterator.next())) as IteratorResult<unknown>;
            if (asynchronous || step.done) return step;
            return { done: false, value: await run.wait(step.value) };
          },
          async return(value: unknown) {
            await iterator.return?.(value);
            return { done: true, value };
          },
        };
      },
    };
  }

  progress(jobId: string, progress: Progress | { finished: true }): void {
    if ("finished" in progress) {
      if (!this.#meters.delete(jobId)) return;
      this.#send({
        type: "progress",
        cellId: this.cellId,
        jobId,
        stage: "",
        done: 0,
        total: 0,
        unit: "",
        finished: true,
      });
      return;
    }
    let meter = this.#meters.get(jobId);
    if (meter === undefined) {
      meter = new ProgressMeter();
      this.#meters.set(jobId, meter);
    }
    const report = meter.next(progress);
    if (report === undefined) return;
    // Zod keeps absent fields absent; undefined ones would not pass.
    const { rate, etaMs, note, ...rest } = report;
    this.#send({
      type: "progress",
      cellId: this.cellId,
      jobId,
      ...rest,
      ...(rate === undefined ? {} : { rate }),
      ...(etaMs === undefined ? {} : { etaMs }),
      ...(note === undefined ? {} : { note }),
      finished: false,
    });
  }

  display(bundle: MimeBundle, options: DisplayOptions = {}): void {
    if (options.update !== true) this.#displayed += 1;
    if (this.#displayed > DISPLAY_LIMIT) {
      if (this.#displayed === DISPLAY_LIMIT + 1)
        this.output.write("stderr", `[This run of the cell has shown ${DISPLAY_LIMIT} displays; no more are shown.]\n`);
      if (options.update !== true) return;
    }
    this.output.flush();
    this.#send({
      type: "display",
      cellId: this.cellId,
      data: bundle,
      metadata: options.metadata ?? {},
      ...(options.displayId === undefined ? {} : { displayId: options.displayId }),
      update: options.update ?? false,
    });
  }

  pending(work: Promise<unknown>): void {
    const settled: Promise<unknown> = work.catch(() => undefined).then(() => this.#displays.delete(settled));
    this.#displays.add(settled);
  }

  /** When all displays that were being made are made. */
  async displaysMade(): Promise<void> {
    while (this.#displays.size > 0) await Promise.all(this.#displays);
  }

  clear(wait: boolean): void {
    this.output.flush();
    this.#displayed = 0;
    this.#send({ type: "clear", cellId: this.cellId, wait });
  }

  runStarted(folder: string): void {
    this.output.flush();
    this.#send({ type: "run-started", cellId: this.cellId, folder });
  }
}

const waiters = new WeakMap<object, CellRun>();

/** For the promise hook: a promise has settled, which may be one that a cell waits for. */
export function promiseSettled(promise: object): void {
  waiters.get(promise)?.settled(promise);
}

function thenable(value: object): Promise<unknown> | undefined {
  // Reading `then` may run the user's code, as a native await would.
  return typeof (value as { then?: unknown }).then === "function" ? Promise.resolve(value) : undefined;
}

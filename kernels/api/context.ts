/**
 * Where a call of the public API stands: in which cell, with which signal, and where its progress and displays go.
 * The kernel sets one context for each run of a cell and it follows the run through awaits and timers; the CLI sets its
 * own; anywhere else the default does nothing, so that the same call works in a plain script.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { MimeBundle } from "../protocol/display.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { Progress, WorkContext } from "../protocol/progress.ts";

export interface DisplayOptions {
  /** With an id, a later display of the same id and `update` replaces this one in place. */
  displayId?: string | undefined;
  update?: boolean | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/** What the API may do for the cell (or command) that called it. */
export interface CellContext {
  /** Aborted when the user stops the cell. Work that it reaches throws CancelledError. */
  readonly signal: AbortSignal;
  /** Absolute folder that relative paths start from: the notebook's. */
  readonly workingFolder: string;
  /** One bar per job. The receiver throttles, keeps `done` from going back and fills in rate and time left. */
  progress(jobId: string, progress: Progress | { finished: true }): void;
  /** Shows a bundle under the cell now. */
  display(bundle: MimeBundle, options?: DisplayOptions): void;
  /** A display that is still being made; the cell is not done before it settles. */
  pending(work: Promise<unknown>): void;
  /** Empties the cell's output; with `wait` only when the next output comes. */
  clear(wait: boolean): void;
  /** A fine-tune was started or resumed, in a process of its own. */
  runStarted(folder: string): void;
}

let made: AsyncLocalStorage<CellContext> | undefined;
/** Made at first use: a kernel replaces the class first (runtime/async-context.ts says why). */
function store(): AsyncLocalStorage<CellContext> {
  made ??= new AsyncLocalStorage<CellContext>();
  return made;
}

let fallback: CellContext = {
  signal: new AbortController().signal,
  get workingFolder() {
    return process.cwd();
  },
  progress: () => undefined,
  display: () => undefined,
  pending: () => undefined,
  clear: () => undefined,
  runStarted: () => undefined,
};

/** The context of the running cell, also after awaits and in timers that the cell started. */
export function currentContext(): CellContext {
  return store().getStore() ?? fallback;
}

/** The context of the code that calls this, or undefined when no cell (and no command) stands behind it. */
export function contextIfAny(): CellContext | undefined {
  return store().getStore();
}

/** Runs `work`, and all that it starts, in a context. */
export function withContext<T>(context: CellContext, work: () => T): T {
  return store().run(context, work);
}

/** Replaces the context used outside of any cell. For commands, which have one context for the whole process. */
export function setDefaultContext(context: CellContext): void {
  fallback = context;
}

let jobs = 0;

/**
 * Runs one piece of long work with a bar of its own: gives it the cell's signal and a progress listener, and takes the
 * bar away at the end, whatever happened.
 *
 * @param given  signal and listener that the caller passed as options; they take part beside the cell's own.
 * @throws {CancelledError}  work.cancelled  at once when the cell was stopped already
 */
export async function withJob<T>(
  given: WorkContext | undefined,
  work: (context: { signal: AbortSignal; onProgress: (progress: Progress) => void }) => Promise<T>,
): Promise<T> {
  const context = currentContext();
  const signal = given?.signal ? AbortSignal.any([context.signal, given.signal]) : context.signal;
  if (signal.aborted) throw new CancelledError();
  jobs += 1;
  const jobId = `job-${process.pid}-${jobs}`;
  let shown = false;
  try {
    return await work({
      signal,
      onProgress(progress) {
        shown = true;
        given?.onProgress?.(progress);
        context.progress(jobId, progress);
      },
    });
  } finally {
    if (shown) context.progress(jobId, { finished: true });
  }
}

/** The storage itself, for the kernel: which context stands behind an error or a lost rejection. */
export function contextStorage(): object {
  return store();
}

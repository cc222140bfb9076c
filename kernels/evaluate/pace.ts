/** Long loops that stay stoppable: they hand the thread back often enough for a Stop to arrive. */
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

const SLICE_MS = 40;

/** One long piece of work: `await pace.tick(done, total)` in its loop; cheap when called often. */
export class Pace {
  readonly #ctx: WorkContext;
  readonly #stage: string;
  readonly #unit: string;
  readonly #started = Date.now();
  #last = Date.now();

  constructor(ctx: WorkContext, stage: string, unit: string) {
    this.#ctx = ctx;
    this.#stage = stage;
    this.#unit = unit;
    this.check();
  }

  /** @throws {CancelledError} when the caller's signal says so. */
  check(): void {
    if (this.#ctx.signal?.aborted === true) throw new CancelledError(this.#stage);
  }

  /** True when the slice is used up and the loop should await `breathe`. */
  get due(): boolean {
    return Date.now() - this.#last >= SLICE_MS;
  }

  /** Reports, lets the event loop run once, and looks whether to go on. */
  async breathe(done: number, total: number): Promise<void> {
    const seconds = (Date.now() - this.#started) / 1000;
    const rate = seconds > 0 && done > 0 ? done / seconds : undefined;
    this.#ctx.onProgress?.({
      stage: this.#stage,
      done,
      total,
      unit: this.#unit,
      rate,
      etaMs: rate === undefined ? undefined : ((total - done) / rate) * 1000,
    });
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 0);
    });
    this.#last = Date.now();
    this.check();
  }

  async tick(done: number, total: number): Promise<void> {
    if (this.due) await this.breathe(done, total);
  }
}

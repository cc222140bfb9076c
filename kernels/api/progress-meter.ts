/** Turns the reports of one job into what is worth sending: few, never going back, with rate and time left. */
import type { Progress } from "../protocol/progress.ts";

/** At most one report in this many milliseconds, besides the first and the last of a stage. */
const INTERVAL_MS = 100;

export class ProgressMeter {
  #stage: string | undefined;
  #done = 0;
  #startedAt = 0;
  #startedWith = 0;
  #sentAt = Number.NEGATIVE_INFINITY;

  /**
   * @param now  milliseconds of a monotonic clock.
   * @returns    the report to send, or undefined when it comes too soon after the last one.
   */
  next(progress: Progress, now: number = performance.now()): Progress | undefined {
    const first = progress.stage !== this.#stage;
    if (first) {
      this.#stage = progress.stage;
      this.#done = progress.done;
      this.#startedAt = now;
      this.#startedWith = progress.done;
    }
    this.#done = Math.max(this.#done, progress.done);
    const last = progress.total > 0 && this.#done >= progress.total;
    if (!first && !last && now - this.#sentAt < INTERVAL_MS) return undefined;
    this.#sentAt = now;
    const elapsed = now - this.#startedAt;
    const counted = this.#done - this.#startedWith;
    const rate = progress.rate ?? (elapsed >= 200 && counted > 0 ? (counted / elapsed) * 1000 : undefined);
    const left = progress.total - this.#done;
    const etaMs =
      progress.etaMs ?? (rate !== undefined && progress.total > 0 ? Math.max(0, (left / rate) * 1000) : undefined);
    return {
      stage: progress.stage,
      done: this.#done,
      total: progress.total,
      unit: progress.unit,
      ...(rate === undefined ? {} : { rate }),
      ...(etaMs === undefined ? {} : { etaMs }),
      ...(progress.note === undefined ? {} : { note: progress.note }),
    };
  }
}

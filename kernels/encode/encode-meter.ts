/** How far an encode is. */
import type { WorkContext } from "../protocol/progress.ts";

/** Progress with rate and time left. Time is estimated by tokens: long texts come first and take longer. */
export class EncodeMeter {
  readonly #n: number;
  readonly #started: number;
  readonly #listener: WorkContext["onProgress"];
  #texts = 0;
  #tokens = 0;
  #known = 0;
  #knownTokens = 0;
  #shown = Number.NEGATIVE_INFINITY;

  constructor(n: number, started: number, listener: WorkContext["onProgress"]) {
    this.#n = n;
    this.#started = started;
    this.#listener = listener;
  }

  expect(rows: readonly { ids: readonly number[] }[]): void {
    this.#known += rows.length;
    for (const row of rows) this.#knownTokens += row.ids.length;
  }

  count(tokens: number): void {
    this.#texts++;
    this.#tokens += tokens;
  }

  /** Tell the listener, at most ten times a second and always at the ends. */
  show(): void {
    if (this.#listener === undefined) return;
    const now = performance.now();
    if (now - this.#shown < 100 && this.#texts < this.#n) return;
    this.#shown = now;
    const elapsedMs = now - this.#started;
    const allTokens = this.#known > 0 ? (this.#knownTokens * this.#n) / this.#known : 0;
    this.#listener({
      stage: "Encoding",
      done: this.#texts,
      total: this.#n,
      unit: "texts",
      ...(this.#texts > 0
        ? { rate: (1000 * this.#texts) / elapsedMs, etaMs: (elapsedMs * (allTokens - this.#tokens)) / this.#tokens }
        : {}),
    });
  }
}

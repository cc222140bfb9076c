/**
 * What the evaluations of a run say so far: which step is best, and whether waiting for a better one is over. It follows
 * from the metrics alone, so a resumed run decides as an unbroken one.
 */
import type { RunConfig } from "../protocol/run-files.ts";
import type { EvalMetric } from "./run-view.ts";

export class Scoreboard {
  readonly #evaluation: RunConfig["evaluation"];
  readonly #steps: number;
  readonly #names: readonly string[];
  readonly #scored = new Map<number, Set<string>>();
  #best: { step: number; score: number } | null = null;
  /** Steps at which the main task was scored after the best one. */
  #since = 0;

  /** @param names of the tasks; the first one's score decides. */
  constructor({ evaluation, steps }: Pick<RunConfig, "evaluation" | "steps">, names: readonly string[]) {
    this.#evaluation = evaluation;
    this.#steps = steps;
    this.#names = names;
  }

  /** The step with the highest main score (the first of equal ones), the untrained encoder left out. */
  get best(): { step: number; score: number } | null {
    return this.#best;
  }

  /** True when `patience` evaluations in a row brought nothing better than the best before them. */
  get isOutOfPatience(): boolean {
    const patience = this.#evaluation?.patience ?? null;
    return patience !== null && this.#since >= patience;
  }

  /** Take note of a line of metrics.jsonl. In the order of steps. */
  add({ step, task, score }: Pick<EvalMetric, "step" | "task" | "score">): void {
    const known = this.#scored.get(step) ?? new Set();
    if (known.has(task)) return;
    this.#scored.set(step, known.add(task));
    if (step === 0 || task !== this.#names[0]) return;
    if (score > (this.#best?.score ?? Number.NEGATIVE_INFINITY)) {
      this.#best = { step, score };
      this.#since = 0;
    } else this.#since++;
  }

  isDue(step: number): boolean {
    if (this.#evaluation === null) return false;
    return step === 0 || step === this.#steps || step % this.#evaluation.every === 0;
  }

  /** Places of the tasks that a step still has to be scored on. */
  missing(step: number): number[] {
    const known = this.#scored.get(step);
    return this.#names.flatMap((name, i) => (known?.has(name) ? [] : [i]));
  }

  /** Rounds of evaluation still to come after a step, the last one included; patience may make them fewer. */
  roundsAfter(step: number): number {
    if (this.#evaluation === null || step >= this.#steps) return 0;
    const { every } = this.#evaluation;
    return Math.floor((this.#steps - 1) / every) - Math.floor(step / every) + 1;
  }
}

/** Whether a training run still makes sense: a loss that is no number, or one that shows the encoder is being ruined. */
import { ParallaxError } from "../protocol/errors.ts";
import { chanceLoss, type RunConfig } from "../protocol/run-files.ts";

/** Steps whose mean loss says whether a run diverges. */
const STEPS = 20;
/** Steps whose mean loss is where the run began. */
const FIRST_STEPS = 5;
/** Losses this near to chance, relatively, come from vectors that are all alike: real batches differ by more. */
const FLAT = 1e-3;

export interface StepFacts {
  step: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
}

export class LossWatch {
  readonly #config: RunConfig;
  readonly #chance: number | null;
  readonly #losses: number[];

  /** @param losses of the steps before, in order. */
  constructor(config: RunConfig, losses: readonly number[]) {
    this.#config = config;
    this.#chance = chanceLoss(config);
    this.#losses = [...losses];
  }

  /** Mean loss of the (up to) 20 steps that end at `step`. */
  meanAt(step: number): number {
    return mean(this.#losses.slice(Math.max(0, step - STEPS), step));
  }

  /**
   * Take the loss of a step.
   * @param kept the sentence that says what there is to go back to.
   * @throws {ParallaxError} train.not-finite; train.diverged when the mean of the last 20 losses is over twice that of
   *   the first five (or of chance), has climbed to chance from well below it, or has become
   *   chance itself, batch for batch.
   */
  check(facts: StepFacts, kept: () => string): void {
    const { step, loss, gradNorm, learningRate } = facts;
    const said = `learning rate ${learningRate.toPrecision(2)}, gradient norm ${gradNorm.toPrecision(2)}`;
    const stop = (code: string, what: string) =>
      new ParallaxError(code, `Stopped at step ${step}: ${what} (${said}). ${kept()}`, {
        hint: `Start a new run at learningRate ${Number((this.#config.learningRate / 10).toPrecision(2))}.`,
        details: { step, loss: String(loss), gradNorm: String(gradNorm), learningRate },
      });
    if (!Number.isFinite(loss)) throw stop("train.not-finite", `loss is ${loss}`);
    if (!Number.isFinite(gradNorm)) throw stop("train.not-finite", `the gradient is ${gradNorm}`);
    this.#losses.push(loss);
    if (this.#losses.length < 2 * STEPS) return;
    const [first, last] = [mean(this.#losses.slice(0, FIRST_STEPS)), mean(this.#losses.slice(-STEPS))];
    const began = `the mean loss of the last ${STEPS} steps is ${last.toPrecision(3)}, it began at ${first.toPrecision(3)}`;
    const chance = this.#chance;
    if (last > 2 * Math.max(first, chance ?? 0)) throw stop("train.diverged", began);
    // An encoder whose vectors are all alike has the loss of chance, which is not twice anything, batch for batch.
    const isFlat = (losses: readonly number[]) =>
      chance !== null && losses.every((each) => Math.abs(each - chance) < FLAT * chance);
    const nothing = `${began}; at chance (${chance?.toPrecision(3)}) the encoder tells nothing apart any more`;
    if (isFlat(this.#losses.slice(-STEPS)) && !isFlat(this.#losses.slice(0, FIRST_STEPS)))
      throw stop("train.diverged", nothing);
    if (chance !== null && first < 0.8 * chance && last >= 0.99 * chance) throw stop("train.diverged", nothing);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

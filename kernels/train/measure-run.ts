/**
 * What a run will take, worked out from steps, evaluations and a checkpoint that are really made once. The steps update
 * weights like any other; afterwards the weights are the source's again, so nothing of it is left in the run.
 */
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { RUN_FILES, type RunConfig, type RunEstimate } from "../protocol/run-files.ts";
import type { BatchPlan } from "./batches.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import type { TrainingEngine } from "./engine.ts";
import { clipScale } from "./parameter-memory.ts";
import type { TrainingRow } from "./rows.ts";

/** Steps are measured until there are this many and this much time was spent on them, or until there are many. */
const LEAST_STEPS = 4;
const ENOUGH_MS = 1500;
const MOST_STEPS = 16;
/** Steps before the measured ones: they allocate and plan. */
const WARM_STEPS = 2;

export interface RunSoFar {
  /** Time spent before this, milliseconds. */
  spentMs: number;
  /** One round of evaluation, and how many rounds are still to come. */
  evaluationMs: number;
  evaluations: number;
}

/** Highest resident memory of this process so far, bytes. */
export function peakMemory(): number {
  // Node gives kibibytes on every system.
  return process.resourceUsage().maxRSS * 1024;
}

/**
 * Measure and put the weights back to the source's.
 *
 * @param gradient leaves a step's gradient in the memory and gives its norm.
 * @param rest called between steps: throws to end the measurement.
 * @returns the whole run's time, from its start, and the highest memory of its process.
 * @throws what a step, a checkpoint (train.checkpoint-failed) and `rest` throw.
 * Cost: six steps, or 1.5 seconds of them; one checkpoint, written aside and removed.
 */
export async function measureRun(
  folder: string,
  engine: TrainingEngine,
  rows: readonly TrainingRow[],
  plan: BatchPlan,
  config: RunConfig,
  { spentMs, evaluationMs, evaluations }: RunSoFar,
  gradient: (step: number) => Promise<number>,
  rest: () => void,
): Promise<RunEstimate> {
  const began = performance.now();
  const step = async (number: number) => {
    rest();
    const gradNorm = await gradient(number);
    engine.memory.update(
      number,
      config.learningRate / config.steps,
      config.weightDecay,
      clipScale(gradNorm, config.clipNorm),
    );
  };
  try {
    // The longest batch first: it decides the memory.
    const spread = Math.max(1, Math.min(Math.floor(plan.batchesPerEpoch / config.accumulate), config.steps));
    await step(longestStep(rows, plan, spread, config.accumulate));
    for (let i = 1; i < WARM_STEPS; i++) await step(1);
    const times: number[] = [];
    for (let i = 0; i < MOST_STEPS; i++) {
      const from = performance.now();
      // Batches are of different lengths: some from all over the first pass.
      await step(1 + (Math.floor((i * spread) / Math.min(MOST_STEPS, spread)) % spread));
      times.push(performance.now() - from);
      if (times.length >= LEAST_STEPS && sum(times) >= ENOUGH_MS) break;
    }
    const stepMs = sum(times) / times.length;
    const checkpointMs = measureCheckpoint(folder, engine, config);
    // Three files' worth of weights are written (two of them the model), and the model is loaded again.
    const exportMs = 1.5 * checkpointMs;
    const checkpoints = Math.floor((config.steps - 1) / config.checkpointEvery) + 1;
    const measuringMs = performance.now() - began;
    return {
      elapsedMs:
        spentMs +
        measuringMs +
        config.steps * stepMs +
        evaluations * evaluationMs +
        checkpoints * checkpointMs +
        exportMs,
      memoryBytes: peakMemory() + exportMemory(engine),
      stepMs,
      evaluationMs,
      checkpointMs,
      exportMs,
    };
  } finally {
    engine.reset();
  }
}

/** The step of the first pass with the longest text, in characters: a good guess at the one with most tokens. */
function longestStep(rows: readonly TrainingRow[], plan: BatchPlan, steps: number, accumulate: number): number {
  let longest = 1;
  let most = -1;
  for (let step = 1; step <= steps; step++) {
    let length = 0;
    for (const row of plan.at((step - 1) * accumulate + 1).rows) {
      const { anchor, positive } = rows[row]!;
      length = Math.max(length, anchor.length, positive.length);
    }
    if (length > most) [longest, most] = [step, length];
  }
  return longest;
}

function measureCheckpoint(folder: string, engine: TrainingEngine, config: RunConfig): number {
  const aside = path.join(folder, ".measured");
  rmSync(aside, { recursive: true, force: true });
  try {
    mkdirSync(path.join(aside, RUN_FILES.checkpoints), { recursive: true });
    const from = performance.now();
    writeCheckpoint(aside, engine.memory, { step: 1, seed: config.seed, score: null });
    return performance.now() - from;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** The export is written as an ONNX file made in memory and loaded as a user would load it: one more copy. */
function exportMemory(engine: TrainingEngine): number {
  const numbers = engine.weights.names().reduce((total, name) => total + engine.weights.get(name).data.length, 0);
  return 4 * numbers;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

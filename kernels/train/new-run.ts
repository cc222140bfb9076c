/** From what a user asks for to a run folder that can be started: everything is checked before anything is made. */
import type { Task } from "../data/task.ts";
import { taskToFile } from "../data/task.ts";
import { isDefaultReference } from "../encode/default-encoder.ts";
import { weightsDigest } from "../encode/encoder-digests.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { readPrompt } from "../encode/prompt-template.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { trainable, trainingThreads } from "./engine.ts";
import { checkMemory } from "./estimate.ts";
import { inspectRows, type PairsReport } from "./inspect-rows.ts";
import { checkOptions, fillRecipe, type RecipeOptions } from "./recipe.ts";
import type { TrainingRow } from "./rows.ts";
import { createRun } from "./run-folder.ts";

export interface NewRun {
  spec: EncoderSpec;
  rows: readonly TrainingRow[];
  /** Where the rows came from, for people. */
  source: string;
  /** Scored during the run; the first one says which checkpoint is best. */
  evaluation: readonly Task[];
  recipe: RecipeOptions;
  where: { runs: string } | { folder: string };
}

/**
 * Make the run folder of a fine-tune.
 *
 * @returns also what is worth knowing about the pairs, and the memory that training will need (bytes, a calculation).
 * @throws {ParallaxError} train.bad-option, train.bad-pair, train.too-few-pairs, train.too-few-groups, train.no-batch,
 *   train.cannot-train, train.not-enough-memory, prompt.no-text-place, run.exists, file.write-failed. Nothing is left behind.
 */
export async function newRun(
  asked: NewRun,
): Promise<{ folder: string; config: RunConfig; report: PairsReport; memoryBytes: number }> {
  const { spec, rows, source, evaluation } = asked;
  checkOptions(asked.recipe);
  const { model, pooling, dimensions } = trainable(spec);
  const { batchSize = 32, loss, tasks } = asked.recipe;
  const tasksApart = tasks?.apart ?? rows.some(({ task }) => task !== undefined);
  const report = inspectRows(rows, { batchSize, loss, tasksApart });
  needsEvaluation(asked);
  const { evaluateEvery, patience, ...recipe } = fillRecipe(asked.recipe, rows, {
    most: spec.maxTokens,
    dimensions,
    layers: model.config.layers,
  });
  const prompts = {
    anchor: readPrompt(recipe.prompts.anchor, spec.prompts).template,
    positive: readPrompt(recipe.prompts.positive, spec.prompts).template,
    negative: readPrompt(recipe.prompts.negative, spec.prompts).template,
  };
  const memoryBytes = checkMemory(model, recipe);
  const { folder, config } = createRun(asked.where, {
    ...recipe,
    prompts,
    encoder: {
      reference: isDefaultReference(spec.reference) ? spec.reference : spec.folder,
      name: spec.name,
      weightsSha256: await weightsDigest(spec, undefined),
      spec: { pooling, normalise: spec.normalise, maxTokens: spec.maxTokens, prompts: spec.prompts },
    },
    rows,
    source,
    evaluation:
      evaluation.length === 0
        ? null
        : {
            tasks: differentNames(evaluation).map((task) => JSON.stringify(taskToFile(task))),
            every: evaluateEvery,
            patience,
          },
    provider: "cpu",
    threads: asked.recipe.threads ?? trainingThreads(model),
  });
  return { folder, config, report, memoryBytes };
}

/** @throws {ParallaxError} train.bad-option when a choice by scores is asked for and there are none. */
function needsEvaluation({ recipe, evaluation }: NewRun): void {
  if (evaluation.length > 0) return;
  const option = recipe.keep === "best" ? 'keep: "best"' : recipe.patience === undefined ? null : "patience";
  if (option === null) return;
  throw new ParallaxError("train.bad-option", `${option} needs an evaluation to go by. Nothing was started.`, {
    hint: "Give a task as evaluation, or leave the option out.",
    details: { option: option.split(":")[0] },
  });
}

/** Scores are kept by the task's name: a second task of the same name gets a number. */
function differentNames(tasks: readonly Task[]): Task[] {
  const known = new Map<string, number>();
  return tasks.map((task) => {
    const count = (known.get(task.name) ?? 0) + 1;
    known.set(task.name, count);
    return count === 1 ? task : { ...task, name: `${task.name} (${count})` };
  });
}

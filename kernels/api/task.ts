/** `loadTask`: what an encoder is evaluated on. */
import path from "node:path";
import { type LoadTaskOptions, loadTask as loadTaskFrom, type Task, type TaskFile } from "../data/task.ts";
import { currentContext, withJob } from "./context.ts";

export type {
  ClassificationTask,
  IdText,
  LabelledTexts,
  RetrievalTask,
  StsTask,
  Task,
  TaskFile,
} from "../data/task.ts";

/** A task, or what `loadTask` takes: a path or the object that a task file would hold. */
export type TaskLike = Task | TaskFile | string;

/**
 * Load a task.
 *
 * @param source a table with sentence1, sentence2 and score; a folder in BEIR's layout (corpus.jsonl, queries.jsonl,
 *               qrels); a task file (.json); or an object as in a task file. Paths are relative to the notebook.
 * @param options `split`: which judgements of a BEIR folder (default "test")
 * @throws {ParallaxError} task.not-recognised, task.invalid (with every bad field), task.missing-file, task.duplicate-id, …
 *
 * @example const task = await loadTask({ parallaxTask: 1, type: "classification", train: "train.tsv", test: "test.tsv" });
 */
export async function loadTask(source: TaskLike, options: LoadTaskOptions = {}): Promise<Task> {
  const { workingFolder } = currentContext();
  const from = typeof source === "string" ? path.resolve(workingFolder, source) : source;
  return withJob(options, (work) => loadTaskFrom(from, { base: workingFolder, ...options, ...work }));
}

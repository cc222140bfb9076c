/** A loaded task as one self-contained task file, so that a run folder needs nothing outside of itself. */
import type { TaskFile } from "../data/task-schema.ts";
import type { Task } from "../data/task-types.ts";

/** JSON that loadTask reads back to the same task (its notes, which are about the original files, are left out). */
export function taskFileText(task: Task): string {
  return JSON.stringify(taskFile(task));
}

function taskFile(task: Task): TaskFile {
  const common = { parallaxTask: 1 as const, name: task.name };
  switch (task.type) {
    case "sts":
      return { ...common, type: "sts", data: { a: [...task.a], b: [...task.b], gold: [...task.gold] } };
    case "retrieval":
      return {
        ...common,
        type: "retrieval",
        data: {
          queries: task.queries.map(({ id, text }) => ({ id, text })),
          documents: task.documents.map(({ id, text }) => ({ id, text })),
          relevant: Object.fromEntries(
            [...task.relevant].map(([query, judged]) => [query, Object.fromEntries(judged)]),
          ),
        },
      };
    case "classification": {
      const part = ({ texts, labels }: { texts: readonly string[]; labels: readonly string[] }) => ({
        texts: [...texts],
        labels: [...labels],
      });
      return {
        ...common,
        type: "classification",
        samplesPerLabel: task.samplesPerLabel,
        data: { train: part(task.train), test: part(task.test) },
      };
    }
    default:
      return task satisfies never;
  }
}

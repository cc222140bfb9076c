/** A smaller retrieval task of the same queries, for measurements that must be short. */
import { count } from "../data/table-view.ts";
import type { RetrievalTask } from "../data/task-types.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { Random } from "./random.ts";

/**
 * The task with at most `documents` documents: every one that is relevant to a query, and others drawn without
 * replacement until the number is full. They keep their order. Scores on fewer documents are higher than on all of them,
 * so only scores of the same sample may be compared; the task's notes say so.
 *
 * @throws {ParallaxError} task.bad-sample when the number is below that of the relevant documents
 */
export function sampleDocuments(task: RetrievalTask, documents: number, seed: number): RetrievalTask {
  const relevant = new Set<string>();
  for (const judgements of task.relevant.values())
    for (const [id, relevance] of judgements) if (relevance > 0) relevant.add(id);
  const kept = new Set(task.documents.flatMap(({ id }, row) => (relevant.has(id) ? [row] : [])));
  if (!Number.isInteger(documents) || documents < kept.size)
    throw new ParallaxError(
      "task.bad-sample",
      `A sample of ${documents} documents was asked for; ${count(kept.size)} of the ${count(task.documents.length)} documents of ${task.name} are relevant to a query and have to stay. Nothing was encoded.`,
      {
        hint: `Ask for ${count(kept.size)} or more.`,
        details: { asked: documents, relevant: kept.size, found: task.documents.length },
      },
    );
  if (documents >= task.documents.length) return task;
  const others = task.documents.flatMap((_, row) => (kept.has(row) ? [] : [row]));
  const random = new Random(seed);
  // Fisher and Yates 1938, from the front, as far as is needed.
  for (let i = 0; kept.size < documents; i++) {
    const j = i + random.below(others.length - i);
    [others[i], others[j]] = [others[j]!, others[i]!];
    kept.add(others[i]!);
  }
  return {
    ...task,
    documents: task.documents.filter((_, row) => kept.has(row)),
    notes: [
      ...(task.notes ?? []),
      `${count(documents)} of ${count(task.documents.length)} documents: all relevant ones, the others drawn with seed ${seed}. Scores are higher than on the whole corpus.`,
    ],
  };
}

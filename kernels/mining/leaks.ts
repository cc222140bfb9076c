/** Texts that training rows share with evaluation tasks: what a model has trained on says little about it. */
import type { Task } from "../data/task-types.ts";
import type { TrainingRow } from "../train/rows.ts";

export interface LeakPart {
  task: string;
  /** "sentences", "queries", "documents", "test texts". */
  part: string;
  /** Different texts of the part, and those that rows share with it. */
  texts: number;
  shared: number;
  /** Rows with such a text. */
  rows: number;
}

export interface LeakReport {
  rows: number;
  /** Rows that share a text with any task. */
  leaking: number;
  /** Their numbers, from 0, ascending. */
  leakingRows: number[];
  parts: LeakPart[];
  examples: { row: number; side: "anchor" | "positive" | "negative"; text: string; task: string; part: string }[];
}

const EXAMPLES = 8;

/**
 * Texts are compared in NFKC, lower case, letters and digits alone: punctuation, space and case do not hide a leak.
 * A classification task counts with its test texts; its train texts are there to be trained on.
 *
 * Cost: O(characters of rows and tasks).
 */
export function findLeaks(
  rows: readonly TrainingRow[],
  tasks: readonly Task[],
  { documents = true }: { documents?: boolean | undefined } = {},
): LeakReport {
  const parts = tasks
    .flatMap((task) => textsOf(task).map(({ part, texts }) => ({ task: task.name, part, keys: keysOf(texts) })))
    .filter(({ part }) => documents || part !== "documents");
  const facts = parts.map(() => ({ shared: new Set<string>(), rows: 0 }));
  const leakingRows: number[] = [];
  const examples: LeakReport["examples"] = [];
  rows.forEach((row, index) => {
    const sides = [
      ["anchor", row.anchor] as const,
      ["positive", row.positive] as const,
      ...(row.negatives ?? []).map((text) => ["negative", text] as const),
    ].map(([side, text]) => ({ side, text, key: leakKey(text) }));
    let leaks = false;
    parts.forEach(({ task, part, keys }, p) => {
      const found = sides.filter(({ key }) => keys.has(key));
      if (found.length === 0) return;
      const { side, text } = found[0]!;
      if (!leaks && examples.length < EXAMPLES) examples.push({ row: index, side, text, task, part });
      leaks = true;
      facts[p]!.rows++;
      for (const { key } of found) facts[p]!.shared.add(key);
    });
    if (leaks) leakingRows.push(index);
  });
  return {
    rows: rows.length,
    leaking: leakingRows.length,
    leakingRows,
    parts: parts.map(({ task, part, keys }, p) => ({
      task,
      part,
      texts: keys.size,
      shared: facts[p]!.shared.size,
      rows: facts[p]!.rows,
    })),
    examples,
  };
}

/** One sentence for a log; null when nothing leaks. */
export function leakSentence({ rows, leaking, parts, examples }: LeakReport): string | null {
  if (leaking === 0) return null;
  const named = parts
    .filter(({ shared }) => shared > 0)
    .map(({ task, part, shared, texts }) => `${shared} of ${texts} ${part} of ${task}`);
  const { text } = examples[0]!;
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return `${leaking} of ${rows} rows share a text with the evaluation (${named.join(", ")}), for example "${cut}": scores will look better than they are. dropLeaks: true leaves those rows out.`;
}

export function leakKey(text: string): string {
  const letters = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, "");
  // A text of signs alone is compared as it is.
  return letters === "" ? text.trim() : letters;
}

function keysOf(texts: readonly string[]): Set<string> {
  const keys = new Set(texts.map(leakKey));
  keys.delete("");
  return keys;
}

function textsOf(task: Task): { part: string; texts: readonly string[] }[] {
  switch (task.type) {
    case "sts":
      return [{ part: "sentences", texts: [...task.a, ...task.b] }];
    case "retrieval":
      return [
        { part: "queries", texts: task.queries.map(({ text }) => text) },
        { part: "documents", texts: task.documents.map(({ text }) => text) },
      ];
    case "classification":
      return [{ part: "test texts", texts: task.test.texts }];
  }
}

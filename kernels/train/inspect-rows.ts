/** What a person should know about rows before training on them, and what makes training on them pointless. */
import { ParallaxError } from "../protocol/errors.ts";
import { LOSS_NEEDS, type LossName } from "../protocol/losses.ts";
import type { TrainingRow } from "./rows.ts";
import { textKey } from "./text-key.ts";

export interface PairsReport {
  n: number;
  /** Pairs whose two texts, compared without case and extra space, occur in an earlier pair. */
  duplicates: number;
  /** Pairs whose anchor and positive are the same text. */
  equalSides: number;
  /** Different groups, 0 when pairs have none. */
  groups: number;
  /** Sentences to read before training. */
  warnings: string[];
}

export interface InspectOptions {
  batchSize: number;
  /** Default "info-nce". */
  loss?: LossName | { name: LossName } | undefined;
  /** Batches of one task. Default false. */
  tasksApart?: boolean | undefined;
}

/**
 * @throws {ParallaxError} train.too-few-pairs, train.too-few-groups when one batch cannot be filled; train.same-rows when
 *   all rows are one.
 * Cost: O(n).
 */
export function inspectRows(rows: readonly TrainingRow[], options: InspectOptions): PairsReport {
  const { batchSize, loss = "info-nce" } = options;
  const name = typeof loss === "string" ? loss : loss.name;
  const needs = LOSS_NEEDS[name];
  const facts = count(rows);
  const { duplicates, equalSides, groups } = facts;
  const distinct = rows.length - duplicates;
  if (rows.length > 1 && distinct === 1)
    throw new ParallaxError(
      "train.same-rows",
      `All ${rows.length} rows are the same pair: "${cut(rows[0]!.anchor)}" and "${cut(rows[0]!.positive)}". Nothing was started.`,
      { hint: "Check that the columns are the ones with the texts.", details: { rows: rows.length } },
    );
  // A loss that looks at each row by itself takes a row twice in a batch, but not more rows than there are.
  const usable = needs.inBatch ? distinct : rows.length;
  if (usable < batchSize) throw tooFew(rows.length, usable, rows.length - usable, batchSize);
  if (needs.inBatch && facts.allGrouped && groups < batchSize)
    throw new ParallaxError(
      "train.too-few-groups",
      `A batch of ${batchSize} takes one pair of each group, and there are ${groups} groups. Nothing was started.`,
      {
        hint: `Use batchSize ${groups} or less, or leave the groups out.`,
        details: { groups, batchSize },
      },
    );
  const warnings: string[] = [];
  if (duplicates > 0)
    warnings.push(
      `${duplicates} of ${rows.length} pairs ${duplicates === 1 ? "is a duplicate" : "are duplicates"} of an earlier one${needs.inBatch ? "; equal texts never share a batch" : ""}.`,
    );
  if (equalSides > 0)
    warnings.push(`In ${equalSides} of ${rows.length} pairs anchor and positive are the same text; they teach little.`);
  if (options.tasksApart === true) warnings.push(...smallTasks(rows, batchSize));
  warnings.push(...scoreWarnings(rows, name));
  return { n: rows.length, duplicates, equalSides, groups, warnings };
}

function count(rows: readonly TrainingRow[]) {
  const seen = new Set<string>();
  const groups = new Set<string>();
  let [duplicates, equalSides, grouped] = [0, 0, 0];
  for (const row of rows) {
    const [a, b] = [textKey(row.anchor), textKey(row.positive)];
    const key = `${a.length} ${a}${b}`;
    if (seen.has(key)) duplicates++;
    seen.add(key);
    if (a === b) equalSides++;
    if (row.group === undefined) continue;
    groups.add(row.group);
    grouped++;
  }
  return { duplicates, equalSides, groups: groups.size, allGrouped: grouped === rows.length && grouped > 0 };
}

function tooFew(n: number, usable: number, duplicates: number, batchSize: number): ParallaxError {
  return new ParallaxError(
    "train.too-few-pairs",
    `A batch of ${batchSize} needs ${batchSize} different pairs; there ${usable === 1 ? "is" : "are"} ${usable}${duplicates > 0 ? ` (${n} with ${duplicates} duplicates)` : ""}. Nothing was started.`,
    {
      hint: usable >= 4 ? `Use batchSize ${2 ** Math.floor(Math.log2(usable / 2))} or add pairs.` : "Add pairs.",
      details: { pairs: n, duplicates, batchSize },
    },
  );
}

function smallTasks(rows: readonly TrainingRow[], batchSize: number): string[] {
  const sizes = new Map<string, number>();
  for (const { task = "" } of rows) sizes.set(task, (sizes.get(task) ?? 0) + 1);
  const small = [...sizes].filter(([, size]) => size < batchSize);
  if (small.length === 0) return [];
  const named = small.slice(0, 5).map(([task, size]) => `${task === "" ? "rows without a task" : task} (${size})`);
  return [
    `${small.length} of ${sizes.size} tasks have fewer rows than a batch of ${batchSize} and are left out: ${named.join(", ")}${small.length > 5 ? ", …" : ""}.`,
  ];
}

function scoreWarnings(rows: readonly TrainingRow[], loss: LossName): string[] {
  if (LOSS_NEEDS[loss].scores !== "pair") return [];
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { scores } of rows) {
    if (scores === undefined) continue;
    low = Math.min(low, scores[0]!);
    high = Math.max(high, scores[0]!);
  }
  if (low === high) return [`All scores are ${low}: there is nothing to tell apart.`];
  if (loss === "cosine-mse" && (low < -1 || high > 1))
    return [
      `Scores run from ${low} to ${high}, and no cosine does. Give their scale: columns: { scale: [${Math.min(0, Math.floor(low))}, ${Math.ceil(high)}] }.`,
    ];
  return [];
}

const cut = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

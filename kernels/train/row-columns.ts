/** Which columns of a table hold what a training row is made of. */

import { ParallaxError } from "../protocol/errors.ts";
import { CUSTOMARY_PAIRS } from "../protocol/pair-columns.ts";

/** Columns or fields by what they hold; each default is a customary name, see docs/training-data.md. */
export interface PairColumns {
  anchor?: string | undefined;
  positive?: string | undefined;
  /** No default: without it pairs have no group, unless a row of an array has the field `group`. */
  group?: string | undefined;
  /** Columns of one hard negative each, or one column of lists. Default: negative, negative_1 …, negatives. */
  negatives?: string | readonly string[] | undefined;
  /** A number for the pair, for losses that read one. Default: score. */
  score?: string | undefined;
  /** Lowest and highest value of `score`, made 0 and 1: [0, 5] for STS. Default: scores stay as they are. */
  scale?: readonly [low: number, high: number] | undefined;
  /** Lists of a teacher's scores: the positive's, then each negative's. Default: scores. */
  scores?: string | undefined;
  /** Default: task, task_name, task_id. */
  task?: string | undefined;
}

/** The columns of a table that are read. */
export interface ChosenColumns {
  anchor: string;
  positive: string;
  negatives: string[];
  group: string | null;
  score: string | null;
  /** The score was named by the user, so a value that is no number is an error. */
  scoreIsNamed: boolean;
  scores: string | null;
  task: string | null;
}

const TASKS = ["task", "task_name", "task_id"];

/** @throws {ParallaxError} train.missing-column names the columns there are */
export function chooseColumns(found: readonly string[], asked: PairColumns): ChosenColumns {
  const wanted: (readonly [string, string])[] =
    asked.anchor === undefined && asked.positive === undefined
      ? [...CUSTOMARY_PAIRS]
      : [[asked.anchor ?? "anchor", asked.positive ?? "positive"]];
  const chosen = wanted.find((pair) => pair.every((name) => found.includes(name)));
  const named = [asked.group, ...[asked.negatives ?? []].flat(), asked.score, asked.scores, asked.task];
  const missing = [
    ...(chosen === undefined ? wanted[0]! : []),
    ...named.filter((name): name is string => name !== undefined),
  ].filter((name) => !found.includes(name));
  if (chosen === undefined || missing.length > 0) throw missingColumns(missing, found);
  const known = (name: string) => (found.includes(name) ? name : null);
  return {
    anchor: chosen[0],
    positive: chosen[1],
    negatives: asked.negatives === undefined ? negativeColumns(found) : [asked.negatives].flat(),
    group: asked.group ?? null,
    score: asked.score ?? known("score"),
    scoreIsNamed: asked.score !== undefined,
    scores: asked.scores ?? known("scores"),
    task: asked.task ?? TASKS.find((name) => found.includes(name)) ?? null,
  };
}

/** negative, negative_1, negative_2, …, negatives, in this order. */
export function negativeColumns(found: readonly string[]): string[] {
  const numbered = found
    .filter((name) => /^negative_?\d+$/.test(name))
    .sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]));
  return [...["negative"].filter((name) => found.includes(name)), ...numbered].concat(
    found.includes("negatives") ? ["negatives"] : [],
  );
}

function missingColumns(missing: readonly string[], found: readonly string[]): ParallaxError {
  const isNli = found.includes("premise") && found.includes("hypothesis");
  return new ParallaxError(
    "train.missing-column",
    `Training pairs need the column${missing.length > 1 ? "s" : ""} ${missing.map((name) => `"${name}"`).join(" and ")}; the table has ${found.map((name) => `"${name}"`).join(", ")}.`,
    {
      hint: isNli
        ? "This looks like inference data: nliTriplets(table) makes rows of it."
        : 'Name the columns: columns: { anchor: "…", positive: "…" }.',
      details: { missing, columns: found },
    },
  );
}

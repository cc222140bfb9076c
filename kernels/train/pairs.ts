/** Training pairs: reading them from what a user has, and refusing what would train on nothing. */
import { ParallaxError } from "../protocol/errors.ts";
import { Random } from "./prng.ts";
import type { TrainingRow } from "./rows.ts";

/** Two texts that belong together. */
export type Pair = TrainingRow;

/** The part of a Table (kernels/data) that pairs need. */
export interface PairTable {
  readonly columns: readonly string[];
  readonly n: number;
  column(name: string): readonly unknown[];
}

/** Which columns or fields hold what; each default is the field's own name. */
export interface PairColumns {
  anchor?: string | undefined;
  positive?: string | undefined;
  /** No default: without it pairs have no group, unless a row of an array has the field `group`. */
  group?: string | undefined;
}

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

const CUSTOMARY: readonly [anchor: string, positive: string][] = [
  ["anchor", "positive"],
  ["sentence1", "sentence2"],
  ["query", "positive"],
  ["text1", "text2"],
];

/**
 * Pairs from a table.
 * @throws {ParallaxError} train.missing-column names the columns there are; train.bad-pair names the first bad row.
 */
export function pairsFromTable(table: PairTable, columns: PairColumns = {}): Pair[] {
  const [anchor, positive] = chooseColumns(table.columns, columns);
  const [a, b] = [table.column(anchor), table.column(positive)];
  const groups = columns.group === undefined ? null : table.column(columns.group);
  return Array.from({ length: table.n }, (_, row) =>
    checkedPair({ anchor: a[row], positive: b[row], group: groups?.[row] }, row, { anchor, positive }),
  );
}

/**
 * Pairs from an array: objects with `anchor`, `positive` and perhaps `group`, or [anchor, positive] arrays.
 * @throws {ParallaxError} train.bad-pair names the first bad row (details.row, from 0).
 */
export function pairsFromArray(rows: readonly unknown[], columns: PairColumns = {}): Pair[] {
  const anchor = columns.anchor ?? "anchor";
  const positive = columns.positive ?? "positive";
  return rows.map((row, i) => {
    if (Array.isArray(row))
      return checkedPair({ anchor: row[0], positive: row[1], group: row[2] }, i, { anchor: "0", positive: "1" });
    if (typeof row !== "object" || row === null)
      throw badPair(
        i,
        `is ${row === null ? "null" : `a ${typeof row}`}, not an object with "${anchor}" and "${positive}"`,
      );
    const fields = row as Record<string, unknown>;
    const group = fields[columns.group ?? "group"];
    return checkedPair({ anchor: fields[anchor], positive: fields[positive], group }, i, { anchor, positive });
  });
}

/**
 * Pairs from labelled texts: each text once as an anchor, with another text of its label drawn at random; the label is
 * the group, so a batch holds one pair a label and no false negatives. A label with one text gives no pair.
 *
 * @param texts, labels of equal length. @param seed of the draws (Random(seed, "labels")). Default 0.
 * @throws {ParallaxError} train.bad-pair, train.too-few-pairs when no label has two texts
 */
export function pairsByLabel(texts: readonly unknown[], labels: readonly unknown[], seed = 0): Pair[] {
  if (texts.length !== labels.length)
    throw new ParallaxError(
      "train.bad-pair",
      `There are ${texts.length} texts and ${labels.length} labels. Nothing was started.`,
      {
        hint: "Give one label a text.",
      },
    );
  const byLabel = new Map<string, number[]>();
  labels.forEach((label, row) => {
    const key = String(label);
    const rows = byLabel.get(key);
    if (rows === undefined) byLabel.set(key, [row]);
    else rows.push(row);
  });
  const random = new Random(seed, "labels");
  const pairs = texts.flatMap((text, row): Pair[] => {
    const same = byLabel.get(String(labels[row]))!;
    if (same.length < 2) return [];
    const place = random.below(same.length - 1);
    const other = same[place] === row ? same[same.length - 1]! : same[place]!;
    return [
      checkedPair({ anchor: text, positive: texts[other], group: labels[row] }, row, {
        anchor: "text",
        positive: "text",
      }),
    ];
  });
  if (pairs.length === 0)
    throw new ParallaxError(
      "train.too-few-pairs",
      `No label of the ${byLabel.size} has two texts, so there are no pairs. Nothing was started.`,
      {
        hint: "Check that the column of labels holds classes, not identifiers.",
      },
    );
  return pairs;
}

function chooseColumns(found: readonly string[], columns: PairColumns): [string, string] {
  const wanted: [string, string][] =
    columns.anchor === undefined && columns.positive === undefined
      ? [...CUSTOMARY]
      : [[columns.anchor ?? "anchor", columns.positive ?? "positive"]];
  const chosen = wanted.find((pair) => pair.every((name) => found.includes(name)));
  const group = columns.group === undefined || found.includes(columns.group) ? [] : [columns.group];
  if (chosen !== undefined && group.length === 0) return chosen;
  const missing = chosen === undefined ? wanted[0]!.filter((name) => !found.includes(name)) : group;
  throw new ParallaxError(
    "train.missing-column",
    `Training pairs need the column${missing.length > 1 ? "s" : ""} ${missing.map((name) => `"${name}"`).join(" and ")}; the table has ${found.map((name) => `"${name}"`).join(", ")}.`,
    { hint: 'Name the columns: columns: { anchor: "…", positive: "…" }.', details: { missing, columns: found } },
  );
}

function checkedPair(
  row: { anchor: unknown; positive: unknown; group: unknown },
  index: number,
  names: { anchor: string; positive: string },
): Pair {
  for (const side of ["anchor", "positive"] as const) {
    const value = row[side];
    if (value === undefined || value === null) throw badPair(index, `has no "${names[side]}"`);
    if (typeof value !== "string") throw badPair(index, `has a ${typeof value} in "${names[side]}", not a text`);
    if (value.trim() === "") throw badPair(index, `has an empty text in "${names[side]}"`);
  }
  const pair: Pair = { anchor: row.anchor as string, positive: row.positive as string };
  if (row.group !== undefined && row.group !== null && row.group !== "") pair.group = String(row.group);
  return pair;
}

function badPair(row: number, problem: string): ParallaxError {
  return new ParallaxError("train.bad-pair", `Pair ${row + 1} ${problem}. Nothing was started.`, {
    hint: "Correct the row or leave it out.",
    details: { row },
  });
}

/** How texts are compared: an encoder that ignores case and extra space sees these as one. */
export function textKey(text: string): string {
  return text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
}

/**
 * Count what a person should know before training on these pairs.
 * @throws {ParallaxError} train.too-few-pairs when one batch cannot be filled with different texts and groups.
 */
export function inspectPairs(pairs: readonly Pair[], batchSize: number): PairsReport {
  const seen = new Set<string>();
  const texts = new Set<string>();
  const groups = new Set<string>();
  let duplicates = 0;
  let equalSides = 0;
  for (const pair of pairs) {
    const [a, b] = [textKey(pair.anchor), textKey(pair.positive)];
    const key = JSON.stringify([a, b]);
    if (seen.has(key)) duplicates++;
    seen.add(key);
    texts.add(a).add(b);
    if (a === b) equalSides++;
    if (pair.group !== undefined) groups.add(pair.group);
  }
  const distinct = pairs.length - duplicates;
  if (distinct < batchSize)
    throw new ParallaxError(
      "train.too-few-pairs",
      `A batch of ${batchSize} needs ${batchSize} different pairs; there ${distinct === 1 ? "is" : "are"} ${distinct}${duplicates > 0 ? ` (${pairs.length} with ${duplicates} duplicates)` : ""}. Nothing was started.`,
      {
        hint: distinct >= 4 ? `Use batchSize ${2 ** Math.floor(Math.log2(distinct / 2))} or add pairs.` : "Add pairs.",
        details: { pairs: pairs.length, duplicates, batchSize },
      },
    );
  const everyGrouped = groups.size > 0 && pairs.every((pair) => pair.group !== undefined);
  if (everyGrouped && groups.size < batchSize)
    throw new ParallaxError(
      "train.too-few-groups",
      `A batch of ${batchSize} takes one pair of each group, and there are ${groups.size} groups. Nothing was started.`,
      {
        hint: `Use batchSize ${groups.size} or less, or leave the groups out.`,
        details: { groups: groups.size, batchSize },
      },
    );
  const warnings: string[] = [];
  if (duplicates > 0)
    warnings.push(
      `${duplicates} of ${pairs.length} pairs ${duplicates === 1 ? "is a duplicate" : "are duplicates"} of an earlier one; equal texts never share a batch.`,
    );
  if (equalSides > 0)
    warnings.push(
      `In ${equalSides} of ${pairs.length} pairs anchor and positive are the same text; they teach little.`,
    );
  return { n: pairs.length, duplicates, equalSides, groups: groups.size, warnings };
}

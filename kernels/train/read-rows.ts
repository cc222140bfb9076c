/** Training rows: reading them from what a user has, and refusing or dropping what would teach the wrong thing. */
import { ParallaxError } from "../protocol/errors.ts";
import { chooseColumns, negativeColumns, type PairColumns } from "./row-columns.ts";
import type { TrainingRow } from "./rows.ts";
import { textKey } from "./text-key.ts";

export type { PairColumns } from "./row-columns.ts";

/** The part of a Table (kernels/data) that rows need. */
export interface RowTable {
  readonly columns: readonly string[];
  readonly n: number;
  column(name: string): readonly unknown[];
}

export interface ReadRowsOptions {
  columns?: PairColumns | undefined;
  /** A row that cannot be trained on stops everything (default), or is left out and reported. */
  badRows?: "refuse" | "drop" | undefined;
}

export interface ReadRows {
  rows: TrainingRow[];
  /** Rows that were left out (from 0), and why. Empty unless `badRows` is "drop". */
  dropped: { row: number; problem: string }[];
  /** Negatives that equal their row's anchor or positive and were left out; the row stays when it has others. */
  equalNegatives: number;
  /** Sentences to read before training. */
  notes: string[];
}

/** What a row has before it is checked. */
interface RawRow {
  anchor: unknown;
  positive: unknown;
  negatives?: readonly unknown[] | undefined;
  score?: unknown;
  scores?: unknown;
  group?: unknown;
  task?: unknown;
  instructions?: unknown;
}

/** What the fields of a row are called where it comes from. */
export interface RowNames {
  anchor: string;
  positive: string;
}

/**
 * Rows from a table: pairs, triplets, scored pairs, a teacher's scores, or lines in the layouts of MEDI (`query`, `pos`
 * and `neg` as [instruction, text]) and FlagEmbedding (`query` a text, `pos` and `neg` lists of texts: one row a positive).
 *
 * @throws {ParallaxError} train.missing-column names the columns there are; train.bad-pair and train.equal-negative name
 *   the first bad row (details.row, from 0), unless bad rows are dropped; train.bad-scale.
 */
export function rowsFromTable(table: RowTable, options: ReadRowsOptions = {}): ReadRows {
  const columns = options.columns ?? {};
  const reader = new Reader(options);
  const isNamed = columns.anchor !== undefined || columns.positive !== undefined;
  if (!isNamed && table.columns.includes("query") && table.columns.includes("pos")) {
    const values = table.columns.map((name) => [name, table.column(name)] as const);
    for (let row = 0; row < table.n; row++)
      reader.layout(Object.fromEntries(values.map(([name, column]) => [name, column[row]])), row);
    return reader.end();
  }
  const chosen = chooseColumns(table.columns, columns);
  const optional = (name: string | null) => (name === null ? null : table.column(name));
  const [anchors, positives] = [table.column(chosen.anchor), table.column(chosen.positive)];
  const negatives = chosen.negatives.map((name) => table.column(name));
  const [group, task, scores, instructions] = [
    optional(chosen.group),
    optional(chosen.task),
    optional(chosen.scores),
    optional(table.columns.includes("instructions") ? "instructions" : null),
  ];
  let score = optional(chosen.score);
  // A column that only happens to be called so is left alone.
  if (score !== null && !chosen.scoreIsNamed && !score.every((value) => Number.isFinite(numberOf(value)))) score = null;
  for (let row = 0; row < table.n; row++)
    reader.add(
      {
        anchor: anchors[row],
        positive: positives[row],
        negatives: negatives.flatMap((column) => listOf(column[row])),
        group: group?.[row],
        task: task?.[row],
        score: score === null ? undefined : score[row],
        scores: scores?.[row],
        instructions: instructions?.[row],
      },
      row,
      chosen,
    );
  return reader.end(labelNote(table, [chosen.anchor, chosen.positive, chosen.group, chosen.score, chosen.task]));
}

/**
 * Rows from an array: objects with `anchor`, `positive` and perhaps `negative`, `negatives`, `score`, `scores`, `group`,
 * `task`, `instructions`; [anchor, positive] or [anchor, positive, group] arrays; or the layouts that rowsFromTable takes.
 * @throws {ParallaxError} as rowsFromTable
 */
export function rowsFromArray(rows: readonly unknown[], options: ReadRowsOptions = {}): ReadRows {
  const { columns = {} } = options;
  const names = { anchor: columns.anchor ?? "anchor", positive: columns.positive ?? "positive" };
  const reader = new Reader(options);
  for (const [i, row] of rows.entries()) {
    if (Array.isArray(row)) {
      reader.add({ anchor: row[0], positive: row[1], group: row[2] }, i, { anchor: "0", positive: "1" });
      continue;
    }
    if (typeof row !== "object" || row === null) {
      reader.bad(
        badRow(
          i,
          `is ${row === null ? "null" : `a ${typeof row}`}, not an object with "${names.anchor}" and "${names.positive}"`,
        ),
      );
      continue;
    }
    const fields = row as Record<string, unknown>;
    if (columns.anchor === undefined && "query" in fields && "pos" in fields) {
      reader.layout(fields, i);
      continue;
    }
    const negatives =
      columns.negatives === undefined ? negativeColumns(Object.keys(fields)) : [columns.negatives].flat();
    reader.add(
      {
        anchor: fields[names.anchor],
        positive: fields[names.positive],
        negatives: negatives.flatMap((name) => listOf(fields[name])),
        group: fields[columns.group ?? "group"],
        task: fields[columns.task ?? "task"],
        score: fields[columns.score ?? "score"],
        scores: fields[columns.scores ?? "scores"],
        instructions: fields.instructions,
      },
      i,
      names,
    );
  }
  return reader.end();
}

/** Collects rows; keeps the first problem when they are refused, all of them when they are dropped. */
class Reader {
  readonly #rows: TrainingRow[] = [];
  readonly #drop: boolean;
  readonly #scale: readonly [number, number] | undefined;
  readonly #dropped: ReadRows["dropped"] = [];
  #first: ParallaxError | null = null;
  #badCount = 0;
  #equalNegatives = 0;

  constructor({ badRows = "refuse", columns }: ReadRowsOptions) {
    if (badRows !== "refuse" && badRows !== "drop")
      throw new ParallaxError("train.bad-option", `badRows is ${JSON.stringify(badRows)}. Nothing was started.`, {
        hint: 'It is "refuse" or "drop".',
      });
    this.#drop = badRows === "drop";
    const scale = columns?.scale;
    if (scale !== undefined && !(scale.length === 2 && scale[0] < scale[1] && scale.every(Number.isFinite)))
      throw new ParallaxError("train.bad-scale", `The scale of the scores is ${JSON.stringify(scale)}.`, {
        hint: "Give the lowest and the highest score: scale: [0, 5].",
      });
    this.#scale = scale;
  }

  bad(error: ParallaxError): void {
    this.#badCount++;
    this.#first ??= error;
    const problem = error.details?.problem;
    if (this.#drop)
      this.#dropped.push({ row: error.details?.row as number, problem: String(problem ?? error.message) });
  }

  add(raw: RawRow, index: number, names: RowNames): void {
    try {
      const row = checkedRow(raw, index, names, this.#scale);
      if (this.#withoutEqualNegatives(row, index)) this.#rows.push(row);
    } catch (error) {
      if (!(error instanceof ParallaxError)) throw error;
      this.bad(error);
    }
  }

  /** A line of MEDI or FlagEmbedding. */
  layout(fields: Record<string, unknown>, index: number): void {
    const { query, pos, neg } = fields;
    const names = { anchor: "query", positive: "pos" };
    const common = { task: fields.task_name ?? fields.task ?? fields.task_id, group: fields.group };
    if (Array.isArray(query)) {
      const [anchor, positive] = [instructed(query), instructed(pos)];
      const negatives = (Array.isArray(neg) && Array.isArray(neg[0]) ? neg : neg ? [neg] : []).map(instructed);
      const raw = { anchor: anchor.text, positive: positive.text, negatives: negatives.map(({ text }) => text) };
      const [a, p, n] = [anchor, positive, negatives[0]].map((side) => side?.instruction);
      this.add({ ...raw, ...common, instructions: { anchor: a, positive: p, negative: n } }, index, names);
      return;
    }
    const [positives, negatives] = [listOf(pos), listOf(neg)];
    const [ofPositives, ofNegatives] = [listOf(fields.pos_scores), listOf(fields.neg_scores)];
    if (positives.length === 0) this.bad(badRow(index, 'has no text in "pos"'));
    positives.forEach((positive, i) => {
      const scores = ofPositives.length > i ? [ofPositives[i], ...ofNegatives] : undefined;
      this.add({ anchor: query, positive, negatives, scores, ...common }, index, names);
    });
  }

  /** @returns false when the row must go: all its negatives are no negatives. */
  #withoutEqualNegatives(row: TrainingRow, index: number): boolean {
    const { negatives } = row;
    if (negatives === undefined) return true;
    const keys = [textKey(row.anchor), textKey(row.positive)];
    const kept = negatives.map((text) => !keys.includes(textKey(text)));
    const at = kept.indexOf(false);
    if (at < 0) return true;
    const side = textKey(negatives[at]!) === keys[1] ? "positive" : "anchor";
    const error = problem(
      "train.equal-negative",
      index,
      `has a negative that is its ${side}, too (${quote(negatives[at]!)})`,
    );
    if (!this.#drop || !kept.includes(true)) {
      this.bad(error);
      return false;
    }
    this.#equalNegatives += kept.filter((keep) => !keep).length;
    row.negatives = negatives.filter((_, i) => kept[i]);
    if (row.scores !== undefined && row.scores.length > 1)
      row.scores = row.scores.filter((_, i) => i === 0 || kept[i - 1]);
    return true;
  }

  end(notes: string[] = []): ReadRows {
    const first = this.#first;
    if (first !== null && !this.#drop) {
      if (this.#badCount === 1) throw first;
      const more = this.#badCount - 1;
      throw new ParallaxError(
        first.code,
        first.message.replace(
          /\. Nothing was started\.$/,
          `; ${more} more ${more === 1 ? "row is" : "rows are"} bad. Nothing was started.`,
        ),
        { hint: BAD_HINT, details: { ...first.details, badRows: this.#badCount } },
      );
    }
    const said = [...notes];
    if (this.#dropped.length > 0)
      said.push(
        `${this.#dropped.length} rows were dropped; the first, row ${this.#dropped[0]!.row + 1}, ${this.#dropped[0]!.problem}.`,
      );
    if (this.#equalNegatives > 0)
      said.push(`${this.#equalNegatives} negatives were dropped: each equals its row's anchor or positive.`);
    return { rows: this.#rows, dropped: this.#dropped, equalNegatives: this.#equalNegatives, notes: said };
  }
}

/** @throws {ParallaxError} train.bad-pair with the number of the row and what was found */
export function checkedRow(
  raw: RawRow,
  index: number,
  names: RowNames,
  scale?: readonly [number, number] | undefined,
): TrainingRow {
  for (const side of ["anchor", "positive"] as const) {
    const value = raw[side];
    if (value === undefined || value === null) throw badRow(index, `has no "${names[side]}"`);
    if (typeof value !== "string") throw badRow(index, `has a ${typeof value} in "${names[side]}", not a text`);
    if (value.trim() === "") throw badRow(index, `has an empty text in "${names[side]}"`);
  }
  const row: TrainingRow = { anchor: raw.anchor as string, positive: raw.positive as string };
  // Empty cells are how a table says that a row has fewer negatives than others.
  const negatives = (raw.negatives ?? []).filter((text) => text !== null && text !== undefined && text !== "");
  const odd = negatives.find((text) => typeof text !== "string");
  if (odd !== undefined) throw badRow(index, `has a ${typeof odd} among its negatives, not a text`);
  if (negatives.length > 0) row.negatives = negatives as string[];
  const scores = scoresOf(raw, index, negatives.length, scale);
  if (scores !== null) row.scores = scores;
  if (!isEmpty(raw.group)) row.group = String(raw.group);
  if (!isEmpty(raw.task)) row.task = String(raw.task);
  const instructions = instructionsOf(raw.instructions, index);
  if (instructions !== null) row.instructions = instructions;
  return row;
}

function scoresOf(
  raw: RawRow,
  index: number,
  negatives: number,
  scale: readonly [number, number] | undefined,
): number[] | null {
  if (!isEmpty(raw.scores)) {
    const scores = listOf(raw.scores).map(numberOf);
    const at = scores.findIndex((score) => !Number.isFinite(score));
    if (at >= 0) throw badRow(index, `has ${quote(listOf(raw.scores)[at])} among its scores, not a number`);
    if (scores.length !== 1 && scores.length !== 1 + negatives)
      throw badRow(index, `has ${scores.length} scores for a positive and ${negatives} negatives`);
    return scores;
  }
  if (raw.score === undefined) return null;
  const score = numberOf(raw.score);
  if (!Number.isFinite(score)) throw badRow(index, `has ${quote(raw.score)} as its score, not a number`);
  if (scale === undefined) return [score];
  const [low, high] = scale;
  if (score < low || score > high)
    throw badRow(index, `has the score ${score}, outside its scale of ${low} to ${high}`);
  return [(score - low) / (high - low)];
}

function instructionsOf(value: unknown, index: number): NonNullable<TrainingRow["instructions"]> | null {
  if (isEmpty(value)) return null;
  if (typeof value !== "object") throw badRow(index, `has a ${typeof value} as its instructions, not an object`);
  const found: NonNullable<TrainingRow["instructions"]> = {};
  for (const side of ["anchor", "positive", "negative"] as const) {
    const text = (value as Record<string, unknown>)[side];
    if (isEmpty(text)) continue;
    if (typeof text !== "string") throw badRow(index, `has a ${typeof text} as instruction of its ${side}, not a text`);
    found[side] = text;
  }
  return Object.keys(found).length === 0 ? null : found;
}

const isEmpty = (value: unknown) => value === undefined || value === null || value === "";

/** [instruction, text], or a text alone. */
function instructed(value: unknown): { instruction: unknown; text: unknown } {
  if (!Array.isArray(value)) return { instruction: undefined, text: value };
  return value.length === 1 ? { instruction: undefined, text: value[0] } : { instruction: value[0], text: value[1] };
}

/** Lists of parquet and json, lists written out in a cell of tsv; anything else is a list of one. */
function listOf(value: unknown): unknown[] {
  if (isEmpty(value)) return [];
  if (Array.isArray(value)) return value;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return [...(value as unknown as Iterable<unknown>)];
  if (typeof value === "string" && value.startsWith("[")) {
    try {
      const list: unknown = JSON.parse(value);
      if (Array.isArray(list)) return list;
    } catch {
      // A text that begins with a bracket.
    }
  }
  return [value];
}

function numberOf(value: unknown): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

/** A column of 0 and 1 beside two texts says which pairs belong together; reading all of them as positives is wrong. */
function labelNote(table: RowTable, read: readonly (string | null)[]): string[] {
  const name = ["label", "is_duplicate", "labels"].find((each) => table.columns.includes(each) && !read.includes(each));
  if (name === undefined) return [];
  const values = new Set(table.column(name).map(String));
  if (values.size !== 2 || !values.has("0") || !values.has("1")) return [];
  const no = table.column(name).filter((value) => String(value) === "0").length;
  return [
    `The column "${name}" holds 0 (${no} rows) and 1 and was not read: every row counts as a pair that belongs together. Keep the rows with 1: table.filter((row) => String(row.${name}) === "1").`,
  ];
}

const quote = (value: unknown) => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

const BAD_HINT = 'Correct the row, or leave such rows out: badRows: "drop".';

function badRow(row: number, found: string): ParallaxError {
  return problem("train.bad-pair", row, found);
}

function problem(code: string, row: number, found: string): ParallaxError {
  return new ParallaxError(code, `Pair ${row + 1} ${found}. Nothing was started.`, {
    hint: BAD_HINT,
    details: { row, problem: found },
  });
}

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { readTable, Table } from "../../kernels/data/table.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { inspectRows } from "../../kernels/train/inspect-rows.ts";
import { nliTriplets } from "../../kernels/train/nli.ts";
import { type ReadRowsOptions, rowsFromArray, rowsFromTable } from "../../kernels/train/read-rows.ts";

const table = (rows: Record<string, unknown>[]) => Table.fromRows(rows, "rows.jsonl");

function refusal(work: () => unknown): { code: string; message: string; hint: string | undefined } | null {
  try {
    work();
    return null;
  } catch (error) {
    const { code, message, hint } = error as ParallaxError;
    return { code, message, hint };
  }
}

it("reads negatives from one column, numbered columns in order, lists, and lists written in a cell", () => {
  const rows = rowsFromTable(
    table([
      { anchor: "a", positive: "b", negative_2: "n2", negative_10: "n10", negative_1: "n1" },
      { anchor: "c", positive: "d", negative_1: "m1", negative_2: "" },
      { anchor: "e", positive: "f", negative: "x", negatives: ["y", "z"] },
      { anchor: "g", positive: "h", negatives: '["[1] y", "z"]' },
      { anchor: "i", positive: "j", negative: "[no list" },
    ]),
  ).rows;
  expect(rows.map(({ negatives }) => negatives)).toEqual([
    ["n1", "n2", "n10"],
    ["m1"],
    ["x", "y", "z"],
    ["[1] y", "z"],
    ["[no list"],
  ]);
});

it("reads scores of pairs on their scale, a teacher's scores, tasks, groups and instructions", () => {
  expect(
    rowsFromTable(
      table([
        { sentence1: "a", sentence2: "b", score: "2.5", task_name: "sts" },
        { sentence1: "c", sentence2: "d", score: 5, task_name: null },
      ]),
      { columns: { scale: [0, 5] } },
    ).rows,
  ).toEqual([
    { anchor: "a", positive: "b", scores: [0.5], task: "sts" },
    { anchor: "c", positive: "d", scores: [1] },
  ]);
  expect(
    rowsFromArray([
      { anchor: "a", positive: "b", negatives: ["n", "m"], scores: [0.9, 0.2, 0.1], group: 7, task: "t" },
      { anchor: "c", positive: "d", instructions: { anchor: "query: {text}", positive: "" } },
    ]).rows,
  ).toEqual([
    { anchor: "a", positive: "b", negatives: ["n", "m"], scores: [0.9, 0.2, 0.1], group: "7", task: "t" },
    { anchor: "c", positive: "d", instructions: { anchor: "query: {text}" } },
  ]);
});

it("reads the layouts of MEDI and of FlagEmbedding", () => {
  const medi = {
    query: ["Represent the sentence for retrieval; ", "q"],
    pos: ["Represent the text; ", "p"],
    neg: ["Represent the text; ", "n"],
    task_id: 0,
    task_name: "snli",
  };
  const instructions = {
    anchor: "Represent the sentence for retrieval; ",
    positive: "Represent the text; ",
    negative: "Represent the text; ",
  };
  const row = { anchor: "q", positive: "p", negatives: ["n"], task: "snli", instructions };
  expect(rowsFromTable(table([medi])).rows).toEqual([row]);
  expect(rowsFromArray([{ ...medi, neg: undefined, task_name: undefined }]).rows).toEqual([
    {
      anchor: "q",
      positive: "p",
      task: "0",
      instructions: { anchor: instructions.anchor, positive: instructions.positive },
    },
  ]);
  const flag = { query: "q", pos: ["p1", "p2"], neg: ["n1", "n2"], pos_scores: [9, 8], neg_scores: [2, 1] };
  expect(rowsFromArray([flag]).rows).toEqual([
    { anchor: "q", positive: "p1", negatives: ["n1", "n2"], scores: [9, 2, 1] },
    { anchor: "q", positive: "p2", negatives: ["n1", "n2"], scores: [8, 2, 1] },
  ]);
});

it("refuses bad rows by number, or drops and reports them", () => {
  const rows = [
    { anchor: "a", positive: "b", negatives: ["n", "B "], scores: [1, 0.5, 0.9] },
    { anchor: "c" },
    { anchor: "d", positive: "e", negative: "D" },
    { anchor: "f", positive: "g", scores: [1, "x"] },
    { anchor: "h", positive: "i", negatives: ["j"], scores: [1, 2, 3] },
    { anchor: "k", positive: "l", score: "high" },
  ];
  expect(refusal(() => rowsFromArray(rows.slice(0, 1)))).toEqual({
    code: "train.equal-negative",
    message: 'Pair 1 has a negative that is its positive, too ("B "). Nothing was started.',
    hint: 'Correct the row, or leave such rows out: badRows: "drop".',
  });
  expect(refusal(() => rowsFromArray(rows.slice(1)))?.message).toBe(
    'Pair 1 has no "positive"; 4 more rows are bad. Nothing was started.',
  );
  expect(rowsFromArray(rows, { badRows: "drop" })).toEqual({
    rows: [{ anchor: "a", positive: "b", negatives: ["n"], scores: [1, 0.5] }],
    dropped: [
      { row: 1, problem: 'has no "positive"' },
      { row: 2, problem: 'has a negative that is its anchor, too ("D")' },
      { row: 3, problem: 'has "x" among its scores, not a number' },
      { row: 4, problem: "has 3 scores for a positive and 1 negatives" },
      { row: 5, problem: 'has "high" as its score, not a number' },
    ],
    equalNegatives: 1,
    notes: [
      '5 rows were dropped; the first, row 2, has no "positive".',
      "1 negatives were dropped: each equals its row's anchor or positive.",
    ],
  });
});

it("says what is odd about columns and scores", () => {
  const bad = (row: Record<string, unknown>, options: ReadRowsOptions) =>
    refusal(() => rowsFromTable(table([row]), options))?.message;
  const scored = { sentence1: "a", sentence2: "b", score: 7 };
  expect([
    bad(scored, { columns: { scale: [0, 5] } }),
    bad(scored, { columns: { scale: [5, 0] } }),
    bad(scored, { columns: { negatives: "hard" } }),
    bad({ premise: "a", hypothesis: "b", label: "entailment" }, {}),
  ]).toEqual([
    "Pair 1 has the score 7, outside its scale of 0 to 5. Nothing was started.",
    "The scale of the scores is [5,0].",
    'Training pairs need the column "hard"; the table has "sentence1", "sentence2", "score".',
    'Training pairs need the columns "anchor" and "positive"; the table has "premise", "hypothesis", "label".',
  ]);
  // A column that is called score and holds something else does no harm unless it is asked for.
  const named = { sentence1: "a", sentence2: "b", score: "good" };
  expect(rowsFromTable(table([named])).rows).toEqual([{ anchor: "a", positive: "b" }]);
  expect(bad(named, { columns: { score: "score" } })).toBe(
    'Pair 1 has "good" as its score, not a number. Nothing was started.',
  );
  const labelled = [0, 1, 1].map((label, i) => ({ label, question1: `a ${i}`, question2: `b ${i}` }));
  expect(rowsFromTable(table(labelled)).notes).toEqual([
    'The column "label" holds 0 (1 rows) and 1 and was not read: every row counts as a pair that belongs together. Keep the rows with 1: table.filter((row) => String(row.label) === "1").',
  ]);
});

it("makes triplets of inference data: entailment as positive, contradiction as hard negative", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "parallax-nli-"));
  try {
    const lines = [
      "label\tpremise\thypothesis",
      "entailment\tA man plays guitar.\tA person plays music.",
      "contradiction\ta man  plays guitar.\tNobody plays.",
      "neutral\tA man plays guitar.\tHe is famous.",
      "entailment\tA man plays guitar.\ta person plays music.",
      "entailment\tA dog runs.\tAn animal moves.",
      "contradiction\tA cat sleeps.\tA cat runs.",
    ];
    await writeFile(path.join(folder, "nli.tsv"), lines.join("\n"));
    const nli = await readTable(path.join(folder, "nli.tsv"));
    const triplet = { anchor: "A man plays guitar.", positive: "A person plays music.", negatives: ["Nobody plays."] };
    expect(nliTriplets(nli)).toEqual([triplet]);
    expect(nliTriplets(nli, { withoutNegative: "keep", task: "nli" })).toEqual([
      { ...triplet, task: "nli" },
      { anchor: "A dog runs.", positive: "An animal moves.", task: "nli" },
    ]);
    const two = Table.fromColumns({
      label: ["entailment", "not_entailment"],
      premise: ["a", "b"],
      hypothesis: ["c", "d"],
    });
    expect(refusal(() => nliTriplets(two))).toEqual({
      code: "train.too-few-pairs",
      message:
        'None of 2 rows is an entailed pair whose premise is also contradicted; the labels are "entailment", "not_entailment".',
      hint: 'Data without contradictions gives pairs: nliTriplets(table, { withoutNegative: "keep" }).',
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("stops before training when all rows are one, or a batch is larger than the data", () => {
  const same = Array.from({ length: 40 }, () => ({ anchor: "How?", positive: "So." }));
  expect(refusal(() => inspectRows(same, { batchSize: 4 }))?.message).toBe(
    'All 40 rows are the same pair: "How?" and "So.". Nothing was started.',
  );
  const rows = [1, 2, 3, 3].map((i) => ({ anchor: `a ${i}`, positive: `b ${i}`, scores: [i] }));
  expect(refusal(() => inspectRows(rows, { batchSize: 8, loss: "cosent" }))?.message).toBe(
    "A batch of 8 needs 8 different pairs; there are 4. Nothing was started.",
  );
  // Rows that do not see each other may be equal.
  expect(inspectRows(rows, { batchSize: 4, loss: { name: "cosine-mse" } }).warnings).toEqual([
    "1 of 4 pairs is a duplicate of an earlier one.",
    "Scores run from 1 to 3, and no cosine does. Give their scale: columns: { scale: [0, 3] }.",
  ]);
  expect(
    inspectRows(
      rows.map((row, i) => ({ ...row, task: i < 3 ? "big" : "small" })),
      { batchSize: 3, tasksApart: true },
    ).warnings,
  ).toContain("1 of 2 tasks have fewer rows than a batch of 3 and are left out: small (1).");
});

const MEDI = path.join(process.env.PARALLAX_DATA ?? "", "train/medi-style-sample.jsonl.gz");
it.skipIf(!existsSync(MEDI))("reads a sample in MEDI's layout whole", async () => {
  const read = rowsFromTable(await readTable(MEDI), { badRows: "drop" });
  expect(new Set(read.rows.map(({ task }) => task)).size).toBe(9);
  expect(read.rows.length + read.dropped.length).toBe(41_585);
});

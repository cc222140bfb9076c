import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { loadTask, type RetrievalTask, type Task, taskToFile } from "../../kernels/data/task.ts";

const made: string[] = [];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "parallax-task-"));
  made.push(folder);
});
afterAll(() => Promise.all(made.map((name) => rm(name, { recursive: true }))));

async function files(contents: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}
const at = (name: string): string => path.join(folder, name);

const PAIRS = "genre\tscore\tsentence1\tsentence2\nnews\t5\ta\tb\nnews\t2.5\tc\td\nnews\t0\te\tf\n";
const CORPUS = '{"_id": "1", "title": "Title", "text": "body"}\n{"_id": "2", "title": "", "text": "alone"}\n';
const QUERIES = '{"_id": "q1", "text": "one"}\n{"_id": "q2", "text": "not judged"}\n';

describe("loadTask", () => {
  test("recognises a table with sentence1, sentence2 and score", async () => {
    await files({ "pairs.tsv": PAIRS });
    expect(await loadTask(at("pairs.tsv"))).toEqual({
      type: "sts",
      name: "pairs",
      a: ["a", "c", "e"],
      b: ["b", "d", "f"],
      gold: [5, 2.5, 0],
    });
  });

  test("recognises a BEIR folder, joins title and text, and keeps judged queries only", async () => {
    await files({
      "corpus.jsonl.gz": gzipSync(CORPUS),
      "queries.jsonl": QUERIES,
      "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\t1\t1\n",
    });
    const task = (await loadTask(folder)) as RetrievalTask;
    expect(task).toMatchObject({
      type: "retrieval",
      name: path.basename(folder),
      queries: [{ id: "q1", text: "one" }],
      documents: [
        { id: "1", text: "Title body" },
        { id: "2", text: "alone" },
      ],
      notes: [],
    });
    expect(task.relevant).toEqual(new Map([["q1", new Map([["1", 1]])]]));
  });

  test("finds judgements by split, as the only file, and in TREC's four columns", async () => {
    await files({ "corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels-train.tsv": "q2 0 2 1\n" });
    expect(((await loadTask(folder)) as RetrievalTask).relevant).toEqual(new Map([["q2", new Map([["2", 1]])]]));
    await files({ "qrels-test.tsv": "q\td\ts\nq1\t1\t2\n" });
    expect(((await loadTask(folder)) as RetrievalTask).relevant.has("q1")).toBe(true);
    expect(((await loadTask(folder, { split: "train" })) as RetrievalTask).relevant.has("q2")).toBe(true);
  });

  test("notes unknown documents, unknown queries, unanswered queries and doubled judgements", async () => {
    await files({
      "corpus.jsonl": CORPUS,
      "queries.jsonl": QUERIES,
      "qrels.tsv": "q\td\ts\nq1\t1\t1\nq1\t1\t2\nq1\tgone\t1\nq2\t1\t-1\nq9\t1\t1\n",
    });
    expect((await loadTask(folder)).notes).toEqual([
      "1 judgements are given twice in qrels.tsv; the last one counts.",
      "Judgements of 1 query (q9) that the task does not hold are left out.",
      "Relevant documents missing from the corpus count as never found: 1 document (gone).",
      "Without a relevant document, scored 0: 1 query (q2).",
    ]);
  });

  test("reads task files with names relative to them", async () => {
    await files({
      "data/p.csv": "one,two,sim\nx,y,1\nz,w,2\nu,v,3\n",
      "sts.json":
        '{"parallaxTask": 1, "type": "sts", "name": "Mine", "file": "data/p.csv", "a": "one", "b": "two", "score": "sim"}',
      "train.tsv": "label\ttext\nx\ta\ny\tb\n",
      "test.tsv": "label\ttext\nx\tc\nw\td\n",
      "task.json":
        '{"parallaxTask": 1, "type": "classification", "train": "train.tsv", "test": "test.tsv", "samplesPerLabel": 16}',
    });
    expect(await loadTask(at("sts.json"))).toEqual({
      type: "sts",
      name: "Mine",
      a: ["x", "z", "u"],
      b: ["y", "w", "v"],
      gold: [1, 2, 3],
    });
    expect(await loadTask(folder)).toEqual({
      type: "classification",
      name: "task",
      train: { texts: ["a", "b"], labels: ["x", "y"] },
      test: { texts: ["c", "d"], labels: ["x", "w"] },
      samplesPerLabel: 16,
      notes: ["1 test labels never occur in the train part, so their texts count as wrong: w."],
    });
  });

  test("reads back what taskToFile wrote, for every type", async () => {
    const tasks: Task[] = [
      { type: "sts", name: "s", a: ["a", "\ud800", "c"], b: ["b", "nul\u0000", "d"], gold: [1, 2, 3] },
      {
        type: "retrieval",
        name: "r",
        queries: [{ id: "q", text: "?" }],
        documents: [{ id: "d", text: "!" }],
        relevant: new Map([["q", new Map([["d", 2]])]]),
        notes: [],
      },
      {
        type: "classification",
        name: "c",
        train: { texts: ["a", "b"], labels: ["x", "y"] },
        test: { texts: ["c"], labels: ["x"] },
        samplesPerLabel: 3,
      },
    ];
    for (const task of tasks) {
      await writeFile(at("task.json"), JSON.stringify(taskToFile(task)));
      expect(await loadTask(at("task.json"))).toEqual(task);
      expect(await loadTask(task)).toEqual(task);
    }
  });
});

describe("a task that cannot be scored", () => {
  test("names every bad field of the task file, with the nearest known one", async () => {
    await files({ "t.json": '{"parallaxTask": 1, "type": "sts", "fil": "x.tsv", "a": 3}' });
    await expect(loadTask(at("t.json"))).rejects.toMatchObject({
      code: "task.invalid",
      message: expect.stringMatching(
        /^t\.json does not describe a task: .*a: .*unknown field "fil" \(did you mean "file"\?\)\.$/,
      ) as string,
    });
    await files({
      "u.json": '{"parallaxTask": 1, "type": "clustering"}',
      "v.json": '{"parallaxTask": 1,',
      "w.json": '{"parallaxTask": 1, "type": "sts"}',
    });
    await expect(loadTask(at("u.json"))).rejects.toMatchObject({
      message: 'u.json does not describe a task: type: found "clustering", known are sts, retrieval, classification.',
    });
    await expect(loadTask(at("v.json"))).rejects.toMatchObject({ code: "task.invalid" });
    await expect(loadTask(at("w.json"))).rejects.toMatchObject({
      code: "task.invalid",
      message: 'w names no data: a sts task needs "file", or "data".',
    });
  });

  test("a table with other columns is not guessed at", async () => {
    await files({ "x.tsv": "left\tright\tsim\na\tb\t1\n" });
    await expect(loadTask(at("x.tsv"))).rejects.toMatchObject({
      code: "task.not-recognised",
      details: { columns: ["left", "right", "sim"] },
    });
    await expect(loadTask(folder)).rejects.toMatchObject({ code: "task.not-recognised" });
    await expect(loadTask(at("none.tsv"))).rejects.toMatchObject({ code: "table.not-found" });
  });

  test("a BEIR folder without judgements says what is missing", async () => {
    await files({ "corpus.jsonl": CORPUS, "queries.jsonl": QUERIES });
    await expect(loadTask(folder)).rejects.toMatchObject({
      code: "task.missing-file",
      details: { missing: ["qrels/test.tsv"] },
    });
  });

  test("duplicate ids, broken judgements and no judged query are located", async () => {
    await files({
      "corpus.jsonl": `${CORPUS}{"_id": "1", "text": "again"}\n`,
      "queries.jsonl": QUERIES,
      "qrels.tsv": "q\td\ts\nq1\t1\t1\n",
    });
    await expect(loadTask(folder)).rejects.toMatchObject({ code: "task.duplicate-id", details: { id: "1", row: 2 } });
    await files({ "corpus.jsonl": CORPUS, "qrels.tsv": "q\td\ts\nq1\t1\tyes\n" });
    await expect(loadTask(folder)).rejects.toMatchObject({ code: "task.bad-judgement", details: { line: 2 } });
    await files({ "qrels.tsv": "q\td\ts\nother\t1\t1\n" });
    await expect(loadTask(folder)).rejects.toMatchObject({ code: "task.no-judged-query" });
    await files({ "qrels.tsv": "q\td\ts\nq1\t1\t1\n", "queries.jsonl": '{"_id": "", "text": "x"}\n' });
    await expect(loadTask(folder)).rejects.toMatchObject({ code: "task.missing-field" });
  });

  test("constant gold scores, too few pairs, one class and missing labels are refused", async () => {
    const sts = { type: "sts" as const, name: "t", a: ["a", "b", "c"], b: ["a", "b", "c"], gold: [1, 1, 1] };
    await expect(loadTask(sts)).rejects.toMatchObject({ code: "task.constant-gold" });
    await expect(loadTask({ ...sts, gold: [1, 2] })).rejects.toMatchObject({ code: "task.length-mismatch" });
    await expect(loadTask({ ...sts, gold: [1, Number.NaN, 3] })).rejects.toMatchObject({
      code: "task.not-a-number",
      details: { row: 1 },
    });
    await expect(loadTask({ ...sts, a: ["a"], b: ["b"], gold: [1] })).rejects.toMatchObject({ code: "task.empty" });
    const part = { texts: ["a", "b"], labels: ["x", "x"] };
    const classes = { type: "classification" as const, name: "c", train: part, test: part, samplesPerLabel: 8 };
    await expect(loadTask(classes)).rejects.toMatchObject({ code: "task.one-class" });
    await expect(loadTask({ ...classes, train: { texts: ["a", "b"], labels: ["x", ""] } })).rejects.toMatchObject({
      code: "task.missing-field",
      details: { row: 1 },
    });
    await expect(loadTask({ ...classes, test: { texts: [], labels: [] } })).rejects.toMatchObject({
      code: "task.empty",
    });
    await expect(loadTask({ ...classes, test: { texts: ["a"], labels: [] } })).rejects.toMatchObject({
      code: "task.length-mismatch",
    });
  });
});

// Real data, where a checkout has it beside the project: nothing is copied and CI does without.
const DATA = process.env.PARALLAX_DATA;
describe.skipIf(DATA === undefined || !existsSync(DATA))("the public sets in PARALLAX_DATA", () => {
  test("load with one line each", async () => {
    const sts = await loadTask(path.join(DATA!, "eval/sts/stsbenchmark-test.tsv"));
    expect(sts.type === "sts" && sts.gold.length).toBe(1379);
    const scifact = await loadTask(path.join(DATA!, "eval/retrieval/scifact"));
    expect(scifact.type === "retrieval" && [scifact.queries.length, scifact.documents.length]).toEqual([300, 5183]);
    const bank = await loadTask({
      parallaxTask: 1,
      type: "classification",
      train: path.join(DATA!, "eval/classification/banking77-train.tsv"),
      test: path.join(DATA!, "eval/classification/banking77-test.tsv"),
    });
    expect(bank.type === "classification" && [bank.train.texts.length, bank.test.texts.length]).toEqual([10003, 3080]);
  });
});

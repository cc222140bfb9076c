/** Tasks from files, folders and objects. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { beirFiles, readBeir, retrievalTask } from "./beir.ts";
import { openFile } from "./source.ts";
import { readTable, readText, type Table } from "./table.ts";
import { count } from "./table-view.ts";
import { type ParsedTaskFile, parseTaskFile, type TaskFile } from "./task-schema.ts";
import type { ClassificationTask, LabelledTexts, StsTask, Task } from "./task-types.ts";

export type { TaskFile } from "./task-schema.ts";
export type { ClassificationTask, IdText, LabelledTexts, RetrievalTask, StsTask, Task } from "./task-types.ts";

export interface LoadTaskOptions extends WorkContext {
  /** Folder that relative file names of a task object start at. Default: the working folder. */
  base?: string;
  /** Which judgements of a BEIR folder. Default "test". */
  split?: string;
}

/**
 * Loads a task.
 *
 * @param source a task file (.json), a table of pairs with the columns sentence1, sentence2 and score, a folder in BEIR's
 *   layout or with a task.json in it, a task object as in a file, or a task already loaded (which is checked again).
 * @throws {ParallaxError} task.not-recognised, task.invalid, task.missing-file, task.empty, task.length-mismatch,
 *   task.not-a-number, task.constant-gold, task.one-class, task.duplicate-id, task.bad-judgement, task.no-judged-query, and the errors of
 *   readTable.
 * Cost: reads every file of the task once.
 */
export async function loadTask(source: string | TaskFile | Task, options: LoadTaskOptions = {}): Promise<Task> {
  if (typeof source !== "string") {
    if (isTask(source)) return checkTask(source);
    return fromFile(parseTaskFile(source, "The task"), options.base ?? ".", "task", options);
  }
  const info = await stat(source).catch(async (error: unknown) => {
    // Opening tells why in our own words, with the nearest name; it throws.
    await openFile(source);
    throw error;
  });
  if (info.isDirectory()) return fromFolder(source, options);
  if (/\.json$/i.test(source)) return fromJson(source, options);
  const table = await readTable(source, options);
  if (["sentence1", "sentence2", "score"].every((column) => table.has(column)))
    return stsFromTable(table, baseName(source), "sentence1", "sentence2", "score");
  throw new ParallaxError(
    "task.not-recognised",
    `${path.basename(source)} is a table with the columns ${table.columns.map((c) => `"${c}"`).join(", ")}; by itself only one with sentence1, sentence2 and score is a task.`,
    {
      hint: `Name its columns: loadTask({ parallaxTask: 1, type: "sts", file: ${JSON.stringify(source)}, a: "…", b: "…", score: "…" }).`,
      details: { columns: [...table.columns] },
    },
  );
}

async function fromJson(file: string, options: LoadTaskOptions): Promise<Task> {
  const name = path.basename(file);
  const text = await readText(file, options);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ParallaxError("task.invalid", `${name} is not JSON: ${(error as Error).message}.`, {
      hint: "Check the file's end: it may be cut.",
      cause: error,
    });
  }
  return fromFile(parseTaskFile(value, name), path.dirname(file), baseName(file), options);
}

async function fromFolder(folder: string, options: LoadTaskOptions): Promise<Task> {
  const names = await readdir(folder);
  if (names.includes("task.json")) return fromJson(path.join(folder, "task.json"), options);
  const files = await beirFiles(folder, options.split ?? "test");
  if (files !== null) return readBeir(files, path.basename(path.resolve(folder)), options);
  throw new ParallaxError(
    "task.not-recognised",
    `${folder} is no task: it has neither a task.json nor corpus.jsonl and queries.jsonl. It holds ${names.slice(0, 20).join(", ") || "nothing"}.`,
    { hint: "Name a file in it, or add a task.json.", details: { folder } },
  );
}

async function fromFile(file: ParsedTaskFile, base: string, fallback: string, options: LoadTaskOptions): Promise<Task> {
  const name = file.name ?? fallback;
  const at = (relative: string): string => path.resolve(base, relative);
  const missing = (fields: string): ParallaxError =>
    new ParallaxError("task.invalid", `${name} names no data: a ${file.type} task needs ${fields}, or "data".`, {
      hint: "Add the file names, relative to the task file.",
      details: { problems: [fields] },
    });
  switch (file.type) {
    case "sts":
      if (file.data !== undefined) return checkTask({ type: "sts", name, ...file.data });
      if (file.file === undefined) throw missing('"file"');
      return stsFromTable(await readTable(at(file.file), options), name, file.a, file.b, file.score);
    case "retrieval": {
      if (file.data !== undefined) {
        const relevant = new Map(
          Object.entries(file.data.relevant).map(([id, judged]) => [id, new Map(Object.entries(judged))]),
        );
        return retrievalTask(name, file.data.queries, file.data.documents, relevant);
      }
      const { corpus, queries, qrels } = file;
      if (corpus !== undefined && queries !== undefined && qrels !== undefined)
        return readBeir({ corpus: at(corpus), queries: at(queries), qrels: at(qrels) }, name, options);
      if (file.folder === undefined) throw missing('"folder", or "corpus", "queries" and "qrels"');
      const found = await beirFiles(at(file.folder), file.split);
      if (found === null)
        throw new ParallaxError("task.missing-file", `${file.folder} has neither corpus.jsonl nor queries.jsonl.`, {
          hint: "Check the folder's name.",
        });
      return readBeir({ ...found, ...(qrels === undefined ? {} : { qrels: at(qrels) }) }, name, options);
    }
    case "classification": {
      if (file.data !== undefined)
        return checkTask({ type: "classification", name, ...file.data, samplesPerLabel: file.samplesPerLabel });
      if (file.train === undefined || file.test === undefined) throw missing('"train" and "test"');
      const part = async (relative: string): Promise<LabelledTexts> => {
        const table = await readTable(at(relative), options);
        return { texts: table.text(file.text), labels: table.text(file.label) };
      };
      const [train, test] = [await part(file.train), await part(file.test)];
      return checkTask({ type: "classification", name, train, test, samplesPerLabel: file.samplesPerLabel });
    }
  }
}

/**
 * A table of pairs as a task.
 * @throws {ParallaxError} table.missing-column, table.not-a-number, task.constant-gold
 */
export function stsFromTable(table: Table, name: string, a: string, b: string, score: string): StsTask {
  return checkTask({ type: "sts", name, a: table.text(a), b: table.text(b), gold: table.numbers(score) });
}

/**
 * The task as JSON that `loadTask` reads back to an equal task, data inside: what a run folder keeps.
 */
export function taskToFile(task: Task): TaskFile {
  switch (task.type) {
    case "sts":
      return {
        parallaxTask: 1,
        type: "sts",
        name: task.name,
        data: { a: [...task.a], b: [...task.b], gold: [...task.gold] },
      };
    case "retrieval":
      return {
        parallaxTask: 1,
        type: "retrieval",
        name: task.name,
        data: {
          queries: task.queries.map(({ id, text }) => ({ id, text })),
          documents: task.documents.map(({ id, text }) => ({ id, text })),
          relevant: Object.fromEntries([...task.relevant].map(([id, judged]) => [id, Object.fromEntries(judged)])),
        },
      };
    case "classification":
      return {
        parallaxTask: 1,
        type: "classification",
        name: task.name,
        samplesPerLabel: task.samplesPerLabel,
        data: {
          train: { texts: [...task.train.texts], labels: [...task.train.labels] },
          test: { texts: [...task.test.texts], labels: [...task.test.labels] },
        },
      };
  }
}

function isTask(value: TaskFile | Task): value is Task {
  return !("parallaxTask" in value) && "name" in value && ("a" in value || "queries" in value || "train" in value);
}

/** Throws when the task's data cannot be scored; returns it unchanged, retrieval tasks with their notes renewed. */
function checkTask<T extends Task>(task: T): T;
function checkTask(task: Task): Task {
  switch (task.type) {
    case "sts":
      return checkSts(task);
    case "retrieval":
      return retrievalTask(task.name, task.queries, task.documents, task.relevant);
    case "classification":
      return checkClassification(task);
  }
}

function checkSts(task: StsTask): StsTask {
  const { a, b, gold, name } = task;
  if (a.length !== b.length || a.length !== gold.length)
    throw new ParallaxError(
      "task.length-mismatch",
      `${name} has ${count(a.length)} first texts, ${count(b.length)} second texts and ${count(gold.length)} scores.`,
      {
        hint: "Give one of each for every pair.",
      },
    );
  if (a.length < 3)
    throw new ParallaxError("task.empty", `${name} has ${a.length} pairs; a rank correlation needs at least 3.`, {
      hint: "Add pairs.",
    });
  const bad = gold.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new ParallaxError(
      "task.not-a-number",
      `${name}: the score of row ${count(bad)} (rows count from 0) is ${String(gold[bad])}.`,
      { details: { row: bad } },
    );
  if (gold.every((value) => value === gold[0]))
    throw new ParallaxError(
      "task.constant-gold",
      `${name}: all ${count(gold.length)} gold scores are ${gold[0]}, so no ranking can be right or wrong.`,
      {
        hint: "Check that the score column is the one you meant.",
      },
    );
  return task;
}

function checkClassification(task: ClassificationTask): ClassificationTask {
  const { name, train, test } = task;
  for (const [part, { texts, labels }] of Object.entries({ train, test })) {
    if (texts.length !== labels.length)
      throw new ParallaxError(
        "task.length-mismatch",
        `${name}: the ${part} part has ${count(texts.length)} texts and ${count(labels.length)} labels.`,
        {
          hint: "Give every text one label.",
        },
      );
    if (texts.length === 0)
      throw new ParallaxError("task.empty", `${name}: the ${part} part has no texts.`, { hint: "Check the file." });
    const blank = labels.indexOf("");
    if (blank >= 0)
      throw new ParallaxError(
        "task.missing-field",
        `${name}: row ${count(blank)} (from 0) of the ${part} part has no label.`,
        {
          hint: "Add the label or leave the row out.",
          details: { row: blank, part },
        },
      );
  }
  const classes = new Set(train.labels);
  if (classes.size < 2)
    throw new ParallaxError(
      "task.one-class",
      `${name}: the train part has one label only ("${train.labels[0]}"), so there is nothing to tell apart.`,
      {
        hint: "Check the label column.",
      },
    );
  const unseen = [...new Set(test.labels)].filter((label) => !classes.has(label));
  const note = `${count(unseen.length)} test labels never occur in the train part, so their texts count as wrong: ${unseen.slice(0, 5).join(", ")}.`;
  return unseen.length === 0 ? task : { ...task, notes: [note] };
}

/** "stsbenchmark-test" of "/data/stsbenchmark-test.tsv.gz". */
function baseName(file: string): string {
  const name = path.basename(file).replace(/\.gz$/i, "");
  return name.slice(0, name.length - path.extname(name).length) || name;
}

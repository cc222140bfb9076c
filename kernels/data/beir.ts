/** Retrieval data in BEIR's layout: corpus.jsonl, queries.jsonl and a table of judgements. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { linesOf, textBlocks } from "./source.ts";
import { readTable } from "./table.ts";
import { count } from "./table-view.ts";
import type { IdText, RetrievalTask } from "./task-types.ts";

export interface BeirFiles {
  corpus: string;
  queries: string;
  qrels: string;
}

/**
 * Finds the three files of a BEIR folder; null when it holds neither corpus nor queries.
 * Judgements: qrels/<split>.tsv, qrels-<split>.tsv, qrels.tsv, or the only qrels*.tsv there is.
 * @throws {ParallaxError} task.missing-file when some of the three are there and others are not.
 */
export async function beirFiles(folder: string, split: string): Promise<BeirFiles | null> {
  const names = await readdir(folder);
  const nested = names.includes("qrels")
    ? (await readdir(path.join(folder, "qrels"))).map((name) => `qrels/${name}`)
    : [];
  const find = (candidates: string[]): string | undefined =>
    candidates.flatMap((name) => [name, `${name}.gz`]).find((name) => names.includes(name) || nested.includes(name));
  const corpus = find(["corpus.jsonl"]);
  const queries = find(["queries.jsonl"]);
  if (corpus === undefined && queries === undefined) return null;
  const all = [...nested, ...names].filter((name) =>
    /(^|\/)qrels[^/]*\.tsv(\.gz)?$|^qrels\/[^/]+\.tsv(\.gz)?$/.test(name),
  );
  const qrels =
    find([`qrels/${split}.tsv`, `qrels-${split}.tsv`, "qrels.tsv"]) ?? (all.length === 1 ? all[0] : undefined);
  const missing = [
    ...(corpus === undefined ? ["corpus.jsonl"] : []),
    ...(queries === undefined ? ["queries.jsonl"] : []),
    ...(qrels === undefined ? [`qrels/${split}.tsv`] : []),
  ];
  if (corpus === undefined || queries === undefined || qrels === undefined)
    throw new ParallaxError(
      "task.missing-file",
      `${folder} looks like a BEIR folder but lacks ${missing.join(" and ")}. It holds ${[...names, ...nested].slice(0, 20).join(", ")}.`,
      {
        hint:
          qrels === undefined && all.length > 1
            ? `Choose the judgements with "split" or "qrels": ${all.join(", ")}.`
            : "Add the file, or name the three files in a task file.",
        details: { folder, missing },
      },
    );
  const join = (name: string): string => path.join(folder, name);
  return { corpus: join(corpus), queries: join(queries), qrels: join(qrels) };
}

/**
 * Reads the three files. Queries without a judgement are left out (as trec_eval does); judged documents that the
 * corpus lacks stay in the ideal ranking and are named in the notes.
 *
 * @throws {ParallaxError} task.duplicate-id, task.missing-field, task.bad-judgement (with line), task.no-judged-query and
 *   the errors of readTable.
 */
export async function readBeir(files: BeirFiles, name: string, ctx: WorkContext): Promise<RetrievalTask> {
  const [documents, queries] = [await readTexts(files.corpus, ctx), await readTexts(files.queries, ctx)];
  const { relevant, notes } = await readQrels(files.qrels, ctx);
  return retrievalTask(name, queries, documents, relevant, notes);
}

/** Joins queries, documents and judgements into a checked task. See `readBeir`. */
export function retrievalTask(
  name: string,
  queries: readonly IdText[],
  documents: readonly IdText[],
  relevant: ReadonlyMap<string, ReadonlyMap<string, number>>,
  notes: readonly string[] = [],
): RetrievalTask {
  const documentIds = uniqueIds(documents, "documents", name);
  const queryIds = uniqueIds(queries, "queries", name);
  const judged = queries.filter((query) => relevant.has(query.id));
  if (documents.length === 0 || judged.length === 0)
    throw new ParallaxError(
      "task.no-judged-query",
      `${name} has ${count(queries.length)} queries, ${count(documents.length)} documents and judgements for ${count(relevant.size)} queries, but no judged query.`,
      { hint: "Check that the ids in queries and judgements are written alike." },
    );
  const found: string[] = [...notes];
  const strangers = [...relevant.keys()].filter((id) => !queryIds.has(id));
  if (strangers.length > 0)
    found.push(`Judgements of ${some(strangers, "query", "queries")} that the task does not hold are left out.`);
  const lost = new Set<string>();
  const unanswered: string[] = [];
  const kept = new Map<string, ReadonlyMap<string, number>>();
  for (const query of judged) {
    const judgements = relevant.get(query.id)!;
    kept.set(query.id, judgements);
    let answers = 0;
    for (const [id, relevance] of judgements) {
      if (relevance > 0) answers += 1;
      if (relevance > 0 && !documentIds.has(id)) lost.add(id);
    }
    if (answers === 0) unanswered.push(query.id);
  }
  if (lost.size > 0)
    found.push(
      `Relevant documents missing from the corpus count as never found: ${some([...lost], "document", "documents")}.`,
    );
  if (unanswered.length > 0)
    found.push(`Without a relevant document, scored 0: ${some(unanswered, "query", "queries")}.`);
  return { type: "retrieval", name, queries: judged, documents, relevant: kept, notes: found };
}

function some(ids: readonly string[], one: string, many: string): string {
  const shown = ids.slice(0, 5).join(", ");
  return `${count(ids.length)} ${ids.length === 1 ? one : many} (${shown}${ids.length > 5 ? ", …" : ""})`;
}

function uniqueIds(items: readonly IdText[], what: string, name: string): Set<string> {
  const ids = new Set<string>();
  for (const [row, { id }] of items.entries()) {
    if (ids.has(id))
      throw new ParallaxError(
        "task.duplicate-id",
        `${name}: two ${what} have the id "${id}" (the second in row ${count(row)}, from 0).`,
        {
          hint: "Give every one an id of its own.",
          details: { id, row },
        },
      );
    ids.add(id);
  }
  return ids;
}

async function readTexts(file: string, ctx: WorkContext): Promise<IdText[]> {
  const table = await readTable(file, ctx);
  const idColumn = table.has("_id") ? "_id" : table.has("id") ? "id" : "_id";
  const ids = table.text(idColumn);
  const texts = table.text("text");
  const titles = table.has("title") ? table.text("title") : undefined;
  return ids.map((id, row) => {
    if (id === "")
      throw new ParallaxError(
        "task.missing-field",
        `${table.name} has no id in row ${count(row)} (rows count from 0).`,
        {
          hint: `Every row needs "${idColumn}".`,
          details: { row },
        },
      );
    return { id, text: titles === undefined ? texts[row]! : `${titles[row]!} ${texts[row]!}`.trim() };
  });
}

/**
 * Judgements by position: query id, document id, relevance after one header line; or TREC's four columns without one.
 * A judgement given twice counts once, as given last, and is noted.
 */
async function readQrels(
  file: string,
  ctx: WorkContext,
): Promise<{ relevant: Map<string, Map<string, number>>; notes: string[] }> {
  const relevant = new Map<string, Map<string, number>>();
  const name = path.basename(file);
  let twice = 0;
  for await (const block of textBlocks(file, ctx)) {
    let line = block.firstLine - 1;
    for (const text of linesOf(block, true)) {
      line += 1;
      if (text.trim() === "") continue;
      let cells = text.split("\t");
      if (cells.length < 3) cells = text.trim().split(/\s+/);
      if (cells.length === 4) cells = [cells[0]!, cells[2]!, cells[3]!];
      const relevance = cells.length === 3 && cells[2]!.trim() !== "" ? Number(cells[2]) : Number.NaN;
      if (!Number.isFinite(relevance)) {
        if (line === 1) continue;
        throw new ParallaxError(
          "task.bad-judgement",
          `Line ${count(line)} of ${name} is no judgement: found ${JSON.stringify(text.slice(0, 120))}.`,
          {
            hint: "Write query id, document id and a number, separated by tabs.",
            details: { line },
          },
        );
      }
      const [query, document] = [cells[0]!, cells[1]!];
      const judgements = relevant.get(query) ?? new Map<string, number>();
      if (judgements.has(document)) twice += 1;
      judgements.set(document, relevance);
      relevant.set(query, judgements);
    }
  }
  return {
    relevant,
    notes: twice === 0 ? [] : [`${count(twice)} judgements are given twice in ${name}; the last one counts.`],
  };
}

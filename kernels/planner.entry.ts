/**
 * The process behind the New run form: `planner.entry.mjs <working folder>`, one question on its standard input, one
 * answer on its output. A page that asks again ends it and starts another, so that an old answer never comes late.
 *
 * Wire form: {preview: file} | {plan: RunRequest}  →  {result} | {error: ErrorData}
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { estimateRun } from "./api/estimate-run.ts";
import { createFineTune, type FineTuneOptions } from "./api/fine-tune.ts";
import { readTable, type Table } from "./data/table.ts";
import { toErrorData } from "./protocol/errors.ts";
import {
  type DataPreview,
  PREVIEW_CHARACTERS,
  PREVIEW_ROWS,
  type RunPlan,
  type RunRequest,
  runRequestSchema,
  type ShownRow,
} from "./protocol/run-plans.ts";
import { availableMemory } from "./train/estimate.ts";
import type { TrainingRow } from "./train/rows.ts";
import { readConfig, readRows } from "./train/run-folder.ts";
import { textKey } from "./train/text-key.ts";

/** The page has another question: what was begun is cleared away. */
const over = new AbortController();
process.once("SIGTERM", () => over.abort());

const questionSchema = z.union([z.object({ preview: z.string() }), z.object({ plan: runRequestSchema })]);

try {
  process.chdir(process.argv[2] ?? ".");
  const question = questionSchema.parse(JSON.parse(await text(process.stdin)));
  answer({ result: "preview" in question ? await preview(question.preview) : await plan(question.plan) });
} catch (error) {
  answer({ error: toErrorData(error) });
}

function answer(message: unknown): void {
  process.stdout.write(JSON.stringify(message));
}

async function preview(file: string): Promise<DataPreview> {
  const absolute = path.resolve(file);
  const table = await readTable(absolute);
  const rows = table.slice(0, PREVIEW_ROWS).rows();
  return {
    file: absolute,
    n: table.n,
    sizeBytes: statSync(absolute).size,
    columns: [...table.columns],
    rows: rows.map((row) => table.columns.map((name) => shown(row[name]))),
  };
}

/** As fineTune would begin: the folder is made where nobody looks, read, and removed. */
async function plan(request: RunRequest): Promise<Omit<RunPlan, "elapsedMs" | "elapsedFrom">> {
  const { encoder, pairs, columns, evaluation, dropDuplicates = false, measure = false, recipe } = request;
  const runs = mkdtempSync(path.join(tmpdir(), "parallax-plan-"));
  try {
    const table = await readTable(pairs);
    const options = {
      ...recipe,
      encoder,
      pairs: dropDuplicates ? withoutRepeats(table, columns ?? {}) : table,
      ...(columns === undefined ? {} : { columns }),
      ...(evaluation === undefined ? {} : { evaluation }),
      runs,
    } satisfies FineTuneOptions;
    const made = await createFineTune(options);
    const measured = measure ? await estimateRun({ ...options, signal: over.signal }) : null;
    const config = readConfig(made.folder);
    const rows = readRows(made.folder, config);
    return {
      n: rows.length,
      rows: rows.slice(0, PREVIEW_ROWS).map(shownRow),
      duplicates: repeats(rows),
      negatives: config.data.negatives,
      steps: config.steps,
      batchSize: config.batchSize,
      maxTokens: config.maxTokens,
      weightsSha256: config.encoder.weightsSha256,
      memoryBytes: measured?.memoryBytes ?? made.memoryBytes,
      measuredMs: measured?.elapsedMs ?? null,
      freeBytes: availableMemory(),
      notes: made.notes,
    };
  } finally {
    rmSync(runs, { recursive: true, force: true });
  }
}

/** The same as the cell of the form writes: rows whose two texts were there before are left out. */
function withoutRepeats(table: Table, { anchor = "anchor", positive = "positive" }: Record<string, string>): Table {
  const seen = new Set<string>();
  return table.filter((row) => {
    const key = `${row[anchor]}\t${row[positive]}`.toLowerCase().replace(/ +/g, " ");
    return !seen.has(key) && seen.size < seen.add(key).size;
  });
}

function repeats(rows: readonly TrainingRow[]): number {
  const keys = rows.map(({ anchor, positive }) => JSON.stringify([textKey(anchor), textKey(positive)]));
  return rows.length - new Set(keys).size;
}

function shownRow({ anchor, positive, negatives, scores, group, task }: TrainingRow): ShownRow {
  return {
    anchor: shown(anchor),
    positive: shown(positive),
    ...(negatives === undefined ? {} : { negatives: negatives.slice(0, PREVIEW_ROWS).map(shown) }),
    ...(scores === undefined ? {} : { scores: scores.slice(0, PREVIEW_ROWS + 1) }),
    ...(group === undefined ? {} : { group: shown(group) }),
    ...(task === undefined ? {} : { task }),
  };
}

function shown(value: unknown): string {
  const words = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return words.length > PREVIEW_CHARACTERS ? `${words.slice(0, PREVIEW_CHARACTERS - 1)}…` : words;
}

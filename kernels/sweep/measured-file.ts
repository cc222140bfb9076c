/** What a trial's encoder scored on each unit of the task, kept beside the trials so that nothing is encoded twice. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import type { Task } from "../data/task-types.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { type Measured, prepareTask } from "../evaluate/measure.ts";
import { type PromptSpec, promptTemplates } from "../evaluate/prompt-sides.ts";
import { VectorStore } from "../evaluate/vector-store.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { WorkContext } from "../protocol/progress.ts";

const common = {
  metric: z.string(),
  score: z.number(),
  n: z.number().int(),
  unit: z.enum(["pairs", "queries", "texts"]),
};
const fileSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("mean"), ...common, values: z.array(z.number()) }),
  z.object({ kind: z.literal("spearman"), ...common, x: z.array(z.number()), y: z.array(z.number()) }),
]);

/** Scores of an encoder on a task, unit by unit. @throws prompt.*, evaluate.*, work.cancelled */
export async function measureTask(
  embedder: Embedder,
  task: Task,
  prompts: PromptSpec | undefined,
  work: WorkContext,
): Promise<Measured> {
  const templates = promptTemplates(prompts ?? {}, task.type, "prompt");
  const prepared = prepareTask(task);
  const store = new VectorStore(embedder);
  store.plan(prepared.parts, [templates]);
  await store.ensure(prepared.parts, templates, work);
  return prepared.measure(store, templates, work);
}

/** The units of a file written before, or what `measure` finds, written down. A file that cannot be read is made anew. */
export async function measuredOnce(file: string, measure: () => Promise<Measured>): Promise<Measured> {
  const known = read(file);
  if (known !== null) return known;
  const measured = await measure();
  const { kind, metric, score, n, unit } = measured;
  const units = kind === "mean" ? { values: [...measured.values] } : { x: [...measured.x], y: [...measured.y] };
  writeFileAtomically(file, [`${JSON.stringify({ kind, metric, score, n, unit, ...units })}\n`]);
  return measured;
}

function read(file: string): Measured | null {
  if (!existsSync(file)) return null;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success) return null;
  const { data } = parsed;
  return data.kind === "mean"
    ? { ...data, more: {}, values: Float64Array.from(data.values), detail: new Int32Array(data.n) }
    : { ...data, more: {}, x: Float64Array.from(data.x), y: Float64Array.from(data.y) };
}

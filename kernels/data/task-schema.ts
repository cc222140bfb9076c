/** Task files: one JSON object that names the data files (relative to itself) or carries the data. */
import { z } from "zod";
import { ParallaxError } from "../protocol/errors.ts";
import { nearestName } from "./nearest.ts";

const common = {
  /** Version of this format. */
  parallaxTask: z.literal(1),
  /** Shown beside every score. Default: the file's name. */
  name: z.string().min(1).optional(),
};

const labelled = z.strictObject({ texts: z.array(z.string()), labels: z.array(z.string()) });
const idText = z.strictObject({ id: z.string(), text: z.string() });

const sts = z.strictObject({
  ...common,
  type: z.literal("sts"),
  /** Table of pairs. */
  file: z.string().min(1).optional(),
  a: z.string().default("sentence1"),
  b: z.string().default("sentence2"),
  score: z.string().default("score"),
  data: z.strictObject({ a: z.array(z.string()), b: z.array(z.string()), gold: z.array(z.number()) }).optional(),
});

const retrieval = z.strictObject({
  ...common,
  type: z.literal("retrieval"),
  /** Folder in BEIR's layout; or the three files one by one. */
  folder: z.string().min(1).optional(),
  corpus: z.string().min(1).optional(),
  queries: z.string().min(1).optional(),
  qrels: z.string().min(1).optional(),
  /** Which judgements of a folder. */
  split: z.string().min(1).default("test"),
  data: z
    .strictObject({
      queries: z.array(idText),
      documents: z.array(idText),
      relevant: z.record(z.string(), z.record(z.string(), z.number())),
    })
    .optional(),
});

const classification = z.strictObject({
  ...common,
  type: z.literal("classification"),
  train: z.string().min(1).optional(),
  test: z.string().min(1).optional(),
  text: z.string().default("text"),
  label: z.string().default("label"),
  samplesPerLabel: z.number().int().min(1).default(8),
  data: z.strictObject({ train: labelled, test: labelled }).optional(),
});

export const taskFileSchema = z.discriminatedUnion("type", [sts, retrieval, classification]);
/** A task as written in a file or in a cell. */
export type TaskFile = z.input<typeof taskFileSchema>;
export type ParsedTaskFile = z.output<typeof taskFileSchema>;

const FIELDS: Record<string, readonly string[]> = {
  sts: Object.keys(sts.shape),
  retrieval: Object.keys(retrieval.shape),
  classification: Object.keys(classification.shape),
};

/**
 * Checks a task file against its schema.
 *
 * @param value parsed JSON.
 * @param where what to call it in messages: the file's name.
 * @throws {ParallaxError} task.invalid with the path of every bad field (details.problems).
 */
export function parseTaskFile(value: unknown, where: string): ParsedTaskFile {
  const parsed = taskFileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const type = typeof value === "object" && value !== null ? (value as { type?: unknown }).type : undefined;
  const known = typeof type === "string" ? FIELDS[type] : undefined;
  const problems = parsed.error.issues.map((issue) => {
    const at = issue.path.length === 0 ? "the task" : issue.path.map(String).join(".");
    if (issue.code === "unrecognized_keys" && known !== undefined)
      return issue.keys
        .map((key) => {
          const near = nearestName(key, known);
          return `${issue.path.length === 0 ? "" : `${at}: `}unknown field "${key}"${near === undefined ? "" : ` (did you mean "${near}"?)`}`;
        })
        .join("; ");
    if (issue.path.at(-1) === "type")
      return `type: found ${JSON.stringify(type) ?? "nothing"}, known are ${Object.keys(FIELDS).join(", ")}`;
    return `${at}: ${issue.message}`;
  });
  throw new ParallaxError("task.invalid", `${where} does not describe a task: ${problems.join("; ")}.`, {
    hint: 'For example {"parallaxTask": 1, "type": "sts", "name": "My pairs", "file": "pairs.tsv"}.',
    details: { problems },
  });
}

/** A fine-tune written down as a JSON file: what `parallax train --config FILE` reads. */
import path from "node:path";
import { z } from "zod";
import { readTable, type Table } from "../data/table.ts";
import { resolveReference } from "../encode/reference.ts";
import { LOSS_NEEDS, type LossName } from "../protocol/losses.ts";
import { loraSchema } from "../protocol/run-files.ts";
import type { RecipeOptions } from "../train/recipe.ts";
import { currentContext } from "./context.ts";
import { type FineTuneOptions, type FineTuneResult, fineTune, type PairColumns, pairsByLabel } from "./fine-tune.ts";
import { readJsonConfig } from "./json-config.ts";

const positive = z.number().positive();
const count = z.int().positive();
const LOSS_NAMES = Object.keys(LOSS_NEEDS) as [LossName, ...LossName[]];

/** The recipe's options, as kernels/train/recipe.ts has them; what depends on the loss or the encoder is checked there. */
export const recipeFields = {
  batchSize: z.int().min(2).optional(),
  steps: count.optional(),
  epochs: positive.optional(),
  learningRate: positive.optional(),
  warmupRatio: z.number().min(0).max(1).optional(),
  schedule: z.enum(["linear", "cosine", "constant"]).optional(),
  weightDecay: z.number().min(0).optional(),
  clipNorm: positive.optional(),
  /** A name, or an object with `name` and the loss's own settings. */
  loss: z.union([z.enum(LOSS_NAMES), z.looseObject({ name: z.enum(LOSS_NAMES) })]).optional(),
  temperature: positive.optional(),
  symmetric: z.boolean().optional(),
  matryoshka: z
    .union([
      z.array(count).min(1),
      z.strictObject({ dimensions: z.array(count).min(1), weights: z.array(positive).optional() }),
    ])
    .optional(),
  negatives: z.int().min(0).optional(),
  accumulate: count.optional(),
  chunk: count.optional(),
  tasks: z.strictObject({ apart: z.boolean().optional(), exponent: z.number().min(0).optional() }).optional(),
  layerDecay: positive.max(1).optional(),
  freezeLayers: z.int().min(0).optional(),
  dropout: z.number().min(0).max(0.9).optional(),
  lora: z.union([z.boolean(), loraSchema.partial().strict()]).optional(),
  maxTokens: count.optional(),
  freezeWordEmbeddings: z.boolean().optional(),
  prompts: z
    .strictObject({ anchor: z.string().optional(), positive: z.string().optional(), negative: z.string().optional() })
    .optional(),
  seed: z.int().optional(),
  checkpointEvery: count.optional(),
  evaluateEvery: count.optional(),
  patience: count.optional(),
  keep: z.enum(["last", "best"]).optional(),
  threads: count.optional(),
};

/** Paths are relative to the file itself. Every field but `pairs` has fineTune's default. */
export const trainConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  /** "default", or a model folder. */
  encoder: z.string().min(1).default("default"),
  pairs: z.union([
    z.string().min(1),
    z.strictObject({
      /** A table: tsv, csv, jsonl, parquet (perhaps .gz). */
      file: z.string().min(1),
      anchor: z.string().min(1).optional(),
      positive: z.string().min(1).optional(),
      group: z.string().min(1).optional(),
      /** Columns of one hard negative each, or one column of lists. */
      negatives: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
      /** A number for the pair, and the lowest and highest that it takes; or a teacher's lists of numbers. */
      score: z.string().min(1).optional(),
      scale: z.tuple([z.number(), z.number()]).optional(),
      scores: z.string().min(1).optional(),
      task: z.string().min(1).optional(),
      /** Only rows whose number in this column is at least so much. */
      where: z.strictObject({ column: z.string().min(1), atLeast: z.number() }).optional(),
    }),
    z.strictObject({
      /** A table of labelled texts: a pair is two texts of one label, and a batch holds one pair a label. */
      file: z.string().min(1),
      text: z.string().min(1),
      label: z.string().min(1),
    }),
  ]),
  /** A task, or several: file, table or folder, as `parallax eval --task` takes. The first one says which step is best. */
  evaluation: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** Rows that cannot be trained on: refuse the run (default), or leave them out. */
  badRows: z.enum(["refuse", "drop"]).optional(),
  /** True leaves rows out that share a text with the evaluation. */
  dropLeaks: z.boolean().optional(),
  /** Folder in which a folder for the run is made. */
  output: z.string().min(1).default("runs"),
  ...recipeFields,
});
export type TrainConfig = z.input<typeof trainConfigSchema>;

/**
 * Run the fine-tune that a file describes, to its end.
 *
 * @param file JSON (comments and trailing commas are allowed).
 * @throws {ParallaxError} train.config-missing; train.bad-config names every bad field with its line (details.problems);
 *   and what fineTune throws.
 */
export async function runTrainConfig(file: string): Promise<FineTuneResult> {
  return fineTune(await trainConfigOptions(file));
}

/** What a configuration file asks `fineTune` for. @throws as runTrainConfig, before anything is started. */
export async function trainConfigOptions(file: string): Promise<FineTuneOptions> {
  const { workingFolder, signal } = currentContext();
  const absolute = path.resolve(workingFolder, file);
  const { encoder, pairs, evaluation, output, $schema: _, ...recipe } = readTrainConfig(absolute);
  const resolve = (name: string) => path.resolve(path.dirname(absolute), name);
  const source = typeof pairs === "string" ? { file: pairs } : pairs;
  const table = await readTable(resolve(source.file), { signal });
  return {
    // The recipe checks the settings of a loss by its name.
    ...(recipe as RecipeOptions),
    ...("label" in source
      ? { pairs: pairsByLabel(table.text(source.text), table.text(source.label), recipe.seed), source: table.name }
      : { pairs: atLeast(table, "where" in source ? source.where : undefined), columns: columnsOf(source) }),
    encoder: resolveReference(encoder, path.dirname(absolute)),
    ...(evaluation === undefined ? {} : { evaluation: [evaluation].flat().map(resolve) }),
    runs: resolve(output),
  };
}

function atLeast(table: Table, where: { column: string; atLeast: number } | undefined): Table {
  if (where === undefined) return table;
  const numbers = table.numbers(where.column);
  return table.filter((_row, i) => numbers[i]! >= where.atLeast);
}

function columnsOf(source: object): PairColumns {
  const { anchor, positive, group, negatives, score, scale, scores, task } = source as PairColumns;
  return { anchor, positive, group, negatives, score, scale, scores, task };
}

/** @throws {ParallaxError} train.config-missing, train.bad-config */
export function readTrainConfig(file: string): z.output<typeof trainConfigSchema> {
  return readJsonConfig(file, trainConfigSchema, { what: "training configuration", docs: "docs/fine-tuning.md" });
}

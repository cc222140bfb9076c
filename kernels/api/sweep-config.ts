/** A sweep written down as a JSON file: what `parallax sweep --config FILE` reads. */
import path from "node:path";
import { z } from "zod";
import { currentContext } from "./context.ts";
import { readJsonConfig } from "./json-config.ts";
import { type SweepOver, type SweepResult, sweep } from "./sweep.ts";
import { recipeFields, trainConfigOptions } from "./train-config.ts";

const range = z.strictObject({
  from: z.number(),
  to: z.number(),
  log: z.boolean().optional(),
  whole: z.boolean().optional(),
});
const axes = Object.fromEntries(
  Object.entries(recipeFields).map(([name, field]) => [name, z.union([z.array(field).min(1), range]).optional()]),
);

/** Paths are relative to the file itself. */
const sweepConfigSchema = z.strictObject({
  $schema: z.string().optional(),
  /** A training configuration: what all trials share. */
  base: z.string().min(1),
  over: z.strictObject(axes),
  search: z.enum(["grid", "random"]).optional(),
  trials: z.int().positive().optional(),
  seed: z.int().optional(),
  /** Default: a folder in the base's output, named after what is asked. */
  folder: z.string().min(1).optional(),
});
export type SweepConfig = z.input<typeof sweepConfigSchema>;

/**
 * Run the sweep that a file describes, or go on with it.
 * @throws {ParallaxError} train.config-missing; train.bad-config names every bad field with its line; what sweep throws
 */
export async function runSweepConfig(file: string): Promise<SweepResult> {
  const absolute = path.resolve(currentContext().workingFolder, file);
  const {
    base,
    over,
    folder,
    $schema: _,
    ...rest
  } = readJsonConfig(absolute, sweepConfigSchema, {
    what: "sweep configuration",
    docs: "docs/sweeps.md",
  });
  const resolve = (name: string) => path.resolve(path.dirname(absolute), name);
  return sweep({
    ...rest,
    // The recipe checks each trial's values again.
    over: over as SweepOver,
    base: await trainConfigOptions(resolve(base)),
    ...(folder === undefined ? {} : { folder: resolve(folder) }),
  });
}

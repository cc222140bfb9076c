/** A small fine-tune: a tiny BERT, pairs and a task of its own words, everything seeded and below one temporary folder. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadTask, type StsTask, type Task } from "../../kernels/data/task.ts";
import { readSpec } from "../../kernels/encode/read-spec.ts";
import type { RunConfig, RunMetric } from "../../kernels/protocol/run-files.ts";
import { newRun } from "../../kernels/train/new-run.ts";
import type { Pair } from "../../kernels/train/pairs.ts";
import { Random } from "../../kernels/train/prng.ts";
import type { RecipeOptions } from "../../kernels/train/recipe.ts";
import { tinyVocabulary, writeTinyBert } from "./tiny-bert.ts";

export interface TinyRuns {
  folder: string;
  encoder: string;
  make(
    name: string,
    recipe?: RecipeOptions,
    options?: { task?: boolean; tasks?: Task[] },
  ): Promise<{ folder: string; config: RunConfig }>;
}

const WORDS = tinyVocabulary().filter((piece) => /^[a-z]{3,}$/.test(piece));

/** n pairs of short texts that share some words. */
export function tinyPairs(n: number, seed = 1): Pair[] {
  const random = new Random(seed, "pairs");
  const word = () => WORDS[random.below(WORDS.length)]!;
  return Array.from({ length: n }, () => {
    const shared = [word(), word(), word()];
    return { anchor: [...shared, word(), word()].join(" "), positive: [word(), ...shared, word()].join(" ") };
  });
}

/** Pairs whose gold is the number of words they share. */
export async function tinyTask(n = 40, seed = 2): Promise<StsTask> {
  const random = new Random(seed, "task");
  const words = () => Array.from({ length: 6 }, () => WORDS[random.below(WORDS.length)]!);
  const rows = Array.from({ length: n }, (_, i) => {
    const a = words();
    const gold = i % 6;
    return { a: a.join(" "), b: [...a.slice(0, gold), ...words().slice(gold)].join(" "), gold };
  });
  const data = { a: rows.map((r) => r.a), b: rows.map((r) => r.b), gold: rows.map((r) => r.gold) };
  return (await loadTask({ parallaxTask: 1, type: "sts", name: "shared words", data })) as StsTask;
}

/** Also moves Parallax's own folders below the temporary one, for this process and those it starts. */
export function tinyRuns(): TinyRuns {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-train-"));
  process.env.PARALLAX_HOME = path.join(folder, "home");
  const encoder = writeTinyBert(path.join(folder, "tiny"));
  return {
    folder,
    encoder,
    async make(name, recipe = {}, { task = true, tasks } = {}) {
      const { folder: run, config } = await newRun({
        spec: await readSpec(encoder),
        rows: tinyPairs(100),
        source: "100 tiny pairs",
        evaluation: tasks ?? (task ? [await tinyTask()] : []),
        recipe: { batchSize: 8, steps: 60, learningRate: 1e-3, evaluateEvery: 20, checkpointEvery: 7, ...recipe },
        where: { folder: path.join(folder, name) },
      });
      return { folder: run, config };
    },
  };
}

/** Metrics without what the clock decides. */
export function timeless(metrics: readonly RunMetric[]): object[] {
  return metrics.map((metric) => ({ ...metric, elapsedMs: 0 }));
}

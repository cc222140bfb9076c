/** `sweep`: fine-tunes over a grid, or a random choice, of settings, compared on one task. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { loadTask } from "../data/task.ts";
import { DEFAULT_RESAMPLES } from "../evaluate/bootstrap.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { Displayable } from "../protocol/display.ts";
import { isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { compareTrials } from "../sweep/compare.ts";
import { measuredOnce, measureTask } from "../sweep/measured-file.ts";
import { type SweepRange, sweepTrials, type Trial, trialWords } from "../sweep/plan.ts";
import { taskPrompts } from "../train/evaluation.ts";
import { exportFolder } from "../train/export.ts";
import { readMetrics } from "../train/metrics-file.ts";
import type { RecipeOptions } from "../train/recipe.ts";
import { readConfig, readRun } from "../train/run-folder.ts";
import { isEval } from "../train/run-view.ts";
import { startTrainer } from "../train/start.ts";
import { currentContext, withJob } from "./context.ts";
import { type Encoder, loadEncoder } from "./encoder.ts";
import { createFineTune, type FineTuneOptions } from "./fine-tune.ts";
import { followRun } from "./run.ts";
import { withDisplay } from "./score-words.ts";
import { type SweepFacts, type SweepRow, sweepBundle } from "./sweep-view.ts";

export type { SweepRow } from "./sweep-view.ts";

/** What is tried: for each option of the recipe a list of values, or a range for a random search. */
export type SweepOver = { readonly [K in keyof RecipeOptions]?: readonly NonNullable<RecipeOptions[K]>[] | SweepRange };

export interface SweepOptions extends WorkContext {
  /** The fine-tune that all trials share. Its `evaluation` is needed: the first task decides. */
  base: FineTuneOptions;
  over: SweepOver;
  /** Every combination (default), or `trials` draws from lists and ranges. */
  search?: "grid" | "random" | undefined;
  /** Random: how many, default 8. Grid: more combinations than this are refused. */
  trials?: number | undefined;
  /** Of the random draws, default 0. The trials' own seed is `base.seed`. */
  seed?: number | undefined;
  /** Folder of the sweep, relative to the notebook. Default: in base.runs (or "runs"), named after what is asked. */
  folder?: string | undefined;
}

export interface SweepResult extends SweepFacts, Displayable {
  /** The trial whose score is highest; only called best when `clear`. */
  readonly leader: SweepRow | null;
  /** The leader when it is clearly ahead of the next, else null. */
  readonly best: SweepRow | null;
  /** The leader's encoder. @throws sweep.no-trial when none was finished */
  encoder(): Promise<Encoder>;
}

/**
 * Run the trials one after the other, each as a run folder of its own inside the sweep's folder, and compare what they
 * exported on the first evaluation task: scores with 95 % intervals, and paired intervals of each difference to the
 * leader. The leader is called best only when its difference to the next lies clear of 0.
 *
 * The same call goes on where it was stopped: finished trials are not made again, a started one is resumed, and more
 * values add trials. Every trial is checked before the first one starts. One that fails (diverges) stays in the table.
 *
 * @throws {ParallaxError} sweep.bad-option, sweep.no-evaluation; sweep.other-settings when the folder holds a trial that
 *   was made with other data or settings; what createFineTune refuses; train.stopped (kind cancelled)
 * Cost: a fine-tune a trial, and one more evaluation of it.
 *
 * @example
 * await sweep({ base: { pairs, evaluation: task }, over: { learningRate: [1e-5, 2e-5, 5e-5], temperature: [0.02, 0.05] } });
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { base, over, search = "grid", trials, seed = 0 } = options;
  if (search !== "grid" && search !== "random")
    throw new ParallaxError("sweep.bad-option", `search is ${JSON.stringify(search)}. Nothing was started.`, {
      hint: 'It may be "grid" or "random".',
    });
  if (base.evaluation === undefined || (Array.isArray(base.evaluation) && base.evaluation.length === 0))
    throw new ParallaxError(
      "sweep.no-evaluation",
      "A sweep compares scores, and base has no evaluation. Nothing was started.",
      {
        hint: "Give base.evaluation a task.",
      },
    );
  const plan = { search, over: over as Record<string, readonly unknown[] | SweepRange>, trials, seed };
  const planned = sweepTrials(plan);
  const folder = sweepFolder(options, plan);
  await makeTrials(folder, base, planned);
  writeFileAtomically(path.join(folder, "sweep.json"), [
    `${JSON.stringify({ version: 1, ...plan, names: planned.map(({ name }) => name) }, null, 2)}\n`,
  ]);
  return withJob(options, async (work) => {
    const rows: SweepRow[] = [];
    for (const [i, trial] of planned.entries())
      rows.push(await runTrial(path.join(folder, trial.name), trial, work, `trial ${i + 1} of ${planned.length}`));
    return compared(folder, plan, rows, work);
  });
}

function sweepFolder({ base, folder }: SweepOptions, plan: object): string {
  const { workingFolder } = currentContext();
  if (folder !== undefined) return path.resolve(workingFolder, folder);
  const digest = createHash("sha256").update(JSON.stringify(plan)).digest("hex").slice(0, 8);
  return path.resolve(workingFolder, base.runs ?? "runs", `sweep-${digest}`);
}

/** All run folders, checked and complete, before the first one is trained. */
async function makeTrials(folder: string, base: FineTuneOptions, trials: readonly Trial[]): Promise<void> {
  const aside = path.join(folder, `.new-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const { runs: _, folder: __, ...shared } = base;
  try {
    for (const { name, settings } of trials) {
      const made = path.join(aside, name);
      // fineTune checks every option itself, whatever its type says.
      await createFineTune({ ...shared, ...(settings as RecipeOptions), folder: made });
      const place = path.join(folder, name);
      if (existsSync(place)) sameOrRefuse(readConfig(place), readConfig(made), place);
    }
    for (const { name } of trials)
      if (!existsSync(path.join(folder, name))) renameSync(path.join(aside, name), path.join(folder, name));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Where a run was made and when does not matter, what it does has to be the same. */
function sameOrRefuse(found: RunConfig, asked: RunConfig, folder: string): void {
  const plain = ({ name: _, id: __, createdAt: ___, parallaxVersion: ____, threads: _____, ...rest }: RunConfig) =>
    rest as Record<string, unknown>;
  const [a, b] = [plain(found), plain(asked)];
  const differing = Object.keys(b).filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  if (differing.length === 0) return;
  throw new ParallaxError(
    "sweep.other-settings",
    `${folder} was made with another ${differing.join(", ")} than this sweep asks for. Nothing was started.`,
    { hint: "Give the sweep another folder.", details: { folder, differing } },
  );
}

async function runTrial(folder: string, trial: Trial, work: WorkContext, which: string): Promise<SweepRow> {
  const row = { name: trial.name, folder, settings: trial.settings, words: trialWords(trial.settings) };
  const failed = (error: unknown): SweepRow => ({ ...row, state: "failed", error: toErrorData(error) });
  const run = readRun(folder);
  try {
    // The same settings diverge again; a full disk may have been cleared.
    if (run.status.state === "failed" && !run.alive && run.status.error?.kind === "user")
      return { ...row, state: "failed", error: run.status.error };
    if (run.status.state !== "done") {
      if (!run.alive) await startTrainer(folder);
      currentContext().runStarted(folder);
      await followRun(folder, { show: false, stage: `${which}: ${row.words}` });
    }
  } catch (error) {
    if (isCancelled(error)) throw error;
    return failed(error);
  }
  const { config, status } = readRun(folder);
  const task = await loadTask(path.join(folder, config.evaluation!.files[0]!));
  const file = path.join(path.dirname(folder), "scores", `${trial.name}.json`);
  const measured = await measuredOnce(file, async () => {
    const encoder = await loadEncoder(exportFolder(folder), { name: trial.name });
    try {
      return await measureTask(encoder, task, taskPrompts(task, config.prompts).prompts, work);
    } finally {
      await encoder.dispose();
    }
  });
  return { ...row, state: "done", measured, task: task.name, elapsedMs: status.actual?.elapsedMs ?? null };
}

async function compared(
  folder: string,
  { search, seed }: { search: "grid" | "random"; seed: number },
  rows: readonly SweepRow[],
  work: WorkContext,
): Promise<SweepResult> {
  const done = rows.filter((row) => row.measured !== undefined);
  const first = done[0] === undefined ? null : readConfig(done[0].folder);
  const base = done[0] === undefined ? undefined : readMetrics(done[0].folder).filter(isEval)[0];
  const comparison =
    first === null
      ? null
      : await compareTrials(
          done.map(({ measured }) => measured!),
          { ...work, seed: first.seed, resamples: DEFAULT_RESAMPLES },
        );
  const placed = comparison === null ? [] : comparison.order.map((i) => ({ ...done[i]!, ...comparison.trials[i]! }));
  const leader = placed[0] ?? null;
  const facts: SweepFacts = {
    folder,
    search,
    searchSeed: seed,
    task: leader?.task ?? null,
    metric: leader?.measured?.metric ?? null,
    n: leader?.measured?.n ?? 0,
    unit: leader?.measured?.unit ?? "pairs",
    seed: first?.seed ?? 0,
    base: base === undefined ? null : { score: base.score, low: base.low, high: base.high },
    trials: [...placed, ...rows.filter((row) => row.measured === undefined)],
    clear: comparison?.clear === true && placed.length > 1,
  };
  const result = {
    ...facts,
    leader,
    best: facts.clear ? leader : null,
    async encoder(): Promise<Encoder> {
      if (leader !== null) return loadEncoder(exportFolder(leader.folder), { name: leader.words });
      throw new ParallaxError("sweep.no-trial", `No trial of ${folder} was finished.`, {
        hint: "Look at the trials' errors.",
      });
    },
  };
  writeFileAtomically(path.join(folder, "results.json"), [
    `${JSON.stringify({ version: 1, ...facts, trials: facts.trials.map(({ measured: _, ...row }) => row) }, null, 2)}\n`,
  ]);
  return withDisplay(result, () => sweepBundle(facts));
}

/** What a sweep that is done, or under way, found so far: its results.json. @throws {ParallaxError} sweep.missing */
export async function openSweep(folder: string): Promise<SweepFacts & Displayable> {
  const where = path.resolve(currentContext().workingFolder, folder);
  const file = path.join(where, "results.json");
  if (!existsSync(file))
    throw new ParallaxError("sweep.missing", `${where} holds no results of a sweep.`, {
      hint: existsSync(path.join(where, "sweep.json")) ? "Call sweep again: it goes on." : "Check the folder.",
      details: { folder: where },
    });
  const { version: _, ...facts } = JSON.parse(readFileSync(file, "utf8")) as SweepFacts & { version: 1 };
  return withDisplay(facts, () => sweepBundle(facts));
}

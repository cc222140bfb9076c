/** What stands in a run folder beside its curves: what a person wrote of it, the first rows, checkpoints; and forks. */
import { createHash } from "node:crypto";
import {
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { z } from "zod";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import {
  RUN_FILES,
  type RunLabel,
  type RunStatus,
  runLabelSchema,
  runTitle,
} from "../../kernels/protocol/run-files.ts";
import { PREVIEW_CHARACTERS, PREVIEW_ROWS, type RunDetails, shownRowSchema } from "../../kernels/protocol/run-plans.ts";
import { parseJson, textOf } from "./json-file.ts";
import { readRun } from "./run-files.ts";
import { writeAtomically } from "./write-atomically.ts";

const NO_LABEL: RunLabel = { name: "", notes: "", pinned: false };
/** Past this the rows are not counted: the report of a large file is in its log. */
const MOST_DATA_BYTES = 64e6;

/** @throws {ParallaxError} run.missing, run.damaged; disk errors */
export async function writeLabel(folder: string, change: Partial<RunLabel>): Promise<void> {
  const { label = NO_LABEL } = readRun(folder);
  const known = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const next = runLabelSchema.parse({ ...label, ...known });
  await writeAtomically(
    path.join(folder, RUN_FILES.label),
    `${JSON.stringify({ ...next, name: next.name.trim() }, null, 2)}\n`,
  );
}

const rowSchema = shownRowSchema.loose();
const factsSchema = z.object({ score: z.number().nullable().optional() });

/** @throws {ParallaxError} run.missing, run.damaged */
export function runDetails(folder: string): RunDetails {
  const { config } = readRun(folder);
  return {
    ...dataOf(path.join(folder, config.data.file)),
    checkpoints: checkpointsOf(folder),
    evaluation: (config.evaluation?.files ?? []).flatMap((file) => {
      const at = path.join(folder, file);
      return existsSync(at) && statSync(at).isFile()
        ? [{ file, sha256: createHash("sha256").update(readFileSync(at)).digest("hex") }]
        : [];
    }),
    exported: existsSync(path.join(folder, RUN_FILES.export, "modules.json")),
  };
}

function dataOf(file: string): Pick<RunDetails, "rows" | "report"> {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || size > MOST_DATA_BYTES) return { rows: [], report: null };
  const cut = (text: string) => (text.length > PREVIEW_CHARACTERS ? `${text.slice(0, PREVIEW_CHARACTERS - 1)}…` : text);
  const rows: RunDetails["rows"] = [];
  const seen = new Set<string>();
  const groups = new Set<string>();
  const tasks = new Map<string, number>();
  let n = 0;
  let equalSides = 0;
  for (const line of (textOf(file) ?? "").split("\n")) {
    const parsed = rowSchema.safeParse(line === "" ? null : parseJson(line));
    if (!parsed.success) continue;
    const { anchor, positive, negatives, scores, group, task } = parsed.data;
    n++;
    // Compared as kernels/train/pairs.ts does.
    const key = (text: string) => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
    const [a, b] = [key(anchor), key(positive)];
    seen.add(JSON.stringify([a, b]));
    if (a === b) equalSides++;
    if (group !== undefined) groups.add(group);
    if (task !== undefined) tasks.set(task, (tasks.get(task) ?? 0) + 1);
    if (rows.length < PREVIEW_ROWS)
      rows.push({
        anchor: cut(anchor),
        positive: cut(positive),
        ...(negatives === undefined ? {} : { negatives: negatives.slice(0, PREVIEW_ROWS).map(cut) }),
        ...(scores === undefined ? {} : { scores: scores.slice(0, PREVIEW_ROWS + 1) }),
        ...(group === undefined ? {} : { group: cut(group) }),
        ...(task === undefined ? {} : { task }),
      });
  }
  return {
    rows,
    report: {
      n,
      duplicates: n - seen.size,
      equalSides,
      groups: groups.size,
      tasks: [...tasks].map(([name, count]) => ({ name, n: count })),
    },
  };
}

function checkpointsOf(folder: string): RunDetails["checkpoints"] {
  const parent = path.join(folder, RUN_FILES.checkpoints);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .flatMap((name) => {
      const step = Number(/^step-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(step)) return [];
      const files = readdirSync(path.join(parent, name)).map((file) => statSync(path.join(parent, name, file)));
      const facts = factsSchema.safeParse(parseJson(textOf(path.join(parent, name, "checkpoint.json")) ?? ""));
      return [
        {
          step,
          bytes: files.reduce((sum, file) => sum + file.size, 0),
          writtenAt: new Date(Math.max(0, ...files.map((file) => file.mtimeMs))).toISOString(),
          score: facts.success ? (facts.data.score ?? null) : null,
        },
      ];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * A new run folder beside `folder` that stands at one of its checkpoints: its data, its settings (but the learning rate,
 * when one is given), its numbers up to that step. The old run stays as it is.
 *
 * @returns the new folder, ready to be resumed. @throws {ParallaxError} run.no-checkpoint, run.missing, run.damaged
 */
export async function forkRun(folder: string, step: number, learningRate?: number): Promise<string> {
  const run = readRun(folder);
  const from = path.join(folder, RUN_FILES.checkpoints, `step-${step}`);
  if (!existsSync(from))
    throw new ParallaxError("run.no-checkpoint", `The run "${runTitle(run)}" has no checkpoint of step ${step}.`, {
      hint: "Choose one from the list of checkpoints.",
      details: { folder, there: checkpointsOf(folder).map((each) => each.step) },
    });
  const now = new Date().toISOString();
  const [id, target] = freeFolder(folder, `${run.config.id}-from-${step}`);
  const side = path.join(path.dirname(folder), `.${id}.${process.pid}.new`);
  try {
    rmSync(side, { recursive: true, force: true });
    mkdirSync(side, { recursive: true });
    const copy = (name: string) =>
      cpSync(path.join(folder, name), path.join(side, name), { recursive: true, mode: constants.COPYFILE_FICLONE });
    copy(RUN_FILES.data);
    copy(path.join(RUN_FILES.checkpoints, `step-${step}`));
    const metrics = (textOf(path.join(folder, RUN_FILES.metrics)) ?? "")
      .split("\n")
      .filter((line) => ((parseJson(line) as { step?: number } | undefined)?.step ?? Number.NaN) <= step);
    await writeAtomically(path.join(side, RUN_FILES.metrics), metrics.map((line) => `${line}\n`).join(""));
    const rate = learningRate ?? run.config.learningRate;
    await writeAtomically(
      path.join(side, RUN_FILES.log),
      `${now} made from checkpoint ${step} of ${run.config.name}, learning rate ${run.config.learningRate}${rate === run.config.learningRate ? "" : ` → ${rate}`}\n`,
    );
    const status: RunStatus = {
      version: 1,
      state: "stopped",
      pid: null,
      step,
      steps: run.config.steps,
      startedAt: null,
      updatedAt: now,
      rate: null,
      etaMs: null,
      lastCheckpoint: step,
      memoryBytes: null,
      error: null,
    };
    await writeAtomically(path.join(side, RUN_FILES.status), `${JSON.stringify(status, null, 2)}\n`);
    const config = { ...run.config, id, name: `${run.config.name}-from-${step}`, createdAt: now, learningRate: rate };
    await writeAtomically(path.join(side, RUN_FILES.config), `${JSON.stringify(config, null, 2)}\n`);
    renameSync(side, target);
    return target;
  } catch (error) {
    rmSync(side, { recursive: true, force: true });
    throw error;
  }
}

function freeFolder(folder: string, id: string): [id: string, target: string] {
  for (let n = 1; ; n++) {
    const name = n === 1 ? id : `${id}-${n}`;
    const target = path.join(path.dirname(folder), name);
    if (!existsSync(target)) return [name, target];
  }
}

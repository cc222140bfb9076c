/** Making and reading run folders. protocol/run-files.ts has the schema of the files; the trainer writes what changes. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { packageRoot } from "../graph/package-root.ts";
import { ParallaxError } from "../protocol/errors.ts";
import {
  RUN_CONFIG_VERSION,
  RUN_FILES,
  type RunConfig,
  type RunStatus,
  type RunSummary,
  runConfigSchema,
  runStatusSchema,
  shownStatus,
  upgradeRunConfig,
} from "../protocol/run-files.ts";
import { runName } from "./names.ts";
import type { TrainingRow } from "./rows.ts";
import { runOwner } from "./run-lock.ts";

/** Everything that a user decides about a run; what the folder adds is its name, its identity and the data's digest. */
export type RunPlan = Omit<
  RunConfig,
  "version" | "id" | "name" | "kind" | "createdAt" | "parallaxVersion" | "data" | "evaluation"
> & {
  rows: readonly TrainingRow[];
  /** Hard negatives that a step reads of each row. */
  negatives: number;
  /** Where the rows came from, for people. */
  source: string;
  /** The evaluation tasks as texts (taskToFile), and how often they are scored. */
  evaluation: { tasks: readonly string[]; every: number; patience: number | null } | null;
};

/**
 * Write a new run folder; nobody sees it before it is whole.
 *
 * @param where `runs`: the folder in which a folder of a new name is made; or `folder`: the exact place, which must be
 *   free (or empty).
 * @returns the absolute folder and what was written into config.json.
 * @throws {ParallaxError} run.exists, file.write-failed
 */
export function createRun(
  where: { runs: string } | { folder: string },
  plan: RunPlan,
  now = new Date(),
): { folder: string; config: RunConfig } {
  const { rows, negatives, source, evaluation, ...settings } = plan;
  const name = runName(now.getTime() * 1009 + process.pid);
  const day = now.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  const runs = path.resolve("runs" in where ? where.runs : path.dirname(path.resolve(where.folder)));
  mkdirSync(runs, { recursive: true });
  const id = "folder" in where ? path.basename(path.resolve(where.folder)) : `${day}-${name}`;
  const side = path.join(runs, `.${id}.${process.pid}.new`);
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const taskFile = (i: number) => `${RUN_FILES.data}/task${i === 0 ? "" : `-${i + 1}`}.json`;
  const config: RunConfig = runConfigSchema.parse({
    ...settings,
    version: RUN_CONFIG_VERSION,
    id,
    name,
    kind: "fine-tune",
    createdAt: now.toISOString(),
    parallaxVersion: parallaxVersion(),
    data: {
      file: `${RUN_FILES.data}/pairs.jsonl`,
      n: rows.length,
      sha256: createHash("sha256").update(lines).digest("hex"),
      source,
      negatives,
    },
    evaluation:
      evaluation === null
        ? null
        : {
            files: evaluation.tasks.map((_, i) => taskFile(i)),
            every: evaluation.every,
            patience: evaluation.patience,
          },
  } satisfies RunConfig);
  rmSync(side, { recursive: true, force: true });
  try {
    writeFileAtomically(path.join(side, config.data.file), [lines]);
    for (const [i, task] of (evaluation?.tasks ?? []).entries())
      writeFileAtomically(path.join(side, taskFile(i)), [task]);
    mkdirSync(path.join(side, RUN_FILES.checkpoints));
    appendFileSync(path.join(side, RUN_FILES.log), `${now.toISOString()} created ${name}\n`);
    writeStatus(side, newStatus(config));
    writeFileAtomically(path.join(side, RUN_FILES.config), [`${JSON.stringify(config, null, 2)}\n`]);
    return { folder: settle(side, runs, id, "folder" in where), config };
  } catch (error) {
    rmSync(side, { recursive: true, force: true });
    throw error;
  }
}

/** Give the finished folder its name; when that is taken, a number is added (or, for an exact place, it is refused). */
function settle(side: string, runs: string, id: string, exact: boolean): string {
  for (let n = 1; ; n++) {
    const folder = path.join(runs, n === 1 ? id : `${id}-${n}`);
    if (!existsSync(folder) || (exact && readdirSync(folder).length === 0)) {
      renameSync(side, folder);
      return folder;
    }
    if (exact)
      throw new ParallaxError(
        "run.exists",
        `${folder} is not empty; a run needs a folder of its own. Nothing was changed.`,
        {
          hint: existsSync(path.join(folder, RUN_FILES.config))
            ? "Resume the run that is there, or name another folder."
            : "Name another folder.",
          details: { folder },
        },
      );
  }
}

export function newStatus(config: RunConfig): RunStatus {
  return {
    version: 1,
    state: "starting",
    pid: null,
    step: 0,
    steps: config.steps,
    startedAt: null,
    updatedAt: new Date().toISOString(),
    rate: null,
    etaMs: null,
    lastCheckpoint: null,
    memoryBytes: null,
    error: null,
  };
}

/** Replace status.json: readers see the old one or the new one. */
export function writeStatus(folder: string, status: RunStatus): void {
  writeFileAtomically(path.join(folder, RUN_FILES.status), [`${JSON.stringify(status, null, 2)}\n`]);
}

/** @throws {ParallaxError} run.missing, run.damaged (details.file, details.problem) */
export function readConfig(folder: string): RunConfig {
  return readChecked(folder, RUN_FILES.config, runConfigSchema, RUN_CONFIG_VERSION, upgradeRunConfig);
}

/** What status.json says, as it stands. For people use readRun, which knows about killed processes. */
export function readStatus(folder: string): RunStatus {
  return readChecked(folder, RUN_FILES.status, runStatusSchema, 1);
}

/**
 * A run as it is now: its config, its status (shown as stopped when its process was killed), whether somebody trains it.
 * @throws {ParallaxError} run.missing, run.damaged
 */
export function readRun(folder: string): RunSummary {
  const absolute = path.resolve(folder);
  const config = readConfig(absolute);
  // The owner first: a trainer that ends in between has written its last status before.
  const alive = runOwner(absolute) !== null;
  const status = readStatus(absolute);
  return { folder: absolute, config, status: shownStatus(status, alive), alive };
}

export interface RunList {
  /** Newest first. */
  runs: RunSummary[];
  /** Folders that look like runs and cannot be read, with the reason. */
  problems: { folder: string; error: ParallaxError }[];
}

/** All runs directly below a folder. A folder that is not there holds none. */
export function listRuns(runs: string): RunList {
  const absolute = path.resolve(runs);
  const result: RunList = { runs: [], problems: [] };
  if (!existsSync(absolute)) return result;
  for (const entry of readdirSync(absolute, { withFileTypes: true })) {
    const folder = path.join(absolute, entry.name);
    if (!entry.isDirectory() || entry.name.startsWith(".") || !existsSync(path.join(folder, RUN_FILES.config)))
      continue;
    try {
      result.runs.push(readRun(folder));
    } catch (error) {
      if (!(error instanceof ParallaxError)) throw error;
      result.problems.push({ folder, error });
    }
  }
  result.runs.sort((a, b) => (a.config.createdAt < b.config.createdAt ? 1 : -1));
  return result;
}

/** How deep `findRuns` looks. */
const SEARCH_DEPTH = 5;

/**
 * All readable runs in a folder and up to five folders below it, newest first. A run folder itself counts. Hidden
 * folders and node_modules are left out.
 */
export function findRuns(folder: string, depth = SEARCH_DEPTH): RunSummary[] {
  const absolute = path.resolve(folder);
  if (!existsSync(absolute)) return [];
  const found: RunSummary[] = [];
  const look = (where: string, left: number) => {
    if (existsSync(path.join(where, RUN_FILES.config)) && existsSync(path.join(where, RUN_FILES.status))) {
      try {
        found.push(readRun(where));
      } catch (error) {
        // Files of these names that are no run's, or a damaged run: `readRun` says which when it is asked for it.
        if (!(error instanceof ParallaxError)) throw error;
      }
      return;
    }
    if (left === 0) return;
    for (const entry of readdirSync(where, { withFileTypes: true }))
      if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
        look(path.join(where, entry.name), left - 1);
  };
  look(absolute, depth);
  return found.sort((a, b) => (a.config.createdAt < b.config.createdAt ? 1 : -1));
}

/** The rows of a run. @throws {ParallaxError} run.changed-data when the file is not the one the run was made with. */
export function readRows(folder: string, config: RunConfig): TrainingRow[] {
  const text = readText(path.join(folder, config.data.file), folder);
  const sha256 = createHash("sha256").update(text).digest("hex");
  if (sha256 !== config.data.sha256)
    throw new ParallaxError(
      "run.changed-data",
      `${config.data.file} of the run "${config.name}" has changed since the run was made. Nothing was trained.`,
      { hint: "Start a new run with these rows.", details: { expected: config.data.sha256, found: sha256 } },
    );
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as TrainingRow);
}

/** One line in log.txt, with the time. */
export function logLine(folder: string, line: string): void {
  appendFileSync(path.join(folder, RUN_FILES.log), `${new Date().toISOString()} ${line.replaceAll("\n", "\n  ")}\n`);
}

function readChecked<T>(
  folder: string,
  name: string,
  schema: z.ZodType<T>,
  newest: number,
  upgrade: (value: unknown) => unknown = (value) => value,
): T {
  const file = path.join(folder, name);
  const text = readText(file, folder);
  let value: unknown;
  try {
    value = upgrade(JSON.parse(text));
  } catch (cause) {
    throw damaged(file, (cause as Error).message, cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const version = (value as { version?: unknown } | null)?.version;
  if (version !== undefined && version !== newest)
    throw new ParallaxError(
      "run.other-version",
      `${file} is of version ${String(version)}; this Parallax reads ${newest === 1 ? "version 1" : `versions 1 to ${newest}`}.`,
      {
        hint: "Open the run with the Parallax that made it.",
        details: { file, version },
      },
    );
  throw damaged(file, z.prettifyError(parsed.error), parsed.error);
}

function readText(file: string, folder: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError(
      "run.missing",
      `${folder} is no run folder: ${path.basename(file)} could not be read (${code}).`,
      {
        kind: code === "ENOENT" || code === "ENOTDIR" ? "user" : "environment",
        hint: "Name a folder that fineTune or `parallax train` made.",
        details: { folder, file },
        cause,
      },
    );
  }
}

function damaged(file: string, problem: string, cause: unknown): ParallaxError {
  return new ParallaxError("run.damaged", `${file} is damaged: ${problem}`, {
    hint: "Restore the file from a copy, or start the run again.",
    details: { file, problem },
    cause,
  });
}

let version: string | undefined;
function parallaxVersion(): string {
  version ??= (JSON.parse(readFileSync(path.join(packageRoot(), "package.json"), "utf8")) as { version: string })
    .version;
  return version;
}

/** Fine-tune runs that this host knows: found below the root, or started from a notebook. Watching is reading files. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { HostEventPayload, HostResult } from "../../kernels/protocol/host-methods.ts";
import { RUN_FILES, type RunLabel, type RunSummary } from "../../kernels/protocol/run-files.ts";
import { packageRoot } from "./package-root.ts";
import { isRunning } from "./process-identity.ts";
import type { Recents } from "./recents.ts";
import { lastLogLines, RunTail, readRun } from "./run-files.ts";
import { forkRun, writeLabel } from "./run-labels.ts";
import { ignore, writeAtomically } from "./write-atomically.ts";

const LOOK_MS = 300;
const MOST_DEPTH = 6;
/** A home folder may hold a million folders; what lies further is found once it was used. */
const MOST_FOLDERS = 5000;
const START_TIMEOUT_MS = 30_000;
/** A trainer asked to stop "now" ends within a step; after this it is ended. */
const STOP_NOW_MS = 3000;

type RunUpdate = HostEventPayload<"run.updated">;

export interface RunsOptions {
  root: string;
  recents: Recents;
  /** To those who watch the folder. */
  onUpdate(update: RunUpdate): void;
  onListChanged(): void;
  onTrouble(error: unknown): void;
  trainerEntry?: string | undefined;
}

export class Runs {
  readonly #options: RunsOptions;
  readonly #watched = new Map<string, { tail: RunTail; watchers: number; told: boolean }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** Newest first. Folders that are no whole run are left out. */
  async list(): Promise<RunSummary[]> {
    const folders = new Set([...(await findRuns(this.#options.root)), ...(await this.#options.recents.runs())]);
    return [...folders]
      .flatMap((folder) => {
        try {
          return [readRun(folder)];
        } catch (error) {
          if (error instanceof ParallaxError) return [];
          throw error;
        }
      })
      .sort((a, b) => (a.config.createdAt < b.config.createdAt ? 1 : -1));
  }

  /** Everything so far; what comes later goes to `onUpdate` until as many `unwatch`. */
  watch(folder: string): HostResult<"runs.watch"> {
    const known = this.#watched.get(folder);
    const tail = new RunTail(folder);
    // Those who watch already get what is new first, so that the next update begins where this answer ends.
    if (known !== undefined) this.#look();
    const now = tail.look() ?? { run: readRun(folder), metrics: [], log: "" };
    if (known !== undefined) known.watchers++;
    else this.#watched.set(folder, { tail, watchers: 1, told: false });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
    return now;
  }

  unwatch(folder: string): void {
    const known = this.#watched.get(folder);
    if (known === undefined || --known.watchers > 0) return;
    this.#watched.delete(folder);
    if (this.#watched.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  async started(folder: string): Promise<void> {
    await this.#options.recents.ranIn(folder);
    this.#options.onListChanged();
  }

  /** @throws {ParallaxError} run.missing, run.damaged, run.not-running */
  async stop(folder: string, how: "after-step" | "now"): Promise<void> {
    const { status, alive, config } = readRun(folder);
    if (!alive || status.pid === null)
      throw new ParallaxError("run.not-running", `The run "${config.name}" is not running (it is ${status.state}).`, {
        hint: "Nothing needs stopping.",
        details: { folder },
      });
    await writeAtomically(path.join(folder, RUN_FILES.stop), how);
    if (how !== "now") return;
    const { pid } = status;
    for (let waited = 0; waited < STOP_NOW_MS; waited += 50) {
      if (!isRunning({ pid, start: null })) return;
      await sleep(50);
    }
    process.kill(pid, "SIGKILL");
  }

  /** Starts a trainer on the folder, as a process that outlives this one. @throws {ParallaxError} run.…, train.not-started */
  async resume(folder: string): Promise<void> {
    const { status, alive, config } = readRun(folder);
    if (alive)
      throw new ParallaxError(
        "train.already-running",
        `The run "${config.name}" is being trained already (process ${status.pid}).`,
        {
          hint: "Watch it, or stop it first.",
          details: { folder },
        },
      );
    if (status.state === "done")
      throw new ParallaxError("run.finished", `The run "${config.name}" has done all its ${config.steps} steps.`, {
        hint: "Load its export, or start a new run.",
        details: { folder },
      });
    rmSync(path.join(folder, RUN_FILES.stop), { force: true });
    const log = openSync(path.join(folder, RUN_FILES.log), "a");
    const entry = this.#options.trainerEntry ?? path.join(packageRoot(), "dist/kernels/trainer.entry.mjs");
    const child = spawn(process.execPath, [entry, folder], {
      detached: true,
      stdio: ["ignore", log, log],
      windowsHide: true,
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
    });
    closeSync(log);
    child.unref();
    let ended: string | null = null;
    child.once("error", (error) => {
      ended = error.message;
    });
    child.once("exit", (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
    });
    for (let waited = 0; waited < START_TIMEOUT_MS; waited += 50) {
      await sleep(50);
      if (readRun(folder).status.pid === child.pid || ended === "exit code 0") {
        await this.started(folder);
        return;
      }
      if (ended !== null) break;
    }
    throw new ParallaxError(
      "train.not-started",
      `The trainer of "${config.name}" did not start (${ended ?? "no answer"}): ${lastLogLines(folder, 3)}`,
      {
        kind: "environment",
        hint: "Open the run's log.",
        details: { folder },
      },
    );
  }

  /** @throws {ParallaxError} run.missing, run.damaged */
  async label(folder: string, change: { name?: string | undefined; notes?: string | undefined }): Promise<RunSummary> {
    await writeLabel(folder, { ...change } as Partial<RunLabel>);
    this.#options.onListChanged();
    return readRun(folder);
  }

  /** One run at most is the base; null for none. @throws {ParallaxError} run.missing, run.damaged */
  async pin(folder: string | null): Promise<void> {
    if (folder !== null) await writeLabel(folder, { pinned: true });
    for (const run of await this.list())
      if (run.label?.pinned === true && run.folder !== folder) await writeLabel(run.folder, { pinned: false });
    this.#options.onListChanged();
  }

  /** Goes on from a checkpoint in a folder of its own. @throws {ParallaxError} run.no-checkpoint, and what `resume` throws */
  async fork(folder: string, step: number, learningRate?: number): Promise<string> {
    const target = await forkRun(folder, step, learningRate);
    await this.started(target);
    await this.resume(target);
    return target;
  }

  dispose(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#watched.clear();
  }

  #look(): void {
    for (const [folder, watched] of this.#watched) {
      try {
        const update = watched.tail.look();
        watched.told = false;
        if (update === null) continue;
        this.#options.onUpdate({ folder, ...update });
        if (!update.run.alive) this.#options.onListChanged();
      } catch (error) {
        // Said once: a deleted folder stays deleted.
        if (!watched.told) this.#options.onTrouble(error);
        watched.told = true;
      }
    }
  }
}

/** Folders that hold a run below `root`: `…/runs/NAME/config.json`. */
async function findRuns(root: string): Promise<string[]> {
  const found: string[] = [];
  let visited = 0;
  let level = [root];
  for (let depth = 0; depth < MOST_DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      if (++visited > MOST_FOLDERS) return found;
      const entries = (await readdir(folder, { withFileTypes: true }).catch(ignore("EACCES", "EPERM", "ENOENT"))) ?? [];
      for (const entry of entries) {
        if (!entry.isDirectory() || entry.name.startsWith(".") || entry.name === "node_modules") continue;
        const child = path.join(folder, entry.name);
        if (path.basename(folder) === "runs" && existsSync(path.join(child, RUN_FILES.config))) found.push(child);
        else next.push(child);
      }
    }
    level = next;
  }
  return found;
}

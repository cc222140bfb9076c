/** Starting and stopping trainers. A trainer is a process of its own that outlives whoever started it. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { isProcessAlive } from "../files/process-identity.ts";
import { packageRoot } from "../graph/package-root.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES, type RunSummary } from "../protocol/run-files.ts";
import { readConfig, readRun, readStatus, writeStatus } from "./run-folder.ts";
import { runOwner } from "./run-lock.ts";

export interface StartedTrainer {
  pid: number;
  /** Resolves when the process has ended: its exit code, or null when a signal ended it. */
  exited: Promise<number | null>;
}

/** A trainer that has not taken its folder after this long is reported as not started. */
const START_TIMEOUT_MS = 60_000;

/**
 * Start the trainer of a run folder (a new run, or one to be resumed) as a detached process and wait until it has
 * taken the folder. What it prints, also when it crashes, goes to the run's log.txt.
 *
 * @throws {ParallaxError} run.missing; run.finished when all steps are done; train.already-running; train.not-started
 *   with the last lines of the log.
 */
export async function startTrainer(folder: string): Promise<StartedTrainer> {
  const absolute = path.resolve(folder);
  const config = readConfig(absolute);
  const owner = runOwner(absolute);
  if (owner !== null)
    throw new ParallaxError(
      "train.already-running",
      `The run "${config.name}" is already being trained by process ${owner}.`,
      {
        hint: "Watch it, or stop it first.",
        details: { folder: absolute, pid: owner },
      },
    );
  if (readStatus(absolute).state === "done")
    throw new ParallaxError("run.finished", `The run "${config.name}" has done all its ${config.steps} steps.`, {
      hint: "Load its export, or start a new run.",
      details: { folder: absolute },
    });
  rmSync(path.join(absolute, RUN_FILES.stop), { force: true });
  const log = openSync(path.join(absolute, RUN_FILES.log), "a");
  const entry = path.join(packageRoot(), "dist/kernels/trainer.entry.mjs");
  const child = spawn(process.execPath, [entry, absolute], {
    detached: true,
    stdio: ["ignore", log, log],
    windowsHide: true,
    // Inside Electron, process.execPath is Electron; this makes it behave as Node. Plain Node ignores it.
    env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
  });
  closeSync(log);
  let code: number | null | undefined;
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (exitCode) => {
      code = exitCode;
      resolve(exitCode);
    });
  });
  // A failed spawn is reported below; nobody need wait for the exit.
  let failure: unknown;
  exited.catch((error: unknown) => {
    failure = error;
  });
  child.unref();
  const started = Date.now();
  while (child.pid === undefined || runOwner(absolute) !== child.pid) {
    // A short run may be over before we look.
    if (code === 0 && readStatus(absolute).pid === null && readStatus(absolute).step > 0) break;
    if (failure !== undefined || code !== undefined || Date.now() - started > START_TIMEOUT_MS)
      throw new ParallaxError(
        "train.not-started",
        `The trainer of "${config.name}" did not start (${failure instanceof Error ? failure.message : code === undefined ? "no answer for a minute" : `exit code ${code}`}): ${lastLines(absolute)}`,
        {
          kind: "environment",
          hint: "Open the run's log.txt.",
          details: { folder: absolute, exitCode: code ?? null },
          cause: failure,
        },
      );
    await sleep(20, undefined, { ref: true });
  }
  return { pid: child.pid!, exited };
}

export type StopHow = "after-step" | "now";

/**
 * Ask the trainer of a folder to stop, and wait until it has.
 *
 * @param how "after-step" finishes the step and keeps a checkpoint of it; "now" keeps the last checkpoint that is there
 *   and ends the process if it does not answer.
 * @returns the run as it is afterwards. A run that nobody trains is returned as it is.
 */
export async function stopRun(folder: string, how: StopHow = "after-step"): Promise<RunSummary> {
  const absolute = path.resolve(folder);
  const pid = runOwner(absolute);
  if (pid === null) return readRun(absolute);
  writeFileAtomically(path.join(absolute, RUN_FILES.stop), [how]);
  const asked = Date.now();
  while (runOwner(absolute) === pid) {
    if (how === "now" && Date.now() - asked > 2000 && isProcessAlive(pid)) {
      process.kill(pid, "SIGKILL");
      while (isProcessAlive(pid)) await sleep(20);
      writeStatus(absolute, {
        ...readStatus(absolute),
        state: "stopped",
        pid: null,
        rate: null,
        etaMs: null,
        updatedAt: new Date().toISOString(),
      });
      break;
    }
    await sleep(50);
  }
  rmSync(path.join(absolute, RUN_FILES.stop), { force: true });
  return readRun(absolute);
}

/** What the stop file asks for, null when there is none. */
export function stopRequest(folder: string): StopHow | null {
  const file = path.join(folder, RUN_FILES.stop);
  if (!existsSync(file)) return null;
  try {
    return readFileSync(file, "utf8").trim() === "now" ? "now" : "after-step";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function lastLines(folder: string): string {
  const lines = readFileSync(path.join(folder, RUN_FILES.log), "utf8").trimEnd().split("\n");
  return lines.slice(-3).join(" / ");
}

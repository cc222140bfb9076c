/** One trainer a run folder. */
import { statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { type LockOptions, type LockOwner, lockOwner, tryLock } from "../files/process-lock.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES } from "../protocol/run-files.ts";

/**
 * @returns a function that gives the lock back.
 * @throws {ParallaxError} train.already-running names the process that holds the folder.
 */
export function lockRun(folder: string): () => void {
  const lock = tryLock(folder, options(folder));
  if (typeof lock === "function") return lock;
  throw alreadyRunning(folder, lock);
}

/** The process that trains this run now, or null. */
export function runOwner(folder: string): number | null {
  return lockOwner(folder, options(folder))?.pid ?? null;
}

/** A trainer on another machine shows that it works by writing its status. */
function options(folder: string): LockOptions {
  return {
    seenElsewhereAt: () => statSync(path.join(folder, RUN_FILES.status), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  };
}

function alreadyRunning(folder: string, owner: LockOwner): ParallaxError {
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return new ParallaxError(
    "train.already-running",
    `The run in ${folder} is already being trained by process ${owner.pid}${where}. Nothing was changed.`,
    { hint: "Watch it, or stop it first.", details: { folder, ...owner } },
  );
}

/**
 * One trainer a folder. The lock is the file `lock-N` with the highest N; whoever finds its owner dead makes `lock-N+1`
 * (only one can), so that taking over a dead trainer's lock has no moment in which two believe they hold it.
 */
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES } from "../protocol/run-files.ts";
import { isProcessAlive, processStart } from "./process-identity.ts";

interface Owner {
  pid: number;
  start: string | null;
  host: string;
}

/** A lock file without its content yet belongs to somebody who is just writing it, for this long. */
const BEING_WRITTEN_MS = 10_000;
/** A trainer on another machine that has not written its status for so long is taken for dead. */
const ELSEWHERE_MS = 600_000;

/**
 * @returns a function that gives the lock back.
 * @throws {ParallaxError} train.already-running names the process that holds the folder.
 */
export function lockRun(folder: string): () => void {
  for (let attempt = 0; attempt < 20; attempt++) {
    const held = lockFiles(folder);
    const living = held
      .map((number) => ({ number, owner: livingOwner(folder, number) }))
      .find((lock) => lock.owner !== null);
    if (living) throw alreadyRunning(folder, living.owner!);
    const mine = (held.at(-1) ?? 0) + 1;
    if (!create(folder, mine)) continue;
    // Somebody who saw the folder before us may have made another lock meanwhile: then both step back.
    const other = lockFiles(folder)
      .filter((number) => number !== mine)
      .map((number) => livingOwner(folder, number))
      .find((owner) => owner !== null);
    if (other) {
      rmSync(lockFile(folder, mine), { force: true });
      throw alreadyRunning(folder, other);
    }
    for (const number of held) rmSync(lockFile(folder, number), { force: true });
    return () => rmSync(lockFile(folder, mine), { force: true });
  }
  throw new ParallaxError(
    "train.already-running",
    `The run in ${folder} is being started by several processes at once.`,
    {
      hint: "Wait a moment and look at the run again.",
    },
  );
}

/** The process that trains this run now, or null. */
export function runOwner(folder: string): number | null {
  for (const number of lockFiles(folder)) {
    const owner = livingOwner(folder, number);
    if (owner !== null) return owner.pid;
  }
  return null;
}

function alreadyRunning(folder: string, owner: Owner): ParallaxError {
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return new ParallaxError(
    "train.already-running",
    `The run in ${folder} is already being trained by process ${owner.pid}${where}. Nothing was changed.`,
    { hint: "Watch it, or stop it first.", details: { folder, ...owner } },
  );
}

function lockFile(folder: string, number: number): string {
  return path.join(folder, `lock-${number}`);
}

function lockFiles(folder: string): number[] {
  return readdirSync(folder)
    .map((name) => Number(/^lock-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
    .filter((number) => !Number.isNaN(number))
    .sort((a, b) => a - b);
}

function create(folder: string, number: number): boolean {
  let fd: number;
  try {
    fd = openSync(lockFile(folder, number), "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    const owner: Owner = { pid: process.pid, start: processStart(process.pid), host: hostname() };
    writeSync(fd, JSON.stringify(owner));
  } finally {
    closeSync(fd);
  }
  return true;
}

function livingOwner(folder: string, number: number): Owner | null {
  const file = lockFile(folder, number);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const owner = parseOwner(text);
  if (owner === null) {
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    return age < BEING_WRITTEN_MS ? { pid: 0, start: null, host: hostname() } : null;
  }
  // Of a process on another machine (or in another container) we know only whether it still writes.
  if (owner.host !== hostname()) {
    const writtenAt = statSync(path.join(folder, RUN_FILES.status), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return Date.now() - writtenAt < ELSEWHERE_MS ? owner : null;
  }
  if (!isProcessAlive(owner.pid)) return null;
  const start = processStart(owner.pid);
  return owner.start !== null && start !== null && owner.start !== start ? null : owner;
}

function parseOwner(text: string): Owner | null {
  try {
    const value = JSON.parse(text) as Partial<Owner> | null;
    return typeof value?.pid === "number" && typeof value.host === "string"
      ? { pid: value.pid, start: value.start ?? null, host: value.host }
      : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

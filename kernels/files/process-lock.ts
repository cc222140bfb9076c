/**
 * One process a piece of work: a folder's lock is its file `lock-N` with the highest N. Whoever finds its owner dead makes
 * `lock-N+1` (only one can), so that taking over a dead process's lock has no moment in which two believe they hold it.
 */
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { isProcessAlive, processStart } from "./process-identity.ts";

export interface LockOwner {
  /** 0: somebody who is just writing the lock. */
  pid: number;
  start: string | null;
  host: string;
}

export interface LockOptions {
  /** Begins the names of the lock files. Default "lock". */
  name?: string;
  /**
   * When a process on another computer (or in another container) last showed that it works, in ms since 1970. Of such a
   * process we know nothing else. Default: never.
   */
  seenElsewhereAt?: () => number;
}

/** A lock file without its content yet belongs to somebody who is just writing it, for this long. */
const BEING_WRITTEN_MS = 10_000;
/** A process elsewhere that has shown nothing for so long is taken for dead. */
const ELSEWHERE_MS = 600_000;

/** @returns a function that gives the lock back, or the living process that holds it. */
export function tryLock(folder: string, options: LockOptions = {}): (() => void) | LockOwner {
  for (let attempt = 0; ; attempt++) {
    const held = lockFiles(folder, options);
    const living = held.map((number) => livingOwner(folder, number, options)).find((owner) => owner !== null);
    if (living) return living;
    const mine = (held.at(-1) ?? 0) + 1;
    if (!create(lockFile(folder, mine, options))) {
      // Several at once: after a while somebody holds it.
      if (attempt < 20) continue;
      return { pid: 0, start: null, host: hostname() };
    }
    // Somebody who saw the folder before us may have made another lock meanwhile: then both step back.
    const other = lockFiles(folder, options)
      .filter((number) => number !== mine)
      .map((number) => livingOwner(folder, number, options))
      .find((owner) => owner !== null);
    if (other) {
      rmSync(lockFile(folder, mine, options), { force: true });
      return other;
    }
    for (const number of held) rmSync(lockFile(folder, number, options), { force: true });
    return () => rmSync(lockFile(folder, mine, options), { force: true });
  }
}

/** The living process that holds the folder now, or null. */
export function lockOwner(folder: string, options: LockOptions = {}): LockOwner | null {
  for (const number of lockFiles(folder, options)) {
    const owner = livingOwner(folder, number, options);
    if (owner !== null) return owner;
  }
  return null;
}

function lockFile(folder: string, number: number, { name = "lock" }: LockOptions): string {
  return path.join(folder, `${name}-${number}`);
}

function lockFiles(folder: string, { name = "lock" }: LockOptions): number[] {
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${name}-`) && /^\d+$/.test(file.slice(name.length + 1)))
    .map((file) => Number(file.slice(name.length + 1)))
    .sort((a, b) => a - b);
}

function create(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    const owner: LockOwner = { pid: process.pid, start: processStart(process.pid), host: hostname() };
    writeSync(fd, JSON.stringify(owner));
  } finally {
    closeSync(fd);
  }
  return true;
}

function livingOwner(folder: string, number: number, options: LockOptions): LockOwner | null {
  const file = lockFile(folder, number, options);
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
  if (owner.host !== hostname()) return Date.now() - (options.seenElsewhereAt?.() ?? 0) < ELSEWHERE_MS ? owner : null;
  if (!isProcessAlive(owner.pid)) return null;
  const start = processStart(owner.pid);
  return owner.start !== null && start !== null && owner.start !== start ? null : owner;
}

function parseOwner(text: string): LockOwner | null {
  try {
    const value = JSON.parse(text) as Partial<LockOwner> | null;
    return typeof value?.pid === "number" && typeof value.host === "string"
      ? { pid: value.pid, start: value.start ?? null, host: value.host }
      : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

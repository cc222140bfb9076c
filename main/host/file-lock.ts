/**
 * One writer a notebook. A record in the app's data folder names the process that has a file open for editing; a second
 * Parallax shows the file read-only and takes over when the first one is gone. Records are advice among Parallaxes:
 * what other programs write is noticed by content when saving.
 */
import { createHash } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { madePrivate } from "./app-folders.ts";
import { systemCode } from "./disk-errors.ts";
import { isRunning, type ProcessIdentity, thisProcess } from "./process-identity.ts";

export interface LockOwner extends ProcessIdentity {
  host: string;
  file: string;
  since: string;
}

export type Lock = { release(): void };

export class FileLocks {
  readonly #folder: string;
  #serial = 0;

  constructor(dataFolder: string) {
    this.#folder = path.join(dataFolder, "locks");
  }

  /** The lock of a file (by its real path), or who holds it. */
  acquire(file: string): { lock: Lock } | { owner: LockOwner } {
    madePrivate(this.#folder);
    const record = path.join(this.#folder, `${createHash("sha256").update(file).digest("hex").slice(0, 32)}.json`);
    const mine: LockOwner = { ...thisProcess(), host: hostname(), file, since: new Date().toISOString() };
    const text = JSON.stringify(mine);
    const draft = `${record}.${process.pid}-${this.#serial++}`;
    writeFileSync(draft, text, { mode: 0o600 });
    try {
      for (let attempt = 0; ; attempt++) {
        if (makeLink(draft, record)) return { lock: { release: () => this.#release(record, text) } };
        const held = readRecord(record);
        if (held === null) continue;
        const owner = parseOwner(held);
        if (owner !== null && (isLiving(owner) || attempt > 10)) return { owner };
        takeAway(record, held, `${draft}.old`);
      }
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #release(record: string, text: string): void {
    // Only our own: after a clock or disk accident it may be somebody else's by now.
    if (readRecord(record) === text) rmSync(record, { force: true });
  }
}

/** Of a process on another machine (a shared home folder) nothing is known: it counts as living for a day. */
function isLiving(owner: LockOwner): boolean {
  if (owner.host === hostname()) return isRunning(owner);
  return Date.now() - Date.parse(owner.since) < 24 * 3600_000;
}

/** Links are made by one process only, however many try. */
function makeLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a dead process's record. When somebody else replaced it meanwhile, theirs is put back. */
function takeAway(record: string, expected: string, aside: string): void {
  try {
    renameSync(record, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if (readRecord(aside) !== expected) makeLink(aside, record);
  rmSync(aside, { force: true });
}

function readRecord(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

function parseOwner(text: string): LockOwner | null {
  try {
    const value = JSON.parse(text) as Partial<LockOwner>;
    if (typeof value.pid !== "number" || typeof value.host !== "string") return null;
    return {
      pid: value.pid,
      start: value.start ?? null,
      host: value.host,
      file: value.file ?? "",
      since: value.since ?? "",
    };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

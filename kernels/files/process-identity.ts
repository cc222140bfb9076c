/** Whether a process is still the one that wrote a file: numbers of processes are used again, times of start are not. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** True when some process has this number. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A text that differs between two processes which had the same number, or null when the system does not tell. */
export function processStart(pid: number): string | null {
  if (process.platform === "linux") return linuxStat(pid)?.[19] ?? null;
  if (process.platform === "win32") return null;
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", timeout: 2000 }).trim() || null;
  } catch (error) {
    // ps exits with 1 when there is no such process.
    if ((error as { status?: unknown }).status === 1) return null;
    throw error;
  }
}

/** Killed, but its parent has not asked for the exit code yet: it will write no more. */
function isZombie(pid: number): boolean {
  return process.platform === "linux" && linuxStat(pid)?.[0] === "Z";
}

/** Fields of /proc/<pid>/stat after the name (which may hold spaces and brackets): [0] is the state, [19] the start. */
function linuxStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw error;
  }
}

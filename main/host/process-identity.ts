/** Whether a process is still the one that wrote a record: numbers of processes are used again, times of start are not. */
import { readFileSync } from "node:fs";
import { systemCode } from "./disk-errors.ts";

export interface ProcessIdentity {
  pid: number;
  /** Differs between two processes that had the same number; null where the system does not tell. */
  start: string | null;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, start: startOf(process.pid) };
}

export function isRunning({ pid, start }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    if (systemCode(error) !== "EPERM") return false;
  }
  if (process.platform !== "linux") return true;
  const stat = linuxStat(pid);
  // A zombie was killed and only waits for its parent to ask.
  if (stat === null || stat[0] === "Z") return false;
  return start === null || stat[19] === start;
}

function startOf(pid: number): string | null {
  return process.platform === "linux" ? (linuxStat(pid)?.[19] ?? null) : null;
}

/** Fields of /proc/PID/stat after the name (which may hold spaces and brackets): [0] is the state, [19] the start. */
function linuxStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(systemCode(error) ?? "")) return null;
    throw error;
  }
}

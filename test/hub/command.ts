/** `parallax …` as a user starts it, with a hub place as its home and its hub. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { findPart, type Part } from "../../kernels/hub/part.ts";
import { root } from "../../scripts/build.mjs";
import { folderContent, type SeenRequest } from "../support/hub-server.ts";
import { type HubPlace, ID } from "./workplace.ts";

export interface Said {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  said: Promise<Said>;
  /** Standard error up to now. */
  heard(): string;
}

export interface CommandOptions {
  env?: Record<string, string>;
  input?: string;
}

export function start(place: HubPlace, args: string[], { env = {}, input }: CommandOptions = {}): Running {
  const child = spawn(process.execPath, [path.join(root, "bin/parallax.mjs"), ...args], {
    cwd: place.root,
    env: { ...process.env, HF_ENDPOINT: place.server.endpoint, NO_COLOR: "1", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(input ?? "");
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (piece: Buffer) => {
      text[name] += piece;
    });
  const said = new Promise<Said>((resolve) => child.on("close", (code, signal) => resolve({ code, signal, ...text })));
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return { child, said, heard: () => text.stderr };
}

export const parallax = (place: HubPlace, args: string[], options?: CommandOptions): Promise<Said> =>
  start(place, args, options).said;

export const WEIGHTS = "model.safetensors";
/** True for the request that gives the weights' bytes. */
export const givesWeights = (seen: SeenRequest): boolean => seen.host === "store" && seen.path.endsWith(WEIGHTS);

export const ranges = ({ server }: HubPlace): (string | undefined)[] =>
  server.seen.filter(givesWeights).map((seen) => seen.range);

/** Looks again until there is what is looked for. */
export async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  for (let waited = 0; waited < 90_000; waited += 20) {
    const found = look();
    if (found) return found;
    await sleep(20);
  }
  throw new Error(`Waited in vain for ${what}.`);
}

/** Waits for a download that another process has brought to at least so many bytes of the weights. */
export function partOf(bytes: number): Promise<Part & { pid: number }> {
  return until(`${bytes} bytes of the weights`, () => {
    const part = findPart(ID);
    const here = part?.progress.files.find((file) => file.path === WEIGHTS)?.doneBytes ?? 0;
    return part !== null && part.pid !== null && here >= bytes ? { ...part, pid: part.pid } : null;
  });
}

/** Files of the model's folder and of the stored one, to be compared; parallax.json is left out. */
export function both(place: HubPlace): [Record<string, string>, Record<string, string>] {
  const folder = path.join(place.home, "data/encoders/tiny--bert-of-tests", place.server.revision(ID));
  const { "parallax.json": record, ...files } = folderContent(folder);
  if (record === undefined) throw new Error("There is no parallax.json.");
  return [files, folderContent(place.model)];
}

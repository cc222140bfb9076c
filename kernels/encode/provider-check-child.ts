/**
 * The self-test in a process of its own: a driver that aborts its process, which nothing can catch, must not take the
 * notebook along.
 */
import { fork } from "node:child_process";
import path from "node:path";
import type { ProviderName } from "../graph/compute.ts";
import { packageRoot } from "../graph/package-root.ts";
import { PROVIDERS } from "../graph/providers.ts";
import { CancelledError, type ErrorData, fromErrorData, ParallaxError } from "../protocol/errors.ts";
import type { EncoderSpec } from "./encoder-spec.ts";
import type { ProviderComparison } from "./provider-check.ts";

/** What the process is sent. */
export interface ProviderCheckTask {
  spec: EncoderSpec;
  provider: ProviderName;
  /** Options of openSpec that are plain data. */
  options: Record<string, unknown>;
  /** How many of the reference texts. */
  texts: number;
}
/** Or only whether the provider starts at all: a graph of two nodes. */
export interface ProviderProbeTask {
  probe: ProviderName;
}
export interface ProviderProbe {
  ms: number;
}
export type ProviderCheckReply = { result: ProviderComparison | ProviderProbe } | { error: ErrorData };

/** Compiling the kernels of a large encoder takes seconds; what takes minutes is of no use. */
const LONGEST_MS = 300_000;
const PROBE_MS = 60_000;

/** @throws {ParallaxError} provider.crashed, provider.too-slow, and what loading on the provider throws */
export async function compareInChild(task: ProviderCheckTask, signal?: AbortSignal): Promise<ProviderComparison> {
  const work = `it encoded ${task.texts} texts with ${task.spec.name}`;
  return (await askChild(task, { provider: task.provider, work, longestMs: LONGEST_MS, signal })) as ProviderComparison;
}

/**
 * Whether a provider starts here and runs a node, in a process of its own.
 * @throws {ParallaxError} as compareInChild; nothing is remembered
 * Cost: a process and a session, about a second.
 */
export async function probeProvider(provider: ProviderName, signal?: AbortSignal): Promise<ProviderProbe> {
  const task: ProviderProbeTask = { probe: provider };
  const how = { provider, work: "it ran two nodes", longestMs: PROBE_MS, signal };
  return (await askChild(task, how)) as ProviderProbe;
}

interface Asking {
  provider: ProviderName;
  /** What it had not done yet, for errors. */
  work: string;
  longestMs: number;
  signal: AbortSignal | undefined;
}

function askChild(task: ProviderCheckTask | ProviderProbeTask, asking: Asking): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { provider, work, longestMs, signal } = asking;
    const { title } = PROVIDERS[provider];
    const child = fork(path.join(packageRoot(), "dist/kernels/provider-check.entry.mjs"), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    let said = "";
    child.stderr?.on("data", (piece: Buffer) => {
      said = `${said}${piece}`.slice(-2000);
    });
    let outcome: (() => void) | undefined;
    const settle = (how: () => void) => {
      outcome ??= how;
      child.kill("SIGKILL");
    };
    const onAbort = () => settle(() => reject(new CancelledError(`The self-test of ${title}`)));
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(
            new ParallaxError(
              "provider.too-slow",
              `${title} was stopped after ${longestMs / 60_000} minutes, before ${work}. Nothing was loaded.`,
              { kind: "environment", hint: 'Use provider "cpu"; a software driver is slower than it.' },
            ),
          ),
        ),
      longestMs,
    );
    child.on("message", (reply: ProviderCheckReply) =>
      settle("result" in reply ? () => resolve(reply.result) : () => reject(fromErrorData(reply.error))),
    );
    child.on("error", (error) => settle(() => reject(error)));
    child.on("exit", (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      outcome ??= () =>
        reject(
          new ParallaxError(
            "provider.crashed",
            `${title} ended its process (${killedBy ?? `exit code ${code}`}) before ${work}. The test ran in a process of its own, so nothing else was lost; nothing was loaded.`,
            {
              kind: "environment",
              hint: 'Update the graphics driver, or use provider "cpu".',
              details: { code, signal: killedBy, stderr: said.trim() },
            },
          ),
        );
      outcome();
    });
    child.send(task);
  });
}

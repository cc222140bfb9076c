/** What a run would take, measured in a trainer of its own that makes some steps of it and leaves nothing behind. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { packageRoot } from "../graph/package-root.ts";
import { CancelledError, fromErrorData, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { RUN_FILES, type RunEstimate } from "../protocol/run-files.ts";
import { readStatus } from "./run-folder.ts";

/**
 * Measure a run that was made and not started. The process that does it ends with this call.
 *
 * @param folder a run folder that is only for this: its status and log are written.
 * @throws {ParallaxError} work.cancelled; train.not-started; what the trainer failed with (train.*, encoder.*, task.*).
 * Cost: loading the encoder, one evaluation of each task, six steps or 1.5 seconds of them, one checkpoint.
 */
export async function measureInChild(folder: string, { signal, onProgress }: WorkContext = {}): Promise<RunEstimate> {
  if (signal?.aborted) throw new CancelledError("The estimate");
  const entry = path.join(packageRoot(), "dist/kernels/trainer.entry.mjs");
  const child = spawn(process.execPath, [entry, folder, "--measure"], {
    stdio: ["ignore", "ignore", "pipe"],
    windowsHide: true,
    env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
  });
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString();
  });
  let ended = false;
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  }).finally(() => {
    ended = true;
  });
  exited.catch(() => undefined);
  try {
    for (let i = 0; !ended; i++) {
      if (signal?.aborted) throw new CancelledError("The estimate");
      if (i % 10 === 0) onProgress?.({ stage: "Measuring some steps", done: 0, total: 0, unit: "steps" });
      await Promise.race([exited.catch(() => undefined), sleep(50)]);
    }
    const code = await exited;
    const { estimate, error } = readStatus(folder);
    if (error !== null) throw fromErrorData(error);
    if (estimate) return estimate;
    const log = readFileSync(path.join(folder, RUN_FILES.log), "utf8").trimEnd().split("\n").slice(-2).join(" / ");
    throw new ParallaxError(
      "train.not-started",
      `The trainer that was to measure the run ended without an answer (exit code ${code}): ${said.trim() || log}`,
      { kind: "environment", hint: "Free some memory and try again.", details: { exitCode: code } },
    );
  } finally {
    if (!ended) {
      child.kill("SIGKILL");
      await exited.catch(() => undefined);
    }
  }
}

/**
 * checkpoints/step-N: all that a run needs to go on after step N as if it had never stopped.
 *
 *   state.safetensors  weight:<name>, first:<name>, second:<name> of every trained weight, float32
 *   checkpoint.json    step, seed, digest of the numbers, evaluation score there
 *
 * The random numbers of a run follow from (seed, step), so nothing else is state.
 */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { openSafetensors, writeSafetensors } from "../encode/safetensors.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES } from "../protocol/run-files.ts";
import type { ParameterMemory } from "./parameter-memory.ts";

const factsSchema = z.object({
  version: z.literal(1),
  step: z.number().int(),
  seed: z.number().int(),
  /** sha256 of the bytes of all tensors, in the order of `names`. */
  sha256: z.string(),
  /** Score of the evaluation at this step, null when none was made. */
  score: z.number().nullable(),
});
export type CheckpointFacts = z.infer<typeof factsSchema>;

const STATE = "state.safetensors";
const FACTS = "checkpoint.json";

/**
 * Write a checkpoint into a side folder, sync it, and rename it into place: it is there whole or not at all.
 * @throws {ParallaxError} train.checkpoint-failed (environment); earlier checkpoints are untouched.
 */
export function writeCheckpoint(
  folder: string,
  memory: ParameterMemory,
  facts: Omit<CheckpointFacts, "version" | "sha256">,
): void {
  const parent = path.join(folder, RUN_FILES.checkpoints);
  const target = checkpointFolder(folder, facts.step);
  const side = path.join(parent, `.step-${facts.step}.new`);
  try {
    rmSync(side, { recursive: true, force: true });
    mkdirSync(side, { recursive: true });
    const tensors = stateTensors(memory);
    writeSafetensors(path.join(side, STATE), tensors, {
      format: "pt",
      step: String(facts.step),
      seed: String(facts.seed),
    });
    const whole: CheckpointFacts = { version: 1, ...facts, sha256: digest(tensors.values()) };
    writeFileAtomically(path.join(side, FACTS), [`${JSON.stringify(whole, null, 2)}\n`]);
    syncFolder(side);
    // Only a damaged one can be there already: the run goes on from the newest whole checkpoint.
    rmSync(target, { recursive: true, force: true });
    renameSync(side, target);
    syncFolder(parent);
  } catch (cause) {
    const code = systemCode(cause);
    throw new ParallaxError(
      "train.checkpoint-failed",
      `The checkpoint of step ${facts.step} could not be written to ${parent} (${code}). Earlier checkpoints are kept.`,
      {
        kind: "environment",
        hint:
          code === "ENOSPC"
            ? "Free some disk space and resume the run."
            : "Check that the folder may be written to, then resume the run.",
        details: { folder, step: facts.step, systemCode: code },
        cause,
      },
    );
  }
}

/** Steps that have a checkpoint, lowest first. Nothing is read but names. */
export function checkpointSteps(folder: string): number[] {
  try {
    return readdirSync(path.join(folder, RUN_FILES.checkpoints))
      .map((name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? Number.NaN))
      .filter((step) => !Number.isNaN(step))
      .sort((a, b) => a - b);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** @throws {ParallaxError} train.damaged-checkpoint */
export function readCheckpointFacts(folder: string, step: number): CheckpointFacts {
  const file = path.join(checkpointFolder(folder, step), FACTS);
  try {
    return factsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw damaged(folder, step, `${FACTS} could not be read`, cause);
  }
}

/**
 * Put a checkpoint's numbers into the memory.
 * @throws {ParallaxError} train.damaged-checkpoint when a file is missing, a byte differs or a weight does not fit; the
 *   memory may then hold some of its numbers.
 */
export function readCheckpoint(folder: string, step: number, memory: ParameterMemory): CheckpointFacts {
  const facts = readCheckpointFacts(folder, step);
  const file = path.join(checkpointFolder(folder, step), STATE);
  const targets = stateTensors(memory);
  try {
    const stored = openSafetensors(file);
    for (const [name, { dims, data }] of targets) {
      const found = stored.readFloat32(name);
      if (found.dims.join() !== dims.join())
        throw damaged(folder, step, `"${name}" has the shape [${found.dims.join(", ")}], not [${dims.join(", ")}]`);
      (data as Float32Array).set(found.data);
    }
  } catch (error) {
    if (error instanceof ParallaxError && error.code === "train.damaged-checkpoint") throw error;
    throw damaged(folder, step, `${STATE} could not be read`, error);
  }
  if (digest(targets.values()) !== facts.sha256)
    throw damaged(folder, step, "its numbers are not the ones that were written");
  return facts;
}

/** Keep the two newest checkpoints and the one with the best score; half-written ones go too. */
export function pruneCheckpoints(folder: string, bestStep: number | null): void {
  const parent = path.join(folder, RUN_FILES.checkpoints);
  const steps = checkpointSteps(folder);
  const kept = new Set([...steps.slice(-2), bestStep]);
  for (const step of steps)
    if (!kept.has(step)) rmSync(checkpointFolder(folder, step), { recursive: true, force: true });
  for (const name of readdirSync(parent))
    if (name.startsWith(".")) rmSync(path.join(parent, name), { recursive: true, force: true });
}

export function checkpointFolder(folder: string, step: number): string {
  return path.join(folder, RUN_FILES.checkpoints, `step-${step}`);
}

function stateTensors(memory: ParameterMemory): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const put = (kind: string, name: string, dims: readonly number[], data: Float32Array) =>
    tensors.set(`${kind}:${name}`, tensor("float32", dims, data));
  for (const { name, dims, weight, first, second } of memory.parameters) {
    put("weight", name, dims, weight);
    put("first", name, dims, first);
    put("second", name, dims, second);
  }
  if (memory.sparse !== null) {
    const { name, rows, width, weight, first, second } = memory.sparse;
    put("weight", name, [rows, width], weight);
    put("first", name, [rows, width], first);
    put("second", name, [rows, width], second);
  }
  return tensors;
}

function digest(tensors: Iterable<Tensor>): string {
  const hash = createHash("sha256");
  for (const { data } of tensors) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

/** A rename is on disk only when its folder is; Windows cannot open folders and does not need to. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function systemCode(error: unknown): string {
  if (error instanceof ParallaxError && typeof error.details?.systemCode === "string") return error.details.systemCode;
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}

function damaged(folder: string, step: number, problem: string, cause?: unknown): ParallaxError {
  return new ParallaxError("train.damaged-checkpoint", `Checkpoint ${step} of ${folder} is damaged: ${problem}.`, {
    kind: "environment",
    hint: "Resume the run: it goes back to the newest whole checkpoint.",
    details: { folder, step, problem },
    cause,
  });
}

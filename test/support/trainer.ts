/** Waiting for trainers, which do not keep their starter alive. */
import { setTimeout as sleep } from "node:timers/promises";
import { startTrainer } from "../../kernels/train/start.ts";

/** Train a run to its end. @returns the trainer's exit code. */
export async function finish(folder: string): Promise<number | null> {
  const { exited } = await startTrainer(folder);
  const awake = setInterval(() => undefined, 1000);
  try {
    return await exited;
  } finally {
    clearInterval(awake);
  }
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const since = Date.now();
  while (!condition()) {
    if (Date.now() - since > 20_000) throw new Error(`waited 20 s for ${what}`);
    await sleep(5);
  }
}

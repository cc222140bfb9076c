/** A kernel killed in the middle of a fine-tune: the run outlives it, and a run killed as well goes on to the same numbers. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import type { RunMetric, RunStatus } from "../../kernels/protocol/run-files.ts";
import { KernelProcess } from "../support/kernel-process.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";
import { timeless, tinyPairs } from "../support/tiny-run.ts";

const folder = mkdtempSync(path.join(tmpdir(), "parallax-killed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const environment = { PARALLAX_HOME: path.join(folder, "home") };
writeTinyBert(path.join(folder, "tiny"));
writeFileSync(
  path.join(folder, "pairs.jsonl"),
  tinyPairs(100)
    .map((pair) => `${JSON.stringify(pair)}\n`)
    .join(""),
);

const cell = (run: string) => `
import { fineTune } from "parallax";
await fineTune({ pairs: "pairs.jsonl", encoder: "tiny", folder: ${JSON.stringify(run)}, batchSize: 8, steps: 60, checkpointEvery: 10, seed: 3 });`;

const status = (run: string): RunStatus =>
  JSON.parse(readFileSync(path.join(folder, run, "status.json"), "utf8")) as RunStatus;
const metrics = (run: string): RunMetric[] =>
  readFileSync(path.join(folder, run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as RunMetric);

async function until(condition: () => boolean): Promise<void> {
  for (const since = Date.now(); !condition(); await sleep(5))
    if (Date.now() - since > 60_000) throw new Error("waited 60 s");
}
const reached = (run: string, step: number) => () =>
  existsSync(path.join(folder, run, "status.json")) && status(run).step >= step;

it("resumes to the losses of an unbroken run", async () => {
  const first = await KernelProcess.start({ folder, env: environment });
  expect((await first.run(cell("unbroken"))).status).toBe("ok");

  const running = first.run(cell("killed"));
  running.catch(() => undefined);
  await until(reached("killed", 15));
  first.child.kill("SIGKILL");
  expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });
  const seen = status("killed").step;
  await until(reached("killed", seen + 3));

  const { pid } = status("killed");
  if (status("killed").state === "running" && pid !== null) process.kill(pid, "SIGKILL");

  const second = await KernelProcess.start({ folder, env: environment });
  const resumed = await second.run('import { resumeRun } from "parallax";\n(await resumeRun("killed")).lossLast');
  expect(resumed.error).toBeUndefined();
  await second.stop();
  expect(timeless(metrics("killed"))).toEqual(timeless(metrics("unbroken")));
  expect(status("killed")).toMatchObject({ state: "done", step: 60 });
}, 180_000);

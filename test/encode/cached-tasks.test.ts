import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root as project } from "../../scripts/build.mjs";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-cached-tasks-"));
const model = path.join(root, "model");
const script = path.join(project, "node_modules/.cached-tasks.mjs");

interface Scored {
  task: string;
  score: number;
  digest: string;
  cached: number;
  vectors: number[];
}

beforeAll(async () => {
  writeTinyFolder(model, "bert");
  await build({
    absWorkingDir: project,
    entryPoints: ["test/support/cached-tasks.ts"],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
});
afterAll(() => {
  rmSync(script, { force: true });
  rmSync(root, { recursive: true, force: true });
});

/** Starts one process; it works when `go` is called, so that two can be set off together. */
async function start(home: string, cache: "on" | "off", order = "straight") {
  const child = spawn(process.execPath, [script, model, cache, order], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PARALLAX_HOME: path.join(root, home), PARALLAX_CACHE: "" },
  });
  let said = "";
  const ended = new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`the process ended with ${code}`))));
  });
  const ready = new Promise<void>((resolve) => {
    child.stdout.on("data", (data) => {
      said += String(data);
      if (said.includes("ready\n")) resolve();
    });
  });
  await Promise.race([ready, ended]);
  return async (): Promise<Scored[]> => {
    child.stdin.end("go\n");
    await ended;
    return JSON.parse(said.replace("ready\n", ""));
  };
}

const withoutCount = (scored: readonly Scored[]) => scored.map(({ cached: _, vectors: __, ...rest }) => rest);

describe("a similarity and a retrieval task", () => {
  let without: Scored[] = [];
  beforeAll(async () => {
    without = await (await start("none", "off"))();
    expect(without.map(({ task, cached }) => [task, cached])).toEqual([
      ["search", 0],
      ["similarity", 0],
    ]);
  }, 60_000);

  it("have the same scores, intervals and vectors, bit by bit, with the cache and without; also when two processes fill it at once", {
    timeout: 120_000,
  }, async () => {
    const [a, b] = await Promise.all([start("one", "on", "similarity"), start("one", "on", "search")]);
    const [similarity, search] = await Promise.all([a(), b()]);
    expect(withoutCount([...search, ...similarity])).toEqual(withoutCount(without));
    const filled = await (await start("one", "on"))();
    expect(filled.every(({ cached }) => cached > 100)).toBe(true);
    expect(withoutCount(filled)).toEqual(withoutCount(without));
  });

  it("when two processes fill the cache with the same texts at once, every vector is one of a batch that was computed", {
    timeout: 120_000,
  }, async () => {
    const [a, b] = await Promise.all([start("two", "on"), start("two", "on", "reversed")]);
    const [first, second] = await Promise.all([a(), b()]);
    const third = await (await start("two", "on"))();
    // A text whose neighbours in the batch came from the cache is computed in a smaller batch: another rounding of the last bits.
    for (const run of [first, second, third])
      run.forEach(({ vectors, score }, i) => {
        expect(vectors.length).toBe(without[i].vectors.length);
        const far = vectors.reduce((most, value, j) => Math.max(most, Math.abs(value - without[i].vectors[j])), 0);
        expect(far).toBeLessThan(1e-6);
        expect(Math.abs(score - without[i].score)).toBeLessThan(1e-3);
      });
    expect(withoutCount(await (await start("two", "on"))())).toEqual(withoutCount(third));
  });
});

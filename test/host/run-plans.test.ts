import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { readRun } from "../../main/host/run-files.ts";
import { forkRun, runDetails, writeLabel } from "../../main/host/run-labels.ts";
import { timeOf } from "../../main/host/run-plans.ts";
import { ensureBuilt } from "../../scripts/build.mjs";
import { runMetrics, runSummary } from "../support/output-fixtures.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";
import { tinyPairs } from "../support/tiny-run.ts";
import { workplace } from "../support/workplace.ts";

beforeAll(() => ensureBuilt(undefined, ["node"]), 180_000);

describe("a run that is being planned", () => {
  test("shows five rows of a file, its count and its columns; a file outside of the root is refused", async () => {
    const place = workplace();
    const pairs = tinyPairs(40);
    writeFileSync(path.join(place.root, "pairs.jsonl"), pairs.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const page = await place.page(place.host());
    const preview = await page.call("runs.preview", { file: "pairs.jsonl" });
    expect([preview.n, preview.columns, preview.rows.length]).toEqual([40, ["anchor", "positive"], 5]);
    expect(preview.rows[0]).toEqual([pairs[0]!.anchor, pairs[0]!.positive]);
    writeFileSync(path.join(place.folder, "outside.jsonl"), '{"anchor":"a","positive":"b"}\n');
    await expect(page.call("runs.preview", { file: "../outside.jsonl" })).rejects.toMatchObject({
      code: "file.outside-root",
    });
    await expect(page.call("runs.preview", { file: "no.jsonl" })).rejects.toMatchObject({ code: "table.not-found" });
  });

  test("costs memory and steps before it starts, and names what is wrong, leaving nothing behind", {
    timeout: 60_000,
  }, async () => {
    const place = workplace();
    const encoder = writeTinyBert(path.join(place.root, "tiny"));
    const rows = [...tinyPairs(20), ...tinyPairs(4)];
    writeFileSync(path.join(place.root, "pairs.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const page = await place.page(place.host());
    const request = { encoder, pairs: "pairs.jsonl", recipe: { batchSize: 8, steps: 30 } };
    const plan = await page.call("runs.plan", request);
    expect([plan.n, plan.duplicates, plan.steps, plan.batchSize, plan.elapsedMs]).toEqual([24, 4, 30, 8, null]);
    expect(plan.memoryBytes).toBeGreaterThan(150e6);
    expect(plan.notes[0]).toContain("4 of 24 pairs are duplicates");
    expect(await page.call("runs.plan", { ...request, dropDuplicates: true })).toMatchObject({ n: 20, duplicates: 0 });
    const measured = await page.call("runs.plan", { ...request, measure: true });
    expect([measured.elapsedFrom, measured.elapsedMs! > 100, measured.memoryBytes > 50e6]).toEqual([
      "steps made just now",
      true,
      true,
    ]);
    await expect(
      page.call("runs.plan", { ...request, recipe: { batchSize: 8, temperature: 0 } }),
    ).rejects.toMatchObject({ code: "train.bad-option", details: { option: "temperature" } });
    expect(existsSync(path.join(place.root, "runs"))).toBe(false);
  });

  test("takes the time a step of the same weights took here, by the number of its texts", () => {
    const known = runSummary("calm-heron", { state: "running", step: 100 });
    const run = { ...known, status: { ...known.status, rate: 2 } };
    const cost = { steps: 100, batchSize: 64, negatives: 0, weightsSha256: run.config.encoder.weightsSha256 };
    expect(timeOf(cost, { recipe: {} }, [run])).toEqual({ elapsedMs: 100_000, elapsedFrom: "steps of calm-heron" });
    expect(timeOf({ ...cost, negatives: 2 }, { recipe: {} }, [run]).elapsedMs).toBe(200_000);
    expect(timeOf({ ...cost, weightsSha256: "other" }, { recipe: {} }, [run]).elapsedMs).toBeNull();
  });
});

describe("a run folder", () => {
  const make = (root: string, name: string) => {
    const { folder: _f, alive: _a, ...run } = runSummary(name);
    const folder = path.join(root, "runs", name);
    mkdirSync(path.join(folder, "checkpoints/step-200"), { recursive: true });
    mkdirSync(path.join(folder, "data"));
    const put = (file: string, value: string) => writeFileSync(path.join(folder, file), value);
    put("config.json", JSON.stringify(run.config));
    put("status.json", JSON.stringify(run.status));
    put(
      "metrics.jsonl",
      runMetrics(400, { evalEvery: 100 })
        .map((metric) => `${JSON.stringify(metric)}\n`)
        .join(""),
    );
    put("data/pairs.jsonl", [...tinyPairs(6), ...tinyPairs(2)].map((row) => `${JSON.stringify(row)}\n`).join(""));
    put("data/task.json", "{}");
    put("checkpoints/step-200/checkpoint.json", JSON.stringify({ version: 1, step: 200, score: 0.83 }));
    return folder;
  };

  test("keeps its name, its notes and that it is the base in label.json; one run at most is the base", async () => {
    const place = workplace();
    const [a, b] = [make(place.root, "a"), make(place.root, "b")];
    const page = await place.page(place.host());
    const { run } = await page.call("runs.label", { folder: a, name: " low rate ", notes: "first try" });
    expect(run.label).toEqual({ name: "low rate", notes: "first try", pinned: false });
    await page.call("runs.pin", { folder: a });
    await page.call("runs.pin", { folder: b });
    const { runs } = await page.call("runs.list", {});
    expect(Object.fromEntries(runs.map((each) => [each.config.name, each.label?.pinned]))).toEqual({
      a: false,
      b: true,
    });
    expect(readFileSync(path.join(a, "label.json"), "utf8")).toContain('"name": "low rate"');
    writeFileSync(path.join(a, "label.json"), "{ torn");
    expect(readRun(a).label).toBeUndefined();
  });

  test("tells its rows, duplicates, checkpoints and what it is scored on", () => {
    const folder = make(workplace().root, "a");
    const details = runDetails(folder);
    expect(details.report).toEqual({ n: 8, duplicates: 2, equalSides: 0, groups: 0, tasks: [] });
    expect(details.rows).toHaveLength(5);
    expect(details.checkpoints).toMatchObject([{ step: 200, score: 0.83 }]);
    expect(details.evaluation).toMatchObject([{ file: "data/task.json", sha256: expect.stringMatching(/^44136fa3/) }]);
  });

  test("goes on from a checkpoint in a folder of its own, at another rate, and stays as it was", async () => {
    const folder = make(workplace().root, "a");
    const before = readFileSync(path.join(folder, "metrics.jsonl"), "utf8");
    const forked = await forkRun(folder, 200, 0.001);
    const run = readRun(forked);
    expect([run.config.name, run.config.learningRate, run.status.state, run.status.step]).toEqual([
      "a-from-200",
      0.001,
      "stopped",
      200,
    ]);
    const lines = readFileSync(path.join(forked, "metrics.jsonl"), "utf8").trimEnd().split("\n");
    expect(Math.max(...lines.map((line) => (JSON.parse(line) as { step: number }).step))).toBe(200);
    expect(readFileSync(path.join(folder, "metrics.jsonl"), "utf8")).toBe(before);
    expect(path.basename(await forkRun(folder, 200))).toBe(`${run.config.id}-2`);
    await expect(forkRun(folder, 300)).rejects.toSatisfy(
      (error) => error instanceof ParallaxError && error.code === "run.no-checkpoint",
    );
  });

  test("of version 1 is read as one of version 2", () => {
    const folder = make(workplace().root, "a");
    const { matryoshka: _m, chunk: _c, lora: _l, ...old } = readRun(folder).config;
    writeFileSync(
      path.join(folder, "config.json"),
      JSON.stringify({ ...old, version: 1, evaluation: { file: "data/task.json", every: 10 } }),
    );
    expect(readRun(folder).config).toMatchObject({ version: 2, evaluation: { files: ["data/task.json"], every: 10 } });
  });

  test("with a label that cannot be written says so", async () => {
    await expect(writeLabel("/nowhere/run", { name: "x" })).rejects.toMatchObject({ code: "run.missing" });
  });
});

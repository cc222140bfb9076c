import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { currentContext, setDefaultContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders, loadedEncoders } from "../../kernels/api/encoder.ts";
import { encode, loadEncoder, similarity } from "../../kernels/api/index.ts";
import { inThreadCompute, setDefaultCompute } from "../../kernels/graph/compute.ts";
import { DISPLAY, MIME, type TableView } from "../../kernels/protocol/display.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-api-encode-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
setDefaultCompute(compute);
writeTinyBert(path.join(root, "models", "tiny"));
writeTinyBert(path.join(root, "models", "other"), { seed: 2 });
setDefaultContext({ ...currentContext(), workingFolder: root });
afterAll(async () => {
  await disposeEncoders();
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

test("loads a folder relative to the notebook, once", async () => {
  const [a, b] = await Promise.all([loadEncoder("models/tiny"), loadEncoder("models/tiny")]);
  expect(a).toBe(b);
  expect(a.identity.reference).toBe("models/tiny");
  expect(await loadEncoder("models/tiny", { shared: false })).not.toBe(a);
  expect(await loadEncoder("models/tiny", { maxTokens: 8 })).not.toBe(a);
  expect(await loadedEncoders()).toEqual(["tiny", "tiny"]);
});

test("loads again what was disposed, and what changed on disk", async () => {
  const first = await loadEncoder("models/tiny");
  await first.dispose();
  const second = await loadEncoder("models/tiny");
  expect(second).not.toBe(first);
  writeTinyBert(path.join(root, "models", "tiny"));
  expect(await loadEncoder("models/tiny")).not.toBe(second);
});

test("encodes with an encoder or its name, and reports progress to the cell", async () => {
  const seen: unknown[] = [];
  const set = await withContext(
    { ...currentContext(), workingFolder: root, progress: (_id, progress) => seen.push(progress) },
    () => encode(["the dog", "a cat"], { encoder: "models/tiny", prompt: "query: {text}" }),
  );
  expect([set.n, set.dimensions, set.prompt]).toEqual([2, 32, "query: {text}"]);
  expect(seen[0]).toMatchObject({ stage: "Encoding", done: 0, total: 2 });
  expect(seen.at(-1)).toEqual({ finished: true });
  expect((await encode(["the dog"], { encoder: await loadEncoder("models/tiny") })).n).toBe(1);
});

test("a cell that was stopped encodes nothing", async () => {
  const stopped = { ...currentContext(), signal: AbortSignal.abort() };
  await expect(withContext(stopped, () => encode(["a"], { encoder: "models/tiny" }))).rejects.toMatchObject({
    kind: "cancelled",
  });
});

test("similarities are cosines, and top gives the nearest others", async () => {
  const set = await encode(["the dog", "the dog", "red stone house", "the cat"], { encoder: "models/tiny" });
  const matrix = await similarity(set);
  for (let i = 0; i < 4; i++)
    for (let j = 0; j < 4; j++)
      expect(matrix.at(i, j)).toBeCloseTo(
        set.row(i).reduce((sum, value, k) => sum + value * set.row(j)[k], 0),
        5,
      );
  expect(matrix.top(0, 2)[0]).toEqual({ row: 1, text: "the dog", similarity: expect.closeTo(1, 5) });
  expect(matrix.top(0, 10)).toHaveLength(3);
  expect(() => matrix.top(4)).toThrow(/Row 4 was asked for, there are rows 0 to 3/);
  const view = matrix[DISPLAY]()[MIME.table] as TableView;
  expect([view.columns.length, view.rows.length, view.rows[1]![0]]).toEqual([5, 4, "1: the dog"]);
});

test("a large matrix shows the nearest text of each", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `the dog ${"and cat ".repeat(i % 7)}`);
  const a = await encode(texts, { encoder: "models/tiny" });
  const b = await encode(texts.slice(0, 3), { encoder: "models/tiny", prompt: "passage: {text}" });
  const matrix = await similarity(a, b);
  expect([matrix.n, matrix.m, matrix.data.length]).toEqual([20, 3, 60]);
  const bundle = matrix[DISPLAY]();
  const view = bundle[MIME.table] as TableView;
  expect(view.columns.map((column) => column.name)).toEqual(["text", "nearest", "similarity"]);
  expect(view.notes[0]).toBe('Cosine, tiny against prompt "passage: {text}".');
  expect(bundle[MIME.plain]).toMatch(/^Cosine similarity, Float32 \[20, 3\]/);
  expect(bundle[MIME.html]).toContain("<table");
});

test("refuses to compare vectors of different encoders", async () => {
  const a = await encode(["dog"], { encoder: "models/tiny" });
  const b = await encode(["dog"], { encoder: "models/other" });
  await expect(similarity(a, b)).rejects.toMatchObject({ code: "similarity.different-encoders" });
});

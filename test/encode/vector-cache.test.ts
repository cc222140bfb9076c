import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { closeVectorCache, enableVectorCache, VectorCache } from "../../kernels/encode/vector-cache.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { root as project } from "../../scripts/build.mjs";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-cache-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
afterEach(closeVectorCache);
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

const row = (...ids: number[]) => ({ ids, skip: 0 });
const random = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898) * 43758.5453);

describe("a cache of vectors", () => {
  it("gives back the bytes it was given, and nothing for other rows, encoders and sizes", async () => {
    const cache = VectorCache.open({ folder: path.join(root, "a") });
    const vectors = random(12);
    await cache.store("one", [row(1, 2), { ids: [1, 2], skip: 1 }, row()], vectors, 4);
    const found = cache.lookup("one", [row(1, 2), { ids: [1, 2], skip: 1 }, row(), row(2, 1), row(12)], 4);
    expect(found.slice(0, 3).map((v) => Buffer.from(v!.buffer).toString("hex"))).toEqual(
      [0, 1, 2].map((i) => Buffer.from(vectors.slice(4 * i, 4 * i + 4).buffer).toString("hex")),
    );
    expect(found.slice(3)).toEqual([undefined, undefined]);
    expect(cache.lookup("two", [row(1, 2)], 4)).toEqual([undefined]);
    expect(cache.lookup("one", [row(1, 2)], 5)).toEqual([undefined]);
    expect(cache.info()).toMatchObject({ entries: 3, hits: 3, misses: 4 });
    await cache.close();
  });

  it("stays within its limit and keeps working", async () => {
    const cache = VectorCache.open({ folder: path.join(root, "b"), maxBytes: 600_000 });
    for (let round = 0; round < 8; round++) {
      const rows = Array.from({ length: 500 }, (_, i) => row(round, i));
      await cache.store("x", rows, random(500 * 64), 64);
    }
    await cache.trim();
    const { bytes, entries } = cache.info();
    expect(bytes).toBeLessThanOrEqual(700_000);
    expect(entries).toBeGreaterThan(500);
    await cache.store("x", [row(99)], random(64), 64);
    expect(cache.lookup("x", [row(99)], 64)[0]).toEqual(random(64));
    await cache.clear();
    expect(cache.info().entries).toBe(0);
    await cache.close();
  });

  it("that cannot be opened is said, and encoding works without it", async () => {
    const folder = path.join(root, "home", "cache", "vectors");
    rmSync(folder, { recursive: true, force: true });
    writeFileSync(path.join(root, "file"), "");
    process.env.PARALLAX_HOME = path.join(root, "file");
    try {
      expect(enableVectorCache()).toMatch(
        /^The cache of vectors in .* cannot be opened: .*Encoding works without it\.$/,
      );
    } finally {
      process.env.PARALLAX_HOME = path.join(root, "home");
    }
  });
});

describe("an encoder with a cache", () => {
  const TEXTS = ["the dog reads a book", "cat", "a red house", "the dog reads a book"];

  it("encodes only what is new, and gives the same vectors", { timeout: 30_000 }, async () => {
    const folder = path.join(root, "model");
    writeTinyFolder(folder, "bert");
    const encoder = await openEncoder(folder, { compute });
    const without = await encoder.encode(TEXTS);
    expect(enableVectorCache()).toBeNull();
    const first = await encoder.encode(TEXTS);
    const second = await encoder.encode([...TEXTS, "a new text"]);
    expect([first.report.cached, second.report.cached]).toEqual([undefined, 4]);
    expect(second.data.slice(0, first.data.length)).toEqual(first.data);
    expect(first.data).toEqual(without.data);
    // The rest of the report is of all texts.
    expect(second.report).toMatchObject({ n: 5, tokens: first.report.tokens + 5 });
    const prompted = await encoder.encode(TEXTS, { prompt: "query: {text}" });
    expect(prompted.report.cached).toBeUndefined();
    expect((await encoder.encode(TEXTS, { cache: "skip" })).report.cached).toBeUndefined();
    expect((await encoder.encode(TEXTS, { cache: "refresh" })).report.cached).toBeUndefined();
    // Another length limit is another encoder, the same folder loaded again is the same.
    const shorter = await openEncoder(folder, { compute, maxTokens: 4 });
    expect((await shorter.encode(TEXTS)).report.cached).toBeUndefined();
    const again = await openEncoder(folder, { compute });
    expect((await again.encode(TEXTS)).report.cached).toBe(4);
    for (const each of [encoder, shorter, again]) await each.dispose();
  });
});

describe("several processes", () => {
  let script = "";
  beforeAll(async () => {
    script = path.join(project, "node_modules/.cache-writer.mjs");
    await build({
      absWorkingDir: project,
      entryPoints: ["test/support/cache-writer.ts"],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      logLevel: "error",
    });
  });
  afterAll(() => rmSync(script, { force: true }));

  const start = (folder: string, seed: number): Promise<ChildProcess> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [script, folder, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
      child.stdout?.once("data", () => resolve(child));
      child.once("exit", (code) => reject(new Error(`the writer ended with ${code}`)));
    });

  it("write at once and are killed in the middle: every vector that is there is whole", {
    timeout: 60_000,
  }, async () => {
    const folder = path.join(root, "killed");
    const writers = await Promise.all([start(folder, 1), start(folder, 2)]);
    const reader = VectorCache.open({ folder });
    for (const writer of writers) {
      writer.removeAllListeners("exit");
      await new Promise((resolve) => setTimeout(resolve, 100));
      const ended = new Promise((resolve) => writer.once("exit", resolve));
      writer.kill("SIGKILL");
      await ended;
    }
    let whole = 0;
    for (const seed of [1, 2])
      for (let round = 0; ; round++) {
        const rows = Array.from({ length: 50 }, (_, i) => row(seed, round, i));
        const found = reader.lookup("writer", rows, 64);
        if (found.every((vector) => vector === undefined)) break;
        found.forEach((vector, i) => {
          const expected = Math.fround(seed * 1e6 + round * 50 + i);
          if (vector === undefined) return;
          if (vector.every((value) => value === expected)) whole++;
          else throw new Error(`vector ${i} of round ${round} of writer ${seed} is torn`);
        });
      }
    expect(whole).toBeGreaterThan(1000);
    await reader.store("writer", [row(3)], random(64), 64);
    expect(reader.lookup("writer", [row(3)], 64)[0]).toEqual(random(64));
    expect(readdirSync(folder).length).toBeGreaterThan(0);
    await reader.close();
  });
});

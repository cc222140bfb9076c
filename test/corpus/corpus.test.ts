import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApproximateIndex } from "../../kernels/corpus/approximate.ts";
import { Corpus } from "../../kernels/corpus/corpus.ts";
import { exactNearest } from "../../kernels/corpus/exact-nearest.ts";
import { nearest } from "../../kernels/corpus/nearest.ts";
import { type WriteCorpusOptions, writeCorpus } from "../../kernels/corpus/write-corpus.ts";
import { streamTexts } from "../../kernels/data/text-stream.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { root as project } from "../../scripts/build.mjs";
import { tinyVocabulary } from "../support/tiny-bert.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-corpus-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
const model = path.join(root, "model");
writeTinyFolder(model, "bert");
let encoder: Encoder;
beforeAll(async () => {
  encoder = await openEncoder(model, { compute, threads: 1 });
});
afterAll(async () => {
  await encoder.dispose();
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** Texts of 1 to 12 words, all different, some with letters of two and four bytes. */
const words = tinyVocabulary().slice(100);
const texts = Array.from({ length: 5000 }, (_, i) => {
  const length = 1 + ((i * 7) % 12);
  const line = Array.from({ length }, (__, j) => words[(i * 13 + j * j * 5) % words.length]).join(" ");
  return i % 97 === 0 ? `${line} é 😀 ${i}` : `${line} ${i}`;
});
const tsv = path.join(root, "texts.tsv");
writeFileSync(tsv, `id\ttext\n${texts.map((text, i) => `n${i}\t${text}`).join("\n")}\n`);

let folders = 0;
const fresh = () => path.join(root, `corpus-${++folders}`);
const write = (options: Partial<WriteCorpusOptions> = {}) => {
  const folder = options.folder ?? fresh();
  return writeCorpus({ file: tsv, column: "text", encoder, folder, ...options }).then(() => folder);
};
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: ParallaxError) => `${error.code}: ${error.message}`,
  );

describe("a stream of texts", () => {
  async function all(file: string, options: Partial<Parameters<typeof streamTexts>[1]> = {}) {
    const rows: { text: string; id: string }[] = [];
    for await (const block of streamTexts(file, { column: "text", ...options })) rows.push(...block);
    return rows;
  }
  const save = (name: string, content: string | Uint8Array) => {
    const file = path.join(root, name);
    writeFileSync(file, content);
    return file;
  };

  it("is the same from every format, zipped or not", async () => {
    const rows = [
      ["a", "the dog"],
      ["b", 'say "yes", twice\n'],
      ["c", ""],
    ];
    const jsonl = rows.map(([id, text]) => JSON.stringify({ id, text, more: 1 })).join("\n");
    const csv = `text,id\r\n${rows.map(([id, text]) => `"${text.replaceAll('"', '""')}",${id}`).join("\r\n")}\r\n`;
    const expected = rows.map(([id, text]) => ({ id, text }));
    expect(await all(save("s.jsonl", jsonl), { idColumn: "id" })).toEqual(expected);
    expect(await all(save("s.jsonl.gz", gzipSync(jsonl)), { idColumn: "id" })).toEqual(expected);
    expect(await all(save("s.csv", csv), { idColumn: "id" })).toEqual(expected);
    expect(await all(save("s.txt", "one\ntwo\n"))).toEqual([
      { text: "one", id: "0" },
      { text: "two", id: "1" },
    ]);
    expect(await all(tsv, { skip: 4998 })).toEqual([4998, 4999].map((i) => ({ text: texts[i], id: String(i) })));
  });

  it("names the row without a text, and the columns of a table without that column", async () => {
    const file = save("bad.jsonl", '{"text":"a"}\n{"text":null}\n');
    expect(await refusal(all(file))).toMatch(
      /^table.not-text: Row 1 \(rows count from 0\) .* nothing in the column "text"/,
    );
    expect(await refusal(all(tsv, { column: "txt" }))).toMatch(/^table.missing-column: .*"id", "text"/);
  });
});

describe("a corpus", () => {
  it("holds the vectors, texts and names of its table", async () => {
    const folder = await write({ idColumn: "id" });
    const corpus = Corpus.open(folder);
    expect(corpus.n).toBe(texts.length);
    const rows = [0, 1, 97, 2047, 2048, 4999];
    for (const row of rows) {
      expect([corpus.text(row), corpus.id(row)]).toEqual([texts[row], `n${row}`]);
      const alone = (await encoder.encode([texts[row]])).data;
      const far = Math.max(...corpus.rows(row, row + 1).map((value, k) => Math.abs(value - alone[k])));
      expect(far).toBeLessThan(1e-6);
    }
    expect(() => corpus.rows(0, 5001)).toThrow(/rows 0 to 4999/);
    expect(corpus.manifest).toMatchObject({ state: "done", dtype: "float32", prompt: "", source: { column: "text" } });
    corpus.close();
    expect(() => corpus.text(0)).toThrow(/was closed/);
  });

  it("is read by NumPy as it is", async () => {
    const python = "/usr/bin/python3";
    if (spawnSync(python, ["-c", "import numpy"]).status !== 0) return;
    for (const dtype of ["float32", "float16", "int8"] as const) {
      const folder = await write({ dtype });
      const code = `import numpy,sys; a=numpy.load(sys.argv[1]+"/vectors.npy", mmap_mode="r"); s=numpy.load(sys.argv[1]+"/scales.npy")[4999] if a.dtype=="int8" else 1; print(a.shape, a.dtype, float(a[4999,7]*s))`;
      const out = spawnSync(python, ["-c", code, folder], { encoding: "utf8" });
      const corpus = Corpus.open(folder);
      expect(out.stdout.trim()).toBe(`(5000, 32) ${dtype} ${Number(corpus.rows(4999, 5000)[7])}`);
      corpus.close();
    }
  });

  it("is finished once: the same call again changes nothing, another job is refused", async () => {
    const folder = await write();
    const before = readFileSync(path.join(folder, "manifest.json"), "utf8");
    await write({ folder });
    expect(readFileSync(path.join(folder, "manifest.json"), "utf8")).toBe(before);
    expect(await refusal(write({ folder, prompt: "query: {text}" }))).toMatch(
      /^corpus.other-job: .*prompt: , now query: \{text\}/,
    );
    expect(await refusal(write({ folder, dtype: "float16" }))).toMatch(
      /^corpus.other-job: .*numbers: float32, now float16/,
    );
    const other = path.join(root, "other-model");
    writeTinyFolder(other, "bert", { seed: 4 });
    const second = await openEncoder(other, { compute, threads: 1 });
    expect(await refusal(write({ folder, encoder: second }))).toMatch(/^corpus.other-job: .*encoder: /);
    await second.dispose();
  });

  it("whose table changed in the middle is refused", async () => {
    const table = path.join(root, "changing.tsv");
    cpSync(tsv, table);
    const folder = fresh();
    const controller = new AbortController();
    const stopped = refusal(
      write({
        file: table,
        folder,
        signal: controller.signal,
        onProgress: ({ stage, done }) => {
          if (stage === "Encoding the corpus" && done >= 2048) controller.abort();
        },
      }),
    );
    expect(await stopped).toMatch(/cancel/i);
    expect(() => Corpus.open(folder)).toThrow(/is not finished: \d,\d+ rows/);
    appendFileSync(table, "n\tone more\n");
    expect(await refusal(write({ file: table, folder }))).toMatch(/^corpus.changed-source: /);
  });

  it("that is damaged is refused with what is wrong", async () => {
    const good = await write();
    const change = (what: (folder: string) => void) => {
      const folder = fresh();
      cpSync(good, folder, { recursive: true });
      what(folder);
      try {
        Corpus.open(folder).close();
        return "opened";
      } catch (error) {
        return `${(error as ParallaxError).code}: ${(error as Error).message}`;
      }
    };
    expect(change(() => undefined)).toBe("opened");
    expect(change((folder) => truncateSync(path.join(folder, "vectors.npy"), 1000))).toMatch(
      /^corpus.damaged: .*has 1000 bytes/,
    );
    expect(change((folder) => rmSync(path.join(folder, "texts.ends")))).toMatch(
      /^corpus.damaged: .*texts.ends is missing/,
    );
    expect(change((folder) => writeFileSync(path.join(folder, "manifest.json"), "{"))).toMatch(
      /^corpus.damaged: .*manifest.json/,
    );
    expect(
      change((folder) => {
        const fd = openSync(path.join(folder, "vectors.npy"), "r+");
        writeSync(fd, "xx", 20);
        closeSync(fd);
      }),
    ).toMatch(/^corpus.damaged: .*does not begin/);
    const torn = fresh();
    cpSync(good, torn, { recursive: true });
    const fd = openSync(path.join(torn, "texts.ends"), "r+");
    writeSync(fd, Buffer.alloc(8, 0xff), 0, 8, 80);
    closeSync(fd);
    const corpus = Corpus.open(torn);
    expect(corpus.text(3)).toBe(texts[3]);
    expect(() => corpus.text(10)).toThrow(/texts.ends says that row 10/);
    corpus.close();
  });
});

describe("a process that encodes a corpus", () => {
  let script = "";
  beforeAll(async () => {
    script = path.join(project, "node_modules/.corpus-process.mjs");
    await build({
      absWorkingDir: project,
      entryPoints: ["test/support/corpus-process.ts"],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      logLevel: "error",
    });
  });
  afterAll(() => rmSync(script, { force: true }));

  /** Runs it; kills it once it has kept so many rows. Returns what it had said. */
  function run(folder: string, killAt: number): Promise<{ code: number | null; last: number; error: string }> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [script, tsv, model, folder], { stdio: ["ignore", "pipe", "pipe"] });
      let last = 0;
      let error = "";
      child.stderr.on("data", (data) => {
        error += String(data);
      });
      child.stdout.on("data", (data) => {
        last = Number(String(data).trim().split("\n").at(-1));
        if (last >= killAt) child.kill("SIGKILL");
      });
      child.once("exit", (code) => resolve({ code, last, error }));
    });
  }

  it("killed twice and called again gives the bits of an unbroken run", { timeout: 60_000 }, async () => {
    const [unbroken, killed] = [fresh(), fresh()];
    expect((await run(unbroken, Number.POSITIVE_INFINITY)).code).toBe(0);
    expect((await run(killed, 2000)).code).toBeNull();
    // What it was writing when it died stays behind the last checkpoint and is written again.
    if (existsSync(path.join(killed, "vectors.npy"))) appendFileSync(path.join(killed, "vectors.npy"), "half a row");
    expect((await run(killed, 4000)).code).toBeNull();
    expect((await run(killed, Number.POSITIVE_INFINITY)).code).toBe(0);
    for (const name of ["vectors.npy", "texts.txt", "texts.ends", "ids.txt", "ids.ends"])
      expect(readFileSync(path.join(killed, name)).equals(readFileSync(path.join(unbroken, name))), name).toBe(true);
  });

  it("keeps another one out, and says which process it is", { timeout: 60_000 }, async () => {
    const folder = fresh();
    const first = run(folder, Number.POSITIVE_INFINITY);
    let second = "done";
    for (let tries = 0; tries < 200 && second === "done"; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (existsSync(folder)) second = await refusal(write({ folder }));
    }
    expect(second).toMatch(/^corpus.in-use: .*process \d+/);
    expect((await first).code).toBe(0);
  });
});

describe("nearest texts", () => {
  const unit = (row: Float32Array) => row.map((value) => value / Math.hypot(...row));

  it("are those of comparing every row, equal ones in row order", async () => {
    const table = path.join(root, "twins.tsv");
    const some = [...texts.slice(0, 900), texts[5], texts[5]];
    writeFileSync(table, `text\n${some.join("\n")}\n`);
    const corpus = Corpus.open(await write({ file: table }));
    const all = corpus.unitRows(0, corpus.n);
    const queries = (await encoder.encode(["the dog reads a book", texts[5]])).data;
    const found = await exactNearest(corpus, queries, 12, compute);
    for (const i of [0, 1]) {
      const query = queries.subarray(32 * i, 32 * i + 32);
      const cosines = Array.from({ length: corpus.n }, (_, row) =>
        query.reduce((sum, value, k) => sum + value * all[row * 32 + k], 0),
      );
      const order = cosines.map((_, row) => row).sort((a, b) => cosines[b] - cosines[a] || a - b);
      const rows = [...found.rows.subarray(12 * i, 12 * i + 12)];
      rows.forEach((row, j) => {
        // Sums in another order may swap neighbours whose cosines differ by a rounding.
        expect(Math.abs(cosines[row] - cosines[order[j]])).toBeLessThan(1e-6);
      });
      if (i === 1) expect(rows.slice(0, 3)).toEqual([5, 900, 901]);
    }
    expect((await exactNearest(corpus, queries, 5000, compute)).k).toBe(902);
    corpus.close();
  });

  it("of an index come with its measured recall, and the index is kept for this corpus only", {
    timeout: 60_000,
  }, async () => {
    const folder = await write();
    const corpus = Corpus.open(folder);
    expect(ApproximateIndex.load(corpus)).toBeUndefined();
    const queries = unit((await encoder.encode(["the dog reads a book"])).data);
    const found = await nearest(corpus, queries, compute, { k: 5, exact: false });
    expect(found.index?.recall).toMatchObject({ k: 10, n: 200, seed: 0 });
    expect(found.index?.recall.mean).toBeGreaterThan(0.9);
    expect(found.index?.recall.low).toBeLessThanOrEqual(found.index?.recall.mean ?? 0);
    const exact = await nearest(corpus, queries, compute, { k: 5 });
    expect(exact.index).toBeNull();
    // The nearest text of all is hardly ever missed.
    expect(Math.abs(found.cosines[0] - exact.cosines[0])).toBeLessThan(1e-5);
    const again = ApproximateIndex.load(corpus);
    expect([...(again?.nearest(queries, 5).rows ?? [])]).toEqual([...found.rows]);
    writeFileSync(path.join(folder, "index.usearch"), "not an index");
    expect(ApproximateIndex.load(corpus)).toBeUndefined();
    corpus.close();
  });
});

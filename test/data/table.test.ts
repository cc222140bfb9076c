import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTable, Table } from "../../kernels/data/table.ts";
import { DISPLAY, MIME, type TableView } from "../../kernels/protocol/display.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "parallax-table-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const where = path.join(folder, name);
  await writeFile(where, content);
  return where;
}
const read = async (name: string, content: string | Uint8Array): Promise<Table> => readTable(await file(name, content));

describe("readTable", () => {
  test("reads tsv without touching quotes, spaces, NUL or carriage returns inside texts", async () => {
    const table = await read("a.tsv", 'label\ttext\nx\t"quoted" \' text \ny\tnul\u0000 and \r inside\r\n');
    expect(table.rows()).toEqual([
      { label: "x", text: '"quoted" \' text ' },
      { label: "y", text: "nul\u0000 and \r inside\r" },
    ]);
  });

  test("reads tsv with Windows line ends and a byte order mark", async () => {
    const table = await read("b.tsv", "\ufefflabel\ttext\r\nx\tone\r\ny\ttwo\r\n");
    expect(table.columns).toEqual(["label", "text"]);
    expect(table.column("text")).toEqual(["one", "two"]);
  });

  test("reads csv with quotes, separators and line ends inside cells", async () => {
    const table = await read("c.csv", 'id,text\n1,"one, ""two""\nthree"\n2,plain\n');
    expect(table.rows()).toEqual([
      { id: "1", text: 'one, "two"\nthree' },
      { id: "2", text: "plain" },
    ]);
    expect(table.numbers("id")).toEqual([1, 2]);
  });

  test("reads jsonl with columns in order of appearance, null where a row lacks one, and lone surrogates kept", async () => {
    const table = await read("d.jsonl", '{"a": 1, "text": "lone \\ud800 half"}\n\n{"text": "b", "more": [1, 2]}\n');
    expect(table.columns).toEqual(["a", "text", "more"]);
    expect(table.rows()).toEqual([
      { a: 1, text: "lone \ud800 half", more: null },
      { a: null, text: "b", more: [1, 2] },
    ]);
    expect(table.text("text")[0]).toHaveLength(11);
  });

  test("reads a JSON list, and one text a line", async () => {
    expect((await read("e.json", '[{"text": "x"}, {"text": "y"}]')).column("text")).toEqual(["x", "y"]);
    expect((await read("e.txt", "one\n\nthree")).column("text")).toEqual(["one", "", "three"]);
  });

  test("looks through gzip, whatever the name says", async () => {
    const zipped = gzipSync("text\none\ntwo\n");
    expect((await read("f.tsv.gz", zipped)).column("text")).toEqual(["one", "two"]);
    expect((await read("f.tsv", zipped)).column("text")).toEqual(["one", "two"]);
  });

  test.each(["snappy", "zstd", "gzip", "brotli"])("reads parquet written with %s", async (codec) => {
    const table = await readTable(path.join(import.meta.dirname, `fixtures/pairs-${codec}.parquet`));
    expect(table.columns).toEqual(["sentence1", "sentence2", "score", "id", "tags"]);
    expect(table.column("sentence1")).toEqual(["A dog runs.", "Ein Hund läuft.", null, "狗在跑", "nul\u0000here"]);
    expect(table.numbers("score")).toEqual([5, 0.5, 1, 2.25, 3]);
    expect(table.column("id")).toEqual([1, 2, 3, 4, 9007199254740992n]);
    expect(table.column("tags")).toEqual([["a", "b"], [], ["c"], null, ["d"]]);
  });

  test("reads a text of 1 MB whole, across many blocks", async () => {
    const long = "å".repeat(1_500_000);
    const table = await read("g.tsv", `id\ttext\n1\t${long}\n2\tshort\n`);
    expect(table.text("text")).toEqual([long, "short"]);
  });

  test("stops at the limit", async () => {
    expect((await readTable(await file("h.csv", "a\n1\n2\n3\n"), { limit: 2 })).column("a")).toEqual(["1", "2"]);
    expect((await readTable(await file("h.tsv", "a\n1\n2\n3\n"), { limit: 2 })).column("a")).toEqual(["1", "2"]);
    expect((await readTable(await file("h.jsonl", '{"a":1}\n{"a":2}\n{"a":3}\n'), { limit: 2 })).n).toBe(2);
  });

  test("reports bytes read, and stops when asked", async () => {
    const where = await file("i.tsv", `text\n${"word word word\n".repeat(400_000)}`);
    const seen: Progress[] = [];
    await readTable(where, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ stage: "Reading i.tsv", done: 6_000_005, total: 6_000_005, unit: "bytes" });
    expect(seen.length).toBeGreaterThan(3);
    const controller = new AbortController();
    const work = readTable(where, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(work).rejects.toMatchObject({ code: "work.cancelled", kind: "cancelled" });
  });
});

describe("a file that is no table", () => {
  test("does not exist: the nearest name is suggested", async () => {
    await file("pairs-of-texts.tsv", "a\n1\n");
    await expect(readTable(path.join(folder, "pairs-of-text.tsv"))).rejects.toMatchObject({
      code: "table.not-found",
      hint: `Did you mean ${path.join(folder, "pairs-of-texts.tsv")}?`,
    });
    await expect(readTable(path.join(folder, "no/such/x.tsv"))).rejects.toMatchObject({ code: "table.not-found" });
  });

  test("is a folder, or has an unknown ending", async () => {
    await expect(readTable(folder, { format: "tsv" })).rejects.toMatchObject({ code: "table.is-folder" });
    await expect(readTable(path.join(folder, "x.docx"))).rejects.toMatchObject({ code: "table.unknown-format" });
  });

  test.each([
    ["e0.tsv", ""],
    ["e1.tsv", "a\tb\n"],
    ["e2.csv", ""],
    ["e3.csv", "a,b\n"],
    ["e4.jsonl", "\n\n"],
    ["e5.json", "[]"],
    ["e6.txt", ""],
    ["e7.parquet", ""],
  ])("is empty: %s", async (name, content) => {
    await expect(read(name, content)).rejects.toMatchObject({ code: "table.empty", kind: "user" });
  });

  test("is not UTF-8: the line is named, also late in the file", async () => {
    const latin = Buffer.concat([
      Buffer.from(`text\n${"gut\n".repeat(600_000)}`),
      Buffer.from([0x73, 0xe9, 0x0a]),
      Buffer.from("x\n"),
    ]);
    await expect(read("latin.tsv", latin)).rejects.toMatchObject({
      code: "table.not-utf8",
      details: { line: 600_002 },
    });
    await expect(read("wide.tsv", Buffer.from("\ufefftext\nx\n", "utf16le"))).rejects.toMatchObject({
      code: "table.not-utf8",
      message: "wide.tsv is UTF-16, not UTF-8.",
    });
  });

  test("has a broken JSON line: its number is named", async () => {
    await expect(read("broken.jsonl", '{"a": 1}\n{"a": 2}\n{"a": \n')).rejects.toMatchObject({
      code: "table.broken-json",
      message: expect.stringMatching(/^Line 3 of broken\.jsonl is not JSON: /) as string,
      details: { line: 3 },
    });
    await expect(read("list.jsonl", '{"a": 1}\n[2]\n')).rejects.toMatchObject({
      code: "table.broken-json",
      message: "list.jsonl has no object in line 2: found a list.",
    });
    await expect(read("object.json", '{"a": 1}')).rejects.toMatchObject({ code: "table.broken-json" });
  });

  test("has a row with other cells than the header: line and both counts are named", async () => {
    await expect(read("ragged.tsv", "a\tb\n1\t2\n1\t2\t3\n")).rejects.toMatchObject({
      code: "table.ragged-row",
      message: "Line 3 of ragged.tsv has 3 cells, its header has 2 (a, b).",
    });
    await expect(read("ragged.csv", "a,b\n1,2\n1,2,3\n")).rejects.toMatchObject({
      code: "table.ragged-row",
      details: { line: 3 },
    });
  });

  test("has an open quote, a broken gzip, a cut parquet, or a column twice", async () => {
    await expect(read("quote.csv", 'a,b\n1,"open\n')).rejects.toMatchObject({ code: "table.broken-csv" });
    await expect(read("cut.tsv.gz", gzipSync("text\none\n".repeat(50)).subarray(0, 30))).rejects.toMatchObject({
      code: "table.broken-gzip",
    });
    await expect(read("cut.parquet", "PAR1 and then nothing")).rejects.toMatchObject({ code: "table.broken-parquet" });
    await expect(read("twice.tsv", "a\ta\n1\t2\n")).rejects.toMatchObject({ code: "table.duplicate-column" });
  });
});

describe("Table", () => {
  const table = Table.fromRows(
    [
      { text: "one", score: "1.5" },
      { text: 2, score: " 3e-1 " },
      { text: null, score: "4" },
    ],
    "pairs.tsv",
  );

  test("names the columns found and the nearest one when a column is missing", () => {
    expect(() => table.column("txt")).toThrow(
      expect.objectContaining({
        code: "table.missing-column",
        message: 'pairs.tsv has no column "txt". It has "text", "score".',
        hint: 'Did you mean "text"?',
        details: { wanted: "txt", columns: ["text", "score"], nearest: "text" },
      }),
    );
    expect(() => table.column("zzzzzzzz")).toThrow(expect.objectContaining({ hint: "Use one of the columns listed." }));
  });

  test("gives texts and numbers, and names row and value where there is none", () => {
    expect(table.text("text")).toEqual(["one", "2", ""]);
    expect(table.numbers("score")).toEqual([1.5, 0.3, 4]);
    expect(() => Table.fromColumns({ score: ["1", "n/a"] }, "t.csv").numbers("score")).toThrow(
      expect.objectContaining({
        code: "table.not-a-number",
        message: 'Column "score" of t.csv is not a number in row 1 (rows count from 0): found "n/a".',
        details: { column: "score", row: 1, value: "n/a" },
      }),
    );
    for (const bad of ["", "0x10", "Infinity", null, true, Number.NaN])
      expect(() => Table.fromColumns({ x: [bad] }).numbers("x")).toThrow(
        expect.objectContaining({ code: "table.not-a-number" }),
      );
    expect(() => Table.fromColumns({ x: [["a"]] }).text("x")).toThrow(
      expect.objectContaining({
        code: "table.not-text",
        message: 'Column "x" of table is not text in row 0 (rows count from 0): found a list of 1.',
      }),
    );
  });

  test("filters, slices and selects without changing the original", () => {
    expect(table.filter((row) => row.text !== null).n).toBe(2);
    expect(table.slice(-1).column("score")).toEqual(["4"]);
    expect(table.select("score").columns).toEqual(["score"]);
    expect(table.n).toBe(3);
  });

  test("refuses columns of different length", () => {
    expect(() => Table.fromColumns({ a: [1], b: [1, 2] })).toThrow(
      expect.objectContaining({ code: "table.ragged-columns" }),
    );
  });

  test("shows itself as our table, HTML and plain text, escaped, cut and safe to write", () => {
    const nasty = Table.fromRows(
      [
        { text: "<b>&\u0000\ud800", n: 1 },
        { text: "x".repeat(1_000_000), n: 20 },
      ],
      "nasty",
    );
    const bundle = nasty[DISPLAY]() as Record<string, unknown>;
    expect(Object.keys(bundle)).toEqual([MIME.table, MIME.html, MIME.plain]);
    const view = bundle[MIME.table] as TableView;
    expect(view.columns).toEqual([
      { name: "text", kind: "text" },
      { name: "n", kind: "number" },
    ]);
    expect(view.total).toBe(2);
    expect(JSON.stringify(bundle).length).toBeLessThan(5000);
    expect(bundle[MIME.html]).toContain("&lt;b&gt;&amp;␀\ufffd");
    expect((bundle[MIME.plain] as string).split("\n")[0]).toBe("nasty");
    expect(bundle[MIME.plain]).toContain("<b>&␀\ufffd");
  });

  test("sends at most two hundred rows to the page and says how many there are", () => {
    const long = Table.fromColumns({ i: Array.from({ length: 1000 }, (_, i) => i) });
    expect(long.view().rows).toHaveLength(200);
    expect(long[DISPLAY]()[MIME.plain]).toContain("20 of 1,000 rows are shown.");
  });
});

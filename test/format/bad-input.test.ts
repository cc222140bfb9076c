import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newCell, newNotebook } from "../../notebooks/format/ops.ts";
import { decodeNotebook, parseNotebook } from "../../notebooks/format/parse.ts";
import { encodeNotebook, printNotebook } from "../../notebooks/format/print.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);

function sample(cells: number): string {
  const notebook = {
    ...newNotebook(),
    cells: Array.from({ length: cells }, (_, i) => newCell("code", `const a${i} = ${i};\n`)),
  };
  return printNotebook(notebook, null).text;
}

function summary(text: string) {
  const { notebook, source, problem } = parseNotebook(text);
  return {
    cells: notebook.cells.length,
    writable: source !== null,
    code: problem?.code,
    message: problem?.message,
    hint: problem?.hint,
  };
}

describe("bad input", () => {
  test("a file that is not JSON says what stands there", () => {
    expect(summary("Dear diary,\n{}")).toEqual({
      cells: 0,
      writable: false,
      code: "notebook.not-json",
      message:
        'A notebook is a JSON object; at line 1, column 1 there is "Dear diary,\\n{}". The file was not changed.',
      hint: "Open it in a text editor to see what it is, or choose another file.",
    });
    expect(summary("").code).toBe("notebook.empty");
    expect(summary("  \n").code).toBe("notebook.empty");
    expect(summary("[1, 2]").code).toBe("notebook.not-json");
    expect(summary('{"a": 1}').code).toBe("notebook.not-a-notebook");
    expect(summary('{"nbformat": 4, "cells": {}}').code).toBe("notebook.not-a-notebook");
  });

  test("nbformat 3 is shown and refused with the command that converts it", () => {
    const text = JSON.stringify({
      metadata: { name: "" },
      nbformat: 3,
      nbformat_minor: 0,
      worksheets: [
        {
          cells: [
            { cell_type: "heading", level: 2, source: ["Old"] },
            {
              cell_type: "code",
              input: ["1+", "1"],
              prompt_number: 1,
              outputs: [{ output_type: "pyout", text: ["2"] }],
            },
          ],
        },
      ],
    });
    const { notebook, source, problem } = parseNotebook(text);
    expect(source).toBeNull();
    expect(problem?.message).toBe(
      "This notebook is in nbformat 3; Parallax reads and writes nbformat 4. It is shown read-only. The file was not changed.",
    );
    expect(problem?.hint).toContain("jupyter nbconvert --to notebook --nbformat 4");
    expect(notebook.cells.map((cell) => [cell.source, cell.outputs?.map((output) => output.data)])).toEqual([
      ["## Old", undefined],
      ["1+1", [{ "text/plain": "2" }]],
    ]);
    expect(summary('{"nbformat": 5, "cells": []}').code).toBe("notebook.newer-format");
  });

  test("a file cut off anywhere shows the cells before the cut and cannot be written", () => {
    const text = sample(6);
    const ends = [...text.matchAll(/\n {2}\}/g)].map((match) => match.index + match[0].length).slice(0, 6);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: text.length - 3 }), (cut) => {
        const result = summary(text.slice(0, cut));
        expect(result.writable).toBe(false);
        expect(result.code).toBe("notebook.truncated");
        expect(result.cells).toBe(ends.filter((end) => end <= cut).length);
      }),
      { numRuns },
    );
    const half = summary(text.slice(0, ends[2]! + 20));
    expect(half.message).toMatch(
      /^The file ends in the middle of its JSON, at line \d+: its tail is missing\. The first 3 cells are shown, read-only\. The file was not changed\.$/,
    );
  });

  test("a merge conflict is named with its line", () => {
    const lines = sample(3).split("\n");
    lines.splice(20, 0, "<<<<<<< HEAD");
    expect(summary(lines.join("\n"))).toMatchObject({ code: "notebook.merge-conflict", writable: false, cells: 1 });
    expect(summary(lines.join("\n")).message).toContain("a merge conflict at line 21");
  });

  test("any damage to a byte is survived, and what is written back is what was read", () => {
    const bytes = encodeNotebook(sample(3));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = bytes.slice();
        damaged[at] = value;
        const { notebook, source, problem } = decodeNotebook(damaged);
        expect(source === null).toBe(problem !== null);
        if (source !== null) expect(encodeNotebook(printNotebook(notebook, source).text)).toEqual(damaged);
      }),
      { numRuns },
    );
  });

  test("bytes that are not UTF-8 are shown but never written back", () => {
    const latin1 = Uint8Array.from(Buffer.from(sample(1).replace("const", "caf\u00e9"), "latin1"));
    const { notebook, source, problem } = decodeNotebook(latin1);
    expect([notebook.cells.length, source, problem?.code]).toEqual([1, null, "notebook.not-utf8"]);
    expect(decodeNotebook(Uint8Array.from(Buffer.from("\ufeff{}", "utf16le"))).problem?.code).toBe("notebook.not-utf8");
  });

  test("a cell that the model cannot hold is named", () => {
    const text = sample(2).replace('"cell_type": "code"', '"cell_type": "slide"');
    expect(summary(text)).toMatchObject({ cells: 0, writable: false, code: "notebook.invalid-cell" });
    expect(summary(text).message).toContain('Cell 1 has the type "slide" (known: code, markdown, raw).');
  });

  test("a million levels of nesting are refused, not run out of stack", () => {
    const text = `{"cells": [], "metadata": {"a": ${"[".repeat(1e6)}${"]".repeat(1e6)}}, "nbformat": 4, "nbformat_minor": 5}`;
    expect(summary(text).code).toBe("notebook.broken-json");
  });

  test("lone surrogates, NUL and __proto__ survive", () => {
    const text =
      '{"cells":[{"cell_type":"raw","id":"a","metadata":{"__proto__":{"x":1}},"source":["\\ud800\\u0000"]}],"metadata":{"__proto__":1.0},"nbformat":4,"nbformat_minor":5}';
    const { notebook, source } = parseNotebook(text);
    expect(notebook.cells[0]!.source).toBe("\ud800\0");
    expect(printNotebook(structuredClone(notebook), source).text).toBe(text);
  });
});

/** Processor time of this process: other work on the machine does not count. */
const cpuMs = () => process.cpuUsage().user / 1000;

describe("size", () => {
  test("300 MB of metadata stays in the file and out of memory, in seconds", () => {
    const big = `"${"x".repeat(300e6)}"`;
    const text = sample(2).replace(
      '"metadata": {\n  "kernelspec"',
      `"metadata": {\n  "dataset": ${big},\n  "kernelspec"`,
    );
    const started = cpuMs();
    const { notebook, source, problem } = parseNotebook(text);
    expect(problem).toBeNull();
    expect(Object.keys(notebook.metadata)).toEqual(["kernelspec", "language_info"]);
    const cells = notebook.cells.map((cell) => ({ ...cell, source: "edited" }));
    const edited = printNotebook({ ...notebook, metadata: { ...notebook.metadata, note: 1 }, cells }, source).text;
    expect(edited.includes('"edited"')).toBe(true);
    expect(edited.length - text.length).toBeLessThan(100);
    expect(cpuMs() - started).toBeLessThan(10_000);
  });

  test("5,000 cells are read, edited and printed in well under a second each", () => {
    const text = sample(5000);
    const started = cpuMs();
    const { notebook, source } = parseNotebook(text);
    const cells = notebook.cells.map((cell, i) => (i % 2 === 0 ? cell : { ...cell, source: "x" }));
    const { text: printed } = printNotebook({ ...notebook, cells }, source);
    expect(parseNotebook(printed).notebook.cells).toEqual(cells);
    expect(cpuMs() - started).toBeLessThan(5_000);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cell, Notebook } from "../../notebooks/format/model.ts";
import { applyOp, applyOps, newCell, newNotebook } from "../../notebooks/format/ops.ts";
import { decodeNotebook, parseNotebook } from "../../notebooks/format/parse.ts";
import { encodeNotebook, printNotebook } from "../../notebooks/format/print.ts";
import { elementsOf, membersOf } from "../../notebooks/format/scan.ts";
import { notebook, op } from "./arbitraries.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 200);

/** A file as another program may write it: spelling of numbers, escapes, order and white space are its own. */
const FOREIGN = `{
  "nbformat": 4,
  "custom": {"z": 1.0, "a": 1e5, "big": 12345678901234567890, "esc": "\\u00e9\\/"},
  "nbformat_minor": 5,
  "cells": [
    {"cell_type": "markdown", "id": "intro", "metadata": {"weight": 1.0}, "source": "# Title\\nwith caf\\u00e9"},
    {
      "id": "code-1",
      "cell_type": "code",
      "source": [
        "const a = 1;\\n",
        "a / 2 // \\u00bd\\n",
        "a"
      ],
      "execution_count": 3,
      "outputs": [
        {"output_type": "stream", "name": "stdout", "text": ["1\\n", "2\\n"], "x": 1.50},
        {"output_type": "weird_future", "payload": [1.0, {"b": 2, "a": 1}]}
      ],
      "metadata": {"scrolled": false, "n": -0.0}
    },
    {"cell_type": "raw", "id": "tail", "metadata": {}, "source": []}
  ],
  "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "zoom": 1.250}
}
`;

function cellTexts(text: string): string[] {
  const cells = membersOf(text, text.indexOf("{")).find((member) => member.key === "cells")!;
  return elementsOf(text, cells.start).map((span) => text.slice(span.start, span.end));
}

/** Writes a notebook the way some other program would. */
function foreignText(
  value: Notebook,
  style: { indent: string; eol: string; ascii: boolean; bom: boolean; lists: boolean },
) {
  const wire = {
    ...value,
    cells: value.cells.map((cell) => ({
      ...cell,
      source: style.lists ? cell.source.split(/(?<=\n)/).filter((line) => line !== "") : cell.source,
    })),
  };
  let text = JSON.stringify(wire, null, style.indent);
  if (style.ascii)
    text = text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return (style.bom ? "\ufeff" : "") + text.replaceAll("\n", style.eol) + style.eol;
}

const fileStyle = fc.record({
  indent: fc.constantFrom("", " ", "  ", "\t"),
  eol: fc.constantFrom("\n", "\r\n"),
  ascii: fc.boolean(),
  bom: fc.boolean(),
  lists: fc.boolean(),
});

describe("round trip", () => {
  test("an unchanged notebook gives the same characters, whatever their spelling", () => {
    const { notebook: read, source, problem } = parseNotebook(FOREIGN);
    expect(problem).toBeNull();
    expect(printNotebook(read, source).text).toBe(FOREIGN);
    // Also when nothing is recognised as the same object.
    expect(printNotebook(structuredClone(read), source).text).toBe(FOREIGN);
  });

  test("bytes stay the same in every style, and come back after an edit was undone", () => {
    fc.assert(
      fc.property(notebook, fileStyle, op, (value, style, edit) => {
        const text = foreignText(value, style);
        const bytes = encodeNotebook(text);
        const { notebook: read, source, problem } = decodeNotebook(bytes);
        expect(problem).toBeNull();
        expect(printNotebook(read, source).text).toBe(text);
        const edited = printNotebook(applyOp(read, edit), source);
        // Printed, printed again and taken back: the second print starts from what the first one wrote.
        expect(printNotebook(applyOp(read, edit), edited.source).text).toBe(edited.text);
        expect(parseNotebook(printNotebook(structuredClone(read), edited.source).text).notebook).toEqual(read);
      }),
      { numRuns },
    );
  });

  test("edits change the bytes of edited cells only, and are read back as they were made", () => {
    fc.assert(
      fc.property(notebook, fileStyle, fc.array(op, { minLength: 1, maxLength: 5 }), (value, style, ops) => {
        const text = foreignText(value, style);
        const { notebook: read, source } = parseNotebook(text);
        const edited = applyOps(read, ops);
        const printed = printNotebook(edited, source).text;
        const again = parseNotebook(printed);
        expect(again.problem).toBeNull();
        expect(again.notebook).toEqual(edited);
        const before = new Map(cellTexts(text).map((cell, i) => [read.cells[i]!.id, cell]));
        const after = cellTexts(printed);
        for (const [i, cell] of edited.cells.entries())
          if (read.cells.includes(cell)) expect(after[i]).toBe(before.get(cell.id));
      }),
      { numRuns },
    );
  });

  test("a changed line leaves the other lines, the other fields and the rest of the file as spelled", () => {
    const { notebook: read, source } = parseNotebook(FOREIGN);
    const edited = applyOp(read, { type: "set-source", cellId: "code-1", source: "const a = 2;\na / 2 // ½\na" });
    expect(printNotebook(edited, source).text).toBe(FOREIGN.replace("const a = 1;", "const a = 2;"));
  });

  test("metadata keeps the spelling of the values that stay", () => {
    const { notebook: read, source } = parseNotebook(FOREIGN);
    const edited = applyOp(read, { type: "set-cell-metadata", cellId: "code-1", metadata: { n: 0, scrolled: true } });
    expect(printNotebook(edited, source).text).toBe(FOREIGN.replace('"scrolled": false', '"scrolled": true'));
    const zoomed = applyOp(read, { type: "set-notebook-metadata", metadata: { ...read.metadata, authors: [] } });
    expect(printNotebook(zoomed, source).text).toBe(FOREIGN.replace('{"kernelspec"', '{"authors": [], "kernelspec"'));
  });

  test("a deleted and a moved cell take their commas along", () => {
    const { notebook: read, source } = parseNotebook(FOREIGN);
    const [a, b, c] = cellTexts(FOREIGN) as [string, string, string];
    const gone = printNotebook(applyOp(read, { type: "delete-cell", cellId: "code-1" }), source).text;
    expect(gone).toBe(FOREIGN.replace(`${b},\n    `, ""));
    const moved = printNotebook(applyOp(read, { type: "move-cell", cellId: "tail", index: 0 }), source).text;
    expect(cellTexts(moved)).toEqual([c, a, b]);
  });

  test("a file before nbformat 4.5 never gets ids", () => {
    const text =
      '{"cells":[{"cell_type":"markdown","metadata":{},"source":["a"]}],"metadata":{},"nbformat":4,"nbformat_minor":2}';
    const { notebook: read, source } = parseNotebook(text);
    expect(read.cells.map((cell) => cell.id)).toEqual(["cell-1"]);
    const edited = applyOps(read, [
      { type: "set-source", cellId: "cell-1", source: "b" },
      { type: "insert-cell", index: 1, cell: newCell("markdown", "new") },
    ]);
    expect(printNotebook(edited, source).text).toBe(
      '{"cells":[{"cell_type":"markdown","metadata":{},"source":["b"]},{"cell_type":"markdown","metadata":{},"source":["new"]}],"metadata":{},"nbformat":4,"nbformat_minor":2}',
    );
  });

  test("repeated, invalid and missing ids are told apart in memory and repaired only where a cell is edited", () => {
    const cell = (id: string, source: string) => `{"cell_type":"raw",${id}"metadata":{},"source":["${source}"]}`;
    const file = (cells: string[]) => `{"cells":[${cells.join(",")}],"metadata":{},"nbformat":4,"nbformat_minor":5}`;
    const text = file([cell('"id":"x",', "1"), cell('"id":"x",', "2"), cell('"id":"no good",', "3"), cell("", "4")]);
    const { notebook: read, source } = parseNotebook(text);
    expect(read.cells.map((each) => each.id)).toEqual(["x", "cell-2", "cell-3", "cell-4"]);
    const edited = applyOps(read, [
      { type: "set-source", cellId: "cell-2", source: "two" },
      { type: "set-source", cellId: "cell-4", source: "four" },
    ]);
    expect(printNotebook(edited, source).text).toBe(
      file([
        cell('"id":"x",', "1"),
        cell('"id":"cell-2",', "two"),
        cell('"id":"no good",', "3"),
        cell('"id":"cell-4",', "four"),
      ]),
    );
  });

  test("the located error of an error output stays in memory", () => {
    const error = { output_type: "error" as const, ename: "E", evalue: "e", traceback: ["E: e"] };
    const cell: Cell = { ...newCell("code"), outputs: [{ ...error, parallax: { frames: [] } }] };
    const { text } = printNotebook({ ...newNotebook(), cells: [cell] }, null);
    expect(parseNotebook(text).notebook.cells).toEqual([{ ...cell, outputs: [error] }]);
  });

  test("a new notebook is written as nbformat writes it", () => {
    const fresh: Notebook = {
      ...newNotebook(),
      metadata: {},
      cells: [
        {
          ...(newCell("code", "1 + 1\n2") as Cell),
          id: "a",
          outputs: [{ output_type: "stream", name: "stdout", text: "é\n" }],
        },
      ],
    };
    const { text } = printNotebook(fresh, null);
    expect(text).toBe(
      [
        "{",
        ' "cells": [',
        "  {",
        '   "cell_type": "code",',
        '   "execution_count": null,',
        '   "id": "a",',
        '   "metadata": {},',
        '   "outputs": [',
        "    {",
        '     "name": "stdout",',
        '     "output_type": "stream",',
        '     "text": [',
        '      "é\\n"',
        "     ]",
        "    }",
        "   ],",
        '   "source": [',
        '    "1 + 1\\n",',
        '    "2"',
        "   ]",
        "  }",
        " ],",
        ' "metadata": {},',
        ' "nbformat": 4,',
        ' "nbformat_minor": 5',
        "}",
        "",
      ].join("\n"),
    );
    expect(parseNotebook(text).notebook).toEqual(fresh);
  });
});

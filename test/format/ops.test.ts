import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isValidCellId } from "../../notebooks/format/ids.ts";
import type { Notebook } from "../../notebooks/format/model.ts";
import { applyOp, applyOps, invertOp, newCell, newNotebook } from "../../notebooks/format/ops.ts";
import { notebook, op } from "./arbitraries.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

describe("operations", () => {
  test("every operation is undone by its inverse and changes no input", () => {
    fc.assert(
      fc.property(notebook, fc.array(op, { maxLength: 6 }), (start, ops) => {
        let state = frozen(start);
        for (const each of ops) {
          const after = frozen(applyOp(state, each));
          expect(applyOps(after, invertOp(state, each))).toEqual(state);
          state = after;
        }
      }),
      { numRuns },
    );
  });

  test("ids stay unique and only code cells hold outputs", () => {
    fc.assert(
      fc.property(notebook, fc.array(op, { maxLength: 10 }), (start, ops) => {
        const { cells } = applyOps(start, ops);
        expect(new Set(cells.map((cell) => cell.id)).size).toBe(cells.length);
        expect(cells.filter((cell) => cell.cell_type !== "code" && "outputs" in cell)).toEqual([]);
      }),
      { numRuns },
    );
  });

  test("cells that an operation does not touch are the same objects", () => {
    const before: Notebook = { ...newNotebook(), cells: [newCell("code", "a"), newCell("markdown", "b")] };
    const after = applyOp(before, { type: "set-source", cellId: before.cells[0]!.id, source: "c" });
    expect(after.cells[1]).toBe(before.cells[1]);
    expect(after.metadata).toBe(before.metadata);
    expect(applyOp(before, { type: "set-source", cellId: "gone", source: "c" })).toBe(before);
  });

  test("stream text joins the last stream of the same name", () => {
    const cell = newCell("code");
    const start: Notebook = { ...newNotebook(), cells: [cell] };
    const end = applyOps(start, [
      { type: "append-stream", cellId: cell.id, name: "stdout", text: "a" },
      { type: "append-stream", cellId: cell.id, name: "stdout", text: "b\n" },
      { type: "append-stream", cellId: cell.id, name: "stderr", text: "c" },
    ]);
    expect(end.cells[0]!.outputs).toEqual([
      { output_type: "stream", name: "stdout", text: "ab\n" },
      { output_type: "stream", name: "stderr", text: "c" },
    ]);
  });

  test("an updated display keeps its id, in every cell that shows it", () => {
    const shown = {
      output_type: "display_data" as const,
      data: { "text/plain": "1" },
      metadata: { parallax: { displayId: "d" } },
    };
    const start: Notebook = {
      ...newNotebook(),
      cells: ["a", "b"].map((s) => ({ ...newCell("code", s), outputs: [shown] })),
    };
    const once = applyOp(start, {
      type: "update-display",
      displayId: "d",
      data: { "text/plain": "2" },
      metadata: { x: 1 },
    });
    const twice = applyOp(once, { type: "update-display", displayId: "d", data: { "text/plain": "3" }, metadata: {} });
    expect(twice.cells.map((cell) => cell.outputs)).toEqual(Array(2).fill([{ ...shown, data: { "text/plain": "3" } }]));
  });

  test("new cells have ids that nbformat 4.5 accepts", () => {
    const ids = Array.from({ length: 1000 }, () => newCell("code").id);
    expect(ids.every(isValidCellId)).toBe(true);
    expect(new Set(ids).size).toBe(1000);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MIME } from "../../../kernels/protocol/display.ts";
import { pickRepresentation } from "../../../renderer/features/outputs/pick.ts";
import { mapView, promptReport, runView, tableView, taskResult } from "../../support/output-fixtures.ts";

describe("the representation of a MIME bundle", () => {
  it("takes our own type before plots, pictures, documents and text", () => {
    const rich = {
      [MIME.plotly]: { data: [] },
      [MIME.svg]: "<svg/>",
      [MIME.png]: "AAAA",
      [MIME.html]: "<p>",
      [MIME.markdown]: "m",
      [MIME.plain]: "p",
    };
    const kinds = (bundle: Record<string, unknown>) => pickRepresentation(bundle).shown.kind;
    expect(kinds({ ...rich, [MIME.map]: mapView(20) })).toBe("map");
    expect(kinds({ ...rich, [MIME.run]: runView() })).toBe("run");
    expect(kinds({ ...rich, [MIME.prompts]: promptReport() })).toBe("prompts");
    expect(kinds({ ...rich, [MIME.task]: taskResult() })).toBe("task");
    expect(kinds({ ...rich, [MIME.table]: tableView(3) })).toBe("table");
    const order: string[] = [];
    const left: Record<string, unknown> = { ...rich };
    for (const mime of Object.keys(rich)) {
      order.push(kinds(left));
      delete left[mime];
    }
    expect(order).toEqual(["plotly", "svg", "image", "html", "markdown", "plain"]);
  });

  it("falls back when our data is damaged, and says where", () => {
    const picked = pickRepresentation({ [MIME.table]: { ...tableView(2), rows: [[{}]] }, [MIME.plain]: "text" });
    expect(picked.shown).toEqual({ kind: "plain", value: "text" });
    expect(picked.problems[0]).toMatch(/^its table data cannot be read \(rows\.0\.0: /);
  });

  it("reads a number that JSON could not hold as NaN, and +json that was stored as text", () => {
    const picked = pickRepresentation({ [MIME.task]: JSON.stringify({ ...taskResult(), score: Number.NaN }) });
    expect(picked.shown.kind === "task" && picked.shown.value.score).toBeNaN();
    expect(picked.problems).toEqual([]);
  });

  it("joins text that nbformat stores as lines", () => {
    expect(pickRepresentation({ [MIME.markdown]: ["# a\n", "b"] }).shown).toEqual({
      kind: "markdown",
      value: "# a\nb",
    });
  });

  it("never throws, whatever a file holds", () => {
    const mimes = [...Object.values(MIME), "image/jpeg", "application/json", "text/latex", "application/x-other"];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...mimes), fc.jsonValue({ maxDepth: 3 })), (bundle) => {
        expect(pickRepresentation(bundle).shown.kind).toBeTypeOf("string");
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it("survives any one field of our types being dropped or replaced", () => {
    const whole: [string, Record<string, unknown>][] = [
      [MIME.map, mapView(20) as never],
      [MIME.run, runView() as never],
      [MIME.prompts, promptReport() as never],
      [MIME.task, taskResult() as never],
      [MIME.table, tableView(3) as never],
    ];
    for (const [mime, data] of whole)
      for (const key of Object.keys(data))
        for (const value of [undefined, null, -1, "x", [], {}, Number.NaN]) {
          const { shown } = pickRepresentation({ [mime]: { ...data, [key]: value }, [MIME.plain]: "text" });
          expect(["map", "run", "prompts", "task", "table", "plain"]).toContain(shown.kind);
        }
  });
});

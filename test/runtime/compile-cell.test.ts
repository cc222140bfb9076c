import { describe, expect, it } from "vitest";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { analyseCell, compileCell } from "../../kernels/runtime/compile-cell.ts";

const compile = (source: string, known: string[] = []) => compileCell(source, (name) => known.includes(name));

function failure(source: string): { code: string; message: string; details: unknown; hint: string | undefined } {
  try {
    compile(source);
  } catch (error) {
    if (error instanceof ParallaxError)
      return { code: error.code, message: error.message, details: error.details, hint: error.hint };
    throw error;
  }
  throw new Error("It compiles.");
}

describe("names of a cell", () => {
  it("declares what stands at its top and uses what it takes from outside", () => {
    expect(
      analyseCell(`
        import fs, { a as b, type T } from "node:fs";
        const { x, y: [z = later] } = other;
        let w; var v = x;
        for (var i = 0; i < 3; i++) { let inner = i; var deep = inner; }
        function f(p = w) { const local = p; return local + g(local); }
        class C extends Base { field = outside; static { var s = 1; } m(q) { return q + C.x; } }
        enum E { A }
        export const exported = () => { hidden = 1; };
        label: while (true) break label;
      `),
    ).toEqual({
      defines: ["v", "i", "deep", "E", "fs", "b", "x", "z", "w", "f", "C", "exported"],
      uses: ["later", "other", "g", "Base", "outside", "hidden"],
    });
  });

  it.each([
    ["parameters and locals", "((a, { b }, [c], ...d) => a + b + c + d)(1)", []],
    ["a catch parameter", "try { f() } catch ({ message }) { message }", ["f"]],
    ["property names", "o.p; ({ q: o }); o?.r; class K { s() {} }", ["o"]],
    ["a name used before a local of the same name is in scope", "{ const k = 1; k } k", ["k"]],
    ["shorthand", "({ a, b: c })", ["a", "c"]],
    ["globals", "Math.max(console, globalThis, undefined, NaN)", []],
    ["types", "type T = Foo; const u: Bar<Baz> = v as Qux", ["v"]],
    ["assignment patterns", "[a, { b, c: d.e }] = f", ["a", "b", "d", "f"]],
    ["for heads", "for (const a of b) a; for (c of d) c; for (e in g) e", ["b", "c", "d", "e", "g"]],
    ["a named function expression", "(function me() { return me })", []],
    ["default parameters that see parameters", "((a, b = a + c) => b)", ["c"]],
  ])("resolves %s", (_, source, uses) => {
    expect(analyseCell(source).uses).toEqual(uses);
  });

  it("says nothing about a cell that does not parse", () => {
    expect(analyseCell("const = ")).toEqual({ defines: [], uses: [] });
  });
});

describe("errors before a cell runs", () => {
  it.each([
    ["const é = '😀😀'; let x = ;", "Unexpected token `;`.", 1, 27],
    ["const a = 1;\nconst a = 2;", "Identifier `a` has already been declared.", 2, 7],
    ["f(1,\n  g(", "Expected `)` but found the end of the cell.", 2, 5],
    ["\n\nreturn 5", "A 'return' statement can only be used within a function body.", 3, 1],
    ["with (x) {}", "'with' statements are not allowed.", 1, 1],
  ])("%j is a syntax error at its place", (source, message, line, column) => {
    expect(failure(source)).toMatchObject({ code: "cell.syntax", message, details: { line, column } });
  });

  it("refuses an assignment to a constant of the same cell", () => {
    expect(failure("const limit: number = 1;\n\nif (limit) limit = 2;")).toEqual({
      code: "cell.constant-assigned",
      message: "`limit` is a constant of this cell, and line 3 assigns to it.",
      hint: "Declare it with `let limit`.",
      details: { line: 3, column: 12, name: "limit" },
    });
    expect(failure('import { a } from "node:fs"; [a] = [1]').message).toBe(
      "`a` is imported, and line 1 assigns to it.",
    );
  });
});

describe("positions", () => {
  it("leads code that runs back through both rewritings", () => {
    const source = "type A = { a: number };\nconst b: A = { a: 1 };\n\nconst c = (b as A).a + missing;";
    const { code, positions } = compile(source);
    const lines = code.split("\n");
    const line = lines.findIndex((text) => text.includes("missing")) + 1;
    expect(positions.fromGenerated(line, lines[line - 1]!.indexOf("missing") + 1)).toEqual({ line: 4, column: 24 });
  });

  it("has no position for what was put around the cell", () => {
    expect(compile("1").positions.fromGenerated(1, 1)).toBeUndefined();
  });
});

it("ends with the names of a last declaration", () => {
  expect(compile("const [a, { b = 1 }] = f; // end").lastNames).toEqual(["a", "b"]);
  expect(compile("const a = 1; a").lastNames).toEqual([]);
  expect(compile("function f() {}").lastNames).toEqual([]);
});

it("keeps its own names apart from the cell's", () => {
  const { internals } = compile("const $cells = 1, $cell_ = $cell;");
  expect(internals).toEqual({ scope: "$cells_", helper: "$cell__" });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MIME } from "../../kernels/protocol/display.ts";
import { KernelProcess, preview } from "../support/kernel-process.ts";

let kernel: KernelProcess;
beforeAll(async () => {
  kernel = await KernelProcess.start();
});
afterAll(() => kernel.stop());

describe("names across cells", () => {
  it("lets later cells see, change and declare again what earlier ones declared", async () => {
    await kernel.run("const size = 2; let total = 0; function area() { return size * size }");
    expect(await kernel.text("area()")).toBe("4");
    await kernel.run("total += area(); const size = 5");
    expect(await kernel.text("[total, area()]")).toBe("[ 4, 25 ]");
    await kernel.run("function area() { return -1 }\nclass total {}");
    expect(await kernel.text("[area(), typeof total]")).toBe("[ -1, 'function' ]");
  });

  it("hoists functions over the cell and names what declarations name", async () => {
    expect(await kernel.text("const early = hoisted(); function hoisted() { return hoisted.name }; early")).toBe(
      "'hoisted'",
    );
    expect(
      await kernel.text(
        "const arrow = () => 1, { inner = () => 2 } = {}; class Klass {}; let late; late = () => 3; [arrow, inner, Klass, late].map((f) => f.name).join()",
      ),
    ).toBe("'arrow,inner,Klass,late'");
  });

  it("keeps const constant in later cells, and says so in the user's words", async () => {
    await kernel.run("const fixed = 1");
    const { status, error } = await kernel.run("const other = 1;\nfixed = 2");
    expect(status).toBe("error");
    expect(error).toMatchObject({
      name: "TypeError",
      error: { code: "cell.threw", kind: "user", message: "Assignment to constant variable 'fixed'" },
      frames: [{ line: 2, column: 1 }],
    });
    expect(await kernel.text("fixed")).toBe("1");
  });

  it("keeps the old value when a cell fails before its declaration", async () => {
    await kernel.run("const kept = 'old'");
    await kernel.run("const fresh = 1, kept = (() => { throw new Error('no') })()");
    expect(await kernel.text("[kept, fresh]")).toBe("[ 'old', 1 ]");
    const { error } = await kernel.run("never; const never = 1");
    expect(error).toMatchObject({
      name: "ReferenceError",
      error: { message: "Cannot access 'never' before initialization" },
    });
  });

  it("leaves the globals of libraries alone", async () => {
    await kernel.run("const performance = 'mine', process = 1, console = 2, Promise = 3, setTimeout = 4, Map = 5");
    expect(await kernel.text("[performance, process, Map].join()")).toBe("'mine,1,5'");
    expect((await kernel.ask({ type: "variables" }, "variables")).variables.length).toBeGreaterThan(5);
    await kernel.run(
      "var { performance, process, console, Promise, setTimeout, Map } = globalThis; console.log('again')",
    );
    expect(await kernel.text("typeof performance.now()")).toBe("'number'");
  });

  it("is strict, has no this, and calls without one", async () => {
    expect(await kernel.text("function bare(this: unknown) { return this }; [this, bare(), (bare)(), bare?.()]")).toBe(
      "[ undefined, undefined, undefined, undefined ]",
    );
    expect((await kernel.run("undeclared = 1")).error!.error.message).toBe("undeclared is not defined");
  });

  it("starts enums anew and keeps var", async () => {
    await kernel.run("enum Colour { Red, Green } var counter = 1");
    await kernel.run("enum Colour { Blue = 7 } var counter; counter += 1");
    expect(await kernel.text("[Colour, counter]")).toBe("[ { '7': 'Blue', Blue: 7 }, 2 ]");
  });

  it("runs the rest of TypeScript", async () => {
    expect(
      await kernel.text(`
        namespace Shapes { export const sides = 4; export function name(): string { return "square" } }
        abstract class Base { constructor(protected readonly a: number, public b = 2) {} abstract sum(): number }
        class Sum extends Base { override sum() { return this.a + this.b } }
        function logged(target: object, key: string) { Object.defineProperty(target, "seen", { value: key }) }
        class Marked { @logged field = 1 }
        const generic = <T,>(x: T) => x satisfies unknown as T;
        { using file = { [Symbol.for("Symbol.dispose")]() { closed = true } }; }
        var closed: boolean;
        declare const nothing: string;
        [Shapes.sides, Shapes.name(), new Sum(1).sum(), (Marked.prototype as any).seen, generic(5)!, closed].join()
      `),
    ).toBe("'4,square,3,field,5,true'");
  });
});

describe("what a cell shows", () => {
  it("shows its last expression, and nothing for undefined or a statement", async () => {
    const { result, messages } = await kernel.run("1; 'text'");
    expect(messages.map((m) => m.type)).toEqual(["busy", "result", "done", "idle"]);
    expect(result).toEqual({
      [MIME.value]: { version: 1, type: "string", bytes: 8, preview: "'text'", cut: false },
      [MIME.plain]: "'text'",
    });
    for (const code of ["undefined", "void 0;", "if (true) { 5 }", "", "// only a comment", "let empty;"])
      expect((await kernel.run(code)).messages.map((m) => m.type)).toEqual(["busy", "done", "idle"]);
  });

  it("shows a last declaration as a preview with its name", async () => {
    const one = await kernel.run("const vectors = { n: 2, dimensions: 3, data: new Float32Array(6) }");
    expect(preview(one.result)).toMatchObject({ name: "vectors", type: "Float32 [2, 3]" });
    const two = await kernel.run("const [first, second] = ['a', 'b']");
    expect(two.displays.map((d) => preview(d.data)?.name)).toEqual(["first"]);
    expect(two.result![MIME.plain]).toBe("second = 'b'");
  });

  it("shows promises as promises and awaits top-level ones", async () => {
    expect(await kernel.text("Promise.resolve(1)")).toBe("Promise { 1 }");
    expect(await kernel.text("await Promise.resolve(1)")).toBe("1");
    expect(
      await kernel.text("const parts = []; for await (const x of [Promise.resolve(1), 2]) parts.push(x); parts"),
    ).toBe("[ 1, 2 ]");
  });

  it("shows rows as a table and HTML as HTML", async () => {
    const rows = await kernel.run("[{ id: 1, text: 'a' }, { id: 2, text: 'b', extra: true }]");
    expect(rows.result![MIME.table]).toEqual({
      version: 1,
      columns: [
        { name: "id", kind: "number" },
        { name: "text", kind: "text" },
        { name: "extra", kind: "boolean" },
      ],
      rows: [
        [1, "a", null],
        [2, "b", true],
      ],
      total: 2,
      notes: [],
    });
    const { result } = await kernel.run('import { html } from "parallax"; html(["<b>", "</b>"] as never, "<i>")');
    expect(result).toEqual({ [MIME.html]: "<b>&#60;i&#62;</b>", [MIME.plain]: "&#60;i&#62;" });
  });

  it("replaces a display in place", async () => {
    const { displays } = await kernel.run(`
      import { display } from "parallax";
      const shown = display(1);
      await null;
      shown.update(2);`);
    expect(displays.map((d) => [d.data[MIME.plain], d.update])).toEqual([
      ["1", false],
      ["2", true],
    ]);
    expect(displays[0]!.displayId).toBe(displays[1]!.displayId);
  });

  it("waits for displays that take time, and shows a display that fails as a plain value", async () => {
    const slow = await kernel.run(`
      const slow = { async [Symbol.for("parallax.display")]() { await new Promise((r) => setTimeout(r, 20)); return { "text/plain": "made" } } };
      display(slow); "end"`);
    expect(slow.displays.map((d) => d.data)).toEqual([{ "text/plain": "made" }]);
    expect(slow.messages.map((m) => m.type)).toEqual(["busy", "display", "result", "done", "idle"]);
    const broken = await kernel.run(`({ [Symbol.for("parallax.display")]() { throw new Error("no view") } })`);
    expect(broken.text).toContain("Its display failed: no view");
  });

  it.each([
    ["a getter that throws", "({ get a() { throw new Error('x') } })"],
    ["a cycle", "const cycle: any = {}; cycle.me = cycle; cycle"],
    [
      "a proxy that throws",
      "new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 }, getPrototypeOf() { throw 3 } })",
    ],
    ["a revoked proxy", "const r = Proxy.revocable({}, {}); r.revoke(); r.proxy"],
    ["an inspect method that throws", "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('y') } })"],
    ["ten million numbers", "new Array(1e7).fill(0)"],
    ["a huge text", "'x'.repeat(5e7)"],
    ["a giant object", "Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ['k' + i, i]))"],
    ["rows with a getter that throws", "[{ get a() { throw 1 } }, { a: 2 }]"],
    ["a null prototype", "Object.create(null)"],
    ["an error", "new Error('as a value')"],
    ["a symbol", "Symbol('s')"],
    [
      "a display that returns a function",
      "({ [Symbol.for('parallax.display')]: () => ({ 'text/plain': 'f', x: () => 1 }) })",
    ],
  ])("shows %s", async (_, code) => {
    const { status, result } = await kernel.run(code);
    expect(status).toBe("ok");
    expect(typeof result![MIME.plain]).toBe("string");
    expect(JSON.stringify(result).length).toBeLessThan(100_000);
  });
});

describe("errors", () => {
  it("names cell, line and column of each of the user's frames, also after awaits and across cells", async () => {
    const outer = await kernel.run(
      "async function outer(f: () => unknown) {\n  await null;\n  return f();\n}",
      "outer",
    );
    const { error } = await kernel.run(
      "type Unused = string;\n\nawait new Promise((r) => setTimeout(r, 5));\nawait outer(() => {\n  throw new RangeError('far');\n})",
      "caller",
    );
    expect(error).toMatchObject({ name: "RangeError", error: { code: "cell.threw", kind: "user", message: "far" } });
    const { executionCount } = outer;
    expect(error!.frames).toEqual([
      { cellId: "caller", executionCount: executionCount + 1, line: 5, column: 9 },
      { cellId: "outer", executionCount, line: 3, column: 10, functionName: "outer" },
      { cellId: "caller", executionCount: executionCount + 1, line: 4, column: 1 },
    ]);
    expect(error!.libraryFrames).toEqual([]);
  });

  it.each([
    ["let q: any;\nq.foo", "TypeError", "Cannot read properties of undefined (reading 'foo')", 2],
    ["const notCallable = {};\n\nnotCallable()", "TypeError", "notCallable is not a function", 3],
    ["new (5 as any)()", "TypeError", "5 is not a constructor", 1],
    [
      "const none = null;\nconst { a } = none",
      "TypeError",
      "Cannot destructure property 'a' of 'none' as it is null.",
      2,
    ],
    ["for (const x of 5 as any) x", "TypeError", "5 is not iterable", 1],
    ["JSON.parse('{')", "SyntaxError", "", 1],
    ["(function f(): never { return f() })()", "RangeError", "Maximum call stack size exceeded", 1],
    ["\n\nawait import('./nowhere.ts')", "ParallaxError", "There is no file", 3],
  ])("%j", async (code, name, message, line) => {
    const { error } = await kernel.run(code);
    expect(error!.name).toBe(name);
    expect(error!.error.message).toContain(message);
    expect(error!.frames.at(-1)?.line).toBe(line);
  });

  it("keeps code, hint and details of our own errors", async () => {
    const { error } = await kernel.run(
      `import { ParallaxError } from "parallax"; throw new ParallaxError("x.y", "Asked and found.", { hint: "Do this.", details: { n: 1 } })`,
    );
    expect(error!.error).toMatchObject({
      code: "x.y",
      kind: "user",
      message: "Asked and found.",
      hint: "Do this.",
      details: { n: 1 },
    });
  });

  it.each([
    ["throw 'a text'", "A value was thrown that is not an error: a text"],
    ["throw undefined", "A value was thrown that is not an error: undefined"],
    ["throw Object.create(null)", "A value was thrown that cannot be read."],
    ["throw new Proxy({}, { get() { throw 1 } })", "cannot be read"],
    ["throw Object.assign(new Error('m'), { stack: 5, name: { toString() { throw 1 } } })", "m"],
    ["const e = new Error('self'); e.cause = e; throw e", "self"],
  ])("survives %s", async (code, message) => {
    const { status, error } = await kernel.run(code);
    expect(status).toBe("error");
    expect(error!.error.message).toContain(message);
  });

  it("says where the cell stood when an error carries no line of it", async () => {
    const { error } = await kernel.run("import { readFile } from 'node:fs/promises';\n\nawait readFile('/nowhere')");
    expect(error!.error.message).toContain("ENOENT");
    expect(error!.frames).toMatchObject([{ line: 3, column: 1 }]);
  });

  it("maps the stack that a cell prints itself", async () => {
    const { stdout } = await kernel.run("const e = new Error('printed');\nconsole.log(e)");
    expect(stdout).toMatch(/^Error: printed\n {4}at Cell \[\d+\]:1:11\n$/);
  });
});

describe("errors that nobody catches", () => {
  it("shows them under the cell they come from, and the kernel lives on", async () => {
    const cell = await kernel.run(
      "setTimeout(() => { throw new Error('from a timer') }, 10);\nPromise.reject(new Error('lost'));\n1",
      "culprit",
    );
    expect(cell.status).toBe("ok");
    const late = await kernel.until(
      (m) => m.type === "error" && m.error.error.message === "from a timer",
      kernel.messages.indexOf(cell.messages[0]!),
    );
    expect(late).toMatchObject({ cellId: "culprit", error: { frames: [{ cellId: "culprit", line: 1 }] } });
    const lost = await kernel.until((m) => m.type === "error" && m.error.error.message === "lost");
    expect(lost).toMatchObject({ cellId: "culprit", error: { frames: [{ line: 2 }] } });
    expect(await kernel.text("1 + 1")).toBe("2");
  });

  it.each(["exit", "abort"])("refuses process.%s", async (name) => {
    const { error } = await kernel.run(`process.${name}()`);
    expect(error!.error).toMatchObject({
      code: "kernel.exit-refused",
      hint: "Throw an error to stop the cell, or use Restart.",
    });
  });
});

describe("requests", () => {
  it("answers names, variables and a closer look while a cell awaits, each with its own busy and idle", async () => {
    await kernel.run("const weights = new Float32Array([3, 4, NaN]), words = ['a', 'b']");
    const from = kernel.messages.length;
    const running = kernel.run("await new Promise((r) => setTimeout(r, 300)); 'done'");
    const analysis = await kernel.ask(
      { type: "analyse", cells: [{ cellId: "z", code: "const b = a" }] } as never,
      "analysis",
    );
    expect(analysis.cells).toEqual([{ cellId: "z", defines: ["b"], uses: ["a"] }]);
    const { variables } = await kernel.ask({ type: "variables" } as never, "variables");
    expect(variables.slice(0, 2)).toMatchObject([
      { name: "words", type: "string[2]", bytes: 20, preview: "[ 'a', 'b' ]" },
      { name: "weights", type: "Float32 [3]", bytes: 12 },
    ]);
    const { data } = await kernel.ask({ type: "inspect", name: "weights" } as never, "inspected");
    expect(data![MIME.table]).toMatchObject({ total: 3, notes: ["min 3, max 4, mean 3.50000, NaN 1"] });
    const missing = await kernel.ask({ type: "inspect", name: "nothing" } as never, "inspected");
    expect(missing.error).toMatchObject({ code: "variable.not-found" });
    expect((await running).text).toBe("'done'");
    const pairs = kernel.messages.slice(from).filter((m) => m.type === "busy" || m.type === "idle");
    for (const { type, requestId } of pairs)
      expect(
        pairs.filter((p) => p.requestId === requestId && p.type === (type === "busy" ? "idle" : "busy")),
      ).toHaveLength(1);
  });

  it("runs cells in the order they came", async () => {
    const texts = await Promise.all(
      [30, 1, 10].map((ms) => kernel.run(`await new Promise((r) => setTimeout(r, ${ms})); ${ms}`)),
    );
    expect(texts.map((t) => t.executionCount - texts[0]!.executionCount)).toEqual([0, 1, 2]);
  });

  it("goes on after a message that it cannot read", async () => {
    kernel.child.send({ type: "nonsense" });
    expect(await kernel.text("2")).toBe("2");
    expect(kernel.log).toContain("cannot read a message");
  });
});

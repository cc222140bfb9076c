import fc from "fast-check";
import { expect, it } from "vitest";
import type { DeclarationKind } from "../../kernels/runtime/cell-names.ts";
import { compileCell } from "../../kernels/runtime/compile-cell.ts";
import { babelHelpers } from "../../kernels/runtime/compile-helpers.ts";
import { NotebookScope } from "../../kernels/runtime/scope.ts";

/** `FUZZ_RUNS=5000 npx vitest run test/runtime/split-cells` for a long one. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150);

type Log = (...values: unknown[]) => void;

/** Writes a program by taking decisions from a list of numbers, so that a failing one can be made smaller. */
class Writer {
  readonly #choices: readonly number[];
  #next = 0;
  #names = 0;
  readonly variables: string[] = [];
  readonly constants: string[] = [];
  readonly functions: string[] = [];
  readonly classes: string[] = [];

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  get more(): boolean {
    return this.#next < this.#choices.length;
  }

  pick<T>(options: readonly T[]): T {
    return options[(this.#choices[this.#next++] ?? 0) % options.length]!;
  }

  fresh(): string {
    this.#names += 1;
    return this.pick(["a", "value", "$x", "_y", "été", "of", "async", "get", "type"]) + this.#names;
  }

  #readable(): string {
    return this.pick([...this.variables, ...this.constants, "7", "'s'"]);
  }

  expression(depth = 0): string {
    const e = (): string => this.expression(depth + 1);
    if (depth > 2) return this.#readable();
    switch (this.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])) {
      case 0:
        return `(${e()} + ${e()})`;
      case 1:
        return `[${e()}, ...[${e()}]]`;
      case 2: {
        const name = this.pick([...this.variables, ...this.constants, "undefined"]);
        return name === "undefined" ? "undefined" : `({ ${name}, k: ${e()} })`;
      }
      case 3:
        return this.functions.length === 0 ? "0" : `${this.pick(this.functions)}(${e()})`;
      case 4:
        return this.variables.length === 0 ? "1" : `(${this.pick(this.variables)} = ${e()})`;
      case 5:
        return `typeof ${this.#readable()}`;
      case 6:
        return `((p, q = ${e().replaceAll("await ", "")}) => [p, q])(${e()})`;
      case 7:
        return `await ${e()}`;
      case 8:
        return `\`t\${${e()}}\``;
      case 9:
        return this.classes.length === 0 ? "2" : `new ${this.pick(this.classes)}(${e()}).get()`;
      case 10:
        return `(${e()} ? ${e()} : ${e()})`;
      case 11:
        return `(function named(n) { return n > 0 ? named(n - 1) : ${e().replaceAll("await ", "")} })(2)`;
      case 12:
        return `Math.max([${e()}].length, 1)`;
      case 13:
        return this.functions.length === 0 ? "3" : `${this.pick(this.functions)}\`q\${${e()}}\``;
      case 14:
        return `String(${this.pick([...this.functions, ...this.classes, "Array"])}.name)`;
      default:
        return this.#readable();
    }
  }

  /** One or more lines that belong into one cell. */
  statement(): string {
    switch (this.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])) {
      case 0:
        return this.#declare("const", (name, value) => `const ${name} = ${value};`);
      case 1:
        return this.#declare("let", (name, value) => `let ${name}: any = ${value};`);
      case 2:
        return this.#declare("var", (name, value) => `var ${name} = ${value};`);
      case 3: {
        const [a, b, c] = [this.fresh(), this.fresh(), this.fresh()];
        const text = `const { ${a} = ${this.expression()}, k: [${b}, ...${c}] } = { k: [${this.expression()}, 2, 3] } as any;`;
        this.constants.push(a, b, c);
        return text;
      }
      case 4: {
        const name = this.fresh();
        const body = `return [p, ${this.expression().replaceAll("await ", "")}];`;
        const text = this.pick([
          `function ${name}(p: any): any { ${body} }`,
          `const ${name} = (p: any) => { ${body} };`,
          `let ${name} = function (p: any) { ${body} };`,
          `var ${name} = async (p: any) => { ${body} };`,
        ]);
        this.functions.push(name);
        return text;
      }
      case 5: {
        const name = this.fresh();
        const text = `class ${name} { #v; static made = 0; constructor(public v: any) { this.#v = v; ${name}.made += 1; } get() { return [this.#v, ${name}.made, ${this.expression().replaceAll("await ", "")}]; } }`;
        this.classes.push(name);
        return text;
      }
      case 6:
        return this.variables.length === 0
          ? ";"
          : `${this.pick(this.variables)} ${this.pick(["=", "+="])} ${this.expression()};`;
      case 7: {
        const name = this.fresh();
        const text = `for (var ${name} = 0; ${name} < 3; ${name}++) { let inner = ${name}; log("loop", inner, ${this.expression()}); }`;
        this.variables.push(name);
        return text;
      }
      case 8:
        return `for (const [i, x] of [${this.expression()}, ${this.expression()}].entries()) { if (i > 1) break; log(i, x); }`;
      case 9: {
        const name = this.fresh();
        const text = `try { var ${name}: any = ${this.expression()}; throw ${this.expression()}; } catch (error) { log("caught", error, ${name}); } finally { log("finally"); }`;
        this.variables.push(name);
        return text;
      }
      case 10: {
        const name = this.fresh();
        this.constants.push(name);
        return `enum ${name} { A, B = 4, C }`;
      }
      case 11:
        return `for await (const x of [${this.expression()}, Promise.resolve(1)]) log("each", x);`;
      case 12:
        return this.variables.length < 2
          ? "[];"
          : `[${this.variables[0]}, { k: ${this.variables[1]} = ${this.expression()} }] = [${this.expression()}, {}] as any;`;
      case 13:
        return `{ const shadow = ${this.expression()}; function block() { return shadow; } log("block", block()); }`;
      case 14:
        return this.variables.length === 0
          ? "0;"
          : `${this.pick(this.variables)}${this.pick(["++", "--", " ??= 5", " ||= 6", " = () => 1"])};`;
      case 15: {
        const name = this.fresh();
        const text = `let ${name} = 0; label: do { ${name}++; if (${name} < 3) continue label; } while (${name} < 3)`;
        this.variables.push(name);
        return text;
      }
      default:
        return `log(${this.expression()}, ${this.expression()});`;
    }
  }

  #declare(kind: "const" | "let" | "var", text: (name: string, value: string) => string): string {
    const name = this.fresh();
    const written = text(name, this.expression());
    (kind === "const" ? this.constants : this.variables).push(name);
    return written;
  }
}

const AsyncFunction = (async () => undefined).constructor as new (...code: string[]) => (log: Log) => Promise<void>;

/** Texts of what was logged, and of the error that ended it. Numbers in names of functions and the like stay. */
async function record(run: (log: Log) => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  try {
    await run((...values) => void lines.push(values.map(show).join(" ")));
  } catch (error) {
    lines.push(`failed: ${(error as Error)?.constructor?.name ?? show(error)}`);
  }
  return lines;
}

function show(value: unknown): string {
  if (typeof value === "function") return `function ${value.name}`;
  if (value instanceof Promise) return "promise";
  return JSON.stringify(value, (_, v) => (typeof v === "function" ? `function ${v.name}` : v)) ?? String(value);
}

/** The program as one cell without our rewriting: TypeScript's types taken away, run as one async function. */
async function asOne(statements: string[]): Promise<string[]> {
  const { transformSync } = await import("oxc-transform");
  const { code, errors } = transformSync("one.ts", statements.join("\n"), { lang: "ts", sourceType: "module" });
  expect(errors, statements.join("\n")).toEqual([]);
  return record((log) => new AsyncFunction("log", `"use strict";\n${code}`)(log));
}

const helper = {
  wait: (value: unknown) => value,
  each: (values: unknown) => values,
  result: () => undefined,
};

/** The program in cells, compiled as in the kernel. */
async function asCells(cells: string[]): Promise<string[]> {
  return record(async (log) => {
    const scope = new NotebookScope();
    scope.bring("log", () => log, "setup");
    for (const [i, cell] of cells.entries()) {
      const compiled = compileCell(cell, (name) => scope.has(name));
      const enter = new Function(compiled.internals.scope, compiled.code);
      const finish = scope.declare(compiled.declarations as ReadonlyMap<string, DeclarationKind>, `c${i}`);
      await enter(scope.object).call(undefined, scope.object, helper, undefined, babelHelpers);
      finish();
    }
  });
}

it(`means the same in one piece and in cells (${RUNS} programs)`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 1000 }), { minLength: 20, maxLength: 300 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 60, maxLength: 60 }),
      async (choices, cuts) => {
        const writer = new Writer(choices);
        const statements: string[] = [];
        while (writer.more && statements.length < 40) statements.push(writer.statement());
        const cells: string[] = [];
        for (const [i, statement] of statements.entries()) {
          if (i === 0 || cuts[i] === 0) cells.push(statement);
          else cells[cells.length - 1] += `\n${statement}`;
        }
        const expected = await asOne(statements);
        expect(await asCells(cells), cells.join("\n// ----\n")).toEqual(expected);
        expect(await asCells([statements.join("\n")])).toEqual(expected);
      },
    ),
    { numRuns: RUNS, endOnFailure: process.env.FUZZ_SHRINK === undefined },
  );
}, 600_000);

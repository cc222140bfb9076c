/**
 * From the TypeScript of one cell to code that runs in the notebook's scope.
 *
 * A cell behaves like a piece of one long module: imports, top-level await, strict. What differs from a module is that
 * its top-level names become properties of the scope object that all cells share, so that later cells see them, may
 * declare them again, and functions of earlier cells see the new ones. The result is the body of
 *
 *     with ($cells) { return async function ($cells, $cell) { "use strict"; … } }
 *
 * `with` finds names that come later or through eval; names known now are written as `$cells.name`, which the engine
 * can optimise (a lookup through `with` costs 100 ns, every time). The scope is an object of its own and not the global
 * one, so a cell's `const performance = …` cannot break a library.
 */
import MagicString from "magic-string";
import { type ParserOptions, parseSync } from "oxc-parser";
import { type TransformOptions, transformSync } from "oxc-transform";
import { ParallaxError } from "../protocol/errors.ts";
import {
  type AstNode,
  boundNames,
  type CellScope,
  type DeclarationKind,
  isFunction,
  type Reference,
  resolveNames,
  unexported,
  varDeclarations,
} from "./cell-names.ts";
import { locate, PositionMap } from "./position-map.ts";

export interface CompiledCell {
  /** Body of a function of one argument, the scope. */
  code: string;
  declarations: ReadonlyMap<string, DeclarationKind>;
  /** Free names that are no globals. */
  uses: string[];
  /** Names of a declaration that ends the cell: what is shown of it. */
  lastNames: string[];
  positions: PositionMap;
  /** The names that stand for scope and helper in `code`. */
  internals: { scope: string; helper: string };
}

/** One import of a cell, as it is handed to the helper's `bring`. */
export interface ImportRequest {
  from: string;
  /** Local name, imported name ("*" for the namespace), and whether the cell uses it as a value. */
  names: [local: string, imported: string, used: boolean][];
}

/** Names that a cell may use without anyone declaring them, besides the globals. */
const PROVIDED = new Set(["arguments", "require", "babelHelpers"]);

/** Globals that are read once at the start of a cell, because a lookup through `with` each time is slow. */
const FAST_GLOBALS = new Set(
  (
    "Array ArrayBuffer BigInt BigInt64Array BigUint64Array Boolean DataView Date Error Float32Array Float64Array " +
    "Int16Array Int32Array Int8Array Intl JSON Map Math Number Object Promise RangeError Reflect RegExp Set String " +
    "Symbol TextDecoder TextEncoder TypeError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap console " +
    "isFinite isNaN parseFloat parseInt performance structuredClone"
  ).split(" "),
);

const TRANSFORM: TransformOptions = {
  lang: "ts",
  sourceType: "module",
  sourcemap: true,
  target: "es2024",
  typescript: { onlyRemoveTypeImports: true },
  decorator: { legacy: true },
  helpers: { mode: "External" as never },
};

const PARSE: ParserOptions = { sourceType: "module", preserveParens: true };

interface Parsed {
  js: string;
  map: object | undefined;
  body: AstNode[];
  names: CellScope;
}

/**
 * TypeScript to JavaScript, parsed, with its names resolved.
 * @throws {ParallaxError} cell.syntax  with line and column in details
 */
function parseCell(source: string): Parsed {
  const checked = parseSync("cell.ts", source, { ...PARSE, lang: "ts", showSemanticErrors: true });
  const wrong = checked.errors.find((error) => error.severity === "Error");
  if (wrong) throw syntaxError(source, wrong.message, wrong.labels, wrong.helpMessage);
  const { code: js, map, errors } = transformSync("cell.ts", source, TRANSFORM);
  const failed = errors.find((error) => error.severity === "Error");
  if (failed) throw syntaxError(source, failed.message, failed.labels, failed.helpMessage);
  const { program } = parseSync("cell.js", js, { ...PARSE, lang: "js" });
  return {
    js,
    map,
    body: program.body as unknown as AstNode[],
    names: resolveNames(program),
  };
}

function syntaxError(
  source: string,
  message: string,
  labels: { start: number; end: number }[],
  help: string | null,
): ParallaxError {
  // The last label is the offender: a redeclaration names the first declaration first.
  const label = labels.at(-1);
  const { line, column } = locate(source, label?.start ?? 0);
  const found = label === undefined ? "" : source.slice(label.start, label.end);
  const detail =
    message === "Unexpected token" ? ` ${found.trim() === "" ? "(the cell ends here)" : `\`${found}\``}` : "";
  const sentence = `${message.replace(/\.$/, "").replace("`EOF`", "the end of the cell")}${detail}.`;
  return new ParallaxError("cell.syntax", sentence, {
    ...(help === null ? {} : { hint: help }),
    details: { line, column },
  });
}

function usesOf(names: CellScope): string[] {
  const found = new Set<string>();
  for (const { name } of names.references)
    if (!names.declarations.has(name) && !PROVIDED.has(name) && !(name in globalThis)) found.add(name);
  return [...found];
}

/** What a cell defines and uses, without running it. A cell that does not parse defines and uses nothing. */
export function analyseCell(source: string): { defines: string[]; uses: string[] } {
  try {
    const { names } = parseCell(source);
    return { defines: [...names.declarations.keys()], uses: usesOf(names) };
  } catch (error) {
    if (error instanceof ParallaxError && error.code === "cell.syntax") return { defines: [], uses: [] };
    throw error;
  }
}

/**
 * @param source  TypeScript of the cell.
 * @param known   names that the scope has now; they are read directly instead of through `with`.
 * @throws {ParallaxError} cell.syntax             when it does not parse; details hold line and column
 * @throws {ParallaxError} cell.constant-assigned  when it assigns to a constant that it declares itself
 */
export function compileCell(source: string, known: (name: string) => boolean): CompiledCell {
  const { js, map, body, names } = parseCell(source);
  const internals = { scope: freeWord("$cells", js), helper: freeWord("$cell", js) };
  const positions = new PositionMap(source, js, map);
  const text = new MagicString(js);
  refuseConstantWrites(names, positions);

  const rewriter = new Rewriter(text, names, internals, known);
  // Inside out: what a statement puts around an expression comes after, and around, what the expression put there.
  rewriter.expressions();
  const lastNames = rewriter.statements(body);

  const fast = new Set<string>();
  for (const { name, role } of names.references)
    if (FAST_GLOBALS.has(name) && !names.declarations.has(name) && !known(name) && (role === "read" || role === "call"))
      fast.add(name);
  for (const { name, role } of names.references) if (role !== "read" && role !== "call") fast.delete(name);
  const prologue = fast.size === 0 ? "" : `const { ${[...fast].join(", ")} } = globalThis;`;
  const { scope, helper } = internals;
  text.prepend(
    `with (${scope}) { return async function (${scope}, ${helper}, require, babelHelpers) { "use strict"; ${prologue}\n`,
  );
  text.append("\n} }");
  positions.generatedBy(text);
  return {
    code: text.toString(),
    declarations: names.declarations,
    uses: usesOf(names),
    lastNames,
    positions,
    internals,
  };
}

/** `word`, with as many underscores as it takes to be no part of the cell's text. */
function freeWord(word: string, code: string): string {
  let free = word;
  while (code.includes(free)) free += "_";
  return free;
}

function refuseConstantWrites(names: CellScope, positions: PositionMap): void {
  for (const { name, role, start } of names.references) {
    const kind = names.declarations.get(name);
    if ((kind !== "const" && kind !== "import") || !(role === "write" || role === "naming-write" || role === "pattern"))
      continue;
    const { line, column } = positions.fromJs(start);
    throw new ParallaxError(
      "cell.constant-assigned",
      kind === "const"
        ? `\`${name}\` is a constant of this cell, and line ${line} assigns to it.`
        : `\`${name}\` is imported, and line ${line} assigns to it.`,
      {
        hint: kind === "const" ? `Declare it with \`let ${name}\`.` : "Give the new value another name.",
        details: { line, column, name },
      },
    );
  }
}

class Rewriter {
  readonly #text: MagicString;
  readonly #names: CellScope;
  readonly #scope: string;
  readonly #helper: string;
  readonly #known: (name: string) => boolean;
  readonly #used: Set<string>;

  constructor(
    text: MagicString,
    names: CellScope,
    internals: { scope: string; helper: string },
    known: (name: string) => boolean,
  ) {
    this.#text = text;
    this.#names = names;
    this.#scope = internals.scope;
    this.#helper = internals.helper;
    this.#known = known;
    this.#used = new Set(names.references.map((reference) => reference.name));
  }

  /** Declarations, imports and the last expression. Returns the names that a last declaration declares. */
  statements(body: AstNode[]): string[] {
    const last = body.findLast((statement) => statement.type !== "EmptyStatement");
    let lastNames: string[] = [];
    let hoisting = true;
    for (const given of body) {
      const statement = unexported(given);
      const isLast = given === last;
      if (statement !== given) this.#text.remove(given.start, statement.start);
      const first = body[0]!;
      switch (statement.type) {
        case "ImportDeclaration":
          this.#import(statement);
          if (!hoisting) this.#text.move(given.start, given.end, first.start);
          continue;
        case "ExportNamedDeclaration":
        case "ExportAllDeclaration":
          this.#text.update(given.start, given.end, this.#reexport(statement));
          continue;
        case "FunctionDeclaration":
          if (statement.id) {
            this.#function(statement);
            if (!hoisting) this.#text.move(given.start, given.end, first.start);
            continue;
          }
          this.#value(statement, isLast);
          break;
        case "ClassDeclaration":
          // The inner name of the expression is the class's own; closures inside it see that one, as in a module.
          if (statement.id) {
            this.#text.prependRight(statement.start, `;${statement.id.name} = `);
            this.#text.appendLeft(statement.end, ";");
          } else this.#value(statement, isLast);
          break;
        case "VariableDeclaration":
          if (isLast) lastNames = statement.declarations.flatMap((d: AstNode) => boundNames(d.id));
          this.#variables(statement);
          break;
        case "ExpressionStatement":
          if (isLast) this.#value(statement.expression, true);
          else if (given.start === statement.start) this.#separate(statement);
          break;
        default:
          if (given.type === "ExportDefaultDeclaration") this.#value(statement, isLast);
          for (const declaration of varDeclarations(statement)) this.#nestedVar(declaration, statement);
      }
      hoisting = false;
    }
    return lastNames;
  }

  /** A statement that begins with a bracket must not continue what a rewritten one before it ended with. */
  #separate(statement: AstNode): void {
    this.#text.prependRight(statement.start, ";");
  }

  #value(expression: AstNode, isLast: boolean): void {
    this.#text.prependRight(expression.start, isLast ? `;return ${this.#helper}.result((` : ";((");
    this.#text.appendLeft(expression.end, isLast ? "), true)" : "))");
  }

  #import(statement: AstNode): void {
    const names = statement.specifiers.map((specifier: AstNode): ImportRequest["names"][number] => {
      const local: string = specifier.local.name;
      const imported: string =
        specifier.type === "ImportDefaultSpecifier"
          ? "default"
          : specifier.type === "ImportNamespaceSpecifier"
            ? "*"
            : (specifier.imported.name ?? specifier.imported.value);
      return [local, imported, this.#used.has(local)];
    });
    const request: ImportRequest = { from: statement.source.value, names };
    this.#text.update(
      statement.start,
      statement.end,
      `;await ${this.#helper}.bring(${JSON.stringify(request)}, ${statement.start});`,
    );
  }

  /** `export { a }` says nothing in a notebook; `export … from` still loads the module. */
  #reexport(statement: AstNode): string {
    if (!statement.source) return ";";
    const request: ImportRequest = { from: statement.source.value, names: [] };
    return `;await ${this.#helper}.bring(${JSON.stringify(request)}, ${statement.start});`;
  }

  /** `function f() {}` becomes `f = function () {}`: named by the assignment, and calls of itself see redefinitions. */
  #function(statement: AstNode): void {
    this.#text.prependRight(statement.start, `;${statement.id.name} = `);
    this.#text.remove(statement.id.start, statement.id.end);
    this.#text.appendLeft(statement.end, ";");
  }

  #variables(statement: AstNode): void {
    const declarators: AstNode[] = statement.declarations;
    this.#text.update(statement.start, declarators[0]!.start, ";");
    for (const declarator of declarators) this.#declarator(declarator, statement.kind);
  }

  #declarator(declarator: AstNode, kind: string): void {
    const { id, init } = declarator;
    if (!init) {
      // `var x;` keeps an earlier value, `let x;` starts anew.
      if (kind === "var") this.#text.update(id.start, id.end, "0");
      else this.#text.appendLeft(id.end, " = void 0");
      return;
    }
    if (id.type === "Identifier") {
      this.#freshEnum(declarator);
      return;
    }
    this.#text.prependRight(id.start, "(");
    this.#text.appendLeft(init.end, ")");
  }

  /** `var E = function(E) {…}(E || {})`: an enum starts anew when its cell runs again. */
  #freshEnum({ id, init }: AstNode): void {
    const argument = init.type === "CallExpression" && init.arguments.length === 1 ? init.arguments[0] : undefined;
    if (argument?.type !== "LogicalExpression" || argument.operator !== "||") return;
    if (init.callee.type !== "FunctionExpression" || argument.left.type !== "Identifier") return;
    if (argument.left.name !== id.name || this.#names.declarations.get(id.name) !== "var") return;
    const index = this.#names.references.findIndex((reference) => reference.start === argument.left.start);
    if (index >= 0) this.#names.references.splice(index, 1);
    this.#text.update(argument.start, argument.end, "{}");
  }

  /** A `var` inside a block or a loop's head is the cell's own name too. */
  #nestedVar(declaration: AstNode, within: AstNode): void {
    const declarators: AstNode[] = declaration.declarations;
    const inHead = isLoopHead(declaration, within);
    if (inHead === "each") {
      this.#text.remove(declaration.start, declarators[0]!.start);
      return;
    }
    this.#text.update(declaration.start, declarators[0]!.start, inHead === "for" ? " " : ";");
    for (const declarator of declarators) this.#declarator(declarator, "var");
  }

  /** Names, awaits and imports inside expressions. */
  expressions(): void {
    for (const reference of this.#names.references) this.#reference(reference);
    for (const { node, top } of this.#names.awaits.toReversed()) {
      const place = top ? `, ${node.start}` : "";
      this.#text.appendRight(node.argument.start, `${this.#helper}.wait(`);
      this.#text.appendLeft(node.argument.end, `${place})`);
    }
    for (const loop of this.#names.loops) {
      this.#text.appendRight(loop.right.start, `${this.#helper}.each(`);
      this.#text.appendLeft(loop.right.end, ")");
    }
    for (const node of this.#names.imports) this.#text.update(node.start, node.start + 6, `${this.#helper}.import`);
    for (const node of this.#names.metas) this.#text.update(node.start, node.end, `${this.#helper}.meta`);
  }

  #reference({ name, start, end, role }: Reference): void {
    if (!this.#names.declarations.has(name) && !this.#known(name)) return;
    const direct = `${this.#scope}.${name}`;
    switch (role) {
      case "read":
      case "write":
        this.#text.update(start, end, direct);
        return;
      case "call":
        // Without the comma, `this` inside the function would be the scope.
        this.#text.update(start, end, `(0, ${direct})`);
        return;
      case "shorthand":
        this.#text.update(start, end, `${name}: ${direct}`);
        return;
      case "naming-write":
      case "pattern":
        // As a plain name the assignment names the function, and patterns stay patterns.
        return;
    }
  }
}

/** Whether a `var` stands in the head of a loop: `for (var i = 0;;)` or `for (var x of y)`. */
function isLoopHead(declaration: AstNode, within: AstNode): "for" | "each" | undefined {
  const found = (node: AstNode): "for" | "each" | undefined => {
    if (node.type === "ForStatement" && node.init === declaration) return "for";
    if ((node.type === "ForOfStatement" || node.type === "ForInStatement") && node.left === declaration) return "each";
    if (isFunction(node)) return undefined;
    for (const key in node) {
      const value: unknown = node[key];
      for (const child of Array.isArray(value) ? value : [value]) {
        if (typeof child !== "object" || child === null || typeof child.type !== "string") continue;
        if (child.start > declaration.start || child.end < declaration.end) continue;
        const head = found(child);
        if (head) return head;
      }
    }
    return undefined;
  };
  return found(within);
}

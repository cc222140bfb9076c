/**
 * Which names a cell declares at its top and which it takes from outside. A resolver over the parsed JavaScript of one
 * cell; it knows the scoping rules of ES modules and nothing of any other cell.
 */
import type { Program } from "oxc-parser";

/** Any node of the tree. The rules below look only at what they name. */
export interface AstNode {
  type: string;
  start: number;
  end: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tree has 165 node types; the checks are by `type`.
  [key: string]: any;
}

export type DeclarationKind = "const" | "let" | "var" | "function" | "class" | "import";

/** How a free name is used, which decides how it may be rewritten. */
export type Role =
  | "read"
  /** Callee or tag: `f()`, f`…`. */
  | "call"
  /** `{ f }`. */
  | "shorthand"
  /** `f = …`, `f += …`, `f++`. */
  | "write"
  /** `f = () => …`: the assignment names the function. */
  | "naming-write"
  /** `[f] = …`, `{ f } = …`, `for (f of …)`. */
  | "pattern";

export interface Reference {
  name: string;
  start: number;
  end: number;
  role: Role;
}

export interface CellScope {
  declarations: Map<string, DeclarationKind>;
  /** Uses of names that no scope inside the cell binds; those of the cell's own top-level names are among them. */
  references: Reference[];
  awaits: { node: AstNode; top: boolean }[];
  /** `for await` statements. */
  loops: AstNode[];
  /** `import(…)` and `import.meta`. */
  imports: AstNode[];
  metas: AstNode[];
}

class Scope {
  readonly names = new Set<string>();
  readonly parent: Scope | undefined;
  readonly inFunction: boolean;
  constructor(parent: Scope | undefined, inFunction: boolean) {
    this.parent = parent;
    this.inFunction = inFunction;
  }
  has(name: string): boolean {
    return this.names.has(name) || (this.parent?.has(name) ?? false);
  }
}

export const isFunction = (node: AstNode): boolean =>
  node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression";

const isNode = (value: unknown): value is AstNode =>
  typeof value === "object" && value !== null && typeof (value as AstNode).type === "string";

/** Child nodes in source order, whatever the type. */
function* children(node: AstNode): Generator<AstNode> {
  for (const key in node) {
    const value: unknown = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) yield item;
    } else if (isNode(value)) yield value;
  }
}

/** Names that a binding pattern binds. */
export function boundNames(pattern: AstNode | null): string[] {
  if (pattern === null) return [];
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((p: AstNode) => boundNames(p.type === "RestElement" ? p.argument : p.value));
    case "ArrayPattern":
      return pattern.elements.flatMap(boundNames);
    case "AssignmentPattern":
      return boundNames(pattern.left);
    case "RestElement":
      return boundNames(pattern.argument);
    default:
      return [];
  }
}

/** Every `var` under a node, not looking into functions. */
export function varDeclarations(node: AstNode, found: AstNode[] = []): AstNode[] {
  if (node.type === "VariableDeclaration" && node.kind === "var") found.push(node);
  if (isFunction(node) || node.type === "StaticBlock" || node.type === "PropertyDefinition") return found;
  for (const child of children(node)) varDeclarations(child, found);
  return found;
}

/** The declaration that stands behind `export`, or the statement itself. */
export function unexported(statement: AstNode): AstNode {
  if (statement.type === "ExportNamedDeclaration" && statement.declaration) return statement.declaration;
  if (statement.type === "ExportDefaultDeclaration") return statement.declaration;
  return statement;
}

/** Names of this statement list's own scope: let, const, class and function. */
function lexicalNames(statements: readonly AstNode[]): [string, DeclarationKind][] {
  return statements.flatMap((given): [string, DeclarationKind][] => {
    const statement = unexported(given);
    if (statement.type === "VariableDeclaration" && statement.kind !== "var")
      return statement.declarations.flatMap((d: AstNode) => boundNames(d.id).map((n) => [n, statement.kind]));
    if (statement.type === "FunctionDeclaration" && statement.id) return [[statement.id.name, "function"]];
    if (statement.type === "ClassDeclaration" && statement.id) return [[statement.id.name, "class"]];
    if (statement.type === "ImportDeclaration")
      return statement.specifiers.map((s: AstNode) => [s.local.name, "import"] as [string, DeclarationKind]);
    return [];
  });
}

const withoutParens = (node: AstNode): AstNode =>
  node.type === "ParenthesizedExpression" ? withoutParens(node.expression) : node;

/** True when an assignment of this value gives it its name. */
function takesName(value: AstNode): boolean {
  return isFunction(value) ? value.id == null : value.type === "ClassExpression" && value.id == null;
}

class Resolver {
  readonly result: CellScope = {
    declarations: new Map(),
    references: [],
    awaits: [],
    loops: [],
    imports: [],
    metas: [],
  };

  program(program: Program): CellScope {
    const body = program.body as unknown as AstNode[];
    const { declarations } = this.result;
    for (const statement of body)
      for (const declaration of varDeclarations(statement))
        for (const name of declaration.declarations.flatMap((d: AstNode) => boundNames(d.id)))
          declarations.set(name, "var");
    for (const [name, kind] of lexicalNames(body)) declarations.set(name, kind);
    const top = new Scope(undefined, false);
    for (const statement of body) this.visit(statement, top);
    return this.result;
  }

  #use(node: AstNode, role: Role, scope: Scope): void {
    if (!scope.has(node.name)) this.result.references.push({ name: node.name, start: node.start, end: node.end, role });
  }

  visit(node: AstNode, scope: Scope): void {
    switch (node.type) {
      case "Identifier":
        this.#use(node, "read", scope);
        return;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        this.#function(node, scope);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#class(node, scope);
        return;
      case "BlockStatement":
        this.#block(node.body, scope);
        return;
      case "SwitchStatement": {
        this.visit(node.discriminant, scope);
        const inner = this.#blockScope(
          node.cases.flatMap((c: AstNode) => c.consequent),
          scope,
        );
        for (const child of node.cases) this.visit(child, inner);
        return;
      }
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement":
        this.#loop(node, scope);
        return;
      case "CatchClause": {
        const inner = new Scope(scope, scope.inFunction);
        if (node.param) this.#bind(node.param, inner);
        this.#block(node.body.body, inner);
        return;
      }
      case "VariableDeclaration":
        for (const declarator of node.declarations) {
          this.#pattern(declarator.id, scope);
          if (declarator.init) this.visit(declarator.init, scope);
        }
        return;
      case "AssignmentExpression": {
        const target = withoutParens(node.left);
        if (target.type === "Identifier")
          this.#use(target, node.operator.endsWith("=") && takesName(node.right) ? "naming-write" : "write", scope);
        else this.#target(node.left, scope);
        this.visit(node.right, scope);
        return;
      }
      case "UpdateExpression": {
        const target = withoutParens(node.argument);
        if (target.type === "Identifier") this.#use(target, "write", scope);
        else this.visit(node.argument, scope);
        return;
      }
      case "CallExpression":
      case "TaggedTemplateExpression": {
        const callee: AstNode = node.type === "CallExpression" ? node.callee : node.tag;
        const bare = withoutParens(callee);
        if (bare.type === "Identifier") this.#use(bare, "call", scope);
        else this.visit(callee, scope);
        for (const child of node.arguments ?? [node.quasi]) this.visit(child, scope);
        return;
      }
      case "MemberExpression":
        this.visit(node.object, scope);
        if (node.computed) this.visit(node.property, scope);
        return;
      case "Property":
        if (node.computed) this.visit(node.key, scope);
        if (node.shorthand && node.value.type === "Identifier") this.#use(node.value, "shorthand", scope);
        else this.visit(node.value, scope);
        return;
      case "MethodDefinition":
      case "PropertyDefinition":
      case "AccessorProperty":
        if (node.computed) this.visit(node.key, scope);
        for (const decorator of node.decorators ?? []) this.visit(decorator, scope);
        if (node.value) this.visit(node.value, new Scope(scope, true));
        return;
      case "StaticBlock": {
        const inner = new Scope(scope, true);
        for (const name of varDeclarations({ ...node, type: "BlockStatement" }).flatMap((v) => v.declarations))
          for (const bound of boundNames(name.id)) inner.names.add(bound);
        this.#block(node.body, inner);
        return;
      }
      case "AwaitExpression":
        this.result.awaits.push({ node, top: !scope.inFunction });
        this.visit(node.argument, scope);
        return;
      case "ImportExpression":
        this.result.imports.push(node);
        break;
      case "MetaProperty":
        if (node.meta.name === "import") this.result.metas.push(node);
        return;
      case "LabeledStatement":
        this.visit(node.body, scope);
        return;
      case "BreakStatement":
      case "ContinueStatement":
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return;
      case "ExportNamedDeclaration":
        if (node.declaration) this.visit(node.declaration, scope);
        return;
    }
    for (const child of children(node)) this.visit(child, scope);
  }

  #blockScope(statements: readonly AstNode[], parent: Scope): Scope {
    const scope = new Scope(parent, parent.inFunction);
    for (const [name] of lexicalNames(statements)) scope.names.add(name);
    return scope;
  }

  #block(statements: readonly AstNode[], parent: Scope): void {
    const scope = this.#blockScope(statements, parent);
    for (const statement of statements) this.visit(statement, scope);
  }

  #function(node: AstNode, outer: Scope): void {
    let scope = outer;
    if (node.type === "FunctionExpression" && node.id) {
      scope = new Scope(scope, true);
      scope.names.add(node.id.name);
    }
    const inner = new Scope(scope, true);
    if (node.type !== "ArrowFunctionExpression") inner.names.add("arguments");
    for (const parameter of node.params) for (const name of boundNames(parameter)) inner.names.add(name);
    for (const parameter of node.params) this.#bind(parameter, inner);
    if (!node.body) return;
    if (node.body.type !== "BlockStatement") {
      this.visit(node.body, inner);
      return;
    }
    for (const declaration of varDeclarations(node.body))
      for (const name of declaration.declarations.flatMap((d: AstNode) => boundNames(d.id))) inner.names.add(name);
    this.#block(node.body.body, inner);
  }

  #class(node: AstNode, outer: Scope): void {
    for (const decorator of node.decorators ?? []) this.visit(decorator, outer);
    const scope = new Scope(outer, outer.inFunction);
    if (node.id) scope.names.add(node.id.name);
    if (node.superClass) this.visit(node.superClass, scope);
    this.visit(node.body, scope);
  }

  #loop(node: AstNode, outer: Scope): void {
    const scope = new Scope(outer, outer.inFunction);
    const head: AstNode | null = node.type === "ForStatement" ? node.init : node.left;
    if (node.await) this.result.loops.push(node);
    if (head?.type === "VariableDeclaration") {
      if (head.kind !== "var")
        for (const name of head.declarations.flatMap((d: AstNode) => boundNames(d.id))) scope.names.add(name);
      this.visit(head, scope);
    } else if (head) {
      if (node.type === "ForStatement") this.visit(head, scope);
      else this.#target(head, scope);
    }
    for (const part of [node.test, node.update, node.right, node.body]) if (part) this.visit(part, scope);
  }

  /** A pattern that binds in `scope`: its names are no uses, its defaults and computed keys are. */
  #bind(pattern: AstNode, scope: Scope): void {
    for (const name of boundNames(pattern)) scope.names.add(name);
    this.#pattern(pattern, scope);
  }

  /** Defaults and computed keys inside a binding pattern. */
  #pattern(pattern: AstNode | null, scope: Scope): void {
    if (pattern === null) return;
    switch (pattern.type) {
      case "ObjectPattern":
        for (const property of pattern.properties) {
          if (property.type === "RestElement") this.#pattern(property.argument, scope);
          else {
            if (property.computed) this.visit(property.key, scope);
            this.#pattern(property.value, scope);
          }
        }
        return;
      case "ArrayPattern":
        for (const element of pattern.elements) this.#pattern(element, scope);
        return;
      case "AssignmentPattern":
        this.#pattern(pattern.left, scope);
        this.visit(pattern.right, scope);
        return;
      case "RestElement":
        this.#pattern(pattern.argument, scope);
        return;
    }
  }

  /** What an assignment pattern assigns to. */
  #target(node: AstNode | null, scope: Scope): void {
    if (node === null) return;
    switch (node.type) {
      case "Identifier":
        this.#use(node, "pattern", scope);
        return;
      case "ParenthesizedExpression":
        this.#target(node.expression, scope);
        return;
      case "ObjectPattern":
        for (const property of node.properties) {
          if (property.type === "RestElement") this.#target(property.argument, scope);
          else {
            if (property.computed) this.visit(property.key, scope);
            this.#target(property.value, scope);
          }
        }
        return;
      case "ArrayPattern":
        for (const element of node.elements) this.#target(element, scope);
        return;
      case "AssignmentPattern":
        this.#target(node.left, scope);
        this.visit(node.right, scope);
        return;
      case "RestElement":
        this.#target(node.argument, scope);
        return;
      default:
        this.visit(node, scope);
    }
  }
}

/** Resolves all names of a parsed cell. The tree comes from oxc-parser, `preserveParens` on. */
export function resolveNames(program: Program): CellScope {
  return new Resolver().program(program);
}

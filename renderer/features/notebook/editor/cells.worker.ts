/**
 * The TypeScript worker of the editor. A cell is a module; behind its text, out of sight, stand an import of the names
 * that earlier cells define and an export of its own. So each cell sees the types of the cells before it, may declare a
 * name again, and every position in the shown text stays where it is.
 */
import { create, initialize, TypeScriptWorker, ts } from "monaco-editor/languages/features/typescript/ts.worker.js";
import { CELLS_FILE, type CellsFile } from "./cells-file.ts";

type Diagnostic = { start?: number | undefined; code: number };
type Part = { text: string; kind: string };

interface Joined {
  text: string;
  shownLength: number;
  version: string;
}

class CellsWorker extends TypeScriptWorker {
  #parsedVersion = "";
  #cells: CellsFile = { notebooks: {} };
  #names = new Map<string, { text: string; values: string[]; types: string[] }>();
  #joined = new Map<string, { key: string; joined: Joined }>();
  #serial = 0;

  override getScriptFileNames(): string[] {
    const names = super.getScriptFileNames().filter((name) => name !== CELLS_FILE);
    const known = new Set(names);
    for (const list of Object.values(this.#read().notebooks))
      for (const cell of list) if (!known.has(cell.uri)) names.push(cell.uri);
    return names;
  }

  override getScriptVersion(fileName: string): string {
    return this.#join(fileName)?.version ?? super.getScriptVersion(fileName);
  }

  override _getScriptText(fileName: string): string | undefined {
    return this.#join(fileName)?.text ?? super._getScriptText(fileName);
  }

  /** Only what lies in the text that the user sees. */
  #shown<T extends Diagnostic>(fileName: string, diagnostics: T[]): T[] {
    const joined = this.#join(fileName);
    return joined
      ? diagnostics.filter((item) => item.start === undefined || item.start < joined.shownLength)
      : diagnostics;
  }

  override async getSemanticDiagnostics(fileName: string) {
    return this.#shown(fileName, await super.getSemanticDiagnostics(fileName));
  }

  /** Of the shown text alone: what stands behind it must not close an open brace. */
  override async getSyntacticDiagnostics(fileName: string) {
    const joined = this.#join(fileName);
    if (!joined) return super.getSyntacticDiagnostics(fileName);
    const source = ts.typescript.createSourceFile("cell.ts", joined.text.slice(0, joined.shownLength), 99, false, 3);
    const found = source.parseDiagnostics as (Diagnostic & {
      length: number;
      messageText: unknown;
      category: number;
    })[];
    return found.map(({ start, length, messageText, category, code }) => ({
      start,
      length,
      messageText,
      category,
      code,
    }));
  }

  /** "const q: EmbeddingSet" instead of "(alias) const q: EmbeddingSet import q". */
  override async getQuickInfoAtPosition(fileName: string, position: number) {
    const info = await super.getQuickInfoAtPosition(fileName, position);
    if (!info?.displayParts || !this.#join(fileName)) return info;
    const parts = info.displayParts as Part[];
    const text = parts.map((part) => part.text).join("");
    if (!text.startsWith("(alias) ")) return info;
    const cut = text.slice("(alias) ".length).replace(/\nimport [\s\S]*$/, "");
    return { ...info, displayParts: [{ text: cut, kind: "text" }] };
  }

  #read(): CellsFile {
    const file = this._extraLibs[CELLS_FILE] as { version: number; content: string } | undefined;
    const version = String(file?.version ?? "");
    if (version !== this.#parsedVersion) {
      this.#parsedVersion = version;
      this.#cells = file ? (JSON.parse(file.content) as CellsFile) : { notebooks: {} };
    }
    return this.#cells;
  }

  /** The text as the editor has it now, else as the page last told. */
  #text(cell: { uri: string; text: string }): string {
    const model = this._getModel(cell.uri) as { getValue(): string } | null;
    return model?.getValue() ?? cell.text;
  }

  #join(fileName: string): Joined | null {
    if (!fileName.startsWith("file:///notebook/")) return null;
    for (const list of Object.values(this.#read().notebooks)) {
      const at = list.findIndex((cell) => cell.uri === fileName);
      const cell = list[at];
      if (!cell) continue;
      const text = this.#text(cell);
      const own = this.#defined(cell.uri, text);
      const taken = new Set([...own.values, ...own.types]);
      const imports: string[] = [];
      // The nearest earlier definition of a name counts.
      for (let i = at - 1; i >= 0; i--) {
        const earlier = list[i];
        if (!earlier) continue;
        const names = this.#defined(earlier.uri, this.#text(earlier));
        const fresh = [...names.values, ...names.types].filter((name) => !taken.has(name));
        for (const name of fresh) taken.add(name);
        if (fresh.length > 0)
          imports.push(`import { ${fresh.join(", ")} } from ${JSON.stringify(relative(earlier.uri))};`);
      }
      const exported = [...own.values.map((name) => name), ...own.types.map((name) => `type ${name}`)];
      const suffix = `\n;\n${imports.join("\n")}\nexport { ${exported.join(", ")} };\n`;
      const key = `${text}\u0000${suffix}`;
      const before = this.#joined.get(fileName);
      if (before?.key === key) return before.joined;
      const joined = { text: text + suffix, shownLength: text.length, version: `cell-${++this.#serial}` };
      this.#joined.set(fileName, { key, joined });
      return joined;
    }
    return null;
  }

  /** Names that a cell defines at its top level; imports count too. */
  #defined(uri: string, text: string): { values: string[]; types: string[] } {
    const before = this.#names.get(uri);
    if (before?.text === text) return before;
    const api = ts.typescript;
    const source = api.createSourceFile("cell.ts", text, 99, false, 3);
    const values = new Set<string>();
    const types = new Set<string>();
    const bind = (name: { kind: number; text?: string; elements?: readonly { name?: never }[] }): void => {
      if (name.text !== undefined) values.add(name.text);
      else for (const element of name.elements ?? []) if (element.name) bind(element.name);
    };
    for (const statement of source.statements) {
      if (api.isVariableStatement(statement))
        for (const declaration of statement.declarationList.declarations) bind(declaration.name);
      else if (
        api.isFunctionDeclaration(statement) ||
        api.isClassDeclaration(statement) ||
        api.isEnumDeclaration(statement)
      ) {
        if (statement.name) values.add(statement.name.text);
      } else if (api.isInterfaceDeclaration(statement) || api.isTypeAliasDeclaration(statement))
        types.add(statement.name.text);
      else if (api.isImportDeclaration(statement) && statement.importClause) {
        const clause = statement.importClause;
        if (clause.name) values.add(clause.name.text);
        const named = clause.namedBindings;
        if (named && api.isNamespaceImport(named)) values.add(named.name.text);
        else if (named)
          for (const element of named.elements)
            (clause.isTypeOnly || element.isTypeOnly ? types : values).add(element.name.text);
      }
    }
    for (const name of values) types.delete(name);
    // A cell that writes its own exports has them already.
    const already = /^\s*export\s/m.test(text);
    const found = { text, values: already ? [] : [...values], types: already ? [] : [...types] };
    this.#names.set(uri, found);
    return found;
  }
}

function relative(uri: string): string {
  return `./${uri.slice(uri.lastIndexOf("/") + 1)}`;
}

// Monaco starts its worker in the same two steps.
void create;
self.onmessage = () => {
  initialize((context: unknown, data: unknown) => new CellsWorker(context, data));
};

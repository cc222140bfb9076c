/** How cells are checked: as modules with top-level await, in the order of the notebook (see cells.worker.ts). */
import type { typescriptDefaults } from "monaco-editor/languages/features/typescript/register.js";
import { CELLS_FILE, type CellsFile } from "./cells-file.ts";

type Defaults = typeof typescriptDefaults;

/** Where the declarations of "parallax" and of what it needs are put for the editor. */
export const LIBRARY_ROOT = "file:///node_modules/";

/**
 * Diagnostics that are not true of cells:
 * 1375 / 1378 await needs a module, 2451 redeclared, 6133 / 6192 / 6196 / 6198 unused
 * (a later cell may use it), 80005 / 80007 suggestions, 70xx a type that is any, or a package without declarations.
 */
const IGNORED = [
  1375, 1378, 2451, 6133, 6192, 6196, 6198, 80005, 80007, 7005, 7006, 7008, 7010, 7011, 7015, 7016, 7017, 7018, 7019,
  7022, 7023, 7024, 7031, 7034, 7053,
];

export function configureTypeScript(defaults: Defaults): void {
  defaults.setCompilerOptions({
    target: 99,
    module: 99,
    moduleResolution: 2,
    // Every cell is a module, with or without an import.
    moduleDetection: 3,
    allowNonTsExtensions: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    // So that `const rows = []` grows with what is pushed; the complaints that come with it are ignored below.
    noImplicitAny: true,
    esModuleInterop: true,
    resolveJsonModule: true,
    skipLibCheck: true,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: [],
    baseUrl: LIBRARY_ROOT,
    paths: { "*": ["*"] },
  });
  defaults.setDiagnosticsOptions({
    noSemanticValidation: false,
    noSyntaxValidation: false,
    noSuggestionDiagnostics: true,
    onlyVisible: true,
    diagnosticCodesToIgnore: IGNORED,
  });
}

let libraries: Record<string, string> = {};
let cells: CellsFile = { notebooks: {} };
let installed: { dispose(): void } | null = null;

/** The declarations that the host sends once. */
export function setLibraries(defaults: Defaults, files: Record<string, string>): void {
  libraries = { ...GLOBALS, ...files };
  defaults.setExtraLibs([
    ...Object.entries(libraries).map(([path, content]) => ({ filePath: toUri(path), content })),
    { filePath: CELLS_FILE, content: JSON.stringify(cells) },
  ]);
  installed = null;
}

/** The text of all code cells of a notebook, in order; the worker joins them. */
export function setCells(defaults: Defaults, docId: string, list: CellsFile["notebooks"][string] | null): void {
  const { [docId]: _before, ...others } = cells.notebooks;
  cells = { notebooks: list === null ? others : { ...others, [docId]: list } };
  const before = installed;
  installed = defaults.addExtraLib(JSON.stringify(cells), CELLS_FILE);
  // Disposing the older one does nothing once it was replaced.
  before?.dispose();
}

function toUri(path: string): string {
  if (path.startsWith("file:///")) return path;
  const clean = path.replace(/^\/+/, "");
  return clean.startsWith("node_modules/") ? `file:///${clean}` : `${LIBRARY_ROOT}${clean}`;
}

/** What a cell finds without importing it. The kernel is Node: no document, no window. */
const GLOBALS: Record<string, string> = {
  "@parallax/globals/index.d.ts": `
interface Console {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  table(data: unknown, columns?: string[]): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
}
declare var console: Console;
declare function setTimeout(run: (...values: any[]) => void, ms?: number, ...values: any[]): any;
declare function clearTimeout(timer: any): void;
declare function setInterval(run: (...values: any[]) => void, ms?: number, ...values: any[]): any;
declare function clearInterval(timer: any): void;
declare function setImmediate(run: (...values: any[]) => void, ...values: any[]): any;
declare function queueMicrotask(run: () => void): void;
declare function structuredClone<T>(value: T): T;
declare var performance: { now(): number };
declare function fetch(url: string | URL, options?: any): Promise<any>;
declare var process: { env: Record<string, string | undefined>; argv: string[]; cwd(): string; memoryUsage(): { rss: number; heapUsed: number }; version: string; platform: string; hrtime: { bigint(): bigint } };
declare var Buffer: any;
declare class URL { constructor(url: string, base?: string | URL); href: string; pathname: string; hostname: string; searchParams: URLSearchParams }
declare class URLSearchParams { constructor(init?: any); get(name: string): string | null; set(name: string, value: string): void; toString(): string }
declare class TextEncoder { encode(text?: string): Uint8Array }
declare class TextDecoder { constructor(label?: string); decode(bytes?: ArrayBufferView | ArrayBuffer): string }
interface AbortSignal { readonly aborted: boolean; readonly reason: unknown; throwIfAborted(): void; addEventListener(type: "abort", listener: () => void): void }
declare var AbortSignal: { timeout(ms: number): AbortSignal; abort(reason?: unknown): AbortSignal };
declare class AbortController { readonly signal: AbortSignal; abort(reason?: unknown): void }
declare module "node:fs" { const fs: any; export = fs; }
declare module "node:fs/promises" { const fs: any; export = fs; }
declare module "node:path" { const path: any; export = path; }
`,
};

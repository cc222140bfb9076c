/** Monaco's TypeScript worker has no declarations of its own: what cells.worker.ts uses of it. */
declare module "monaco-editor/languages/features/typescript/ts.worker.js" {
  type Diagnostic = { start?: number | undefined; code: number };
  export class TypeScriptWorker {
    constructor(context: unknown, data: unknown);
    protected _extraLibs: Record<string, { version: number; content: string }>;
    getScriptFileNames(): string[];
    getScriptVersion(fileName: string): string;
    _getScriptText(fileName: string): string | undefined;
    _getModel(fileName: string): unknown;
    getSemanticDiagnostics(fileName: string): Promise<Diagnostic[]>;
    getSyntacticDiagnostics(fileName: string): Promise<Diagnostic[]>;
    getQuickInfoAtPosition(
      fileName: string,
      position: number,
    ): Promise<{ displayParts?: { text: string; kind: string }[] } | undefined>;
  }
  export function initialize(make: (context: unknown, data: unknown) => unknown): void;
  export function create(context: unknown, data: unknown): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the compiler inside Monaco is not typed
  export const ts: { typescript: any };
}

/**
 * The editor's own chunk: loaded when the first notebook opens. All of Monaco's features together, and before the first
 * editor: its TypeScript mode pulls them in anyway, and a service that comes after the first editor is not found.
 */
import "monaco-editor/features/register.all.js";
import "monaco-editor/languages/definitions/markdown/register.js";
import "monaco-editor/languages/definitions/typescript/register.js";
import * as monaco from "monaco-editor/editor/editor.api.js";
import { typescriptDefaults } from "monaco-editor/languages/features/typescript/register.js";
import { onThemeChange } from "../../../theme/theme.ts";
import { defineThemes } from "./monaco-theme.ts";
import { configureTypeScript } from "./typescript.ts";

/** Workers are files of their own beside the page. */
function startWorker(label: string): Worker {
  const file = label === "typescript" || label === "javascript" ? "ts.worker.js" : "editor.worker.js";
  return new Worker(new URL(`workers/${file}`, document.baseURI), { name: `parallax-${label}` });
}

(self as { MonacoEnvironment?: unknown }).MonacoEnvironment = {
  getWorker: (_id: string, label: string) => startWorker(label),
};

configureTypeScript(typescriptDefaults);
defineThemes(monaco);
onThemeChange(() => defineThemes(monaco));

/** Suggestions and hovers live here, outside of the cells, so that no cell clips them. */
const overflow = document.createElement("div");
overflow.className = "monaco-editor monaco-overflow";
document.body.append(overflow);

export { monaco, overflow, typescriptDefaults };

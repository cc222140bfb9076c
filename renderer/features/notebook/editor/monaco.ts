/**
 * The editor's own chunk: loaded when the first notebook opens. Only the parts that a cell needs; go-to-next-problem
 * (F8) and Tab-moves-focus (Ctrl+M) are left out because those keys are the notebook's.
 */
import "monaco-editor/features/bracketMatching/register.js";
import "monaco-editor/features/caretOperations/register.js";
import "monaco-editor/features/clipboard/register.js";
import "monaco-editor/features/codicon/register.js";
import "monaco-editor/features/comment/register.js";
import "monaco-editor/features/contextmenu/register.js";
import "monaco-editor/features/cursorUndo/register.js";
import "monaco-editor/features/find/register.js";
import "monaco-editor/features/format/register.js";
import "monaco-editor/features/hover/register.js";
import "monaco-editor/features/indentation/register.js";
import "monaco-editor/features/lineSelection/register.js";
import "monaco-editor/features/linesOperations/register.js";
import "monaco-editor/features/links/register.js";
import "monaco-editor/features/multicursor/register.js";
import "monaco-editor/features/parameterHints/register.js";
import "monaco-editor/features/placeholderText/register.js";
import "monaco-editor/features/readOnlyMessage/register.js";
import "monaco-editor/features/smartSelect/register.js";
import "monaco-editor/features/snippet/register.js";
import "monaco-editor/features/suggest/register.js";
import "monaco-editor/features/tokenization/register.js";
import "monaco-editor/features/wordHighlighter/register.js";
import "monaco-editor/features/wordOperations/register.js";
import "monaco-editor/features/wordPartOperations/register.js";
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

/** The notebook's keys inside the editor: registered once for all cells, since each registration rebuilds Monaco's table. */
import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { runCommand } from "../../../commands/table.ts";
import type { App } from "../../../state/app.ts";

/** Widgets that keep Esc for themselves while they are open. */
const NO_WIDGET =
  "!suggestWidgetVisible && !parameterHintsVisible && !findWidgetVisible && !renameInputVisible && !editorHasMultipleSelections && !inSnippetMode && !editorHoverVisible";

let current: App | null = null;
let registered = false;

export function registerKeys(monaco: typeof Monaco, app: App): void {
  current = app;
  if (registered) return;
  registered = true;
  const { KeyMod, KeyCode } = monaco;
  const { CtrlCmd, WinCtrl, Shift, Alt } = KeyMod;
  const keys: [id: string, keybindings: number[], when?: string][] = [
    ["cell.run-next", [Shift | KeyCode.Enter]],
    ["cell.run", [CtrlCmd | KeyCode.Enter, WinCtrl | KeyCode.Enter]],
    ["cell.run-insert", [Alt | KeyCode.Enter]],
    ["cell.command-mode", [KeyCode.Escape], NO_WIDGET],
    ["cell.command-mode", [CtrlCmd | KeyCode.KeyM, WinCtrl | KeyCode.KeyM]],
    ["cell.split", [CtrlCmd | Shift | KeyCode.Minus, WinCtrl | Shift | KeyCode.Minus]],
    ["cell.move-up", [CtrlCmd | Shift | KeyCode.UpArrow]],
    ["cell.move-down", [CtrlCmd | Shift | KeyCode.DownArrow]],
    ["cell.next-failed", [KeyCode.F8]],
    ["cell.previous-failed", [Shift | KeyCode.F8]],
    ["notebook.save", [CtrlCmd | KeyCode.KeyS]],
    ["app.palette", [CtrlCmd | KeyCode.KeyK]],
  ];
  for (const id of new Set(keys.map(([id]) => id)))
    monaco.editor.registerCommand(`parallax.${id}`, () => {
      if (current) runCommand(current, id);
    });
  monaco.editor.addKeybindingRules(
    keys.flatMap(([id, keybindings, when]) =>
      keybindings.map((keybinding) => ({
        keybinding,
        command: `parallax.${id}`,
        when: when === undefined ? "editorTextFocus" : `editorTextFocus && ${when}`,
      })),
    ),
  );
}

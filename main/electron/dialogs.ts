/** Questions that only the shell can ask. The page asks everything else. */
import { type BrowserWindow, dialog } from "electron";
import type { ErrorData } from "../../kernels/protocol/errors.ts";

export type CloseAnswer = "save" | "close" | "stay";

export async function askBeforeClosing(window: BrowserWindow, unsaved: readonly string[]): Promise<CloseAnswer> {
  const { response } = await dialog.showMessageBox(window, {
    type: "question",
    message:
      unsaved.length === 1 ? `${unsaved[0]} has unsaved edits.` : `${unsaved.length} notebooks have unsaved edits.`,
    detail: `${unsaved.join(", ")}. Without saving, the edits are kept as a backup and come back when you open the notebook again. Training runs go on.`,
    buttons: ["Save and close", "Close without saving", "Cancel"],
    defaultId: 0,
    cancelId: 2,
    noLink: true,
  });
  return (["save", "close", "stay"] as const)[response] ?? "stay";
}

/** Nothing leaves the computer unless a button says so, and names the host. */
export async function askToOpen(window: BrowserWindow, url: string): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: "question",
    message: `Open ${new URL(url).host} in your browser?`,
    detail: url,
    buttons: ["Open", "Cancel"],
    defaultId: 1,
    cancelId: 1,
    noLink: true,
  });
  return response === 0;
}

/** @returns absolute; null when the user chose nothing */
export async function chooseFolder(window: BrowserWindow, title: string): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, { title, properties: ["openDirectory"] });
  return canceled ? null : (filePaths[0] ?? null);
}

export function tell(error: ErrorData): void {
  dialog.showErrorBox(error.message, error.hint ?? "");
}

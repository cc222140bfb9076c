/** The one window: its page, what it may not do, and how it closes. */

import path from "node:path";
import { BrowserWindow, shell } from "electron";
import { toErrorData } from "../../kernels/protocol/errors.ts";
import type { Host } from "../host/host.ts";
import { packageRoot } from "../host/package-root.ts";
import { askBeforeClosing, askToOpen, tell } from "./dialogs.ts";
import { isOurPage, isPermitted, isWebLink, PAGE_URL, windowOptions } from "./security.ts";

export function openWindow(host: Host): BrowserWindow {
  const window = new BrowserWindow(windowOptions(path.join(packageRoot(), "dist/main/electron/preload.cjs")));
  const { webContents } = window;
  webContents.session.setPermissionRequestHandler((_contents, permission, answer) => answer(isPermitted(permission)));
  webContents.session.setPermissionCheckHandler((_contents, permission) => isPermitted(permission));
  webContents.session.setDevicePermissionHandler(() => false);
  webContents.on("will-attach-webview", (event) => event.preventDefault());
  webContents.on("will-navigate", (event) => {
    if (!isOurPage(event.url)) event.preventDefault();
  });
  webContents.on("will-redirect", (event) => event.preventDefault());
  webContents.setWindowOpenHandler(({ url }) => {
    if (isWebLink(url))
      void askToOpen(window, url).then((isWanted) => (isWanted ? shell.openExternal(url) : undefined));
    return { action: "deny" };
  });
  webContents.on("render-process-gone", (_event, { reason }) => {
    // Documents and kernels live in the host: the page is loaded again and finds them as they were.
    if (reason !== "clean-exit") window.reload();
  });
  window.once("ready-to-show", () => window.show());
  confirmClosing(window, host);
  void window.loadURL(PAGE_URL);
  return window;
}

function confirmClosing(window: BrowserWindow, host: Host): void {
  let isSettled = false;
  window.on("close", (event) => {
    const unsaved = host.unsaved();
    if (isSettled || unsaved.length === 0) return;
    event.preventDefault();
    void askBeforeClosing(window, unsaved).then(async (answer) => {
      if (answer === "stay") return;
      try {
        if (answer === "save") await host.saveAll();
      } catch (error) {
        tell(toErrorData(error));
        return;
      }
      isSettled = true;
      window.close();
    });
  });
}

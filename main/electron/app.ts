/** The desktop shell: window, menu, page files, one port per page. All else is main/host, as under `parallax serve`. */
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { app, type BrowserWindow, ipcMain, Menu, MessageChannelMain, protocol, safeStorage } from "electron";
import { toErrorData } from "../../kernels/protocol/errors.ts";
import { appFolders } from "../host/app-folders.ts";
import { Host } from "../host/host.ts";
import { pageFile } from "../host/page-files.ts";
import { securityHeaders } from "../host/page-policy.ts";
import { chooseFolder, tell } from "./dialogs.ts";
import { menuTemplate } from "./menu.ts";
import { messagePort } from "./port.ts";
import { isOurPage, PAGE_HOST, SCHEME, SCHEMES } from "./security.ts";
import { tokenVault } from "./token-vault.ts";
import { openWindow } from "./window.ts";

protocol.registerSchemesAsPrivileged(SCHEMES);
app.enableSandbox();

if (app.requestSingleInstanceLock()) void run();
else app.quit();

async function run(): Promise<void> {
  let window: BrowserWindow | null = null;
  app.on("second-instance", () => {
    if (window?.isMinimized()) window.restore();
    window?.focus();
  });
  await app.whenReady();
  const host = startHost(async (title) => (window === null ? null : chooseFolder(window, title)));
  if (host === null) return;
  servePage();
  ipcMain.on("parallax.request-port", (event) => {
    // Only our page in our window: a frame inside it has another address.
    const frame = event.senderFrame;
    if (frame === null || event.sender !== window?.webContents || frame.parent !== null || !isOurPage(frame.url))
      return;
    const { port1, port2 } = new MessageChannelMain();
    host.connect(messagePort(port1));
    frame.postMessage("parallax.port", null, [port2]);
  });
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform, (command) => host.command(command))));
  window = openWindow(host);
  app.on("activate", () => {
    if (window === null || window.isDestroyed()) window = openWindow(host);
  });
  app.on("window-all-closed", () => app.quit());
  let isDisposed = false;
  app.on("will-quit", (event) => {
    if (isDisposed) return;
    event.preventDefault();
    // Kernels end with the app; trainers are processes of their own and go on.
    void host.dispose().finally(() => {
      isDisposed = true;
      app.quit();
    });
  });
}

function startHost(choose: (title: string) => Promise<string | null>): Host | null {
  const root = rootFolder();
  try {
    mkdirSync(root, { recursive: true });
    const vault = tokenVault(safeStorage, appFolders().config, process.platform);
    return new Host({ root, shell: "electron", confined: false, tokenVault: vault, chooseFolder: choose });
  } catch (error) {
    tell({ ...toErrorData(error), message: `Parallax cannot use its folder ${root}. Nothing was changed.` });
    app.exit(1);
    return null;
  }
}

/** A folder given on the command line, else one in the user's documents. */
function rootFolder(): string {
  const given = process.argv.slice(app.isPackaged ? 1 : 2).find((arg) => !arg.startsWith("-"));
  if (given !== undefined && statSync(given, { throwIfNoEntry: false })?.isDirectory()) return path.resolve(given);
  return path.join(app.getPath("documents"), "Parallax");
}

function servePage(): void {
  protocol.handle(SCHEME, async (request) => {
    const { host, pathname } = new URL(request.url);
    const file = host === PAGE_HOST && request.method === "GET" ? await pageFile(pathname) : null;
    const headers = securityHeaders();
    if (file === null) return new Response("There is nothing here.\n", { status: 404, headers });
    return new Response(new Uint8Array(file.body), { headers: { ...headers, "Content-Type": file.type } });
  });
}

/** What the window may do, as data, so that a test can read it without Electron. */
import type { BrowserWindowConstructorOptions, CustomScheme } from "electron";

/** The page has an origin of its own; file:// would share one with every file of the computer. */
export const SCHEME = "app";
export const PAGE_HOST = "parallax";
export const PAGE_URL = `${SCHEME}://${PAGE_HOST}/`;

export const SCHEMES: CustomScheme[] = [
  { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
];

export function windowOptions(preload: string): BrowserWindowConstructorOptions {
  return {
    width: 1280,
    height: 860,
    minWidth: 640,
    minHeight: 480,
    show: false,
    title: "Parallax",
    backgroundColor: "#16181D",
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  };
}

/** Everything else (camera, notifications, devices, reading the clipboard) is refused without asking. */
export function isPermitted(permission: string): boolean {
  return permission === "clipboard-sanitized-write";
}

export function isOurPage(url: string): boolean {
  return url === PAGE_URL || url.startsWith(PAGE_URL);
}

/** Addresses that may be shown in the user's browser, once they said so. */
export function isWebLink(url: string): boolean {
  return URL.canParse(url) && ["https:", "http:"].includes(new URL(url).protocol);
}

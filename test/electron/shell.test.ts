/** The shell cannot be started without Electron's binary; what it is told to be is data, and data can be read. */
import { readFileSync } from "node:fs";
import type { MenuItemConstructorOptions } from "electron";
import { describe, expect, test } from "vitest";
import { menuTemplate } from "../../main/electron/menu.ts";
import { isOurPage, isPermitted, isWebLink, SCHEMES, windowOptions } from "../../main/electron/security.ts";

function flat(items: MenuItemConstructorOptions[]): MenuItemConstructorOptions[] {
  return items.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? flat(item.submenu) : [])]);
}

/** Ids as they stand in the page's table of commands; the table itself needs a browser to be imported. */
function pageCommands(): Set<string> {
  const sources = ["app-commands", "cell-commands"].map((name) => readFileSync(`renderer/commands/${name}.ts`, "utf8"));
  return new Set([...sources.join("\n").matchAll(/\bid: "([a-z-]+\.[a-z-]+)"/g)].map((match) => match[1]!));
}

describe("the desktop shell", () => {
  test("the window has a sandbox, an isolated context and no Node", () => {
    expect(windowOptions("/preload.cjs").webPreferences).toMatchObject({
      preload: "/preload.cjs",
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
    });
    expect(SCHEMES).toEqual([
      { scheme: "app", privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
    ]);
  });

  test("only the page's own address is ours, and only web links may go out", () => {
    const addresses = [
      "app://parallax/",
      "app://parallax/index.html",
      "app://parallax.evil/",
      "https://parallax/",
      "file:///etc/passwd",
      "javascript:alert(1)",
    ];
    expect(addresses.filter(isOurPage)).toEqual(["app://parallax/", "app://parallax/index.html"]);
    expect(addresses.filter(isWebLink)).toEqual(["https://parallax/"]);
  });

  test("nothing is permitted but writing text to the clipboard", () => {
    const asked = [
      "clipboard-sanitized-write",
      "clipboard-read",
      "media",
      "geolocation",
      "notifications",
      "openExternal",
      "usb",
      "fileSystem",
    ];
    expect(asked.filter(isPermitted)).toEqual(["clipboard-sanitized-write"]);
  });

  test.each(["darwin", "linux", "win32"] as const)(
    "every command of the menu on %s is one of the page's",
    (platform) => {
      const sent: string[] = [];
      const items = flat(menuTemplate(platform, (command) => sent.push(command)));
      const commands = items.filter((item) => item.click !== undefined);
      for (const item of commands) (item.click as () => void)();
      expect(sent).toEqual(commands.map((item) => item.id));
      const known = pageCommands();
      expect(sent.filter((id) => !known.has(id))).toEqual([]);
      // The page has the keys; a menu that registered them too would run a command twice.
      expect(items.filter((item) => item.accelerator !== undefined && item.registerAccelerator !== false)).toEqual([]);
    },
  );
});

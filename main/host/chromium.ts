/** Which Chromium a page test may drive: named by the environment, Playwright's own download, or the system's. */
import { existsSync, readdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const SYSTEM = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

export function findChromium(): string | null {
  const named = process.env.PARALLAX_CHROMIUM;
  if (named) return existsSync(named) ? named : null;
  return playwrightChromium() ?? SYSTEM.find((file) => existsSync(file)) ?? null;
}

function playwrightChromium(): string | null {
  const home = os.homedir();
  const folder =
    process.env.PLAYWRIGHT_BROWSERS_PATH ??
    { darwin: path.join(home, "Library/Caches/ms-playwright"), win32: path.join(home, "AppData/Local/ms-playwright") }[
      process.platform as string
    ] ??
    path.join(home, ".cache/ms-playwright");
  if (!existsSync(folder)) return null;
  const inside = [
    "chrome-linux64/chrome",
    "chrome-linux/chrome",
    "chrome-win64/chrome.exe",
    "chrome-win/chrome.exe",
    "chrome-mac-arm64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
  ];
  for (const build of readdirSync(folder)
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort()
    .reverse()) {
    const found = inside.map((name) => path.join(folder, build, name)).find((file) => existsSync(file));
    if (found) return found;
  }
  return null;
}

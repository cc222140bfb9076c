/** Finds a Chromium and opens pages in it: PARALLAX_CHROMIUM, Playwright's own, then the system's. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const SYSTEM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function chromiumPath(): string | null {
  const named = process.env.PARALLAX_CHROMIUM;
  if (named) return named;
  const own = chromium.executablePath();
  return [own, ...SYSTEM].find((file) => file !== "" && existsSync(file)) ?? null;
}

export async function launchBrowser(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === null)
    throw new Error("No Chromium was found: set PARALLAX_CHROMIUM, or install Debian's package chromium.");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-background-networking"] });
}

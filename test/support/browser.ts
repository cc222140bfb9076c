/** Opens pages in the Chromium that main/host/chromium.ts finds. */
import { type Browser, chromium } from "playwright-core";
import { findChromium } from "../../main/host/chromium.ts";

export function chromiumPath(): string | null {
  return process.env.PARALLAX_NO_CHROMIUM === "1" ? null : findChromium();
}

export async function launchBrowser(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === null)
    throw new Error("No Chromium was found: set PARALLAX_CHROMIUM, or install Debian's package chromium.");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-background-networking"] });
}

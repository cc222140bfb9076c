/** Where Electron's own binary is, without requiring the package (that would start a download). */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "./package-root.ts";

/** Absolute path of the executable, or null when it was never downloaded. */
export function electronBinary(): string | null {
  const folder = path.join(packageRoot(), "node_modules/electron");
  const name =
    { darwin: "Electron.app/Contents/MacOS/Electron", win32: "electron.exe" }[process.platform as string] ?? "electron";
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) {
    const binary = path.join(override, name);
    return existsSync(binary) ? binary : null;
  }
  const marker = path.join(folder, "path.txt");
  const relative = existsSync(marker) ? readFileSync(marker, "utf8").trim() : name;
  const binary = path.join(folder, "dist", relative);
  return existsSync(binary) ? binary : null;
}

#!/usr/bin/env node
/** `npm start`: the desktop window where Electron's binary is there, otherwise the same page in a browser. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { checkNode, ensureInstalled, root } from "./install.mjs";

checkNode();
ensureInstalled();
const { ensureBuilt } = await import("./build.mjs");
await ensureBuilt((line) => console.error(line));

const args = process.argv.slice(2);
const binary = electronBinary();
const child = binary
  ? spawn(binary, [root, ...args], { stdio: "inherit" })
  : spawn(process.execPath, [path.join(root, "bin/parallax.mjs"), "serve", ...args], { stdio: "inherit" });
if (!binary)
  console.error(
    "Electron's binary is not here, so the page opens in a browser (`npx parallax doctor` says how to get the window).",
  );
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));

/** Looks for the file only: requiring the package would start its download. */
function electronBinary() {
  const name =
    { darwin: "Electron.app/Contents/MacOS/Electron", win32: "electron.exe" }[process.platform] ?? "electron";
  const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? path.join(root, "node_modules/electron/dist");
  const file = path.join(folder, name);
  return existsSync(file) ? file : null;
}

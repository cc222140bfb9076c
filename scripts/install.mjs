/** Installs the packages when they are not what package-lock.json says. Uses Node's built-ins only: it runs first. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

export function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 20) return;
  console.error(`Parallax needs Node.js 20 or newer, found ${process.version}. Nothing was changed.`);
  process.exit(1);
}

/** True when every package of the lock file is installed in its version; a quick look, not a verification. */
function isInstalled() {
  const installed = path.join(root, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")).packages;
  const found = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(wanted).every(
    ([name, entry]) => name === "" || entry.optional || found[name]?.version === entry.version,
  );
}

export function ensureInstalled() {
  if (isInstalled()) return;
  console.error("Installing packages (npm ci)…");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, ["ci", "--no-audit", "--no-fund"], {
    cwd: root,
    // npm's own words go to standard error: standard output stays for what was asked.
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status === 0) return;
  console.error(
    "npm ci failed; its messages are above. Parallax needs the npm registry once. Nothing else was changed.",
  );
  process.exit(1);
}

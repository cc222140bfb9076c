#!/usr/bin/env node
/**
 * `npm test`: installs what is missing, finds a Chromium, checks types, lint and layers, then runs the tests. Names of
 * files or folders as arguments run only those tests.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkNode, ensureInstalled, root } from "./install.mjs";

checkNode();
ensureInstalled();
const only = process.argv.slice(2);
if (only.length === 0) {
  const { status } = spawnSync(process.execPath, [path.join(root, "scripts/check.mjs")], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
const chromium = findChromium() ?? installChromium();
if (!chromium)
  console.error(
    "No Chromium was found, so the tests of the page are skipped. Get one with `npx playwright-core install chromium`, your system's package, or name one in PARALLAX_CHROMIUM.",
  );

const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-test-"));
const report = path.join(folder, "report.json");
const child = spawn(
  process.execPath,
  [
    path.join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...only,
  ],
  {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    // Tests keep their caches and settings away from the user's own.
    env: {
      ...process.env,
      PARALLAX_HOME: path.join(folder, "home"),
      ...(chromium ? { PARALLAX_CHROMIUM: chromium } : { PARALLAX_NO_CHROMIUM: "1" }),
    },
  },
);
child.on("exit", (code) => {
  if (existsSync(report)) {
    const r = JSON.parse(readFileSync(report, "utf8"));
    console.log(
      `${r.numPassedTests} passed, ${r.numFailedTests} failed, ${r.numPendingTests + (r.numTodoTests ?? 0)} skipped`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 1);
});

function findChromium() {
  const result = spawnSync(process.execPath, [path.join(root, "scripts/find-chromium.mjs")], { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** On Debian as root the system's package is one command away; nowhere else is anything installed by a test. */
function installChromium() {
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) return null;
  console.error("Installing Debian's Chromium for the tests of the page…");
  const run = (...args) =>
    spawnSync("apt-get", args, { stdio: ["ignore", 2, 2], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  if (run("install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core").status !== 0) {
    run("update");
    run("install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core");
  }
  return findChromium();
}

#!/usr/bin/env node
/**
 * `npm run bench:cache`: eight prompts compared on a task, then one of them changed and all eight compared again, with an
 * empty cache of vectors at the start. Prints the time of each and their ratio, and checks that a result made from the
 * cache equals one made without it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundle, root } from "../support/python.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const program = await bundle(path.join(here, "sweep.ts"), "cache.mjs");
const home = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-cache-"));
try {
  const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");
  const { status } = spawnSync(process.execPath, [program, data], {
    stdio: "inherit",
    env: { ...process.env, PARALLAX_HOME: home },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}

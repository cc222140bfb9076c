#!/usr/bin/env node
/**
 * `npm run bench:parity`: the default encoder against PyTorch on the same weights. Largest difference of a number of the
 * embeddings of 200 real texts, and of each weight's gradient on 16 real pairs, relative to that gradient's length.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { bundle, python, requireTorch, root, sentencePairs } from "../support/python.mjs";

const here = path.join(root, "test/bench/parity");
const version = requireTorch("bench:parity");
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-parity-"));
try {
  const { pairs, source } = sentencePairs(100);
  writeFileSync(path.join(folder, "pairs.json"), JSON.stringify(pairs));
  console.log(`200 texts of ${source}; PyTorch ${version}`);
  execFileSync(process.execPath, [await bundle(path.join(here, "ours.ts"), "parity-ours.mjs"), folder], {
    stdio: "inherit",
  });
  process.exitCode = spawnSync(python, [path.join(here, "theirs.py"), folder], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

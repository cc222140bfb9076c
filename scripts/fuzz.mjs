#!/usr/bin/env node
/**
 * Random inputs, many of them: runs every test that reads FUZZ_RUNS with that number (default 2000).
 * `FUZZ_RUNS=20000 npm run fuzz -- test/runtime`, `FUZZ_SHRINK=1` to make a failing cell program smaller.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "./build.mjs";

const wanted = process.argv.slice(2);
const files = readdirSync(path.join(root, "test"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
  .filter((file) => !file.includes("node_modules") && readFileSync(file, "utf8").includes("FUZZ_RUNS"))
  .map((file) => path.relative(root, file).split(path.sep).join("/"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.startsWith(part)));
const runs = process.env.FUZZ_RUNS ?? "2000";
console.error(`${runs} runs each: ${files.join(", ")}`);
const { status } = spawnSync(
  process.execPath,
  [path.join(root, "node_modules/vitest/vitest.mjs"), "run", "--testTimeout=3600000", ...files],
  { cwd: root, stdio: "inherit", env: { ...process.env, FUZZ_RUNS: runs } },
);
process.exit(status ?? 1);

#!/usr/bin/env node
/** `npm run check`: types, lint and format, layers. Everything is run, then the exit code says whether all held. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { checkNode, ensureInstalled, root } from "./install.mjs";

checkNode();
ensureInstalled();
const tsc = path.join(root, "node_modules/typescript/bin/tsc");
const steps = [
  ...["pure", "kernels", "main", "renderer", "test"].map((name) => [
    `types: ${name}`,
    [tsc, "-p", `tsconfig/${name}.json`],
  ]),
  ["lint and format", [path.join(root, "node_modules/@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."]],
  ["layers", [path.join(root, "scripts/check-layers.mjs")]],
];
const failed = [];
for (const [name, args] of steps) {
  const started = Date.now();
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  console.log(`${status === 0 ? "✓" : "✕"} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(", ")}.`);
process.exit(failed.length > 0 ? 1 : 0);

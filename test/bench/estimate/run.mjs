#!/usr/bin/env node
/**
 * `npm run bench:estimate`: what runs of the default encoder were said to take, and what they took. Three runs that
 * differ in what they spend their time on; pairs and task are made here from a seed. Each is estimated twice: by
 * `parallax train --dry-run`, and by the trainer itself before its first step. Fails when one is off by over 25 %.
 *
 * STEPS (default 60) sets the length. A computer that is busy with other things at one time and not at the other makes
 * both numbers wrong: run it alone.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

await ensureBuilt((line) => console.error(line), ["node", "wasm"]);
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-estimate-"));
const steps = Number(process.env.STEPS ?? 60);
const limit = 0.25;

let state = 12345;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const words = "river bank money account house garden cat music letter paper train cold bright road water teacher".split(
  " ",
);
const text = (n) => Array.from({ length: n }, () => `${words[random(words.length)]}${random(50)}`).join(" ");
const line = (value) => `${value}\n`;
const pairs = Array.from({ length: 2000 }, () => `${text(3 + random(12))}\t${text(3 + random(30))}`);
writeFileSync(path.join(folder, "pairs.tsv"), ["anchor\tpositive", ...pairs].map(line).join(""));
const scored = Array.from({ length: 400 }, (_, i) => `${text(8)}\t${text(8)}\t${i % 6}`);
writeFileSync(path.join(folder, "task.tsv"), ["sentence1\tsentence2\tscore", ...scored].map(line).join(""));

const runs = {
  plain: { batchSize: 16 },
  "with evaluations and checkpoints": { batchSize: 8, evaluation: "task.tsv", checkpointEvery: 10 },
  "large batches, word embeddings trained": { batchSize: 48, freezeWordEmbeddings: false, steps: Math.ceil(steps / 3) },
};
const parallax = (...args) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, "bin/parallax.mjs"), ...args, "--json"],
    {
      encoding: "utf8",
      env: { ...process.env, PARALLAX_HOME: path.join(folder, "home") },
    },
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};
let worst = 0;
console.log("| Run | | before the start | by the trainer | it took |\n| --- | --- | ---: | ---: | ---: |");
for (const [name, recipe] of Object.entries(runs)) {
  const config = path.join(folder, "train.json");
  const output = path.join(folder, "runs");
  writeFileSync(config, JSON.stringify({ pairs: "pairs.tsv", steps, output, ...recipe }));
  const before = parallax("train", "--config", config, "--dry-run");
  parallax("train", "--config", config);
  const run = path.join(output, readdirSync(output)[0]);
  const { estimate, actual } = JSON.parse(readFileSync(path.join(run, "status.json"), "utf8"));
  rmSync(output, { recursive: true });
  for (const [what, field, unit] of [
    ["time", "elapsedMs", (value) => `${(value / 1000).toFixed(1)} s`],
    ["memory", "memoryBytes", (value) => `${(value / 1e9).toFixed(2)} GB`],
  ]) {
    const off = (value) => value / actual[field] - 1;
    const said = [before[field], estimate[field]];
    worst = Math.max(worst, ...said.map((value) => Math.abs(off(value))));
    const cell = (value) => `${unit(value)} (${off(value) >= 0 ? "+" : "−"}${Math.abs(100 * off(value)).toFixed(0)} %)`;
    console.log(`| ${name} | ${what} | ${said.map(cell).join(" | ")} | ${unit(actual[field])} |`);
  }
}
rmSync(folder, { recursive: true });
console.log(`\nFurthest off: ${(100 * worst).toFixed(0)} %; at most ${100 * limit} % is asked for.`);
process.exit(worst <= limit ? 0 : 1);

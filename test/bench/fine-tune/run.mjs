#!/usr/bin/env node
/**
 * `npm run bench:fine-tune`: what a fine-tune of the default encoder does to two public tasks, by `parallax train`.
 *
 *   stsb        pairs of STS Benchmark's training part scored 4 and higher; Spearman on its test part
 *   banking77   two texts of one label of Banking77's training part; accuracy on its test part
 *
 * The recipe is fineTune's own. PARALLAX_DATA names the data folder, SEED the seed, RUNS where run folders go; words on
 * the command line choose tasks.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

const data = path.resolve(process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data"), "eval");
const folder = process.env.RUNS ?? mkdtempSync(path.join(os.tmpdir(), "parallax-bench-fine-tune-"));
const seed = Number(process.env.SEED ?? 0);
const banking = (part) => path.join(data, `classification/banking77-${part}.tsv`);
const tasks = {
  stsb: {
    pairs: { file: path.join(data, "sts/stsbenchmark-train.tsv"), where: { column: "score", atLeast: 4 } },
    evaluation: path.join(data, "sts/stsbenchmark-test.tsv"),
  },
  banking77: {
    pairs: { file: banking("train"), text: "text", label: "label" },
    evaluation: path.join(folder, "banking77.json"),
  },
};

await ensureBuilt((line) => console.error(line));
if (!existsSync(data)) {
  console.error(`The data folder ${data} is not there; PARALLAX_DATA names another.`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
writeFileSync(
  tasks.banking77.evaluation,
  JSON.stringify({
    parallaxTask: 1,
    type: "classification",
    name: "Banking77",
    train: banking("train"),
    test: banking("test"),
  }),
);
const chosen = process.argv.slice(2);
for (const [name, config] of Object.entries(tasks)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const file = path.join(folder, `${name}-${seed}-config.json`);
  writeFileSync(file, JSON.stringify({ ...config, seed, output: folder }, null, 2));
  const { status } = spawnSync(process.execPath, [path.join(root, "bin/parallax.mjs"), "train", "--config", file], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = status ?? 1;
}

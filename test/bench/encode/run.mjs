#!/usr/bin/env node
/**
 * `npm run bench:encode`: texts a second of Parallax against transformers.js. Both read the same ONNX file (token vectors
 * of all-MiniLM-L6-v2), on the same sentences, with the same threads and the same largest batch, in turns, each in a
 * process of its own. The ratio is the median over the rounds. ROUNDS, THREADS, BATCH and TEXTS (how many) change the
 * defaults.
 */
import { execFileSync, fork } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const rounds = Number(process.env.ROUNDS ?? 5);
const threads = Number(process.env.THREADS ?? Math.min(2, os.availableParallelism()));
const batchSize = Number(process.env.BATCH ?? 32);
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-encode-"));

/** STS Benchmark test sentences where the data is there, else the texts of the examples. */
function sentences() {
  const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");
  const file = path.join(data, "eval", "sts", "stsbenchmark-test.tsv");
  const readTsv = (name, columns) => {
    const [head, ...lines] = readFileSync(name, "utf8").trimEnd().split("\n");
    const names = head.split("\t");
    return columns.flatMap((column) => lines.map((line) => line.split("\t")[names.indexOf(column)]));
  };
  if (existsSync(file)) return { texts: readTsv(file, ["sentence1", "sentence2"]), source: "STS Benchmark test" };
  const words =
    "the a polar bear river bank music science team paper letter reads plays opens under over near old new".split(" ");
  const texts = Array.from({ length: 2758 }, (_, i) =>
    Array.from({ length: 5 + ((i * 7919) % 40) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(" "),
  );
  return { texts, source: `made-up sentences, for ${file} is not there` };
}

/** The rival and what it depends on, from the npm registry alone: no package's own script runs. */
function installRival() {
  if (existsSync(path.join(here, "node_modules/@huggingface/transformers/package.json"))) return;
  console.error("Installing transformers.js for this bench (once)…");
  execFileSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"],
    {
      cwd: here,
      stdio: ["ignore", "inherit", "inherit"],
      shell: process.platform === "win32",
    },
  );
}

/** A child that answers one message at a time. */
function side(file) {
  const child = fork(file, [folder], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  let waiting;
  const settle = (how, value) => {
    waiting?.[how](value);
    waiting = undefined;
  };
  child.on("message", (answer) =>
    answer.error ? settle("reject", new Error(answer.error)) : settle("resolve", answer),
  );
  child.on("exit", (code, signal) => settle("reject", new Error(`${file} ended with ${signal ?? `code ${code}`}`)));
  return {
    ask: (message) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        child.send(message);
      }),
    close: () => child.kill(),
  };
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

installRival();
await ensureBuilt((line) => console.error(line));
mkdirSync(path.join(root, "dist/bench"), { recursive: true });
const ours = path.join(root, "dist/bench/encode-ours.mjs");
await build({
  entryPoints: [path.join(here, "ours.ts")],
  outfile: ours,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
});

const { texts: all, source } = sentences();
const texts = all.slice(0, Number(process.env.TEXTS ?? all.length));
const a = side(ours);
const b = side(path.join(here, "theirs.mjs"));
try {
  await a.ask({ do: "prepare" });
  const settings = { do: "load", threads };
  const [oursInfo, theirsInfo] = [await a.ask(settings), await b.ask(settings)];
  const modes = [
    { name: `batches of ${batchSize}`, text: "each side's own order: ours by length, theirs as given" },
    { name: `same batches of ${batchSize}`, text: "exactly the same texts in each batch, as given", sameBatches: true },
  ];
  console.log(
    `${texts.length} texts (${source}), ${threads} threads, ${rounds} rounds in turns, ${os.cpus()[0].model}`,
  );
  console.log(
    `ours: Parallax, ${oursInfo.runtime}; theirs: transformers.js ${theirsInfo.version}; the same ONNX file, ${oursInfo.modelBytes} bytes`,
  );
  const result = [];
  for (const mode of modes) {
    const task = { do: "encode", texts, batchSize, sameBatches: mode.sameBatches ?? false };
    // One round before the clock starts; its vectors must agree, or the race means nothing.
    const [x, y] = [await a.ask({ ...task, vectors: true }), await b.ask({ ...task, vectors: true })];
    let difference = 0;
    for (let i = 0; i < x.vectors.length; i++) difference = Math.max(difference, Math.abs(x.vectors[i] - y.vectors[i]));
    if (!(difference < 1e-4) || x.vectors.length !== y.vectors.length)
      throw new Error(`The two sides give different vectors (largest difference ${difference}).`);
    const times = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      times.ours.push((await a.ask(task)).elapsedMs);
      times.theirs.push((await b.ask(task)).elapsedMs);
    }
    const rate = (list) => (1000 * texts.length) / median(list);
    const ratios = times.ours.map((ms, i) => times.theirs[i] / ms);
    result.push({
      mode: mode.name,
      ours: rate(times.ours),
      theirs: rate(times.theirs),
      ratio: median(ratios),
      ratios,
      difference,
    });
    console.log(
      `${mode.name} (${mode.text}): ours ${rate(times.ours).toFixed(0)} texts/s, theirs ${rate(times.theirs).toFixed(0)} texts/s, ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), largest difference of a number ${difference.toExponential(1)}`,
    );
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify(result));
  process.exitCode = result[0].ratio >= 1 ? 0 : 1;
} finally {
  a.close();
  b.close();
  rmSync(folder, { recursive: true, force: true });
}

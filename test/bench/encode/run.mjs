#!/usr/bin/env node
/**
 * `npm run bench:encode`: texts a second of Parallax against transformers.js (as documented: batches of 32 in the order
 * given; and with its texts sorted by length) and PyTorch (sorted), and of our int8 against our float32. The same weights,
 * texts and threads, in turns, each in a process of its own; ratios are medians over the rounds. Texts: STS Benchmark,
 * Banking77 and SciFact in equal parts, shuffled.
 *
 * `--texts 1500` (default 10000), `--rounds 3`, `--json`; THREADS and BATCH in the environment.
 */
import { execFileSync, fork, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { build } from "esbuild";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const rounds = option("rounds", 3);
const wanted = option("texts", 10_000);
const python = process.env.PARALLAX_PYTHON ?? "/usr/bin/python3";
const threads = Number(process.env.THREADS ?? Math.min(2, os.availableParallelism()));
const batchSize = Number(process.env.BATCH ?? 32);
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-encode-"));

/** Real texts of three kinds in equal parts where the data is there, else made-up ones. Shuffled by a fixed rule. */
function mixedTexts() {
  const data = path.join(process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data"), "eval");
  const readTsv = (name, columns) => {
    const [head, ...lines] = readFileSync(path.join(data, name), "utf8").trimEnd().split("\n");
    const names = head.split("\t");
    return columns.flatMap((column) => lines.map((line) => line.split("\t")[names.indexOf(column)]));
  };
  const documents = path.join(data, "retrieval/scifact/corpus.jsonl.gz");
  if (!existsSync(documents)) {
    const words =
      "the a polar bear river bank music science team paper letter reads plays opens under over near old new".split(
        " ",
      );
    const texts = Array.from({ length: wanted }, (_, i) =>
      Array.from({ length: 5 + ((i * 7919) % 200) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(" "),
    );
    return { texts, source: `made-up texts, for ${documents} is not there` };
  }
  const kinds = [
    readTsv("sts/stsbenchmark-train.tsv", ["sentence1", "sentence2"]),
    readTsv("classification/banking77-train.tsv", ["text"]),
    gunzipSync(readFileSync(documents))
      .toString("utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .map(({ title, text }) => `${title} ${text}`),
  ];
  const texts = Array.from({ length: wanted }, (_, i) => kinds[i % 3][Math.floor(i / 3)]);
  let state = 1;
  for (let i = texts.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [texts[i], texts[j]] = [texts[j], texts[i]];
  }
  return { texts, source: "STS Benchmark, Banking77 and SciFact in equal parts, shuffled" };
}

/** PyTorch's process, or undefined where there is none. */
async function torchSide(work) {
  if (spawnSync(python, ["-c", "import torch, numpy"]).status !== 0) return undefined;
  const file = path.join(folder, "torch.json");
  // Two BLAS threads and one of its own are PyTorch's best here; see docs/precision.md.
  writeFileSync(file, JSON.stringify({ ...work, batchSize, ompThreads: 1 }));
  const child = spawn(python, [path.join(here, "theirs.py"), file], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, OPENBLAS_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const { version } = await next();
  return {
    version,
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return next();
    },
    close: () => child.kill(),
  };
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

const { texts, source } = mixedTexts();
const a = side(ours);
const b = side(path.join(here, "theirs.mjs"));
let torch;
try {
  await a.ask({ do: "prepare" });
  const oursInfo = await a.ask({ do: "load", threads });
  const theirsInfo = await b.ask({ do: "load", threads });
  const { ids, flops } = await a.ask({ do: "tokens", texts });
  const order = texts.map((_, i) => i).sort((x, y) => ids[y].length - ids[x].length || x - y);
  const sorted = order.map((i) => texts[i]);
  torch = await torchSide({ weights: oursInfo.weights, ids: order.map((i) => ids[i]) });
  const tokens = ids.reduce((sum, row) => sum + row.length, 0);
  console.log(
    `${texts.length} texts, ${tokens} tokens (${source}), ${threads} threads, ${rounds} rounds in turns, ${os.cpus()[0].model}`,
  );
  console.log(
    `ours: Parallax, ${oursInfo.runtime}; transformers.js ${theirsInfo.version} on our ONNX export (${oursInfo.modelBytes} bytes); ${torch ? `PyTorch ${torch.version}, tokens given` : `no PyTorch in ${python}`}`,
  );
  const runs = {
    float32: (more) => a.ask({ do: "encode", texts, precision: "float32", ...more }),
    documented: (more) => b.ask({ do: "encode", texts, batchSize, ...more }),
    sorted: (more) => b.ask({ do: "encode", texts: sorted, batchSize, ...more }),
    ...(torch ? { torch: (more) => torch.ask(more?.vectors ? "vectors" : "go") } : {}),
    int8: (more) => a.ask({ do: "encode", texts, precision: "int8", ...more }),
  };
  // One run before the clock starts; the vectors must agree, or the race means nothing.
  const d = 384;
  const first = {};
  for (const [name, run] of Object.entries(runs)) first[name] = (await run({ vectors: true })).vectors;
  for (const [name, vectors] of Object.entries(first)) {
    const isSorted = name === "sorted" || name === "torch";
    const other = [];
    let cosine = 0;
    for (let i = 0; i < texts.length; i++) {
      let dot = 0;
      let difference = 0;
      for (let j = 0; j < d; j++) {
        const [x, y] = [first.float32[(isSorted ? order[i] : i) * d + j], vectors[i * d + j]];
        difference = Math.max(difference, Math.abs(x - y));
        dot += x * y;
      }
      cosine += dot / texts.length;
      if (difference >= 1e-4) other.push(isSorted ? order[i] : i);
    }
    // transformers.js 4.3.1 cuts the closing [SEP] off with the end of a long text; anything more would be another model.
    if (name !== "int8" && other.length > 0) {
      const cut = other.filter((i) => ids[i].length >= 256).length;
      console.log(
        `${name}: ${other.length} of ${texts.length} vectors differ by over 1e-4; ${cut} of them are cut texts`,
      );
      if (other.length - cut > 0.02 * texts.length || cosine < 0.999)
        throw new Error(`${name} gives other vectors than ours.`);
    }
    if (name === "int8") console.log(`int8: mean cosine to float32 ${cosine.toFixed(5)}`);
  }
  const times = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  const peaks = [];
  for (let round = 0; round < rounds; round++) {
    peaks.push((await a.ask({ do: "peak", threads })).gflops);
    for (const [name, run] of Object.entries(runs)) times[name].push((await run()).elapsedMs);
  }
  const peak = Math.max(...peaks);
  for (const [name, list] of Object.entries(times)) {
    const share = flops / (median(list) * 1e6) / peak;
    console.log(
      `${name.padEnd(10)} ${((1000 * texts.length) / median(list)).toFixed(0).padStart(6)} texts/s  ${(100 * share).toFixed(0).padStart(3)} % of the peak of ${peak.toFixed(0)} GFLOP/s (MatMul 1024³)`,
    );
  }
  const races = [
    ["transformers.js as documented, input order", "documented", "float32", 1.5],
    ["transformers.js, sorted by length", "sorted", "float32", 1.2],
    ["PyTorch, sorted by length", "torch", "float32", 1.2],
    ["our float32, for our int8", "float32", "int8", 2],
  ];
  const result = [];
  for (const [name, theirs, own, target] of races) {
    if (!times[theirs]) continue;
    const ratios = times[own].map((ms, i) => times[theirs][i] / ms);
    const ratio = median(ratios);
    result.push({ name, ratio, ratios, target });
    console.log(
      `${ratio >= target ? "✓" : "✕"} ${ratio.toFixed(2)} times ${name} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}; target ${target})`,
    );
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify({ result, times, peaks, flops, tokens }));
  process.exitCode = result.every(({ ratio, target }) => ratio >= target) ? 0 : 1;
} finally {
  a.close();
  b.close();
  torch?.close();
  rmSync(folder, { recursive: true, force: true });
}

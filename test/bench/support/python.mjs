/** What the benches against PyTorch share: where it is, a TypeScript side built from source, and real sentences. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

export { root };
export const python = process.env.PARALLAX_PYTHON ?? "/usr/bin/python3";

/** Ends the process with a plain sentence when there is no PyTorch. */
export function requireTorch(name) {
  const probe = spawnSync(python, ["-c", "import torch, numpy; print(torch.__version__)"], { encoding: "utf8" });
  if (probe.status === 0) return probe.stdout.trim();
  console.error(`${name}: ${python} has no PyTorch. Install Debian's python3-torch or set PARALLAX_PYTHON.`);
  process.exit(1);
}

/** Bundles one TypeScript file of a bench; its imports are the sources as they are. */
export async function bundle(entry, name) {
  await ensureBuilt((line) => console.error(line));
  mkdirSync(path.join(root, "dist/bench"), { recursive: true });
  const outfile = path.join(root, "dist/bench", name);
  const options = { bundle: true, platform: "node", format: "esm", packages: "external", logLevel: "warning" };
  await build({ entryPoints: [entry], outfile, ...options });
  return outfile;
}

/** Pairs of the STS Benchmark test file where the data is there, else made-up ones. */
export function sentencePairs(count) {
  const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");
  const file = path.join(data, "eval", "sts", "stsbenchmark-test.tsv");
  if (existsSync(file)) {
    const [head, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
    const names = head.split("\t");
    const [a, b] = [names.indexOf("sentence1"), names.indexOf("sentence2")];
    const rows = lines.slice(0, count).map((line) => line.split("\t"));
    return { pairs: rows.map((row) => [row[a], row[b]]), source: "STS Benchmark test" };
  }
  const words =
    "the a polar bear river bank music science team paper letter reads plays opens under over near old new".split(" ");
  const text = (i) =>
    Array.from({ length: 5 + ((i * 7919) % 40) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(" ");
  return {
    pairs: Array.from({ length: count }, (_, i) => [text(2 * i), text(2 * i + 1)]),
    source: `made-up sentences, for ${file} is not there`,
  };
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

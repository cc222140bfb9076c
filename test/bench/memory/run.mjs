#!/usr/bin/env node
/**
 * `npm run bench:memory`: 50 warm-up encodes and 200 encodes of the default encoder, 10 warm-up steps and 50 steps of its
 * fine-tune, each followed by a forced collection. Fails when the median resident memory of the last tenth is more than
 * 5 % over that of the first tenth, or when sessions or tensors are left over.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ensureBuilt, root } from "../../../scripts/build.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
await ensureBuilt((line) => console.error(line));
mkdirSync(path.join(root, "dist/bench"), { recursive: true });
const program = path.join(root, "dist/bench/memory.mjs");
await build({
  entryPoints: [path.join(here, "loop.ts")],
  outfile: program,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
});

/** STS Benchmark test sentences where the data is there, else made-up ones of the same lengths. */
function sentences() {
  const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");
  const file = path.join(data, "eval", "sts", "stsbenchmark-test.tsv");
  if (existsSync(file)) {
    const [head, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
    const names = head.split("\t");
    return ["sentence1", "sentence2"].flatMap((column) => lines.map((line) => line.split("\t")[names.indexOf(column)]));
  }
  const words =
    "the a polar bear river bank music science team paper letter reads plays opens under over near old new town".split(
      " ",
    );
  return Array.from({ length: 2758 }, (_, i) =>
    Array.from({ length: 5 + ((i * 7919) % 40) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(" "),
  );
}

const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-memory-"));
try {
  const texts = path.join(folder, "texts.json");
  writeFileSync(texts, JSON.stringify(sentences()));
  const { status } = spawnSync(process.execPath, ["--expose-gc", program, texts, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

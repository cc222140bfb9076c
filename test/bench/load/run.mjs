#!/usr/bin/env node
/**
 * `npm run bench:load`: from safetensors to the first vector, against ONNX Runtime loading the same model from one ONNX
 * file. BERT-base with random weights, made in a temporary folder. Each load is a process of its own, in turns: ours with an
 * empty graph cache (cold: digest, build, write, load) and with a filled one (warm). Files are in the system's cache.
 * Target: 1.5 times ONNX Runtime's time. `--rounds 3`, `--json`; LAYERS=3 in the environment for a quick look.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { bundle, median, root } from "../support/python.mjs";

const at = process.argv.indexOf("--rounds");
const rounds = at < 0 ? 3 : Number(process.argv[at + 1]);
const target = 1.5;
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-load-"));
const home = path.join(folder, "home");
const script = await bundle(path.join(root, "test/bench/load/load.ts"), "load.mjs");

function step(name) {
  const { status, stdout } = spawnSync(process.execPath, [script, name, folder], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PARALLAX_HOME: home },
  });
  if (status !== 0) throw new Error(`${name} ended with code ${status}`);
  return JSON.parse(stdout);
}

try {
  step("make");
  step("ort");
  const times = { ort: [], cold: [], warm: [] };
  for (let round = 0; round < rounds; round++) {
    times.ort.push(step("ort").elapsedMs);
    rmSync(home, { recursive: true, force: true });
    times.cold.push(step("ours").elapsedMs);
    times.warm.push(step("ours").elapsedMs);
  }
  const seconds = (list) => (median(list) / 1000).toFixed(2);
  console.log(
    `BERT-base (${process.env.LAYERS ?? 12} of 12 layers), random weights, ${rounds} rounds in turns, ${os.cpus()[0].model}`,
  );
  console.log(`ONNX Runtime from one ONNX file: ${seconds(times.ort)} s to the first vector`);
  const ratios = {};
  for (const name of ["cold", "warm"]) {
    ratios[name] = median(times[name].map((ms, i) => ms / times.ort[i]));
    console.log(
      `${ratios[name] <= target ? "✓" : "✕"} ours, ${name}: ${seconds(times[name])} s, ${ratios[name].toFixed(2)} times (target ${target})`,
    );
  }
  if (process.argv.includes("--json")) console.log(JSON.stringify({ times, ratios }));
  process.exitCode = Object.values(ratios).every((ratio) => ratio <= target) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

#!/usr/bin/env node
/**
 * `npm run bench:train-step`: one training step (forward, InfoNCE, backward, AdamW) of Parallax against PyTorch eager on
 * the CPU: the same weights, the same 32 texts of 64 tokens (16 pairs), word embeddings frozen, dropout off. PyTorch runs
 * with one and two OpenMP and BLAS threads, its best counts. All sides stay up and step in turns; medians are compared.
 * ROUNDS, TEXTS, TOKENS and THREADS (of ours) change the defaults.
 */
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { bundle, median, python, requireTorch, root } from "../support/python.mjs";

const here = path.join(root, "test/bench/train-step");
const rounds = Number(process.env.ROUNDS ?? 5);
const texts = Number(process.env.TEXTS ?? 32);
const tokens = Number(process.env.TOKENS ?? 64);
const threads = process.env.THREADS ?? String(Math.min(2, os.availableParallelism()));
const version = requireTorch("bench:train-step");

/** A child that answers each line with a line of JSON. */
function side(name, command, args, env = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name,
    wall: [],
    compute: [],
    update: [],
    cpu: [],
    losses: [],
    async step() {
      child.stdin.write("step\n");
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} ended (${child.signalCode ?? child.exitCode})`);
      return JSON.parse(value);
    },
    close: () => child.stdin.end(),
  };
}

const ours = side("Parallax", process.execPath, [
  await bundle(path.join(here, "ours.ts"), "train-step-ours.mjs"),
  String(texts),
  String(tokens),
  threads,
]);
const theirs = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
].map(([omp, blas]) =>
  side(
    `PyTorch, OpenMP ${omp}, BLAS ${blas}`,
    python,
    [path.join(here, "theirs.py"), String(texts), String(tokens), String(omp)],
    {
      OMP_NUM_THREADS: String(omp),
      OPENBLAS_NUM_THREADS: String(blas),
    },
  ),
);
const sides = [ours, ...theirs];
try {
  for (let round = -2; round < rounds; round++)
    for (const one of sides) {
      const { computeMs, updateMs, cpuMs, loss } = await one.step();
      one.losses.push(loss);
      // Two steps of each warm up: memory is taken once.
      if (round < 0) continue;
      one.wall.push(computeMs + updateMs);
      one.compute.push(computeMs);
      one.update.push(updateMs);
      one.cpu.push(cpuMs);
    }
  console.log(
    `${texts} texts of ${tokens} tokens, ${rounds} rounds in turns, ours with ${threads} threads, PyTorch ${version}, ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}`,
  );
  for (const { name, wall, compute, update, cpu } of sides)
    console.log(
      `${name}: ${median(wall).toFixed(0)} ms a step (least ${Math.min(...wall).toFixed(0)}); forward and backward ${median(compute).toFixed(0)}, AdamW ${median(update).toFixed(0)}; processor time ${median(cpu).toFixed(0)}`,
    );
  const best = theirs.reduce((a, b) => (median(a.wall) <= median(b.wall) ? a : b));
  const ratio = median(ours.wall) / median(best.wall);
  const least = Math.min(...ours.wall) / Math.min(...theirs.flatMap((one) => one.wall));
  const apart = Math.max(...ours.losses.map((loss, i) => Math.abs(loss - best.losses[i]) / Math.abs(best.losses[i])));
  console.log(
    `losses after ${ours.losses.length} steps: ${ours.losses.at(-1).toFixed(6)} and ${best.losses.at(-1).toFixed(6)}; largest relative difference of a step ${apart.toExponential(1)}`,
  );
  console.log(
    `ratio ours / theirs (best: ${best.name}): ${ratio.toFixed(2)} by medians, ${least.toFixed(2)} by the least; limit 1.5`,
  );
  process.exitCode = ratio <= 1.5 && apart < 1e-3 ? 0 : 1;
} finally {
  for (const one of sides) one.close();
}

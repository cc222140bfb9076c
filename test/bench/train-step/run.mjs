#!/usr/bin/env node
/**
 * `npm run bench:train-step`: one training step (forward, InfoNCE, backward, AdamW) of Parallax against PyTorch eager on
 * the CPU: the same weights, the same 32 texts of 64 tokens (16 pairs), dropout off. PyTorch runs with one and two OpenMP
 * and BLAS threads, its best counts. All sides stay up and step in turns; medians are compared. Beside them a step of
 * ours with adapters of rank 8.
 *
 * `-- --shape minilm|bert-base --words frozen|sparse`; without them all four. ROUNDS, TEXTS, TOKENS and THREADS (of ours)
 * change the defaults. bert-base has seeded weights: it holds 110 million of them on each side.
 */
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { bundle, median, python, requireTorch, root } from "../support/python.mjs";

const here = path.join(root, "test/bench/train-step");
const rounds = Number(process.env.ROUNDS ?? 7);
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

const option = (name, all) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? all : [process.argv[at + 1]];
};
const bundled = await bundle(path.join(here, "ours.ts"), "train-step-ours.mjs");
let good = true;
for (const shape of option("shape", ["minilm", "bert-base"]))
  for (const words of option("words", ["frozen", "sparse"])) good = (await compare(shape, words)) && good;
process.exitCode = good ? 0 : 1;

async function compare(shape, words) {
  const own = (name, method) =>
    side(name, process.execPath, [bundled, String(texts), String(tokens), threads, shape, words, method]);
  const ours = own("Parallax", "full");
  const adapters = own("Parallax, adapters of rank 8", "lora");
  // Four processes of a base model do not fit beside each other everywhere: its two usual best ones stand for all.
  const settings =
    shape === "minilm"
      ? [
          [1, 1],
          [1, 2],
          [2, 1],
          [2, 2],
        ]
      : [
          [1, 2],
          [2, 2],
        ];
  const theirs = settings.map(([omp, blas]) =>
    side(
      `PyTorch, OpenMP ${omp}, BLAS ${blas}`,
      python,
      [path.join(here, "theirs.py"), String(texts), String(tokens), String(omp), shape, words],
      {
        OMP_NUM_THREADS: String(omp),
        OPENBLAS_NUM_THREADS: String(blas),
      },
    ),
  );
  const sides = [ours, ...theirs, adapters];
  try {
    for (let round = -2; round < rounds; round++)
      for (const one of sides) {
        const { computeMs, updateMs, cpuMs, loss, peak } = await one.step();
        one.losses.push(loss);
        one.peak = peak;
        // Two steps of each warm up: memory is taken once.
        if (round < 0) continue;
        one.wall.push(computeMs + updateMs);
        one.compute.push(computeMs);
        one.update.push(updateMs);
        one.cpu.push(cpuMs);
      }
    console.log(
      `\n${shape}, word embeddings ${words === "sparse" ? "trained by rows" : "frozen"}: ${texts} texts of ${tokens} tokens, ${rounds} rounds in turns, ours with ${threads} threads, PyTorch ${version}, ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}`,
    );
    for (const { name, wall, compute, update, cpu, peak } of sides)
      console.log(
        `${name}: ${median(wall).toFixed(0)} ms a step (least ${Math.min(...wall).toFixed(0)}); forward and backward ${median(compute).toFixed(0)}, AdamW ${median(update).toFixed(0)}; processor time ${median(cpu).toFixed(0)}; peak ${(peak / 1e6).toFixed(0)} MB`,
      );
    const best = theirs.reduce((a, b) => (median(a.wall) <= median(b.wall) ? a : b));
    const ratio = median(ours.wall) / median(best.wall);
    const least = Math.min(...ours.wall) / Math.min(...theirs.flatMap((one) => one.wall));
    // Later losses of seeded weights part ways: what counts is that both sides begin with the same one.
    const apart = Math.abs(ours.losses[0] - best.losses[0]) / Math.abs(best.losses[0]);
    console.log(
      `first losses ${ours.losses[0].toFixed(6)} and ${best.losses[0].toFixed(6)} (relative difference ${apart.toExponential(1)}), last ${ours.losses.at(-1).toFixed(6)} and ${best.losses.at(-1).toFixed(6)}`,
    );
    console.log(
      `ratio ours / theirs (best: ${best.name}): ${ratio.toFixed(2)} by medians, ${least.toFixed(2)} by the least, memory ${(ours.peak / best.peak).toFixed(2)}; limits 0.9 and 1.2`,
    );
    console.log(
      `adapters / full: time ${(median(adapters.wall) / median(ours.wall)).toFixed(2)}, memory ${(adapters.peak / ours.peak).toFixed(2)}`,
    );
    return ratio <= 0.9 && ours.peak <= 1.2 * best.peak && apart < 1e-3;
  } finally {
    for (const one of sides) one.close();
  }
}

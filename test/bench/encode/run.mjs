#!/usr/bin/env node
/**
 * `npm run bench:encode`: texts a second of Parallax against transformers.js (as documented: batches of 32 in the order
 * given; and with its texts sorted by length) and PyTorch (sorted), and of our int8 against our float32. The same weights,
 * texts and threads, each in a process of its own. In each round every leg encodes the same new sample, one leg after the
 * other, in an order that changes; what counts are the medians of the rounds' ratios. Before the clock starts all legs'
 * vectors are compared.
 *
 *   --texts 10000    together, in samples that share none      --minutes 11    no round starts that would end later
 *   --round 576      texts a round, a multiple of 96            --seed 1        which texts
 *   --profile        where our graphs' time goes, by operator   --out FILE      .md or .json
 *   --without torch,documented                                  --json          on stdout, instead of markdown
 *
 * THREADS (default 2 of the cores) and BATCH (32) in the environment. A round is some 30 s of two quiet cores.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../support/python.mjs";
import { installRival, nodeSide, torchSide } from "./sides.mjs";
import { LEGS, markdown, summarise } from "./summary.mjs";
import { drawSamples } from "./texts.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const text = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const number = (name, otherwise) => {
  const value = Number(text(name, otherwise));
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} takes a number.`);
  process.exit(2);
};
const batchSize = Number(process.env.BATCH ?? 32);
const threads = Number(process.env.THREADS ?? Math.min(2, os.availableParallelism()));
// Whole batches of each kind of text: a sorted batch that is half long and half short would be padding that a large set has not.
const roundTexts = Math.max(96, 96 * Math.round(number("round", 576) / 96));
const budgetMs = 60_000 * number("minutes", 11);
const without = new Set(text("without", "").split(","));
const seed = number("seed", 1);
/** Vectors are compared on so many texts, before the clock starts. */
const CHECK_TEXTS = 48;

const started = performance.now();
const left = () => budgetMs - (performance.now() - started);
const clock = (ms) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
const say = (line) => console.error(`[${clock(performance.now() - started)} of ${clock(budgetMs)}] ${line}`);
/** A leg that takes longer than what is left and this is ended, and what was measured until then is shown. */
const GRACE_MS = 120_000;
const limit = () => Math.max(0, left()) + GRACE_MS;

const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-encode-"));
installRival();
const a = nodeSide("Parallax", await bundle(path.join(here, "ours.ts"), "encode-ours.mjs"), folder);
const b = nodeSide("transformers.js", path.join(here, "theirs.mjs"), folder);
let torch;
// Stopped from outside, it still shows the rounds that are complete: whoever waits for a leg is told that it has ended.
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    say(`stopped by ${signal}`);
    for (const side of [a, b, torch]) side?.close();
  });
const rounds = [];
const notes = [];

/** Cosines of vectors to ours, which are of unit length; `order` says which text each row is of. */
function cosines(vectors, reference, order) {
  const d = reference.length / order.length;
  return order.map((i, row) => {
    let dot = 0;
    for (let j = 0; j < d; j++) dot += vectors[row * d + j] * reference[i * d + j];
    return dot;
  });
}

const int8 = { sum: 0, n: 0, least: 1 };
function countInt8(all) {
  for (const value of all) int8.sum += value;
  int8.n += all.length;
  int8.least = Math.min(int8.least, ...all);
}

/** A sample as the legs take it: cut to the encoder's length, its ids, its order by length. */
async function prepare(sample) {
  const { texts, ids, flops, padded } = await a.ask({ do: "tokens", texts: sample }, limit());
  const order = texts.map((_, i) => i).sort((x, y) => ids[y].length - ids[x].length || x - y);
  const inBatches = (rows) => {
    let sum = 0;
    for (let i = 0; i < rows.length; i += batchSize) {
      const batch = rows.slice(i, i + batchSize);
      sum += batch.length * Math.max(...batch.map((row) => row.length));
    }
    return sum;
  };
  const sortedIds = order.map((i) => ids[i]);
  return {
    texts,
    sorted: order.map((i) => texts[i]),
    sortedIds,
    order,
    flops,
    tokens: ids.reduce((sum, row) => sum + row.length, 0),
    padded: {
      float32: padded,
      int8: padded,
      documented: inBatches(ids),
      sorted: inBatches(sortedIds),
      torch: inBatches(sortedIds),
    },
  };
}

const run = {
  float32: ({ texts }, more) => a.ask({ do: "encode", texts, precision: "float32", ...more }, limit()),
  documented: ({ texts }, more) => b.ask({ do: "encode", texts, batchSize, ...more }, limit()),
  sorted: ({ sorted }, more) => b.ask({ do: "encode", texts: sorted, batchSize, ...more }, limit()),
  torch: ({ sortedIds }, more) => torch.ask({ do: "encode", ids: sortedIds, batchSize, ...more }, limit()),
  int8: ({ texts }, more) => a.ask({ do: "encode", texts, precision: "int8", ...more }, limit()),
};

async function compareVectors(legs, sample) {
  const natural = sample.texts.map((_, i) => i);
  const own = (await run.float32(sample, { vectors: true })).vectors;
  for (const leg of legs.filter((name) => name !== "float32")) {
    say(`${LEGS[leg]}: comparing vectors of ${sample.texts.length} texts`);
    const { vectors } = await run[leg](sample, { vectors: true });
    const all = cosines(vectors, own, leg === "sorted" || leg === "torch" ? sample.order : natural);
    if (leg === "int8") continue;
    const least = Math.min(...all);
    notes.push(
      `${LEGS[leg]}: least cosine to our vectors ${least.toFixed(6)} (${all.length} texts, before the clock started)`,
    );
    // Everyone gets the same tokens of the same weights; another vector would be another work.
    if (least < 0.9999)
      throw new Error(
        `${LEGS[leg]} gives other vectors than ours (least cosine ${least}); the race would mean nothing.`,
      );
  }
}

async function measureRound(legs, sample, index, count) {
  const { texts, tokens, flops } = sample;
  const round = { texts: texts.length, tokens, flops, ...(await a.ask({ do: "peak", threads }, limit())), legs: {} };
  const turn = legs.map((_, i) => legs[(i + index) % legs.length]);
  let vectors = {};
  for (const leg of turn) {
    const wanted = leg === "float32" || leg === "int8";
    const { elapsedMs, cpuMs, ...rest } = await run[leg](sample, { vectors: wanted });
    if (wanted) vectors = { ...vectors, [leg]: rest.vectors };
    round.legs[leg] = { elapsedMs, cpuMs, padded: sample.padded[leg] };
    say(
      `round ${index + 1} of ${count}  ${LEGS[leg].padEnd(28)} ${(elapsedMs / 1000).toFixed(2).padStart(7)} s ${((1000 * round.texts) / elapsedMs).toFixed(0).padStart(6)} texts/s  (cores ${Math.round((100 * cpuMs) / elapsedMs / threads)} %)`,
    );
  }
  if (vectors.int8)
    countInt8(
      cosines(
        vectors.int8,
        vectors.float32,
        sample.texts.map((_, i) => i),
      ),
    );
  return round;
}

const about = [];
const profiles = {};
let failure;
try {
  const { check, samples, source } = drawSamples(number("texts", 10_000), roundTexts, seed, CHECK_TEXTS);
  await a.ask({ do: "prepare" }, limit());
  const ours = await a.ask({ do: "load", threads }, limit());
  const theirs = await b.ask({ do: "load", threads }, limit());
  const first = await prepare(check);
  torch = without.has("torch") ? undefined : torchSide(ours.weights, threads);
  let torchAbout = "no PyTorch";
  if (torch) {
    say("PyTorch: which threads are the fastest");
    const ids = first.sortedIds.filter((_, i) => i % 3 === 0);
    try {
      const { version, omp, blas, tried } = await torch.ask({ do: "fastest", ids, batchSize }, limit());
      const times = tried.map((one) => `${one.omp}×${one.blas}: ${one.ms.toFixed(0)} ms`).join(", ");
      torchAbout = `PyTorch ${version}, tokens given, ${omp} threads of its own and ${blas} of its BLAS (the fastest here: ${times})`;
    } catch (error) {
      // The other legs are worth their race without it.
      torch.close();
      torch = undefined;
      torchAbout = `PyTorch did not take part: ${error.message}`;
      say(torchAbout);
    }
  }
  const legs = Object.keys(LEGS).filter((leg) => !without.has(leg) && (leg !== "torch" || torch));
  about.push(
    `${source}; samples of ${roundTexts} without a text in common, cut to 256 tokens; ${threads} threads, ${os.cpus()[0].model}.`,
    `Parallax on ${ours.runtime}; transformers.js ${theirs.version} on our ONNX export (${ours.modelBytes} bytes); ${torchAbout}.`,
  );
  await compareVectors(legs, first);
  if (process.argv.includes("--profile"))
    for (const precision of ["float32", "int8"]) {
      say(`profile of ${precision}`);
      const { texts } = await prepare(samples[0].slice(0, 192));
      profiles[precision] = await a.ask({ do: "profile", texts, precision, threads }, limit());
    }
  let longest = 0;
  for (const [index, sample] of samples.entries()) {
    // One round at least, and none that the longest until now says would end past the time.
    if (index > 0 && left() < longest) break;
    const before = performance.now();
    rounds.push(await measureRound(legs, await prepare(sample), index, samples.length));
    longest = Math.max(longest, performance.now() - before);
  }
  if (rounds.length < samples.length)
    notes.push(`the time (${clock(budgetMs)}) was enough for ${rounds.length} of ${samples.length} rounds`);
} catch (error) {
  failure = error;
} finally {
  a.close();
  b.close();
  torch?.close();
  rmSync(folder, { recursive: true, force: true });
}

if (failure) {
  console.error(failure.message);
  notes.push(`ended early: ${failure.message}`);
}
if (rounds.length === 0) process.exit(1);
const summary = summarise(rounds, threads);
const least = Math.min(...summary.legs.map(({ cores }) => cores));
if (least < 0.8)
  notes.push(
    `the machine was busy: a leg got ${Math.round(100 * least)} % of the cores' time, so ratios by processor time say more`,
  );
if (int8.n > 0)
  notes.push(
    `int8 against float32, ${int8.n} texts: mean cosine ${(int8.sum / int8.n).toFixed(5)}, least ${int8.least.toFixed(5)}`,
  );
const report = markdown({ about, notes, summary, profiles });
const json = JSON.stringify({ about, notes, ...summary, profiles, rounds });
const out = text("out", undefined);
if (out) {
  mkdirSync(path.dirname(path.resolve(out)), { recursive: true });
  writeFileSync(out, out.endsWith(".json") ? json : `${report}\n`);
}
console.log(process.argv.includes("--json") ? json : report);
process.exit(!failure && summary.races.every(({ ratio, target }) => ratio >= target) ? 0 : 1);

#!/usr/bin/env node
/**
 * `npm run bench:corpus`: a million short texts through the static encoder into a corpus (peak memory, time), exact and
 * approximate nearest texts over it (time, recall); then 50,000 texts through the default encoder, once unbroken and once
 * killed twice with SIGKILL and gone on with: the files must be equal, byte for byte.
 *
 *   --texts 1000000     size of the first part (0 leaves it out)
 *   --indexed 200000    texts of the index, in a corpus of their own: building takes 0.3 ms of processor time a row
 *   --killed 50000      size of the second part (0 leaves it out)
 *
 * Progress goes to standard error, a line every ten seconds.
 */
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { bundle, root } from "../support/python.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const program = await bundle(path.join(here, "work.ts"), "corpus.mjs");
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-bench-corpus-"));

/** Real short texts where the data is there, else made-up ones. */
function realTexts() {
  const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");
  const texts = [];
  const tsv = path.join(data, "eval/sts/stsbenchmark-train.tsv");
  if (existsSync(tsv))
    for (const line of readFileSync(tsv, "utf8").trimEnd().split("\n").slice(1))
      texts.push(...line.split("\t").slice(-2));
  const captions = path.join(data, "train/flickr30k-captions.jsonl.gz");
  if (existsSync(captions))
    for (const line of gunzipSync(readFileSync(captions)).toString("utf8").trimEnd().split("\n"))
      for (const value of Object.values(JSON.parse(line)).flat()) if (typeof value === "string") texts.push(value);
  if (texts.length > 1000) return texts;
  const words = "the a polar bear river bank music science team paper letter reads plays opens under over old".split(
    " ",
  );
  return Array.from({ length: 5000 }, (_, i) =>
    Array.from({ length: 5 + ((i * 7919) % 12) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(" "),
  );
}

/** A table of n texts: the real ones, then the real ones again with a number, so that no two are equal. */
async function table(name, n) {
  const file = path.join(folder, name);
  const texts = realTexts();
  const out = createWriteStream(file);
  out.write("text\n");
  for (let i = 0; i < n; i++) {
    const text = texts[i % texts.length].replace(/[\t\n]/g, " ");
    const round = Math.floor(i / texts.length);
    if (!out.write(round === 0 ? `${text}\n` : `${text} ${round}\n`))
      await new Promise((done) => out.once("drain", done));
  }
  await new Promise((done) => out.end(done));
  return { file, distinct: Math.min(n, texts.length) };
}

/** Runs the work in a process of its own; kills it once it has kept `killAt` rows. */
function work(args, killAt = Number.POSITIVE_INFINITY) {
  const started = Date.now();
  let shown = started;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let last = {};
    let killed = false;
    let rest = "";
    child.stdout.on("data", (data) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        last = JSON.parse(line);
        if (last.rows !== undefined && Date.now() - shown > 10_000) {
          shown = Date.now();
          const seconds = ((shown - started) / 1000).toFixed(0);
          console.error(
            `${args[0]} ${path.basename(args.at(-1))}: ${last.rows.toLocaleString("en-US")} rows, ${seconds} s`,
          );
        }
        if (last.rows >= killAt && !killed) {
          killed = true;
          child.kill("SIGKILL");
        }
      }
    });
    child.on("exit", (code) =>
      code === 0 || killed ? resolve({ ...last, killed }) : reject(new Error(`ended with ${code}`)),
    );
  });
}

const recallText = ({ k, n, seed, mean, low, high }) =>
  `recall@${k} ${(100 * mean).toFixed(1)} % (95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}, n = ${n}, seed ${seed})`;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
try {
  const n = option("texts", 1_000_000);
  if (n > 0) {
    const { file, distinct } = await table("many.tsv", n);
    const corpus = path.join(folder, "many.corpus");
    const made = await work(["encode", file, "default-static", corpus]);
    console.log(
      `${n.toLocaleString("en-US")} short texts (${distinct.toLocaleString("en-US")} real ones, repeated with a number; ${mib(statSync(file).size)}) through default-static: ${made.seconds.toFixed(1)} s (${Math.round(n / made.seconds).toLocaleString("en-US")} texts/s), peak memory ${mib(made.peakBytes)}`,
    );
    const exact = await work(["nearest", corpus, "exact"]);
    console.log(`exact 10 nearest of 100 queries: ${exact.seconds.toFixed(2)} s, peak memory ${mib(exact.peakBytes)}`);
    const small = path.join(folder, "many8.corpus");
    const eight = await work(["encode", file, "default-static", small, "int8"]);
    const search8 = await work(["nearest", small, "exact"]);
    console.log(
      `the same at 8 bits: ${eight.seconds.toFixed(1)} s, vectors ${mib(statSync(path.join(small, "vectors.npy")).size)} instead of ${mib(statSync(path.join(corpus, "vectors.npy")).size)}, exact search over them in ${search8.seconds.toFixed(2)} s finds ${recallText(eight.loss)} of float32's`,
    );
  }
  const indexed = option("indexed", 200_000);
  if (indexed > 0) {
    const { file } = await table("indexed.tsv", indexed);
    const corpus = path.join(folder, "indexed.corpus");
    await work(["encode", file, "default-static", corpus]);
    const index = await work(["nearest", corpus, "index"]);
    console.log(
      `approximate, ${indexed.toLocaleString("en-US")} texts: index built in ${index.buildSeconds.toFixed(1)} s (${index.buildCpuSeconds.toFixed(1)} s of processor time), 100 queries in ${(1000 * index.seconds).toFixed(0)} ms, ${recallText(index.recall)}, on 200 held-out queries ${recallText(index.heldOut)}; peak memory ${mib(index.peakBytes)}`,
    );
  }
  const killed = option("killed", 50_000);
  if (killed > 0) {
    const { file } = await table("killed.tsv", killed);
    const [one, two] = [path.join(folder, "unbroken.corpus"), path.join(folder, "killed.corpus")];
    const unbroken = await work(["encode", file, "default", one]);
    await work(["encode", file, "default", two], killed * 0.3);
    await work(["encode", file, "default", two], killed * 0.7);
    await work(["encode", file, "default", two]);
    const different = readdirSync(one)
      .filter((name) => name !== "manifest.json")
      .filter((name) => !readFileSync(path.join(one, name)).equals(readFileSync(path.join(two, name))));
    console.log(
      `${killed.toLocaleString("en-US")} texts through default: ${unbroken.seconds.toFixed(0)} s unbroken, peak memory ${mib(unbroken.peakBytes)}; killed twice and gone on with: ${different.length === 0 ? "every file equal, byte for byte" : `DIFFERENT: ${different.join(", ")}`}`,
    );
    if (different.length > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

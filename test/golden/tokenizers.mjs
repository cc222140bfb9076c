#!/usr/bin/env node
/**
 * `node test/golden/tokenizers.mjs`: odd texts, small tokenizers, and the ids and offsets that the `tokenizers` library
 * of Hugging Face (native, 0.23.2) gives. Written: tokenizers/texts.json, tokenizers/*.json, tokenizers.json. The
 * library is fetched into a temporary folder. Offsets are in characters there and UTF-16 units here.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(here, "tokenizers");
const corpus = readFileSync(path.join(folder, "corpus.txt"), "utf8").trimEnd().split("\n");

const packages = path.join(tmpdir(), "parallax-bench-tokenizers-0.23.2");
if (!existsSync(path.join(packages, "node_modules/tokenizers"))) {
  mkdirSync(packages, { recursive: true });
  writeFileSync(path.join(packages, "package.json"), "{}");
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "tokenizers@0.23.2"], {
    cwd: packages,
  });
}
const native = createRequire(path.join(packages, "x.js"))("tokenizers");

/** Sentences, and strings of parts that tokenizers trip over. */
function oddTexts() {
  const parts = [
    ..."a|B|the |Dog|s| |  |\t|\n|\r\n|é|e\u0301|ﬁ|Å|A\u030a|İ|ß|Σ|ς|北|極|日本語|カ\u3099|ｶﾞ|한국|\u1112\u1161\u11ab|😀|👨‍👩‍👧|🇩🇪|👍🏽".split(
      "|",
    ),
    ..."שלום|مرحبا|कि|\u200d|\u200b|\u00a0|\u3000|\ufeff|\0|\u0007|\ufffd|½|①|™|…|—|'s|'ll|don't|!!|?|(|)|[MASK]|<mask>|</s>|<sep>|prompt".split(
      "|",
    ),
    ..."1|23|4,5|_|-|▁|▁▁|𠀀|𝒜|Ｂ|１|\u0300|n\u0303|ḱ|<0x41>".split("|"),
    "x".repeat(30),
  ];
  let seed = 7;
  const random = (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const made = Array.from({ length: 240 }, () =>
    Array.from({ length: 1 + random(10) }, () => parts[random(parts.length)]).join(""),
  );
  return ["", " ", " \t\n ", "  two  spaces  ", ...corpus, ...made];
}

const special = (content, id, more = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...more,
});
const base = { version: "1.0", truncation: null, padding: null };

function wordPiece() {
  const counts = new Map();
  const count = (piece) => counts.set(piece, (counts.get(piece) ?? 0) + 1);
  for (const word of corpus
    .join(" ")
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .match(/[\p{L}\p{N}]+|\S/gu)) {
    count(word);
    for (const [i, character] of [...word].entries()) count(i === 0 ? character : `##${character}`);
    if (word.length > 4) for (const n of [2, 3, 4]) count(`##${word.slice(-n)}`);
  }
  const pieces = [...counts].filter(([piece, n]) => [...piece.replace("##", "")].length === 1 || n > 2).map(([p]) => p);
  const all = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...pieces.sort()];
  return {
    ...base,
    added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((content, id) => special(content, id)),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(all.map((piece, id) => [piece, id])),
    },
  };
}

function trainBpe(preTokenizer, merges, first) {
  const tokenizer = new native.Tokenizer(native.BPE.empty());
  tokenizer.setPreTokenizer(preTokenizer);
  tokenizer.train([path.join(folder, "corpus.txt")]);
  const file = path.join(tmpdir(), `parallax-golden-${process.pid}.json`);
  tokenizer.save(file);
  const { model } = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  const rules = model.merges.slice(0, merges).map((m) => (Array.isArray(m) ? m : m.split(" ")));
  const singles = Object.keys(model.vocab).filter((piece) => [...piece].length === 1);
  const pieces = new Set([...first, ...singles.sort(), ...rules.map(([a, b]) => a + b)]);
  return {
    vocab: Object.fromEntries([...pieces].map((piece, id) => [piece, id])),
    merges: rules.map((m) => m.join(" ")),
  };
}

const bpeOptions = { type: "BPE", dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null };

function byteLevel() {
  const specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
  return {
    ...base,
    added_tokens: specials.map((content, id) => special(content, id, { lstrip: content === "<mask>" })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: "RobertaProcessing",
      sep: ["</s>", 2],
      cls: ["<s>", 0],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...bpeOptions,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ...trainBpe(native.byteLevelPreTokenizer(false), 500, [...specials, ...native.byteLevelAlphabet().sort()]),
    },
  };
}

function byteFallback() {
  const specials = ["<unk>", "<s>", "</s>"];
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
  const trained = trainBpe(native.metaspacePreTokenizer(), 400, [...specials, ...bytes]);
  // Rare characters are left to their bytes.
  return {
    ...base,
    added_tokens: specials.map((content, id) => special(content, id)),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { ...bpeOptions, unk_token: "<unk>", fuse_unk: true, byte_fallback: true, ...trained },
  };
}

function unigram() {
  const counts = new Map();
  for (const word of corpus.join(" ").normalize("NFKC").split(/\s+/)) {
    const marked = [..."▁", ...word];
    for (let i = 0; i < marked.length; i++)
      for (let n = 1; n <= 6 && i + n <= marked.length; n++) {
        const piece = marked.slice(i, i + n).join("");
        counts.set(piece, (counts.get(piece) ?? 0) + 1);
      }
  }
  const kept = [...counts].filter(([piece, n]) => (n > 3 || [...piece].length === 1) && piece !== "א");
  const total = kept.reduce((sum, [, n]) => sum + n, 0);
  const scores = kept.map(([piece, n]) => [piece, Math.log(n / total) + 0.5 * ([...piece].length - 1)]);
  const specials = ["<s>", "<pad>", "</s>", "<unk>"];
  return {
    ...base,
    added_tokens: specials.map((content, id) => special(content, id)),
    normalizer: { type: "Sequence", normalizers: [{ type: "Nmt" }, { type: "NFKC" }] },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "WhitespaceSplit" },
        { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      ],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "<s>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "</s>", type_id: 0 } },
      ],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
      special_tokens: {
        "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] },
        "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] },
      },
    },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    model: {
      type: "Unigram",
      unk_id: 3,
      byte_fallback: false,
      vocab: [...specials.map((s) => [s, 0]), ...scores.sort((a, b) => b[1] - a[1])],
    },
  };
}

const SPACE = /\p{White_Space}/u;
/** Without white space at the ends, where something else remains. */
function trimmed(text, start, end) {
  let [from, to] = [start, end];
  while (from < to && SPACE.test(text[from])) from++;
  while (to > from && SPACE.test(text[to - 1])) to--;
  return from === to ? [start, end] : [from, to];
}

const texts = oddTexts();
writeFileSync(path.join(folder, "texts.json"), `${JSON.stringify(texts)}\n`);
const golden = {};
for (const [name, json] of Object.entries({
  wordpiece: wordPiece(),
  "byte-level": byteLevel(),
  "byte-fallback": byteFallback(),
  unigram: unigram(),
})) {
  const source = JSON.stringify(json);
  writeFileSync(path.join(folder, `${name}.json`), `${source}\n`);
  const tokenizer = native.Tokenizer.fromString(source);
  golden[name] = [];
  for (const text of texts) {
    const units = [0];
    for (const character of text) units.push(units.at(-1) + character.length);
    const encoding = await tokenizer.encode(text);
    const special = encoding.getSpecialTokensMask();
    // [id, start, end] one after the other; special tokens -1, -1.
    golden[name].push(
      encoding.getIds().flatMap((id, i) => {
        if (special[i] === 1 && (i === 0 || i === special.length - 1) && json.post_processor !== null)
          return [id, -1, -1];
        const [start, end] = encoding.getOffsets()[i];
        return [id, ...trimmed(text, units[start], units[end])];
      }),
    );
  }
}
writeFileSync(path.join(here, "tokenizers.json"), `${JSON.stringify(golden)}\n`);

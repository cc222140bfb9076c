import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { tinyTokenizerJson, tinyVocabulary } from "../support/tiny-bert.ts";

const vocabulary = tinyVocabulary();
const tokenizer = loadTokenizer(tinyTokenizerJson(vocabulary));
const pieces = (text: string, maxTokens?: number) => tokenizer.encode(text, maxTokens).ids.map((id) => vocabulary[id]);

describe("Tokenizer", () => {
  test("knows its special pieces and size", () => {
    const { vocabSize, padId, unkId, clsId, sepId, prefix, suffix } = tokenizer;
    expect({ vocabSize, padId, unkId, clsId, sepId, prefix, suffix }).toEqual({
      vocabSize: vocabulary.length,
      padId: 0,
      unkId: 1,
      clsId: 2,
      sepId: 3,
      prefix: [2],
      suffix: [3],
    });
  });

  test("neither truncates nor pads as tokenizer.json says", () => {
    expect(pieces("The dog")).toEqual(["[CLS]", "the", "dog", "[SEP]"]);
    expect(tokenizer.encode("dog ".repeat(30))).toEqual({
      ids: [2, ...new Array(30).fill(vocabulary.indexOf("dog")), 3],
      truncated: false,
      unknown: 0,
    });
  });

  test("cuts at the end, keeps the special tokens and says so", () => {
    expect(tokenizer.encode("the dog and the cat", 5)).toEqual({
      ids: ["[CLS]", "the", "dog", "and", "[SEP]"].map((piece) => vocabulary.indexOf(piece)),
      truncated: true,
      unknown: 0,
    });
    expect(tokenizer.encode("the dog and", 5).truncated).toBe(false);
  });

  test("counts unknown pieces", () => {
    expect(tokenizer.encode("the 북극 dog 海")).toMatchObject({ unknown: 2 });
  });

  test("reads lone surrogates, NUL, other controls and empty texts", () => {
    expect(pieces("")).toEqual(["[CLS]", "[SEP]"]);
    expect(pieces("dog\u0000s \ud800 cat \udc00")).toEqual(
      ["[CLS]", "dogs", "cat", "[SEP]"].flatMap((p) => (p === "dogs" ? ["dog", "##s"] : [p])),
    );
    expect(pieces(" \t\n ")).toEqual(["[CLS]", "[SEP]"]);
  });

  test("lower-cases first when asked", () => {
    const json = tinyTokenizerJson(vocabulary);
    (json.normalizer as { lowercase: boolean }).lowercase = false;
    expect(loadTokenizer(json).encode("DOG").unknown).toBe(1);
    expect(loadTokenizer(json, { lowerCase: true }).encode("DOG").unknown).toBe(0);
  });

  const units: Record<string, string> = {
    "short words": "the dog and a cat, ",
    "no spaces": "dogcat",
    punctuation: "!?",
    Chinese: "北极熊",
    "white space": " \n",
    "combining marks": "e\u0301",
    surrogates: "\ud83d\ude00 \ud800",
    "one word, then words": `${"x".repeat(40_000)} ${"the dog and ".repeat(5000)}`,
  };
  for (const [name, unit] of Object.entries(units)) {
    test(`gives the same first ids of a long text of ${name} as reading all of it does`, () => {
      const text = unit.repeat(Math.ceil(100_000 / unit.length));
      const whole = tokenizer.encode(text).ids;
      const expected = whole.length > 256 ? [...whole.slice(0, 255), 3] : whole;
      expect(tokenizer.encode(text, 256)).toMatchObject({ ids: expected, truncated: whole.length > 256 });
    });

    test(`reads 1 MB of ${name} in bounded time`, () => {
      const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
      // Time on the processor, so that a busy machine does not fail the test.
      const started = process.cpuUsage();
      tokenizer.encode(text, 256);
      const { user, system } = process.cpuUsage(started);
      expect((user + system) / 1000).toBeLessThan(4000);
    });
  }
});

describe("loadTokenizer", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-tokenizer-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("says what is missing, damaged or not supported", () => {
    expect(() => loadTokenizer(folder)).toThrow(/tokenizer\.json could not be read \(ENOENT\)/);
    writeFileSync(path.join(folder, "tokenizer.json"), "{oops");
    expect(() => loadTokenizer(folder)).toThrow(/tokenizer\.json is not valid JSON/);
    writeFileSync(path.join(folder, "tokenizer.json"), "{}");
    expect(() => loadTokenizer(folder)).toThrow(/could not be used: .*model/);
  });
});

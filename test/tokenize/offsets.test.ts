import { readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { loadTokenizer, type Tokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { tinyTokenizerJson, tinyVocabulary } from "../support/tiny-bert.ts";

const golden = path.join(packageRoot(), "test/golden/tokenizers");
const files = [
  "wordpiece.json",
  "byte-level.json",
  "byte-fallback.json",
  "unigram.json",
  "unigram.model",
  "unigram-bytes.model",
  "bpe.model",
  "bpe-bytes.model",
];
const tokenizers = new Map(files.map((file) => [file, loadTokenizer(path.join(golden, file))]));
const parts = JSON.parse(readFileSync(path.join(golden, "texts.json"), "utf8")) as string[];
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...parts),
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.string({ unit: "binary", maxLength: 6 }),
    ),
    {
      maxLength: 5,
    },
  )
  .map((all) => all.join(""));

const shown = (tokenizer: Tokenizer, text: string) => {
  const { ids, offsets = [] } = tokenizer.encode(text, Infinity, { offsets: true });
  return ids.map((id, i) => [tokenizer.piece(id), offsets[i] && text.slice(...offsets[i])]);
};

describe("offsets", () => {
  const vocabulary = tinyVocabulary(["cafe", "北", "##極", "fi", "##re"]);
  const bert = loadTokenizer(tinyTokenizerJson(vocabulary));

  test("stand in the text as it was given, whatever normalisation made of it", () => {
    expect(shown(bert, " The CAFÉ,\tﬁre cafe\u0301 北😀s\0! ")).toEqual([
      ["[CLS]", null],
      ["the", "The"],
      ["cafe", "CAFÉ"],
      [",", ","],
      ["[UNK]", "ﬁre"],
      ["cafe", "cafe"],
      ["北", "北"],
      ["[UNK]", "😀s"],
      ["!", "!"],
      ["[SEP]", null],
    ]);
  });

  test("of bytes of one character are those of the character", () => {
    const tokenizer = tokenizers.get("byte-fallback.json") as Tokenizer;
    const { offsets } = tokenizer.encode("a 𝒜b", Infinity, { offsets: true });
    expect(offsets?.filter((place) => place?.[0] === 2)).toEqual([
      [2, 4],
      [2, 4],
      [2, 4],
      [2, 4],
    ]);
  });

  test("count from the original text when it is lower-cased first", () => {
    const json = tinyTokenizerJson(vocabulary);
    const lower = loadTokenizer(json, { lowerCase: true });
    expect(shown(lower, "İİ THE dog")).toEqual([
      ["[CLS]", null],
      ["i", "İ"],
      ["##i", "İ"],
      ["the", "THE"],
      ["dog", "dog"],
      ["[SEP]", null],
    ]);
  });

  test("end where the ids are cut", () => {
    const encoding = bert.encode("the dog and the cat", 4, { offsets: true });
    expect(encoding.offsets).toEqual([null, [0, 3], [4, 7], null]);
    expect(encoding.ids).toHaveLength(4);
    expect(bert.encode("the dog").offsets).toBeUndefined();
  });

  for (const [name, tokenizer] of tokenizers)
    test(`rise, stay inside, change no id and cover what was read: ${name}`, () => {
      fc.assert(
        fc.property(anyText, (text) => {
          const { ids, offsets = [] } = tokenizer.encode(text, Infinity, { offsets: true });
          expect(ids).toEqual(tokenizer.encode(text).ids);
          expect(offsets).toHaveLength(ids.length);
          const covered = new Uint8Array(text.length);
          let last = 0;
          for (const place of offsets) {
            if (place === null) continue;
            const [start, end] = place;
            expect(start).toBeGreaterThanOrEqual(last);
            expect(end).toBeGreaterThanOrEqual(start);
            expect(end).toBeLessThanOrEqual(text.length);
            covered.fill(1, start, end);
            last = start;
          }
          // Letters and digits always give tokens.
          for (const { index, 0: character } of text.matchAll(/[\p{L}\p{Nd}]/gu))
            for (let i = 0; i < character.length; i++)
              expect([text, index, covered[index + i]]).toEqual([text, index, 1]);
        }),
        { numRuns: 120, seed: 4 },
      );
    });

  for (const [name, tokenizer] of tokenizers)
    test(`remembered words give the ids of words seen for the first time: ${name}`, () => {
      const fresh = () => loadTokenizer(path.join(golden, name));
      const texts = parts.slice(0, 60);
      expect(texts.map((text) => tokenizer.encode(text, 40).ids)).toEqual(
        texts.map((text) => fresh().encode(text, 40).ids),
      );
    });
});

import { expect, test } from "vitest";
import { ScriptCounter, vocabularyScripts } from "../../kernels/tokenize/scripts.ts";
import { tinyVocabulary } from "../support/tiny-bert.ts";

test("counts letters by script and nothing else", () => {
  const counter = new ScriptCounter();
  counter.add("Polar bear 3! 북극곰 𠀀");
  expect(counter.shares()).toEqual([
    ["Latin", 9 / 13],
    ["Hangul", 3 / 13],
    ["Han", 1 / 13],
  ]);
  expect(new ScriptCounter().shares()).toEqual([]);
});

test("a vocabulary covers a script by its words, not by single letters", () => {
  const jamo = Array.from({ length: 60 }, (_, i) => `##${String.fromCodePoint(0x1100 + i)}`);
  const scripts = vocabularyScripts([...tinyVocabulary(), ...jamo, "北", "##海"])!;
  expect(scripts.get("Latin")).toMatchObject({ covered: true });
  expect(scripts.get("Hangul")).toEqual({ letters: 60, words: 0, covered: false });
  expect(scripts.get("Han")).toEqual({ letters: 2, words: 0, covered: false });
});

test("two thousand characters cover a script whose characters are words", () => {
  const han = Array.from({ length: 2000 }, (_, i) => String.fromCodePoint(0x4e00 + i));
  expect(vocabularyScripts([...tinyVocabulary(), ...han])!.get("Han")!.covered).toBe(true);
});

test("says nothing about a vocabulary of bytes", () => {
  expect(vocabularyScripts(["Ġthe", "ìĿ"])).toBeUndefined();
});

/** Ids and places against the authors' own libraries, on texts and small tokenizers of ours (test/golden). */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { loadTokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { CLUSTERS } from "../../kernels/tokenize/tracked-text.ts";

const golden = path.join(packageRoot(), "test/golden");
const json = <T>(name: string) => JSON.parse(readFileSync(path.join(golden, name), "utf8")) as T;
const texts = json<string[]>("tokenizers/texts.json");

describe("ids of .model files are those of the SentencePiece library", () => {
  for (const [name, all] of Object.entries(json<Record<string, number[][]>>("pieces.json")))
    test(`${name}, ${texts.length} texts`, () => {
      const tokenizer = loadTokenizer(path.join(golden, "tokenizers", `${name}.model`));
      expect(texts.map((text) => tokenizer.encode(text).ids)).toEqual(all);
      expect(texts.map((text) => tokenizer.encode(text, Infinity, { offsets: true }).ids)).toEqual(all);
    });
});

/**
 * Where ours may be wider: the library gives a character composed of a letter and its marks the place of one of them,
 * and a piece that is only white space no place or a part of it.
 */
function widest(text: string, from: number, to: number): [number, number] {
  let [start, end] = [from, to];
  for (const { 0: cluster, index } of text.matchAll(CLUSTERS)) {
    const stop = index + cluster.length;
    if (index < from && stop > from) start = index;
    if (index < to && stop > to) end = stop;
  }
  return from === to ? [start - 1, end] : [start, end];
}

describe("ids and places are those of the tokenizers library", () => {
  for (const [name, all] of Object.entries(json<Record<string, number[][]>>("tokenizers.json")))
    test(`${name}, ${texts.length} texts`, () => {
      const tokenizer = loadTokenizer(path.join(golden, "tokenizers", `${name}.json`));
      const expectedIds = all.map((row) => row.filter((_, i) => i % 3 === 0));
      expect(texts.map((text) => tokenizer.encode(text).ids)).toEqual(expectedIds);
      const wrong: unknown[] = [];
      for (const [t, text] of texts.entries()) {
        const { ids, offsets = [] } = tokenizer.encode(text, Infinity, { offsets: true });
        expect(ids).toEqual(expectedIds[t]);
        for (const [i, place] of offsets.entries()) {
          const [start, end] = place ?? [-1, -1];
          const [from, to] = all[t].slice(3 * i + 1);
          if (start === from && end === to) continue;
          const [first, last] = widest(text, from, to);
          const isWider = first <= start && start <= from && to <= end && end <= last;
          const isSpace = text.slice(start, end).trim() === "" && start <= from && to <= end;
          if (!isWider && !isSpace)
            wrong.push({ text, piece: tokenizer.piece(ids[i]), ours: [start, end], theirs: [from, to] });
        }
      }
      expect(wrong).toEqual([]);
    });
});

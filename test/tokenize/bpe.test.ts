import { readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { Bpe, type Merge, PAIR } from "../../kernels/tokenize/bpe.ts";

const json = JSON.parse(
  readFileSync(path.join(packageRoot(), "test/golden/tokenizers/byte-fallback.json"), "utf8"),
) as { model: { vocab: Record<string, number>; merges: string[] } };
const vocabulary = new Map(Object.entries(json.model.vocab));
const merges = new Map<number, Merge>(
  json.model.merges.map((rule, rank) => {
    const [left, right] = rule.split(" ");
    const id = (piece: string) => vocabulary.get(piece) as number;
    return [id(left) * PAIR + id(right), { rank, symbol: id(left + right) }];
  }),
);

describe("Bpe", () => {
  test("merges a long part window by window to what it is as a whole", () => {
    const options = { unkId: 0, fuseUnknown: true };
    const whole = new Bpe(vocabulary, merges, { ...options, window: 1_000_000 });
    const byWindows = [4, 9, 50].map((window) => new Bpe(vocabulary, merges, { ...options, window }));
    const piece = fc.constantFrom(
      ...[...vocabulary.keys()].filter((p) => !p.startsWith("<")),
      "☃",
      "\u{1f40b}",
      "ththere",
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 60 }), (pieces) => {
        const text = pieces.join("");
        for (const model of byWindows) expect(model.encode(text)).toEqual(whole.encode(text));
        expect(whole.encode(text, false).ids).toEqual(whole.encode(text).ids);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  test("merges short and long words by the same rules", () => {
    const model = new Bpe(vocabulary, merges, { unkId: 0 });
    // More than 48 symbols go by the heap; a space mark parts the words, so both ways see the same ones.
    const words = ["▁the", "▁station", "▁bridge", "▁measured", "▁temperature"];
    const long = words.join("");
    const longest = long.repeat(3);
    expect(model.encode(longest).ids).toEqual([1, 2, 3].flatMap(() => words.flatMap((word) => model.encode(word).ids)));
  });
});

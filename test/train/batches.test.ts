import { describe, expect, it } from "vitest";
import { BatchPlan } from "../../kernels/train/batches.ts";
import { inspectPairs, type Pair, pairsFromArray, pairsFromTable, textKey } from "../../kernels/train/pairs.ts";
import { Random } from "../../kernels/train/prng.ts";

function somePairs(n: number, groups = 0): Pair[] {
  return Array.from({ length: n }, (_, i) => ({
    anchor: `anchor ${i}`,
    positive: `positive ${i}`,
    ...(groups > 0 ? { group: `g${i % groups}` } : {}),
  }));
}

describe("Random", () => {
  it("repeats a stream and separates streams", () => {
    const draw = (...words: (number | string)[]) => {
      const random = new Random(...words);
      return Array.from({ length: 4 }, () => random.uint32());
    };
    expect(draw(1, "epoch", 0)).toEqual(draw(1, "epoch", 0));
    expect(new Set([draw(1), draw(2), draw(1, "epoch", 0), draw(1, "epoch", 1), draw(2 ** 40)].map(String)).size).toBe(
      5,
    );
    // The stream is part of what a run promises: it may not change between versions.
    expect(draw(0, "epoch", 0)).toMatchInlineSnapshot(`
      [
        2365936861,
        409784704,
        593629868,
        765130792,
      ]
    `);
  });

  it("permutes without bias", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = [...new Random(i, "permutation").permutation(3)].join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // Six outcomes, 1000 each expected; 5 degrees of freedom, chi-square below 20.5 with p = 0.999.
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(counts.size).toBe(6);
    expect(chiSquare).toBeLessThan(20.5);
  });
});

describe("BatchPlan", () => {
  it("passes over all pairs once an epoch, in another order each time", () => {
    const plan = new BatchPlan(somePairs(20), 4, 3);
    expect(plan.batchesPerEpoch).toBe(5);
    const epochs = [0, 1].map((epoch) => Array.from({ length: 5 }, (_, i) => plan.at(epoch * 5 + i + 1)));
    for (const batches of epochs)
      expect(batches.flatMap(({ rows }) => [...rows]).sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
    expect(epochs[0]!.map(({ rows }) => [...rows])).not.toEqual(epochs[1]!.map(({ rows }) => [...rows]));
    expect(epochs.flat().map(({ progress }) => Number(progress.toFixed(2)))).toEqual([
      0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2,
    ]);
  });

  it("gives the same batch for the same step whatever was asked before", () => {
    const pairs = somePairs(50, 12);
    const onward = new BatchPlan(pairs, 8, 9);
    const inOrder = Array.from({ length: 40 }, (_, i) => onward.at(i + 1));
    for (const step of [40, 3, 17, 1, 39, 8]) expect(new BatchPlan(pairs, 8, 9).at(step)).toEqual(inOrder[step - 1]);
    for (const step of [40, 3, 17, 1, 39, 8]) expect(onward.at(step)).toEqual(inOrder[step - 1]);
    expect(new BatchPlan(pairs, 8, 10).at(1)).not.toEqual(inOrder[0]);
  });

  it("never puts equal texts or one group twice into a batch", () => {
    const random = new Random(4);
    const pairs: Pair[] = Array.from({ length: 400 }, () => ({
      anchor: `${random.below(2) ? "Text" : "text"}  ${random.below(120)}`,
      positive: `text ${random.below(120)}`,
      group: random.below(3) === 0 ? undefined : `g${random.below(40)}`,
    }));
    const plan = new BatchPlan(pairs, 16, 0);
    for (let step = 1; step <= 60; step++) {
      const batch = [...plan.at(step).rows].map((row) => pairs[row]!);
      const texts = batch.flatMap(({ anchor, positive }) => [...new Set([textKey(anchor), textKey(positive)])]);
      const groups = batch.flatMap(({ group }) => group ?? []);
      expect(batch.length).toBe(16);
      expect(new Set(texts).size).toBe(texts.length);
      expect(new Set(groups).size).toBe(groups.length);
    }
  });

  it("says when no batch can be made", () => {
    const pairs = somePairs(8).map((pair) => ({ ...pair, anchor: "same" }));
    expect(() => new BatchPlan(pairs, 2, 0).at(1)).toThrow(expect.objectContaining({ code: "train.no-batch" }));
  });

  it("plans a hundred thousand pairs in 77 groups in a few seconds", () => {
    const started = performance.now();
    expect(new BatchPlan(somePairs(100_000, 77), 32, 0).batchesPerEpoch).toBeGreaterThan(3000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe("training pairs", () => {
  it("come from objects, tuples and tables", () => {
    const pairs = [
      { anchor: "a", positive: "b" },
      { anchor: "c", positive: "d", group: "7" },
    ];
    expect(pairsFromArray([["a", "b"], { anchor: "c", positive: "d", group: 7 }])).toEqual(pairs);
    const columns: Record<string, unknown[]> = { sentence1: ["a", "c"], sentence2: ["b", "d"], topic: [null, 7] };
    const table = { columns: Object.keys(columns), n: 2, column: (name: string) => columns[name]! };
    expect(pairsFromTable(table, { group: "topic" })).toEqual(pairs);
    expect(pairsFromTable(table, { anchor: "sentence2", positive: "sentence1" })[0]).toEqual({
      anchor: "b",
      positive: "a",
    });
    expect(() => pairsFromTable(table, { anchor: "question" })).toThrow(
      'Training pairs need the columns "question" and "positive"; the table has "sentence1", "sentence2", "topic".',
    );
  });

  it("are refused with the number of the row when a text is missing, empty or no text", () => {
    const refused = (row: unknown) => {
      try {
        pairsFromArray([{ anchor: "a", positive: "b" }, row]);
        return "accepted";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(
      [{ anchor: "a" }, { anchor: " \n", positive: "b" }, { anchor: "a", positive: 3 }, "a", null].map(refused),
    ).toEqual([
      'Pair 2 has no "positive". Nothing was started.',
      'Pair 2 has an empty text in "anchor". Nothing was started.',
      'Pair 2 has a number in "positive", not a text. Nothing was started.',
      'Pair 2 is a string, not an object with "anchor" and "positive". Nothing was started.',
      'Pair 2 is null, not an object with "anchor" and "positive". Nothing was started.',
    ]);
  });

  it("are counted: duplicates, equal sides, groups", () => {
    const pairs = [...somePairs(6), { anchor: "Anchor  1", positive: "positive 1" }, { anchor: "x", positive: "X" }];
    expect(inspectPairs(pairs, 4)).toEqual({
      n: 8,
      duplicates: 1,
      equalSides: 1,
      groups: 0,
      warnings: [
        "1 of 8 pairs is a duplicate of an earlier one; equal texts never share a batch.",
        "In 1 of 8 pairs anchor and positive are the same text; they teach little.",
      ],
    });
  });

  it("must fill a batch", () => {
    expect(() => inspectPairs([...somePairs(6), ...somePairs(3)], 8)).toThrow(
      expect.objectContaining({
        code: "train.too-few-pairs",
        message: "A batch of 8 needs 8 different pairs; there are 6 (9 with 3 duplicates). Nothing was started.",
        hint: "Use batchSize 2 or add pairs.",
      }),
    );
    expect(() => inspectPairs(somePairs(40, 5), 8)).toThrow(expect.objectContaining({ code: "train.too-few-groups" }));
  });
});

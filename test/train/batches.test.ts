import { describe, expect, it } from "vitest";
import type { Loss } from "../../kernels/protocol/losses.ts";
import { BatchPlan } from "../../kernels/train/batches.ts";
import { inspectRows } from "../../kernels/train/inspect-rows.ts";
import type { Pair } from "../../kernels/train/pairs.ts";
import { Random } from "../../kernels/train/prng.ts";
import { type PairColumns, type RowTable, rowsFromArray, rowsFromTable } from "../../kernels/train/read-rows.ts";
import type { TrainingRow } from "../../kernels/train/rows.ts";
import { textKey } from "../../kernels/train/text-key.ts";

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
    const plan = new BatchPlan(somePairs(20), { batchSize: 4, seed: 3 });
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
    const onward = new BatchPlan(pairs, { batchSize: 8, seed: 9 });
    const inOrder = Array.from({ length: 40 }, (_, i) => onward.at(i + 1));
    for (const step of [40, 3, 17, 1, 39, 8])
      expect(new BatchPlan(pairs, { batchSize: 8, seed: 9 }).at(step)).toEqual(inOrder[step - 1]);
    for (const step of [40, 3, 17, 1, 39, 8]) expect(onward.at(step)).toEqual(inOrder[step - 1]);
    expect(new BatchPlan(pairs, { batchSize: 8, seed: 10 }).at(1)).not.toEqual(inOrder[0]);
  });

  it("never puts equal texts or one group twice into a batch", () => {
    const random = new Random(4);
    const pairs: Pair[] = Array.from({ length: 400 }, () => ({
      anchor: `${random.below(2) ? "Text" : "text"}  ${random.below(120)}`,
      positive: `text ${random.below(120)}`,
      group: random.below(3) === 0 ? undefined : `g${random.below(40)}`,
    }));
    const plan = new BatchPlan(pairs, { batchSize: 16, seed: 0 });
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
    expect(() => new BatchPlan(pairs, { batchSize: 2, seed: 0 }).at(1)).toThrow(
      expect.objectContaining({ code: "train.no-batch" }),
    );
  });

  it("plans a hundred thousand pairs in 77 groups in a few seconds", () => {
    const started = performance.now();
    expect(new BatchPlan(somePairs(100_000, 77), { batchSize: 32, seed: 0 }).batchesPerEpoch).toBeGreaterThan(3000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe("BatchPlan with negatives, losses and tasks", () => {
  /** Rows of few texts, so that they often clash. */
  function clashing(random: Random, n: number, texts: number, tasks = 0): TrainingRow[] {
    const text = () => `${random.below(2) ? "Text" : "text"} ${random.below(texts)}`;
    return Array.from({ length: n }, () => ({
      anchor: text(),
      positive: text(),
      ...(random.below(4) === 0 ? {} : { negatives: Array.from({ length: random.below(4) }, text) }),
      ...(random.below(3) === 0 ? { group: `g${random.below(30)}` } : {}),
      ...(tasks > 0 ? { task: `task ${random.below(random.below(tasks) + 1)}` } : {}),
    }));
  }

  /** Batches by the plain rule: scan everything that waits, take what goes with all rows taken. */
  function scanned(rows: readonly TrainingRow[], size: number, seed: number, clash: Clash): number[][] {
    let waiting = [...new Random(seed, "epoch", 0).permutation(rows.length)];
    for (const batches: number[][] = []; ; ) {
      const batch: number[] = [];
      for (const row of waiting)
        if (batch.length < size && batch.every((other) => !clash(rows[row]!, rows[other]!))) batch.push(row);
      if (batch.length < size) return batches;
      batches.push(batch);
      waiting = waiting.filter((row) => !batch.includes(row));
    }
  }
  type Clash = (a: TrainingRow, b: TrainingRow) => boolean;
  const keys = (row: TrainingRow) => [row.anchor, row.positive, ...(row.negatives ?? [])].map(textKey);
  const sameGroup: Clash = (a, b) => a.group !== undefined && a.group === b.group;
  const sameText: Clash = (a, b) => keys(a).some((key) => keys(b).includes(key));
  const different: Clash = (a, b) => sameGroup(a, b) || sameText(a, b);
  const masked: Clash = (a, b) =>
    sameGroup(a, b) ||
    sameText({ ...a, negatives: [] }, { ...b, negatives: [] }) ||
    sameText({ ...a, positive: a.anchor }, { ...b, positive: b.anchor, negatives: [] }) ||
    sameText({ ...b, positive: b.anchor }, { ...a, positive: a.anchor, negatives: [] });
  const infoNce = (rule: "keep" | "same-text"): Loss => ({
    name: "info-nce",
    temperature: 0.05,
    symmetric: false,
    falseNegatives: { rule },
  });

  it("is the plan of a plain scan, for 150 sets of rows whose texts and negatives clash", () => {
    let compared = 0;
    for (let seed = 0; seed < 150; seed++) {
      const random = new Random(seed, "rows");
      const rows = clashing(random, 20 + random.below(150), 40 + random.below(400));
      const batchSize = 2 + random.below(8);
      const expected = scanned(rows, batchSize, seed, different);
      if (expected.length === 0) continue;
      const plan = new BatchPlan(rows, { batchSize, seed, loss: infoNce("keep") });
      expect(plan.batchesPerEpoch).toBe(expected.length);
      expect(expected.map((_, i) => [...plan.at(i + 1).rows])).toEqual(expected);
      compared += expected.length;
    }
    expect(compared).toBeGreaterThan(500);
  });

  it("lets a row's negative be another row's positive, never its anchor, when the loss masks equal texts", () => {
    let shared = 0;
    for (let seed = 0; seed < 40; seed++) {
      const rows = clashing(new Random(seed, "rows"), 200, 150);
      const plan = new BatchPlan(rows, { batchSize: 8, seed, loss: infoNce("same-text") });
      for (let step = 1; step <= plan.batchesPerEpoch; step++) {
        const batch = [...plan.at(step).rows].map((row) => rows[row]!);
        for (const [i, a] of batch.entries())
          for (const b of batch.slice(0, i)) {
            expect(masked(a, b)).toBe(false);
            if (sameText(a, b)) shared++;
          }
      }
    }
    expect(shared).toBeGreaterThan(100);
  });

  it("reads only the negatives that a step reads", () => {
    const rows = Array.from({ length: 8 }, (_, i) => ({ ...somePairs(8)[i]!, negatives: [`n ${i}`, "everyone's"] }));
    const loss = infoNce("keep");
    expect(new BatchPlan(rows, { batchSize: 4, seed: 0, loss, negatives: 1 }).batchesPerEpoch).toBe(2);
    expect(() => new BatchPlan(rows, { batchSize: 4, seed: 0, loss, negatives: 2 }).at(1)).toThrow(
      expect.objectContaining({ code: "train.no-batch" }),
    );
  });

  it("shuffles plainly for losses that look at each row by itself", () => {
    const rows: TrainingRow[] = Array.from({ length: 10 }, () => ({ anchor: "same", positive: "text", group: "g" }));
    const plan = new BatchPlan(rows, { batchSize: 5, seed: 1, loss: { name: "cosent", scale: 20 } });
    expect([1, 2].flatMap((step) => [...plan.at(step).rows])).toEqual([...new Random(1, "epoch", 0).permutation(10)]);
  });

  it("keeps tasks apart: an epoch is every batch of every task once, in mixed order", () => {
    const rows = somePairs(120).map((row, i) => ({ ...row, task: i < 80 ? "big" : i < 118 ? "small" : "tiny" }));
    const plan = new BatchPlan(rows, { batchSize: 4, seed: 5, tasks: { apart: true, exponent: 1 } });
    expect(plan.batchesPerEpoch).toBe(20 + 9);
    const tasks = Array.from({ length: 29 }, (_, i) => [...plan.at(i + 1).rows].map((row) => rows[row]!.task));
    expect(tasks.every((batch) => new Set(batch).size === 1)).toBe(true);
    expect(tasks.filter(([task]) => task === "big")).toHaveLength(20);
    expect(tasks.slice(0, 20).some(([task]) => task === "small")).toBe(true);
    const seen = Array.from({ length: 29 }, (_, i) => [...plan.at(i + 1).rows]).flat();
    expect(new Set(seen).size).toBe(29 * 4);
  });

  it("draws tasks with p ∝ size^exponent, and any step can be asked for first", () => {
    const rows = somePairs(1000).map((row, i) => ({ ...row, task: i < 900 ? "big" : "small" }));
    const options = { batchSize: 10, seed: 2, tasks: { apart: true, exponent: 0.5 } };
    const plan = new BatchPlan(rows, options);
    const batches = Array.from({ length: 2000 }, (_, i) => plan.at(i + 1));
    const small = batches.filter((batch) => rows[batch.rows[0]!]!.task === "small").length / 2000;
    // √100 / (√900 + √100) = 1/4; the standard error of 2000 draws is 0.0097.
    expect(Math.abs(small - 0.25)).toBeLessThan(0.04);
    for (const step of [1999, 1, 1000, 555, 2000])
      expect(new BatchPlan(rows, options).at(step)).toEqual(batches[step - 1]);
    for (const step of [1999, 1, 1000, 555, 2000]) expect(plan.at(step)).toEqual(batches[step - 1]);
    // A small task begins again only when all its rows were seen.
    const ofSmall = batches.filter((batch) => rows[batch.rows[0]!]!.task === "small").slice(0, 10);
    expect(new Set(ofSmall.flatMap((batch) => [...batch.rows])).size).toBe(100);
  });
});

const pairsFromArray = (rows: readonly unknown[]) => rowsFromArray(rows).rows;
const pairsFromTable = (table: RowTable, columns: PairColumns) => rowsFromTable(table, { columns }).rows;

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
        rowsFromArray([{ anchor: "a", positive: "b" }, row]);
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
    expect(inspectRows(pairs, { batchSize: 4 })).toEqual({
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
    expect(() => inspectRows([...somePairs(6), ...somePairs(3)], { batchSize: 8 })).toThrow(
      expect.objectContaining({
        code: "train.too-few-pairs",
        message: "A batch of 8 needs 8 different pairs; there are 6 (9 with 3 duplicates). Nothing was started.",
        hint: "Use batchSize 2 or add pairs.",
      }),
    );
    expect(() => inspectRows(somePairs(40, 5), { batchSize: 8 })).toThrow(
      expect.objectContaining({ code: "train.too-few-groups" }),
    );
  });
});

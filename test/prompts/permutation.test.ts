import { describe, expect, test } from "vitest";
import { averageRanks, pearson } from "../../kernels/evaluate/correlation.ts";
import type { Measured } from "../../kernels/evaluate/measure.ts";
import { Random } from "../../kernels/evaluate/random.ts";
import { holm, permutationTests } from "../../kernels/prompts/permutation.ts";

function mean(values: number[]): Measured {
  return {
    kind: "mean",
    metric: "m",
    score: 0,
    n: values.length,
    unit: "texts",
    more: {},
    values: Float64Array.from(values),
    detail: new Int32Array(values.length),
  };
}
function ranks(x: number[], y: Float64Array): Measured {
  return { kind: "spearman", metric: "s", score: 0, n: x.length, unit: "pairs", more: {}, x: Float64Array.from(x), y };
}

describe("permutationTests", () => {
  test("tries every sign when there are at most 15 units", async () => {
    // All five gains are positive: of 32 sign patterns only two reach the sum seen.
    const [own, p] = await permutationTests([mean([0, 0, 0, 0, 0]), mean([1, 2, 3, 4, 5])], { seed: 0 });
    expect([own, p]).toEqual([1, 2 / 32]);
    // Gains 1, 1, −1: sums of ±1 ±1 ±1 are 3, 1, 1, 1, −1, −1, −1, −3, and all reach 1 in size.
    expect((await permutationTests([mean([0, 0, 0]), mean([1, 1, -1])], { seed: 0 }))[1]).toBe(1);
  });

  test("finds the exact Spearman p by enumeration, swapping ranks within each prompt", async () => {
    const y = Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const [a, b] = [
      [3, 1, 4, 1.5, 5, 9, 2, 6],
      [110, 120, 125, 140, 150, 149, 170, 180],
    ];
    const [ra, rb] = [averageRanks(a), averageRanks(b)];
    const statistic = (mask: number): number => {
      const swap = (i: number): boolean => ((mask >> i) & 1) === 1;
      const u = Array.from(ra, (rank, i) => (swap(i) ? rb[i]! : rank));
      const v = Array.from(rb, (rank, i) => (swap(i) ? ra[i]! : rank));
      return Math.abs(pearson(v, y) - pearson(u, y));
    };
    let hits = 0;
    for (let mask = 0; mask < 256; mask++) if (statistic(mask) >= statistic(0) - 1e-12) hits += 1;
    expect((await permutationTests([ranks(a, y), ranks(b, y)], { seed: 0 }))[1]).toBe(hits / 256);
  });

  test("does not see a common shift of all cosines", async () => {
    const y = Float64Array.from({ length: 40 }, (_, i) => (i * 7) % 40);
    const x = Array.from(y, (gold, i) => gold + ((i * 13) % 11));
    expect(
      (
        await permutationTests(
          [
            ranks(x, y),
            ranks(
              x.map((v) => 0.2 + v * 0.5),
              y,
            ),
          ],
          { seed: 0 },
        )
      )[1],
    ).toBe(1);
  });

  test("sees a real difference, and no draw can give p = 0", async () => {
    const gains = Array.from({ length: 200 }, (_, i) => (i % 4 === 0 ? -0.1 : 0.1));
    const p = (await permutationTests([mean(gains.map(() => 0)), mean(gains)], { seed: 0 }))[1]!;
    expect(p).toBe(1 / 10_001);
  });

  test("gives false alarms at the stated rate: about 5 in 100 pairs of equal prompts", async () => {
    const random = new Random(5);
    const studies = 1000;
    let [alarms, rankAlarms] = [0, 0];
    for (let s = 0; s < studies; s++) {
      const noise = (): number => random.float() + random.float() + random.float() - 1.5;
      const unit = Array.from({ length: 40 }, noise);
      const y = Float64Array.from(unit, (u) => u + noise());
      const [a, b] = [unit.map((u) => u + noise()), unit.map((u) => u + noise())];
      if ((await permutationTests([mean(a), mean(b)], { seed: s, draws: 399 }))[1]! <= 0.05) alarms += 1;
      if ((await permutationTests([ranks(a, y), ranks(b, y)], { seed: s, draws: 399 }))[1]! <= 0.05) rankAlarms += 1;
    }
    for (const rate of [alarms / studies, rankAlarms / studies]) {
      expect(rate).toBeGreaterThanOrEqual(0.035);
      expect(rate).toBeLessThanOrEqual(0.065);
    }
  }, 120_000);
});

test("Holm's correction multiplies from the smallest p, never falls and stops at 1", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02].map((p) => expect.closeTo(p, 12) as number));
  expect(holm([0.5, 0.9])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

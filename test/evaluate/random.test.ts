import { describe, expect, test } from "vitest";
import { RandomState } from "../../kernels/evaluate/mt19937.ts";
import { Random } from "../../kernels/evaluate/random.ts";
import { golden } from "./golden.ts";

describe("RandomState", () => {
  test("draws NumPy's 32-bit integers", () => {
    const state = new RandomState(42);
    expect(golden.generator.uint32.map(() => state.uint32())).toEqual(golden.generator.uint32);
  });

  test("shuffles an index list round after round as MTEB does", () => {
    const ten = Int32Array.from({ length: 10 }, (_, i) => i);
    const rounds = [1, 2, 3].map(() => {
      new RandomState(42).shuffle(ten);
      return [...ten].join("");
    });
    expect(rounds).toEqual(["8150729436", "3128456709", "0153729486"]);
    expect(golden.generator.ten.map((list) => list.join(""))).toEqual(rounds);
  });

  test("shuffles ten thousand items in NumPy's order for ten rounds", () => {
    const { n, sums } = golden.generator.long;
    const items = Int32Array.from({ length: n }, (_, i) => i);
    const found = sums.map(() => {
      new RandomState(42).shuffle(items);
      return items.reduce((sum, item, place) => sum + item * place, 0);
    });
    expect(found).toEqual(sums);
  });
});

describe("Random", () => {
  test("gives xoshiro128**'s sequence from the state 1, 2, 3, 4", () => {
    const random = Random.ofState([1, 2, 3, 4]);
    expect(golden.generator.xoshiro.map(() => random.uint32())).toEqual(golden.generator.xoshiro);
  });

  test("gives the same numbers for the same seed and others for another", () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return [1, 2, 3, 4].map(() => random.uint32());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test("draws every unit equally often", () => {
    const random = new Random(3);
    const counts = new Int32Array(7);
    for (let i = 0; i < 70_000; i++) counts[random.below(7)]! += 1;
    // Chi-square with 6 degrees of freedom: 22.5 is exceeded once in a thousand.
    const chi = counts.reduce((sum, c) => sum + (c - 10_000) ** 2 / 10_000, 0);
    expect(chi).toBeLessThan(22.5);
  });
});

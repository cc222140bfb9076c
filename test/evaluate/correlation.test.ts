import { expect, test } from "vitest";
import { percentileInterval, quantile } from "../../kernels/evaluate/bootstrap.ts";
import { averageRanks, pearson, ResampledRanks, spearman } from "../../kernels/evaluate/correlation.ts";
import { golden } from "./golden.ts";

test("ranks, Spearman and Pearson agree with SciPy, ties included", () => {
  for (const { x, y, ranks, spearman: rho, pearson: r } of golden.correlations) {
    expect([...averageRanks(x)]).toEqual(ranks);
    expect(spearman(x, y)).toBeCloseTo(rho, 10);
    expect(pearson(x, y)).toBeCloseTo(r, 10);
  }
});

test("a resample's ranks without sorting give SciPy's Spearman of the resample written out", () => {
  const { x, y, cases } = golden.resamples;
  const [u, v] = [new ResampledRanks(x), new ResampledRanks(y)];
  for (const { counts, spearman: rho } of cases) {
    const squares = u.rank(counts) * v.rank(counts);
    const products = counts.reduce((sum, c, i) => sum + c * u.centred[i]! * v.centred[i]!, 0);
    expect(products / Math.sqrt(squares)).toBeCloseTo(rho, 10);
  }
});

test("a constant column has no correlation", () => {
  expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
});

test("quantiles are NumPy's", () => {
  const { x, q, values } = golden.quantiles;
  const sorted = Float64Array.from(x).sort();
  expect(q.map((share) => quantile(sorted, share))).toEqual(values.map((value) => expect.closeTo(value, 12) as number));
});

test("resamples without a score are left out and counted", () => {
  const interval = percentileInterval(Float64Array.from([0.1, Number.NaN, 0.3]), { n: 4, unit: "pairs", seed: 1 });
  expect(interval).toEqual({
    low: expect.closeTo(0.105, 12) as number,
    high: expect.closeTo(0.295, 12) as number,
    level: 0.95,
    method: "percentile bootstrap over 4 pairs, 3 resamples (1 of them without a score), seed 1",
  });
});

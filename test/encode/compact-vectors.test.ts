import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { columnRanges, compact } from "../../kernels/encode/compact-vectors.ts";

const golden = JSON.parse(readFileSync(new URL("../golden/compact.json", import.meta.url), "utf8")) as Record<
  "vectors" | "short" | "int8" | "binary" | "hamming" | "asymmetric",
  number[]
>;
const set = { n: 6, dimensions: 20, data: Float32Array.from(golden.vectors) };
const close = (found: ArrayLike<number>, expected: readonly number[], limit: number) => {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(found[i] - value)).toBeLessThan(limit);
  });
};

describe("vectors in fewer bytes, against numpy", () => {
  it("cut to their first dimensions have length 1 again", () => {
    const short = compact(set, { dimensions: 12 });
    close(short.decode(), golden.short, 1e-6);
    expect([short.dimensions, short.sizeBytes]).toEqual([12, 6 * 12 * 4]);
  });

  it("in 8 bits have numpy's codes and decode to half a step", () => {
    const small = compact(set, { type: "int8" });
    // A number on the edge between two codes may fall on either side.
    close(small.data, golden.int8, 1.5);
    expect([...small.data].filter((code, i) => code !== golden.int8[i]).length).toBeLessThanOrEqual(1);
    const { low, high } = small.ranges!;
    small.decode().forEach((value, i) => {
      expect(Math.abs(value - set.data[i])).toBeLessThanOrEqual((0.501 * (high[i % 20] - low[i % 20])) / 255);
    });
    expect(small.sizeBytes).toBe(6 * 20 + 8 * 20);
  });

  it("in 8 bits stay inside of ranges that were measured on other vectors", () => {
    const ranges = columnRanges(set.data.subarray(0, 40), 20);
    const small = compact(set, { type: "int8", ranges });
    small.decode().forEach((value, i) => {
      expect(value).toBeGreaterThanOrEqual(ranges.low[i % 20] - 1e-6);
      expect(value).toBeLessThanOrEqual(ranges.high[i % 20] + 1e-6);
    });
  });

  it("in one bit are numpy's packed bits, and compare by the bits that differ", () => {
    const small = compact(set, { type: "binary" });
    expect([...small.data]).toEqual(golden.binary);
    expect(small.sizeBytes).toBe(6 * 3);
    for (const { row, score } of small.nearest(set.data.subarray(0, 20), 6))
      expect(score).toBeCloseTo(1 - (2 * golden.hamming[row]) / 20, 12);
    for (const { row, score } of small.nearest(set.data.subarray(0, 20), 6, { rescore: 1 }))
      expect(score).toBeCloseTo(golden.asymmetric[row], 5);
    const rows = small.decode();
    const cosine = rows.subarray(0, 20).reduce((sum, x, j) => sum + x * rows[60 + j], 0);
    expect(cosine).toBeCloseTo(1 - (2 * golden.hamming[3]) / 20, 6);
  });

  it("find the same nearest rows in float32 and int8", () => {
    const nearest = (type: "float32" | "int8") => compact(set, { type }).nearest(set.data.subarray(40, 60), 3);
    expect(nearest("int8").map(({ row }) => row)).toEqual(nearest("float32").map(({ row }) => row));
    expect(nearest("float32")[0].row).toBe(2);
  });

  it("refuse dimensions that are not there", () => {
    expect(() => compact(set, { dimensions: 21 })).toThrow("21 dimensions were asked for; these vectors have 20");
  });
});

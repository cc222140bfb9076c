import { afterAll, describe, expect, it } from "vitest";
import { poolTokens } from "../../kernels/encode/pool.ts";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import { POOLINGS, pool } from "../../kernels/model/pooling.ts";
import { counterUniform } from "../../kernels/model/random.ts";

const compute = inThreadCompute();
afterAll(() => compute.dispose());

const [b, t, d] = [4, 5, 3];
const hidden = Float32Array.from({ length: b * t * d }, (_, i) => 2 * counterUniform(3, i) - 1);
// Padding at the end, an instruction left out at the start, a single token, all tokens.
const MASK = [
  [1, 1, 1, 0, 0],
  [0, 0, 1, 1, 0],
  [1, 0, 0, 0, 0],
  [1, 1, 1, 1, 1],
];

/** Straight from the definitions, one number at a time. */
function expected(mode: (typeof POOLINGS)[number]): number[] {
  return MASK.flatMap((row, i) =>
    Array.from({ length: d }, (_, k) => {
      const at = (j: number) => hidden[(i * t + j) * d + k];
      const counted = row.flatMap((m, j) => (m === 1 ? [j] : []));
      const sum = counted.reduce((s, j) => s + at(j), 0);
      switch (mode) {
        case "mean":
          return sum / counted.length;
        case "mean-sqrt-length":
          return sum / Math.sqrt(counted.length);
        case "weighted-mean":
          return counted.reduce((s, j) => s + (j + 1) * at(j), 0) / counted.reduce((s, j) => s + j + 1, 0);
        case "max":
          return Math.max(...counted.map(at));
        case "cls":
          return at(0);
        default:
          return at(counted.at(-1)!);
      }
    }),
  );
}

describe("pooling", () => {
  it.each(POOLINGS)("by %s is its definition, in the graph and outside of it", async (mode) => {
    const builder = new GraphBuilder("pooling");
    const tokens = builder.input("tokens", "float32", ["b", "t", d]);
    const mask = builder.input("mask", "float32", ["b", "t"]);
    builder.output(pool(builder, tokens, mask, mode), "vectors");
    const session = await compute.createSession({ graph: builder.build() });
    const feeds = {
      tokens: tensor("float32", [b, t, d], hidden),
      mask: tensor("float32", [b, t], Float32Array.from(MASK.flat())),
    };
    const inGraph = (await session.run(feeds)).vectors.data as Float32Array;
    const outside = poolTokens(hidden, BigInt64Array.from(MASK.flat(), BigInt), [b, t, d], mode);
    // Sums of five float32 numbers below 1: a few times 6e-8.
    expected(mode).forEach((value, i) => {
      expect(Math.abs(inGraph[i] - value)).toBeLessThan(1e-6);
      expect(Math.abs(outside[i] - value)).toBeLessThan(1e-6);
    });
    await session.dispose();
  });
});

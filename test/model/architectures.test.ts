import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import { type Architecture, architectureSizes, weightShapes } from "../../kernels/model/architecture.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import type { Pooling } from "../../kernels/model/pooling.ts";
import { counterUniform, randomTensor, randomWeights } from "../../kernels/model/random.ts";
import { relativeBucket } from "../../kernels/model/relative-bias.ts";

interface Golden {
  lengths: number[];
  leftOut: number[];
  textSeed: number;
  seed: number;
  families: Record<
    string,
    {
      family: Architecture["family"];
      config: Architecture["config"];
      shapes: Record<string, number[]>;
      cases: { pooling: Pooling; instruction: boolean; dense: boolean; normalise: boolean; vectors: number[] }[];
    }
  >;
  buckets: { buckets: number; maxDistance: number; first: number; of: number[] }[];
}

const golden = JSON.parse(readFileSync(new URL("../golden/architectures.json", import.meta.url), "utf8")) as Golden;
const compute = inThreadCompute();
afterAll(() => compute.dispose());

/** The golden texts as one padded batch, as an encoder would make it. */
function batch(vocabSize: number, padId: number, rows = golden.lengths.map((_, i) => i)) {
  let at = 0;
  const texts = golden.lengths.map((length) =>
    Array.from({ length }, () => 2 + Math.floor(counterUniform(golden.textSeed, at++) * (vocabSize - 2))),
  );
  const t = Math.max(...rows.map((i) => golden.lengths[i]));
  const matrix = (value: (i: number, j: number) => number) =>
    tensor(
      "int64",
      [rows.length, t],
      BigInt64Array.from(rows.flatMap((i) => Array.from({ length: t }, (_, j) => BigInt(value(i, j))))),
    );
  return {
    input_ids: matrix((i, j) => texts[i][j] ?? padId),
    attention_mask: matrix((i, j) => Number(j < golden.lengths[i])),
    pooling_mask: matrix((i, j) => Number(j < golden.lengths[i] && j >= golden.leftOut[i])),
  };
}

for (const [name, { family, config, shapes, cases }] of Object.entries(golden.families)) {
  const architecture = { family, config } as Architecture;
  const padId = "padId" in config ? config.padId : 0;

  describe(`${name} against PyTorch`, () => {
    it("reads the same tensors in the same shapes", () => {
      const sorted = (entries: Iterable<[string, number[]]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(sorted(weightShapes(architecture))).toEqual(sorted(Object.entries(shapes)));
    });

    // One text at a time in float64 there, one padded batch in float32 here: numbers of size 1 after two layers of sums
    // of 24 to 48 products differ by a few 1e-7; T5's are not normalised at each layer and reach size 10.
    for (const { pooling, instruction, dense, normalise, vectors } of cases)
      it(`agrees with ${pooling} pooling${instruction ? ", instruction left out" : ""}${dense ? ", dense head, unit length" : ""}`, async () => {
        const weights = randomWeights(architecture, golden.seed);
        const head = { weight: randomTensor("dense.weight", [10, config.hiddenSize], golden.seed), bias: null };
        const graph = buildEncoderGraph(architecture, weights, {
          pooling,
          normalise,
          poolingMask: instruction,
          weightsAs: "initializers",
          ...(dense ? { dense: [{ ...head, activation: "identity" as const }] } : {}),
        });
        const session = await compute.createSession({ graph });
        const { pooling_mask, ...feeds } = batch(config.vocabSize, padId);
        const { sentence_embedding: found } = await session.run(instruction ? { ...feeds, pooling_mask } : feeds);
        const scale = Math.max(1, ...vectors.map(Math.abs));
        const worst = Math.max(...vectors.map((value, i) => Math.abs(value - Number(found.data[i])))) / scale;
        expect(found.dims).toEqual([golden.lengths.length, dense ? 10 : config.hiddenSize]);
        expect(worst).toBeLessThan(1e-5);
        await session.dispose();
      });

    it("gives a text the same vector alone as in a padded batch", async () => {
      const weights = randomWeights(architecture, golden.seed);
      const options = { pooling: "mean", normalise: true, weightsAs: "initializers" } as const;
      const session = await compute.createSession({ graph: buildEncoderGraph(architecture, weights, options) });
      const run = async (rows?: number[]) => {
        const { pooling_mask: _, ...feeds } = batch(config.vocabSize, padId, rows);
        return (await session.run(feeds)).sentence_embedding.data as Float32Array;
      };
      const together = await run();
      const d = architectureSizes(architecture).hiddenSize;
      for (const row of golden.lengths.keys()) {
        const alone = await run([row]);
        const worst = Math.max(...alone.map((value, k) => Math.abs(value - together[row * d + k])));
        expect(worst).toBeLessThan(1e-6);
      }
      await session.dispose();
    });
  });
}

describe("buckets of relative positions", () => {
  it.each(golden.buckets)(
    "are those of the original code: $buckets up to $maxDistance",
    ({ buckets, maxDistance, first, of }) => {
      expect(of.map((_, i) => relativeBucket(first + i, buckets, maxDistance))).toEqual(of);
    },
  );
});

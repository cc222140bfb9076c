/**
 * Encoders in their true shapes (base sizes, seeded random weights) against PyTorch in float64. The smallest runs always;
 * all of them with PARALLAX_TRUE_SHAPES=1 (a minute, 2 GB of memory).
 */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import type { Architecture } from "../../kernels/model/architecture.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import type { Pooling } from "../../kernels/model/pooling.ts";
import { counterUniform, randomWeights } from "../../kernels/model/random.ts";
import { type Weights, weightsOf } from "../../kernels/model/weights.ts";

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
      cases: { pooling: Pooling; instruction: boolean; vectors: { first: number[]; sum: number }[] }[];
    }
  >;
}
const golden = JSON.parse(readFileSync(new URL("../golden/true-shapes.json", import.meta.url), "utf8")) as Golden;

/** Matrices as large as trained ones: variance 1/inputs (T5's queries 1/(inputs · 64), since its scores are not scaled). */
function trainedWeights(architecture: Architecture, seed: number): Weights {
  const random = randomWeights(architecture, seed);
  return weightsOf(
    new Map(
      random.names().map((name) => {
        const value = random.get(name);
        const isTable = /embeddings|^shared\.weight$|relative_attention_bias/.test(name);
        if (value.dims.length !== 2 || isTable) return [name, value];
        const inner = value.dims[1] * (name.endsWith("SelfAttention.q.weight") ? 64 : 1);
        const factor = Math.fround(Math.sqrt(3 / inner) / 0.25);
        return [
          name,
          tensor(
            "float32",
            value.dims,
            (value.data as Float32Array).map((x) => x * factor),
          ),
        ];
      }),
    ),
  );
}

const compute = inThreadCompute();
afterAll(() => compute.dispose());
const isAll = process.env.PARALLAX_TRUE_SHAPES === "1";

describe.each(Object.entries(golden.families))("%s in its true shape", (name, { family, config, cases }) => {
  it.skipIf(!isAll && name !== "bert-small")(
    "gives PyTorch's vectors for every pooling, with and without an instruction",
    { timeout: 180_000 },
    async () => {
      const architecture = { family, config } as Architecture;
      const weights = trainedWeights(architecture, golden.seed);
      const padId = "padId" in config ? config.padId : 0;
      const t = Math.max(...golden.lengths);
      let at = 0;
      const texts = golden.lengths.map((length) =>
        Array.from({ length }, () => 2 + Math.floor(counterUniform(golden.textSeed, at++) * (config.vocabSize - 2))),
      );
      const matrix = (value: (i: number, j: number) => number) =>
        tensor(
          "int64",
          [texts.length, t],
          BigInt64Array.from(texts.flatMap((_, i) => Array.from({ length: t }, (__, j) => BigInt(value(i, j))))),
        );
      const feeds = {
        input_ids: matrix((i, j) => texts[i][j] ?? padId),
        attention_mask: matrix((i, j) => Number(j < golden.lengths[i])),
      };
      const whole = matrix((i, j) => Number(j < golden.lengths[i]));
      const cut = matrix((i, j) => Number(j < golden.lengths[i] && j >= golden.leftOut[i]));
      const poolings = [...new Set(cases.map(({ pooling }) => pooling))];
      let worst = 0;
      for (const pooling of poolings) {
        const graph = buildEncoderGraph(architecture, weights, {
          pooling,
          normalise: true,
          poolingMask: true,
          weightsAs: "initializers",
        });
        const session = await compute.createSession({ graph });
        for (const { instruction, vectors } of cases.filter((each) => each.pooling === pooling)) {
          const result = await session.run({ ...feeds, pooling_mask: instruction ? cut : whole });
          const found = result.sentence_embedding.data as Float32Array;
          const d = found.length / texts.length;
          vectors.forEach(({ first, sum }, i) => {
            const row = found.subarray(i * d, (i + 1) * d);
            first.forEach((value, k) => {
              worst = Math.max(worst, Math.abs(value - row[k]));
            });
            // A sum of d numbers may be √d times as far off as one of them.
            worst = Math.max(worst, Math.abs(sum - row.reduce((a, b) => a + b, 0)) / Math.sqrt(d));
          });
        }
        await session.dispose();
      }
      console.log(`${name}: largest difference ${worst.toExponential(1)} in vectors of length 1`);
      // Twelve layers of float32 against float64: unit vectors of 768 numbers agree to a few 1e-7.
      expect(worst).toBeLessThan(1e-5);
    },
  );
});

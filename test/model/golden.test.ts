import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import type { BertConfig } from "../../kernels/model/bert.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { randomBertWeights } from "../../kernels/model/random.ts";

interface Golden {
  config: BertConfig;
  seed: number;
  ids: number[][];
  mask: number[][];
  cases: { pooling: "mean" | "cls" | "max"; normalise: boolean; embeddings: number[] }[];
}

const golden = JSON.parse(readFileSync(new URL("../golden/encoder.json", import.meta.url), "utf8")) as Golden;
const int64 = (rows: number[][]) =>
  tensor("int64", [rows.length, rows[0].length], BigInt64Array.from(rows.flat(), BigInt));
const compute = inThreadCompute();
afterAll(() => compute.dispose());

describe("encoder against PyTorch", () => {
  for (const { pooling, normalise, embeddings } of golden.cases)
    for (const weightsAs of ["initializers", "inputs"] as const)
      it(`agrees with ${pooling} pooling, ${normalise ? "normalised" : "as it comes"}, weights as ${weightsAs}`, async () => {
        const weights = randomBertWeights(golden.config, golden.seed);
        const graph = buildEncoderGraph({ family: "bert", config: golden.config }, weights, {
          pooling,
          normalise,
          weightsAs,
        });
        const session = await compute.createSession({ graph });
        const feeds = { input_ids: int64(golden.ids), attention_mask: int64(golden.mask) };
        const fed =
          weightsAs === "inputs" ? Object.fromEntries(weights.names().map((name) => [name, weights.get(name)])) : {};
        const { sentence_embedding: found } = await session.run({ ...feeds, ...fed });
        const worst = Math.max(...embeddings.map((value, i) => Math.abs(value - Number(found.data[i]))));
        expect({ dims: found.dims, within: worst <= 1e-5 }, `largest difference ${worst}`).toEqual({
          dims: [golden.ids.length, golden.config.hiddenSize],
          within: true,
        });
        await session.dispose();
      });
});

import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { type BertConfig, WORD_EMBEDDINGS } from "../../kernels/model/bert.ts";
import { randomBertWeights } from "../../kernels/model/random.ts";
import { buildTrainingStep } from "../../kernels/model/training.ts";
import { plainInfoNce } from "../support/plain-loss.ts";

interface Summary {
  name: string;
  dims: number[];
  length: number;
  sum: number;
  step: number;
  entries: number[];
}
interface Golden {
  config: BertConfig;
  seed: number;
  ids: number[][];
  mask: number[][];
  cases: {
    pooling: "mean" | "cls" | "max";
    normalise: boolean;
    symmetric: boolean;
    temperature: number;
    loss: number;
    gradients: Summary[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../golden/training.json", import.meta.url), "utf8")) as Golden;
const int64 = (rows: number[][]) =>
  tensor("int64", [rows.length, rows[0].length], BigInt64Array.from(rows.flat(), BigInt));
const compute = inThreadCompute();
afterAll(() => compute.dispose());

/** The dense gradient of the table from the gradients of its gathered rows. */
function scatter(rows: Tensor, ids: number[], dims: number[]): Float32Array {
  const width = dims[1];
  const table = new Float32Array(dims[0] * width);
  const values = rows.data as Float32Array;
  ids.forEach((id, row) => {
    for (let k = 0; k < width; k++) table[id * width + k] += values[row * width + k];
  });
  return table;
}

describe("loss and gradients against PyTorch", () => {
  for (const one of golden.cases)
    it(`agrees: ${one.pooling} pooling, normalise ${one.normalise}, symmetric ${one.symmetric}, temperature ${one.temperature}`, async () => {
      const { pooling, normalise, symmetric, temperature } = one;
      const weights = randomBertWeights(golden.config, golden.seed);
      const step = buildTrainingStep(
        { family: "bert", config: golden.config },
        { pooling, normalise, ...plainInfoNce(temperature, symmetric), trainWordEmbeddings: true },
      );
      const session = await compute.createSession({ graph: step.graphs.whole });
      const feeds: Record<string, Tensor> = { input_ids: int64(golden.ids), attention_mask: int64(golden.mask) };
      for (const name of step.weightShapes.keys()) feeds[name] = weights.get(name);
      const found = await session.run(feeds);
      await session.dispose();

      expect(Math.abs(Number(found.loss.data[0]) - one.loss) / one.loss).toBeLessThan(1e-5);
      const problems: string[] = [];
      for (const expected of one.gradients) {
        const isTable = expected.name === WORD_EMBEDDINGS;
        const gradient = isTable
          ? scatter(found[step.wordRows?.output ?? ""], golden.ids.flat(), expected.dims)
          : (found[step.gradientName(expected.name)].data as Float32Array);
        // Relative to the gradient's length: single entries may be zero by symmetry (the key biases all are).
        const scale = Math.max(expected.length, 1e-3);
        let square = 0;
        let sum = 0;
        for (const value of gradient) {
          square += value * value;
          sum += value;
        }
        const entries = expected.entries.map((value, i) => Math.abs(value - gradient[i * expected.step]));
        const worst = Math.max(
          ...entries,
          Math.abs(Math.sqrt(square) - expected.length),
          Math.abs(sum - expected.sum) / Math.sqrt(gradient.length),
        );
        if (!(worst / scale <= 1e-4)) problems.push(`${expected.name}: ${worst / scale}`);
      }
      expect(problems).toEqual([]);
    });
});

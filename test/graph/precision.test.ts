import { afterAll, describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import type { Graph } from "../../kernels/graph/ir.ts";
import { weightBytes } from "../../kernels/graph/onnx-write.ts";
import { checkPrecision, forCpu, PRECISIONS, type Precision, toPrecision } from "../../kernels/graph/precision.ts";
import { quantiseBlocks, quantiseRows } from "../../kernels/graph/quantise-rows.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { parseArchitecture } from "../../kernels/model/architecture.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { counterUniform, randomTensor, randomWeights } from "../../kernels/model/random.ts";
import { TINY_CONFIGS } from "../support/tiny-folder.ts";

const compute = inThreadCompute();
afterAll(() => compute.dispose());

/** The tiny encoder of a family, wide enough (64) that its matrices count as large. */
function encoder(name: keyof typeof TINY_CONFIGS): Graph {
  const wide = { hidden_size: 64, dim: 64, d_model: 64, d_kv: 16, hidden_dim: 128, intermediate_size: 128, d_ff: 128 };
  const config: Record<string, unknown> = { ...TINY_CONFIGS[name] };
  for (const [field, value] of Object.entries(wide)) if (field in config) config[field] = value;
  const architecture = parseArchitecture(config);
  return buildEncoderGraph(architecture, randomWeights(architecture), {
    pooling: "mean",
    normalise: true,
    weightsAs: "initializers",
  });
}

function batch(lengths: readonly number[]): Record<string, Tensor> {
  const t = Math.max(...lengths);
  const cells = (value: (i: number, j: number) => number) =>
    tensor(
      "int64",
      [lengths.length, t],
      BigInt64Array.from(lengths.flatMap((_, i) => Array.from({ length: t }, (_, j) => BigInt(value(i, j))))),
    );
  return {
    input_ids: cells((i, j) => (j < lengths[i] ? 2 + Math.floor(counterUniform(3, 97 * i + j) * 50) : 1)),
    attention_mask: cells((i, j) => Number(j < lengths[i])),
  };
}

async function vectors(graph: Graph, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await compute.createSession({ graph }, { threads: 1 });
  const { sentence_embedding } = await session.run(feeds);
  const data = (sentence_embedding.data as Float32Array).slice();
  await session.dispose();
  return data;
}

const largest = (a: Float32Array, b: Float32Array) => a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i])), 0);
/** Of unit vectors of 64 dimensions. */
const leastCosine = (a: Float32Array, b: Float32Array) =>
  Math.min(
    ...Array.from({ length: a.length / 64 }, (_, i) =>
      a.subarray(64 * i, 64 * i + 64).reduce((sum, x, j) => sum + x * b[64 * i + j], 0),
    ),
  );

describe("attention as one operator", () => {
  for (const name of Object.keys(TINY_CONFIGS) as (keyof typeof TINY_CONFIGS)[])
    it(`gives the same vectors for ${name}, with padding and without`, async () => {
      const graph = encoder(name);
      const fused = forCpu(graph);
      expect(fused.nodes.filter((node) => node.op === "Softmax")).toEqual([]);
      // Sums in another order: a few units in the last place of numbers near 1.
      for (const lengths of [
        [7, 7],
        [9, 4, 1],
      ])
        expect(largest(await vectors(fused, batch(lengths)), await vectors(graph, batch(lengths)))).toBeLessThan(2e-6);
    });

  it("leaves a graph without attention as it is", () => {
    const b = new GraphBuilder("plain");
    b.output(b.softmax(b.input("x", "float32", ["n", 4])), "y");
    const graph = b.build();
    expect(forCpu(graph)).toBe(graph);
  });
});

describe("precisions", () => {
  /** Cosine to float32 on random weights, where every layer's noise adds up, and bytes against float32. */
  const limits: Record<Precision, [cosine: number, size: number]> = {
    float32: [1, 1.001],
    float16: [0.99999, 0.6],
    int8: [0.99, 0.4],
    "int8-weights": [0.9995, 0.4],
    "int8-blocks": [0.9995, 0.4],
    "int4-blocks": [0.97, 0.35],
  };
  for (const name of ["bert", "t5"] as const)
    for (const precision of Object.keys(PRECISIONS) as Precision[])
      it(`${precision} of ${name} is near float32 and as small as it says`, async () => {
        const graph = encoder(name);
        const small = toPrecision(forCpu(graph), precision);
        const feeds = batch([12, 12, 5]);
        const [least, size] = limits[precision];
        expect(leastCosine(await vectors(graph, feeds), await vectors(small, feeds))).toBeGreaterThan(least - 1e-6);
        expect(weightBytes(small) / weightBytes(graph)).toBeLessThanOrEqual(size);
      });

  it("does not make a vector depend on its batch, but for int8", async () => {
    const graph = forCpu(encoder("bert"));
    for (const precision of Object.keys(PRECISIONS) as Precision[]) {
      const small = toPrecision(graph, precision);
      const [alone, among] = [await vectors(small, batch([12])), await vectors(small, batch([12, 12, 5]))];
      const difference = largest(alone, among.slice(0, 64));
      if (precision === "int8") expect(leastCosine(alone, among.slice(0, 64))).toBeGreaterThan(0.99);
      else expect(difference, precision).toBeLessThan(2e-6);
    }
  });

  it("rounds the layers of foreign graphs too, [in, out] weights of a MatMul", async () => {
    const b = new GraphBuilder("foreign");
    const x = b.input("x", "float32", ["b", "t", 64]);
    b.output(b.matMul(x, b.initializer("w", randomTensor("w", [64, 80], 5))), "sentence_embedding");
    const feeds = { x: randomTensor("x", [2, 3, 64], 6) };
    const exact = await vectors(b.build(), feeds);
    const scale = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const precision of Object.keys(PRECISIONS) as Precision[]) {
      const small = toPrecision(b.build(), precision);
      expect(small.initializers.has("w")).toBe(precision === "float32");
      // 4 bits: half a step of 1/8 of the largest weight, over √64 terms of mixed signs.
      expect(largest(await vectors(small, feeds), exact) / scale).toBeLessThan(
        precision === "int4-blocks" ? 0.1 : 0.02,
      );
    }
  });

  it("keeps a matrix that 16 bits cannot hold", () => {
    const b = new GraphBuilder("wide");
    const weight = randomTensor("w", [64, 64], 5);
    weight.data[7] = 1e5;
    b.output(b.matMul(b.input("x", "float32", ["n", 64]), b.initializer("w", weight)), "y");
    expect(toPrecision(b.build(), "float16").initializers.get("w")?.dtype).toBe("float32");
  });

  it("refuses a precision that does not exist, and says which do", () => {
    expect(() => checkPrecision("int2")).toThrow(/"int2" was asked for; there are float32, float16, int8/);
  });
});

describe("rounding", () => {
  const weight = randomTensor("w", [5, 40], 9);

  it("by rows is off by at most half a step", () => {
    for (const limit of [127, 63]) {
      const { quantised, scale } = quantiseRows(weight, limit);
      weight.data.forEach((value, i) => {
        const step = scale.data[Math.floor(i / 40)];
        expect(Math.abs(value - quantised.data[i] * step)).toBeLessThanOrEqual(0.5001 * step);
      });
    }
  });

  it("by blocks is off by at most one step, and the largest number is kept", () => {
    for (const bits of [4, 8] as const) {
      const { quantised, scale } = quantiseBlocks(weight, bits, 16);
      const zero = 2 ** (bits - 1);
      const row = (bits * 48) / 8;
      const decoded = (i: number, j: number) => {
        const at = i * row + (bits === 8 ? j : j >> 1);
        const code = bits === 8 ? quantised.data[at] : (quantised.data[at] >> (4 * (j % 2))) & 15;
        return (code - zero) * scale.data[i * 3 + (j >> 4)];
      };
      for (let i = 0; i < 5; i++)
        for (let j = 0; j < 40; j++) {
          const step = Math.abs(scale.data[i * 3 + (j >> 4)]);
          expect(Math.abs(decoded(i, j) - weight.data[i * 40 + j])).toBeLessThanOrEqual(1.0001 * step);
        }
    }
  });

  it("of a row of zeros gives zeros", () => {
    const zeros = tensor("float32", [2, 16], new Float32Array(32));
    expect([...quantiseRows(zeros).quantised.data]).toEqual(new Array(32).fill(0));
    expect([...quantiseBlocks(zeros, 8, 16).scale.data].map(Math.abs)).toEqual([0, 0]);
  });
});

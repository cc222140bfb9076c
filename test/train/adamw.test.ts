import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adamwFactors, adamwReference, isDecayed, learningRateAt } from "../../kernels/train/adamw.ts";
import { clipScale, ParameterMemory } from "../../kernels/train/parameter-memory.ts";
import { Random } from "../../kernels/train/prng.ts";

const golden = JSON.parse(readFileSync(new URL("../golden/adamw.json", import.meta.url), "utf8")) as {
  shapes: Record<string, number[]>;
  options: { learningRate: number; weightDecay: number; clipNorm: number; steps: number };
  start: Record<string, number[]>;
  steps: { gradients: Record<string, number[]>; norm: number; weights: Record<string, number[]> }[];
};

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

describe("AdamW", () => {
  it("follows torch.optim.AdamW with clipping over twelve steps", () => {
    const { options } = golden;
    const memory = new ParameterMemory(Object.entries(golden.shapes).map(([name, dims]) => ({ name, dims })));
    for (const parameter of memory.parameters) parameter.weight.set(golden.start[parameter.name]!);
    let worst = 0;
    golden.steps.forEach((expected, i) => {
      for (const parameter of memory.parameters) parameter.gradient.set(expected.gradients[parameter.name]!);
      const norm = memory.gradientNorm();
      expect(norm).toBeCloseTo(expected.norm, 5);
      memory.update(i + 1, options.learningRate, options.weightDecay, clipScale(norm, options.clipNorm));
      for (const parameter of memory.parameters)
        parameter.weight.forEach((value, k) => {
          worst = Math.max(worst, Math.abs(value - expected.weights[parameter.name]![k]!));
        });
    });
    // Twelve float32 updates of weights near 1: some ten roundings of 6e-8 each.
    expect(worst).toBeLessThan(1e-6);
  });

  it("gives the bits of the plain TypeScript update for every length", () => {
    for (const n of [1, 3, 4, 5, 8, 13, 64, 1001]) {
      const random = new Random(1, "adamw", n);
      const memory = new ParameterMemory([{ name: "w", dims: [1, n] }]);
      const [parameter] = memory.parameters;
      const p = Float32Array.from({ length: n }, () => normal(random));
      const m = new Float32Array(n);
      const v = new Float32Array(n);
      parameter!.weight.set(p);
      for (let step = 1; step <= 5; step++) {
        const g = Float32Array.from({ length: n }, () => 10 ** (4 * random.unit() - 4) * normal(random));
        parameter!.gradient.set(g);
        memory.update(step, 1e-3, 0.01, 0.37);
        adamwReference(p, g, m, v, adamwFactors(step, 1e-3, 0.01), 0.37);
      }
      expect([parameter!.weight, parameter!.first, parameter!.second]).toEqual([p, m, v]);
    }
  });

  it("decays matrices only", () => {
    const names = {
      "encoder.layer.0.attention.self.query.weight": [4, 4],
      "encoder.layer.0.attention.self.query.bias": [4],
      "embeddings.LayerNorm.weight": [4],
      "embeddings.position_embeddings.weight": [8, 4],
    };
    expect(Object.entries(names).map(([name, dims]) => isDecayed(name, dims))).toEqual([true, false, false, true]);
    const memory = new ParameterMemory(Object.entries(names).map(([name, dims]) => ({ name, dims })));
    for (const parameter of memory.parameters) parameter.weight.fill(1);
    memory.update(1, 0.5, 0.5, 1);
    expect(Object.fromEntries(memory.parameters.map((p) => [p.name, p.weight[0]]))).toEqual({
      "encoder.layer.0.attention.self.query.weight": 0.75,
      "embeddings.position_embeddings.weight": 0.75,
      "encoder.layer.0.attention.self.query.bias": 1,
      "embeddings.LayerNorm.weight": 1,
    });
  });

  it("measures the norm over all weights and sees one NaN", () => {
    const random = new Random(3);
    const memory = new ParameterMemory([
      { name: "a", dims: [31, 3] },
      { name: "b", dims: [7] },
    ]);
    let sum = 0;
    for (const parameter of memory.parameters)
      parameter.gradient.forEach((_, i) => {
        parameter.gradient[i] = normal(random);
        sum += parameter.gradient[i]! ** 2;
      });
    expect(memory.gradientNorm()).toBeCloseTo(Math.sqrt(sum), 10);
    memory.parameters[1]!.gradient[6] = Number.NaN;
    expect(memory.gradientNorm()).toBeNaN();
  });

  it("updates only the touched rows of a sparse table, equal ids summed", () => {
    const [rows, width] = [10, 6];
    const memory = new ParameterMemory([{ name: "bias", dims: [3] }], {
      name: "table",
      dims: [rows, width],
      maxTouched: 4,
    });
    const table = memory.sparse!;
    const random = new Random(5);
    table.weight.forEach((_, i) => {
      table.weight[i] = normal(random);
    });
    const before = table.weight.slice();
    const p = before.slice();
    const m = new Float32Array(rows * width);
    const v = new Float32Array(rows * width);
    for (let step = 1; step <= 3; step++) {
      const gradients = Float32Array.from({ length: 4 * width }, () => normal(random));
      table.clear();
      table.add([7, 2, 7, 0], gradients);
      const summed = new Map<number, Float32Array>([
        [7, gradients.slice(0, width).map((value, k) => value + gradients[2 * width + k]!)],
        [2, gradients.slice(width, 2 * width)],
        [0, gradients.slice(3 * width)],
      ]);
      const squares = [...summed.values()].flatMap((row) => [...row]).reduce((sum, value) => sum + value * value, 0);
      expect(memory.gradientNorm()).toBeCloseTo(Math.sqrt(squares), 6);
      memory.update(step, 0.01, 0.1, 1);
      for (const [row, gradient] of summed) {
        const part = (array: Float32Array) => array.subarray(row * width, (row + 1) * width);
        adamwReference(part(p), gradient, part(m), part(v), adamwFactors(step, 0.01, 0.1));
      }
    }
    expect([table.weight, table.first, table.second]).toEqual([p, m, v]);
    expect(table.weight.subarray(width, 2 * width)).toEqual(before.subarray(width, 2 * width));
  });

  it("refuses a model that four gigabytes do not hold", () => {
    expect(() => new ParameterMemory([{ name: "w", dims: [300_000, 1000] }])).toThrow(
      expect.objectContaining({ code: "train.too-large" }),
    );
  });
});

describe("the learning rate", () => {
  it("climbs to the full rate over the warm-up and falls in equal parts to the end", () => {
    const options = { schedule: "linear" as const, learningRate: 8, warmupRatio: 0.2, steps: 10 };
    const rates = Array.from({ length: 10 }, (_, i) => learningRateAt(i + 1, options));
    expect(rates.map((rate) => Number(rate.toFixed(3)))).toEqual([4, 8, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(learningRateAt(1, { ...options, warmupRatio: 0 })).toBe(8);
    expect(learningRateAt(9, { ...options, schedule: "constant" })).toBe(8);
  });
});

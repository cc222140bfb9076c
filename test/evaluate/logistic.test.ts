import { describe, expect, test } from "vitest";
import type { ClassificationTask } from "../../kernels/data/task-types.ts";
import { drawSamples, sampledRows, scoreClassification } from "../../kernels/evaluate/classification.ts";
import { fitLogistic, predictLogistic } from "../../kernels/evaluate/logistic.ts";
import { blobs } from "./blobs.ts";
import { golden } from "./golden.ts";

describe("classification", () => {
  test("agrees with scikit-learn over ten rounds of ten data sets within 0.005", async () => {
    let worst = 0;
    for (const { classes, samples, seed, d, accuracy, f1, ap } of golden.logistic.cases) {
      const { x, y } = blobs(seed, classes, 60, d, 0.9);
      const cut = 40 * classes;
      // Labels sort as numbers do.
      const labels = Array.from(y, (k) => String(k).padStart(2, "0"));
      const texts = labels.map((_, i) => String(i));
      const task: ClassificationTask = {
        type: "classification",
        name: "blobs",
        train: { texts: texts.slice(0, cut), labels: labels.slice(0, cut) },
        test: { texts: texts.slice(cut), labels: labels.slice(cut) },
        samplesPerLabel: samples,
      };
      const train = Float32Array.from(sampledRows(task).flatMap((row) => [...x.subarray(row * d, (row + 1) * d)]));
      const scores = await scoreClassification(task, train, x.slice(cut * d), d, {});
      worst = Math.max(worst, Math.abs(scores.accuracy - accuracy));
      expect(scores.macroF1).toBeCloseTo(f1, 2);
      if (ap !== undefined) expect(scores.averagePrecision).toBeCloseTo(ap, 2);
    }
    expect(worst).toBeLessThanOrEqual(0.005);
  });

  test("takes the first k of every label in shuffled order", () => {
    const labels = ["x", "y", "x", "y", "x", "y", "x", "y", "x", "y"];
    const rounds = drawSamples(labels, 2);
    expect(rounds).toHaveLength(10);
    // Round 1's order is 8150729436: x (even) 8, 0; y (odd) 1, 5.
    expect([...rounds[0]!]).toEqual([8, 1, 5, 0]);
    expect([...rounds[1]!]).toEqual([3, 1, 2, 8]);
  });

  test("a label with fewer samples than asked gives what it has", () => {
    expect(drawSamples(["a", "b", "b", "b"], 2)[0]).toHaveLength(3);
  });
});

describe("fitLogistic", () => {
  test("reaches scikit-learn's optimum", async () => {
    const { x, y } = blobs(3, 6, 20, 24, 0.9);
    const model = await fitLogistic(x, y, 24, 6, { maxIterations: 10_000, tolerance: 1e-9 });
    const norm = Math.sqrt(model.weights.reduce((sum, w, i) => sum + (i % 25 === 24 ? 0 : w * w), 0));
    expect(norm).toBeCloseTo(golden.logistic.optimum.weight_norm, 5);
    const right = predictLogistic(model, x).filter((k, i) => k === y[i]).length;
    expect(right / y.length).toBeGreaterThan(0.9);
  });

  test("stops when asked", async () => {
    const { x, y } = blobs(1, 20, 400, 200, 0.9);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await expect(fitLogistic(x, y, 200, 20, { signal: controller.signal })).rejects.toMatchObject({
      code: "work.cancelled",
    });
  });
});

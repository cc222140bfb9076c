import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { differentiate } from "../../kernels/graph/differentiate.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import type { Architecture } from "../../kernels/model/architecture.ts";
import type { DropoutSite } from "../../kernels/model/dropout.ts";
import { wordTable } from "../../kernels/model/layers.ts";
import {
  buildLoss,
  type LossPlan,
  SAME_TEXT_INPUT,
  SCORES_INPUT,
  sameTextColumns,
  scoresOf,
} from "../../kernels/model/losses/loss.ts";
import { counterUniform, randomTensor } from "../../kernels/model/random.ts";
import { buildTrainingStep, type StepOptions, type TrainingStep } from "../../kernels/model/training.ts";
import { chanceLevel, type Loss, type Matryoshka } from "../../kernels/protocol/losses.ts";
import { DropoutMasks } from "../../kernels/train/dropout-masks.ts";
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
  b: number;
  d: number;
  losses: {
    loss: Loss;
    negatives: number;
    matryoshka: Matryoshka | null;
    scores: number[];
    same: [row: number, column: number, of: number][];
    vectors: number[];
    value: number;
    gradient: number[];
  }[];
  seed: number;
  textSeed: number;
  lengths: number[];
  leftOut: number[];
  pairs: number;
  temperature: number;
  dense: number;
  steps: {
    name: string;
    family: Architecture["family"];
    config: Architecture["config"];
    lora: { rank: number; alpha: number } | null;
    value: number;
    gradients: Summary[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../golden/losses.json", import.meta.url), "utf8")) as Golden;
const compute = inThreadCompute();
afterAll(() => compute.dispose());

/** Loss and gradient of given vectors. */
async function run(plan: LossPlan, vectors: Float32Array, d: number, feeds: Record<string, Tensor> = {}) {
  const b = new GraphBuilder("loss");
  const input = b.input("vectors", "float32", [`${2 + plan.negatives}*b`, d]);
  b.output(buildLoss(b, input, plan, true), "loss");
  const session = await compute.createSession({
    graph: differentiate(b.build(), { of: "loss", wrt: ["vectors"] }),
  });
  const { loss, "grad:vectors": gradient } = await session.run({
    vectors: tensor("float32", [vectors.length / d, d], vectors),
    ...feeds,
  });
  await session.dispose();
  return { loss: Number(loss.data[0]), gradient: gradient.data as Float32Array };
}

function lossFeeds(plan: LossPlan, b: number, scores: number[], same: [number, number, number][]) {
  const feeds: Record<string, Tensor> = {};
  const width = scoresOf(plan);
  if (width > 0) feeds[SCORES_INPUT] = tensor("float32", [b, width], Float32Array.from(scores));
  const columns = sameTextColumns(plan);
  if (columns > 0) {
    const mask = new Float32Array(b * columns * b);
    for (const [i, k, j] of same) mask[i * columns * b + k * b + j] = 1;
    feeds[SAME_TEXT_INPUT] = tensor("float32", [b, columns * b], mask);
  }
  return feeds;
}

describe("losses against PyTorch, row by row in float64", () => {
  for (const { loss, negatives, matryoshka, scores, same, vectors, value, gradient } of golden.losses) {
    const { name, ...settings } = loss;
    it(`${name} ${JSON.stringify(settings)}, ${negatives} negatives${matryoshka ? ", Matryoshka" : ""}`, async () => {
      const plan = { loss, negatives, matryoshka };
      const feeds = lossFeeds(plan, golden.b, scores, same);
      const found = await run(plan, Float32Array.from(vectors), golden.d, feeds);
      // Cosines rounded to float32 (6e-8) are divided by temperatures from 0.05, so logits are off by some 1e-6.
      expect(Math.abs(found.loss - value)).toBeLessThan(5e-6 * Math.max(1, Math.abs(value)));
      const scale = Math.hypot(...gradient);
      const error = Math.hypot(...gradient.map((expected, i) => expected - found.gradient[i])) / scale;
      expect(error).toBeLessThan(1e-5);
    });
  }
});

describe("the level of chance", () => {
  const equal = (n: number) => Float32Array.from({ length: n * 4 }, (_, i) => Number(i % 4 === 0));
  const candidates: [Loss, number][] = [
    [{ name: "info-nce", temperature: 0.05, symmetric: false, falseNegatives: { rule: "keep" } }, 0],
    [{ name: "info-nce", temperature: 0.05, symmetric: true, falseNegatives: { rule: "keep" } }, 2],
    [{ name: "gte", temperature: 0.05, ownPairTwice: true, falseNegatives: { rule: "keep" } }, 0],
    [{ name: "gte", temperature: 0.05, ownPairTwice: false, falseNegatives: { rule: "keep" } }, 0],
    [{ name: "instructor", temperature: 0.05 }, 1],
    [{ name: "triplet", margin: 0.2, distance: "cosine" }, 1],
  ];
  it.each(candidates)("of %o is what equal vectors give", async (loss, negatives) => {
    const plan = { loss, negatives, matryoshka: null };
    const { loss: found } = await run(plan, equal((2 + negatives) * 6), 4);
    expect(found).toBeCloseTo(chanceLevel(loss, 6, negatives)!, 5);
  });
});

/** The golden texts, padded. */
function batch(config: Architecture["config"]): Record<string, Tensor> {
  const padId = "padId" in config ? config.padId : 0;
  let at = 0;
  const texts = golden.lengths.map((length) =>
    Array.from({ length }, () => 2 + Math.floor(counterUniform(golden.textSeed, at++) * (config.vocabSize - 2))),
  );
  const t = Math.max(...golden.lengths);
  const matrix = (value: (i: number, j: number) => number) =>
    tensor(
      "int64",
      [texts.length, t],
      BigInt64Array.from(texts.flatMap((_, i) => Array.from({ length: t }, (__, j) => BigInt(value(i, j))))),
    );
  return {
    input_ids: matrix((i, j) => texts[i][j] ?? padId),
    attention_mask: matrix((i, j) => Number(j < golden.lengths[i])),
    pooling_mask: matrix((i, j) => Number(j < golden.lengths[i] && j >= golden.leftOut[i])),
  };
}

const DENSE = {
  weight: tensor("float32", [golden.dense, 24], new Float32Array(golden.dense * 24)),
  bias: null,
  activation: "identity",
} as const;

function stepOptions(lora: { rank: number; alpha: number } | null): StepOptions {
  return {
    ...plainInfoNce(golden.temperature),
    pooling: "mean",
    dense: [DENSE],
    normalise: true,
    poolingMask: true,
    trainWordEmbeddings: true,
    lora: lora === null ? null : { ...lora, dropout: 0, targets: ["query", "value"] },
  };
}

function weightFeeds(step: TrainingStep): Record<string, Tensor> {
  return Object.fromEntries(
    [...step.weightShapes].map(([name, dims]) => [name, randomTensor(name, dims, golden.seed)]),
  );
}

/** Gradients by name, the table's rows added up. */
function gradients(step: TrainingStep, results: Record<string, Tensor>, ids: BigInt64Array): Map<string, Float32Array> {
  const found = new Map(step.trainedNames.map((name) => [name, results[step.gradientName(name)].data as Float32Array]));
  if (step.wordRows === undefined) return found;
  const [rows, width] = step.weightShapes.get(step.wordRows.weight)!;
  const table = new Float32Array(rows * width);
  const values = results[step.wordRows.output].data as Float32Array;
  ids.forEach((id, row) => {
    for (let k = 0; k < width; k++) table[Number(id) * width + k] += values[row * width + k];
  });
  return found.set(step.wordRows.weight, table);
}

describe("a training step of every family against PyTorch", () => {
  for (const { name, family, config, lora, value, gradients: expected } of golden.steps)
    it(`${name}: ${lora === null ? "all weights and a dense head" : "adapters of rank 3"}, instruction left out`, async () => {
      const architecture = { family, config } as Architecture;
      const step = buildTrainingStep(architecture, stepOptions(lora));
      const session = await compute.createSession({ graph: step.graphs.whole });
      const feeds = batch(config);
      const results = await session.run({ ...feeds, ...weightFeeds(step) });
      await session.dispose();
      // Two layers in float32: logits of size 10 are off by a few 1e-6; gradients sum up thousands of products.
      expect(Math.abs(Number(results.loss.data[0]) - value)).toBeLessThan(2e-5);
      const found = gradients(step, results, feeds.input_ids.data as BigInt64Array);
      expect([...found.keys()].sort()).toEqual(expected.map((each) => each.name).sort());
      const problems = expected.flatMap(({ name: weight, length, sum, step: every, entries }) => {
        const gradient = found.get(weight)!;
        const scale = Math.max(length, 1e-3);
        const worst = Math.max(
          ...entries.map((entry, i) => Math.abs(entry - gradient[i * every])),
          Math.abs(Math.hypot(...gradient) - length),
          Math.abs(gradient.reduce((total, each) => total + each, 0) - sum) / Math.sqrt(gradient.length),
        );
        return worst / scale <= 2e-4 ? [] : [`${weight}: ${worst / scale}`];
      });
      expect(problems).toEqual([]);
    });
});

describe("a step in chunks (GradCache)", () => {
  it("has the gradient of the whole batch, with dropout too", async () => {
    const { config } = golden.steps[0];
    const architecture: Architecture = { family: "bert", config: config as never };
    const step = buildTrainingStep(architecture, { ...stepOptions(null), dropout: 0.2 });
    const weights = weightFeeds(step);
    const feeds = batch(config);
    const n = golden.lengths.length;
    const t = Math.max(...golden.lengths);
    const masks = new DropoutMasks(step.dropoutSites).feeds(n, t, [1, 1, 0]);
    const whole = await compute.createSession({ graph: step.graphs.whole });
    const all = await whole.run({ ...feeds, ...masks, ...weights });
    await whole.dispose();

    const [forward, loss, backward] = await Promise.all(
      [step.graphs.forward, step.graphs.loss, step.graphs.backward].map((graph) => compute.createSession({ graph })),
    );
    const part = (from: number, to: number): Record<string, Tensor> =>
      Object.fromEntries([
        ...Object.entries(feeds).map(([name, value]) => [
          name,
          tensor("int64", [to - from, t], (value.data as BigInt64Array).slice(from * t, to * t)),
        ]),
        ...step.dropoutSites.map((site: DropoutSite) => {
          const mask = masks[site.input].data as Uint8Array;
          const each = mask.length / n;
          const dims = site.kind === "rows" ? [(to - from) * t, site.width] : [to - from, site.heads, t, t];
          return [site.input, tensor("bool", dims, mask.slice(from * each, to * each))];
        }),
      ]);
    const chunks = [
      [0, 4],
      [4, 6],
    ] as const;
    const vectors = new Float32Array(n * golden.dense);
    for (const [from, to] of chunks) {
      const { sentence_embedding } = await forward.run({ ...part(from, to), ...only(forward, weights) });
      vectors.set(sentence_embedding.data as Float32Array, from * golden.dense);
    }
    const { loss: value, "grad:vectors": given } = await loss.run({
      vectors: tensor("float32", [n, golden.dense], vectors),
    });
    expect(Math.abs(Number(value.data[0]) - Number(all.loss.data[0]))).toBeLessThan(1e-6);
    const sums = new Map<string, Float64Array>();
    for (const [from, to] of chunks) {
      const results = await backward.run({
        ...part(from, to),
        ...only(backward, weights),
        "grad:vectors": tensor(
          "float32",
          [to - from, golden.dense],
          (given.data as Float32Array).slice(from * golden.dense, to * golden.dense),
        ),
      });
      const ids = part(from, to).input_ids.data as BigInt64Array;
      for (const [name, gradient] of gradients(step, results, ids)) {
        const sum = sums.get(name) ?? new Float64Array(gradient.length);
        gradient.forEach((each, i) => {
          sum[i] += each;
        });
        sums.set(name, sum);
      }
    }
    const expected = gradients(step, all, feeds.input_ids.data as BigInt64Array);
    let [square, error] = [0, 0];
    for (const [name, gradient] of expected)
      gradient.forEach((each, i) => {
        square += each ** 2;
        error += (each - sums.get(name)![i]) ** 2;
      });
    expect(Math.sqrt(error / square)).toBeLessThan(1e-6);
    expect(expected.has(wordTable(architecture))).toBe(true);
  });
});

function only(session: { inputs: readonly { name: string }[] }, weights: Record<string, Tensor>) {
  const wanted = new Set(session.inputs.map(({ name }) => name));
  return Object.fromEntries(Object.entries(weights).filter(([name]) => wanted.has(name)));
}

describe("dropout", () => {
  it("keeps the asked share, and draws the same masks for the same stream only", () => {
    const masks = new DropoutMasks([
      { input: "a", keep: 0.9, kind: "rows", width: 64 },
      { input: "b", keep: 0.5, kind: "scores", heads: 4 },
    ]);
    const draw = (...stream: number[]) =>
      Object.values(masks.feeds(8, 32, stream)).map((mask) => (mask.data as Uint8Array).slice());
    const [a, b] = draw(1, 2, 3);
    expect([a.length, b.length]).toEqual([8 * 32 * 64, 8 * 4 * 32 * 32]);
    const share = (mask: Uint8Array) => mask.reduce((sum, each) => sum + each, 0) / mask.length;
    // Three standard deviations of a share of 16,384 and of 32,768 draws.
    expect(Math.abs(share(a) - 0.9)).toBeLessThan(3 * Math.sqrt((0.9 * 0.1) / a.length));
    expect(Math.abs(share(b) - 0.5)).toBeLessThan(3 * Math.sqrt(0.25 / b.length));
    expect(draw(1, 2, 3)).toEqual([a, b]);
    expect(draw(1, 2, 4)).not.toEqual([a, b]);
  });
});

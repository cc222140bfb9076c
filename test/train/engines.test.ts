import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { readSpec } from "../../kernels/encode/read-spec.ts";
import { openSafetensors } from "../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { parseArchitecture } from "../../kernels/model/architecture.ts";
import { loraA, loraB, mergeAdapter } from "../../kernels/model/lora.ts";
import type { RunConfig } from "../../kernels/protocol/run-files.ts";
import { createEngine } from "../../kernels/train/engine.ts";
import { runTraining } from "../../kernels/train/loop.ts";
import { readMetrics } from "../../kernels/train/metrics-file.ts";
import { newRun } from "../../kernels/train/new-run.ts";
import type { RecipeOptions } from "../../kernels/train/recipe.ts";
import type { TrainingRow } from "../../kernels/train/rows.ts";
import { readConfig } from "../../kernels/train/run-folder.ts";
import { isStep } from "../../kernels/train/run-view.ts";
import { TINY_CONFIGS, writeTinyFolder } from "../support/tiny-folder.ts";
import { timeless, tinyPairs } from "../support/tiny-run.ts";

vi.setConfig({ testTimeout: 120_000 });
const folder = mkdtempSync(path.join(tmpdir(), "parallax-engines-"));
process.env.PARALLAX_HOME = path.join(folder, "home");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Family = keyof typeof TINY_CONFIGS;
const encoders = new Map<Family, string>();
function encoderOf(family: Family): string {
  const known = encoders.get(family);
  if (known !== undefined) return known;
  const at = path.join(folder, family);
  writeTinyFolder(at, family);
  encoders.set(family, at);
  return at;
}

/** Pairs with two hard negatives each: anchors' words in other company. */
function rowsWithNegatives(n: number): TrainingRow[] {
  const others = tinyPairs(2 * n, 5);
  return tinyPairs(n).map((pair, i) => ({
    ...pair,
    negatives: [others[2 * i]!.positive, others[2 * i + 1]!.positive],
    scores: [0.9, 0.3, 0.1],
  }));
}

let made = 0;
async function makeRun(family: Family, recipe: RecipeOptions, rows: TrainingRow[] = tinyPairs(64)) {
  return newRun({
    spec: await readSpec(encoderOf(family)),
    rows,
    source: "tiny rows",
    evaluation: [],
    recipe: { batchSize: 8, steps: 6, learningRate: 1e-3, threads: 1, ...recipe },
    where: { folder: path.join(folder, `run-${made++}`) },
  });
}

/** The whole gradient of one step, and its loss. */
async function gradientOf(config: RunConfig, rows: TrainingRow[]) {
  const engine = await createEngine(config);
  const loss = await engine.step(rows, 1);
  const norm = engine.memory.gradientNorm();
  // The gradient as the first update moves weights: from moments, which are (1 − β₁) times it.
  engine.memory.update(1, 1e-6, 0, 1);
  const first = engine.memory.parameters.flatMap((each) => [...each.first].map((value) => value * 10));
  if (engine.memory.sparse !== null) first.push(...engine.memory.sparse.first.map((value) => value * 10));
  await engine.dispose();
  return { loss, norm, first };
}

function relative(a: number[], b: number[]): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...b);
}

describe("every family", () => {
  it.each(Object.keys(TINY_CONFIGS) as Family[])(
    "%s is trained, and its export gives the vectors of the trained weights",
    async (family) => {
      const run = await makeRun(family, { steps: 32, learningRate: 3e-3, dropout: 0.1, freezeWordEmbeddings: false });
      const status = await runTraining(run.folder);
      expect([status.state, status.error]).toEqual(["done", null]);
      const losses = readMetrics(run.folder)
        .filter(isStep)
        .map(({ loss }) => loss);
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean(losses.slice(-8))).toBeLessThan(mean(losses.slice(0, 8)));
      const exported = path.join(run.folder, "export");
      const config = JSON.parse(readFileSync(path.join(exported, "config.json"), "utf8")) as { model_type: string };
      expect(config.model_type).toBe(family);
      const texts = tinyPairs(6, 9).map(({ anchor }) => anchor);
      const [own, onnx] = await Promise.all(
        [exported, path.join(exported, "onnx/model.onnx")].map((reference) =>
          openEncoder(reference, { compute: inThreadCompute(), threads: 1 }),
        ),
      );
      const [a, b] = [await own!.encode(texts), await onnx!.encode(texts)];
      const source = await openEncoder(encoderOf(family), { compute: inThreadCompute(), threads: 1 });
      const before = await source.encode(texts);
      for (const encoder of [own!, onnx!, source]) await encoder.dispose();
      // The same graph from weights and from the file, with and without fusions: float32 sums in another order.
      expect(Math.max(...a.data.map((value, i) => Math.abs(value - b.data[i]!)))).toBeLessThan(2e-6);
      expect(relative([...a.data], [...before.data])).toBeGreaterThan(1e-3);
    },
  );
});

describe("GradCache", () => {
  it("gives the whole batch's gradient from chunks of 3 texts, hard negatives, dropout and word embeddings included", async () => {
    const rows = rowsWithNegatives(8);
    const recipe: RecipeOptions = { freezeWordEmbeddings: false, temperature: 0.1 };
    const { config } = await makeRun("bert", recipe, rows);
    const whole = await gradientOf(config, rows);
    const chunked = await gradientOf({ ...config, chunk: 3 }, rows);
    expect(config.data.negatives).toBe(2);
    expect(Math.abs(chunked.loss - whole.loss)).toBeLessThan(1e-5);
    expect(relative(chunked.first, whole.first)).toBeLessThan(1e-5);
    // Chunks draw their own masks, so dropout is compared between one chunk of all texts and itself again.
    const dropped = { ...config, dropout: 0.2, chunk: 3 };
    const [once, again] = [await gradientOf(dropped, rows), await gradientOf(dropped, rows)];
    expect(again).toEqual(once);
    expect(relative(once.first, whole.first)).toBeGreaterThan(1e-2);
  });
});

describe("accumulation", () => {
  it("averages the gradients of its batches", async () => {
    const rows = tinyPairs(16);
    const { config } = await makeRun("bert", {});
    const parts = [await gradientOf(config, rows.slice(0, 8)), await gradientOf(config, rows.slice(8))];
    const both = await gradientOf({ ...config, accumulate: 2 }, rows);
    const mean = parts[0]!.first.map((value, i) => (value + parts[1]!.first[i]!) / 2);
    expect(both.loss).toBeCloseTo((parts[0]!.loss + parts[1]!.loss) / 2, 6);
    expect(relative(both.first, mean)).toBeLessThan(1e-6);
  });
});

describe("adapters", () => {
  it("are all that is trained; the export holds them merged, and apart as PEFT keeps them", async () => {
    const lora = { rank: 4, alpha: 8, dropout: 0.1 };
    const run = await makeRun("bert", { steps: 10, learningRate: 1e-2, lora });
    expect((await runTraining(run.folder)).state).toBe("done");
    const exported = path.join(run.folder, "export");
    const config = readConfig(run.folder);
    const adapter = openSafetensors(path.join(exported, "adapter/adapter_model.safetensors"));
    const merged = openSafetensors(path.join(exported, "model.safetensors"));
    const source = openSafetensors(path.join(encoderOf("bert"), "model.safetensors"));
    const facts = JSON.parse(readFileSync(path.join(exported, "adapter/adapter_config.json"), "utf8")) as object;
    expect(facts).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 8, lora_dropout: 0.1, bias: "none" });
    const prefixes = (facts as { target_modules: string[] }).target_modules;
    expect(prefixes).toEqual(
      [0, 1].flatMap((layer) => ["query", "value"].map((name) => `encoder.layer.${layer}.attention.self.${name}`)),
    );
    for (const name of merged.entries.keys()) {
      const before = source.readFloat32(name);
      const prefix = name.replace(/\.weight$/, "");
      const expected = prefixes.includes(prefix)
        ? mergeAdapter(
            before,
            adapter.readFloat32(`base_model.model.${loraA(prefix)}`),
            adapter.readFloat32(`base_model.model.${loraB(prefix)}`),
            config.lora!,
          )
        : before;
      expect(merged.readFloat32(name).data, name).toEqual(expected.data);
    }
    expect(merged.readFloat32(`${prefixes[0]}.weight`).data).not.toEqual(
      source.readFloat32(`${prefixes[0]}.weight`).data,
    );
  });

  it("begin at the source: the first loss is that of the untouched encoder", async () => {
    const rows = tinyPairs(8);
    const { config } = await makeRun("t5", { lora: { rank: 2, targets: ["query", "value", "inner", "outer"] } });
    const adapted = await gradientOf(config, rows);
    const plain = await gradientOf({ ...config, lora: null }, rows);
    expect(Math.abs(adapted.loss - plain.loss)).toBeLessThan(1e-6);
  });
});

describe("frozen and slower layers", () => {
  it("leaves frozen layers bit by bit, and moves lower layers less", async () => {
    const run = await makeRun("bert", { steps: 3, freezeLayers: 1 });
    await runTraining(run.folder);
    const [after, before] = [path.join(run.folder, "export"), encoderOf("bert")].map((where) =>
      openSafetensors(path.join(where, "model.safetensors")),
    );
    for (const name of before!.entries.keys()) {
      const moved = relative([...after!.readFloat32(name).data], [...before!.readFloat32(name).data]);
      // A bias that starts at zero has no length to compare with.
      if (/layer\.1\..*weight$/.test(name)) expect(moved, name).toBeGreaterThan(0);
      if (!/layer\.1\./.test(name)) expect(after!.readFloat32(name).data, name).toEqual(before!.readFloat32(name).data);
    }
    const { config } = await makeRun("bert", { layerDecay: 0.1 });
    const engine = await createEngine(config);
    const start = new Map(engine.memory.parameters.map(({ name, weight }) => [name, weight.slice()]));
    await engine.step(tinyPairs(8), 1);
    engine.memory.update(1, 1e-3, 0, 1);
    const largest = (name: string) => {
      const { weight } = engine.memory.parameters.find((each) => each.name === name)!;
      return Math.max(...weight.map((value, i) => Math.abs(value - start.get(name)![i]!)));
    };
    // The first step of AdamW moves each weight by the learning rate.
    expect(largest("encoder.layer.1.output.dense.weight")).toBeCloseTo(1e-3, 5);
    expect(largest("encoder.layer.0.output.dense.weight")).toBeCloseTo(1e-4, 6);
    expect(largest("embeddings.position_embeddings.weight")).toBeCloseTo(1e-5, 7);
    await engine.dispose();
  });
});

describe("every loss", () => {
  const rows = rowsWithNegatives(32);
  const losses: RecipeOptions[] = [
    { loss: { name: "info-nce", symmetric: true, falseNegatives: { rule: "margin", margin: 0.1 } } },
    { loss: "gte" },
    { loss: "instructor" },
    { loss: "distillation" },
    { loss: "margin-mse" },
    { loss: "cosent" },
    { loss: "cosine-mse" },
    { loss: "triplet" },
    { loss: "info-nce", matryoshka: [32, 16, 8] },
  ];
  it.each(losses)("%o is trained, stopped and resumed to the same numbers", async (recipe) => {
    const settings = { ...recipe, steps: 4, dropout: 0.1, checkpointEvery: 2 };
    const whole = await makeRun("bert", settings, rows);
    expect((await runTraining(whole.folder)).error).toBeNull();
    const broken = await makeRun("bert", settings, rows);
    let steps = 0;
    const stopped = await runTraining(broken.folder, (stop) => {
      const timer = setInterval(() => {
        steps = readMetrics(broken.folder).filter(isStep).length;
        if (steps >= 1) {
          stop("after-step");
          clearInterval(timer);
        }
      }, 1);
      timer.unref();
    });
    expect(["stopped", "done"]).toContain(stopped.state);
    if (stopped.state !== "done") await runTraining(broken.folder);
    expect(timeless(readMetrics(broken.folder))).toEqual(timeless(readMetrics(whole.folder)));
    expect(existsSync(path.join(broken.folder, "export/README.md"))).toBe(true);
  });
});

describe("rows that a loss cannot read", () => {
  it.each([
    [{ loss: "triplet" }, "train.no-negatives", /row 1 has 0/],
    [{ loss: "cosent" }, "train.bad-scores", /needs a score in each row; row 1 has \[\]/],
    [{ loss: "info-nse" as never }, "train.bad-option", /loss is "info-nse"; it must be one of info-nce, gte/],
    [{ loss: { name: "cosent" as const }, temperature: 0.1 }, "train.bad-option", /the loss cosent has none/],
    [{ matryoshka: [64] }, "train.bad-option", /sizes from 1 to 32/],
    [{ lora: { rank: 0 } }, "train.bad-option", /lora is \{"rank":0\}/],
    [{ freezeLayers: 3 }, "train.bad-option", /at most 2: the encoder has no more/],
    [{ temperature: 0 }, "train.bad-option", /temperature is 0; it must be a number over 0/],
  ] as [RecipeOptions, string, RegExp][])("%o: %s", async (recipe, code, message) => {
    await expect(makeRun("bert", recipe)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("has every family's config read as that family", () => {
    expect(Object.values(TINY_CONFIGS).map((config) => parseArchitecture(config).family)).toEqual([
      "bert",
      "roberta",
      "distilbert",
      "mpnet",
      "t5",
    ]);
  });
});

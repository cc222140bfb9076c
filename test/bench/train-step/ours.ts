/**
 * Parallax's side: answers each line on stdin with the times of one step.
 * Arguments: texts, tokens, threads, shape (minilm, bert-base), words (frozen, sparse), method (full, lora).
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { defaultModelFolder } from "../../../kernels/encode/default-encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { type Tensor, tensor } from "../../../kernels/graph/tensor.ts";
import type { Architecture } from "../../../kernels/model/architecture.ts";
import { parseBertConfig } from "../../../kernels/model/bert.ts";
import { counterUniform, randomTensor } from "../../../kernels/model/random.ts";
import { buildTrainingStep } from "../../../kernels/model/training.ts";
import { ParameterMemory } from "../../../kernels/train/parameter-memory.ts";
import { plainInfoNce } from "../../support/plain-loss.ts";

const [texts, tokens, threads] = process.argv.slice(2, 5).map(Number);
const [shape, words, method] = process.argv.slice(5);
const folder = defaultModelFolder();
const json = JSON.parse(readFileSync(path.join(folder, "config.json"), "utf8")) as object;
const base = { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 };
const config = parseBertConfig(shape === "minilm" ? json : { ...json, ...base });
const model: Architecture = { family: "bert", config };
const lora = method === "lora" ? ({ rank: 8, alpha: 16, dropout: 0, targets: ["query", "value"] } as const) : null;
const step = buildTrainingStep(model, {
  pooling: "mean",
  normalise: true,
  ...plainInfoNce(),
  trainWordEmbeddings: words === "sparse",
  lora: lora && { ...lora, targets: [...lora.targets] },
});
const file =
  shape === "minilm" ? modelWeights(openSafetensors(path.join(folder, "model.fp16.safetensors")), model) : null;
const source = (name: string): Tensor =>
  file?.has(name) ? file.get(name) : randomTensor(name, step.weightShapes.get(name)!, 3);
const session = await inThreadCompute().createSession({ graph: step.graphs.whole }, { threads });
const { wordRows } = step;
const table = wordRows && (step.weightShapes.get(wordRows.weight) as [number, number]);
const memory = new ParameterMemory(
  step.trainedNames.map((name) => ({ name, dims: step.weightShapes.get(name)! })),
  wordRows && table ? { name: wordRows.weight, dims: table, maxTouched: texts * tokens } : null,
);
const ids = BigInt64Array.from({ length: texts * tokens }, (_, i) =>
  BigInt(1000 + Math.floor(counterUniform(5, i) * 20000)),
);
const feeds: Record<string, Tensor> = {
  input_ids: tensor("int64", [texts, tokens], ids),
  attention_mask: tensor("int64", [texts, tokens], new BigInt64Array(texts * tokens).fill(1n)),
};
const trained = new Set(step.trainedNames);
for (const [name, dims] of step.weightShapes)
  if (wordRows?.weight === name && memory.sparse) {
    memory.sparse.weight.set(source(name).data as Float32Array);
    feeds[name] = tensor("float32", dims, memory.sparse.weight);
  } else if (!trained.has(name)) feeds[name] = source(name);
const fetches: Record<string, Tensor> = {};
for (const { name, dims, weight, gradient } of memory.parameters) {
  weight.set(source(name).data as Float32Array);
  feeds[name] = tensor("float32", dims, weight);
  fetches[step.gradientName(name)] = tensor("float32", dims, gradient);
}

let count = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  memory.clear();
  const outputs = ["loss", ...(wordRows ? [wordRows.output] : [])];
  const results = await session.run(feeds, { fetches, outputs });
  if (wordRows) memory.sparse?.add(ids, results[wordRows.output].data as Float32Array);
  const middle = performance.now();
  memory.update(++count, 2e-5, 0.01, 1);
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const times = { computeMs: middle - start, updateMs: end - middle, cpuMs: (user + system) / 1000 };
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ ...times, loss: Number(results.loss.data[0]), peak }));
}
process.exit(0);

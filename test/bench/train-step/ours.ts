/** Parallax's side: answers each line on stdin with the times of one step. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { defaultModelFolder } from "../../../kernels/encode/default-encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { type Tensor, tensor } from "../../../kernels/graph/tensor.ts";
import { parseBertConfig } from "../../../kernels/model/bert.ts";
import { counterUniform } from "../../../kernels/model/random.ts";
import { buildTrainingStep } from "../../../kernels/model/training.ts";
import { ParameterMemory } from "../../../kernels/train/parameter-memory.ts";
import { plainInfoNce } from "../../support/plain-loss.ts";

const [texts, tokens, threads] = process.argv.slice(2).map(Number);
const model = defaultModelFolder();
const config = parseBertConfig(JSON.parse(readFileSync(path.join(model, "config.json"), "utf8")));
const weights = modelWeights(openSafetensors(path.join(model, "model.fp16.safetensors")), { family: "bert", config });
const step = buildTrainingStep({ family: "bert", config }, { pooling: "mean", normalise: true, ...plainInfoNce() });
const session = await inThreadCompute().createSession({ graph: step.graphs.whole }, { threads });

const memory = new ParameterMemory(step.trainedNames.map((name) => ({ name, dims: weights.get(name).dims })));
const ids = BigInt64Array.from({ length: texts * tokens }, (_, i) =>
  BigInt(1000 + Math.floor(counterUniform(5, i) * 20000)),
);
const feeds: Record<string, Tensor> = {
  input_ids: tensor("int64", [texts, tokens], ids),
  attention_mask: tensor("int64", [texts, tokens], new BigInt64Array(texts * tokens).fill(1n)),
};
for (const name of step.weightShapes.keys()) feeds[name] = weights.get(name);
const fetches: Record<string, Tensor> = {};
for (const { name, dims, weight, gradient } of memory.parameters) {
  weight.set(weights.get(name).data);
  feeds[name] = tensor("float32", dims, weight);
  fetches[step.gradientName(name)] = tensor("float32", dims, gradient);
}

let count = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { loss } = await session.run(feeds, { fetches, outputs: ["loss"] });
  const middle = performance.now();
  memory.update(++count, 2e-5, 0.01, 1);
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const times = { computeMs: middle - start, updateMs: end - middle, cpuMs: (user + system) / 1000 };
  console.log(JSON.stringify({ ...times, loss: Number(loss.data[0]) }));
}
process.exit(0);

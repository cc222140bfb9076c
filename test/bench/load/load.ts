/** One step of the bench, in a process of its own: make the model, or load it in one way up to its first vector. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { defaultSpec } from "../../../kernels/encode/default-encoder.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { writeSafetensors } from "../../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { encodeModel } from "../../../kernels/graph/onnx-write.ts";
import { elementCount, type Tensor, tensor } from "../../../kernels/graph/tensor.ts";
import { parseArchitecture, weightShapes } from "../../../kernels/model/architecture.ts";
import { buildEncoderGraph } from "../../../kernels/model/encoder-graph.ts";
import { weightsOf } from "../../../kernels/model/weights.ts";

const [, , step, folder] = process.argv as string[];
const compute = inThreadCompute();

/** BERT-base: 109 million weights, 436 MB in float32. */
const CONFIG = {
  model_type: "bert",
  vocab_size: 30_522,
  hidden_size: 768,
  num_hidden_layers: Number(process.env.LAYERS ?? 12),
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  hidden_act: "gelu",
};

async function make(): Promise<void> {
  const architecture = parseArchitecture(CONFIG);
  let state = 1;
  const random = (dims: readonly number[]): Tensor<"float32"> => {
    const data = new Float32Array(elementCount(dims));
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[i] = (state / 2 ** 32 - 0.5) / 10;
    }
    return tensor("float32", dims, data);
  };
  const weights = new Map([...weightShapes(architecture)].map(([name, dims]) => [name, random(dims)]));
  const model = path.join(folder, "model");
  mkdirSync(model);
  writeFileSync(path.join(model, "config.json"), JSON.stringify(CONFIG));
  const { tokenizer } = await defaultSpec("default");
  copyFileSync(tokenizer, path.join(model, "tokenizer.json"));
  writeSafetensors(path.join(model, "model.safetensors"), weights);
  const options = { pooling: "mean", normalise: true, weightsAs: "initializers" } as const;
  writeFileSync(
    path.join(folder, "model.onnx"),
    encodeModel(buildEncoderGraph(architecture, weightsOf(weights), options)),
  );
}

async function ours(): Promise<Record<string, number>> {
  const started = performance.now();
  const encoder = await openEncoder(path.join(folder, "model"), {
    compute,
    threads: 2,
    pooling: "mean",
    normalise: true,
    maxTokens: 512,
  });
  const loaded = performance.now();
  await encoder.encode(["the first vector"], { cache: "skip" });
  return { loadMs: loaded - started, elapsedMs: performance.now() - started };
}

async function ort(): Promise<Record<string, number>> {
  const started = performance.now();
  const session = await compute.createSession({ path: path.join(folder, "model.onnx") }, { threads: 2 });
  const loaded = performance.now();
  const row = (values: number[]) => tensor("int64", [1, values.length], BigInt64Array.from(values, BigInt));
  await session.run({ input_ids: row([101, 1996, 2034, 9207, 102]), attention_mask: row([1, 1, 1, 1, 1]) });
  return { loadMs: loaded - started, elapsedMs: performance.now() - started };
}

const steps: Record<string, () => Promise<unknown>> = { make, ours, ort };
console.log(JSON.stringify((await steps[step]?.()) ?? null));
process.exit(0);

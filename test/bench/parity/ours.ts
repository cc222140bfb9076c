/** Parallax's side: embeddings and gradients of the default encoder, written as raw numbers with a JSON list. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { defaultModelFolder } from "../../../kernels/encode/default-encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { type Tensor, tensor } from "../../../kernels/graph/tensor.ts";
import { parseBertConfig } from "../../../kernels/model/bert.ts";
import { buildEncoderGraph } from "../../../kernels/model/encoder-graph.ts";
import { buildTrainingStep } from "../../../kernels/model/training.ts";
import { loadTokenizer } from "../../../kernels/tokenize/tokenizer.ts";
import { plainInfoNce } from "../../support/plain-loss.ts";

const folder = process.argv[2];
const model = defaultModelFolder();
const file = path.join(model, "model.fp16.safetensors");
const config = parseBertConfig(JSON.parse(readFileSync(path.join(model, "config.json"), "utf8")));
const weights = modelWeights(openSafetensors(file), { family: "bert", config });
const tokenizer = loadTokenizer(model);
const pairs = JSON.parse(readFileSync(path.join(folder, "pairs.json"), "utf8")) as [string, string][];
const compute = inThreadCompute();

function batch(texts: readonly string[]): { input_ids: Tensor<"int64">; attention_mask: Tensor<"int64"> } {
  const { ids } = { ids: tokenizer.encodeBatch(texts, { maxTokens: 256 }).map((encoding) => encoding.ids) };
  const t = Math.max(...ids.map((row) => row.length));
  const data = new BigInt64Array(ids.length * t);
  const mask = new BigInt64Array(ids.length * t);
  ids.forEach((row, i) => {
    row.forEach((id, j) => {
      data[i * t + j] = BigInt(id);
      mask[i * t + j] = 1n;
    });
  });
  return { input_ids: tensor("int64", [ids.length, t], data), attention_mask: tensor("int64", [ids.length, t], mask) };
}

const saved: { name: string; dtype: string; dims: readonly number[] }[] = [];
function save(name: string, value: Tensor): void {
  const safe = name.replaceAll(/[^\w.]/g, "_");
  writeFileSync(
    path.join(folder, safe),
    new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength),
  );
  saved.push({ name: safe, dtype: value.dtype, dims: value.dims });
}

const graph = buildEncoderGraph({ family: "bert", config }, weights, {
  pooling: "mean",
  normalise: true,
  weightsAs: "initializers",
});
const encoder = await compute.createSession({ graph });
const texts = pairs.flat();
let batches = 0;
for (let i = 0; i < texts.length; i += 20) {
  const feeds = batch(texts.slice(i, i + 20));
  const { sentence_embedding } = await encoder.run(feeds);
  save(`ids-${batches}`, feeds.input_ids);
  save(`mask-${batches}`, feeds.attention_mask);
  save(`embeddings-${batches}`, sentence_embedding);
  batches++;
}
await encoder.dispose();

const temperature = 0.05;
const step = buildTrainingStep(
  { family: "bert", config },
  { pooling: "mean", normalise: true, ...plainInfoNce(temperature), trainWordEmbeddings: true },
);
const session = await compute.createSession({ graph: step.graphs.whole });
const some = pairs.slice(0, 16);
const feeds = batch([...some.map((pair) => pair[0]), ...some.map((pair) => pair[1])]);
const fed = Object.fromEntries([...step.weightShapes.keys()].map((name) => [name, weights.get(name)]));
const results = await session.run({ ...feeds, ...fed });
save("ids-train", feeds.input_ids);
save("mask-train", feeds.attention_mask);
save("loss", results.loss);
for (const name of step.trainedNames) save(`grad-${name}`, results[step.gradientName(name)]);
if (step.wordRows) save("grad-rows", results[step.wordRows.output]);
await compute.dispose();
const rest = { weights: file, batches, temperature, trained: step.trainedNames, saved };
writeFileSync(path.join(folder, "list.json"), JSON.stringify(rest));

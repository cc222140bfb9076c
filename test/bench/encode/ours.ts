/** Parallax's side of the bench, in a process of its own. Also writes the ONNX file that both sides read. */
import { copyFileSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { defaultSpec } from "../../../kernels/encode/default-encoder.ts";
import type { Encoder } from "../../../kernels/encode/encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { GraphBuilder } from "../../../kernels/graph/builder.ts";
import { threadCompute } from "../../../kernels/graph/compute.ts";
import { encodeModel } from "../../../kernels/graph/onnx-write.ts";
import { buildTokens, provideWeights } from "../../../kernels/model/encoder-graph.ts";

const folder = process.argv[2]!;
const compute = threadCompute();
let encoder: Encoder;

interface Task {
  do: "prepare" | "load" | "encode";
  threads: number;
  texts: string[];
  batchSize: number;
  sameBatches: boolean;
  vectors?: boolean;
}

const answers: Record<Task["do"], (task: Task) => Promise<Record<string, unknown>>> = {
  async prepare() {
    const spec = await defaultSpec("default");
    const b = new GraphBuilder("all-MiniLM-L6-v2");
    const inputIds = b.input("input_ids", "int64", ["batch", "sequence"]);
    const attentionMask = b.input("attention_mask", "int64", ["batch", "sequence"]);
    const weights = modelWeights(openSafetensors(spec.weights.file), spec.model!);
    const provider = provideWeights(b, weights, { weightsAs: "initializers" });
    b.output(buildTokens(b, spec.model!, provider, { inputIds, attentionMask }).tokens, "last_hidden_state");
    mkdirSync(path.join(folder, "onnx"));
    mkdirSync(path.join(folder, "1_Pooling"));
    writeFileSync(path.join(folder, "onnx/model.onnx"), encodeModel(b.build()));
    for (const name of ["config.json", "tokenizer.json"])
      copyFileSync(path.join(spec.folder, name), path.join(folder, name));
    const json = (name: string, value: unknown) => writeFileSync(path.join(folder, name), JSON.stringify(value));
    json("tokenizer_config.json", {
      tokenizer_class: "BertTokenizer",
      model_max_length: 256,
      do_lower_case: true,
      pad_token: "[PAD]",
      unk_token: "[UNK]",
      cls_token: "[CLS]",
      sep_token: "[SEP]",
      mask_token: "[MASK]",
    });
    json("sentence_bert_config.json", { max_seq_length: 256, do_lower_case: false });
    json("1_Pooling/config.json", { word_embedding_dimension: 384, pooling_mode_mean_tokens: true });
    const module = (idx: number, name: string, where: string) => ({
      idx,
      name: `${idx}`,
      path: where,
      type: `sentence_transformers.models.${name}`,
    });
    json("modules.json", [
      module(0, "Transformer", ""),
      module(1, "Pooling", "1_Pooling"),
      module(2, "Normalize", "2_Normalize"),
    ]);
    return {};
  },
  async load({ threads }) {
    encoder = await openEncoder(folder, { compute, threads });
    const { version } = await compute.runtime();
    return { runtime: `ONNX Runtime ${version}`, modelBytes: statSync(path.join(folder, "onnx/model.onnx")).size };
  },
  async encode({ texts, batchSize, sameBatches, vectors }) {
    const started = performance.now();
    const parts: Float32Array[] = [];
    if (sameBatches)
      for (let i = 0; i < texts.length; i += batchSize)
        parts.push((await encoder.encode(texts.slice(i, i + batchSize), { batchSize, batchTokens: 1e9 })).data);
    else parts.push((await encoder.encode(texts, { batchSize, batchTokens: 1e9 })).data);
    const elapsedMs = performance.now() - started;
    return { elapsedMs, ...(vectors ? { vectors: joined(parts) } : {}) };
  },
};

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

process.on("message", (task: Task) => {
  answers[task.do](task).then(
    (answer) => process.send!(answer),
    (error: unknown) =>
      process.send!({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

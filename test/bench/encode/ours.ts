/** Parallax's side of the bench, in a process of its own. Also writes the ONNX file that both sides read. */
import { copyFileSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fillBatches } from "../../../kernels/encode/batch-plan.ts";
import { defaultSpec } from "../../../kernels/encode/default-encoder.ts";
import type { Encoder } from "../../../kernels/encode/encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { GraphBuilder } from "../../../kernels/graph/builder.ts";
import { inThreadCompute, threadCompute } from "../../../kernels/graph/compute.ts";
import { encodeModel } from "../../../kernels/graph/onnx-write.ts";
import type { Precision } from "../../../kernels/graph/precision.ts";
import { tensor } from "../../../kernels/graph/tensor.ts";
import { architectureSizes } from "../../../kernels/model/architecture.ts";
import { buildTokens, provideWeights } from "../../../kernels/model/encoder-graph.ts";
import { profileEncoder } from "./profile.ts";

const folder = process.argv[2]!;
const compute = threadCompute();
const encoders = new Map<Precision, Encoder>();

interface Task {
  do: "prepare" | "load" | "tokens" | "peak" | "encode" | "profile";
  threads: number;
  texts: string[];
  precision: Precision;
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
    for (const precision of ["float32", "int8"] as const)
      encoders.set(precision, await openEncoder("default", { compute, threads, precision }));
    const { version } = await compute.runtime();
    const { spec } = encoders.get("float32")!;
    return {
      runtime: `ONNX Runtime ${version}`,
      modelBytes: statSync(path.join(folder, "onnx/model.onnx")).size,
      weights: spec.weights.file,
    };
  },
  /**
   * Texts cut where the encoder would cut them, at the end of a token, so that no side cuts any; their ids, and the
   * operations that their tokens need (two a multiplication).
   */
  async tokens({ texts }) {
    const { tokenizer, spec } = encoders.get("float32")!;
    const { layers, hiddenSize: d, ffnSize } = architectureSizes(spec.model!);
    const perToken = 2 * layers * (4 * d * d + 2 * d * ffnSize);
    const cut = texts.map((text) => {
      let room = spec.maxTokens;
      let kept = text;
      // A cut inside a word can make other tokens of its rest; a little less then fits.
      while (tokenizer.encode(kept, spec.maxTokens).truncated) {
        const { offsets } = tokenizer.encode(text, room--, { offsets: true });
        kept = text.slice(0, offsets!.findLast((span) => span !== null)![1]);
      }
      return kept;
    });
    const ids = cut.map((text) => tokenizer.encode(text, spec.maxTokens).ids);
    const flops = ids.reduce((sum, { length: t }) => sum + t * perToken + 4 * layers * d * t * t, 0);
    const rows = ids.map((row) => ({ ids: row })).sort((a, b) => b.ids.length - a.ids.length);
    const plan = fillBatches(rows, encoders.get("float32")!.batchTokens);
    const padded = plan.reduce((sum, batch) => sum + batch.length * batch[0].ids.length, 0);
    return { texts: cut, ids, flops, padded };
  },
  /**
   * The machine's peak: the fastest of many MatMuls [1024, 1024] × [1024, 1024], in GFLOP/s; and what it would be if the
   * cores had been this process's own, from its processor time.
   */
  async peak({ threads }) {
    const b = new GraphBuilder("peak");
    b.output(b.matMul(b.input("x", "float32", [1024, 1024]), b.input("w", "float32", [1024, 1024])), "y");
    const own = inThreadCompute();
    const session = await own.createSession({ graph: b.build() }, { threads });
    const square = tensor("float32", [1024, 1024], new Float32Array(2 ** 20).fill(0.5));
    let best = Number.POSITIVE_INFINITY;
    let leastCpu = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 12; run++) {
      const started = performance.now();
      const before = process.cpuUsage();
      await session.run({ x: square, w: square });
      best = Math.min(best, performance.now() - started);
      const { user, system } = process.cpuUsage(before);
      leastCpu = Math.min(leastCpu, (user + system) / 1000);
    }
    await own.dispose();
    const giga = (2 * 1024 ** 3) / 1e6;
    return { gflops: giga / best, gflopsByCpu: (giga / leastCpu) * threads };
  },
  async encode({ texts, precision, vectors }) {
    const started = performance.now();
    const before = process.cpuUsage();
    const { data } = await encoders.get(precision)!.encode(texts, { cache: "skip" });
    const elapsedMs = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    return { elapsedMs, cpuMs: (user + system) / 1000, ...(vectors ? { vectors: data } : {}) };
  },
  async profile({ texts, precision, threads }) {
    return { ...(await profileEncoder(encoders.get("float32")!, texts, precision, threads)) };
  },
};

process.on("message", (task: Task) => {
  answers[task.do](task).then(
    (answer) => process.send!(answer),
    (error: unknown) =>
      process.send!({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

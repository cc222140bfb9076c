/** transformers.js's side of the bench: its feature-extraction pipeline, as its documentation uses it for embeddings. */
import path from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const folder = process.argv[2];
env.allowRemoteModels = false;
env.localModelPath = path.dirname(folder);
let extract;

const answers = {
  async load({ threads }) {
    extract = await pipeline("feature-extraction", path.basename(folder), {
      dtype: "fp32",
      device: "cpu",
      local_files_only: true,
      session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
    });
    return { version: env.version };
  },
  async encode({ texts, batchSize, vectors }) {
    const started = performance.now();
    const before = process.cpuUsage();
    const parts = [];
    for (let i = 0; i < texts.length; i += batchSize)
      parts.push((await extract(texts.slice(i, i + batchSize), { pooling: "mean", normalize: true })).data);
    const elapsedMs = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    const answer = { elapsedMs, cpuMs: (user + system) / 1000 };
    if (!vectors) return answer;
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return { ...answer, vectors: all };
  },
};

process.on("message", (task) => {
  answers[task.do](task).then(
    (answer) => process.send(answer),
    (error) => process.send({ error: error.stack ?? String(error) }),
  );
});

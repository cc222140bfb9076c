/**
 * A process that scores an STS and a retrieval task: node cached-tasks.mjs <model folder> <on|off> [search|similarity|reversed].
 * Says "ready", waits for a line on standard input, and prints scores, intervals and all vectors.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { closeVectorCache, enableVectorCache } from "../../kernels/encode/vector-cache.ts";
import type { Embedder } from "../../kernels/evaluate/embedder.ts";
import { evaluate } from "../../kernels/evaluate/evaluate.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { searchTask, similarityTask } from "./small-tasks.ts";

const [model, cache, order] = process.argv.slice(2);
if (cache === "on") enableVectorCache();
const compute = inThreadCompute();
const encoder = await openEncoder(model, { compute, threads: 1 });
process.stdout.write("ready\n");
await once(process.stdin, "data");
const results = [];
const both = order === "reversed" ? [searchTask(), similarityTask()] : [similarityTask(), searchTask()];
for (const task of order === "search" ? [searchTask()] : order === "similarity" ? [similarityTask()] : both) {
  const hash = createHash("sha256");
  // All vectors that the scores are made of, in the order they were asked for.
  const seen: Embedder = {
    identity: encoder.identity,
    async encode(texts, options) {
      const set = await encoder.encode(texts, options);
      hash.update(new Uint8Array(set.data.buffer, set.data.byteOffset, set.data.byteLength));
      vectors.push(...set.data);
      return set;
    },
  };
  const vectors: number[] = [];
  const { score, interval, more, report } = await evaluate(seen, task, { seed: 0, resamples: 200 });
  results.push({
    task: task.name,
    score,
    interval,
    more,
    digest: hash.digest("hex"),
    cached: report.cached ?? 0,
    vectors,
  });
}
const said = `${JSON.stringify(results.sort((a, b) => a.task.localeCompare(b.task)))}\n`;
// Ending before the pipe has taken all of it would cut it off.
await new Promise((resolve) => process.stdout.write(said, resolve));
await encoder.dispose();
await closeVectorCache();
await compute.dispose();
process.exit(0);

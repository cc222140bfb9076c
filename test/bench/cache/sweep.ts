/** The sweeps of bench:cache. */
import { existsSync } from "node:fs";
import path from "node:path";
import { loadTask } from "../../../kernels/data/task.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { closeVectorCache, enableVectorCache, sharedVectorCache } from "../../../kernels/encode/vector-cache.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { packageRoot } from "../../../kernels/graph/package-root.ts";
import { comparePrompts } from "../../../kernels/prompts/compare.ts";

const real = path.join(process.argv[2] ?? "", "eval/sts/stsbenchmark-dev.tsv");
const task = await loadTask(existsSync(real) ? real : path.join(packageRoot(), "notebooks/examples/data/pairs.tsv"));
const compute = inThreadCompute();
const encoder = await openEncoder("default", { compute });
const prompts: Record<string, string> = {
  query: "query: {text}",
  sentence: "sentence: {text}",
  represent: "Represent the sentence: {text}",
  similar: "Represent the sentence for finding a similar one: {text}",
  news: "Represent the news sentence: {text}",
  caption: "Represent the caption of a picture: {text}",
  meaning: "What does this mean? {text}",
  plain: "text: {text}",
};
const sweep = async (set: Record<string, string>) => {
  const started = performance.now();
  const report = await comparePrompts(encoder, task, set, { seed: 0, resamples: 1000 });
  return { seconds: (performance.now() - started) / 1000, scores: report.scores.map(({ score }) => score) };
};

enableVectorCache();
const first = await sweep(prompts);
const changed = { ...prompts, plain: "passage: {text}" };
const second = await sweep(changed);
const third = await sweep(changed);
const info = sharedVectorCache()?.info();
await closeVectorCache();
process.env.PARALLAX_CACHE = "off";
const without = await sweep(changed);
const apart = Math.max(...second.scores.map((score, i) => Math.abs(score - without.scores[i])));
console.log(
  `${task.name}, 8 prompts and none: ${first.seconds.toFixed(1)} s; after changing one of them ${second.seconds.toFixed(1)} s (${((100 * second.seconds) / first.seconds).toFixed(0)} %); unchanged ${third.seconds.toFixed(1)} s (${((100 * third.seconds) / first.seconds).toFixed(0)} %)`,
);
console.log(
  `cache: ${info?.entries.toLocaleString("en-US")} vectors, ${((info?.bytes ?? 0) / 2 ** 20).toFixed(0)} MiB; largest difference of a score to the same sweep without a cache: ${apart.toExponential(1)}`,
);
await encoder.dispose();
await compute.dispose();
process.exitCode = apart <= 1e-6 ? 0 : 1;

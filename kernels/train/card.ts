/** The README.md of an exported encoder: what it is, what it was made from, how, and what it scores. */
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { describeLoss } from "../protocol/losses.ts";
import { chanceLoss, type RunConfig, type RunMetric } from "../protocol/run-files.ts";
import { type EvalMetric, isEval, isStep, smoothed } from "./run-view.ts";

/** @param metrics of all steps; the last evaluation (of each task) is the score of the exported weights. */
export function modelCard(
  config: RunConfig,
  spec: EncoderSpec,
  dimensions: number,
  metrics: readonly RunMetric[],
): string {
  const losses = metrics.filter(isStep).map(({ loss }) => loss);
  const evals = metrics.filter(isEval);
  const bases = evals.filter(({ step }) => step === 0);
  const exported = evals.at(-1)?.step ?? 0;
  const pairs = bases.flatMap((base) => {
    const final = evals.find(({ step, task }) => step === exported && task === base.task);
    return final === undefined || exported === 0 ? [] : [{ base, final }];
  });
  const done = metrics.findLast(isStep)?.step ?? config.steps;
  const chance = chanceLoss(config);
  const number = (value: number) => value.toLocaleString("en");
  return `---
tags:
- sentence-transformers
- sentence-similarity
- feature-extraction
pipeline_tag: sentence-similarity
library_name: sentence-transformers
---

# ${config.name}

A text encoder of ${dimensions} dimensions: ${config.encoder.name}, fine-tuned with Parallax ${config.parallaxVersion} on ${config.createdAt.slice(0, 10)}.

| | |
| --- | --- |
| Base encoder | ${config.encoder.name} (weights sha256 \`${config.encoder.weightsSha256}\`) |
| Pooling | ${spec.pooling ?? "mean"}${spec.normalise ? ", then length 1" : ""} |
| Tokens a text | at most ${spec.maxTokens} (trained with at most ${config.maxTokens}) |
| Similarity | ${spec.similarity} |

## Data

${number(config.data.n)} pairs (${config.data.source}), sha256 of the pairs file \`${config.data.sha256}\`.
${config.prompts.anchor === "" && config.prompts.positive === "" ? "" : `\nPrompts: anchors \`${config.prompts.anchor || "{text}"}\`, positives \`${config.prompts.positive || "{text}"}\`.\n`}
## Recipe

${describeLoss(config.loss)}, batch ${config.batchSize}, ${number(config.steps)} steps; AdamW, learning rate ${config.learningRate} (${config.schedule === "constant" ? "constant" : `${config.schedule} decay`}, warm-up over ${100 * config.warmupRatio} % of the steps), weight decay ${config.weightDecay} (not on biases and layer norms), gradients clipped at norm ${config.clipNorm}; word embeddings ${config.freezeWordEmbeddings ? "frozen" : "trained"}; seed ${config.seed}. Provider ${config.provider}, ${config.threads} thread${config.threads === 1 ? "" : "s"}.
${
  losses.length === 0
    ? ""
    : `\nTraining loss: ${losses[0]!.toFixed(4)} at step 1, ${smoothed(losses).at(-1)!.toFixed(4)} (smoothed) at the end${chance === null ? "" : `; chance is ${chance.toFixed(4)} nats`}.\n`
}
## Scores

${pairs.length === 0 ? "No evaluation was made." : pairs.map(({ base, final }) => scores(base, final)).join("\n\n")}${chosen(config, exported, done)}

## Use

\`\`\`ts
import { encode, loadEncoder } from "parallax";
const encoder = await loadEncoder("path/to/this/folder");
const vectors = await encode(["a text", "another text"], { encoder });
\`\`\`

\`\`\`python
from sentence_transformers import SentenceTransformer
vectors = SentenceTransformer("path/to/this/folder").encode(["a text", "another text"])
\`\`\`

\`onnx/model.onnx\` takes \`input_ids\` and \`attention_mask\` (int64, texts × tokens) and gives \`sentence_embedding\`, pooled${spec.normalise ? " and of length 1" : ""}.
`;
}

/** How the exported step was chosen, when it was. */
function chosen(config: RunConfig, exported: number, done: number): string {
  if (config.evaluation === null || (config.keep === "last" && done === config.steps)) return "";
  const early =
    done < config.steps
      ? `Training ended at step ${done} of ${config.steps}: no better score in ${config.evaluation.patience} evaluations. `
      : "";
  const best =
    config.keep === "best" ? `These are the weights of step ${exported}, chosen by the score on the first task.` : "";
  return `\n\n${early}${best}`.trimEnd();
}

function scores(base: EvalMetric, final: EvalMetric): string {
  const row = (name: string, { score, low, high }: EvalMetric) =>
    `| ${name} | ${(100 * score).toFixed(2)} | ${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)} |`;
  const difference = 100 * (final.score - base.score);
  return `${final.task}: ${final.metric} ×100, n = ${final.n.toLocaleString("en")}, 95 % bootstrap interval, seed ${final.seed}.

| Encoder | ${final.metric} | 95 % interval |
| --- | --- | --- |
${row("base", base)}
${row("this one", final)}

The score ${difference >= 0 ? "rose" : "fell"} by ${Math.abs(difference).toFixed(2)}.`;
}

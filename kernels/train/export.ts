/** The result of a run as a sentence-transformers folder: what `loadEncoder` and Python read. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import type { Encoder } from "../encode/encoder.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { readJsonFile } from "../encode/model-files.ts";
import { TEXT_PLACE } from "../encode/prompt-template.ts";
import { writeSafetensors } from "../encode/safetensors.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { encodeModel } from "../graph/onnx-write.ts";
import type { Tensor } from "../graph/tensor.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES, type RunConfig, type RunMetric } from "../protocol/run-files.ts";
import { modelCard } from "./card.ts";

export interface Exportable {
  readonly spec: EncoderSpec;
  readonly dimensions: number;
  /** Current values of all weights of the encoder, by plain name. */
  readonly weights: Weights;
  /** Tensors of the source that the encoder does not use (the pooler), kept for others. */
  readonly unused: ReadonlyMap<string, Tensor>;
  /** The exported folder as `loadEncoder` would load it. */
  load(folder: string): Promise<Encoder>;
}

export function exportFolder(folder: string): string {
  return path.join(folder, RUN_FILES.export);
}

/** True when the run has a whole export: it is renamed into place, so its folder is enough of a sign. */
export function hasExport(folder: string): boolean {
  return existsSync(path.join(exportFolder(folder), "README.md"));
}

/**
 * Write `export/` into a side folder, load it as a user would, let `score` evaluate it, write the model card with what
 * it found, and rename it into place.
 *
 * @param score receives the loaded encoder (disposed afterwards) and returns all metrics of the run.
 * @throws {ParallaxError} train.export-failed (environment); an earlier export is untouched. Errors of `score` pass.
 */
export async function exportRun(
  folder: string,
  config: RunConfig,
  model: Exportable,
  score: (encoder: Encoder) => Promise<readonly RunMetric[]>,
): Promise<void> {
  const side = path.join(folder, `.${RUN_FILES.export}.new`);
  const target = exportFolder(folder);
  await orExplain(target, () => {
    rmSync(side, { recursive: true, force: true });
    writeModelFolder(side, config, model);
  });
  const encoder = await model.load(side);
  let metrics: readonly RunMetric[];
  try {
    metrics = await score(encoder);
  } finally {
    await encoder.dispose();
  }
  await orExplain(target, () => {
    writeFileAtomically(path.join(side, "README.md"), [modelCard(config, model.spec, model.dimensions, metrics)]);
    rmSync(target, { recursive: true, force: true });
    renameSync(side, target);
  });
}

async function orExplain(target: string, work: () => void): Promise<void> {
  try {
    work();
  } catch (cause) {
    const details = cause instanceof ParallaxError ? cause.details : undefined;
    const code = details?.systemCode ?? (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError(
      "train.export-failed",
      `The trained encoder could not be written to ${target} (${String(code)}). All steps are done and the last checkpoint is kept.`,
      {
        kind: "environment",
        hint:
          code === "ENOSPC"
            ? "Free some disk space and resume the run."
            : "Check that the folder may be written to, then resume the run.",
        details: { folder: target, systemCode: code },
        cause,
      },
    );
  }
}

function writeModelFolder(folder: string, config: RunConfig, { spec, dimensions, weights, unused }: Exportable): void {
  const { model, pooling } = spec;
  if (model === undefined || pooling === null)
    throw new ParallaxError("bug.invariant", "Only encoders with weights and a pooling are trained.", { kind: "bug" });
  mkdirSync(path.join(folder, "onnx"), { recursive: true });
  mkdirSync(path.join(folder, "2_Normalize"), { recursive: true });
  const json = (name: string, value: unknown) =>
    writeFileAtomically(path.join(folder, name), [`${JSON.stringify(value, null, 2)}\n`]);

  const tensors = new Map<string, Tensor>(weights.names().map((name) => [name, weights.get(name)]));
  for (const [name, tensor] of unused) tensors.set(name, tensor);
  writeSafetensors(path.join(folder, "model.safetensors"), tensors);
  const graph = buildEncoderGraph(model, weights, { pooling, normalise: spec.normalise, weightsAs: "initializers" });
  writeFileAtomically(path.join(folder, "onnx/model.onnx"), [encodeModel(graph)]);

  const source = path.dirname(spec.weights.file);
  const {
    _name_or_path: _,
    torch_dtype: __,
    dtype: ___,
    ...kept
  } = readJsonFile(path.join(source, "config.json")) ?? {};
  json("config.json", { ...kept, architectures: ["BertModel"], model_type: "bert", torch_dtype: "float32" });
  copyFileSync(spec.tokenizer, path.join(folder, "tokenizer.json"));
  json("tokenizer_config.json", tokenizerConfig(spec));
  json("modules.json", [
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ...(spec.normalise
      ? [{ idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" }]
      : []),
  ]);
  json("1_Pooling/config.json", {
    word_embedding_dimension: dimensions,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
    pooling_mode_max_tokens: pooling === "max",
    pooling_mode_mean_sqrt_len_tokens: false,
    pooling_mode_weightedmean_tokens: false,
    pooling_mode_lasttoken: false,
    include_prompt: spec.promptPooling === "include",
  });
  json("sentence_bert_config.json", { max_seq_length: spec.maxTokens, do_lower_case: spec.lowerCase });
  json("config_sentence_transformers.json", {
    __version__: { parallax: config.parallaxVersion },
    prompts: promptPrefixes(spec, config),
    default_prompt_name: spec.defaultPrompt,
    similarity_fn_name: spec.similarity,
  });
}

/** sentence-transformers knows prefixes only: templates that end with the text. */
function promptPrefixes(spec: EncoderSpec, config: RunConfig): Record<string, string> {
  const templates: Record<string, string> = { ...spec.prompts };
  if (config.prompts.anchor !== "") templates.query = config.prompts.anchor;
  if (config.prompts.positive !== "") templates.document = config.prompts.positive;
  return Object.fromEntries(
    Object.entries(templates)
      .filter(([, template]) => template.indexOf(TEXT_PLACE) === template.length - TEXT_PLACE.length)
      .map(([name, template]) => [name, template.slice(0, -TEXT_PLACE.length)]),
  );
}

/** The source's own, or what BERT's tokenizer needs when the source has none (tokenizer.json says the rest). */
function tokenizerConfig(spec: EncoderSpec): Record<string, unknown> {
  const own = readJsonFile(path.join(path.dirname(spec.tokenizer), "tokenizer_config.json"));
  if (own !== undefined) return own;
  const tokenizer = readJsonFile(spec.tokenizer) ?? {};
  const normaliser = tokenizer.normalizer as { lowercase?: boolean } | null | undefined;
  return {
    tokenizer_class: "BertTokenizer",
    do_lower_case: normaliser?.lowercase ?? true,
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
    model_max_length: spec.maxTokens,
  };
}

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
import type { DenseHead } from "../model/dense.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { RUN_FILES, type RunConfig, type RunMetric } from "../protocol/run-files.ts";
import { modelCard } from "./card.ts";

export interface Exportable {
  readonly spec: EncoderSpec;
  readonly dimensions: number;
  /** Current values of all weights of the encoder, by plain name; adapters are merged into them. */
  readonly weights: Weights;
  /** Dense heads as they are now. */
  readonly dense: readonly DenseHead[];
  /** The adapters by themselves, or null. */
  readonly adapters: ReadonlyMap<string, Tensor> | null;
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

function writeModelFolder(folder: string, config: RunConfig, exported: Exportable): void {
  const { spec, weights, dense, adapters, unused } = exported;
  const { model, pooling } = spec;
  if (model === undefined || pooling === null)
    throw new ParallaxError("bug.invariant", "Only encoders with weights and a pooling are trained.", { kind: "bug" });
  mkdirSync(path.join(folder, "onnx"), { recursive: true });
  const json = (name: string, value: unknown) =>
    writeFileAtomically(path.join(folder, name), [`${JSON.stringify(value, null, 2)}\n`]);

  const tensors = new Map<string, Tensor>(weights.names().map((name) => [name, weights.get(name)]));
  for (const [name, tensor] of unused) tensors.set(name, tensor);
  writeSafetensors(path.join(folder, "model.safetensors"), tensors);
  const poolingMask = spec.promptPooling === "exclude";
  const graph = buildEncoderGraph(model, weights, {
    pooling,
    dense,
    normalise: spec.normalise,
    poolingMask,
    weightsAs: "initializers",
  });
  writeFileAtomically(path.join(folder, "onnx/model.onnx"), [encodeModel(graph)]);

  const source = path.dirname(spec.weights.file);
  const {
    _name_or_path: _,
    torch_dtype: __,
    dtype: ___,
    ...kept
  } = readJsonFile(path.join(source, "config.json")) ?? {};
  const type = typeof kept.model_type === "string" ? kept.model_type : model.family;
  json("config.json", {
    ...kept,
    architectures: [MODEL_CLASSES[type] ?? "BertModel"],
    model_type: type,
    torch_dtype: "float32",
  });
  copyTokenizer(spec, folder);
  json("tokenizer_config.json", tokenizerConfig(spec));
  const modules = [
    { path: "", type: "Transformer" },
    { path: "1_Pooling", type: "Pooling" },
    ...dense.map((_, i) => ({ path: `${i + 2}_Dense`, type: "Dense" })),
    ...(spec.normalise ? [{ path: `${dense.length + 2}_Normalize`, type: "Normalize" }] : []),
  ];
  json(
    "modules.json",
    modules.map((module, idx) => ({
      ...{ idx, name: String(idx), path: module.path },
      type: `sentence_transformers.models.${module.type}`,
    })),
  );
  if (spec.normalise) mkdirSync(path.join(folder, `${dense.length + 2}_Normalize`), { recursive: true });
  json("1_Pooling/config.json", {
    word_embedding_dimension: model.config.hiddenSize,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
    pooling_mode_max_tokens: pooling === "max",
    pooling_mode_mean_sqrt_len_tokens: pooling === "mean-sqrt-length",
    pooling_mode_weightedmean_tokens: pooling === "weighted-mean",
    pooling_mode_lasttoken: pooling === "last-token",
    include_prompt: !poolingMask,
  });
  dense.forEach(({ weight, bias, activation }, i) => {
    const at = `${i + 2}_Dense`;
    json(`${at}/config.json`, {
      ...{ in_features: weight.dims[1], out_features: weight.dims[0], bias: bias !== null },
      activation_function: `torch.nn.modules.${activation === "tanh" ? "activation.Tanh" : "linear.Identity"}`,
    });
    writeSafetensors(
      path.join(folder, at, "model.safetensors"),
      new Map([["linear.weight", weight], ...(bias === null ? [] : [["linear.bias", bias] as const])]),
    );
  });
  if (adapters !== null && config.lora !== null)
    writeAdapter(path.join(folder, "adapter"), config, config.lora, adapters);
  json("sentence_bert_config.json", { max_seq_length: spec.maxTokens, do_lower_case: spec.lowerCase });
  json("config_sentence_transformers.json", {
    __version__: { parallax: config.parallaxVersion },
    prompts: promptPrefixes(spec, config),
    default_prompt_name: spec.defaultPrompt,
    similarity_fn_name: spec.similarity,
  });
}

/** The class that Python loads the encoder alone with, by model_type. */
const MODEL_CLASSES: Readonly<Record<string, string>> = {
  bert: "BertModel",
  roberta: "RobertaModel",
  "xlm-roberta": "XLMRobertaModel",
  camembert: "CamembertModel",
  distilbert: "DistilBertModel",
  mpnet: "MPNetModel",
  t5: "T5EncoderModel",
  mt5: "MT5EncoderModel",
};

/** The tokenizer's files under their own names. */
function copyTokenizer(spec: EncoderSpec, folder: string): void {
  const source = path.dirname(spec.tokenizer);
  copyFileSync(spec.tokenizer, path.join(folder, path.basename(spec.tokenizer)));
  for (const name of ["merges.txt", "special_tokens_map.json", "spiece.model", "sentencepiece.bpe.model", "vocab.txt"])
    if (existsSync(path.join(source, name))) copyFileSync(path.join(source, name), path.join(folder, name));
}

/** The adapters by themselves, as PEFT keeps them: they go onto the source's weights. */
function writeAdapter(
  folder: string,
  config: RunConfig,
  lora: NonNullable<RunConfig["lora"]>,
  adapters: ReadonlyMap<string, Tensor>,
): void {
  mkdirSync(folder, { recursive: true });
  writeSafetensors(
    path.join(folder, "adapter_model.safetensors"),
    new Map([...adapters].map(([name, value]) => [`base_model.model.${name}`, value])),
  );
  const modules = [...adapters.keys()].filter((name) => name.endsWith(".lora_A.weight"));
  const facts = {
    peft_type: "LORA",
    task_type: "FEATURE_EXTRACTION",
    base_model_name_or_path: config.encoder.name,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    target_modules: modules.map((name) => name.slice(0, -".lora_A.weight".length)),
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    modules_to_save: null,
  };
  writeFileAtomically(path.join(folder, "adapter_config.json"), [`${JSON.stringify(facts, null, 2)}\n`]);
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
  if (spec.model?.family !== "bert" || !spec.tokenizer.endsWith(".json"))
    return { tokenizer_class: "PreTrainedTokenizerFast", model_max_length: spec.maxTokens };
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

/** Reads the small files of a model folder: what it says about the encoder, and null where it says nothing. */
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { type Architecture, architectureSizes, modelTypes, parseArchitecture } from "../model/architecture.ts";
import { POOLINGS, type Pooling } from "../model/pooling.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { foundIn, readJsonFile } from "./model-files.ts";
import { readModules } from "./modules-json.ts";

/** A linear layer after the pooling: its numbers are read when the encoder is opened. */
export interface DenseSource {
  /** model.safetensors with linear.weight and, with a bias, linear.bias. */
  file: string;
  inner: number;
  out: number;
  bias: boolean;
  activation: "identity" | "tanh";
}

export interface FolderFacts {
  root: string;
  weights: { format: "safetensors" | "onnx"; file: string };
  onnxFiles: string[];
  model: Architecture | undefined;
  /** A Model2Vec folder: a table of vectors, no layers. */
  isStatic: boolean;
  tokenizer: string;
  maxTokens: number | null;
  /** Tokens that fit the position table; null when there is none or it is not known. */
  positions: number | null;
  pooling: Pooling | null;
  /** Whether modules.json is there. */
  listed: boolean;
  dense: DenseSource[];
  normalise: boolean | null;
  includePrompt: boolean | null;
  lowerCase: boolean;
  /** Prefixes as the folder writes them; empty ones left out. */
  prompts: Record<string, string>;
  defaultPrompt: string | null;
  similarity: "cosine" | "dot" | "euclidean" | "manhattan" | null;
  nameInConfig: unknown;
  notes: string[];
}

/**
 * @param folder a model folder, or the path of an .onnx file
 * @param onnx   an ONNX file of the folder to use in place of its weights, relative
 * @throws {ParallaxError} see readModelFolder
 */
export function readFolder(folder: string, onnx?: string): FolderFacts {
  const { root, chosen } = locate(folder, onnx);
  const notes: string[] = [];
  const modules = readModules(root);
  const base = path.join(root, modules.transformer);
  const config = readJsonFile(path.join(base, "config.json"));
  const isStatic = modules.isStatic || config?.model_type === "model2vec";
  const onnxFiles = listOnnx(root, base);
  const weights = chosen !== undefined ? { format: "onnx" as const, file: chosen } : findWeights(root, base, isStatic);
  if (config === undefined && weights.format === "safetensors" && !isStatic)
    throw missing(root, path.relative(root, path.join(base, "config.json")), "the sizes of the model");
  const model = weights.format === "safetensors" && !isStatic ? readArchitecture(root, config ?? {}) : undefined;
  const sentence = readJsonFile(path.join(base, "sentence_bert_config.json")) ?? {};
  const own = readJsonFile(path.join(root, "config_sentence_transformers.json")) ?? {};
  const prompts: Record<string, string> = {};
  for (const [name, prefix] of Object.entries((own.prompts ?? {}) as Record<string, unknown>))
    if (typeof prefix === "string" && prefix !== "") prompts[name] = prefix;
  const similarity = own.similarity_fn_name;
  return {
    root,
    weights,
    onnxFiles,
    model,
    isStatic,
    tokenizer: findTokenizer(root, base),
    maxTokens: isStatic ? 512 : readMaxTokens(base, sentence),
    positions: isStatic ? null : positions(model, config ?? {}),
    pooling: readPooling(root, modules.pooling, model && architectureSizes(model).hiddenSize, notes),
    listed: modules.listed,
    dense: modules.dense.map((where) => readDense(root, where)),
    normalise: isStatic ? modules.normalise || config?.normalize !== false : modules.listed ? modules.normalise : null,
    includePrompt: readIncludePrompt(root, modules.pooling[0]),
    lowerCase: sentence.do_lower_case === true,
    prompts,
    defaultPrompt: typeof own.default_prompt_name === "string" ? own.default_prompt_name : null,
    similarity:
      similarity === "cosine" || similarity === "dot" || similarity === "euclidean" || similarity === "manhattan"
        ? similarity
        : null,
    nameInConfig: config?._name_or_path,
    notes,
  };
}

/** The folder that is meant, and the ONNX file when one is named. */
function locate(folder: string, onnx: string | undefined): { root: string; chosen: string | undefined } {
  const given = path.resolve(folder);
  const stat = statSync(given, { throwIfNoEntry: false });
  if (stat?.isFile() && given.endsWith(".onnx")) {
    const beside = path.dirname(given);
    // Exports lie in a folder "onnx" inside the model's.
    const root = existsSync(path.join(beside, "tokenizer.json")) ? beside : path.dirname(beside);
    return { root: existsSync(path.join(root, "tokenizer.json")) ? root : beside, chosen: given };
  }
  if (!stat?.isDirectory())
    throw new ParallaxError(
      "encoder.not-found",
      `The encoder "${folder}" was asked for, but ${stat === undefined ? `${given} does not exist` : `${given} is a file, not a model folder`}. Nothing was loaded.`,
      {
        hint: 'Name a folder with config.json, tokenizer.json and model.safetensors, or use "default".',
        details: { folder: given },
      },
    );
  if (onnx === undefined) return { root: given, chosen: undefined };
  const chosen = path.resolve(given, onnx);
  const isInside = !path.relative(given, chosen).startsWith("..") && !path.isAbsolute(onnx);
  if (!isInside || !existsSync(chosen))
    throw new ParallaxError(
      "encoder.missing-file",
      `The ONNX file "${onnx}" of ${given} was asked for, ${isInside ? "which is not there" : "which lies outside of it"}. It has ${listOnnx(given, given).join(", ") || "no ONNX file"}. Nothing was loaded.`,
      { hint: "Name one of its own files.", details: { folder: given, onnx } },
    );
  return { root: given, chosen };
}

/** ONNX files of a model folder, relative, in the order in which they would be preferred. */
function listOnnx(root: string, base: string): string[] {
  const found = [...new Set([path.join(root, "onnx"), root, base])].flatMap((folder) =>
    existsSync(folder) && statSync(folder).isDirectory()
      ? readdirSync(folder)
          .filter((name) => name.endsWith(".onnx"))
          .sort((a, b) => Number(a !== "model.onnx") - Number(b !== "model.onnx") || (a < b ? -1 : 1))
          .map((name) => path.relative(root, path.join(folder, name)).split(path.sep).join("/"))
      : [],
  );
  return [...new Set(found)];
}

/** Weights in the order of preference; a folder that has only pickles gets an error of its own. */
function findWeights(root: string, base: string, isStatic: boolean): FolderFacts["weights"] {
  const modelType = readJsonFile(path.join(base, "config.json"))?.model_type;
  const safetensors = ["model.safetensors", "model.safetensors.index.json"]
    .map((name) => path.join(base, name))
    .find((file) => existsSync(file));
  const isBuilt = isStatic || modelType === undefined || modelTypes().includes(String(modelType));
  const onnx = [
    path.join(root, "onnx", "model.onnx"),
    path.join(root, "model.onnx"),
    path.join(base, "model.onnx"),
  ].find((file) => existsSync(file));
  if (safetensors !== undefined && (isBuilt || onnx === undefined)) {
    if (!isBuilt)
      throw new ParallaxError(
        "encoder.unsupported-architecture",
        `${root} holds a model of the type "${String(modelType)}". Parallax builds ${modelTypes().join(", ")} from weights; for other architectures it needs an ONNX file, and there is none. Nothing was loaded.`,
        {
          hint: "Export the model to onnx/model.onnx and load the folder again.",
          details: { folder: root, modelType },
        },
      );
    return { format: "safetensors", file: safetensors };
  }
  if (onnx !== undefined) return { format: "onnx", file: onnx };
  const pickle = ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin"].find((name) =>
    existsSync(path.join(base, name)),
  );
  if (pickle !== undefined) throw pickleOnly(root, path.join(base, pickle));
  const others = listOnnx(root, base);
  if (others.length > 0)
    throw new ParallaxError(
      "encoder.missing-file",
      `${root} has no model.safetensors and no model.onnx, but ${others.join(", ")}. They may differ in precision, so none is chosen for you; nothing was loaded.`,
      {
        hint: `Choose one: loadEncoder(folder, { onnx: ${JSON.stringify(others[0])} }).`,
        details: { folder: root, others },
      },
    );
  throw missing(root, "model.safetensors or onnx/model.onnx", "the weights");
}

export function pickleOnly(root: string, file: string): ParallaxError {
  return new ParallaxError(
    "encoder.pickle-only",
    `${root} has its weights only in ${path.relative(root, file)} (${statSync(file).size} bytes), a Python pickle. A pickle can run code when it is opened, so Parallax never opens one. Nothing was loaded.`,
    {
      hint: "Save the model as safetensors: model.save_pretrained(folder, safe_serialization=True).",
      details: { folder: root, file: path.relative(root, file) },
    },
  );
}

function readArchitecture(root: string, config: Record<string, unknown>): Architecture {
  try {
    return parseArchitecture(config);
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    throw new ParallaxError(
      error.code,
      `The encoder in ${root} cannot be built: ${error.message} Nothing was loaded.`,
      {
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        details: { ...error.details, folder: root },
        cause: error,
      },
    );
  }
}

function findTokenizer(root: string, base: string): string {
  const names = [
    "tokenizer.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
  ];
  for (const name of names)
    for (const folder of [base, root]) if (existsSync(path.join(folder, name))) return path.join(folder, name);
  throw missing(root, "tokenizer.json", "the tokenizer in one file; spiece.model and vocab.txt work too");
}

/** What the files say, the tokenizer's training-time truncation left aside (all-MiniLM's says 128, the model runs at 256). */
function readMaxTokens(base: string, sentence: Record<string, unknown>): number | null {
  const file = path.join(base, "sentence_bert_config.json");
  const said = sentence.max_seq_length;
  if (said !== undefined && said !== null && !(Number.isInteger(said) && Number(said) >= 3))
    throw new ParallaxError(
      "encoder.bad-length",
      `${file} says max_seq_length ${JSON.stringify(said)}; a whole number of at least 3 is needed. Nothing was loaded.`,
      { hint: "Copy the file from the model again.", details: { file, found: said } },
    );
  const tokenizer = readJsonFile(path.join(base, "tokenizer_config.json")) ?? {};
  return [said, tokenizer.model_max_length].map(Number).find((n) => Number.isFinite(n) && n > 2 && n < 1e6) ?? null;
}

/** Tokens that the position table has room for. For ONNX files the configuration is all there is. */
function positions(model: Architecture | undefined, config: Record<string, unknown>): number | null {
  if (model !== undefined) return architectureSizes(model).maxTokens;
  const size = Number(config.max_position_embeddings);
  if (!Number.isInteger(size) || size < 3) return null;
  // RoBERTa, XLM-R and MPNet count from padId + 1.
  const isShifted = ["roberta", "xlm-roberta", "camembert", "mpnet"].includes(String(config.model_type));
  return isShifted ? size - Number(config.pad_token_id ?? 1) - 1 : size;
}

const POOLING_MODES: Record<string, Pooling> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_sqrt_len_tokens: "mean-sqrt-length",
  pooling_mode_weightedmean_tokens: "weighted-mean",
  pooling_mode_lasttoken: "last-token",
};
/** The same in the short form of newer files: {"pooling_mode": "cls"}. */
const SHORT_MODES: Record<string, Pooling> = {
  mean: "mean",
  cls: "cls",
  max: "max",
  mean_sqrt_len_tokens: "mean-sqrt-length",
  weightedmean: "weighted-mean",
  lasttoken: "last-token",
};

function readPooling(
  root: string,
  folders: readonly string[],
  hiddenSize: number | undefined,
  notes: string[],
): Pooling | null {
  if (folders.length === 0) return null;
  const [first, ...others] = folders.map((folder) => onePooling(root, folder, hiddenSize));
  const different = others.filter((mode) => mode !== first);
  if (different.length > 0)
    notes.push(
      `modules.json lists ${folders.length} poolings: ${[first, ...others].join(", ")}. The first makes the sentence embedding and is used; for the other load the encoder again with { pooling: "${different[0]}" }.`,
    );
  return first!;
}

function onePooling(root: string, folder: string, hiddenSize: number | undefined): Pooling {
  const file = path.join(root, folder, "config.json");
  const config = readJsonFile(file);
  if (config === undefined) throw missing(root, path.relative(root, file), "how token vectors become one");
  const size = config.word_embedding_dimension ?? config.embedding_dimension;
  if (hiddenSize !== undefined && size !== undefined && size !== hiddenSize)
    throw new ParallaxError(
      "encoder.wrong-shape",
      `${file} pools vectors of ${String(size)} dimensions, config.json says that the model makes ${hiddenSize}. The two files are of different models; nothing was loaded.`,
      { hint: "Copy both files from the same model.", details: { file, expected: hiddenSize, found: size } },
    );
  const modes = Object.entries(config)
    .filter(([key, value]) => key.startsWith("pooling_mode_") && value === true)
    .map(([key]) => key);
  const short = typeof config.pooling_mode === "string" ? config.pooling_mode : undefined;
  if (short !== undefined) modes.push(short);
  const mode = modes.length === 1 ? (POOLING_MODES[modes[0]] ?? SHORT_MODES[modes[0]]) : undefined;
  if (mode === undefined)
    throw new ParallaxError(
      "encoder.unsupported-pooling",
      `${file} asks for ${modes.length === 0 ? "no pooling" : modes.join(" and ")}. Parallax pools by one of ${POOLINGS.join(", ")}; nothing was loaded.`,
      {
        hint: 'If you know that another pooling is right, say so: loadEncoder(folder, { pooling: "mean" }).',
        details: { file, modes },
      },
    );
  return mode;
}

function readIncludePrompt(root: string, pooling: string | undefined): boolean | null {
  if (pooling === undefined) return null;
  const said = readJsonFile(path.join(root, pooling, "config.json"))?.include_prompt;
  return typeof said === "boolean" ? said : null;
}

function readDense(root: string, where: string): DenseSource {
  const file = path.join(root, where, "config.json");
  const config = readJsonFile(file);
  if (config === undefined) throw missing(root, path.relative(root, file), "the sizes of the dense layer");
  const count = (field: string): number => {
    const value = config[field];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw new ParallaxError(
        "encoder.damaged-file",
        `${file} says ${field} ${JSON.stringify(value)}; a whole number from 1 is needed. Nothing was loaded.`,
        { hint: "Copy the file from the model again.", details: { file, field, found: value } },
      );
    return value;
  };
  const said = String(config.activation_function ?? "torch.nn.modules.linear.Identity");
  const activation = { Identity: "identity", Tanh: "tanh" }[said.split(".").at(-1) ?? ""] as
    | "identity"
    | "tanh"
    | undefined;
  if (activation === undefined)
    throw new ParallaxError(
      "encoder.unsupported-module",
      `${file} asks for the activation ${said} after the dense layer. Parallax runs Identity and Tanh; another one would give other vectors, so nothing was loaded.`,
      { hint: "Use a model without it, or its ONNX export.", details: { file, activation: said } },
    );
  const weights = path.join(root, where, "model.safetensors");
  if (!existsSync(weights)) {
    const pickle = path.join(root, where, "pytorch_model.bin");
    if (existsSync(pickle)) throw pickleOnly(root, pickle);
    throw missing(root, path.relative(root, weights), "the weights of the dense layer");
  }
  return {
    file: weights,
    inner: count("in_features"),
    out: count("out_features"),
    bias: config.bias !== false,
    activation,
  };
}

export function missing(root: string, file: string, what: string): ParallaxError {
  return new ParallaxError(
    "encoder.missing-file",
    `The encoder folder ${root} has no ${file} (${what}). It holds ${foundIn(readdirSync(root))}. Nothing was loaded.`,
    { hint: `Copy ${file.split(" or ")[0]} from the model into the folder.`, details: { folder: root, file } },
  );
}

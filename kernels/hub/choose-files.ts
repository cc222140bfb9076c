/** Which files of a repository an encoder needs. Pickles are never among them, for they can run code. */
import { ParallaxError } from "../protocol/errors.ts";
import type { HubFile } from "./client.ts";

export interface ChosenFiles {
  files: HubFile[];
  format: "safetensors" | "onnx";
  /** Paths of the weights among `files`. */
  weights: string[];
  /** All ONNX models of the repository, with their external data counted in. */
  onnxVariants: { path: string; sizeBytes: number }[];
}

/** Small files that say what a model is, beside the weights or in the folder of a module. */
const ABOUT = new Set([
  "modules.json",
  "config.json",
  "config_sentence_transformers.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "spiece.model",
  "sentencepiece.bpe.model",
  "sentencepiece.model",
  "tokenizer.model",
]);
const SENTENCE_CONFIG = /^sentence_[a-z_-]+_config\.json$/;
/** The author's own words and conditions go along. */
const PAPERS = /^(readme\.md|(licen[cs]e|notice)([.-].*)?)$/i;
/** Folder of a sentence-transformers module: "1_Pooling". */
const MODULE = /^\d+_[A-Za-z]+$/;
const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;
const ONNX_DATA = [".data", "_data", ".onnx_data"];

/**
 * Choose.
 *
 * @param variant path of an ONNX file of the repository to take instead of the weights.
 * @throws {ParallaxError} hub.pickle-only, hub.no-weights, hub.no-variant, hub.no-config
 */
export function chooseFiles(id: string, all: readonly HubFile[], variant?: string): ChosenFiles {
  const byPath = new Map(all.map((file) => [file.path, file]));
  const folders = ["", ...new Set(all.map(({ path }) => folderOf(path)).filter((folder) => MODULE.test(folder)))];
  const files = new Map<string, HubFile>();
  const take = (file: HubFile | undefined): void => {
    if (file !== undefined) files.set(file.path, file);
  };
  for (const file of all) {
    const folder = folderOf(file.path);
    const name = file.path.slice(folder === "" ? 0 : folder.length + 1);
    if (!folders.includes(folder)) continue;
    if (ABOUT.has(name) || SENTENCE_CONFIG.test(name) || (folder === "" && PAPERS.test(name))) take(file);
  }
  const onnx = all.filter(({ path }) => path.endsWith(".onnx"));
  const onnxVariants = onnx.map((file) => ({
    path: file.path,
    sizeBytes: [file, ...externalData(file, all)].reduce((sum, each) => sum + Math.max(0, each.sizeBytes), 0),
  }));
  const takeOnnx = (file: HubFile): ChosenFiles => {
    take(file);
    for (const data of externalData(file, all)) take(data);
    return { files: [...files.values()], format: "onnx", weights: [file.path], onnxVariants };
  };
  if (variant !== undefined) {
    const file = byPath.get(variant);
    if (file === undefined || !variant.endsWith(".onnx"))
      throw new ParallaxError("hub.no-variant", `${id} has no ONNX file ${variant}. Nothing was downloaded.`, {
        hint:
          onnx.length === 0
            ? "Leave it out to take the weights."
            : `It has ${onnx.map((each) => each.path).join(", ")}.`,
        details: { id, variant },
      });
    return takeOnnx(file);
  }
  // The transformer's own folder: the root, or the first module.
  const bases = folders.filter((folder) => folder === "" || folder.startsWith("0_"));
  for (const base of bases) {
    const weights = safetensorsIn(base, all, byPath);
    if (weights.length === 0) continue;
    if (![join(base, "config.json"), "config.json", "modules.json"].some((path) => files.has(path)))
      throw noConfig(id, all);
    for (const file of weights) take(file);
    for (const folder of folders.filter((each) => each !== base && each !== "")) {
      const head = byPath.get(join(folder, "model.safetensors"));
      if (head !== undefined) take(head);
      else if (byPath.has(join(folder, "pytorch_model.bin"))) throw pickleOnly(id, join(folder, "pytorch_model.bin"));
    }
    return {
      files: [...files.values()],
      format: "safetensors",
      weights: weights.map((file) => file.path).filter((path) => path.endsWith(".safetensors")),
      onnxVariants,
    };
  }
  const whole = ["onnx/model.onnx", "model.onnx", ...bases.map((base) => join(base, "model.onnx"))]
    .map((path) => byPath.get(path))
    .find((file) => file !== undefined);
  if (whole !== undefined) return takeOnnx(whole);
  const pickle = all.find(({ path }) =>
    /(^|\/)(pytorch_model[\w.-]*\.bin|model\.bin|[\w.-]+\.(pt|pth|ckpt|pkl))$/.test(path),
  );
  if (pickle !== undefined) throw pickleOnly(id, pickle.path);
  throw new ParallaxError(
    "hub.no-weights",
    `${id} has no weights that Parallax reads: no model.safetensors, no onnx/model.onnx among its ${all.length} files. Nothing was downloaded.`,
    { hint: "Choose a model of the library sentence-transformers or transformers.", details: { id } },
  );
}

function safetensorsIn(base: string, all: readonly HubFile[], byPath: ReadonlyMap<string, HubFile>): HubFile[] {
  const one = byPath.get(join(base, "model.safetensors"));
  if (one !== undefined) return [one];
  const index = byPath.get(join(base, "model.safetensors.index.json"));
  if (index === undefined) return [];
  return [
    index,
    ...all.filter(({ path }) => folderOf(path) === base && SHARD.test(path.slice(base === "" ? 0 : base.length + 1))),
  ];
}

/** Files beside an ONNX file that hold its tensors: model.onnx_data, model.onnx.data. */
function externalData(file: HubFile, all: readonly HubFile[]): HubFile[] {
  return all.filter(({ path }) =>
    ONNX_DATA.some((suffix) => path === `${file.path}${suffix}` || path === `${file.path.slice(0, -5)}${suffix}`),
  );
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const join = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);

function pickleOnly(id: string, file: string): ParallaxError {
  return new ParallaxError(
    "hub.pickle-only",
    `${id} has these weights only in ${file}, a Python pickle. A pickle can run code when it is opened, so Parallax never takes one. Nothing was downloaded.`,
    {
      hint: "Look for a revision or a copy of the model with model.safetensors, or save one in Python: SentenceTransformer(id).save(folder, safe_serialization=True), then use that folder.",
      details: { id, file },
    },
  );
}

function noConfig(id: string, all: readonly HubFile[]): ParallaxError {
  return new ParallaxError(
    "hub.no-config",
    `${id} has weights but neither config.json nor modules.json among its ${all.length} files, so its architecture is not known. Nothing was downloaded.`,
    { hint: "Choose a model of the library sentence-transformers or transformers.", details: { id } },
  );
}

/**
 * Weights in one safetensors file or in several with an index (model.safetensors.index.json), seen as one. Tensors are
 * read one at a time, so a model larger than memory's half can be opened.
 */
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import { readJsonFile } from "./model-files.ts";
import { openSafetensors, type Safetensors } from "./safetensors.ts";

/** Where the tensors of a model are: one file, or an index and the files it names, in their order. */
export interface WeightFiles {
  /** What `openWeights` takes. */
  file: string;
  /** Files with tensors, absolute. The same as `file` when there is only one. */
  shards: string[];
}

/**
 * The files behind a path: a .safetensors file itself, or what an index names.
 *
 * @throws {ParallaxError} safetensors.missing (a shard is not there), safetensors.damaged (the index is not one, or a
 *   shard lies outside of its folder)
 */
export function weightFiles(file: string): WeightFiles {
  if (!file.endsWith(".json")) return { file, shards: [file] };
  const folder = path.dirname(file);
  const shards = [...new Set(Object.values(readIndex(file)))].sort().map((name) => path.join(folder, name));
  const missing = shards.filter((shard) => !existsSync(shard));
  if (missing.length > 0)
    throw new ParallaxError(
      "safetensors.missing",
      `${file} spreads the weights over ${shards.length} files; ${missing.length} of them are not there: ${missing.map((shard) => path.basename(shard)).join(", ")}. Nothing was loaded.`,
      { hint: "Copy or download the missing files into the same folder.", details: { file, missing } },
    );
  return { file, shards };
}

/**
 * Open a model's weights.
 *
 * @param file a .safetensors file, or a .safetensors.index.json beside its shards
 * @throws {ParallaxError} safetensors.missing, safetensors.damaged: also when a tensor is not in the shard that the index
 *   names, or in two of them
 */
export function openWeights(file: string): Safetensors {
  const { shards } = weightFiles(file);
  if (shards.length === 1 && shards[0] === file) return openSafetensors(file);
  const index = readIndex(file);
  const opened = new Map(shards.map((shard) => [path.basename(shard), openSafetensors(shard)]));
  const home = new Map<string, Safetensors>();
  for (const [name, shard] of Object.entries(index)) {
    const found = opened.get(shard)!;
    if (!found.entries.has(name)) throw damaged(file, `it says that "${name}" is in ${shard}, which does not hold it`);
    home.set(name, found);
  }
  for (const [shard, { entries }] of opened)
    for (const name of entries.keys())
      if (index[name] === undefined) throw damaged(file, `it does not list "${name}", which ${shard} holds`);
      else if (index[name] !== shard) throw damaged(file, `both ${shard} and ${index[name]} hold "${name}"`);
  const of = (name: string): Safetensors => {
    const found = home.get(name);
    if (found === undefined)
      throw new ParallaxError(
        "safetensors.missing-tensor",
        `${file} names no tensor "${name}". It names ${home.size}, for example ${[...home.keys()].slice(0, 3).join(", ")}.`,
        { hint: "Check that the weights belong to this architecture.", details: { path: file, name } },
      );
    return found;
  };
  return {
    path: file,
    sizeBytes: shards.reduce((sum, shard) => sum + statSync(shard).size, 0),
    metadata: opened.get(path.basename(shards[0]))?.metadata ?? {},
    entries: new Map([...home].map(([name, shard]) => [name, shard.entries.get(name)!])),
    read: (name) => of(name).read(name),
    readFloat32: (name) => of(name).readFloat32(name),
    fileOf: (name) => of(name).path,
  };
}

/** Tensor name → file name of its shard, checked to be a plain name in the same folder. */
function readIndex(file: string): Record<string, string> {
  const json = readJsonFile(file);
  if (json === undefined)
    throw new ParallaxError("safetensors.missing", `${file} does not exist.`, {
      hint: "Check the path of the weights.",
      details: { path: file },
    });
  const map = json.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0)
    throw damaged(file, "it has no weight_map");
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !shard.endsWith(".safetensors"))
      throw damaged(file, `it says that "${name}" is in ${JSON.stringify(shard)}, which is not a safetensors file`);
    if (shard !== path.basename(shard) || shard.includes("\\"))
      throw damaged(file, `it names the file "${shard}", which lies outside of its folder`);
  }
  return map as Record<string, string>;
}

function damaged(file: string, problem: string): ParallaxError {
  return new ParallaxError(
    "safetensors.damaged",
    `${file} is not the index of a whole model: ${problem}. Nothing was loaded.`,
    { hint: "Download or copy the index and all its files again.", details: { path: file, problem } },
  );
}

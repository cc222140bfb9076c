/** One encoder in full: what its spec says, where folder and catalogue disagree, its files and how each hash is known. */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { readSpec } from "../encode/read-spec.ts";
import { chooseFiles } from "../hub/choose-files.ts";
import { modelInfo } from "../hub/client.ts";
import { hubAddress } from "../hub/hub-settings.ts";
import { findStored } from "../hub/store.ts";
import type { EncoderDetails } from "../protocol/encoders.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type Access, withHub } from "./access.ts";
import { entryOf } from "./entries.ts";
import type { Known } from "./uses.ts";

/**
 * Details of a row of the list. For one that is not here the hub is asked, unless we are offline.
 * @throws {ParallaxError} the hub's errors
 */
export async function encoderDetails(
  id: string,
  known?: Known,
  access: Access = {},
  signal?: AbortSignal,
): Promise<EncoderDetails> {
  const entry = await entryOf(id, known);
  const { endpoint, offline } = hubAddress();
  const details: EncoderDetails = {
    entry,
    folder: null,
    spec: [],
    contradictions: [],
    prompts: [],
    files: [],
    onnxVariants: [],
    notes: entry.note === null ? [] : [entry.note],
    url: entry.source === "hub" ? `${endpoint}/${id}` : null,
  };
  const stored = entry.source === "hub" ? findStored(id) : null;
  if (stored !== null) {
    const { record, folder } = stored;
    details.folder = folder;
    details.files = record.files;
    details.onnxVariants = record.onnxVariants.map((variant) => ({
      ...variant,
      installed: record.files.some((file) => file.path === variant.path),
    }));
  } else if (entry.source === "hub") return offline ? details : withSiblings(details, access, signal);
  try {
    const spec = await readSpec(id);
    details.folder = spec.folder;
    details.spec = specFields(spec);
    details.contradictions = spec.contradictions.map(({ field, folder, catalogue, used }) => ({
      field,
      folder,
      catalogue,
      used,
    }));
    details.prompts = Object.entries(spec.prompts).map(([name, template]) => ({ name, template }));
    details.notes.push(...spec.notes);
    if (stored === null) {
      details.files = filesOf(spec.folder);
      details.onnxVariants = spec.onnxFiles.map((file) => ({
        path: file,
        sizeBytes: statSync(path.join(spec.folder, file)).size,
        installed: true,
      }));
    }
  } catch (error) {
    // The entry's own error says what is wrong; the rest is shown all the same.
    if (!(error instanceof ParallaxError)) throw error;
  }
  return details;
}

async function withSiblings(details: EncoderDetails, access: Access, signal?: AbortSignal): Promise<EncoderDetails> {
  const { id } = details.entry;
  const info = await withHub(access, (http) => modelInfo(http, id, "main", { signal }));
  const entry = {
    ...details.entry,
    revision: info.revision,
    licence: details.entry.licence ?? info.licence,
    languages: details.entry.languages.length > 0 ? details.entry.languages : info.languages,
  };
  if (info.gated) details.notes.push("The hub asks for an agreement before it gives this model.");
  try {
    const chosen = chooseFiles(id, info.files);
    return {
      ...details,
      entry: { ...entry, sizeBytes: chosen.files.reduce((sum, file) => sum + Math.max(0, file.sizeBytes), 0) },
      files: chosen.files.map((file) => ({ ...file, trust: "not known" })),
      onnxVariants: chosen.onnxVariants.map((variant) => ({ ...variant, installed: false })),
    };
  } catch (error) {
    // It cannot be downloaded: the reason is what there is to know.
    if (!(error instanceof ParallaxError)) throw error;
    return { ...details, entry, notes: [...details.notes, error.message] };
  }
}

function specFields(spec: EncoderSpec): EncoderDetails["spec"] {
  const size = spec.dense.map(
    (dense) => `to ${dense.out}${dense.activation === "identity" ? "" : `, ${dense.activation}`}`,
  );
  return Object.entries({
    architecture: spec.architecture,
    weights: path.relative(spec.folder, spec.weights.file),
    tokenizer: path.relative(spec.folder, spec.tokenizer),
    "length limit": `${spec.maxTokens} tokens`,
    pooling: spec.pooling ?? "inside the ONNX file",
    "dense layers": size.length === 0 ? "none" : size.join("; "),
    normalised: spec.normalise ? "yes" : "no",
    "prompt in the pooling": spec.promptPooling === "include" ? "yes" : "left out",
    "lower case first": spec.lowerCase ? "yes" : "no",
    "default prompt": spec.defaultPrompt ?? "none",
    similarity: spec.similarity,
    catalogue: spec.catalogue ?? "not in it",
  }).map(([field, value]) => ({ field, value }));
}

function filesOf(folder: string): EncoderDetails["files"] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({
      path: path.relative(folder, file).split(path.sep).join("/"),
      sizeBytes: statSync(file).size,
      sha256: null,
      gitSha1: null,
      trust: "not known" as const,
    }));
}

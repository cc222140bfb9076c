/** From what the user named to what the encoder is: no weights are read. */
import { statSync } from "node:fs";
import { architectureSizes } from "../model/architecture.ts";
import { catalogueEntry, knownBySize } from "./catalogue/catalogue.ts";
import type { CatalogueEntry } from "./catalogue/types.ts";
import { defaultSpec, isDefaultReference } from "./default-encoder.ts";
import { type EncoderSpec, readKnownFolder, readModelFolder, type SpecOptions } from "./encoder-spec.ts";
import { fileSha256 } from "./file-digest.ts";
import { downloadedEncoder } from "./reference.ts";

/**
 * Read what an encoder is, without its weights.
 *
 * @param reference "default", "default-static", "default-int8", a model folder, an ONNX file, or the hub id of a downloaded
 *                  encoder
 * @throws {ParallaxError} see readModelFolder, defaultSpec and downloadedEncoder
 */
export async function readSpec(
  reference: string,
  options: SpecOptions & { signal?: AbortSignal | undefined } = {},
): Promise<EncoderSpec> {
  if (!isDefaultReference(reference)) {
    const downloaded = downloadedEncoder(reference);
    if (downloaded !== null)
      return { ...(await readSpec(downloaded.folder, { name: downloaded.name, ...options })), reference };
    const spec = readModelFolder(reference, options);
    const entry = spec.catalogue === null ? await entryOfWeights(spec, options.signal) : undefined;
    return entry === undefined ? spec : readKnownFolder(reference, entry, options);
  }
  const spec = await defaultSpec(reference, { signal: options.signal });
  const { pooling, normalise, maxTokens, prompts, name } = options;
  return {
    ...spec,
    ...(pooling === undefined ? {} : { pooling }),
    ...(normalise === undefined ? {} : { normalise }),
    ...(maxTokens === undefined ? {} : { maxTokens: Math.min(maxTokens, mostTokens(spec) ?? maxTokens) }),
    ...(name === undefined ? {} : { name }),
    prompts: { ...spec.prompts, ...prompts },
  };
}

/** The catalogue's entry for a weights file of a published size and digest. Files of other sizes are not read. */
async function entryOfWeights(spec: EncoderSpec, signal: AbortSignal | undefined): Promise<CatalogueEntry | undefined> {
  const candidates = knownBySize(statSync(spec.weights.file).size);
  if (candidates.length === 0) return undefined;
  const sha256 = await fileSha256(spec.weights.file, { signal });
  const found = candidates.find(({ file }) => file.sha256 === sha256);
  return found === undefined ? undefined : catalogueEntry(found.id);
}

function mostTokens(spec: EncoderSpec): number | undefined {
  return (spec.model && architectureSizes(spec.model).maxTokens) ?? undefined;
}

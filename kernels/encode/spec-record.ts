/** What results keep of an encoder's spec: all that decides its numbers and prompts, and nothing of this computer. */
import path from "node:path";
import { isHubId } from "../hub/hub-id.ts";
import type { EncoderSpecRecord } from "../protocol/results.ts";
import { isDefaultReference } from "./default-encoder.ts";
import type { EncoderDigests } from "./encoder-digests.ts";
import type { EncoderSpec } from "./encoder-spec.ts";

/**
 * A spec as plain JSON, about 1 kB: paths are names of files, a folder is its last name, files carry their sha256. Prompts
 * of single tasks are left out; a result says the ones it used.
 */
export function specRecord(spec: EncoderSpec, digests: EncoderDigests, precision: string): EncoderSpecRecord {
  const { reference, catalogue, model, weights } = spec;
  const isPortable = isDefaultReference(reference) || (isHubId(reference) && !path.isAbsolute(reference));
  return {
    version: 1,
    reference: isPortable ? reference : path.basename(spec.folder),
    catalogue,
    architecture: spec.architecture,
    config: model === undefined ? null : { ...model.config },
    weights: { format: weights.format, file: path.basename(weights.file), sha256: digests.weights },
    tokenizer: { file: path.basename(spec.tokenizer), sha256: digests.tokenizer },
    maxTokens: spec.maxTokens,
    pooling: spec.pooling,
    dense: spec.dense.map(({ inner, out, bias, activation }, i) => ({
      inner,
      out,
      bias,
      activation,
      sha256: digests.dense[i] ?? "",
    })),
    normalise: spec.normalise,
    promptPooling: spec.promptPooling,
    promptRule: spec.promptRule,
    lowerCase: spec.lowerCase,
    prompts: { ...spec.prompts },
    roles: { ...spec.roles },
    defaultPrompt: spec.defaultPrompt,
    similarity: spec.similarity,
    precision,
  };
}

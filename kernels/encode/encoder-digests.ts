/** Digests of the files that decide an encoder's numbers. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import type { EncoderSpec } from "./encoder-spec.ts";
import { fileSha256 } from "./file-digest.ts";
import { externalDataFiles } from "./onnx-external.ts";
import { weightFiles } from "./sharded-safetensors.ts";

/** sha256 in hex. */
export interface EncoderDigests {
  weights: string;
  tokenizer: string;
  /** One a dense layer. */
  dense: string[];
}

/** Cost: one pass over the files the first time, a stat later. */
export async function encoderDigests(spec: EncoderSpec, signal: AbortSignal | undefined): Promise<EncoderDigests> {
  return {
    weights: await weightsDigest(spec, signal),
    tokenizer: await tokenizerDigest(spec.tokenizer, signal),
    dense: await Promise.all(spec.dense.map(({ file }) => fileSha256(file, { signal }))),
  };
}

/** sha256 of the weights; of several files, of their digests in the order of their names. */
export async function weightsDigest(spec: EncoderSpec, signal: AbortSignal | undefined): Promise<string> {
  const files =
    spec.weights.format === "onnx"
      ? [
          spec.weights.file,
          ...externalDataFiles(spec.weights.file).map((name) => path.resolve(path.dirname(spec.weights.file), name)),
        ]
      : weightFiles(spec.weights.file).shards;
  const digests: string[] = [];
  for (const file of files) digests.push(await fileSha256(file, { signal }));
  return digests.length === 1 ? digests[0] : createHash("sha256").update(digests.join("\n")).digest("hex");
}

/** sha256 of the tokenizer's files together: some kinds have a second one, and settings. */
async function tokenizerDigest(file: string, signal: AbortSignal | undefined): Promise<string> {
  const beside = ["merges.txt", "tokenizer_config.json"].map((name) => path.join(path.dirname(file), name));
  const digests: string[] = [];
  for (const each of [file, ...beside.filter((name) => existsSync(name))])
    digests.push(await fileSha256(each, { signal }));
  return createHash("sha256").update(digests.join("\n")).digest("hex");
}

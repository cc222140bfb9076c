/**
 * The encoder families that can be built from weights, told apart by config.json. Everything that must know "which
 * family?" asks here, so that a family is one file (bert.ts, …) and one line in each table below.
 */
import { elementCount } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type BertConfig, bertCanonicalName, bertSizes, bertWeightShapes, parseBertConfig } from "./bert.ts";
import { renamedWeights, type Weights } from "./weights.ts";

export type Architecture = { family: "bert"; config: BertConfig };

export type Family = Architecture["family"];

/** What `model_type` of config.json says, and which family builds it. */
const MODEL_TYPES: Readonly<Record<string, (json: unknown) => Architecture>> = {
  bert: (json) => ({ family: "bert", config: parseBertConfig(json) }),
};

export interface ArchitectureSizes {
  vocabSize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  ffnSize: number;
  /** Tokens that the position table has room for; null where positions are relative and texts may be of any length. */
  maxTokens: number | null;
  /** Numbers in all weights that the encoder reads. */
  parameters: number;
}

/**
 * Which encoder config.json describes. A file that names no model_type is taken for a BERT, as old ones are.
 * @throws {ParallaxError} model.unsupported (another architecture or activation), model.bad-config (a field is missing)
 */
export function parseArchitecture(json: unknown): Architecture {
  const type = typeof json === "object" && json !== null ? (json as Record<string, unknown>).model_type : undefined;
  const parse = type === undefined ? MODEL_TYPES.bert : typeof type === "string" ? MODEL_TYPES[type] : undefined;
  if (parse === undefined)
    throw new ParallaxError(
      "model.unsupported",
      `config.json says model_type ${JSON.stringify(type)}; Parallax builds ${modelTypes().join(", ")} from weights.`,
      {
        hint: "Use the model's ONNX export (onnx/model.onnx), or a model of one of these families.",
        details: { field: "model_type", found: type, supported: modelTypes() },
      },
    );
  return parse(json);
}

/** Values of `model_type` that can be built from weights. */
export function modelTypes(): string[] {
  return Object.keys(MODEL_TYPES);
}

/** Every tensor that the encoder reads, by its canonical name, with its shape. Linear layers are [out, in]. */
export function weightShapes(architecture: Architecture): Map<string, number[]> {
  switch (architecture.family) {
    case "bert":
      return bertWeightShapes(architecture.config);
  }
}

/** Sizes that a reader, a memory estimate or a batch plan needs, whatever the family. */
export function architectureSizes(architecture: Architecture): ArchitectureSizes {
  let parameters = 0;
  for (const shape of weightShapes(architecture).values()) parameters += elementCount(shape);
  switch (architecture.family) {
    case "bert":
      return { ...bertSizes(architecture.config), parameters };
  }
}

/** The name under which the builders ask for a tensor, whatever wrapper the file was saved from. */
export function canonicalName(name: string, architecture: Architecture): string {
  switch (architecture.family) {
    case "bert":
      return bertCanonicalName(name);
  }
}

/** The same tensors under canonical names. */
export function canonicalWeights(weights: Weights, architecture: Architecture): Weights {
  return renamedWeights(weights, (name) => canonicalName(name, architecture));
}

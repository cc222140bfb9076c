/**
 * The encoder families that can be built from weights, told apart by config.json. Everything that must know "which
 * family?" asks here, so that a family is one file (bert.ts, …) and one line in each table below.
 */
import { elementCount } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type BertConfig, bertCanonicalName, bertWeightShapes, parseBertConfig } from "./bert.ts";
import {
  type DistilBertConfig,
  distilBertCanonicalName,
  distilBertWeightShapes,
  parseDistilBertConfig,
} from "./distilbert.ts";
import { type MpnetConfig, mpnetWeightShapes, parseMpnetConfig } from "./mpnet.ts";
import { parseRobertaConfig, type RobertaConfig, robertaWeightShapes } from "./roberta.ts";
import { parseT5Config, type T5Config, t5CanonicalName, t5WeightShapes } from "./t5.ts";
import { renamedWeights, type Weights } from "./weights.ts";

export type Architecture =
  | { family: "bert"; config: BertConfig }
  | { family: "roberta"; config: RobertaConfig }
  | { family: "distilbert"; config: DistilBertConfig }
  | { family: "mpnet"; config: MpnetConfig }
  | { family: "t5"; config: T5Config };

export type Family = Architecture["family"];

const roberta = (json: unknown): Architecture => ({ family: "roberta", config: parseRobertaConfig(json) });
const t5 = (json: unknown): Architecture => ({ family: "t5", config: parseT5Config(json) });

/** What `model_type` of config.json says, and which family builds it. */
const MODEL_TYPES: Readonly<Record<string, (json: unknown) => Architecture>> = {
  bert: (json) => ({ family: "bert", config: parseBertConfig(json) }),
  roberta,
  "xlm-roberta": roberta,
  camembert: roberta,
  distilbert: (json) => ({ family: "distilbert", config: parseDistilBertConfig(json) }),
  mpnet: (json) => ({ family: "mpnet", config: parseMpnetConfig(json) }),
  t5,
  mt5: t5,
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
  const parse =
    type === undefined
      ? MODEL_TYPES.bert
      : typeof type === "string" && Object.hasOwn(MODEL_TYPES, type)
        ? MODEL_TYPES[type]
        : undefined;
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
    case "roberta":
      return robertaWeightShapes(architecture.config);
    case "distilbert":
      return distilBertWeightShapes(architecture.config);
    case "mpnet":
      return mpnetWeightShapes(architecture.config);
    case "t5":
      return t5WeightShapes(architecture.config);
  }
}

/** Sizes that a reader, a memory estimate or a batch plan needs, whatever the family. */
export function architectureSizes(architecture: Architecture): ArchitectureSizes {
  let parameters = 0;
  for (const shape of weightShapes(architecture).values()) parameters += elementCount(shape);
  const { vocabSize, hiddenSize, layers, heads, ffnSize } = architecture.config;
  return { vocabSize, hiddenSize, layers, heads, ffnSize, maxTokens: maxTokens(architecture), parameters };
}

function maxTokens({ family, config }: Architecture): number | null {
  switch (family) {
    case "bert":
    case "distilbert":
      return config.maxPositions;
    case "roberta":
    case "mpnet":
      return config.maxPositions - config.padId - 1;
    case "t5":
      return null;
  }
}

/** The name under which the builders ask for a tensor, whatever wrapper the file was saved from. */
export function canonicalName(name: string, architecture: Architecture): string {
  switch (architecture.family) {
    case "bert":
    case "roberta":
    case "mpnet":
      return bertCanonicalName(name);
    case "distilbert":
      return distilBertCanonicalName(name);
    case "t5":
      return t5CanonicalName(name);
  }
}

/** The same tensors under canonical names. */
export function canonicalWeights(weights: Weights, architecture: Architecture): Weights {
  return renamedWeights(weights, (name) => canonicalName(name, architecture));
}

/**
 * Encoders without layers: a table of vectors and a tokenizer. A text is the mean of its pieces' vectors; special tokens do
 * not count. Model2Vec (MinishLab, model2vec) also has a weight a piece, and leaves unknown pieces out.
 *
 * A table may be shared: with a `mapping`, piece i has row mapping[i] of a smaller table (vocabulary quantisation).
 */
import type { Tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Encoding, Tokenizer } from "../tokenize/tokenizer.ts";
import { normaliseRows } from "./embedding-set.ts";
import type { Engine } from "./engine.ts";
import type { Safetensors } from "./safetensors.ts";

export interface StaticModel {
  /** float32 [rows, d]; integers of an int8 table stay integers: the length of the result is 1 in the end. */
  table: Tensor<"float32">;
  /** Row of each piece; null: piece i has row i. */
  mapping: Int32Array | null;
  /** Weight of each piece; null: all 1. */
  weights: Float32Array | null;
  precision: string;
}

/**
 * @throws {ParallaxError} encoder.missing-weight, encoder.wrong-shape, encoder.not-finite
 */
export function readStaticModel(file: Safetensors, pieces: number): StaticModel {
  const entry = file.entries.get("embeddings") ?? file.entries.get("embedding.weight");
  if (entry === undefined || entry.dims.length !== 2)
    throw new ParallaxError(
      "encoder.missing-weight",
      `${file.path} has no table "embeddings" of shape [pieces, d], which a static model needs. It holds ${[...file.entries.keys()].join(", ")}. Nothing was loaded.`,
      { hint: "Copy model.safetensors from the model again.", details: { file: file.path } },
    );
  const table = file.readFloat32(entry.name);
  const perPiece = (name: string): Float32Array | null => (file.entries.has(name) ? file.readFloat32(name).data : null);
  const weights = perPiece("weights");
  const rows = perPiece("mapping");
  const mapping = rows === null ? null : Int32Array.from(rows);
  const refuse = (problem: string) =>
    new ParallaxError("encoder.wrong-shape", `${file.path}: ${problem}. Nothing was loaded.`, {
      hint: "Copy model.safetensors and tokenizer.json from the same model.",
      details: { file: file.path },
    });
  const count = mapping?.length ?? table.dims[0];
  if (count < pieces) throw refuse(`the table has vectors for ${count} pieces, the tokenizer makes ${pieces}`);
  if (weights !== null && weights.length < pieces)
    throw refuse(`it has ${weights.length} weights for ${pieces} pieces of the tokenizer`);
  const bad = mapping?.findIndex((row) => row < 0 || row >= table.dims[0]) ?? -1;
  if (bad >= 0) throw refuse(`piece ${bad} is mapped to row ${mapping?.[bad]} of a table of ${table.dims[0]}`);
  for (const data of [table.data, weights ?? new Float32Array()])
    if (data.some((value) => !Number.isFinite(value)))
      throw new ParallaxError(
        "encoder.not-finite",
        `${file.path} holds numbers that are not finite. Nothing was loaded.`,
        { hint: "Copy the file from the model again.", details: { file: file.path } },
      );
  const precision = { F32: "float32", F16: "float16", BF16: "bfloat16", I8: "int8", F64: "float64" }[entry.dtype];
  return { table, mapping, weights, precision: precision ?? entry.dtype };
}

/**
 * How Model2Vec makes tokens of a text: cut by characters first (as many as `maxTokens` pieces of median length have), no
 * special tokens, unknown pieces taken out, then at most maxTokens of them.
 */
export function staticTokens(tokenizer: Tokenizer, maxTokens: number): (text: string) => Encoding {
  const lengths = tokenizer
    .pieces()
    .map((piece) => [...piece].length)
    .sort((a, b) => a - b);
  const middle = lengths.length / 2;
  const median =
    lengths.length % 2 === 1 ? lengths[Math.floor(middle)] : ((lengths[middle - 1] ?? 1) + (lengths[middle] ?? 1)) / 2;
  const most = maxTokens * Math.max(1, Math.floor(median));
  const [start, end] = [tokenizer.prefix.length, tokenizer.suffix.length];
  return (text) => {
    const points = text.length > most ? [...text] : undefined;
    const isCut = points !== undefined && points.length > most;
    const all = tokenizer.encode(isCut ? points.slice(0, most).join("") : text).ids;
    const body = all.slice(start, all.length - end);
    const known = body.filter((id) => id !== tokenizer.unkId);
    return {
      ids: known.slice(0, maxTokens),
      truncated: isCut || known.length > maxTokens,
      unknown: body.length - known.length,
    };
  };
}

/**
 * An engine without a graph: a text is the mean of its tokens' rows, each times its weight. A text without a token that
 * counts is the zero vector. Sums in float64.
 *
 * @param options.special ids that do not count
 */
export function staticEngine(
  model: StaticModel,
  options: { normalise: boolean; special?: ReadonlySet<number> },
): Engine {
  const { table, mapping, weights } = model;
  const { special } = options;
  const d = table.dims[1];
  const sums = new Float64Array(d);
  return {
    dimensions: d,
    provider: "cpu",
    precision: model.precision,
    masksPooling: false,
    async run({ ids, mask, b, t }) {
      const out = new Float32Array(b * d);
      for (let i = 0; i < b; i++) {
        sums.fill(0);
        let count = 0;
        for (let j = i * t; j < (i + 1) * t; j++) {
          if (mask[j] === 0n) continue;
          const id = Number(ids[j]);
          if (special?.has(id)) continue;
          const row = (mapping === null ? id : mapping[id]) * d;
          const weight = weights === null ? 1 : weights[id];
          count++;
          for (let k = 0; k < d; k++) sums[k] += weight * table.data[row + k];
        }
        if (count > 0) for (let k = 0; k < d; k++) out[i * d + k] = sums[k] / count;
      }
      if (options.normalise) normaliseRows(out, d);
      return out;
    },
    dispose: async () => undefined,
  };
}

import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { canonicalWeights } from "../../kernels/model/architecture.ts";
import { bertWeightShapes, parseBertConfig } from "../../kernels/model/bert.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { randomBertWeights, TINY, TINY_BERT } from "../../kernels/model/random.ts";
import { checkFinite, findNonFinite, type Weights, weightsOf } from "../../kernels/model/weights.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

function changed(change: (tensors: Map<string, Tensor>) => void): Weights {
  const weights = randomBertWeights();
  const tensors = new Map(weights.names().map((name) => [name, weights.get(name)]));
  change(tensors);
  return weightsOf(tensors);
}

function errorOf(call: () => unknown): Pick<ParallaxError, "code" | "message"> {
  try {
    call();
  } catch (error) {
    if (error instanceof ParallaxError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was thrown");
}

const build = (weights: Weights) =>
  buildEncoderGraph(TINY, weights, { pooling: "mean", normalise: true, weightsAs: "initializers" });

describe("weights of an encoder", () => {
  it("are refused in another shape, with both shapes", () => {
    const name = "encoder.layer.1.output.dense.weight";
    const weights = changed((tensors) => tensors.set(name, tensor("float32", [64, 32], new Float32Array(2048))));
    expect(errorOf(() => build(weights))).toEqual({
      code: "weights.wrong-shape",
      message: `The tensor "${name}" has shape [64, 32]; the configuration asks for [32, 64].`,
    });
  });

  it("are refused when one is missing", () => {
    const weights = changed((tensors) => tensors.delete("embeddings.LayerNorm.bias"));
    expect(errorOf(() => build(weights)).message).toContain('no tensor "embeddings.LayerNorm.bias"');
  });

  it("are refused as half floats, which the caller converts", () => {
    const name = "embeddings.LayerNorm.bias";
    const weights = changed((tensors) => tensors.set(name, tensor("float16", [32], new Uint16Array(32))));
    expect(errorOf(() => build(weights)).code).toBe("weights.wrong-type");
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("are searched for %s", (value) => {
    const name = "encoder.layer.0.intermediate.dense.weight";
    const weights = changed((tensors) => {
      const data = Float32Array.from(tensors.get(name)?.data as Float32Array);
      data[77] = value;
      tensors.set(name, tensor("float32", [64, 32], data));
    });
    expect(findNonFinite(weights)).toEqual({ tensor: name, index: 77, value });
    expect(errorOf(() => checkFinite(weights))).toEqual({
      code: "weights.not-finite",
      message: `The tensor "${name}" holds ${value} at position 77; the model would only give NaN.`,
    });
  });

  it("pass when every number is finite", () => {
    expect(findNonFinite(randomBertWeights())).toBeNull();
  });

  it("are found under the names of other wrappers and older files", () => {
    const weights = randomBertWeights();
    const wrapped = weightsOf(
      new Map(
        weights.names().map((name) => {
          const old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
          return [`bert.${old}`, weights.get(name)];
        }),
      ),
    );
    const found = canonicalWeights(wrapped, TINY);
    expect(found.names()).toEqual([...bertWeightShapes(TINY_BERT).keys()]);
    expect(found.get("embeddings.LayerNorm.weight")).toBe(weights.get("embeddings.LayerNorm.weight"));
  });
});

describe("config.json", () => {
  const MINILM = {
    model_type: "bert",
    hidden_act: "gelu",
    hidden_size: 384,
    intermediate_size: 1536,
    layer_norm_eps: 1e-12,
    max_position_embeddings: 512,
    num_attention_heads: 12,
    num_hidden_layers: 6,
    type_vocab_size: 2,
    vocab_size: 30522,
  };

  it("is read", () => {
    expect(parseBertConfig(MINILM)).toEqual({
      vocabSize: 30522,
      hiddenSize: 384,
      layers: 6,
      heads: 12,
      ffnSize: 1536,
      maxPositions: 512,
      typeVocabSize: 2,
      layerNormEps: 1e-12,
      activation: "gelu",
    });
  });

  it.each<[unknown, string, string]>([
    [[], "model.bad-config", "not a JSON object"],
    [{ ...MINILM, hidden_size: undefined }, "model.bad-config", "hidden_size undefined"],
    [{ ...MINILM, num_hidden_layers: 2.5 }, "model.bad-config", "num_hidden_layers 2.5"],
    [{ ...MINILM, num_attention_heads: 7 }, "model.bad-config", "does not divide"],
    [{ ...MINILM, model_type: "t5" }, "model.unsupported", '"t5"'],
    [{ ...MINILM, hidden_act: "silu" }, "model.unsupported", '"silu"'],
    [{ ...MINILM, position_embedding_type: "relative_key" }, "model.unsupported", '"relative_key"'],
  ])("is refused when it says %j", (json, code, part) => {
    const error = errorOf(() => parseBertConfig(json));
    expect(error.code).toBe(code);
    expect(error.message).toContain(part);
  });
});

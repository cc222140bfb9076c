/** Folders that load and folders that must not, each with an error that says what was found and what to do. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readModelFolder } from "../../kernels/encode/encoder-spec.ts";
import { type OpenOptions, openEncoder } from "../../kernels/encode/open-encoder.ts";
import { openSafetensors, writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import type { Graph } from "../../kernels/graph/ir.ts";
import { encodeModel } from "../../kernels/graph/onnx-write.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { buildBert, parseBertConfig } from "../../kernels/model/bert.ts";
import { buildEncoderGraph, provideWeights } from "../../kernels/model/encoder-graph.ts";
import { POOLINGS } from "../../kernels/model/pooling.ts";
import { weightsOf } from "../../kernels/model/weights.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-folders-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
const good = writeTinyBert(path.join(root, "good"));
let copies = 0;
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** A fresh copy of the good folder. */
function copy(): string {
  const folder = path.join(root, `copy-${++copies}`);
  cpSync(good, folder, { recursive: true });
  return folder;
}
const json = (folder: string, name: string) =>
  JSON.parse(readFileSync(path.join(folder, name), "utf8")) as Record<string, unknown>;
const write = (folder: string, name: string, value: unknown) => {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
};
const remove = (folder: string, name: string) => rmSync(path.join(folder, name), { recursive: true });

/** Opens, encodes and closes. */
async function vectors(folder: string, options: OpenOptions = {}): Promise<Float32Array> {
  const encoder = await openEncoder(folder, { compute, ...options });
  const { data } = await encoder.encode(["the dog reads a book", "cat"]);
  await encoder.dispose();
  return data;
}

/** The error of opening a folder: every one names the folder, says that nothing was loaded and gives one next step. */
async function refusal(folder: string, options: OpenOptions = {}): Promise<ParallaxError> {
  const before = (await compute.counts()).sessions;
  try {
    await openEncoder(folder, { compute, ...options });
  } catch (error) {
    const refused = error as ParallaxError;
    expect(refused.message).toContain(folder);
    expect(refused.message).toMatch(/Nothing was loaded|nothing was loaded|No text was encoded/);
    expect(refused.hint).toBeTruthy();
    expect((await compute.counts()).sessions).toBe(before);
    return refused;
  }
  throw new Error(`${folder} was loaded`);
}

function close(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => Math.abs(value - b[i]!) <= 2e-6);
}

describe("a folder loads", () => {
  test("with prefixed weights, old names of norms and half precision", async () => {
    const folder = copy();
    const file = openSafetensors(path.join(good, "model.safetensors"));
    const renamed = new Map<string, Tensor>();
    for (const name of file.entries.keys()) {
      const other = `bert.${name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")}`;
      renamed.set(other, file.read(name));
    }
    renamed.set("embeddings.position_ids", tensor("int64", [1, 2], BigInt64Array.of(0n, 1n)));
    writeSafetensors(path.join(folder, "model.safetensors"), renamed);
    expect(await vectors(folder)).toEqual(await vectors(good));
  });

  test("as a plain transformers folder once the pooling is said", async () => {
    const folder = writeTinyBert(path.join(root, "plain"), { modules: false });
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.no-pooling");
    expect(refused.hint).toContain('{ pooling: "mean" }');
    expect(refused.details?.options).toEqual([...POOLINGS]);
    expect(close(await vectors(folder, { pooling: "mean", normalise: true, maxTokens: 48 }), await vectors(good))).toBe(
      true,
    );
  });

  test("and says what its files say", () => {
    const folder = copy();
    write(folder, "config_sentence_transformers.json", {
      prompts: { query: "query: ", document: "", task: "a {text} b" },
      default_prompt_name: "query",
      similarity_fn_name: "dot",
    });
    write(folder, "sentence_bert_config.json", { max_seq_length: 1000, do_lower_case: true });
    const { prompts, defaultPrompt, similarity, maxTokens, lowerCase, pooling, normalise, notes } =
      readModelFolder(folder);
    expect({ prompts, defaultPrompt, similarity, maxTokens, lowerCase, pooling, normalise, notes }).toEqual({
      prompts: { query: "query: {text}", task: "a {text} b" },
      defaultPrompt: "query",
      similarity: "dot",
      maxTokens: 64,
      lowerCase: true,
      pooling: "mean",
      normalise: true,
      notes: ["The folder asks for 1000 tokens, the position table has room for 64; 64 are used."],
    });
  });

  test("with the default prompt of its own, unless none is asked for", async () => {
    const folder = copy();
    write(folder, "config_sentence_transformers.json", { prompts: { query: "query: " }, default_prompt_name: "query" });
    const encoder = await openEncoder(folder, { compute });
    expect((await encoder.encode(["dog"])).prompt).toBe("query: {text}");
    expect((await encoder.encode(["dog"], { prompt: "" })).prompt).toBe("");
    await encoder.dispose();
  });
});

describe("an ONNX file", () => {
  const config = parseBertConfig(json(good, "config.json"));
  const file = openSafetensors(path.join(good, "model.safetensors"));
  const weights = weightsOf(new Map([...file.entries.keys()].map((name) => [name, file.readFloat32(name)])));

  /** The good folder with an ONNX file in place of its weights. */
  function onnxFolder(graph: Graph | Uint8Array, name = "onnx/model.onnx"): string {
    const folder = copy();
    remove(folder, "model.safetensors");
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), graph instanceof Uint8Array ? graph : encodeModel(graph));
    return folder;
  }
  /** Token vectors out, as most exports give, with a pooler output beside them and token types as input. */
  function tokenGraph(): Graph {
    const b = new GraphBuilder("export");
    const inputIds = b.input("input_ids", "int64", ["batch", "sequence"]);
    const attentionMask = b.input("attention_mask", "int64", ["batch", "sequence"]);
    const types = b.input("token_type_ids", "int64", ["batch", "sequence"]);
    const { tokens } = buildBert(b, config, provideWeights(b, weights, { weightsAs: "initializers" }), {
      inputIds,
      attentionMask,
    });
    b.output(b.squeeze(b.slice(b.add(tokens, 7), 1, 0, 1), [1]), "pooler_output");
    b.output(b.add(tokens, b.unsqueeze(b.cast(types, "float32"), [2])), "last_hidden_state");
    return b.build();
  }

  test("of token vectors gives the vectors of the weights it was made from", async () => {
    const expected = await vectors(good);
    for (const name of ["onnx/model.onnx", "model.onnx"]) {
      const folder = onnxFolder(tokenGraph(), name);
      expect(close(await vectors(folder), expected)).toBe(true);
    }
    for (const pooling of ["cls", "max"] as const)
      expect(close(await vectors(onnxFolder(tokenGraph()), { pooling }), await vectors(good, { pooling }))).toBe(true);
  });

  test("that pools by itself needs no pooling in the folder", async () => {
    const folder = onnxFolder(
      buildEncoderGraph({ family: "bert", config }, weights, {
        pooling: "cls",
        normalise: true,
        weightsAs: "initializers",
      }),
    );
    remove(folder, "modules.json");
    const encoder = await openEncoder(folder, { compute, maxTokens: 48 });
    expect(encoder.identity).toMatchObject({ architecture: "onnx", pooling: "model", dimensions: 32 });
    expect(
      close((await encoder.encode(["the dog reads a book", "cat"])).data, await vectors(good, { pooling: "cls" })),
    ).toBe(true);
    await encoder.dispose();
  });

  test("of token vectors without a pooling is refused", async () => {
    const folder = onnxFolder(tokenGraph());
    remove(folder, "modules.json");
    expect((await refusal(folder)).code).toBe("encoder.no-pooling");
  });

  test("that is no encoder is refused with its inputs and outputs", async () => {
    const b = new GraphBuilder("image");
    b.output(b.mul(b.input("pixels", "float32", ["b", 3, 8, 8]), 2), "scaled");
    const folder = onnxFolder(b.build());
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.not-an-encoder");
    expect(refused.message).toContain(
      'Inputs: "pixels" (float32 [b, 3, 8, 8]); outputs: "scaled" (float32 [b, 3, 8, 8])',
    );
  });

  test("with an input that no encoder has is refused", async () => {
    const b = new GraphBuilder("odd");
    const ids = b.input("input_ids", "int64", ["b", "t"]);
    const image = b.input("pixel_values", "float32", ["b", "t"]);
    b.output(b.add(b.cast(ids, "float32"), image), "sentence_embedding");
    expect((await refusal(onnxFolder(b.build()))).message).toContain('it also wants the input "pixel_values"');
  });

  test("whose answer is not one vector a text is refused", async () => {
    const b = new GraphBuilder("scores");
    const ids = b.cast(b.input("input_ids", "int64", ["b", "t"]), "float32");
    b.output(b.transpose(ids, [1, 0]), "sentence_embedding");
    expect((await refusal(onnxFolder(b.build()))).message).toMatch(
      /given two texts of 3 tokens and answered sentence_embedding \[3, 2\]/,
    );
  });

  test("that gives NaN is refused", async () => {
    const b = new GraphBuilder("nan");
    const ids = b.cast(b.input("input_ids", "int64", ["b", "t"]), "float32");
    b.output(b.unsqueeze(b.mul(ids, Number.NaN), [2]), "last_hidden_state");
    expect((await refusal(onnxFolder(b.build()))).code).toBe("encoder.not-finite");
  });

  test("that is no ONNX file is refused", async () => {
    const refused = await refusal(onnxFolder(new TextEncoder().encode("this is a letter, not a model")));
    expect(refused.code).toBe("encoder.not-an-encoder");
    expect(refused.message).toContain("(29 bytes)");
  });
});

describe("a folder is refused", () => {
  test("when it does not exist or is a file", async () => {
    expect(await refusal(path.join(root, "nowhere"))).toMatchObject({ code: "encoder.not-found", kind: "user" });
    expect((await refusal(path.join(good, "config.json"))).message).toContain("is a file, not a model folder");
  });

  for (const file of ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"])
    test(`without ${file}`, async () => {
      const folder = copy();
      remove(folder, file);
      const refused = await refusal(folder);
      expect(refused.code).toBe("encoder.missing-file");
      expect(refused.message).toContain(`has no ${file}`);
      expect(refused.message).toContain("It holds ");
    });

  test("with only a pickle, which is never opened", async () => {
    const folder = copy();
    renameSync(path.join(folder, "model.safetensors"), path.join(folder, "pytorch_model.bin"));
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.pickle-only");
    expect(refused.message).toMatch(/pytorch_model\.bin \(\d+ bytes\), a Python pickle/);
  });

  test("when a weight has another shape than config.json says", async () => {
    const folder = copy();
    write(folder, "config.json", { ...json(folder, "config.json"), intermediate_size: 65 });
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.wrong-shape");
    expect(refused.message).toContain('"encoder.layer.0.intermediate.dense.weight"');
    expect(refused.message).toContain("has the shape [64, 32], config.json asks for [65, 32]");
  });

  test("when a weight is missing", async () => {
    const folder = copy();
    write(folder, "config.json", { ...json(folder, "config.json"), num_hidden_layers: 3 });
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.missing-weight");
    expect(refused.message).toContain(
      '"encoder.layer.2.attention.self.query.weight", which a bert encoder of 3 layers needs',
    );
  });

  test("when a weight is not a number", async () => {
    const folder = copy();
    const weights = new Map(
      [...openSafetensors(path.join(good, "model.safetensors")).entries.keys()].map((name) => [
        name,
        openSafetensors(path.join(good, "model.safetensors")).read(name),
      ]),
    );
    const bad = weights.get("encoder.layer.1.output.dense.bias")!;
    (bad.data as Float32Array)[5] = Number.NaN;
    writeSafetensors(path.join(folder, "model.safetensors"), weights);
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.not-finite");
    expect(refused.message).toContain('"encoder.layer.1.output.dense.bias"');
    expect(refused.message).toContain("has 1 of 32 numbers that are not finite; the first is NaN at position 5");
  });

  test("when its weights were cut off", async () => {
    const folder = copy();
    truncateSync(path.join(folder, "model.safetensors"), 20_000);
    expect((await refusal(folder)).code).toBe("safetensors.damaged");
  });

  test("when its architecture is not supported and there is no ONNX file", async () => {
    const folder = copy();
    write(folder, "config.json", { ...json(folder, "config.json"), model_type: "electra" });
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.unsupported-architecture");
    expect(refused.message).toContain('of the type "electra"');
    write(folder, "config.json", { ...json(good, "config.json"), hidden_act: "silu" });
    expect((await refusal(folder)).message).toContain('hidden_act "silu"');
  });

  test("with a module that Parallax does not run, which it names", async () => {
    const folder = copy();
    const modules = JSON.parse(readFileSync(path.join(folder, "modules.json"), "utf8")) as unknown[];
    modules.splice(2, 0, { idx: 2, name: "2", path: "2_CNN", type: "sentence_transformers.models.CNN" });
    write(folder, "modules.json", modules);
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.unsupported-module");
    expect(refused.message).toContain("sentence_transformers.models.CNN at place 3 of 4");
  });

  test("when a module lies outside of it", async () => {
    const folder = copy();
    write(folder, "modules.json", [{ type: "sentence_transformers.models.Transformer", path: "../good" }]);
    expect((await refusal(folder)).message).toContain('names the folder "../good", which lies outside');
  });

  test("with a pooling that Parallax does not do, or two at once", async () => {
    const folder = copy();
    write(folder, "1_Pooling/config.json", { word_embedding_dimension: 32, pooling_mode_median_tokens: true });
    expect((await refusal(folder)).message).toContain("asks for pooling_mode_median_tokens");
    write(folder, "1_Pooling/config.json", {
      word_embedding_dimension: 32,
      pooling_mode_mean_tokens: true,
      pooling_mode_cls_token: true,
    });
    expect((await refusal(folder)).code).toBe("encoder.unsupported-pooling");
    write(folder, "1_Pooling/config.json", { word_embedding_dimension: 768, pooling_mode_mean_tokens: true });
    expect((await refusal(folder)).message).toContain(
      "pools vectors of 768 dimensions, config.json says that the model makes 32",
    );
  });

  test("when a file is not JSON", async () => {
    const folder = copy();
    write(folder, "config.json", '{"model_type": "bert",');
    const refused = await refusal(folder);
    expect(refused.code).toBe("encoder.damaged-file");
    expect(refused.message).toContain("config.json (22 characters) is not valid JSON");
  });
});

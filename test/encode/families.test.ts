import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type OpenOptions, openEncoder } from "../../kernels/encode/open-encoder.ts";
import { openSafetensors, writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { randomTensor, randomWeights } from "../../kernels/model/random.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { TINY_CONFIGS, writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-families-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
let folders = 0;
const fresh = () => path.join(root, `model-${++folders}`);
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

const TEXTS = ["the dog reads a book", "cat", "a red house and a very old river in the city"];

async function vectors(folder: string, options: OpenOptions = {}, texts = TEXTS): Promise<Float32Array> {
  const encoder = await openEncoder(folder, { compute, ...options });
  try {
    return (await encoder.encode(texts)).data;
  } finally {
    await encoder.dispose();
  }
}

const far = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

describe.each(Object.keys(TINY_CONFIGS) as (keyof typeof TINY_CONFIGS)[])("a folder of the type %s", (type) => {
  it("gives the vectors of its architecture, alone or in a batch", async () => {
    const folder = fresh();
    const { architecture } = writeTinyFolder(folder, type);
    const encoder = await openEncoder(folder, { compute });
    const set = await encoder.encode(TEXTS);
    expect(encoder.identity).toMatchObject({ architecture: architecture.family, dimensions: 32, pooling: "mean" });
    for (const [i, text] of TEXTS.entries()) {
      const alone = await encoder.encode([text]);
      // The graph by hand, one text without padding.
      const ids = encoder.tokenizer.encode(text).ids;
      const graph = buildEncoderGraph(architecture, randomWeights(architecture, 3), {
        pooling: "mean",
        normalise: true,
        weightsAs: "initializers",
      });
      const session = await compute.createSession({ graph });
      const row = (value: bigint[]) => tensor("int64", [1, ids.length], BigInt64Array.from(value));
      const { sentence_embedding } = await session.run({
        input_ids: row(ids.map(BigInt)),
        attention_mask: row(ids.map(() => 1n)),
      });
      await session.dispose();
      expect(far(alone.data, sentence_embedding.data as Float32Array)).toBeLessThan(1e-6);
      expect(far(set.row(i), alone.data)).toBeLessThan(1e-6);
    }
    await encoder.dispose();
  });
});

describe("weights", () => {
  it("are found under the names that other programs save", async () => {
    const [plain, wrapped, tied] = [fresh(), fresh(), fresh()];
    writeTinyFolder(plain, "t5");
    writeTinyFolder(wrapped, "t5", { rename: (name) => `0.auto_model.${name}` });
    writeTinyFolder(tied, "t5", { rename: (name) => name.replace("shared.weight", "encoder.embed_tokens.weight") });
    const expected = await vectors(plain);
    expect(await vectors(wrapped)).toEqual(expected);
    expect(await vectors(tied)).toEqual(expected);
    const roberta = [fresh(), fresh()];
    writeTinyFolder(roberta[0], "xlm-roberta");
    writeTinyFolder(roberta[1], "xlm-roberta", { rename: (name) => `roberta.${name}` });
    expect(await vectors(roberta[1])).toEqual(await vectors(roberta[0]));
  });

  it("may be spread over several files", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "mpnet");
    const expected = await vectors(folder);
    const whole = openSafetensors(path.join(folder, "model.safetensors"));
    const names = [...whole.entries.keys()];
    const index: Record<string, string> = {};
    for (const [i, part] of [names.slice(0, 9), names.slice(9)].entries()) {
      const file = `model-0000${i + 1}-of-00002.safetensors`;
      writeSafetensors(
        path.join(folder, file),
        new Map(part.map((name): [string, Tensor] => [name, whole.read(name)])),
      );
      for (const name of part) index[name] = file;
    }
    rmSync(path.join(folder, "model.safetensors"));
    writeFileSync(path.join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: index }));
    expect(await vectors(folder)).toEqual(expected);
  });

  it("in half precision give the vectors of the rounded numbers", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "distilbert");
    const expected = await vectors(folder);
    const file = path.join(folder, "model.safetensors");
    const whole = openSafetensors(file);
    const bits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0] >>> 16;
    const halves = new Map<string, Tensor>();
    for (const [name, { dims }] of whole.entries)
      halves.set(name, tensor("bfloat16", dims, Uint16Array.from(whole.readFloat32(name).data, bits)));
    renameSync(file, path.join(folder, "old"));
    writeSafetensors(file, halves);
    // bfloat16 keeps 8 bits: vectors of length 1 move by a few hundredths, and no more.
    expect(far(await vectors(folder), expected)).toBeGreaterThan(1e-4);
    expect(far(await vectors(folder), expected)).toBeLessThan(0.05);
  });
});

describe("the built graph of a float32 model", () => {
  it("links the model's own file and copies no weights; a damaged link is noticed and built again", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "bert", { seed: 77 });
    const expected = await vectors(folder);
    const cache = path.join(root, "home/cache/graphs");
    const entry = readdirSync(cache)
      .map((name) => path.join(cache, name))
      .sort((a, b) => statSync(b).ctimeMs - statSync(a).ctimeMs)[0];
    const linked = path.join(entry, "weights-0.safetensors");
    const weights = path.join(folder, "model.safetensors");
    expect(statSync(linked).ino).toBe(statSync(weights).ino);
    expect(statSync(path.join(entry, "model.onnx_data")).size).toBeLessThan(statSync(weights).size / 4);
    rmSync(linked);
    writeFileSync(linked, "not the weights");
    expect(await vectors(folder)).toEqual(expected);
    expect(statSync(linked).ino).toBe(statSync(weights).ino);
  });
});

describe("a T5 folder as its authors publish it", () => {
  it("is read with spiece.model alone, prefix, dense layer and instruction included", async () => {
    const folder = fresh();
    const from = path.resolve(import.meta.dirname, "../golden/tokenizers/unigram.model");
    writeTinyFolder(folder, "t5", {
      dense: 10,
      includePrompt: false,
      tokenizer: {
        from,
        as: "spiece.model",
        config: { tokenizer_class: "T5Tokenizer", extra_ids: 100 },
        vocabSize: 2000,
      },
    });
    const encoder = await openEncoder(folder, { compute });
    expect(path.basename(encoder.spec.tokenizer)).toBe("spiece.model");
    expect([encoder.tokenizer.prefix.length, encoder.tokenizer.suffix.length]).toEqual([0, 1]);
    const set = await encoder.encode(TEXTS, { prompt: "Represent the sentence: {text}" });
    expect(set.dimensions).toBe(10);
    const alone = await encoder.encode([TEXTS[1]], { prompt: "Represent the sentence: {text}" });
    expect(far(set.row(1), alone.data)).toBeLessThan(1e-6);
    await encoder.dispose();
  });
});

describe("a dense layer after the pooling", () => {
  it("is applied before normalising, from weights and from token vectors of an ONNX file", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "t5", { dense: 10 });
    const raw = fresh();
    writeTinyFolder(raw, "t5");
    const pooled = await vectors(raw, { normalise: false });
    const weight = randomTensor("dense.weight", [10, 32], 3).data;
    const expected = TEXTS.flatMap((_, i) => {
      const row = Array.from({ length: 10 }, (_, o) =>
        Array.from({ length: 32 }, (_, k) => pooled[i * 32 + k] * weight[o * 32 + k]).reduce((a, b) => a + b),
      );
      const length = Math.hypot(...row);
      return row.map((value) => value / length);
    });
    expect(far(await vectors(folder), Float32Array.from(expected))).toBeLessThan(1e-6);
  });

  it("is refused as a pickle, in another shape and with another activation", async () => {
    const refusal = async (change: (folder: string) => void) => {
      const folder = fresh();
      writeTinyFolder(folder, "t5", { dense: 10 });
      change(folder);
      return openEncoder(folder, { compute }).then(
        () => "loaded",
        (error: ParallaxError) => `${error.code}: ${error.message}`,
      );
    };
    const dense = (folder: string, name: string) => path.join(folder, "2_Dense", name);
    expect(
      await refusal((folder) => renameSync(dense(folder, "model.safetensors"), dense(folder, "pytorch_model.bin"))),
    ).toMatch(/^encoder.pickle-only: .*2_Dense.pytorch_model.bin/);
    const config = { in_features: 32, out_features: 9, bias: false };
    expect(await refusal((folder) => writeFileSync(dense(folder, "config.json"), JSON.stringify(config)))).toMatch(
      /^encoder.wrong-shape: .*\[10, 32\].*\[9, 32\]/,
    );
    const relu = { ...config, out_features: 10, activation_function: "torch.nn.modules.activation.ReLU" };
    expect(await refusal((folder) => writeFileSync(dense(folder, "config.json"), JSON.stringify(relu)))).toMatch(
      /^encoder.unsupported-module: .*ReLU/,
    );
  });
});

describe("an encoder that leaves the instruction out of its mean", () => {
  const INSTRUCTION = "represent the science sentence: ";

  /** The authors' rule, by hand: mean over what is left of the token vectors. */
  async function byHand(
    type: keyof typeof TINY_CONFIGS,
    joined: string,
    skip: number,
    maxTokens?: number,
  ): Promise<Float32Array> {
    const folder = fresh();
    const { architecture } = writeTinyFolder(folder, type);
    const encoder = await openEncoder(folder, { compute });
    const ids = encoder.tokenizer.encode(joined, maxTokens).ids;
    await encoder.dispose();
    const graph = buildEncoderGraph(architecture, randomWeights(architecture, 3), {
      pooling: "mean",
      normalise: true,
      poolingMask: true,
      weightsAs: "initializers",
    });
    const session = await compute.createSession({ graph });
    const row = (value: bigint[]) => tensor("int64", [1, ids.length], BigInt64Array.from(value));
    const { sentence_embedding } = await session.run({
      input_ids: row(ids.map(BigInt)),
      attention_mask: row(ids.map(() => 1n)),
      pooling_mask: row(ids.map((_, i) => (i < skip ? 0n : 1n))),
    });
    await session.dispose();
    return sentence_embedding.data as Float32Array;
  }

  it.each(["t5", "bert"] as const)("cuts as many tokens as the instruction alone has: %s", async (type) => {
    const folder = fresh();
    writeTinyFolder(folder, type, { includePrompt: false });
    const encoder = await openEncoder(folder, { compute });
    const alone = encoder.tokenizer.encode(INSTRUCTION).ids.length;
    const set = await encoder.encode(TEXTS, { prompt: `${INSTRUCTION}{text}` });
    for (const [i, text] of TEXTS.entries())
      expect(far(set.row(i), await byHand(type, INSTRUCTION + text, alone - 1))).toBeLessThan(1e-6);
    expect(set.report.warnings).toEqual([]);
    // The same words with the instruction pooled are other vectors.
    const pooled = await vectors(
      folder,
      { promptPooling: "include" },
      TEXTS.map((text) => INSTRUCTION + text),
    );
    expect(far(set.data, pooled)).toBeGreaterThan(1e-3);
    await encoder.dispose();
  });

  it("follows the rules of each of the authors' codes", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "t5", { includePrompt: false });
    const encode = async (promptRule: OpenOptions["promptRule"], prompt: string, text: string) => {
      const encoder = await openEncoder(folder, { compute, ...(promptRule === undefined ? {} : { promptRule }) });
      const { data } = await encoder.encode([text], { prompt });
      await encoder.dispose();
      return data;
    };
    // Pieces here: [CLS] query : … [SEP]; "query" alone is [CLS] query [SEP].
    expect(far(await encode("instructor", "query: {text}", " cat "), await byHand("t5", "query:cat", 3))).toBeLessThan(
      1e-6,
    );
    expect(
      far(await encode("instructor-2023", "query: {text}", " cat "), await byHand("t5", "query: cat", 3)),
    ).toBeLessThan(1e-6);
    expect(far(await encode(undefined, "{text}", "cat"), await byHand("t5", "cat", 0))).toBeLessThan(1e-6);
  });

  it("says where the instruction merges with the text, and where nothing is left", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "bert", { includePrompt: false });
    const encoder = await openEncoder(folder, { compute, maxTokens: 8 });
    const merged = await encoder.encode(["g", " cat"], { prompt: "do{text}" });
    expect(merged.report.warnings.join()).toContain("1 of 2 texts the instruction's last piece merges");
    expect(merged.report.warnings[0]).toContain("1 of 2 texts no token of the text is left to pool");
    const full = await encoder.encode(["dog"], { prompt: `${"word ".repeat(9)}{text}` });
    expect(full.report.warnings[0]).toContain("1 of 1 texts no token of the text is left to pool");
    // As in the authors' code the instruction is cut at the same length, so the last special token is what is pooled.
    expect(far(full.data, await byHand("bert", "word ".repeat(9), 7, 8))).toBeLessThan(1e-6);
    await encoder.dispose();
  });

  it("refuses an instruction after the text", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "bert", { includePrompt: false });
    const encoder = await openEncoder(folder, { compute });
    await expect(encoder.encode(["dog"], { prompt: "{text} in science" })).rejects.toMatchObject({
      code: "prompt.not-a-prefix",
    });
    await encoder.dispose();
  });
});

describe("lengths", () => {
  it("leave the two rows of an XLM-R table that no token can have", async () => {
    const folder = fresh();
    writeTinyFolder(folder, "xlm-roberta");
    const encoder = await openEncoder(folder, { compute });
    expect(encoder.spec.maxTokens).toBe(64);
    const set = await encoder.encode(["word ".repeat(100)]);
    expect(set.report.truncated).toEqual([0]);
    await encoder.dispose();
  });

  it.each([-5, 0, 2.5, "256"])("of %j in sentence_bert_config.json are refused", async (length) => {
    const folder = fresh();
    writeTinyFolder(folder, "bert");
    writeFileSync(path.join(folder, "sentence_bert_config.json"), JSON.stringify({ max_seq_length: length }));
    await expect(openEncoder(folder, { compute })).rejects.toMatchObject({ code: "encoder.bad-length" });
  });

  it.each([-1, 0, Number.NaN, 1e9])("of %d that the user asks for are refused", async (maxTokens) => {
    const folder = fresh();
    writeTinyFolder(folder, "bert");
    await expect(openEncoder(folder, { compute, maxTokens })).rejects.toMatchObject({ code: "encoder.bad-length" });
  });
});

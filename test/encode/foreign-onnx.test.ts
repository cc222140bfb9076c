import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { externalDataFiles } from "../../kernels/encode/onnx-external.ts";
import { type OpenOptions, openEncoder } from "../../kernels/encode/open-encoder.ts";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import type { Graph } from "../../kernels/graph/ir.ts";
import { type ExternalReference, encodeModel } from "../../kernels/graph/onnx-write.ts";
import { buildTokens, provideWeights } from "../../kernels/model/encoder-graph.ts";
import { randomWeights } from "../../kernels/model/random.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { tinyTokenizerJson } from "../support/tiny-bert.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-onnx-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
let folders = 0;
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

const TEXTS = ["the dog reads a book", "cat"];
const PROMPT = "represent the sentence: {text}";

/** The same tiny T5 with a dense head, once from weights and once as an export of its token vectors. */
function pair(graph: (b: GraphBuilder, tokens: ReturnType<typeof buildTokens>["tokens"]) => void = plain) {
  const built = path.join(root, `built-${++folders}`);
  const { architecture, seed } = writeTinyFolder(built, "t5", { dense: 10, includePrompt: false });
  const foreign = path.join(root, `foreign-${folders}`);
  cpSync(built, foreign, { recursive: true });
  rmSync(path.join(foreign, "model.safetensors"));
  const b = new GraphBuilder("export");
  const inputIds = b.input("input_ids", "int64", ["batch", "sequence"]);
  const attentionMask = b.input("attention_mask", "int64", ["batch", "sequence"]);
  const provider = provideWeights(b, randomWeights(architecture, seed), { weightsAs: "initializers" });
  graph(b, buildTokens(b, architecture, provider, { inputIds, attentionMask }).tokens);
  return { built, foreign, graph: b.build() };
}
const plain: NonNullable<Parameters<typeof pair>[0]> = (b, tokens) => {
  b.output(tokens, "token_embeddings");
};

function save(folder: string, graph: Graph, name = "onnx/model.onnx"): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, encodeModel(graph));
  return file;
}

/** The graph with its large weights in another file. */
function saveExternal(folder: string, graph: Graph, location: string, where = location): string {
  const file = path.join(folder, "onnx/model.onnx");
  mkdirSync(path.dirname(file), { recursive: true });
  const references = new Map<string, ExternalReference>();
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { data }] of graph.initializers) {
    if (data.byteLength < 256) continue;
    references.set(name, { location, offset, length: data.byteLength });
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  expect(references.size).toBeGreaterThan(3);
  writeFileSync(file, encodeModel(graph, { externalData: references }));
  const target = path.resolve(path.dirname(file), where);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, Buffer.concat(parts));
  return file;
}

async function encode(reference: string, options: OpenOptions = {}, prompt = ""): Promise<Float32Array> {
  const encoder = await openEncoder(reference, { compute, ...options });
  try {
    return (await encoder.encode(TEXTS, { prompt })).data;
  } finally {
    await encoder.dispose();
  }
}
const refusal = (reference: string, options: OpenOptions = {}) =>
  openEncoder(reference, { compute, ...options }).then(
    () => "loaded",
    (error: ParallaxError) => `${error.code}: ${error.message}`,
  );
const far = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

describe("an export of token vectors", () => {
  it("is pooled, masked, passed through the dense layer and normalised as the weights are", async () => {
    const { built, foreign, graph } = pair();
    save(foreign, graph);
    expect(far(await encode(foreign), await encode(built))).toBeLessThan(1e-6);
    expect(far(await encode(foreign, {}, PROMPT), await encode(built, {}, PROMPT))).toBeLessThan(1e-6);
    for (const pooling of ["mean-sqrt-length", "weighted-mean", "last-token", "max"] as const)
      expect(far(await encode(foreign, { pooling }, PROMPT), await encode(built, { pooling }, PROMPT))).toBeLessThan(
        1e-6,
      );
  });

  it("in half precision gives the same to a thousandth", async () => {
    const { built, foreign, graph } = pair((b, tokens) => {
      b.output(b.cast(tokens, "float16"), "last_hidden_state");
    });
    save(foreign, graph);
    const distance = far(await encode(foreign), await encode(built));
    expect(distance).toBeGreaterThan(0);
    expect(distance).toBeLessThan(1e-3);
  });

  it("is read by its own path, in or beside the folder onnx", async () => {
    const { built, foreign, graph } = pair();
    const expected = await encode(built);
    expect(far(await encode(save(foreign, graph)), expected)).toBeLessThan(1e-6);
    expect(far(await encode(save(foreign, graph, "other.onnx")), expected)).toBeLessThan(1e-6);
  });

  it("is chosen by name where there are several, and none is guessed without model.onnx", async () => {
    const { built, foreign, graph } = pair();
    save(foreign, graph, "onnx/model_quantized.onnx");
    save(foreign, graph, "onnx/model_fp16.onnx");
    expect(await refusal(foreign)).toMatch(
      /^encoder.missing-file: .*onnx\/model_fp16.onnx, onnx\/model_quantized.onnx/,
    );
    const encoder = await openEncoder(foreign, { compute, onnx: "onnx/model_fp16.onnx" });
    expect(encoder.spec.onnxFiles).toEqual(["onnx/model_fp16.onnx", "onnx/model_quantized.onnx"]);
    await encoder.dispose();
    expect(far(await encode(foreign, { onnx: "onnx/model_quantized.onnx" }), await encode(built))).toBeLessThan(1e-6);
    expect(await refusal(foreign, { onnx: "onnx/none.onnx" })).toMatch(/^encoder.missing-file: .*"onnx\/none.onnx"/);
    expect(await refusal(foreign, { onnx: "../x.onnx" })).toMatch(/lies outside/);
  });
});

describe("an export that does not use its mask", () => {
  it("gets texts of one length at a time, so that padding changes nothing", async () => {
    const { foreign, graph } = pair((b, tokens) => {
      // Every token's vector is moved by the mean over all places, padding included.
      b.output(b.add(tokens, b.mul(b.reduceMean(tokens, [1], true), 5)), "token_embeddings");
    });
    save(foreign, graph);
    const encoder = await openEncoder(foreign, { compute });
    const together = await encoder.encode(TEXTS);
    for (const [i, text] of TEXTS.entries())
      expect(far(together.row(i), (await encoder.encode([text])).data)).toBeLessThan(1e-6);
    await encoder.dispose();
  });
});

describe("an export of whole vectors", () => {
  it("is taken as it is, and refuses prompts where the instruction must be left out", async () => {
    const { foreign, graph } = pair((b, tokens) => {
      b.output(b.reduceMean(tokens, [1], false), "sentence_embedding");
      b.output(tokens, "token_embeddings");
    });
    rmSync(path.join(foreign, "2_Dense"), { recursive: true });
    writeFileSync(
      path.join(foreign, "modules.json"),
      JSON.stringify([{ type: "sentence_transformers.models.Transformer", path: "" }]),
    );
    save(foreign, graph);
    const encoder = await openEncoder(foreign, { compute, promptPooling: "exclude" });
    expect(encoder.identity).toMatchObject({ architecture: "onnx", pooling: "model" });
    await expect(encoder.encode(TEXTS, { prompt: PROMPT })).rejects.toMatchObject({ code: "encoder.prompt-pooling" });
    await encoder.dispose();
  });

  it("beside a dense layer of another width is refused, since the layer may be inside", async () => {
    const { foreign, graph } = pair((b, tokens) => {
      b.output(b.reduceMean(tokens, [1], false), "sentence_embedding");
    });
    save(foreign, graph);
    expect(await refusal(foreign)).toMatch(/^encoder.wrong-shape: .*32 dimensions.*makes 10/);
  });
});

describe("weights in another file", () => {
  it("are read from the model's folder and are part of its digest", async () => {
    const { built, foreign, graph } = pair();
    const file = saveExternal(foreign, graph, "model.onnx_data");
    expect(externalDataFiles(file)).toEqual(["model.onnx_data"]);
    expect(far(await encode(foreign), await encode(built))).toBeLessThan(1e-6);
    const digest = async () => {
      const encoder = await openEncoder(foreign, { compute });
      await encoder.dispose();
      return encoder.identity.weightsSha256;
    };
    const before = await digest();
    const data = path.join(foreign, "onnx/model.onnx_data");
    const fd = openSync(data, "r+");
    writeSync(fd, Buffer.of(0x3f), 0, 1, 7);
    closeSync(fd);
    expect(await digest()).not.toBe(before);
  });

  it("may be linked from the hub's own cache, and from nowhere else", async () => {
    const { foreign, graph } = pair();
    const snapshot = path.join(root, "models--some--model/snapshots/abc");
    cpSync(foreign, snapshot, { recursive: true });
    const file = saveExternal(snapshot, graph, "model.onnx_data", "../../../blobs/1234");
    symlinkSync("../../../blobs/1234", path.join(snapshot, "onnx/model.onnx_data"));
    expect(externalDataFiles(file)).toEqual(["model.onnx_data"]);
    expect((await encode(snapshot)).length).toBe(20);
    const other = saveExternal(foreign, graph, "model.onnx_data", path.join(root, "elsewhere"));
    symlinkSync(path.join(root, "elsewhere"), path.join(foreign, "onnx/model.onnx_data"));
    expect(() => externalDataFiles(other)).toThrow(/lies outside of its folder .*elsewhere/);
    expect(await refusal(foreign)).toMatch(/^encoder.outside-folder/);
  });

  it.each(["../data", "/etc/hostname", "sub/../../data", "C:\\data", "\\\\server\\data"])(
    "are refused at %j",
    async (location) => {
      const { foreign, graph } = pair();
      saveExternal(foreign, graph, location, "harmless");
      expect(await refusal(foreign)).toMatch(
        /^encoder.outside-folder: .*other files of this computer; nothing was loaded/,
      );
    },
  );

  it("that are not there are named", async () => {
    const { foreign, graph } = pair();
    saveExternal(foreign, graph, "weights.bin", "other.bin");
    expect(await refusal(foreign)).toMatch(/^encoder.missing-file: .*"weights.bin", which is not there/);
  });

  // A file of holes: it takes no room on most disks, and is skipped where it would.
  it("past 2 GB are read where they lie", { timeout: 60_000 }, async (context) => {
    const { built, foreign, graph } = pair();
    const file = saveExternal(foreign, graph, "model.onnx_data");
    const data = path.join(foreign, "onnx/model.onnx_data");
    const far31 = 2 ** 31 + 4096;
    const references = new Map<string, ExternalReference>();
    let offset = far31;
    const fd = openSync(data, "w");
    try {
      ftruncateSync(fd, far31);
      for (const [name, { data: numbers }] of graph.initializers) {
        if (numbers.byteLength < 256) continue;
        references.set(name, { location: "model.onnx_data", offset, length: numbers.byteLength });
        writeSync(
          fd,
          new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
          0,
          numbers.byteLength,
          offset,
        );
        offset += numbers.byteLength;
      }
    } catch (error) {
      context.skip(`no sparse files here: ${(error as Error).message}`);
    } finally {
      closeSync(fd);
    }
    writeFileSync(file, encodeModel(graph, { externalData: references }));
    expect(far(await encode(foreign), await encode(built))).toBeLessThan(1e-6);
    rmSync(data);
  });
});

describe("files that are no models", () => {
  it.each<[string, Uint8Array]>([
    ["is empty", new Uint8Array()],
    ["is text", Buffer.from("not a model at all, only words")],
    ["ends in the middle", Buffer.of(0x3a, 0xff, 0xff, 0xff, 0x7f, 0x0a)],
    ["has a number without end", Buffer.alloc(32, 0xff)],
  ])("are refused when one %s", async (_, bytes) => {
    const { foreign } = pair();
    mkdirSync(path.join(foreign, "onnx"), { recursive: true });
    writeFileSync(path.join(foreign, "onnx/model.onnx"), bytes);
    expect(await refusal(foreign)).toMatch(/^encoder.not-an-encoder: .*[Nn]othing was loaded/);
  });
});

const fixtures = path.resolve(import.meta.dirname, "../../../shared/data/models/onnx-dummy-transformer");
describe.skipIf(!existsSync(fixtures))("published fixtures", () => {
  it.each(["dummy_transformer.onnx", "dummy_transformer_without_type_ids.onnx"])("%s runs", async (name) => {
    // Its table has 20 rows, so it gets a tokenizer of 20 pieces.
    const folder = path.join(root, name.replace(".onnx", ""));
    mkdirSync(folder);
    const pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."abcdefghijklmno"];
    writeFileSync(path.join(folder, "tokenizer.json"), JSON.stringify(tinyTokenizerJson(pieces)));
    cpSync(path.join(fixtures, name), path.join(folder, name));
    const encoder = await openEncoder(path.join(folder, name), { compute, pooling: "mean", normalise: true });
    const set = await encoder.encode(["a b c", "d e f g h a b"]);
    const alone = await encoder.encode(["a b c"]);
    expect(set.n).toBe(2);
    expect(far(set.row(0), alone.data)).toBeLessThan(1e-5);
    await encoder.dispose();
  });

  it("with a tokenizer of more pieces than the model has is refused when a piece is out of its table", async () => {
    expect(await refusal(path.join(fixtures, "dummy_transformer.onnx"), { pooling: "mean" })).toMatch(
      /^encoder.not-an-encoder: .*idx=101/,
    );
  });
});

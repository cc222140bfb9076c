/**
 * Damaged model files. `FUZZ_RUNS=20000 npm run fuzz -- test/fuzz` for a long run, `FUZZ_SEED=n` to begin at a seed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openSafetensors, writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { decodeModel } from "../../kernels/graph/onnx-read.ts";
import { encodeModel } from "../../kernels/graph/onnx-write.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { randomBertWeights, TINY } from "../../kernels/model/random.ts";
import { loadTokenizer, type Tokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { damageBytes, damageJson, damageProtobuf, fuzz, type Random } from "../support/fuzz.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const firstSeed = Number(process.env.FUZZ_SEED ?? 1);
const folder = mkdtempSync(path.join(tmpdir(), "parallax-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function check(name: string, run: (random: Random) => void): void {
  test(`${name}: a result or an error that says what is wrong, ${RUNS} times`, { timeout: 3_600_000 }, () => {
    const report = fuzz(RUNS, run, { firstSeed });
    if (process.env.FUZZ_RUNS !== undefined) console.log(name, JSON.stringify(report));
    expect(report.failures).toEqual([]);
    expect(report.refused).toBeGreaterThan(RUNS / 10);
    expect(report.grownBytes).toBeLessThan(1_000_000_000);
  });
}

describe("safetensors", () => {
  const good = path.join(folder, "good.safetensors");
  writeSafetensors(good, {
    "embeddings.weight": tensor("float32", [4, 3], new Float32Array(12)),
    "layer.0.bias": tensor("float16", [3], new Uint16Array(3)),
    "layer.0.ids": tensor("int64", [2], new BigInt64Array(2)),
    empty: tensor("float32", [0], new Float32Array(0)),
  });
  const bytes = readFileSync(good);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = bytes.subarray(8, 8 + headerLength).toString("utf8");
  const data = bytes.subarray(8 + headerLength);
  const file = path.join(folder, "case.safetensors");

  check("safetensors", (random) => {
    if (random(2) === 0) writeFileSync(file, damageBytes(bytes, random));
    else {
      const text = Buffer.from(damageJson(header, random));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(text.length));
      writeFileSync(file, Buffer.concat([length, text, random(4) === 0 ? damageBytes(data, random) : data]));
    }
    const open = openSafetensors(file);
    for (const { name, dims } of open.entries.values())
      expect(open.readFloat32(name).data.length).toBe(dims.reduce((a, b) => a * b, 1));
  });
});

describe("ONNX", () => {
  const options = { pooling: "mean", normalise: true, weightsAs: "initializers" } as const;
  const model = encodeModel(buildEncoderGraph(TINY, randomBertWeights(), options));
  check("onnx", (random) => {
    const graph = decodeModel(random(3) === 0 ? damageBytes(model, random) : damageProtobuf(model, random));
    for (const { dims, data } of graph.initializers.values()) expect(data.length).toBe(dims.reduce((a, b) => a * b, 1));
  });
});

describe("tokenizers", () => {
  const golden = path.join(packageRoot(), "test/golden/tokenizers");
  const texts = ["The dog didn't bark.", "  \t", "Åé\u0301ﬁ 北極 😀 \0 <mask>[MASK]", "한국 שלום ½…"];
  const use = (tokenizer: Tokenizer) => {
    for (const text of texts) {
      const { ids, offsets = [] } = tokenizer.encode(text, 64, { offsets: true });
      for (const [i, place] of offsets.entries()) {
        if (!Number.isSafeInteger(ids[i]) || ids[i] < 0) throw new Error(`id ${ids[i]}`);
        if (place !== null && !(place[0] >= 0 && place[0] <= place[1] && place[1] <= text.length))
          throw new Error(`place ${place} in a text of ${text.length}`);
      }
    }
  };
  const jsons = ["wordpiece", "byte-level", "byte-fallback", "unigram"].map((name) =>
    readFileSync(path.join(golden, `${name}.json`), "utf8"),
  );
  const jsonFile = path.join(folder, "tokenizer.json");
  check("tokenizer.json", (random) => {
    const source = jsons[random(jsons.length)];
    writeFileSync(jsonFile, random(8) > 0 ? damageJson(source, random) : damageBytes(Buffer.from(source), random));
    use(loadTokenizer(jsonFile));
  });

  const models = ["unigram", "unigram-bytes", "bpe", "bpe-bytes", "bpe-phrases"].map((name) =>
    readFileSync(path.join(golden, `${name}.model`)),
  );
  const modelFile = path.join(folder, "spiece.model");
  check("SentencePiece .model", (random) => {
    const source = models[random(models.length)];
    writeFileSync(modelFile, random(3) === 0 ? damageBytes(source, random) : damageProtobuf(source, random));
    const classes = [undefined, "T5Tokenizer", "XLMRobertaTokenizerFast"];
    use(loadTokenizer(modelFile, { config: { tokenizer_class: classes[random(3)] } }));
  });
});

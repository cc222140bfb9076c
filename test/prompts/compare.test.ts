import { describe, expect, test } from "vitest";
import { evaluate } from "../../kernels/evaluate/evaluate.ts";
import { comparePrompts, rangeByChance } from "../../kernels/prompts/compare.ts";
import { promptSet } from "../../kernels/prompts/prompt-set.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { FakeEmbedder } from "../evaluate/fake-embedder.ts";
import { wordClasses, wordPairs, wordSearch } from "../evaluate/tasks.ts";

describe("promptSet", () => {
  test("puts none first, adding it where it lacks, and fills in the sides", () => {
    expect(
      promptSet({ e5: { query: "query: {text}", document: "passage: {text}" }, web: "Find: {text}" }, "retrieval"),
    ).toEqual([
      { name: "none", template: { query: "{text}", document: "{text}" } },
      { name: "e5", template: { query: "query: {text}", document: "passage: {text}" } },
      { name: "web", template: { query: "Find: {text}", document: "{text}" } },
    ]);
    expect(promptSet(["a {text}", { name: "plain", text: "{text}" }], "sts")).toEqual([
      { name: "plain", template: { text: "{text}" } },
      { name: "a {text}", template: { text: "a {text}" } },
    ]);
  });

  test("calls the added baseline otherwise when the name is taken", () => {
    expect(promptSet({ none: "not none: {text}" }, "sts").map(({ name }) => name)).toEqual(["none 2", "none"]);
  });

  test.each([
    [
      "prompt.no-text-place",
      { a: "query:" },
      'Prompt "a" has no {text}: every text would embed to the same vector. Found "query:".',
    ],
    ["prompt.unknown-field", { a: "{title} {text}" }, 'Prompt "a" asks for {title}; only {text} is known.'],
    [
      "prompt.unknown-side",
      { a: { query: "q {text}" } },
      'Prompt "a" has a template for "query"; an STS task has "text".',
    ],
    ["prompt.duplicate", { a: "x {text}", b: "x {text}" }, 'The prompts "a" and "b" are the same: "x {text}".'],
    [
      "prompt.duplicate-name",
      ["x {text}", { name: "x {text}", text: "y {text}" }],
      'Two prompts are named "x {text}".',
    ],
    ["prompt.too-few", {}, 'A comparison needs a prompt beside "none", found no prompt.'],
    ["prompt.too-few", { plain: "{text}" }, 'A comparison needs a prompt beside "none", found none other.'],
  ])("refuses: %s", (code, prompts, message) => {
    expect(() => promptSet(prompts as never, "sts")).toThrow(expect.objectContaining({ code, message, kind: "user" }));
  });
});

const prompts = { topic: "topic words: {text}", noise: "red cat {text} south king", dog: "dog {text}" };

describe("comparePrompts", () => {
  test("scores each prompt as evaluate does, differences paired, in the order given", async () => {
    const task = wordPairs(150);
    const report = await comparePrompts(new FakeEmbedder(), task, prompts, { seed: 3, resamples: 1000 });
    expect(report.scores.map(({ name }) => name)).toEqual(["none", "topic", "noise", "dog"]);
    for (const line of report.scores) {
      const alone = await evaluate(new FakeEmbedder(), task, { prompts: line.template, seed: 3, resamples: 1000 });
      expect([line.score, line.interval]).toEqual([alone.score, alone.interval]);
      expect(line.delta).toBeCloseTo(line.score - report.scores[0]!.score, 12);
      expect(line.clear).toBe(line.deltaInterval.low > 0 || line.deltaInterval.high < 0);
      expect(line.pHolm).toBeGreaterThanOrEqual(line.p);
    }
    expect(report.scores[0]).toMatchObject({
      delta: 0,
      p: 1,
      pHolm: 1,
      clear: false,
      deltaInterval: { low: 0, high: 0 },
    });
    expect(report.scores[2]!.deltaInterval.method).toBe(
      "paired percentile bootstrap over 150 pairs, 1,000 resamples, seed 3",
    );
    // Units shared: the paired interval of a difference is narrower than the scores' own.
    expect(report.scores[1]!.deltaInterval.high - report.scores[1]!.deltaInterval.low).toBeLessThan(
      report.scores[1]!.interval.high - report.scores[1]!.interval.low,
    );
    const sorted = [...report.scores].sort((a, b) => b.score - a.score);
    expect([report.best, report.worst]).toEqual([sorted[0]!.name, sorted.at(-1)!.name]);
    expect(report.gap).toBeCloseTo(sorted[0]!.score - sorted.at(-1)!.score, 12);
    expect(report.gapInterval.low).toBeLessThanOrEqual(report.gap);
    expect(report.gapByChance).toBeGreaterThan(0);
  });

  test("gives the same report again for the same seed", async () => {
    const run = async (): Promise<unknown> => {
      const { elapsedMs: _, ...rest } = await comparePrompts(new FakeEmbedder(), wordPairs(60), prompts, {
        seed: 1,
        resamples: 300,
      });
      return rest;
    };
    expect(await run()).toEqual(await run());
  });

  test("encodes documents once for all prompts that leave them alone", async () => {
    const embedder = new FakeEmbedder();
    const task = wordSearch(40);
    const report = await comparePrompts(embedder, task, prompts, { resamples: 200 });
    expect(embedder.calls.map(({ texts, prompt }) => [texts.length, prompt])).toEqual([
      [40, "{text}"],
      [40, "{text}"],
      [40, "topic words: {text}"],
      [40, "red cat {text} south king"],
      [40, "dog {text}"],
    ]);
    expect(report).toMatchObject({ metric: "ndcg_at_10", n: 40, unit: "queries" });
    expect(report.scores.map((line) => line.report.n)).toEqual([80, 80, 80, 80]);
  });

  test("names the queries that a bad prompt hurt, with ranks before and after", async () => {
    const report = await comparePrompts(
      new FakeEmbedder(),
      wordSearch(80),
      { noise: prompts.noise },
      { resamples: 200 },
    );
    expect(report.scores[1]!.delta).toBeLessThan(0);
    const first = report.moved[0]!;
    expect(first).toMatchObject({ prompt: "noise", change: expect.stringMatching(/^rank \d+ → \d+$/) as string });
    expect(first.gain).toBeLessThan(0);
    expect(first.text).toBe(wordSearch(80).queries[first.row]!.text);
    expect(report.moved.length).toBeLessThanOrEqual(20);
    expect(report.moved.map((m) => Math.abs(m.gain))).toEqual(
      report.moved.map((m) => Math.abs(m.gain)).sort((a, b) => b - a),
    );
  });

  test("finds no movement in a common shift: the mean vector is removed first", async () => {
    // Adding the same words adds the same vector to every text of this encoder, so centred directions stay near.
    const report = await comparePrompts(new FakeEmbedder(), wordPairs(100), { dog: prompts.dog }, { resamples: 200 });
    expect(report.moved.length).toBeGreaterThan(0);
    for (const moved of report.moved) expect(moved.cosine).toBeGreaterThan(0.9);
  });

  test("compares prompts on a classification task by test text", async () => {
    const report = await comparePrompts(
      new FakeEmbedder(),
      wordClasses(60),
      { noise: prompts.noise },
      { resamples: 200 },
    );
    expect(report).toMatchObject({ metric: "accuracy", n: 60, unit: "texts" });
    for (const { change } of report.moved) expect(change).toMatch(/^right in \d+ → \d+ of 10 rounds$/);
  });

  test("counts texts over the whole grid, never back, with time left", async () => {
    const seen: Progress[] = [];
    await comparePrompts(new FakeEmbedder(), wordSearch(50), prompts, {
      resamples: 200,
      onProgress: (p) => seen.push({ ...p }),
    });
    const encoding = seen.filter(({ stage }) => stage === "Encoding");
    // 50 queries under four prompts, and 50 documents once.
    expect(encoding.every(({ total }) => total === encoding[0]!.total)).toBe(true);
    expect(encoding.at(-1)).toMatchObject({ done: 250, total: 250, unit: "texts", note: "prompt 4 of 4: dog" });
    for (const [i, { done }] of encoding.entries())
      if (i > 0) expect(done).toBeGreaterThanOrEqual(encoding[i - 1]!.done);
    expect(encoding.at(-2)!.etaMs).toBeGreaterThanOrEqual(0);
  });

  test("stops in the middle of the grid", async () => {
    const controller = new AbortController();
    const embedder = new FakeEmbedder();
    const work = comparePrompts(embedder, wordSearch(50), prompts, {
      signal: controller.signal,
      onProgress: ({ note }) => {
        if (note?.startsWith("prompt 2") === true) controller.abort();
      },
    });
    await expect(work).rejects.toMatchObject({ name: expect.stringMatching(/AbortError|CancelledError/) as string });
    expect(embedder.calls.length).toBeLessThanOrEqual(3);
  });
});

test("the range of equal prompts is that of groups of replicates", () => {
  expect(rangeByChance(Float64Array.from([1, 3, 2, 8, 5, 5, 9]), 2)).toBe((2 + 6 + 0) / 3);
  expect(rangeByChance(new Float64Array(0), 2)).toBeNaN();
});

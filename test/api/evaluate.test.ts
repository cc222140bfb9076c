import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders } from "../../kernels/api/encoder.ts";
import { comparePrompts, DISPLAY, evaluate, loadTask, readTable } from "../../kernels/api/index.ts";
import { setDefaultCompute, threadCompute } from "../../kernels/graph/compute.ts";
import { MIME } from "../../kernels/protocol/display.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";

const PAIRS: [number, string, string][] = [
  [5, "A man is playing a guitar.", "A man plays the guitar."],
  [4.5, "The cat sleeps on the sofa.", "A cat is asleep on the couch."],
  [4, "Prices rose sharply in March.", "In March prices went up a lot."],
  [3, "A woman slices an onion.", "A woman is cutting a tomato."],
  [2.5, "Two dogs run in the snow.", "Two children run in the snow."],
  [2, "The bank raised its rates.", "The bank closed a branch."],
  [1.5, "He reads a book in bed.", "He writes a letter at a desk."],
  [1, "The train leaves at noon.", "The bus was late again."],
  [0.5, "She paints the kitchen wall.", "Stocks fell in early trading."],
  [0, "Whales sing under water.", "The printer is out of paper."],
  [3.5, "Kids are kicking a ball.", "Children play football."],
  [0.2, "Add salt and stir.", "The senate passed the bill."],
];

let folder: string;
let progress: Progress[];
let finished: number;
const context = (signal = new AbortController().signal): CellContext => ({
  signal,
  workingFolder: folder,
  progress: (_, update) => {
    if ("finished" in update) finished += 1;
    else progress.push(update);
  },
  display: () => undefined,
  pending: () => undefined,
  clear: () => undefined,
  runStarted: () => undefined,
});

beforeAll(async () => {
  // The default compute of a kernel: sessions live in a thread of their own.
  setDefaultCompute(threadCompute());
  folder = await mkdtemp(path.join(tmpdir(), "parallax-api-"));
  await writeFile(
    path.join(folder, "pairs.tsv"),
    ["score\tsentence1\tsentence2", ...PAIRS.map((row) => row.join("\t"))].join("\n"),
  );
});
afterAll(async () => {
  await disposeEncoders();
  await rm(folder, { recursive: true });
});

function inCell<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  progress = [];
  finished = 0;
  return withContext(context(signal), work);
}

describe("evaluate with the default encoder", () => {
  test("reads the task beside the notebook and shows score, interval, n, seed and encoder", async () => {
    const result = await inCell(() => evaluate("pairs.tsv", { seed: 7, resamples: 1000 }));
    expect(result).toMatchObject({
      task: "pairs",
      metric: "cosine_spearman",
      n: 12,
      seed: 7,
      encoder: { name: "all-MiniLM-L6-v2" },
    });
    expect(result.score).toBeGreaterThan(0.85);
    const bundle = await result[DISPLAY]();
    expect(Object.keys(bundle)).toEqual([MIME.task, MIME.html, MIME.plain]);
    expect(JSON.parse(JSON.stringify(bundle[MIME.task]))).toEqual(JSON.parse(JSON.stringify(result)));
    const plain = String(bundle[MIME.plain]).split("\n");
    expect(plain[0]).toBe("all-MiniLM-L6-v2 on pairs");
    expect(plain[3]).toMatch(/^Spearman \(cosine\) +\d\d\.\d\d +\d\d\.\d\d to \d+\.\d\d$/);
    expect(plain).toContain(
      "n = 12 pairs, seed 7; interval: percentile bootstrap over 12 pairs, 1,000 resamples, seed 7.",
    );
    expect(new Set(progress.map(({ stage }) => stage))).toContain("Encoding");
    expect(finished).toBeGreaterThan(0);
  });

  test("says that texts are in a script it does not know before it says a score", async () => {
    const korean = PAIRS.map(([score], i) =>
      [score, `고양이가 소파에서 자고 있다 ${"가나다라마바사아자차카타"[i]}`, `오늘 아침 주가가 하락했다 ${i}`].join(
        "\t",
      ),
    );
    await writeFile(path.join(folder, "korean.tsv"), ["score\tsentence1\tsentence2", ...korean].join("\n"));
    const result = await inCell(() => evaluate("korean.tsv", { resamples: 100 }));
    expect(result.report.warnings.length).toBeGreaterThan(0);
    const bundle = await result[DISPLAY]();
    for (const type of [MIME.plain, MIME.html]) {
      const text = String(bundle[type]);
      expect(text.indexOf("Warning")).toBeGreaterThanOrEqual(0);
      expect(text.indexOf("Warning")).toBeLessThan(text.indexOf("Spearman"));
    }
  });

  test("stops with the cell", async () => {
    const controller = new AbortController();
    const work = inCell(
      () => evaluate("pairs.tsv", { resamples: 1_000_000, onProgress: () => controller.abort() }),
      controller.signal,
    );
    await expect(work).rejects.toMatchObject({ code: "work.cancelled" });
  });
});

test("comparePrompts shows a table with clear and unclear differences, and a forest plot", async () => {
  const report = await inCell(() =>
    comparePrompts({
      task: "pairs.tsv",
      prompts: { topic: "Topic: {text}", noise: "red cat {text} red cat sleeps on the sofa" },
      seed: 1,
      resamples: 500,
    }),
  );
  expect(report.scores.map(({ name }) => name)).toEqual(["none", "topic", "noise"]);
  const bundle = await report[DISPLAY]();
  expect(Object.keys(bundle).sort()).toEqual([MIME.prompts, MIME.plotly, MIME.svg, MIME.html, MIME.plain].sort());
  const plain = String(bundle[MIME.plain]);
  expect(plain.split("\n")[0]).toBe("3 prompts on pairs, Spearman (cosine) ×100");
  expect(plain).toMatch(/^none +\d\d\.\d\d +\d\d\.\d\d to \d+\.\d\d +baseline/m);
  for (const line of report.scores.slice(1))
    expect(plain).toMatch(
      line.clear
        ? new RegExp(`^${line.name} .*[+−]\\d+\\.\\d\\d \\(`, "m")
        : new RegExp(`^${line.name} .*no clear difference \\(n = 12\\)`, "m"),
    );
  expect(plain).toContain("3 equal prompts would differ by");
  expect(String(bundle[MIME.svg])).toContain("<svg");
  expect(bundle[MIME.plotly]).toMatchObject({ data: expect.any(Array) as unknown });
  expect(JSON.parse(JSON.stringify(bundle[MIME.prompts]))).toEqual(JSON.parse(JSON.stringify(report)));
});

test("readTable and loadTask start at the notebook's folder, and say what is missing there", async () => {
  expect((await inCell(() => readTable("pairs.tsv"))).columns).toEqual(["score", "sentence1", "sentence2"]);
  expect((await inCell(() => loadTask({ parallaxTask: 1, type: "sts", file: "pairs.tsv" }))).type).toBe("sts");
  await expect(inCell(() => readTable("pair.tsv"))).rejects.toMatchObject({
    code: "table.not-found",
    hint: `Did you mean ${path.join(folder, "pairs.tsv")}?`,
  });
});

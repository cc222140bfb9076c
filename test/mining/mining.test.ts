/** Mining, filtering, scoring and leaks with a real small encoder, against a plain re-statement of each definition. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CellContext, withContext } from "../../kernels/api/context.ts";
import { disposeEncoders, loadEncoder } from "../../kernels/api/encoder.ts";
import { createFineTune } from "../../kernels/api/fine-tune.ts";
import { filterConsistent, findLeaks, mineNegatives, removeLeaks, scoreRows } from "../../kernels/api/mining.ts";
import { trainingRows } from "../../kernels/api/training-rows.ts";
import { loadTask, type Task } from "../../kernels/data/task.ts";
import type { Encoder } from "../../kernels/encode/encoder.ts";
import { defaultCompute } from "../../kernels/graph/compute.ts";
import { TextVectors, unitVectors } from "../../kernels/mining/text-vectors.ts";
import { DISPLAY, MIME } from "../../kernels/protocol/display.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { Random } from "../../kernels/train/prng.ts";
import type { TrainingRow } from "../../kernels/train/rows.ts";
import { readConfig, readRows } from "../../kernels/train/run-folder.ts";
import { textKey } from "../../kernels/train/text-key.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";
import { tinyPairs } from "../support/tiny-run.ts";

const folder = mkdtempSync(path.join(tmpdir(), "parallax-mining-"));
process.env.PARALLAX_HOME = path.join(folder, "home");
let encoder: Encoder;
beforeAll(async () => {
  encoder = await loadEncoder(writeTinyBert(path.join(folder, "tiny")));
});
afterAll(async () => {
  await disposeEncoders();
  await defaultCompute().dispose();
  rmSync(folder, { recursive: true, force: true });
});

function inFolder<T>(work: () => Promise<T>, signal = new AbortController().signal): Promise<T> {
  const nothing = () => undefined;
  const context: CellContext = {
    signal,
    workingFolder: folder,
    progress: nothing,
    display: nothing,
    pending: nothing,
    clear: nothing,
    runStarted: nothing,
  };
  return withContext(context, work);
}

/** Some anchors have two positives, some texts differ by case alone, some rows have groups and negatives. */
function rowsWithTraps(): TrainingRow[] {
  const rows: TrainingRow[] = tinyPairs(120, 3);
  rows.push({ anchor: rows[0]!.anchor.toUpperCase(), positive: rows[1]!.positive });
  rows.push({ anchor: rows[5]!.positive, positive: rows[6]!.positive });
  rows[10] = { ...rows[10]!, group: "g" };
  rows[11] = { ...rows[11]!, group: "g" };
  rows[12] = { ...rows[12]!, negatives: [rows[13]!.positive], scores: [0.9, 0.3] };
  return rows;
}

/** cosines[i][j] of texts, one at a time in float64. */
async function cosines(a: readonly string[], b: readonly string[]): Promise<number[][]> {
  const vectors = async (texts: readonly string[]) => {
    const { data } = await encoder.encode(texts);
    const d = encoder.dimensions;
    return texts.map((_, i) => {
      const row = [...data.subarray(i * d, (i + 1) * d)];
      const norm = Math.hypot(...row);
      return row.map((value) => value / norm);
    });
  };
  const [u, v] = [await vectors(a), await vectors(b)];
  return u.map((x) => v.map((y) => x.reduce((sum, value, k) => sum + value * y[k]!, 0)));
}

/** The first of texts that differ without case. */
function distinct(texts: readonly string[]): string[] {
  const known = new Map<string, string>();
  for (const text of texts) if (!known.has(textKey(text))) known.set(textKey(text), text);
  return [...known.values()];
}

function rightFor(rows: readonly TrainingRow[], row: TrainingRow): Set<string> {
  const a = textKey(row.anchor);
  const right = new Set([a]);
  for (const other of rows) {
    const [x, p] = [textKey(other.anchor), textKey(other.positive)];
    if (x === a) right.add(p);
    if (p === a) right.add(x);
    if (row.group !== undefined && other.group === row.group) right.add(x).add(p);
  }
  return right;
}

describe("mineNegatives", () => {
  it("finds what a comparison of everything with everything finds, under rank range and both margins", async () => {
    const rows = rowsWithTraps();
    const pool = distinct(rows.map(({ positive }) => positive));
    const all = await cosines(
      rows.map(({ anchor }) => anchor),
      pool,
    );
    const own = await cosines(
      rows.map(({ anchor }) => anchor),
      rows.map(({ positive }) => positive),
    );
    for (const { margin, relativeMargin, ranks } of [
      { margin: undefined, relativeMargin: 0.05, ranks: [1, 30] as const },
      { margin: 0.02, relativeMargin: null, ranks: [3, 20] as const },
      { margin: undefined, relativeMargin: null, ranks: [2, 4] as const },
    ]) {
      const expected = rows.flatMap((row, i) => {
        const right = rightFor(rows, row);
        const ranked = pool
          .map((text, j) => ({ text, score: all[i]![j]! }))
          .filter(({ text }) => !right.has(textKey(text)))
          .sort((x, y) => y.score - x.score)
          .slice(ranks[0] - 1, ranks[1])
          .filter(({ text }) => !row.negatives?.includes(text));
        const positive = own[i]![i]!;
        const left = ranked.filter(
          ({ score }) =>
            (margin === undefined || score <= positive - margin) &&
            (relativeMargin === null || score <= positive * (1 - relativeMargin)),
        );
        if (left.length < 2) return [];
        const { scores: _, ...rest } = row;
        return [{ ...rest, negatives: [...(row.negatives ?? []), ...left.slice(0, 2).map(({ text }) => text)] }];
      });
      const options = { rows, encoder, negatives: 2, ranks, relativeMargin, sample: "top" as const };
      const mined = await inFolder(() => mineNegatives({ ...options, ...(margin === undefined ? {} : { margin }) }));
      expect(mined.rows).toEqual(expected);
      expect(mined.report).toMatchObject({
        rows: 122,
        kept: expected.length,
        dropped: 122 - expected.length,
        candidates: pool.length,
        mined: 2 * expected.length,
      });
      expect(mined.report.scoresRemoved).toBe(expected.some(({ anchor }) => anchor === rows[12]!.anchor) ? 1 : 0);
    }
  });

  it("draws within the ranks from the seed, keeps or fills rows that get too few", async () => {
    const rows = tinyPairs(60, 4);
    const mine = (options: object) =>
      inFolder(() => mineNegatives({ rows, encoder, negatives: 3, ranks: [1, 20], relativeMargin: null, ...options }));
    const [a, again, b] = [await mine({ seed: 1 }), await mine({ seed: 1 }), await mine({ seed: 2 })];
    expect(a.rows).toEqual(again.rows);
    expect(a.rows).not.toEqual(b.rows);
    expect(a.rows.every(({ negatives }) => new Set(negatives).size === 3)).toBe(true);
    // No candidate of a random encoder is so far from its anchor.
    const strict = { margin: 0.05, ranks: [1, 3] };
    const [dropped, kept, filled] = [
      await mine(strict),
      await mine({ ...strict, short: "keep" }),
      await mine({ ...strict, short: "fill" }),
    ];
    expect(dropped.report.dropped).toBeGreaterThan(0);
    expect(dropped.rows.length + dropped.report.dropped).toBe(60);
    expect(kept.rows.map(({ anchor }) => anchor)).toEqual(rows.map(({ anchor }) => anchor));
    expect(filled.rows.length).toBeGreaterThan(dropped.rows.length);
    expect(filled.report.filled).toBeGreaterThan(0);
    expect(String((await dropped[DISPLAY]())[MIME.plain])).toContain("rows were dropped: too few candidates remained");
  });

  it("takes candidates from a corpus, saves rows that read back, and stops when asked", async () => {
    const rows = tinyPairs(20, 5);
    const corpus = tinyPairs(200, 6).map(({ anchor }) => anchor);
    const mined = await inFolder(() => mineNegatives({ rows, encoder, corpus, negatives: 2, short: "keep" }));
    expect(mined.rows.flatMap(({ negatives = [] }) => negatives).every((text) => corpus.includes(text))).toBe(true);
    for (const file of ["mined.jsonl", "mined.json", "mined.tsv"]) {
      await inFolder(() => mined.save(file));
      expect((await inFolder(() => trainingRows(file))).rows).toEqual(mined.rows);
    }
    await expect(inFolder(() => mined.save("mined.txt"))).rejects.toMatchObject({ code: "train.rows-format" });
    const stop = new AbortController();
    const seen: Progress[] = [];
    const work = inFolder(
      () =>
        mineNegatives({
          rows,
          encoder,
          onProgress: (progress) => {
            seen.push(progress);
            stop.abort();
          },
        }),
      stop.signal,
    );
    await expect(work).rejects.toMatchObject({ kind: "cancelled" });
    expect(seen[0]).toMatchObject({ stage: "Encoding candidates", unit: "texts", total: 20 });
  });

  it("refuses what makes no sense, with the option and what it may be", async () => {
    const refused = (options: object) =>
      inFolder(() => mineNegatives({ rows: tinyPairs(5), encoder, ...options })).then(
        () => "accepted",
        (error: Error) => error.message,
      );
    expect([
      await refused({ negatives: 0 }),
      await refused({ ranks: [5, 2] }),
      await refused({ negatives: 4, ranks: [1, 3] }),
      await refused({ relativeMargin: 2 }),
      await refused({ rows: [] }),
      await refused({ corpus: ["one"] }),
    ]).toEqual([
      "negatives is 0; it must be a whole number from 1. Nothing was mined.",
      "ranks is [5,2]; it must be [from, to], whole numbers from 1. Nothing was mined.",
      "ranks is [1,3]; it must be at least 4 ranks, one for each negative. Nothing was mined.",
      "relativeMargin is 2; it must be a number from 0 to 1. Nothing was mined.",
      "There are no rows to mine negatives for.",
      "There is one candidate: negatives need other texts to come from.",
    ]);
  });
});

it("keeps vectors that do not fit in a file, with the same numbers, and removes it", async () => {
  const texts = tinyPairs(300, 8).map(({ anchor }) => ({ text: anchor, template: "" }));
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("parallax-vectors-")).length;
  const [memory, file] = [
    await TextVectors.encode(encoder, texts, "Encoding"),
    await TextVectors.encode(encoder, texts, "Encoding", {}, 1000),
  ];
  expect(file.unitRows(7, 290)).toEqual(memory.unitRows(7, 290));
  expect([...(await unitVectors(encoder, texts.slice(3, 4)))]).toEqual(
    [...memory.unitRows(3, 4)].map((value) => expect.closeTo(value, 5)),
  );
  file.close();
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("parallax-vectors-")).length).toBe(before);
});

it("filterConsistent keeps the pairs whose positive ranks among the k nearest of the pool", async () => {
  const rows = rowsWithTraps();
  // Every fifth pair is noise: the positive of another row.
  for (let i = 20; i < 100; i += 5) rows[i] = { anchor: rows[i]!.anchor, positive: rows[(i * 7) % 120]!.positive };
  const pool = distinct(rows.map(({ positive }) => positive));
  const drawn = [...new Random(9, "pool").permutation(pool.length).subarray(0, 60)].map((at) => pool[at]!);
  const anchors = rows.map(({ anchor }) => anchor);
  const [all, own] = [
    await cosines(anchors, drawn),
    await cosines(
      anchors,
      rows.map(({ positive }) => positive),
    ),
  ];
  const ranks = rows.map((row, i) => {
    const right = rightFor(rows, row);
    return 1 + drawn.filter((text, j) => !right.has(textKey(text)) && all[i]![j]! > own[i]![i]!).length;
  });
  const filtered = await inFolder(() => filterConsistent({ rows, encoder, pool: 60, k: 2, seed: 9 }));
  expect(filtered.rows).toEqual(rows.filter((_, i) => ranks[i]! <= 2));
  expect(filtered.report).toMatchObject({
    rows: 122,
    pool: 60,
    k: 2,
    ranks: [1, 2].map((rank) => ranks.filter((each) => each === rank).length),
    dropped: ranks.filter((rank) => rank > 2).length,
  });
  expect(filtered.report.examples[0]!.nearerScore).toBeGreaterThan(filtered.report.examples[0]!.score);
  await expect(inFolder(() => filterConsistent({ rows, encoder, pool: 2 }))).rejects.toThrow(
    "pool is 2; it must be a number of texts over k (2), or every pair would be kept. Nothing was filtered.",
  );
});

it("scoreRows gives the cosine of the positive and of each negative, under the row's own instructions", async () => {
  const [a, b] = tinyPairs(2, 11) as [TrainingRow, TrainingRow];
  const rows: TrainingRow[] = [
    { ...a, negatives: [a.positive.split(" ").reverse().join(" "), b.positive] },
    { ...b, instructions: { anchor: "query: ", positive: "{text} ." } },
  ];
  const scored = await inFolder(() => scoreRows({ rows, encoder }));
  const [plain, told] = [
    await cosines([a.anchor], [a.positive, ...rows[0]!.negatives!]),
    await cosines([`query: ${b.anchor}`], [`${b.positive} .`]),
  ];
  const close = (values: number[]) => values.map((value) => expect.closeTo(value, 5));
  expect(scored.rows.map(({ scores }) => scores)).toEqual([close(plain[0]!), close(told[0]!)]);
  expect(scored.report).toMatchObject({ rows: 2, scores: 4 });
});

describe("leaks", () => {
  const rows: TrainingRow[] = [
    { anchor: "How do I pay?", positive: "Payment help" },
    { anchor: "A cat sleeps.", positive: "A cat rests." },
    { anchor: "Weather", positive: "Rain", negatives: ["how do i  PAY"] },
    { anchor: "!!!", positive: "Snow" },
  ];
  const sts = {
    parallaxTask: 1,
    type: "sts",
    name: "test pairs",
    data: { a: ["how do I pay", "x", "y"], b: ["Other", "?", "z"], gold: [1, 0, 2] },
  };
  const retrieval: Task = {
    type: "retrieval",
    name: "search",
    queries: [{ id: "1", text: "weather" }],
    documents: [{ id: "d", text: "A cat rests" }],
    relevant: new Map([["1", new Map([["d", 1]])]]),
  };

  it("are texts alike in letters and digits, counted by task and part", async () => {
    const task = await loadTask(sts as Parameters<typeof loadTask>[0]);
    const found = await inFolder(() => findLeaks(rows, [task, retrieval]));
    expect(found.report).toEqual({
      rows: 4,
      leaking: 3,
      leakingRows: [0, 1, 2],
      parts: [
        { task: "test pairs", part: "sentences", texts: 6, shared: 1, rows: 2 },
        { task: "search", part: "queries", texts: 1, shared: 1, rows: 1 },
        { task: "search", part: "documents", texts: 1, shared: 1, rows: 1 },
      ],
      examples: [
        { row: 0, side: "anchor", text: "How do I pay?", task: "test pairs", part: "sentences" },
        { row: 1, side: "positive", text: "A cat rests.", task: "search", part: "documents" },
        { row: 2, side: "negative", text: "how do i  PAY", task: "test pairs", part: "sentences" },
      ],
    });
    expect((await inFolder(() => removeLeaks(rows, [task, retrieval], { documents: false }))).rows).toEqual([
      rows[1],
      rows[3],
    ]);
  });

  it("are in the log and the notes of a fine-tune, which drops them when told to", async () => {
    const pairs = [...tinyPairs(30), { anchor: "How do I pay?", positive: "Payment help" }];
    const make = (options: object) =>
      inFolder(() =>
        createFineTune({
          pairs,
          evaluation: sts as Parameters<typeof loadTask>[0] as Task,
          encoder: path.join(folder, "tiny"),
          batchSize: 4,
          steps: 2,
          ...options,
        }),
      );
    const warned = await make({ folder: "warned" });
    const sentence =
      '1 of 31 rows share a text with the evaluation (1 of 6 sentences of test pairs), for example "How do I pay?": scores will look better than they are. dropLeaks: true leaves those rows out.';
    expect(warned.notes).toContain(sentence);
    expect(readFileSync(path.join(warned.folder, "log.txt"), "utf8")).toContain(`warning: ${sentence}`);
    const dropped = await make({ folder: "dropped", dropLeaks: true });
    expect(dropped.notes).toContain("1 of 31 rows were dropped: they share a text with the evaluation.");
    expect(readRows(dropped.folder, readConfig(dropped.folder))).toHaveLength(30);
  });
});

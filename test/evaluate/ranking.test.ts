import { describe, expect, test } from "vitest";
import { compareIds, rankingMeasures, rankQueries, tiePlaces, topK } from "../../kernels/evaluate/ranking.ts";
import { normaliseRows } from "../../kernels/evaluate/vector-store.ts";
import { golden } from "./golden.ts";

describe("rankQueries", () => {
  test("agrees with trec_eval's measures on tied, graded, negative and missing judgements", async () => {
    const { queries, documents, relevant, measures } = golden.retrieval;
    const flat = (items: { vector: number[] }[]): Float32Array => {
      const data = Float32Array.from(items.flatMap(({ vector }) => vector));
      normaliseRows(data, 3);
      return data;
    };
    const results = await rankQueries(
      {
        queries: flat(queries),
        documents: flat(documents),
        dimensions: 3,
        queryIds: queries.map(({ id }) => id),
        documentIds: documents.map(({ id }) => id),
        relevant: new Map(Object.entries(relevant).map(([id, judged]) => [id, new Map(Object.entries(judged))])),
      },
      {},
    );
    for (const [i, { id }] of queries.entries()) {
      const { ndcg, mrr, recall, map } = measures[id]!;
      expect({ id, ...results[i]! }).toMatchObject({
        id,
        ndcg: expect.closeTo(ndcg, 6) as number,
        reciprocalRank: expect.closeTo(mrr, 6) as number,
        recall: expect.closeTo(recall, 6) as number,
        averagePrecision: expect.closeTo(map, 6) as number,
      });
      if (mrr > 0) expect(results[i]!.bestRank).toBe(Math.round(1 / mrr));
    }
  });

  test("stops when asked", async () => {
    const controller = new AbortController();
    controller.abort();
    const input = {
      queries: new Float32Array(3),
      documents: new Float32Array(3),
      dimensions: 3,
      queryIds: ["q"],
      documentIds: ["d"],
      relevant: new Map(),
    };
    await expect(rankQueries(input, { signal: controller.signal })).rejects.toMatchObject({ code: "work.cancelled" });
  });
});

test("ties go to the document whose id sorts last, by code point", () => {
  const ids = ["a", "b", "\u{1f600}", "\uffee", "10", "9"];
  expect([...ids].sort(compareIds)).toEqual(["10", "9", "a", "b", "\uffee", "\u{1f600}"]);
  expect([...topK(new Float32Array(6).fill(0.5), tiePlaces(ids), 3)].map((i) => ids[i])).toEqual([
    "\u{1f600}",
    "\uffee",
    "b",
  ]);
});

test("topK keeps the same documents as a full sort", () => {
  const scores = Float32Array.from({ length: 500 }, (_, i) => Math.fround(Math.round(Math.sin(i * 12.9898) * 40) / 40));
  const places = tiePlaces(Array.from(scores, (_, i) => String(i)));
  const full = [...scores.keys()]
    .filter((i) => i !== 17)
    .sort((i, j) => scores[j]! - scores[i]! || places[i]! - places[j]!);
  expect([...topK(scores, places, 20, 17)]).toEqual(full.slice(0, 20));
});

test("a query without a relevant document scores 0", () => {
  expect(rankingMeasures([0, 0], [0, -1])).toEqual({ ndcg: 0, reciprocalRank: 0, recall: 0, averagePrecision: 0 });
});

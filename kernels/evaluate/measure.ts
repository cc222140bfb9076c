/** A task measured on given vectors: the score and what it is made of, unit by unit. */
import type { ClassificationTask, RetrievalTask, StsTask, Task } from "../data/task-types.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { TaskResult } from "../protocol/results.ts";
import { ROUNDS, sampledRows, scoreClassification } from "./classification.ts";
import { averageRanks, pearson, spearman } from "./correlation.ts";
import { rankQueries } from "./ranking.ts";
import type { Part, VectorStore } from "./vector-store.ts";

interface Common {
  metric: string;
  score: number;
  n: number;
  unit: TaskResult["unit"];
  more: Record<string, number>;
}

/** The score is the mean of one value a unit. */
export interface MeanMeasured extends Common {
  kind: "mean";
  values: Float64Array;
  /** Retrieval: rank of the first relevant document (0: not in the corpus). Classification: rounds that were right. */
  detail: Int32Array;
}

/** The score is Spearman's rho of x (cosines) with y (gold; the same array for all results of one task). */
export interface RankMeasured extends Common {
  kind: "spearman";
  x: Float64Array;
  y: Float64Array;
}

export type Measured = MeanMeasured | RankMeasured;

/** A task made ready: what to encode, and how to score vectors of it. */
export interface PreparedTask {
  readonly task: Task;
  readonly parts: readonly Part[];
  /** Text of each unit, for people. */
  unitText(row: number): string;
  /** Parts whose row i is (a half of) unit i. */
  readonly unitParts: readonly Part[];
  /** @throws {ParallaxError} evaluate.constant-scores when no ranking is possible; work.cancelled */
  measure(store: VectorStore, templates: Record<string, string>, ctx: WorkContext): Promise<Measured>;
}

export function prepareTask(task: Task): PreparedTask {
  switch (task.type) {
    case "sts":
      return prepareSts(task);
    case "retrieval":
      return prepareRetrieval(task);
    case "classification":
      return prepareClassification(task);
  }
}

function prepareSts(task: StsTask): PreparedTask {
  const a: Part = { name: "a", side: "text", texts: task.a };
  const b: Part = { name: "b", side: "text", texts: task.b };
  const y = Float64Array.from(task.gold);
  return {
    task,
    parts: [a, b],
    unitParts: [a, b],
    unitText: (row) => `${task.a[row]!} ↔ ${task.b[row]!}`,
    async measure(store, templates) {
      const [u, v] = [store.gather(task.a, templates.text!, false), store.gather(task.b, templates.text!, false)];
      const x = rowCosines(u, v, store.dimensions);
      const score = spearman(x, y);
      if (Number.isNaN(score))
        throw new ParallaxError(
          "evaluate.constant-scores",
          `${task.name}: all ${task.a.length} pairs have the same cosine (${x[0]}), so there is no ranking to compare with the gold scores.`,
          {
            hint: "Look at the prompt: does it leave room for the texts? Are the texts different?",
          },
        );
      return {
        kind: "spearman",
        metric: "cosine_spearman",
        score,
        n: y.length,
        unit: "pairs",
        more: { cosine_pearson: pearson(x, y) },
        x,
        y,
      };
    },
  };
}

function prepareRetrieval(task: RetrievalTask): PreparedTask {
  const query: Part = { name: "queries", side: "query", texts: task.queries.map(({ text }) => text) };
  const document: Part = { name: "documents", side: "document", texts: task.documents.map(({ text }) => text) };
  const [queryIds, documentIds] = [task.queries.map(({ id }) => id), task.documents.map(({ id }) => id)];
  return {
    task,
    parts: [query, document],
    unitParts: [query],
    unitText: (row) => query.texts[row]!,
    async measure(store, templates, ctx) {
      const results = await rankQueries(
        {
          queries: store.gather(query.texts, templates.query!, true),
          documents: store.gather(document.texts, templates.document!, true),
          dimensions: store.dimensions,
          queryIds,
          documentIds,
          relevant: task.relevant,
        },
        ctx,
      );
      const mean = (pick: (r: (typeof results)[number]) => number): number =>
        results.reduce((sum, r) => sum + pick(r), 0) / results.length;
      const values = Float64Array.from(results, (r) => r.ndcg);
      return {
        kind: "mean",
        metric: "ndcg_at_10",
        score: mean((r) => r.ndcg),
        n: results.length,
        unit: "queries",
        more: {
          mrr_at_10: mean((r) => r.reciprocalRank),
          recall_at_10: mean((r) => r.recall),
          map_at_10: mean((r) => r.averagePrecision),
        },
        values,
        detail: Int32Array.from(results, (r) => r.bestRank),
      };
    },
  };
}

function prepareClassification(task: ClassificationTask): PreparedTask {
  const rows = sampledRows(task);
  const train: Part = { name: "train samples", side: "text", texts: rows.map((row) => task.train.texts[row]!) };
  const test: Part = { name: "test", side: "text", texts: task.test.texts };
  return {
    task,
    parts: [train, test],
    unitParts: [test],
    unitText: (row) => task.test.texts[row]!,
    async measure(store, templates, ctx) {
      const gather = (part: Part): Float32Array => store.gather(part.texts, templates.text!, false);
      const scores = await scoreClassification(task, gather(train), gather(test), store.dimensions, ctx);
      const values = Float64Array.from(scores.right, (right) => right / ROUNDS);
      return {
        kind: "mean",
        metric: "accuracy",
        score: scores.accuracy,
        n: values.length,
        unit: "texts",
        more: { f1: scores.macroF1, ...(scores.averagePrecision === undefined ? {} : { ap: scores.averagePrecision }) },
        values,
        detail: scores.right,
      };
    },
  };
}

/** Cosine of row i of u with row i of v: float64 [n]. */
export function rowCosines(u: Float32Array, v: Float32Array, d: number): Float64Array {
  const x = new Float64Array(u.length / d);
  for (let i = 0; i < x.length; i++) {
    let [uv, uu, vv] = [0, 0, 0];
    for (let j = i * d; j < (i + 1) * d; j++) {
      uv += u[j]! * v[j]!;
      uu += u[j]! * u[j]!;
      vv += v[j]! * v[j]!;
    }
    x[i] = uv / Math.sqrt(uu * vv);
  }
  return x;
}

/** Unit by unit, how much better `other` did than `base` (positive is better), and that in words. */
export function unitGain(base: Measured, other: Measured): { gain: Float64Array; words: (row: number) => string } {
  if (base.kind === "spearman" && other.kind === "spearman") {
    const n = base.n;
    const [gold, before, after] = [averageRanks(base.y), averageRanks(base.x), averageRanks(other.x)];
    const error = (rank: number, i: number): number => ((rank - gold[i]!) / n) ** 2;
    return {
      gain: Float64Array.from({ length: n }, (_, i) => error(before[i]!, i) - error(after[i]!, i)),
      words: (i) =>
        `similarity rank ${rankWord(before[i]!)} → ${rankWord(after[i]!)}, gold ${rankWord(gold[i]!)} of ${n}`,
    };
  }
  const [b, o] = [base as MeanMeasured, other as MeanMeasured];
  return {
    gain: Float64Array.from(b.values, (value, i) => o.values[i]! - value),
    words: (i) =>
      b.unit === "queries"
        ? `rank ${b.detail[i] || "none"} → ${o.detail[i] || "none"}`
        : `right in ${b.detail[i]!} → ${o.detail[i]!} of ${ROUNDS} rounds`,
  };
}

const rankWord = (rank: number): string => (Number.isInteger(rank) ? String(rank) : rank.toFixed(1));

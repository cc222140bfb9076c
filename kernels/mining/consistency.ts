/** Consistency filtering: keep the pairs that an encoder finds again among many others. */
import { exactNearest } from "../corpus/exact-nearest.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import type { Compute } from "../graph/compute.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { Random } from "../train/prng.ts";
import type { TrainingRow } from "../train/rows.ts";
import { textKey } from "../train/text-key.ts";
import { dot } from "./mine.ts";
import { distinctTexts, prompted, RightAnswers, type SidePrompts } from "./sides.ts";
import { inChunks, TextVectors, unitVectors } from "./text-vectors.ts";

export interface FilterOptions extends WorkContext {
  rows: readonly TrainingRow[];
  encoder: Embedder;
  compute: Compute;
  prompts: SidePrompts;
  /** Random positives of the rows that each pair is ranked against, or texts. */
  pool: number | readonly string[];
  /** Kept: pairs whose positive is among the nearest k. */
  k: number;
  seed: number;
}

export interface FilterReport {
  rows: number;
  kept: number;
  dropped: number;
  /** Texts of the pool. */
  pool: number;
  k: number;
  /** How many rows have rank 1, 2, … k, and how many a worse one. */
  ranks: number[];
  /** Dropped pairs with a text that is nearer to the anchor than the positive. */
  examples: { row: number; anchor: string; positive: string; score: number; nearer: string; nearerScore: number }[];
}

const EXAMPLES = 5;
const QUERIES = 256;

/**
 * E5's consistency filter (Wang et al. 2022, section 3.1): a pair is kept when its positive ranks among the k nearest of a
 * pool of random passages. Rank 1 + the number of texts nearer to the anchor than the positive; the anchor itself and its
 * other right answers do not count. E5 uses an early encoder trained on the noisy pairs, k = 2 and a million passages.
 *
 * @returns the kept rows in their order.
 * @throws {ParallaxError} mining.bad-option
 * @throws {CancelledError} between two blocks
 * Cost: encoding the pool, anchors and positives once, then rows · pool · dimensions multiplications.
 */
export async function filterConsistent(options: FilterOptions): Promise<{ rows: TrainingRow[]; report: FilterReport }> {
  const { rows, encoder, compute, prompts, k, seed } = options;
  check(options);
  const all =
    typeof options.pool === "number"
      ? rows.map((row) => prompted(row, "positive", row.positive, prompts))
      : options.pool.map((text) => ({ text, template: prompts.positive }));
  const distinct = distinctTexts(all);
  const size = typeof options.pool === "number" ? Math.min(options.pool, distinct.keys.length) : distinct.keys.length;
  const order = new Random(seed, "pool").permutation(distinct.keys.length).subarray(0, size);
  const texts = [...order].map((at) => distinct.texts[at]!);
  const keys = [...order].map((at) => distinct.keys[at]!);
  const right = new RightAnswers(rows);
  const kept: TrainingRow[] = [];
  const report: FilterReport = {
    rows: rows.length,
    kept: 0,
    dropped: 0,
    pool: size,
    k,
    ranks: new Array<number>(k).fill(0),
    examples: [],
  };
  const vectors = await TextVectors.encode(encoder, texts, "Encoding the pool", options);
  try {
    await inChunks(
      rows,
      "Filtering",
      "rows",
      options,
      async (chunk, start) => {
        const d = vectors.dimensions;
        const side = (name: "anchor" | "positive") =>
          unitVectors(
            encoder,
            chunk.map((row) => prompted(row, name, row[name], prompts)),
            options,
          );
        const [anchors, positives] = [await side("anchor"), await side("positive")];
        const past = Math.max(...chunk.map((row) => right.count(row, textKey(row.anchor))));
        const near = await exactNearest(vectors, anchors, k + past, compute, { signal: options.signal });
        chunk.forEach((row, i) => {
          const anchorKey = textKey(row.anchor);
          const score = dot(anchors.subarray(i * d, (i + 1) * d), positives.subarray(i * d, (i + 1) * d));
          let [nearer, first] = [0, -1];
          for (let j = i * near.k; j < (i + 1) * near.k && near.cosines[j]! > score; j++) {
            if (right.has(row, anchorKey, keys[near.rows[j]!]!)) continue;
            nearer++;
            if (first < 0) first = j;
          }
          if (nearer < k) {
            kept.push(row);
            report.ranks[nearer]!++;
          } else if (report.examples.length < EXAMPLES)
            report.examples.push({
              row: start + i,
              anchor: row.anchor,
              positive: row.positive,
              score,
              nearer: texts[near.rows[first]!]!.text,
              nearerScore: near.cosines[first]!,
            });
        });
      },
      QUERIES,
    );
  } finally {
    vectors.close();
  }
  report.kept = kept.length;
  report.dropped = rows.length - kept.length;
  return { rows: kept, report };
}

function check({ rows, pool, k }: FilterOptions): void {
  const bad = (option: string, value: unknown, says: string) =>
    new ParallaxError(
      "mining.bad-option",
      `${option} is ${JSON.stringify(value)}; it must be ${says}. Nothing was filtered.`,
      {
        hint: `Leave ${option} out for the default.`,
        details: { option },
      },
    );
  if (rows.length === 0)
    throw new ParallaxError("train.no-pairs", "There are no rows to filter.", { hint: "Give rows." });
  if (!Number.isSafeInteger(k) || k < 1) throw bad("k", k, "a whole number from 1");
  const size = typeof pool === "number" ? pool : pool.length;
  if (!Number.isSafeInteger(size) || size <= k)
    throw bad("pool", size, `a number of texts over k (${k}), or every pair would be kept`);
}

/** Hard negatives: texts that an encoder finds near an anchor though they are no answer to it. */
import { exactNearest, type NearestRows } from "../corpus/exact-nearest.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import type { Compute } from "../graph/compute.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { Random } from "../train/prng.ts";
import type { TrainingRow } from "../train/rows.ts";
import { textKey } from "../train/text-key.ts";
import { distinctTexts, prompted, RightAnswers, type SidePrompts } from "./sides.ts";
import { inChunks, type PromptedText, TextVectors, unitVectors } from "./text-vectors.ts";

export interface MineOptions extends WorkContext {
  rows: readonly TrainingRow[];
  encoder: Embedder;
  compute: Compute;
  /** Candidates. Null: the positives of the rows. */
  corpus: readonly string[] | null;
  prompts: SidePrompts;
  /** Negatives a row gets, beside those it has. */
  negatives: number;
  /** Ranks that are looked at, 1 for the nearest, both included; right answers have no rank. */
  ranks: readonly [from: number, to: number];
  /** A candidate must be this much (cosine) less similar than the positive. Null: no such rule. */
  margin: number | null;
  /** A candidate must stay below (1 − this) of the positive's cosine. Null: no such rule. */
  relativeMargin: number | null;
  /** The first of the candidates that are left, or a draw among them. */
  sample: "top" | "random";
  /** Rows that get fewer: left out, kept with what they got, or filled up with random candidates. */
  short: "drop" | "keep" | "fill";
  seed: number;
}

export interface MiningExample {
  row: number;
  anchor: string;
  positive: string;
  positiveScore: number;
  /** What was mined, or what was passed over, with its cosine and rank. */
  negative: string;
  score: number;
  rank: number;
}

export interface MiningReport {
  rows: number;
  kept: number;
  /** Rows left out because too few candidates remained. */
  dropped: number;
  /** Rows that got random candidates in place of near ones. */
  filled: number;
  candidates: number;
  mined: number;
  /** Candidates within the ranks that were passed over, by the rule that did it. */
  passedOver: { margin: number; relativeMargin: number; already: number };
  /** Right answers met on the way: they have no rank. */
  rightAnswers: number;
  /** Means over all rows, and over all mined negatives. */
  meanPositive: number;
  meanNegative: number;
  /** Rows whose teacher's scores were removed: they did not speak of the new negatives. */
  scoresRemoved: number;
  examples: { mined: MiningExample[]; passedOver: MiningExample[]; dropped: { row: number; anchor: string }[] };
}

const EXAMPLES = 5;
/** Anchors that are searched at once. */
const QUERIES = 256;

/**
 * Mine hard negatives with an encoder (FlagEmbedding's rank range; the margin and positive-aware rules as in NV-Retriever
 * and sentence-transformers). Candidates are compared without case and extra space; the anchor, its positives in any row
 * and texts of its group are never candidates of it.
 *
 * @returns the rows in their order with their negatives nearest first, and what happened.
 * @throws {ParallaxError} mining.bad-option, mining.too-few-candidates
 * @throws {CancelledError} between two blocks
 * Cost: encoding every text once, then anchors · candidates · dimensions multiplications; vectors past 256 MiB are kept
 *   in a temporary file.
 */
export async function mineNegatives(options: MineOptions): Promise<{ rows: TrainingRow[]; report: MiningReport }> {
  const { rows, encoder, compute, prompts, ranks } = options;
  check(options);
  const { texts, keys } = candidatesOf(options);
  if (texts.length < 2)
    throw new ParallaxError(
      "mining.too-few-candidates",
      `There ${texts.length === 1 ? "is one candidate" : "are no candidates"}: negatives need other texts to come from.`,
      { hint: "Give more rows, or texts as corpus: [...]." },
    );
  const right = new RightAnswers(rows);
  const vectors = await TextVectors.encode(encoder, texts, "Encoding candidates", options);
  const miner = new Miner(options, { texts, keys, right, vectors });
  try {
    await inChunks(
      rows,
      "Mining negatives",
      "rows",
      options,
      async (chunk, start) => {
        const anchors = await unitVectors(
          encoder,
          chunk.map((row) => prompted(row, "anchor", row.anchor, prompts)),
          options,
        );
        const positives = await unitVectors(
          encoder,
          chunk.map((row) => prompted(row, "positive", row.positive, prompts)),
          options,
        );
        const past = Math.max(...chunk.map((row) => right.count(row, textKey(row.anchor))));
        const near = await exactNearest(vectors, anchors, ranks[1] + past, compute, { signal: options.signal });
        chunk.forEach((_, i) => {
          miner.row(start + i, i, anchors, positives, near);
        });
      },
      QUERIES,
    );
  } finally {
    vectors.close();
  }
  return miner.end();
}

interface Candidates {
  texts: readonly PromptedText[];
  keys: readonly string[];
  right: RightAnswers;
  vectors: TextVectors;
}

interface Candidate {
  at: number;
  score: number;
  rank: number;
}

class Miner {
  readonly #options: MineOptions;
  readonly #of: Candidates;
  readonly #rows: TrainingRow[] = [];
  readonly #report: MiningReport;

  constructor(options: MineOptions, of: Candidates) {
    this.#options = options;
    this.#of = of;
    this.#report = {
      rows: options.rows.length,
      kept: 0,
      dropped: 0,
      filled: 0,
      candidates: of.texts.length,
      mined: 0,
      passedOver: { margin: 0, relativeMargin: 0, already: 0 },
      rightAnswers: 0,
      meanPositive: 0,
      meanNegative: 0,
      scoresRemoved: 0,
      examples: { mined: [], passedOver: [], dropped: [] },
    };
  }

  /** @param i place of the row in the chunk whose vectors and neighbours are given. */
  row(index: number, i: number, anchors: Float32Array, positives: Float32Array, near: NearestRows): void {
    const { rows, negatives, ranks, sample, short, seed } = this.#options;
    const report = this.#report;
    const row = rows[index]!;
    const d = this.#of.vectors.dimensions;
    const anchor = anchors.subarray(i * d, (i + 1) * d);
    const positive = dot(anchor, positives.subarray(i * d, (i + 1) * d));
    report.meanPositive += positive / rows.length;
    const anchorKey = textKey(row.anchor);
    const already = new Set((row.negatives ?? []).map(textKey));
    const left: Candidate[] = [];
    let rank = 0;
    for (let j = 0; j < near.k && rank < ranks[1]; j++) {
      const at = near.rows[i * near.k + j]!;
      if (at < 0) break;
      if (this.#of.right.has(row, anchorKey, this.#of.keys[at]!)) {
        report.rightAnswers++;
        continue;
      }
      rank++;
      if (rank < ranks[0]) continue;
      const candidate = { at, score: near.cosines[i * near.k + j]!, rank };
      if (this.#passes(candidate, positive, already, { index, row })) left.push(candidate);
    }
    const random = new Random(seed, "mine", index);
    let chosen = sample === "top" ? left.slice(0, negatives) : draw(left, negatives, random);
    if (chosen.length < negatives && short === "fill") {
      const more = this.#fill(row, anchorKey, anchor, positive, new Set(chosen.map(({ at }) => at)), random);
      if (more.length > 0) report.filled++;
      chosen = [...chosen, ...more.slice(0, negatives - chosen.length)];
    }
    if (chosen.length < negatives && short !== "keep") {
      report.dropped++;
      if (report.examples.dropped.length < EXAMPLES) report.examples.dropped.push({ row: index, anchor: row.anchor });
      return;
    }
    this.#keep(row, index, positive, chosen);
  }

  end(): { rows: TrainingRow[]; report: MiningReport } {
    const report = this.#report;
    report.meanNegative = report.mined === 0 ? Number.NaN : report.meanNegative / report.mined;
    return { rows: this.#rows, report };
  }

  #passes(
    candidate: Candidate,
    positive: number,
    already: ReadonlySet<string>,
    { index, row }: { index: number; row: TrainingRow },
  ): boolean {
    const { passedOver, examples } = this.#report;
    if (already.has(this.#of.keys[candidate.at]!)) {
      passedOver.already++;
      return false;
    }
    const rule = this.#rule(candidate.score, positive);
    if (rule === null) return true;
    passedOver[rule]++;
    if (examples.passedOver.length < EXAMPLES && examples.passedOver.at(-1)?.row !== index)
      examples.passedOver.push(this.#example(row, index, positive, candidate));
    return false;
  }

  /** The rule that a similarity breaks. */
  #rule(score: number, positive: number): "margin" | "relativeMargin" | null {
    const { margin, relativeMargin } = this.#options;
    if (margin !== null && score > positive - margin) return "margin";
    // For a positive below 0 "95 % of it" would lie above it.
    if (relativeMargin !== null && score > positive - relativeMargin * Math.abs(positive)) return "relativeMargin";
    return null;
  }

  /** Random candidates that break no rule; as many draws as there is reason to hope. */
  #fill(
    row: TrainingRow,
    anchorKey: string,
    anchor: Float32Array,
    positive: number,
    taken: Set<number>,
    random: Random,
  ): Candidate[] {
    const { negatives } = this.#options;
    const { keys, right, vectors } = this.#of;
    const already = new Set((row.negatives ?? []).map(textKey));
    const found: Candidate[] = [];
    for (let draws = 0; draws < 20 * negatives && taken.size < keys.length && found.length < negatives; draws++) {
      const at = random.below(keys.length);
      if (taken.has(at)) continue;
      taken.add(at);
      if (right.has(row, anchorKey, keys[at]!) || already.has(keys[at]!)) continue;
      const score = dot(anchor, vectors.unitRows(at, at + 1));
      if (this.#rule(score, positive) === null) found.push({ at, score, rank: 0 });
    }
    return found;
  }

  #keep(row: TrainingRow, index: number, positive: number, chosen: readonly Candidate[]): void {
    const report = this.#report;
    const { scores, ...rest } = row;
    const negatives = [...(row.negatives ?? []), ...chosen.map(({ at }) => this.#of.texts[at]!.text)];
    // A score of the pair still holds; a teacher's list lacks the new ones.
    const stale = scores !== undefined && scores.length > 1 && chosen.length > 0;
    if (stale) report.scoresRemoved++;
    this.#rows.push({
      ...rest,
      ...(negatives.length > 0 ? { negatives } : {}),
      ...(scores === undefined || stale ? {} : { scores }),
    });
    report.kept++;
    report.mined += chosen.length;
    for (const { score } of chosen) report.meanNegative += score;
    if (report.examples.mined.length < EXAMPLES && chosen.length > 0)
      report.examples.mined.push(this.#example(row, index, positive, chosen[0]!));
  }

  #example(row: TrainingRow, index: number, positiveScore: number, { at, score, rank }: Candidate): MiningExample {
    const { anchor, positive } = row;
    return { row: index, anchor, positive, positiveScore, negative: this.#of.texts[at]!.text, score, rank };
  }
}

/** `count` of the list without replacement, in the list's order. */
function draw<T>(list: readonly T[], count: number, random: Random): T[] {
  if (list.length <= count) return [...list];
  const places = [...random.permutation(list.length).subarray(0, count)].sort((a, b) => a - b);
  return places.map((place) => list[place]!);
}

/** Sum of products, float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function candidatesOf({ rows, corpus, prompts }: MineOptions): { texts: PromptedText[]; keys: string[] } {
  if (corpus !== null) return distinctTexts(corpus.map((text) => ({ text, template: prompts.positive })));
  return distinctTexts(rows.map((row) => prompted(row, "positive", row.positive, prompts)));
}

function check({ rows, negatives, ranks, margin, relativeMargin, sample, short }: MineOptions): void {
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  const bad = (option: string, value: unknown, says: string) =>
    new ParallaxError(
      "mining.bad-option",
      `${option} is ${JSON.stringify(value)}; it must be ${says}. Nothing was mined.`,
      {
        hint: `Leave ${option} out for the default.`,
        details: { option },
      },
    );
  if (rows.length === 0)
    throw new ParallaxError("train.no-pairs", "There are no rows to mine negatives for.", { hint: "Give rows." });
  if (!whole(negatives, 1)) throw bad("negatives", negatives, "a whole number from 1");
  const [from, to] = ranks;
  if (ranks.length !== 2 || !whole(from, 1) || !whole(to, from))
    throw bad("ranks", ranks, "[from, to], whole numbers from 1");
  if (to - from + 1 < negatives) throw bad("ranks", ranks, `at least ${negatives} ranks, one for each negative`);
  if (margin !== null && !Number.isFinite(margin)) throw bad("margin", margin, "a number");
  if (relativeMargin !== null && !(relativeMargin >= 0 && relativeMargin < 1))
    throw bad("relativeMargin", relativeMargin, "a number from 0 to 1");
  if (sample !== "top" && sample !== "random") throw bad("sample", sample, '"top" or "random"');
  if (!["drop", "keep", "fill"].includes(short)) throw bad("short", short, '"drop", "keep" or "fill"');
}

/** Vectors of one encoder within one call: each (prompt, text) is encoded once, and progress runs over all of it. */
import { count } from "../data/table-view.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncodeReport } from "../protocol/results.ts";
import type { Embedder } from "./embedder.ts";
import type { Side } from "./prompt-sides.ts";

/** Texts of a task that are encoded together under one side's template. */
export interface Part {
  name: string;
  side: Side;
  texts: readonly string[];
}

export class VectorStore {
  readonly #embedder: Embedder;
  readonly #vectors = new Map<string, Map<string, Float32Array>>();
  readonly #reports = new Map<string, EncodeReport>();
  #encoded = 0;
  #planned = 0;
  #started = 0;
  dimensions = 0;

  constructor(embedder: Embedder) {
    this.#embedder = embedder;
  }

  /** Counts what is still to encode for these prompts, so that progress knows its end. Returns the number of texts. */
  plan(parts: readonly Part[], prompts: readonly Record<string, string>[]): number {
    const wanted = new Map<string, Set<string>>();
    for (const templates of prompts)
      for (const part of parts) {
        const template = templates[part.side]!;
        const texts = wanted.get(template) ?? new Set<string>();
        for (const text of part.texts) if (!this.#vectors.get(template)?.has(text)) texts.add(text);
        wanted.set(template, texts);
      }
    this.#planned = [...wanted.values()].reduce((sum, texts) => sum + texts.size, 0);
    this.#encoded = 0;
    this.#started = Date.now();
    return this.#planned;
  }

  /**
   * Encodes what is missing of the parts under their templates.
   * @returns one report over all parts; row numbers count through the parts' texts in order.
   * @throws {ParallaxError} evaluate.bad-vector with the row when a vector has a NaN or is all zero; work.cancelled.
   */
  async ensure(
    parts: readonly Part[],
    templates: Record<string, string>,
    ctx: WorkContext,
    note?: string,
  ): Promise<EncodeReport> {
    const reports: { side: Side; report: EncodeReport }[] = [];
    const sides = [...new Set(parts.map((part) => part.side))];
    let offset = 0;
    for (const side of sides) {
      const own = parts.filter((part) => part.side === side);
      const texts = own.flatMap((part) => part.texts);
      const template = templates[side]!;
      const key = `${side}\u0000${template}`;
      let report = this.#reports.get(key);
      if (report === undefined) {
        report = await this.#encodeMissing(texts, template, side, ctx, note);
        this.#reports.set(key, report);
      }
      reports.push({ side, report: shift(report, offset) });
      offset += texts.length;
    }
    return mergeReports(reports);
  }

  async #encodeMissing(
    texts: readonly string[],
    template: string,
    side: Side,
    ctx: WorkContext,
    note?: string,
  ): Promise<EncodeReport> {
    const vectors = this.#vectors.get(template) ?? new Map<string, Float32Array>();
    this.#vectors.set(template, vectors);
    const rows = new Map<string, number[]>();
    for (const [row, text] of texts.entries()) {
      const known = rows.get(text);
      if (known === undefined) rows.set(text, [row]);
      else known.push(row);
    }
    const missing = [...rows.keys()].filter((text) => !vectors.has(text));
    if (ctx.signal?.aborted === true) throw new CancelledError("Encoding");
    if (missing.length === 0) return emptyReport();
    const base = this.#encoded;
    const set = await this.#embedder.encode(missing, {
      // Said even when it is the text alone: left out, an encoder would put its own default prompt in.
      prompt: template,
      signal: ctx.signal,
      onProgress: (progress) => {
        const done = base + Math.round((progress.total > 0 ? progress.done / progress.total : 0) * missing.length);
        this.#report(done, ctx, note);
      },
    });
    this.#encoded = base + missing.length;
    this.#report(this.#encoded, ctx, note);
    const d = set.dimensions;
    this.dimensions = d;
    for (const [i, text] of missing.entries()) {
      const vector = set.data.subarray(i * d, (i + 1) * d);
      let squares = 0;
      for (const v of vector) squares += v * v;
      if (!(squares > 0) || squares === Number.POSITIVE_INFINITY)
        throw new ParallaxError(
          "evaluate.bad-vector",
          `The encoder gave ${Number.isFinite(squares) ? "a zero vector" : "a vector that is not finite"} for the ${side} in row ${count(rows.get(text)![0]!)} (rows count from 0): ${JSON.stringify(text.slice(0, 80))}.`,
          {
            hint: "Look at that text; an empty one under a static encoder has no vector.",
            details: { row: rows.get(text)![0], side },
          },
        );
      vectors.set(text, vector);
    }
    const back = (found: readonly number[]): number[] =>
      found.flatMap((i) => rows.get(missing[i]!) ?? []).sort((a, b) => a - b);
    return { ...set.report, truncated: back(set.report.truncated), empty: back(set.report.empty) };
  }

  #report(done: number, ctx: WorkContext, note?: string): void {
    const seconds = (Date.now() - this.#started) / 1000;
    const rate = done > 0 && seconds > 0 ? done / seconds : undefined;
    ctx.onProgress?.({
      stage: "Encoding",
      done,
      total: this.#planned,
      unit: "texts",
      rate,
      etaMs: rate === undefined ? undefined : (Math.max(0, this.#planned - done) / rate) * 1000,
      note,
    });
  }

  /** The vectors of texts that were ensured: float32 [n, d], new buffer; `unit` scales every row to length 1. */
  gather(texts: readonly string[], template: string, unit: boolean): Float32Array {
    const vectors = this.#vectors.get(template)!;
    const d = this.dimensions;
    const data = new Float32Array(texts.length * d);
    for (const [row, text] of texts.entries()) data.set(vectors.get(text)!, row * d);
    if (unit) normaliseRows(data, d);
    return data;
  }
}

/** Scales every row of [n, d] to Euclidean length 1, in place; squares summed in float64. */
export function normaliseRows(data: Float32Array, d: number): void {
  for (let at = 0; at < data.length; at += d) {
    let squares = 0;
    for (let j = 0; j < d; j++) squares += data[at + j]! * data[at + j]!;
    const scale = 1 / Math.sqrt(squares);
    for (let j = 0; j < d; j++) data[at + j]! *= scale;
  }
}

function shift(report: EncodeReport, offset: number): EncodeReport {
  const moved = (rows: readonly number[]): number[] => rows.map((row) => row + offset);
  return { ...report, truncated: moved(report.truncated), empty: moved(report.empty) };
}

function emptyReport(): EncodeReport {
  return {
    n: 0,
    tokens: 0,
    truncated: [],
    maxTokens: 0,
    empty: [],
    unknownShare: 0,
    scripts: [],
    elapsedMs: 0,
    textsPerSecond: 0,
    warnings: [],
  };
}

/** One report of several: counts add up, shares are weighted by tokens, warnings name their side. */
function mergeReports(reports: readonly { side: Side; report: EncodeReport }[]): EncodeReport {
  const parts = reports.filter(({ report }) => report.n > 0);
  if (parts.length === 1) return withUnknownWarning(parts[0]!.report);
  const tokens = parts.reduce((sum, { report }) => sum + report.tokens, 0);
  const scripts = new Map<string, number>();
  for (const { report } of parts)
    for (const [script, share] of report.scripts)
      scripts.set(script, (scripts.get(script) ?? 0) + (share * report.tokens) / Math.max(1, tokens));
  const elapsedMs = parts.reduce((sum, { report }) => sum + report.elapsedMs, 0);
  const n = parts.reduce((sum, { report }) => sum + report.n, 0);
  const cached = parts.reduce((sum, { report }) => sum + (report.cached ?? 0), 0);
  return withUnknownWarning({
    n,
    tokens,
    ...(cached > 0 ? { cached } : {}),
    truncated: parts.flatMap(({ report }) => report.truncated),
    maxTokens: Math.max(0, ...parts.map(({ report }) => report.maxTokens)),
    empty: parts.flatMap(({ report }) => report.empty),
    unknownShare: parts.reduce((sum, { report }) => sum + report.unknownShare * report.tokens, 0) / Math.max(1, tokens),
    scripts: [...scripts].sort((a, b) => b[1] - a[1]),
    elapsedMs,
    textsPerSecond: elapsedMs > 0 ? (n / elapsedMs) * 1000 : 0,
    warnings: parts.flatMap(({ side, report }) =>
      report.warnings.map(
        (warning) => `${side === "query" ? "Queries" : side === "document" ? "Documents" : "Texts"}: ${warning}`,
      ),
    ),
  });
}

/** A score over texts that the vocabulary hardly knows never goes out without a word, whatever the encoder said. */
function withUnknownWarning(report: EncodeReport): EncodeReport {
  if (report.unknownShare <= 0.05 || report.warnings.length > 0) return report;
  return {
    ...report,
    warnings: [
      `${(100 * report.unknownShare).toFixed(1)} % of the word pieces are unknown to this encoder, so its vectors say little about these texts.`,
    ],
  };
}

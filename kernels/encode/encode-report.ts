/** What happened to the texts on the way in, and the sentences a person must read before using a number. */
import type { EncodeReport } from "../protocol/results.ts";
import { ScriptCounter, type ScriptCoverage } from "../tokenize/scripts.ts";
import type { Encoding } from "../tokenize/tokenizer.ts";
import type { PromptCut } from "./prompt-pooling.ts";

/** Share of unknown pieces, and of letters in a script without words, from which on a number is not silent. */
export const WARN_SHARE = 0.05;
/** Row numbers that a sentence lists. */
const LISTED = 5;

/** Collects the report of one encode call, text by text. */
export class ReportBuilder {
  readonly #maxTokens: number;
  readonly #special: number;
  readonly #dropsUnknown: boolean;
  readonly #coverage: ReadonlyMap<string, ScriptCoverage> | undefined;
  readonly #truncated: number[] = [];
  readonly #empty: number[] = [];
  readonly #scripts = new ScriptCounter();
  readonly #missingPrompt: string | undefined;
  /** Rows whose instruction ends inside a piece, and rows with nothing left to pool. */
  readonly #merged: number[] = [];
  readonly #nothing: number[] = [];
  #cached = 0;
  #n = 0;
  #tokens = 0;
  #unknown = 0;

  /**
   * @param options.specialTokens how many tokens of each text are special ones (not counted in the unknown share)
   * @param options.coverage      what the vocabulary knows of each script; undefined when that cannot be said
   */
  constructor(options: {
    maxTokens: number;
    specialTokens: number;
    /** Unknown pieces are not among the ids (static models take them out). */
    dropsUnknown?: boolean;
    coverage: ReadonlyMap<string, ScriptCoverage> | undefined;
    /** A sentence for texts that should have a prompt and have none. */
    missingPrompt?: string | undefined;
  }) {
    this.#maxTokens = options.maxTokens;
    this.#special = options.specialTokens;
    this.#dropsUnknown = options.dropsUnknown ?? false;
    this.#coverage = options.coverage;
    this.#missingPrompt = options.missingPrompt;
  }

  /** Count one text (as the user gave it) and its tokens (prompt included). */
  add(text: string, encoding: Encoding): void {
    if (encoding.truncated) this.#truncated.push(this.#n);
    if (!/\S/.test(text)) this.#empty.push(this.#n);
    this.#scripts.add(text);
    this.#tokens += encoding.ids.length;
    this.#unknown += encoding.unknown;
    this.#n++;
  }

  /** Count the same text's cut between instruction and text. Call after `add`. */
  addCut({ ids, tokens, after }: PromptCut, encoding: Encoding): void {
    if (encoding.ids.length <= tokens + after) this.#nothing.push(this.#n - 1);
    if (encoding.ids.length > ids.length && ids.some((id, i) => encoding.ids[i] !== id)) this.#merged.push(this.#n - 1);
  }

  /** Count vectors that were not made but read from the cache. */
  addCached(count: number): void {
    this.#cached += count;
  }

  finish(elapsedMs: number): EncodeReport {
    const pieces = this.#tokens - this.#n * this.#special + (this.#dropsUnknown ? this.#unknown : 0);
    const report: EncodeReport = {
      n: this.#n,
      tokens: this.#tokens,
      truncated: this.#truncated,
      maxTokens: this.#maxTokens,
      empty: this.#empty,
      unknownShare: pieces > 0 ? this.#unknown / pieces : 0,
      scripts: this.#scripts.shares(),
      elapsedMs,
      textsPerSecond: elapsedMs > 0 ? (1000 * this.#n) / elapsedMs : 0,
      ...(this.#cached > 0 ? { cached: this.#cached } : {}),
      warnings: [],
    };
    report.warnings = this.#warnings(report);
    return report;
  }

  #warnings(report: EncodeReport): string[] {
    const warnings: string[] = [];
    if (this.#missingPrompt !== undefined && report.n > 0) warnings.push(this.#missingPrompt);
    if (this.#nothing.length > 0)
      warnings.push(
        `In ${this.#nothing.length} of ${report.n} texts no token of the text is left to pool: the instruction fills the ${report.maxTokens} tokens, or the text is empty or merges with it (${rows(this.#nothing)}).`,
      );
    if (this.#merged.length > 0)
      warnings.push(
        `In ${this.#merged.length} of ${report.n} texts the instruction's last piece merges with the text's first, so the authors' rule cuts one token off (${rows(this.#merged)}). A space at the end of the instruction usually avoids it.`,
      );
    if (report.unknownShare > WARN_SHARE)
      warnings.push(
        `${percent(report.unknownShare)} of the word pieces are unknown to this encoder's vocabulary, and all unknown pieces look the same to it. Scores on these texts mean little; use an encoder made for their language.`,
      );
    const foreign = this.#foreign(report.scripts);
    const share = foreign.reduce((sum, script) => sum + script.share, 0);
    if (share > WARN_SHARE) {
      const list = foreign.map(
        ({ name, share, letters, words }) =>
          `${name} ${percent(share)} (${count(letters, "single letter")}, ${count(words, "longer piece")})`,
      );
      warnings.push(
        `${percent(share)} of the letters are in scripts of which this encoder's vocabulary knows no words: ${list.join(", ")}. Its vectors for these texts carry little meaning; use an encoder made for their language.`,
      );
    }
    if (report.truncated.length > 0)
      warnings.push(
        `${report.truncated.length === report.n ? `All ${report.n}` : `${report.truncated.length} of ${report.n}`} texts are longer than ${report.maxTokens} tokens; what comes after was not read (${rows(report.truncated)}).`,
      );
    if (report.empty.length > 0)
      warnings.push(
        `${report.empty.length} of ${report.n} texts are empty or white space only (${rows(report.empty)}); their vectors say nothing.`,
      );
    return warnings;
  }

  /** The scripts of the texts that the vocabulary was not made for. */
  #foreign(scripts: EncodeReport["scripts"]): { name: string; share: number; letters: number; words: number }[] {
    if (this.#coverage === undefined) return [];
    return scripts.flatMap(([name, share]) => {
      const { letters, words, covered } = this.#coverage?.get(name) ?? { letters: 0, words: 0, covered: false };
      return covered ? [] : [{ name, share, letters, words }];
    });
  }
}

/**
 * One report for several encode calls, e.g. both sides of pairs. Row numbers are shifted by the rows before; equal
 * warnings are kept once.
 */
export function joinReports(reports: readonly EncodeReport[]): EncodeReport {
  const scripts = new Map<string, number>();
  const joined: EncodeReport = {
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
  for (const report of reports) {
    joined.truncated.push(...report.truncated.map((row) => row + joined.n));
    joined.empty.push(...report.empty.map((row) => row + joined.n));
    joined.unknownShare += report.unknownShare * report.tokens;
    for (const [script, share] of report.scripts)
      scripts.set(script, (scripts.get(script) ?? 0) + share * report.tokens);
    joined.n += report.n;
    joined.tokens += report.tokens;
    joined.elapsedMs += report.elapsedMs;
    joined.maxTokens = Math.max(joined.maxTokens, report.maxTokens);
    for (const warning of report.warnings) if (!joined.warnings.includes(warning)) joined.warnings.push(warning);
  }
  const weight = Math.max(1, joined.tokens);
  joined.unknownShare /= weight;
  joined.scripts = [...scripts]
    .map(([script, sum]): [string, number] => [script, sum / weight])
    .sort((a, b) => b[1] - a[1]);
  joined.textsPerSecond = joined.elapsedMs > 0 ? (1000 * joined.n) / joined.elapsedMs : 0;
  return joined;
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 99.5 && value < 100 ? "More than 99" : value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

function rows(list: readonly number[]): string {
  const shown = list.slice(0, LISTED).join(", ");
  return list.length === 1 ? `row ${shown}` : `rows ${shown}${list.length > LISTED ? ", …" : ""}`;
}

/** An encoder at work: texts → prompt → tokens → batches → graph → vectors, in the order of the texts. */
import { describeFallback, type NodePlacement } from "../graph/placement.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncoderIdentity } from "../protocol/results.ts";
import { type ScriptCoverage, vocabularyScripts } from "../tokenize/scripts.ts";
import type { Encoding, Tokenizer } from "../tokenize/tokenizer.ts";
import { fillBatches } from "./batch-plan.ts";
import { EmbeddingSet, normaliseRows } from "./embedding-set.ts";
import { EncodeMeter } from "./encode-meter.ts";
import { ReportBuilder } from "./encode-report.ts";
import { checkFinite, checkTexts, padBatch, type Row } from "./encode-rows.ts";
import type { EncoderSpec } from "./encoder-spec.ts";
import type { Engine } from "./engine.ts";
import { cutPrompt, type PromptCut } from "./prompt-pooling.ts";
import { type PromptTemplate, readPrompt } from "./prompt-template.ts";
import type { ProviderCheck } from "./provider-check.ts";
import { sharedVectorCache, type VectorCache } from "./vector-cache.ts";

export interface EncodeOptions {
  /**
   * A template with {text} ("query: {text}"), or the name of one of the encoder's own prompts. Default: the encoder's own
   * default prompt, for most encoders none. "" or "{text}" for none.
   */
  prompt?: string;
  /** Padded tokens a batch, at least one text. Default: from the size of the encoder, about half a second's work. */
  batchTokens?: number;
  /** Most texts a batch. Default: no limit but batchTokens. */
  batchSize?: number;
  /** Default: as the encoder says. True gives unit vectors; false cannot undo what the encoder's graph does. */
  normalise?: boolean;
  /**
   * "use" takes vectors from the cache on disk where they are there and keeps new ones; "refresh" makes all again and keeps
   * them; "skip" leaves the cache alone. Default "use", where the process has a cache.
   */
  cache?: "use" | "refresh" | "skip";
}

/** Texts that are tokenised and sorted together: bounds memory, and progress starts at once. */
const CHUNK_TEXTS = 4096;
/** Longest stretch without a look at the signal. */
const SLICE_MS = 40;

/** Where an encoder's graph runs, as it was found, not as it was asked for. */
export interface EncoderProvider {
  /** "cpu", "webgpu", "cuda", "dml", "coreml". */
  name: string;
  threads: number;
  /** Nodes of the graph by provider; null on the CPU, where all of them run, and for tables. */
  placement: readonly NodePlacement[] | null;
  /** "6 of 76 nodes run on the CPU (Concat 2, …; 0.1 % of the time)"; null when none does. */
  fallback: string | null;
  /** The test against the CPU that it passed; null on the CPU. */
  check: ProviderCheck | null;
}

export class Encoder {
  readonly spec: EncoderSpec;
  readonly identity: EncoderIdentity;
  readonly tokenizer: Tokenizer;
  readonly #engine: Engine;
  readonly #batchTokens: number;
  readonly #tokenise: (text: string) => Encoding;
  readonly #ownTokens: boolean;
  readonly #check: ProviderCheck | null;
  #coverage: ReadonlyMap<string, ScriptCoverage> | undefined | null = null;
  #disposed = false;

  /** Use `loadEncoder`. The engine belongs to the encoder from now on. */
  constructor(parts: {
    spec: EncoderSpec;
    identity: EncoderIdentity;
    tokenizer: Tokenizer;
    engine: Engine;
    batchTokens: number;
    /** Ids of a text, for encoders that do not take the tokenizer's own. */
    tokenise?: (text: string) => Encoding;
    /** The self-test that its provider passed. */
    check?: ProviderCheck | undefined;
  }) {
    this.#check = parts.check ?? null;
    this.spec = parts.spec;
    this.identity = parts.identity;
    this.tokenizer = parts.tokenizer;
    this.#engine = parts.engine;
    this.#batchTokens = parts.batchTokens;
    this.#ownTokens = parts.tokenise !== undefined;
    this.#tokenise = parts.tokenise ?? ((text) => this.tokenizer.encode(text, this.spec.maxTokens));
  }

  get dimensions(): number {
    return this.#engine.dimensions;
  }

  /** Padded tokens a batch, when a call does not say. */
  get batchTokens(): number {
    return this.#batchTokens;
  }

  /** Threads of its graph; undefined for tables without one. */
  get threads(): number | undefined {
    return this.#engine.threads;
  }

  /** Where it runs: provider, threads, nodes that run elsewhere, the self-test. */
  get provider(): EncoderProvider {
    const { provider: name, threads = 1, placement } = this.#engine;
    const fallback = placement === undefined ? null : (describeFallback(placement, name) ?? null);
    return { name, threads, placement: placement ?? null, fallback, check: this.#check };
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /**
   * Encode texts.
   *
   * @param texts   n strings, any of them; NUL, lone surrogates, empty ones and 1 MB ones included. What was cut, empty or
   *                unknown stands in the set's report, and in words in report.warnings.
   * @param options see EncodeOptions; `signal` is looked at between batches, `onProgress` gets texts done, rate, time left.
   * @returns       float32 [n, dimensions] in the order of the texts. The same text gives the same vector to 1e-6 in any
   *                batch, and the same bits for the same call.
   * @throws {ParallaxError} encode.not-text, prompt.no-text-place, encoder.disposed, encode.not-finite
   * @throws {CancelledError}
   * Cost: about 2·(weights without the tables)·tokens operations; sorted by length, so padding is a few per cent.
   */
  async encode(texts: readonly string[], options: EncodeOptions & WorkContext = {}): Promise<EmbeddingSet> {
    const started = performance.now();
    this.#checkUsable();
    checkTexts(texts);
    const prompt = readPrompt(options.prompt, this.spec.prompts, this.spec.defaultPrompt);
    const cut = this.#cut(prompt);
    const { signal, onProgress } = options;
    if (signal?.aborted) throw new CancelledError("Encoding");
    const n = texts.length;
    const d = this.dimensions;
    const data = new Float32Array(n * d);
    const special = this.tokenizer.prefix.length + this.tokenizer.suffix.length;
    const report = new ReportBuilder({
      maxTokens: this.spec.maxTokens,
      specialTokens: this.#ownTokens ? 0 : special,
      dropsUnknown: this.#ownTokens,
      coverage: this.#scripts(),
      missingPrompt: this.spec.needsPrompt && prompt.template === "" ? promptAdvice(this.spec) : undefined,
    });
    const cache = this.#cache(options.cache);
    const meter = new EncodeMeter(n, started, onProgress);
    meter.show();

    const kept: Promise<void>[] = [];
    type Outcome = { rows: Row[]; vectors: Float32Array } | { error: unknown };
    const finish = (outcome: Outcome) => {
      if ("error" in outcome) throw outcome.error;
      outcome.rows.forEach(({ index, ids }, i) => {
        data.set(outcome.vectors.subarray(i * d, (i + 1) * d), index * d);
        meter.count(ids.length);
      });
      if (cache !== undefined) kept.push(cache.store(this.#cacheContext, outcome.rows, outcome.vectors, d));
      meter.show();
    };
    // One batch runs while the next one is made: two are on their way, and an error waits for its turn.
    let ahead: Promise<Outcome> | undefined;
    for (let start = 0; start < n; start += CHUNK_TEXTS) {
      const rows = await this.#rows(texts, start, Math.min(n, start + CHUNK_TEXTS), { prompt, cut }, report, signal);
      meter.expect(rows);
      const missing =
        cache === undefined || options.cache === "refresh" ? rows : this.#fromCache(cache, rows, data, meter);
      report.addCached(rows.length - missing.length);
      for (const batch of fillBatches(
        missing,
        options.batchTokens ?? this.#batchTokens,
        this.#engine.sharing === "one" ? 1 : options.batchSize,
        this.#engine.sharing === "equal-lengths",
      )) {
        if (signal?.aborted) throw new CancelledError("Encoding");
        const running = this.#engine
          .run(padBatch(batch, this.tokenizer.padId ?? 0, cut !== undefined))
          .then((vectors): Outcome => ({ rows: batch, vectors: checkFinite(vectors, batch, d) }))
          .catch((error: unknown): Outcome => ({ error }));
        if (ahead !== undefined) finish(await ahead);
        ahead = running;
      }
    }
    if (ahead !== undefined) finish(await ahead);
    await Promise.all(kept);
    if (options.normalise === true && !this.identity.normalised) normaliseRows(data, d);
    const normalised = this.identity.normalised || options.normalise === true;
    return new EmbeddingSet({
      data,
      dimensions: d,
      texts: texts.slice(),
      encoder: { ...this.identity, normalised },
      prompt: prompt.template,
      report: report.finish(performance.now() - started),
    });
  }

  /** Tables without layers are faster than a cache; weights in training have no digest, and no cache either. */
  #cache(wanted: EncodeOptions["cache"]): VectorCache | undefined {
    const isStatic = this.spec.architecture === "static";
    if (wanted === "skip" || isStatic || this.identity.specSha256 === undefined) return undefined;
    return sharedVectorCache() ?? undefined;
  }

  get #cacheContext(): string {
    const { specSha256, precision, provider } = this.identity;
    return `1|${specSha256}|${precision}|${provider}`;
  }

  /** Puts what is in the cache into `data` and returns the other rows. */
  #fromCache(cache: VectorCache, rows: Row[], data: Float32Array, meter: EncodeMeter): Row[] {
    const d = this.dimensions;
    const found = cache.lookup(this.#cacheContext, rows, d);
    const missing: Row[] = [];
    rows.forEach((row, i) => {
      const vector = found[i];
      if (vector === undefined) {
        missing.push(row);
        return;
      }
      data.set(vector, row.index * d);
      meter.count(row.ids.length);
    });
    meter.show();
    return missing;
  }

  /** Free the graph. Later calls of `encode` fail; twice is once. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#engine.dispose();
  }

  async #rows(
    texts: readonly string[],
    start: number,
    end: number,
    { prompt, cut }: { prompt: PromptTemplate; cut: PromptCut | undefined },
    report: ReportBuilder,
    signal: AbortSignal | undefined,
  ): Promise<Row[]> {
    const rows: Row[] = [];
    let slice = performance.now();
    for (let index = start; index < end; index++) {
      const encoding = this.#tokenise(cut === undefined ? prompt.apply(texts[index]) : cut.join(texts[index]));
      report.add(texts[index], encoding);
      if (cut !== undefined) report.addCut(cut, encoding);
      rows.push({ index, ids: encoding.ids, skip: cut?.tokens ?? 0 });
      if (performance.now() - slice > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        if (signal?.aborted) throw new CancelledError("Encoding");
        slice = performance.now();
      }
    }
    // Longest first: memory is asked for once, and what does not fit fails at the start.
    return rows.sort((a, b) => b.ids.length - a.ids.length || a.index - b.index);
  }

  #scripts(): ReadonlyMap<string, ScriptCoverage> | undefined {
    if (this.#coverage === null) this.#coverage = vocabularyScripts(this.tokenizer.pieces());
    return this.#coverage;
  }

  #checkUsable(): void {
    if (this.#disposed)
      throw new ParallaxError(
        "encoder.disposed",
        `The encoder ${this.identity.name} was disposed and cannot encode any more.`,
        {
          hint: "Load it again with loadEncoder.",
        },
      );
  }

  /** What of the prompt the pooling leaves out; undefined when it leaves nothing out. */
  #cut(prompt: PromptTemplate): PromptCut | undefined {
    if (prompt.template === "" || this.spec.promptPooling === "include") return undefined;
    if (!this.#engine.masksPooling)
      throw new ParallaxError(
        "encoder.prompt-pooling",
        `The encoder ${this.identity.name} leaves the prompt's tokens out of its mean, and its ONNX file (${this.spec.weights.file}) makes the mean by itself, over all tokens. The vectors would be other ones, so nothing was encoded.`,
        {
          hint: "Use the model's weights (model.safetensors), or an ONNX export of its token vectors.",
          details: { prompt: prompt.template, file: this.spec.weights.file },
        },
      );
    return cutPrompt(this.tokenizer, prompt.template, this.spec.promptRule, this.spec.maxTokens);
  }
}

/** Which prompts an encoder was made for, in words. */
function promptAdvice({ name, prompts, taskPrompts }: EncoderSpec): string {
  const names = Object.keys(prompts);
  const tasks = Object.keys(taskPrompts).length;
  const how =
    names.length > 0
      ? `its prompts are ${names.map((key) => `${JSON.stringify(key)} (${JSON.stringify(prompts[key])})`).join(" and ")}: encode(texts, { prompt: ${JSON.stringify(names[0])} })`
      : `each task has an instruction of its own (${tasks} are known, see encoder.spec.taskPrompts)`;
  return `${name} was trained with a prompt on every text, and these texts have none; ${how}. Scores without a prompt are below the published ones.`;
}

/** The measurements behind `comparePrecisions`: an encoder in one precision after the other, its vectors in each form. */
import type { Task } from "../data/task-types.ts";
import { columnRanges, compact, fixedRanges, type Ranges, truncateRows } from "../encode/compact-vectors.ts";
import type { Encoder } from "../encode/encoder.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { openSpec } from "../encode/open-encoder.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { type Measured, type PreparedTask, prepareTask } from "../evaluate/measure.ts";
import { Random } from "../evaluate/random.ts";
import { VectorStore } from "../evaluate/vector-store.ts";
import type { ProviderName } from "../graph/compute.ts";
import { PRECISIONS, type Precision } from "../graph/precision.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncodeReport } from "../protocol/results.ts";
import type { PrecisionLine, VectorForm } from "./precision.ts";

/** Texts that are timed: at most so many, and at most so many characters in all. */
const TIMED_TEXTS = 128;
const TIMED_CHARACTERS = 40_000;
const ROUNDS = 3;

/** A line without what the bootstrap gives, and what the bootstrap needs. */
export interface RawLine {
  line: Omit<PrecisionLine, "score" | "interval" | "delta" | "deltaInterval">;
  measured: Measured;
}

export interface Base {
  encoder: Encoder;
  store: VectorStore;
  raw: RawLine;
  report: EncodeReport;
}

/** One task, measured again and again under the same prompts. */
export class PrecisionBench {
  readonly #prepared: PreparedTask;
  readonly #templates: Record<string, string>;
  readonly #spec: EncoderSpec;
  readonly #provider: ProviderName | undefined;
  readonly #work: WorkContext;
  /** Encoders that will be measured, for time left. */
  readonly #runs: number;
  #run = 0;

  constructor(parts: {
    task: Task;
    templates: Record<string, string>;
    spec: EncoderSpec;
    provider: ProviderName | undefined;
    runs: number;
    work: WorkContext;
  }) {
    this.#prepared = prepareTask(parts.task);
    this.#templates = parts.templates;
    this.#spec = parts.spec;
    this.#provider = parts.provider;
    this.#runs = parts.runs;
    this.#work = parts.work;
  }

  /** The encoder in float32, which the others are compared with. The caller disposes it. */
  async base(): Promise<Base> {
    const { encoder, modelBytes, memoryBytes } = await this.#open("float32");
    try {
      const { store, report, measured } = await this.#measure(encoder, "float32");
      return {
        encoder,
        store,
        report,
        raw: { line: this.#line("float32", encoder, { modelBytes, memoryBytes }), measured },
      };
    } catch (error) {
      await encoder.dispose();
      throw error;
    }
  }

  /** Another precision. Its encoder is freed before this returns. */
  async precision(precision: Precision, base: Base): Promise<RawLine> {
    const { encoder, modelBytes, memoryBytes } = await this.#open(precision);
    try {
      const timed = this.#timedTexts();
      await encoder.encode(timed, { signal: this.#work.signal, cache: "skip" });
      const speed = await speedAgainst(base.encoder, encoder, timed, this.#work);
      const { store, measured } = await this.#measure(encoder, precision);
      const cosines = rowCosines(this.#vectors(base.store), this.#vectors(store), encoder.dimensions);
      return { line: { ...this.#line(precision, encoder, { modelBytes, memoryBytes }), ...cosines, speed }, measured };
    } finally {
      await encoder.dispose();
    }
  }

  /** The float32 vectors in another form. */
  async form(form: VectorForm, base: Base, calibration: Float32Array | undefined): Promise<RawLine> {
    const whole = base.encoder.dimensions;
    const { type = "float32", dimensions = whole } = form;
    const all = this.#vectors(base.store);
    const n = all.length / whole;
    const set = (data: Float32Array) => ({ n: data.length / whole, dimensions: whole, data });
    const ranges = type === "int8" ? this.#ranges(form, set(calibration ?? all), dimensions) : undefined;
    const shrink = (data: Float32Array) =>
      compact(set(data), { type, dimensions, ...(ranges === undefined ? {} : { ranges }) });
    const embedder: Embedder = {
      identity: { ...base.encoder.identity, dimensions },
      encode: async (texts, options) => ({
        n: texts.length,
        dimensions,
        data: shrink(base.store.gather(texts, options?.prompt ?? "{text}", false)).decode(),
        report: base.report,
      }),
    };
    const { measured } = await this.#score(embedder, this.#work);
    const small = shrink(all);
    const isWhole = dimensions === whole;
    const cosines = isWhole ? rowCosines(all, small.decode(), whole) : { meanCosine: null, leastCosine: null };
    return {
      measured,
      line: {
        name: formName(form, whole, calibration !== undefined),
        kind: "vectors",
        what: formWords(form, calibration === undefined ? undefined : calibration.length / whole),
        ...cosines,
        speed: null,
        modelBytes: null,
        memoryBytes: null,
        vectorBytes: small.data.byteLength / Math.max(1, n),
      },
    };
  }

  /** `count` of the task's vectors in float32, drawn without replacement: what int8 ranges may be taken from. */
  sample(base: Base, count: number, seed: number): Float32Array {
    const d = base.encoder.dimensions;
    const all = this.#vectors(base.store);
    const rows = Array.from({ length: all.length / d }, (_, row) => row);
    const random = new Random(seed);
    const out = new Float32Array(Math.min(count, rows.length) * d);
    for (let i = 0; i * d < out.length; i++) {
      const j = i + random.below(rows.length - i);
      [rows[i], rows[j]] = [rows[j]!, rows[i]!];
      out.set(all.subarray(rows[i]! * d, (rows[i]! + 1) * d), i * d);
    }
    return out;
  }

  #ranges(form: VectorForm, of: { n: number; dimensions: number; data: Float32Array }, dimensions: number): Ranges {
    return form.ranges === "fixed" ? fixedRanges(dimensions) : columnRanges(truncateRows(of, dimensions), dimensions);
  }

  async #open(precision: Precision): Promise<{ encoder: Encoder; modelBytes: number | null; memoryBytes: number }> {
    let modelBytes: number | null = null;
    const before = process.memoryUsage.rss();
    const encoder = await openSpec(this.#spec, {
      precision,
      signal: this.#work.signal,
      ...(this.#provider === undefined ? {} : { provider: this.#provider }),
      onModelFile: (bytes) => {
        modelBytes = bytes;
      },
    });
    await encoder.encode(this.#timedTexts().slice(0, 8), { cache: "skip" });
    return { encoder, modelBytes, memoryBytes: Math.max(0, process.memoryUsage.rss() - before) };
  }

  /** Progress runs over the texts of all encoders; time left as if the others were as fast as this one. */
  async #measure(
    encoder: Encoder,
    name: string,
  ): Promise<{ store: VectorStore; report: EncodeReport; measured: Measured }> {
    const run = this.#run++;
    const { signal, onProgress } = this.#work;
    const result = await this.#score(encoder, {
      signal,
      onProgress: (progress) => {
        if (progress.stage !== "Encoding") return onProgress?.(progress);
        const left = progress.total * (this.#runs - run) - progress.done;
        onProgress?.({
          ...progress,
          stage: "Measuring precisions",
          done: progress.total * run + progress.done,
          total: progress.total * this.#runs,
          etaMs: progress.rate === undefined ? undefined : (1000 * left) / progress.rate,
          note: `${name}, ${run + 1} of ${this.#runs}`,
        });
      },
    });
    return result;
  }

  async #score(
    embedder: Embedder,
    work: WorkContext,
  ): Promise<{ store: VectorStore; report: EncodeReport; measured: Measured }> {
    const { parts } = this.#prepared;
    const store = new VectorStore(embedder);
    store.plan(parts, [this.#templates]);
    const report = await store.ensure(parts, this.#templates, work);
    return { store, report, measured: await this.#prepared.measure(store, this.#templates, work) };
  }

  /** The vectors of the task's texts, each once under its prompt: float32 [n, d]. */
  #vectors(store: VectorStore): Float32Array {
    const blocks = this.#rows().map(([template, texts]) => store.gather([...texts], template, false));
    const all = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of blocks) {
      all.set(block, at);
      at += block.length;
    }
    return all;
  }

  #rows(): [template: string, texts: Set<string>][] {
    const rows = new Map<string, Set<string>>();
    for (const { side, texts } of this.#prepared.parts) {
      const template = this.#templates[side]!;
      const known = rows.get(template) ?? new Set<string>();
      for (const text of texts) known.add(text);
      rows.set(template, known);
    }
    return [...rows];
  }

  #timedTexts(): string[] {
    const texts = [...new Set(this.#prepared.parts.flatMap((part) => part.texts))];
    let characters = 0;
    return texts.slice(0, TIMED_TEXTS).filter((text, i) => {
      characters += text.length;
      return i < 8 || characters <= TIMED_CHARACTERS;
    });
  }

  #line(
    precision: Precision,
    encoder: Encoder,
    sizes: { modelBytes: number | null; memoryBytes: number },
  ): RawLine["line"] {
    return {
      name: precision,
      kind: "precision",
      what: PRECISIONS[precision],
      meanCosine: 1,
      leastCosine: 1,
      speed: 1,
      ...sizes,
      vectorBytes: 4 * encoder.dimensions,
    };
  }
}

/** Times the speed of `a`, in turns, so that other work on the machine falls on both. */
async function speedAgainst(
  a: Encoder,
  b: Encoder,
  texts: readonly string[],
  { signal }: WorkContext,
): Promise<number> {
  const time = async (encoder: Encoder) => {
    const started = performance.now();
    await encoder.encode(texts, { signal, cache: "skip" });
    return performance.now() - started;
  };
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    if (signal?.aborted) throw new CancelledError("Comparing precisions");
    ratios.push((await time(a)) / (await time(b)));
  }
  return ratios.sort((x, y) => x - y)[ROUNDS >> 1]!;
}

function formName({ type = "float32", dimensions, ranges }: VectorForm, whole: number, calibrated: boolean): string {
  const how = type !== "int8" ? "" : ranges === "fixed" ? ", fixed ranges" : calibrated ? ", calibrated" : "";
  const short = dimensions === undefined || dimensions === whole ? "" : `, ${dimensions} dimensions`;
  return `${type} vectors${how}${short}`;
}

function formWords({ type = "float32", dimensions, ranges }: VectorForm, calibration: number | undefined): string {
  const cut = dimensions === undefined ? "" : "the first dimensions, at length 1 again";
  const rounded = {
    float32: "",
    int8: `each number in 8 bits, ranges ${ranges === "fixed" ? "±4/√d for all dimensions" : calibration === undefined ? "of the task's own texts" : `of ${calibration.toLocaleString("en-US")} other vectors`}`,
    binary: "one bit a number, compared by the bits that differ",
  }[type];
  return [cut, rounded].filter((words) => words !== "").join("; ") || "as they are";
}

/** Mean and least cosine of row i of a with row i of b, float32 [n, d] each. Two rows of zeros count as 1. */
function rowCosines(a: Float32Array, b: Float32Array, d: number): { meanCosine: number; leastCosine: number } {
  let [sum, least] = [0, 1];
  for (let start = 0; start < a.length; start += d) {
    let [dot, aa, bb] = [0, 0, 0];
    for (let j = start; j < start + d; j++) {
      dot += a[j]! * b[j]!;
      aa += a[j]! ** 2;
      bb += b[j]! ** 2;
    }
    const cosine = aa === 0 || bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
    sum += cosine;
    least = Math.min(least, cosine);
  }
  return { meanCosine: sum / Math.max(1, a.length / d), leastCosine: least };
}

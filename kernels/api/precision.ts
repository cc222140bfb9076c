/** `comparePrecisions`: what each precision and each form of vectors costs and gives, before one is chosen. */
import { count, tableHtml, tablePlain } from "../data/table-view.ts";
import type { Task } from "../data/task-types.ts";
import {
  type CompactOptions,
  type CompactVectors,
  columnRanges,
  compact,
  truncateRows,
} from "../encode/compact-vectors.ts";
import { type EmbeddingSet, formatBytes } from "../encode/embedding-set.ts";
import type { Encoder } from "../encode/encoder.ts";
import { openSpec } from "../encode/open-encoder.ts";
import { recommendedPrompts } from "../encode/recommended-prompts.ts";
import type { Embedder, EmbeddingSetLike } from "../evaluate/embedder.ts";
import { checkSampling, evaluate } from "../evaluate/evaluate.ts";
import { prepareTask } from "../evaluate/measure.ts";
import { PRECISIONS, type Precision } from "../graph/precision.ts";
import { type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { CancelledError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncoderIdentity, Interval } from "../protocol/results.ts";
import { withJob } from "./context.ts";
import { type EncoderLike, loadEncoder } from "./encoder.ts";
import { metricWords, signed100, times100, withDisplay } from "./score-words.ts";
import { loadTask, type TaskLike } from "./task.ts";

export { type CompactOptions, CompactVectors, compact } from "../encode/compact-vectors.ts";
export type { Precision } from "../graph/precision.ts";

export interface ComparePrecisionsOptions extends WorkContext {
  /** An encoder or a reference. Default: the default encoder. */
  encoder?: EncoderLike | undefined;
  /** Default: all. float32 is always measured first: the others are compared with it. */
  precisions?: readonly Precision[] | undefined;
  /** Forms of the float32 vectors. Default: int8, binary, and half of the dimensions. */
  vectors?: readonly Pick<CompactOptions, "dimensions" | "type">[] | undefined;
  seed?: number | undefined;
  resamples?: number | undefined;
}

/** One line of the report. */
export interface PrecisionLine {
  name: string;
  /** What is rounded, in words. */
  what: string;
  score: number;
  interval: Interval;
  /** score − the score of float32. */
  delta: number;
  /** Over the task's texts, with float32's vectors. Null where vectors of another length have none. */
  meanCosine: number | null;
  leastCosine: number | null;
  /** Times the speed of float32 (median of three rounds in turns). Null for forms of vectors, which cost no encoding. */
  speed: number | null;
  /** Files of the built model; null when there are none of its own. */
  modelBytes: number | null;
  /** Resident memory that the process grew by when it was loaded and first used. A rough figure. */
  memoryBytes: number | null;
  /** One vector. */
  vectorBytes: number;
}

export interface PrecisionReport {
  version: 1;
  task: string;
  metric: string;
  n: number;
  unit: string;
  seed: number;
  encoder: EncoderIdentity;
  lines: PrecisionLine[];
  notes: string[];
}

/** Texts that are timed. */
const TIMED_TEXTS = 128;
const ROUNDS = 3;

/**
 * Measure what an encoder loses and gains in each precision, and with its vectors in fewer bytes, on one task.
 *
 * Scores carry n, the seed and a 95 % bootstrap interval. int8 vectors take their ranges from the task's own texts.
 *
 * @param task see `loadTask`: STS (Spearman), retrieval (nDCG@10) or classification (accuracy)
 * @throws {ParallaxError} encoder.bad-precision, vectors.bad-dimensions; what loadEncoder and evaluate throw
 * @throws {CancelledError} when the cell is stopped
 * Cost: encodes the task once a precision. One encoder beside float32 is loaded at a time.
 *
 * @example await comparePrecisions("data/stsbenchmark-test.tsv", { precisions: ["int8", "int8-weights"] })
 */
export async function comparePrecisions(
  task: TaskLike,
  options: ComparePrecisionsOptions = {},
): Promise<PrecisionReport & Displayable> {
  const { encoder: asked = "default", precisions, vectors, signal, onProgress } = options;
  const sampling = checkSampling(options);
  const loaded = await loadTask(task, { signal });
  const reference = typeof asked === "string" ? await loadEncoder(asked) : asked;
  const texts = [...new Set(prepareTask(loaded).parts.flatMap((part) => part.texts))];
  const report = await withJob({ signal, onProgress }, async (work) => {
    const base = await measure("float32", "float32", reference, loaded, texts, sampling, work);
    const lines: PrecisionLine[] = [];
    // A table of vectors has no layers that could be rounded.
    const all = reference.spec.architecture === "static" ? [] : (Object.keys(PRECISIONS) as Precision[]);
    for (const precision of new Set<Precision>(["float32", ...(precisions ?? all)]))
      lines.push(await other(precision, base, loaded, texts, sampling, work));
    const d = reference.dimensions;
    const forms = vectors ?? [{ type: "int8" }, { type: "binary" }, { dimensions: Math.ceil(d / 2) }];
    for (const form of forms) lines.push(await formOf(form, base, loaded, texts, sampling, work));
    return summary(base, lines, loaded, sampling.seed);
  });
  return withDisplay(report, () => bundle(report));
}

type Sampling = { seed: number; resamples: number };
interface Measured {
  line: PrecisionLine;
  encoder: Encoder;
  vectors: MemoEmbedder;
  metric: string;
  n: number;
  unit: string;
}

/** Encodes each text once, whoever asks, and gives vectors in another form when told to. */
class MemoEmbedder implements Embedder {
  readonly identity: EncoderIdentity;
  readonly #encode: (texts: readonly string[], work: WorkContext & { prompt?: string }) => Promise<EmbeddingSetLike>;
  readonly #known = new Map<string, EmbeddingSetLike>();

  constructor(encoder: Embedder) {
    this.identity = encoder.identity;
    this.#encode = (texts, work) => encoder.encode(texts, work);
  }

  async encode(texts: readonly string[], options: { prompt?: string } & WorkContext = {}): Promise<EmbeddingSetLike> {
    const key = JSON.stringify([options.prompt ?? "", texts]);
    const known = this.#known.get(key) ?? (await this.#encode(texts, options));
    this.#known.set(key, known);
    return known;
  }
}

async function measure(
  name: string,
  what: Precision,
  encoder: Encoder,
  task: Task,
  texts: readonly string[],
  sampling: Sampling,
  work: WorkContext,
): Promise<Measured> {
  const vectors = new MemoEmbedder(encoder);
  const { score, interval, metric, n, unit } = await evaluate(vectors, task, {
    prompts: recommendedPrompts(encoder.spec, task).templates,
    ...sampling,
    ...work,
  });
  const line: PrecisionLine = {
    name,
    what: PRECISIONS[what],
    score,
    interval,
    delta: 0,
    meanCosine: 1,
    leastCosine: 1,
    speed: 1,
    modelBytes: null,
    memoryBytes: null,
    vectorBytes: 4 * encoder.dimensions,
  };
  await vectors.encode(texts, { ...work });
  return { line, encoder, vectors, metric, n, unit };
}

async function other(
  precision: Precision,
  base: Measured,
  task: Task,
  texts: readonly string[],
  sampling: Sampling,
  work: WorkContext,
): Promise<PrecisionLine> {
  let modelBytes: number | null = null;
  const before = process.memoryUsage.rss();
  const onModelFile = (bytes: number) => {
    modelBytes = bytes;
  };
  const encoder = await openSpec(base.encoder.spec, { precision, signal: work.signal, onModelFile });
  try {
    const timed = texts.slice(0, TIMED_TEXTS);
    await encoder.encode(timed, { cache: "skip" });
    const memoryBytes = Math.max(0, process.memoryUsage.rss() - before);
    const speed = precision === "float32" ? 1 : await speedAgainst(base.encoder, encoder, timed, work);
    const { line, vectors } = await measure(precision, precision, encoder, task, texts, sampling, work);
    const cosines = rowCosines(await base.vectors.encode(texts), await vectors.encode(texts));
    return { ...line, ...cosines, speed, modelBytes, memoryBytes, delta: line.score - base.line.score };
  } finally {
    await encoder.dispose();
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
  return ratios.sort((x, y) => x - y)[ROUNDS >> 1];
}

async function formOf(
  form: Pick<CompactOptions, "dimensions" | "type">,
  base: Measured,
  task: Task,
  texts: readonly string[],
  sampling: Sampling,
  work: WorkContext,
): Promise<PrecisionLine> {
  const { type = "float32", dimensions = base.encoder.dimensions } = form;
  const all = await base.vectors.encode(texts);
  const ranges = type === "int8" ? columnRanges(truncateRows(all, dimensions), dimensions) : undefined;
  const shrink = (set: EmbeddingSetLike): CompactVectors =>
    compact(set, { type, dimensions, ...(ranges ? { ranges } : {}) });
  const embedder: Embedder = {
    identity: { ...base.encoder.identity, dimensions },
    async encode(some, options) {
      const set = await base.vectors.encode(some, options);
      return { n: set.n, dimensions, data: shrink(set).decode(), report: set.report };
    },
  };
  const { score, interval } = await evaluate(embedder, task, {
    prompts: recommendedPrompts(base.encoder.spec, task).templates,
    ...sampling,
    ...work,
  });
  const small = shrink(all);
  const isWhole = dimensions === base.encoder.dimensions;
  const cosines = isWhole ? rowCosines(all, { ...all, data: small.decode() }) : { meanCosine: null, leastCosine: null };
  return {
    name: `${type} vectors${isWhole ? "" : `, ${dimensions} dimensions`}`,
    what: WORDS[type],
    score,
    interval,
    delta: score - base.line.score,
    ...cosines,
    speed: null,
    modelBytes: null,
    memoryBytes: null,
    vectorBytes: small.data.byteLength / Math.max(1, small.n),
  };
}

const WORDS = {
  float32: "the first dimensions, at length 1 again",
  int8: "each number in 8 bits, ranges of the task's own texts",
  binary: "one bit a number, compared by the bits that differ",
} as const;

function rowCosines(
  a: Pick<EmbeddingSet, "n" | "dimensions" | "data">,
  b: Pick<EmbeddingSet, "data">,
): { meanCosine: number; leastCosine: number } {
  const d = a.dimensions;
  let [sum, least] = [0, 1];
  for (let i = 0; i < a.n; i++) {
    let [dot, aa, bb] = [0, 0, 0];
    for (let j = i * d; j < (i + 1) * d; j++) {
      dot += a.data[j] * b.data[j];
      aa += a.data[j] ** 2;
      bb += b.data[j] ** 2;
    }
    const cosine = aa === 0 || bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
    sum += cosine;
    least = Math.min(least, cosine);
  }
  return { meanCosine: sum / Math.max(1, a.n), leastCosine: least };
}

function summary(base: Measured, lines: PrecisionLine[], task: Task, seed: number): PrecisionReport {
  return {
    version: 1,
    task: task.name,
    metric: base.metric,
    n: base.n,
    unit: base.unit,
    seed,
    encoder: base.encoder.identity,
    lines,
    notes: [
      `n = ${count(base.n)} ${base.unit}, seed ${seed}; interval: ${base.line.interval.method}.`,
      "Speed: times float32, median of three rounds in turns on this computer.",
      ...lines.map(({ name, what }) => `${name}: ${what}.`),
    ],
  };
}

function bundle(report: PrecisionReport): MimeBundle {
  const bytes = (value: number | null) => (value === null ? "" : formatBytes(value));
  const cosine = (value: number | null) => (value === null ? "" : value.toFixed(5));
  const text = (name: string) => ({ name, kind: "text" as const });
  const view: TableView = {
    version: 1,
    title: `Precisions of ${report.encoder.name} on ${report.task}`,
    columns: [
      text("precision"),
      text(`${metricWords(report.metric)} ×100`),
      text("95 % interval"),
      text("against float32"),
      text("mean cosine"),
      text("least cosine"),
      text("speed"),
      text("model file"),
      text("memory"),
      text("a vector"),
    ],
    rows: report.lines.map((line) => [
      line.name,
      times100(line.score),
      `${times100(line.interval.low)} to ${times100(line.interval.high)}`,
      signed100(line.delta),
      cosine(line.meanCosine),
      cosine(line.leastCosine),
      line.speed === null ? "" : `${line.speed.toFixed(2)}×`,
      bytes(line.modelBytes),
      bytes(line.memoryBytes),
      bytes(line.vectorBytes),
    ]),
    total: report.lines.length,
    notes: report.notes,
  };
  return { [MIME.html]: tableHtml(view), [MIME.plain]: tablePlain(view) };
}

/** `comparePrecisions`: what each precision and each form of vectors costs and gives, before one is chosen. */
import type { Task } from "../data/task-types.ts";
import type { CompactType } from "../encode/compact-vectors.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { rememberLosses } from "../encode/precision-losses.ts";
import { readSpec } from "../encode/read-spec.ts";
import { recommendedPrompts } from "../encode/recommended-prompts.ts";
import { resolveReference } from "../encode/reference.ts";
import { bootstrapScores, percentileInterval } from "../evaluate/bootstrap.ts";
import { checkSampling } from "../evaluate/evaluate.ts";
import type { Measured } from "../evaluate/measure.ts";
import { promptTemplates } from "../evaluate/prompt-sides.ts";
import { sampleDocuments } from "../evaluate/sample-documents.ts";
import type { ProviderName } from "../graph/compute.ts";
import { checkPrecision, PRECISIONS, type Precision } from "../graph/precision.ts";
import type { Displayable } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { EncoderIdentity, Interval } from "../protocol/results.ts";
import { currentContext, withJob } from "./context.ts";
import type { EncoderLike } from "./encoder.ts";
import { type Base, PrecisionBench, type RawLine } from "./precision-measure.ts";
import { precisionBundle } from "./precision-view.ts";
import { withDisplay } from "./score-words.ts";
import { loadTask, type TaskLike } from "./task.ts";

export type { Precision } from "../graph/precision.ts";

/** A form of the float32 vectors. */
export interface VectorForm {
  /** The first so many dimensions, at length 1 again. Default all. */
  dimensions?: number;
  /** Default "float32". */
  type?: CompactType;
  /** Of int8: "measured" ranges of `calibration`, or "fixed" ones. Default "measured". */
  ranges?: "measured" | "fixed";
}

export interface ComparePrecisionsOptions extends WorkContext {
  /** An encoder or a reference. Default: the default encoder. */
  encoder?: EncoderLike | undefined;
  /** Default: all. float32 is always measured first: the others are compared with it. */
  precisions?: readonly Precision[] | undefined;
  /** Default: int8 with measured and with fixed ranges, binary, and half of the dimensions. */
  vectors?: readonly VectorForm[] | undefined;
  /**
   * What int8 vectors take their ranges from: texts of your own, or how many of the task's are drawn. Default: all of the
   * task's texts, which is kinder than what new texts will meet.
   */
  calibration?: readonly string[] | number | undefined;
  /** Of a retrieval task: at most so many documents, all relevant ones among them, the others drawn with the seed. */
  documents?: number | undefined;
  seed?: number | undefined;
  resamples?: number | undefined;
}

/** One line of the report. */
export interface PrecisionLine {
  name: string;
  kind: "precision" | "vectors";
  /** What is rounded, in words. */
  what: string;
  score: number;
  interval: Interval;
  /** score − the score of float32. */
  delta: number;
  /** Paired bootstrap interval of delta: the same resamples for both. */
  deltaInterval: Interval;
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
  unit: "pairs" | "queries" | "texts";
  seed: number;
  encoder: EncoderIdentity;
  prompts: Record<string, string>;
  /** lines[0] is float32. */
  lines: PrecisionLine[];
  /** To be read before the numbers: texts that were cut, unknown words. */
  warnings: string[];
  notes: string[];
}

/**
 * Measure what an encoder loses and gains in each precision, and with its vectors in fewer bytes, on one task.
 *
 * Scores carry n, the seed and a 95 % bootstrap interval; losses against float32 one that is paired, which is narrower.
 *
 * @param task see `loadTask`: STS (Spearman), retrieval (nDCG@10) or classification (accuracy)
 * @throws {ParallaxError} encoder.bad-precision, vectors.bad-dimensions, vectors.bad-type, task.bad-sample; what
 *   loadEncoder and evaluate throw
 * @throws {CancelledError} when the cell is stopped; vectors made until then stay in the cache, so it goes on from there
 * Cost: encodes the task once a precision. One encoder beside float32 is loaded at a time.
 *
 * @example await comparePrecisions("data/stsbenchmark-test.tsv", { precisions: ["int8", "int8-weights"] })
 */
export async function comparePrecisions(
  task: TaskLike,
  options: ComparePrecisionsOptions = {},
): Promise<PrecisionReport & Displayable> {
  const { signal, onProgress } = options;
  const sampling = checkSampling(options);
  for (const precision of options.precisions ?? []) checkPrecision(precision);
  const whole = await loadTask(task, { signal });
  const loaded = sampled(whole, options.documents, sampling.seed);
  const { spec, provider } = await source(options.encoder ?? "default", signal);
  const others = otherPrecisions(spec, options.precisions);
  const templates = promptTemplates(recommendedPrompts(spec, loaded).templates, loaded.type, "prompt");
  const report = await withJob({ signal, onProgress }, async (work) => {
    const bench = new PrecisionBench({ task: loaded, templates, spec, provider, runs: 1 + others.length, work });
    const base = await bench.base();
    try {
      const forms = options.vectors ?? defaultForms(base.encoder.dimensions);
      const raw: RawLine[] = [base.raw];
      // Forms first: they cost next to nothing, and what is wrong in them is said before the long work.
      const calibration = await calibrationVectors(bench, base, options.calibration, sampling.seed, work);
      const small: RawLine[] = [];
      for (const form of forms) small.push(await bench.form(form, base, calibration));
      for (const precision of others) raw.push(await bench.precision(precision, base));
      const lines = await withIntervals([...raw, ...small], { ...sampling, ...work });
      const found = summary({ base, lines, task: loaded, templates, seed: sampling.seed });
      rememberLosses({
        version: 1,
        weightsSha256: found.encoder.weightsSha256,
        task: options.documents === undefined ? found.task : `${found.task} (${options.documents} documents)`,
        metric: found.metric,
        n: found.n,
        unit: found.unit,
        seed: found.seed,
        losses: Object.fromEntries(
          lines
            .slice(1)
            .map(({ name, delta, deltaInterval: { low, high } }) => [name, [delta, low, high] as const])
            .filter(([, values]) => (values as readonly number[]).every(Number.isFinite)),
        ) as Record<string, [number, number, number]>,
      });
      return found;
    } finally {
      await base.encoder.dispose();
    }
  });
  return withDisplay(report, () => precisionBundle(report));
}

function sampled(task: Task, documents: number | undefined, seed: number): Task {
  if (documents === undefined) return task;
  if (task.type === "retrieval") return sampleDocuments(task, documents, seed);
  throw new ParallaxError(
    "task.no-documents",
    `At most ${documents} documents were asked for; ${task.name} is a task of type "${task.type}" and has none. Nothing was encoded.`,
    { hint: "Leave `documents` out." },
  );
}

/** What is measured: an encoder's spec, so that each precision is loaded in the same way. */
async function source(
  asked: EncoderLike,
  signal: AbortSignal | undefined,
): Promise<{ spec: EncoderSpec; provider: ProviderName | undefined }> {
  if (typeof asked !== "string") return { spec: asked.spec, provider: asked.provider.name as ProviderName };
  const name = resolveReference(asked, currentContext().workingFolder);
  return { spec: { ...(await readSpec(name, { signal })), reference: asked }, provider: undefined };
}

/** A table of vectors has no layers that could be rounded. */
function otherPrecisions(spec: EncoderSpec, asked: readonly Precision[] | undefined): Precision[] {
  if (spec.architecture === "static") return [];
  const all = new Set<Precision>(asked ?? (Object.keys(PRECISIONS) as Precision[]));
  all.delete("float32");
  return [...all];
}

function defaultForms(d: number): VectorForm[] {
  return [{ type: "int8" }, { type: "int8", ranges: "fixed" }, { type: "binary" }, { dimensions: Math.ceil(d / 2) }];
}

async function calibrationVectors(
  bench: PrecisionBench,
  base: Base,
  calibration: ComparePrecisionsOptions["calibration"],
  seed: number,
  work: WorkContext,
): Promise<Float32Array | undefined> {
  if (calibration === undefined) return undefined;
  if (typeof calibration === "number" ? !(calibration >= 1) : calibration.length === 0)
    throw new ParallaxError("vectors.no-calibration", "Ranges were to be taken from no texts. Nothing was measured.", {
      hint: "Give some hundred texts of the kind that you will encode, or leave `calibration` out.",
    });
  if (typeof calibration === "number") return bench.sample(base, Math.floor(calibration), seed);
  return (await base.encoder.encode(calibration, work)).data;
}

/** All lines over the same resamples, so that losses are paired. */
async function withIntervals(
  raw: readonly RawLine[],
  sampling: { seed: number; resamples: number } & WorkContext,
): Promise<PrecisionLine[]> {
  const scores = await bootstrapScores(
    raw.map(({ measured }) => measured),
    sampling,
  );
  const interval = (values: Float64Array, { n, unit }: Measured, paired: boolean) =>
    percentileInterval(values, { n, unit, seed: sampling.seed, paired });
  const base = raw[0].measured;
  return raw.map(({ line, measured }, i) => ({
    ...line,
    score: measured.score,
    interval: interval(scores[i], measured, false),
    delta: measured.score - base.score,
    deltaInterval: interval(
      scores[i].map((score, r) => score - scores[0][r]),
      measured,
      true,
    ),
  }));
}

function summary(parts: {
  base: Base;
  lines: PrecisionLine[];
  task: Task;
  templates: Record<string, string>;
  seed: number;
}): PrecisionReport {
  const { base, lines, task, templates, seed } = parts;
  const { metric, n, unit } = base.raw.measured;
  return {
    version: 1,
    task: task.name,
    metric,
    n,
    unit,
    seed,
    encoder: base.encoder.identity,
    prompts: Object.fromEntries(
      Object.entries(templates).map(([side, template]) => [side, template === "{text}" ? "" : template]),
    ),
    lines,
    warnings: [...base.report.warnings],
    notes: [...(task.notes ?? [])],
  };
}

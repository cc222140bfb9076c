/** Vectors in fewer bytes: fewer dimensions (Matryoshka), 8 bits a number, or one bit. */
import { DISPLAY, type Displayable, MIME, type MimeBundle } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { formatBytes, normaliseRows } from "./embedding-set.ts";
import { lossSentence } from "./precision-losses.ts";

export type CompactType = "float32" | "int8" | "binary";

/** The smallest and largest number of each dimension, d of each. */
export interface Ranges {
  readonly low: ArrayLike<number>;
  readonly high: ArrayLike<number>;
}

export interface CompactOptions {
  /** The first so many dimensions, at length 1 again. Only encoders trained for it (Matryoshka) keep their quality. Default all. */
  dimensions?: number;
  /** Default "float32". */
  type?: CompactType;
  /**
   * For "int8": ranges of other vectors, of `dimensions` already (see `calibrate`), or "fixed": the same for all dimensions
   * (see `fixedRanges`). Default: of the vectors themselves. Vectors that are compared with one another, or added later,
   * need ranges that do not depend on the set.
   */
  ranges?: Ranges | "fixed";
}

/** What it needs of an EmbeddingSet. */
export interface PlainSet {
  readonly n: number;
  readonly dimensions: number;
  readonly data: Float32Array;
  /** Whose they are: what their form loses is said then. */
  readonly encoder?: { name: string; weightsSha256: string; dimensions: number };
}

/**
 * The first `dimensions` of each row, divided by their length (Kusupati et al. 2022, section 3: a Matryoshka embedding's
 * prefix is an embedding). float32 [n, dimensions], a new buffer; a row of zeros stays zero.
 */
export function truncateRows({ n, dimensions: d, data }: PlainSet, dimensions: number): Float32Array {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > d)
    throw new ParallaxError(
      "vectors.bad-dimensions",
      `${dimensions} dimensions were asked for; these vectors have ${d}. Nothing was changed.`,
      { hint: `Use a whole number from 1 to ${d}.`, details: { asked: dimensions, found: d } },
    );
  const out = new Float32Array(n * dimensions);
  for (let i = 0; i < n; i++) out.set(data.subarray(i * d, i * d + dimensions), i * dimensions);
  if (dimensions < d) normaliseRows(out, dimensions);
  return out;
}

/** Standard deviations of a number in a random unit vector that `fixedRanges` has room for. */
const FIXED_DEVIATIONS = 4;

/**
 * Ranges that nothing was measured for: ±4/√d for each dimension. A number of a random unit vector in d dimensions has
 * standard deviation 1/√d; encoders have dimensions that are larger, which are cut, and smaller ones, which lose steps.
 * Only for vectors of length 1.
 */
export function fixedRanges(d: number): { low: Float32Array; high: Float32Array } {
  const most = FIXED_DEVIATIONS / Math.sqrt(d);
  return { low: new Float32Array(d).fill(-most), high: new Float32Array(d).fill(most) };
}

/** Smallest and largest number of each column of float32 [n, d], n ≥ 1. */
export function columnRanges(data: Float32Array, d: number): { low: Float32Array; high: Float32Array } {
  const low = new Float32Array(d).fill(Number.POSITIVE_INFINITY);
  const high = new Float32Array(d).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < data.length; i++) {
    const j = i % d;
    if (data[i] < low[j]) low[j] = data[i];
    if (data[i] > high[j]) high[j] = data[i];
  }
  return { low, high };
}

/**
 * n vectors in few bytes, and what decodes them. Rows stand in the order they came.
 *
 * int8: code = round((x − low)/step) − 128 with step = (high − low)/255 of its dimension; numbers outside of the ranges go
 * to their ends. binary: bit 1 for x > 0, eight a byte, the first highest (as numpy.packbits); a row fills whole bytes.
 */
export class CompactVectors implements Displayable {
  readonly n: number;
  readonly dimensions: number;
  readonly type: CompactType;
  readonly data: Float32Array | Int8Array | Uint8Array;
  /** For "int8". */
  readonly ranges: Ranges | undefined;
  /** What this form loses, in words, where it is known whose vectors they are. */
  readonly loss: string | undefined;

  constructor(parts: Pick<CompactVectors, "n" | "dimensions" | "type" | "data" | "ranges"> & { loss?: string }) {
    this.loss = parts.loss;
    this.n = parts.n;
    this.dimensions = parts.dimensions;
    this.type = parts.type;
    this.data = parts.data;
    this.ranges = parts.ranges;
  }

  [DISPLAY](): MimeBundle {
    const what = `${this.type} [${this.n}, ${this.dimensions}] · ${formatBytes(this.sizeBytes)}`;
    return { [MIME.plain]: this.loss === undefined ? what : `${what}\n${this.loss}` };
  }

  /** Bytes of all vectors, ranges included. */
  get sizeBytes(): number {
    return this.data.byteLength + (this.ranges ? 8 * this.dimensions : 0);
  }

  /**
   * Back to float32 [n, dimensions], a new buffer. int8 is off by at most half a step; binary gives ±1/√d, a vector of
   * length 1 whose cosine with another such is 1 − 2·(bits that differ)/d.
   */
  decode(): Float32Array {
    const { n, dimensions: d, data, type } = this;
    if (type === "float32") return (data as Float32Array).slice();
    const out = new Float32Array(n * d);
    if (type === "int8") {
      const { low, high } = this.ranges!;
      for (let i = 0; i < out.length; i++) {
        const j = i % d;
        out[i] = low[j] + ((data[i] + 128) * (high[j] - low[j])) / 255;
      }
      return out;
    }
    const bytes = Math.ceil(d / 8);
    const one = 1 / Math.sqrt(d);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < d; j++) out[i * d + j] = data[i * bytes + (j >> 3)] & (128 >> (j & 7)) ? one : -one;
    return out;
  }

  /**
   * The k nearest rows of one query vector, best first; of equal scores the lower row.
   *
   * float32, int8: by dot product with the decoded rows. binary: by the bits that differ; with `rescore` the best
   * k·rescore of them are ordered again by the dot product of the query's own numbers with ±1/√d (asymmetric, after
   * Yamada et al. 2021, section 3.2), which costs nothing in storage.
   *
   * @param query float32 [dimensions]; of more dimensions only the first are read
   */
  nearest(query: Float32Array, k: number, options: { rescore?: number } = {}): { row: number; score: number }[] {
    const { n, dimensions: d, type, data } = this;
    if (query.length < d)
      throw new ParallaxError("vectors.bad-dimensions", `The query has ${query.length} dimensions, the rows ${d}.`, {
        hint: "Encode it with the same encoder.",
      });
    const q = truncateRows({ n: 1, dimensions: query.length, data: query }, d);
    const best = (scores: (row: number) => number, rows: readonly number[], count: number) =>
      rows
        .map((row) => ({ row, score: scores(row) }))
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .slice(0, count);
    const all = Array.from({ length: n }, (_, row) => row);
    if (type !== "binary") {
      const rows = type === "float32" ? (data as Float32Array) : this.decode();
      return best((row) => dot(q, rows, row * d), all, k);
    }
    const bytes = Math.ceil(d / 8);
    const bits = toBits(q, 1, d);
    const hamming = (row: number) => {
      let differ = 0;
      for (let j = 0; j < bytes; j++) differ += BITS[bits[j] ^ data[row * bytes + j]];
      return 1 - (2 * differ) / d;
    };
    if (options.rescore === undefined) return best(hamming, all, k);
    const candidates = best(hamming, all, Math.max(k, Math.ceil(k * options.rescore))).map(({ row }) => row);
    const one = 1 / Math.sqrt(d);
    const asymmetric = (row: number) => {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += data[row * bytes + (j >> 3)] & (128 >> (j & 7)) ? q[j] : -q[j];
      return sum * one;
    };
    return best(asymmetric, candidates, k);
  }
}

/** Number of ones in each byte. */
const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

function dot(q: Float32Array, rows: Float32Array, start: number): number {
  let sum = 0;
  for (let j = 0; j < q.length; j++) sum += q[j] * rows[start + j];
  return sum;
}

function toBits(data: Float32Array, n: number, d: number): Uint8Array {
  const bytes = Math.ceil(d / 8);
  const out = new Uint8Array(n * bytes);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) if (data[i * d + j] > 0) out[i * bytes + (j >> 3)] |= 128 >> (j & 7);
  return out;
}

/** The sentence for the form, by the names that `comparePrecisions` gives its lines. */
function lossOf(
  { encoder }: PlainSet,
  type: CompactType,
  dimensions: number,
  ranges: CompactOptions["ranges"],
): { loss?: string } {
  if (encoder === undefined || (type === "float32" && dimensions === encoder.dimensions)) return {};
  const how = type !== "int8" || ranges === undefined ? "" : ranges === "fixed" ? ", fixed ranges" : ", calibrated";
  const short = dimensions === encoder.dimensions ? "" : `, ${dimensions} dimensions`;
  return { loss: lossSentence(encoder, `${type} vectors${how}${short}`) };
}

/**
 * The vectors of a set in fewer bytes. The set is not changed.
 *
 * @throws {ParallaxError} vectors.bad-dimensions, vectors.bad-type
 * Cost: one pass over the numbers. Loss: measure it with `comparePrecisions` before you choose.
 */
export function compact(set: PlainSet, options: CompactOptions = {}): CompactVectors {
  const { type = "float32", dimensions = set.dimensions } = options;
  const rows = truncateRows(set, dimensions);
  const parts = { n: set.n, dimensions, type, ranges: undefined, ...lossOf(set, type, dimensions, options.ranges) };
  switch (type) {
    case "float32":
      return new CompactVectors({ ...parts, data: rows });
    case "binary":
      return new CompactVectors({ ...parts, data: toBits(rows, set.n, dimensions) });
    case "int8": {
      const { ranges: asked } = options;
      const ranges = asked === "fixed" ? fixedRanges(dimensions) : (asked ?? columnRanges(rows, dimensions));
      if (ranges.low.length !== dimensions || ranges.high.length !== dimensions)
        throw new ParallaxError(
          "vectors.bad-dimensions",
          `The ranges are of ${ranges.low.length} dimensions, the vectors have ${dimensions}.`,
          { hint: "Take the ranges of vectors of the same length." },
        );
      const codes = new Int8Array(rows.length);
      for (let i = 0; i < rows.length; i++) {
        const j = i % dimensions;
        const step = (ranges.high[j] - ranges.low[j]) / 255;
        const code = step > 0 ? Math.round((rows[i] - ranges.low[j]) / step) : 0;
        codes[i] = Math.min(255, Math.max(0, code)) - 128;
      }
      return new CompactVectors({ ...parts, data: codes, ranges });
    }
    default:
      throw new ParallaxError("vectors.bad-type", `Vectors of type "${String(type)}" were asked for.`, {
        hint: 'Use "float32", "int8" or "binary".',
      });
  }
}

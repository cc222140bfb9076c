/** `compact` and `calibrate`: vectors in fewer bytes, their ranges taken from your own texts. */
import { columnRanges, type Ranges, truncateRows } from "../encode/compact-vectors.ts";
import { Random } from "../evaluate/random.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { encode } from "./encode.ts";
import type { EncoderLike } from "./encoder.ts";

export { type CompactOptions, CompactVectors, compact, type Ranges } from "../encode/compact-vectors.ts";

/** Ranges of int8 vectors, with what they were measured on. Plain data: `JSON.stringify` keeps it. */
export interface Calibration extends Ranges {
  version: 1;
  low: number[];
  high: number[];
  dimensions: number;
  /** Texts that they were measured on, of so many given. */
  n: number;
  of: number;
  seed: number;
  prompt: string;
  encoder: { name: string; specSha256?: string; precision: string };
}

export interface CalibrateOptions extends WorkContext {
  /** Default: the default encoder. */
  encoder?: EncoderLike;
  /** As they will be encoded later. */
  prompt?: string;
  /** The first so many dimensions. Default all. */
  dimensions?: number;
  /** At most so many texts are encoded, drawn without replacement. Default 1,000. */
  sample?: number;
  /** Of the draw. Default 0. */
  seed?: number;
}

const SAMPLE = 1000;

/**
 * The range of each dimension over a sample of your own texts, for `compact(set, { type: "int8", ranges })`. With them
 * vectors that are made later, or elsewhere, have the same codes, and no step is lost on numbers that never occur.
 *
 * @param texts of the kind that will be encoded; some hundred do
 * @throws {ParallaxError} vectors.no-calibration, vectors.bad-dimensions; what encode throws
 * Cost: encodes the sample.
 *
 * @example const ranges = await calibrate(table.text("abstract")); compact(vectors, { type: "int8", ranges });
 */
export async function calibrate(texts: readonly string[], options: CalibrateOptions = {}): Promise<Calibration> {
  const { sample = SAMPLE, seed = 0, dimensions, ...rest } = options;
  if (texts.length === 0 || !Number.isInteger(sample) || sample < 1)
    throw new ParallaxError(
      "vectors.no-calibration",
      `Ranges were to be taken from ${Math.min(texts.length, sample)} texts. Nothing was encoded.`,
      { hint: "Give some hundred texts of the kind that you will encode.", details: { texts: texts.length, sample } },
    );
  const set = await encode(draw(texts, sample, seed), rest);
  const d = dimensions ?? set.dimensions;
  const { low, high } = columnRanges(truncateRows(set, d), d);
  const { name, specSha256, precision } = set.encoder;
  return {
    version: 1,
    low: [...low],
    high: [...high],
    dimensions: d,
    n: set.n,
    of: texts.length,
    seed,
    prompt: set.prompt,
    encoder: { name, ...(specSha256 === undefined ? {} : { specSha256 }), precision },
  };
}

/** Fisher and Yates 1938, as far as is needed. */
function draw(texts: readonly string[], count: number, seed: number): string[] {
  if (texts.length <= count) return [...texts];
  const rows = Array.from(texts, (_, row) => row);
  const random = new Random(seed);
  for (let i = 0; i < count; i++) {
    const j = i + random.below(rows.length - i);
    [rows[i], rows[j]] = [rows[j], rows[i]];
  }
  return rows.slice(0, count).map((row) => texts[row]);
}

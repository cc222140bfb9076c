/** Vectors of texts, with all that is needed to make them again and to judge them. */
import { DISPLAY, type Displayable, MIME, type MimeBundle, type ValuePreview } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncodeReport, EncoderIdentity } from "../protocol/results.ts";

export interface EmbeddingSetParts {
  /** float32 [n, dimensions], row-major; kept, not copied. */
  data: Float32Array;
  dimensions: number;
  texts: readonly string[];
  encoder: EncoderIdentity;
  /** Template with {text}, "" for none. */
  prompt: string;
  report: EncodeReport;
}

/** n texts as vectors of one encoder under one prompt. Rows stand in the order of the texts. */
export class EmbeddingSet implements Displayable {
  readonly n: number;
  readonly dimensions: number;
  /** float32 [n, dimensions], row-major. */
  readonly data: Float32Array;
  readonly texts: readonly string[];
  readonly encoder: EncoderIdentity;
  readonly prompt: string;
  /** What happened to the texts on the way in. Read its warnings before a number. */
  readonly report: EncodeReport;

  /** @throws {ParallaxError} tensor.shape-mismatch when data is not [texts.length, dimensions] */
  constructor(parts: EmbeddingSetParts) {
    this.n = parts.texts.length;
    this.dimensions = parts.dimensions;
    if (parts.data.length !== this.n * parts.dimensions)
      throw new ParallaxError(
        "tensor.shape-mismatch",
        `${this.n} vectors of ${parts.dimensions} dimensions need ${this.n * parts.dimensions} numbers, found ${parts.data.length}.`,
        { kind: "bug" },
      );
    this.data = parts.data;
    this.texts = parts.texts;
    this.encoder = parts.encoder;
    this.prompt = parts.prompt;
    this.report = parts.report;
  }

  /**
   * The vector of one text: a view into `data`, not a copy.
   * @throws {ParallaxError} vectors.no-such-row
   */
  row(i: number): Float32Array {
    if (!Number.isInteger(i) || i < 0 || i >= this.n)
      throw new ParallaxError("vectors.no-such-row", `Row ${i} was asked for, this set has rows 0 to ${this.n - 1}.`, {
        hint: "Use a row number below n.",
      });
    return this.data.subarray(i * this.dimensions, (i + 1) * this.dimensions);
  }

  /** The same vectors at length 1. Zero vectors stay zero. This set itself when its encoder normalises already. */
  normalised(): EmbeddingSet {
    if (this.encoder.normalised) return this;
    const data = this.data.slice();
    normaliseRows(data, this.dimensions);
    return new EmbeddingSet({ ...this.#parts(), data, encoder: { ...this.encoder, normalised: true } });
  }

  /** Some of the rows, in the order given, as a new set with the same report. */
  select(rows: readonly number[]): EmbeddingSet {
    const data = new Float32Array(rows.length * this.dimensions);
    rows.forEach((row, i) => {
      data.set(this.row(row), i * this.dimensions);
    });
    return new EmbeddingSet({ ...this.#parts(), data, texts: rows.map((row) => this.texts[row]) });
  }

  /** "Float32 [200, 384] · 300 KiB · 1.4 s · all-MiniLM-L6-v2", the prompt when there is one. */
  describe(): string {
    const prompt = this.prompt === "" ? [] : [`prompt ${JSON.stringify(this.prompt)}`];
    return [
      `Float32 [${this.n}, ${this.dimensions}]`,
      formatBytes(this.data.byteLength),
      formatSeconds(this.report.elapsedMs),
      this.encoder.name,
      ...prompt,
    ].join(" · ");
  }

  [DISPLAY](): MimeBundle {
    const { warnings } = this.report;
    const text = [this.describe(), ...warnings.map((warning) => `Warning: ${warning}`)].join("\n");
    const preview: ValuePreview = {
      version: 1,
      type: `Float32 [${this.n}, ${this.dimensions}]`,
      bytes: this.data.byteLength,
      preview: text,
      cut: false,
    };
    const list = warnings.map((warning) => `<li>${escapeHtml(warning)}</li>`).join("");
    return {
      [MIME.value]: preview,
      [MIME.html]: `<p>${escapeHtml(this.describe())}</p>${list === "" ? "" : `<ul>${list}</ul>`}`,
      [MIME.plain]: text,
    };
  }

  #parts(): EmbeddingSetParts {
    const { data, dimensions, texts, encoder, prompt, report } = this;
    return { data, dimensions, texts, encoder, prompt, report };
  }
}

/**
 * Divide each row by its Euclidean length, in place. A zero row stays zero: it has no direction.
 *
 * @param data float32 [n, dimensions], row-major. Sums are kept in float64.
 */
export function normaliseRows(data: Float32Array, dimensions: number): void {
  for (let start = 0; start < data.length; start += dimensions) {
    let sum = 0;
    for (let j = start; j < start + dimensions; j++) sum += data[j] * data[j];
    if (sum === 0) continue;
    const scale = 1 / Math.sqrt(sum);
    for (let j = start; j < start + dimensions; j++) data[j] *= scale;
  }
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[power]}`;
}

function formatSeconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

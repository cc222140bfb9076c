/** `similarity`: every text of one set against every text of another. */
import { tableBundle, toCell } from "../data/table-view.ts";
import type { EmbeddingSet } from "../encode/embedding-set.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { withJob } from "./context.ts";

/** Largest matrix: 2 GiB of float32. */
const MAX_NUMBERS = 2 ** 29;
/** Matrices up to this size are shown whole. */
const SHOWN_WHOLE = 12;
const SHOWN_ROWS = 50;
const SHOWN_TEXT = 60;
const SLICE_MS = 40;

/** A text of the other set and how similar it is. */
export interface Match {
  /** Row in the other set. */
  row: number;
  text: string;
  similarity: number;
}

/** Cosine similarities of n texts with m texts. */
export class SimilarityMatrix implements Displayable {
  readonly n: number;
  readonly m: number;
  /** float32 [n, m], row-major; in [−1, 1]. */
  readonly data: Float32Array;
  readonly rowTexts: readonly string[];
  readonly columnTexts: readonly string[];
  /** True when both sides are the same set: the diagonal says nothing. */
  readonly isSelf: boolean;
  readonly notes: readonly string[];

  constructor(parts: {
    data: Float32Array;
    rowTexts: readonly string[];
    columnTexts: readonly string[];
    isSelf: boolean;
    notes: readonly string[];
  }) {
    this.n = parts.rowTexts.length;
    this.m = parts.columnTexts.length;
    this.data = parts.data;
    this.rowTexts = parts.rowTexts;
    this.columnTexts = parts.columnTexts;
    this.isSelf = parts.isSelf;
    this.notes = parts.notes;
  }

  /** Similarity of row i with column j. @throws {ParallaxError} vectors.no-such-row */
  at(i: number, j: number): number {
    inRange(i, this.n);
    inRange(j, this.m);
    return this.data[i * this.m + j];
  }

  /**
   * The k columns most similar to row i, nearest first; equal ones in column order. The text itself is left out when
   * both sides are one set.
   * @throws {ParallaxError} vectors.no-such-row
   */
  top(i: number, k = 5): Match[] {
    inRange(i, this.n);
    const row = this.data.subarray(i * this.m, (i + 1) * this.m);
    const order = Array.from({ length: this.m }, (_, j) => j).filter((j) => !this.isSelf || j !== i);
    order.sort((a, b) => row[b] - row[a] || a - b);
    return order.slice(0, k).map((j) => ({ row: j, text: this.columnTexts[j], similarity: row[j] }));
  }

  [DISPLAY](): MimeBundle {
    const view = this.n <= SHOWN_WHOLE && this.m <= SHOWN_WHOLE ? this.#whole() : this.#nearest();
    const bundle = tableBundle(view);
    return {
      ...bundle,
      [MIME.plain]: `Cosine similarity, Float32 [${this.n}, ${this.m}]\n${String(bundle[MIME.plain] ?? "")}`,
    };
  }

  #whole(): TableView {
    return {
      version: 1,
      title: `Cosine similarity, ${this.n} × ${this.m}`,
      columns: [
        { name: "text", kind: "text" },
        ...this.columnTexts.map((text, j) => ({
          name: `${j}: ${short(text, 20)}`,
          kind: "number" as const,
          decimals: 3,
        })),
      ],
      rows: this.rowTexts.map((text, i) => [
        `${i}: ${short(text, SHOWN_TEXT)}`,
        ...this.data.subarray(i * this.m, (i + 1) * this.m),
      ]),
      total: this.n,
      notes: [...this.notes],
    };
  }

  #nearest(): TableView {
    const rows = Array.from({ length: Math.min(this.n, SHOWN_ROWS) }, (_, i) => {
      const [best] = this.top(i, 1);
      return [toCell(this.rowTexts[i]), best === undefined ? null : toCell(best.text), best?.similarity ?? null];
    });
    return {
      version: 1,
      title: `Cosine similarity, ${this.n} × ${this.m}: the nearest of each`,
      columns: [
        { name: "text", kind: "text" },
        { name: "nearest", kind: "text" },
        { name: "similarity", kind: "number", decimals: 3 },
      ],
      rows,
      total: this.n,
      notes: [...this.notes],
    };
  }
}

/**
 * Cosine similarity of every text of `a` with every text of `b`, or of `a` with itself.
 *
 * @param a n vectors
 * @param b m vectors of the same encoder; default a
 * @returns float32 [n, m]; `.top(i, k)` gives the nearest texts of row i. A zero vector is 0 to everything.
 * @throws {ParallaxError} similarity.different-encoders  vectors of different encoders share no space
 * @throws {ParallaxError} similarity.too-large  more than 2^29 numbers; use smaller parts
 * Cost: n·m·d multiplications, about 1 s for 2,000 × 2,000 × 384; 4·n·m bytes.
 *
 * @example (await similarity(queries, documents)).top(0, 3)
 */
export async function similarity(
  a: EmbeddingSet,
  b: EmbeddingSet = a,
  context: WorkContext = {},
): Promise<SimilarityMatrix> {
  checkSets(a, b);
  const [left, right] = [a.normalised(), b.normalised()];
  const [n, m, d] = [a.n, b.n, a.dimensions];
  const data = new Float32Array(n * m);
  await withJob(context, async ({ signal, onProgress }) => {
    let slice = performance.now();
    for (let i = 0; i < n; i++) {
      multiplyRow(left.data.subarray(i * d, (i + 1) * d), right.data, data.subarray(i * m, (i + 1) * m), d);
      if (performance.now() - slice < SLICE_MS) continue;
      onProgress({ stage: "Similarity", done: i + 1, total: n, unit: "texts" });
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      slice = performance.now();
    }
  });
  const notes = [
    `Cosine, ${a.encoder.name}${a.prompt === "" ? "" : `, prompt ${JSON.stringify(a.prompt)}`}${b.prompt === a.prompt ? "" : ` against ${b.prompt === "" ? "no prompt" : `prompt ${JSON.stringify(b.prompt)}`}`}.`,
    ...new Set([...a.report.warnings, ...b.report.warnings]),
  ];
  return new SimilarityMatrix({ data, rowTexts: a.texts, columnTexts: b.texts, isSelf: a === b, notes });
}

/** One row of dot products, four dimensions at a time. */
function multiplyRow(row: Float32Array, columns: Float32Array, out: Float32Array, d: number): void {
  for (let j = 0, start = 0; j < out.length; j++, start += d) {
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    let k = 0;
    for (; k + 3 < d; k += 4) {
      s0 += row[k] * columns[start + k];
      s1 += row[k + 1] * columns[start + k + 1];
      s2 += row[k + 2] * columns[start + k + 2];
      s3 += row[k + 3] * columns[start + k + 3];
    }
    for (; k < d; k++) s0 += row[k] * columns[start + k];
    // Rounding may carry a cosine a last digit past 1.
    out[j] = Math.min(1, Math.max(-1, s0 + s1 + s2 + s3));
  }
}

function checkSets(a: EmbeddingSet, b: EmbeddingSet): void {
  if (
    a.dimensions !== b.dimensions ||
    a.encoder.weightsSha256 !== b.encoder.weightsSha256 ||
    a.encoder.pooling !== b.encoder.pooling
  )
    throw new ParallaxError(
      "similarity.different-encoders",
      `Vectors of ${a.encoder.name} (${a.dimensions} dimensions, ${a.encoder.pooling}) cannot be compared with vectors of ${b.encoder.name} (${b.dimensions}, ${b.encoder.pooling}): they share no space, so any number would be chance.`,
      { hint: "Encode both sides with the same encoder.", details: { a: a.encoder, b: b.encoder } },
    );
  if (a.n * b.n > MAX_NUMBERS)
    throw new ParallaxError(
      "similarity.too-large",
      `A matrix of ${a.n} × ${b.n} similarities needs ${((4 * a.n * b.n) / 2 ** 30).toFixed(1)} GiB, the limit is 2 GiB. Nothing was computed.`,
      { hint: "Compare parts: similarity(a.select(rows), b)." },
    );
}

function inRange(i: number, n: number): void {
  if (!Number.isInteger(i) || i < 0 || i >= n)
    throw new ParallaxError("vectors.no-such-row", `Row ${i} was asked for, there are rows 0 to ${n - 1}.`, {
      hint: "Use a row number below that.",
    });
}

function short(text: string, length: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** What goes into a batch and what comes out of it: checked texts, padded ids, finite vectors. */
import { ParallaxError } from "../protocol/errors.ts";
import type { TokenBatch } from "./engine.ts";

/** One text as ids. */
export interface Row {
  index: number;
  ids: number[];
  /** Tokens at the start that do not count in the pooling. */
  skip: number;
}

/**
 * Rows as one batch, as wide as the first, which is the longest.
 * @param isCut whether `skip` counts
 */
export function padBatch(rows: readonly Row[], padId: number, isCut: boolean): TokenBatch {
  const b = rows.length;
  const t = Math.max(1, rows[0].ids.length);
  const ids = new BigInt64Array(b * t).fill(BigInt(padId));
  const mask = new BigInt64Array(b * t);
  const poolingMask = isCut ? new BigInt64Array(b * t) : undefined;
  rows.forEach((row, i) => {
    for (let j = 0; j < row.ids.length; j++) {
      ids[i * t + j] = BigInt(row.ids[j]);
      mask[i * t + j] = 1n;
      if (poolingMask !== undefined && j >= row.skip) poolingMask[i * t + j] = 1n;
    }
  });
  return { ids, mask, ...(poolingMask === undefined ? {} : { poolingMask }), b, t };
}

/** @throws {ParallaxError} encode.not-text with the row */
export function checkTexts(texts: readonly unknown[]): void {
  if (!Array.isArray(texts))
    throw new ParallaxError(
      "encode.not-text",
      `Texts to encode are a list of strings, found ${texts === null ? "null" : typeof texts}. Nothing was encoded.`,
      {
        hint: 'Give an array: encode(["first text", "second text"]), or a column: table.text("name").',
      },
    );
  const row = texts.findIndex((text) => typeof text !== "string");
  if (row < 0) return;
  const value: unknown = texts[row];
  throw new ParallaxError(
    "encode.not-text",
    `Row ${row} of ${texts.length} is ${value === null || value === undefined ? String(value) : `a ${typeof value} (${String(value).slice(0, 40)})`}, not a text. Nothing was encoded.`,
    { hint: "Leave such rows out or turn them into text with String(value).", details: { row } },
  );
}

/** @throws {ParallaxError} encode.not-finite with the row */
export function checkFinite(vectors: Float32Array, rows: readonly Row[], d: number): Float32Array {
  let sum = 0;
  for (let i = 0; i < vectors.length; i++) sum += vectors[i] - vectors[i];
  if (sum === 0) return vectors;
  const at = Math.floor(vectors.findIndex((value) => !Number.isFinite(value)) / d);
  throw new ParallaxError(
    "encode.not-finite",
    `The vector of row ${rows[at]?.index} holds numbers that are not finite. No vectors were returned.`,
    {
      kind: "bug",
      hint: "Check the encoder's weights; try the default encoder on the same texts.",
      details: { row: rows[at]?.index },
    },
  );
}

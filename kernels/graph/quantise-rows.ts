/** Rounding of weights to a few bits: one scale a row (output of a layer), or one a block of a row. */
import { type Tensor, tensor } from "./tensor.ts";

/**
 * Symmetric rounding, one scale a row: q = round(x·limit/max|row|).
 *
 * @param weight float32 [rows, columns]
 * @param limit  largest magnitude of q: 127 for 8 bits, 63 for 7
 * @returns int8 of the same shape and float32 scales [rows]; a row of zeros has scale 1. Largest error of a weight: half
 *   its row's scale.
 */
export function quantiseRows(
  weight: Tensor<"float32">,
  limit = 127,
): { quantised: Tensor<"int8">; scale: Tensor<"float32"> } {
  const [rows, columns] = weight.dims;
  const quantised = new Int8Array(rows * columns);
  const scale = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    const row = weight.data.subarray(i * columns, (i + 1) * columns);
    let largest = 0;
    for (const value of row) largest = Math.max(largest, Math.abs(value));
    scale[i] = largest === 0 ? 1 : largest / limit;
    for (let j = 0; j < columns; j++) quantised[i * columns + j] = Math.round(row[j] / scale[i]);
  }
  return { quantised: tensor("int8", weight.dims, quantised), scale: tensor("float32", [rows], scale) };
}

/**
 * Rounding by blocks of a row, as com.microsoft MatMulNBits stores them: value = (q − 2^(bits−1)) · scale.
 *
 * Each block's number of largest magnitude, with its sign, becomes the lowest code, so that all codes are used.
 *
 * @param weight float32 [rows, columns], row = one output of a layer
 * @param size   numbers a block, a power of two from 16; the last block of a row is filled up with zeros
 * @returns uint8 [rows, blocks, size·bits/8] (4 bits: two a byte, the first one low) and float32 scales [rows·blocks]
 */
export function quantiseBlocks(
  weight: Tensor<"float32">,
  bits: 4 | 8,
  size: number,
): { quantised: Tensor<"uint8">; scale: Tensor<"float32"> } {
  const [rows, columns] = weight.dims;
  const blocks = Math.ceil(columns / size);
  const bytes = (size * bits) / 8;
  const zero = 2 ** (bits - 1);
  const quantised = new Uint8Array(rows * blocks * bytes);
  const scale = new Float32Array(rows * blocks);
  for (let i = 0; i < rows; i++)
    for (let block = 0; block < blocks; block++) {
      const start = i * columns + block * size;
      const count = Math.min(size, columns - block * size);
      let extreme = 0;
      for (let j = start; j < start + count; j++)
        if (Math.abs(weight.data[j]) > Math.abs(extreme)) extreme = weight.data[j];
      const step = Math.fround(extreme / -zero);
      scale[i * blocks + block] = step;
      const at = (i * blocks + block) * bytes;
      for (let j = 0; j < size; j++) {
        const value = j < count && step !== 0 ? weight.data[start + j] / step : 0;
        const code = Math.min(2 * zero - 1, Math.max(0, Math.round(value) + zero));
        if (bits === 8) quantised[at + j] = code;
        else quantised[at + (j >> 1)] |= j % 2 === 0 ? code : code << 4;
      }
    }
  return {
    quantised: tensor("uint8", [rows, blocks, bytes], quantised),
    scale: tensor("float32", [rows * blocks], scale),
  };
}

/**
 * One flat WebAssembly memory for everything an optimiser touches. Its views are fed to ONNX Runtime as weights and
 * given to it as places for gradients, so a step copies nothing.
 *
 *   bytes:  | weights [N] | gradients [N] | first moments [N] | second moments [N] | sums [N]? | sparse rows |
 *
 * Weights of one learning rate and decay lie together, those with decay first, each rounded up to a multiple of four
 * numbers; the padding stays zero. Sums of gradients are there when a step is made of several backward passes. The memory
 * never grows, because growing would detach the views.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../graph/package-root.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type AdamWFactors, type AdamWOptions, adamwFactors, isDecayed } from "./adamw.ts";
import { type WasmMemory, wasm } from "./wasm.ts";

export interface ParameterShape {
  name: string;
  dims: readonly number[];
  /** Factor on the learning rate; default 1. */
  rate?: number;
}

/** A table of which a step touches few rows: word embeddings. */
export interface SparseShape extends ParameterShape {
  dims: readonly [rows: number, width: number];
  /** Most different rows that one step can touch. */
  maxTouched: number;
}

/** float32 views of one weight; all four stay valid for the life of the memory. */
export interface ParameterViews {
  name: string;
  dims: readonly number[];
  decayed: boolean;
  weight: Float32Array;
  gradient: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

interface Exports {
  adamw(
    ...p: [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ]
  ): void;
  add(sum: number, gradient: number, n: number): void;
  sumOfSquares(address: number, n: number): number;
}

const PAGE = 65_536;
const LIMIT = 4 * 1024 ** 3;

export class ParameterMemory {
  readonly parameters: readonly ParameterViews[];
  /** Numbers in all weights of `parameters`, padding left out. */
  readonly count: number;
  readonly bytes: number;
  readonly sparse: SparseRows | null;
  readonly #exports: Exports;
  /** Bytes of one of the parts. */
  readonly #part: number;
  /** Stretches of a part with one learning rate and decay. */
  readonly #groups: readonly { begin: number; bytes: number; decayed: boolean; rate: number }[];
  readonly #sparseRate: number;
  readonly #sums: Float32Array;
  /** Where the gradient of the step is: the gradients, or their sums. */
  readonly #gradientPart: number;
  /** What the gradient of the step is to be divided by: batches that were summed up. */
  #divisor = 1;

  /**
   * @param shapes trained weights, all filled with 0.
   * @param sparse a table trained row by row, or null.
   * @param options.sums a step adds up several backward passes: `clear`, then `collect` after each of them.
   * @throws {ParallaxError} train.too-large when weights, gradients and moments need more than 4 GiB.
   * Cost: 16 bytes a trained weight, 20 with sums (12 for a sparse table, plus 4 for each row that a step may touch).
   */
  constructor(
    shapes: readonly ParameterShape[],
    sparse: SparseShape | null = null,
    { sums = false }: { sums?: boolean } = {},
  ) {
    const isDecayedShape = (shape: ParameterShape) => isDecayed(shape.name, shape.dims);
    const rates = [...new Set(shapes.map(({ rate = 1 }) => rate))];
    const stretches = [true, false].flatMap((decayed) =>
      rates.map((rate) => ({
        decayed,
        rate,
        shapes: shapes.filter((shape) => isDecayedShape(shape) === decayed && (shape.rate ?? 1) === rate),
      })),
    );
    const ordered = stretches.flatMap((stretch) => stretch.shapes);
    const sizes = ordered.map((shape) => shape.dims.reduce((product, dim) => product * dim, 1));
    const padded = sizes.map((size) => 4 * (Math.ceil(size / 4) * 4));
    this.#part = padded.reduce((sum, bytes) => sum + bytes, 0);
    const bytesOf = new Map(ordered.map((shape, i) => [shape, padded[i]!]));
    let begin = 0;
    this.#groups = stretches
      .filter((stretch) => stretch.shapes.length > 0)
      .map(({ decayed, rate, shapes: members }) => {
        const bytes = members.reduce((sum, shape) => sum + bytesOf.get(shape)!, 0);
        const group = { begin, bytes, decayed, rate };
        begin += bytes;
        return group;
      });
    const parts = sums ? 5 : 4;
    this.#gradientPart = sums ? 4 : 1;
    this.#sparseRate = sparse?.rate ?? 1;
    this.count = sizes.reduce((sum, size) => sum + size, 0);
    const tableBytes = sparse === null ? 0 : 4 * sparse.dims[0] * sparse.dims[1];
    const touchedBytes = sparse === null ? 0 : 4 * sparse.maxTouched * sparse.dims[1];
    // The first 64 bytes stay free, so that no view starts at address 0.
    this.bytes = 64 + parts * this.#part + 3 * tableBytes + touchedBytes;
    if (this.bytes > LIMIT - PAGE)
      throw new ParallaxError(
        "train.too-large",
        `Training ${(this.count / 1e6).toFixed(1)} million weights needs ${(this.bytes / 1024 ** 3).toFixed(1)} GiB for weights, gradients and moments; 4 GiB is the most that one run can hold.`,
        { hint: "Freeze the word embeddings, or train a smaller encoder." },
      );
    const pages = Math.ceil(this.bytes / PAGE);
    let memory: WasmMemory;
    try {
      memory = new wasm.Memory({ initial: pages, maximum: pages });
    } catch (cause) {
      throw new ParallaxError(
        "train.no-memory",
        `Training needs ${(this.bytes / 1024 ** 2).toFixed(0)} MiB for weights, gradients and moments, and the system did not give it.`,
        { kind: "environment", hint: "Close other programs or kernels and start the run again.", cause },
      );
    }
    const instance = new wasm.Instance(kernelModule(), { env: { memory } });
    this.#exports = instance.exports as unknown as Exports;
    const view = (address: number, length: number) => new Float32Array(memory.buffer, address, length);
    let offset = 64;
    this.parameters = ordered.map((shape, i) => {
      const at = offset;
      offset += padded[i]!;
      return {
        name: shape.name,
        dims: shape.dims,
        decayed: isDecayedShape(shape),
        weight: view(at, sizes[i]!),
        gradient: view(at + this.#part, sizes[i]!),
        first: view(at + 2 * this.#part, sizes[i]!),
        second: view(at + 3 * this.#part, sizes[i]!),
      };
    });
    this.#sums = sums ? view(64 + 4 * this.#part, this.#part / 4) : new Float32Array(0);
    const table = 64 + parts * this.#part;
    this.sparse =
      sparse === null
        ? null
        : new SparseRows(
            sparse,
            this.#exports,
            [0, 1, 2].map((i) => view(table + i * tableBytes, tableBytes / 4)) as [
              Float32Array,
              Float32Array,
              Float32Array,
            ],
            view(table + 3 * tableBytes, touchedBytes / 4),
          );
  }

  /** Begin a step that is made of several backward passes, over so many batches. */
  clear(batches = 1): void {
    this.#divisor = batches;
    this.sparse?.clear();
    if (this.#gradientPart === 4) this.#sums.fill(0);
  }

  /** Add the gradients of a backward pass to those of the step. Cost: one pass over 12 bytes a weight. */
  collect(): void {
    const part = this.#part;
    if (this.#gradientPart === 4) this.#exports.add(64 + 4 * part, 64 + part, part / 4);
  }

  /**
   * Euclidean norm of the whole gradient, sparse rows included. NaN or infinity when one of the numbers is.
   * Deterministic: summed in float64 in a fixed order. Cost: one pass, about 5 ms for ten million weights.
   */
  gradientNorm(): number {
    const dense = this.#exports.sumOfSquares(64 + this.#gradientPart * this.#part, this.#part / 4);
    return Math.sqrt(dense + (this.sparse?.sumOfSquares() ?? 0)) / this.#divisor;
  }

  /**
   * One AdamW step over all weights (formula: adamw.ts).
   * @param scale factor on the gradient, see clipScale.
   * Cost: one pass over 28 bytes a weight, 15 to 25 ms for ten million weights on one thread.
   */
  update(step: number, learningRate: number, weightDecay: number, scale: number, options?: AdamWOptions): void {
    const factor = scale / this.#divisor;
    for (const { begin, bytes, decayed, rate } of this.#groups)
      this.#pass(
        64 + begin,
        bytes,
        adamwFactors(step, learningRate * rate, decayed ? weightDecay : 0, options),
        factor,
      );
    this.sparse?.update(adamwFactors(step, learningRate * this.#sparseRate, weightDecay, options), factor);
  }

  #pass(address: number, bytes: number, factors: AdamWFactors, scale: number): void {
    if (bytes === 0) return;
    const part = this.#part;
    callAdamw(
      this.#exports,
      [address, address + this.#gradientPart * part, address + 2 * part, address + 3 * part],
      bytes / 4,
      factors,
      scale,
    );
  }
}

/**
 * The rows of a large table that a step touched. Update rule ("lazy", as torch.optim.SparseAdam, with decoupled decay):
 * a touched row gets the AdamW update with the bias correction of the global step; an untouched row keeps its weights
 * and its moments, so neither decay nor momentum moves it. That differs from dense AdamW, where momentum keeps moving
 * rows after their last use.
 */
export class SparseRows {
  readonly name: string;
  readonly rows: number;
  readonly width: number;
  readonly weight: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  readonly #gradient: Float32Array;
  readonly #exports: Exports;
  readonly #maxTouched: number;
  #touched: number[] = [];
  readonly #slot = new Map<number, number>();

  constructor(
    shape: SparseShape,
    exports: Exports,
    [weight, first, second]: [Float32Array, Float32Array, Float32Array],
    gradient: Float32Array,
  ) {
    this.name = shape.name;
    [this.rows, this.width] = shape.dims;
    this.weight = weight;
    this.first = first;
    this.second = second;
    this.#gradient = gradient;
    this.#exports = exports;
    this.#maxTouched = shape.maxTouched;
  }

  /** Forget the last step's rows. */
  clear(): void {
    this.#touched = [];
    this.#slot.clear();
  }

  /**
   * Add the gradients of looked-up rows: equal ids are summed in the order given.
   * @param ids one row number for each looked-up vector, [k]; @param gradients float32 [k, width].
   */
  add(ids: ArrayLike<number | bigint>, gradients: Float32Array): void {
    const { width } = this;
    const sums = this.#gradient;
    for (let i = 0; i < ids.length; i++) {
      const id = Number(ids[i]);
      let slot = this.#slot.get(id);
      if (slot === undefined) {
        slot = this.#touched.length;
        if (slot >= this.#maxTouched)
          throw new ParallaxError(
            "bug.sparse-rows",
            `A step touched more than ${this.#maxTouched} rows of ${this.name}.`,
            { kind: "bug" },
          );
        this.#touched.push(id);
        this.#slot.set(id, slot);
        sums.fill(0, slot * width, (slot + 1) * width);
      }
      for (let at = slot * width, from = i * width, end = from + width; from < end; at++, from++)
        sums[at] = sums[at]! + gradients[from]!;
    }
  }

  sumOfSquares(): number {
    return this.#exports.sumOfSquares(this.#gradient.byteOffset, this.#touched.length * this.width);
  }

  update(factors: AdamWFactors, scale: number): void {
    const bytes = 4 * this.width;
    this.#touched.forEach((row, slot) => {
      callAdamw(
        this.#exports,
        [
          this.weight.byteOffset + row * bytes,
          this.#gradient.byteOffset + slot * bytes,
          this.first.byteOffset + row * bytes,
          this.second.byteOffset + row * bytes,
        ],
        this.width,
        factors,
        scale,
      );
    });
  }
}

/** Factor that brings a gradient of this norm down to clipNorm, 1 when it is shorter. As torch's clip_grad_norm_. */
export function clipScale(norm: number, clipNorm: number): number {
  return Math.min(1, clipNorm / (norm + 1e-6));
}

function callAdamw(
  exports: Exports,
  [p, g, m, v]: [number, number, number, number],
  n: number,
  f: AdamWFactors,
  scale: number,
): void {
  exports.adamw(
    p,
    g,
    m,
    v,
    n,
    f.keep,
    f.stepSize,
    f.inverseRootCorrection,
    f.beta1,
    f.beta2,
    f.rest1,
    f.rest2,
    f.epsilon,
    scale,
  );
}

let compiled: object | undefined;

function kernelModule(): object {
  const file = path.join(packageRoot(), "dist/kernels/train/adamw.wasm");
  try {
    compiled ??= new wasm.Module(readFileSync(file));
  } catch (cause) {
    throw new ParallaxError("train.no-kernel", `The update kernel ${file} could not be read.`, {
      kind: "environment",
      hint: "Run `npm run build`, or install Parallax again.",
      cause,
    });
  }
  return compiled;
}

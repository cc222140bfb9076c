/** Vectors of many texts in bounded memory: past a size they go to a temporary file and are read back in blocks. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { UnitRows } from "../corpus/exact-nearest.ts";
import { normaliseRows } from "../encode/embedding-set.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

/** Texts that are encoded at once. */
const CHUNK = 2048;
/** Vectors in memory, bytes; more go to a file. */
const IN_MEMORY = 256 * 2 ** 20;

/** A text and the template that it is encoded under; "" for the text alone. */
export interface PromptedText {
  text: string;
  template: string;
}

/** Unit vectors float32 [n, d] of prompted texts, in their order. Texts of one template are encoded together. */
export async function unitVectors(
  encoder: Embedder,
  texts: readonly PromptedText[],
  context: WorkContext = {},
): Promise<Float32Array> {
  const d = encoder.identity.dimensions;
  const data = new Float32Array(texts.length * d);
  const byTemplate = new Map<string, number[]>();
  texts.forEach(({ template }, i) => {
    const known = byTemplate.get(template);
    if (known === undefined) byTemplate.set(template, [i]);
    else known.push(i);
  });
  for (const [template, places] of byTemplate) {
    const set = await encoder.encode(
      places.map((place) => texts[place]!.text),
      { prompt: template === "" ? "{text}" : template, signal: context.signal },
    );
    places.forEach((place, i) => {
      data.set(set.data.subarray(i * d, (i + 1) * d), place * d);
    });
  }
  normaliseRows(data, d);
  return data;
}

/** Unit vectors of any number of texts. `close()` removes the temporary file. */
export class TextVectors implements UnitRows {
  readonly n: number;
  readonly dimensions: number;
  readonly #memory: Float32Array | null;
  readonly #folder: string | null = null;
  readonly #file: number | null = null;

  private constructor(n: number, dimensions: number, most: number) {
    this.n = n;
    this.dimensions = dimensions;
    if (4 * n * dimensions <= most) {
      this.#memory = new Float32Array(n * dimensions);
      return;
    }
    this.#memory = null;
    this.#folder = mkdtempSync(path.join(tmpdir(), "parallax-vectors-"));
    this.#file = openSync(path.join(this.#folder, "vectors"), "w+");
  }

  /**
   * @param stage of the progress, "Encoding candidates". @param most bytes kept in memory, default 256 MiB.
   * @throws {CancelledError} between two batches; {ParallaxError} mining.disk-full
   */
  static async encode(
    encoder: Embedder,
    texts: readonly PromptedText[],
    stage: string,
    context: WorkContext = {},
    most = IN_MEMORY,
  ): Promise<TextVectors> {
    const vectors = new TextVectors(texts.length, encoder.identity.dimensions, most);
    try {
      await inChunks(texts, stage, "texts", context, async (chunk, start) => {
        vectors.#write(await unitVectors(encoder, chunk, context), start);
      });
      return vectors;
    } catch (error) {
      vectors.close();
      throw error;
    }
  }

  unitRows(start: number, end: number): Float32Array {
    const d = this.dimensions;
    if (this.#memory !== null) return this.#memory.subarray(start * d, end * d);
    const block = new Float32Array((end - start) * d);
    const bytes = new Uint8Array(block.buffer);
    for (let at = 0; at < bytes.length; ) at += readSync(this.#file!, bytes, at, bytes.length - at, 4 * start * d + at);
    return block;
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(data: Float32Array, start: number): void {
    const at = start * this.dimensions;
    if (this.#memory !== null) {
      this.#memory.set(data, at);
      return;
    }
    try {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let from = 0; from < bytes.length; )
        from += writeSync(this.#file!, bytes, from, bytes.length - from, 4 * at + from);
    } catch (cause) {
      throw new ParallaxError(
        "mining.disk-full",
        `The vectors of ${this.n} texts (${((4 * this.n * this.dimensions) / 1e9).toFixed(1)} GB) could not be written to ${tmpdir()}: ${(cause as Error).message}.`,
        { kind: "environment", hint: "Free some space there, or give fewer texts.", cause },
      );
    }
  }
}

/** Walk a list in chunks, with progress, rate, time left and a look at the signal before each. */
export async function inChunks<T>(
  list: readonly T[],
  stage: string,
  unit: string,
  { signal, onProgress }: WorkContext,
  work: (chunk: readonly T[], start: number) => Promise<void>,
  size = CHUNK,
): Promise<void> {
  const started = performance.now();
  // Small first chunks: the first report comes soon.
  let length = Math.min(size, 128);
  for (let start = 0; start < list.length; ) {
    if (signal?.aborted) throw new CancelledError(stage);
    const end = Math.min(list.length, start + length);
    await work(list.slice(start, end), start);
    const rate = (1000 * end) / Math.max(1, performance.now() - started);
    onProgress?.({ stage, done: end, total: list.length, unit, rate, etaMs: (1000 * (list.length - end)) / rate });
    start = end;
    length = Math.min(size, 2 * length);
  }
}

/** Reading a corpus folder: rows and texts by range, so that a corpus of any size opens at once and takes little memory. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import path from "node:path";
import { normaliseRows } from "../encode/embedding-set.ts";
import { halfToFloat } from "../encode/half.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderIdentity } from "../protocol/results.ts";
import {
  bytesPerRow,
  CORPUS_FILES,
  type CorpusManifest,
  corpusSizes,
  damaged,
  NPY_HEADER_BYTES,
  npyHeader,
  readManifest,
} from "./corpus-files.ts";
import { dequantiseRows } from "./int8-rows.ts";

type FileName = keyof ReturnType<typeof corpusSizes>;
/** scales: with int8 only. */
type OpenFiles = Record<Exclude<FileName, "scales">, number> & { scales?: number };

export class Corpus {
  readonly folder: string;
  readonly manifest: CorpusManifest;
  readonly #fds: OpenFiles;
  #closed = false;

  private constructor(folder: string, manifest: CorpusManifest, fds: OpenFiles) {
    this.folder = folder;
    this.manifest = manifest;
    this.#fds = fds;
  }

  /**
   * Open a corpus. Sizes of all files are checked against the manifest; no vector is read.
   *
   * @throws {ParallaxError} corpus.not-found, corpus.damaged, corpus.unfinished (its encoding was stopped; call encodeCorpus
   *   again to go on)
   */
  static open(folder: string): Corpus {
    const manifest = readManifest(folder);
    const { rows, state } = manifest;
    if (state !== "done")
      throw new ParallaxError(
        "corpus.unfinished",
        `The corpus ${folder} is not finished: ${rows.toLocaleString("en-US")} rows of ${manifest.source.file} are encoded.`,
        {
          hint: "Call encodeCorpus with the same table, encoder and folder: it goes on from there.",
          details: { folder, rows },
        },
      );
    const sizes = corpusSizes(manifest);
    const fds: Partial<Record<FileName, number>> = {};
    try {
      for (const [name, size] of Object.entries(sizes) as [FileName, number][]) {
        const file = path.join(folder, CORPUS_FILES[name]);
        const found = statSync(file, { throwIfNoEntry: false })?.size;
        if (found !== size)
          throw damaged(
            folder,
            found === undefined
              ? `${CORPUS_FILES[name]} is missing`
              : `${CORPUS_FILES[name]} has ${found} bytes, ${rows} rows need ${size}`,
          );
        fds[name] = openSync(file, "r");
      }
      const head = Buffer.alloc(NPY_HEADER_BYTES);
      readSync(fds.vectors!, head, 0, head.length, 0);
      if (!head.equals(npyHeader(rows, manifest.dimensions, manifest.dtype)))
        throw damaged(folder, `${CORPUS_FILES.vectors} does not begin as its manifest says`);
    } catch (error) {
      for (const fd of Object.values(fds)) closeSync(fd);
      throw error;
    }
    return new Corpus(folder, manifest, fds as OpenFiles);
  }

  get n(): number {
    return this.manifest.rows;
  }

  get dimensions(): number {
    return this.manifest.dimensions;
  }

  get encoder(): EncoderIdentity {
    return this.manifest.encoder;
  }

  /**
   * Vectors of the rows start … end − 1: float32 [end − start, dimensions], read from disk. New buffer.
   * @throws {ParallaxError} corpus.no-such-row, corpus.closed
   */
  rows(start: number, end: number): Float32Array {
    this.#check(start, end);
    const size = bytesPerRow(this.manifest);
    const bytes = new Uint8Array((end - start) * size);
    this.#read("vectors", bytes, NPY_HEADER_BYTES + start * size);
    if (this.manifest.dtype === "float32") return new Float32Array(bytes.buffer);
    if (this.manifest.dtype === "float16") return halfToFloat(new Uint16Array(bytes.buffer));
    const scales = new Float32Array(end - start);
    this.#read("scales", new Uint8Array(scales.buffer), NPY_HEADER_BYTES + 4 * start);
    return dequantiseRows(new Int8Array(bytes.buffer), scales, this.dimensions);
  }

  /** The same at length 1 each; zero rows stay zero. */
  unitRows(start: number, end: number): Float32Array {
    const rows = this.rows(start, end);
    if (!this.encoder.normalised || this.manifest.dtype !== "float32") normaliseRows(rows, this.dimensions);
    return rows;
  }

  /** Text of a row, as it was in the table. */
  text(row: number): string {
    return this.#string("texts", "textEnds", row);
  }

  /** Name of a row: its id column, or its number. */
  id(row: number): string {
    return this.#string("ids", "idEnds", row);
  }

  /** "100,000 texts, float32 [100000, 384], all-MiniLM-L6-v2" */
  describe(): string {
    const { dtype, prompt, source } = this.manifest;
    return `${this.n.toLocaleString("en-US")} texts of ${path.basename(source.file)}, ${dtype} [${this.n}, ${this.dimensions}], ${this.encoder.name}${prompt === "" ? "" : `, prompt ${JSON.stringify(prompt)}`}`;
  }

  /** Close its files. Twice is once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of Object.values(this.#fds)) closeSync(fd);
  }

  #string(file: "texts" | "ids", ends: "textEnds" | "idEnds", row: number): string {
    this.#check(row, row + 1);
    const places = new Float64Array(2);
    const first = Math.max(0, row - 1);
    this.#read(ends, new Uint8Array(places.buffer, 0, 8 * (row - first + 1)), 8 * first);
    const [start, end] = row === 0 ? [0, places[0]] : [places[0], places[1]];
    const size = file === "texts" ? this.manifest.textBytes : this.manifest.idBytes;
    if (!(start >= 0 && end >= start && end <= size))
      throw damaged(
        this.folder,
        `${CORPUS_FILES[ends]} says that row ${row} lies at ${start} to ${end} of ${size} bytes`,
      );
    const bytes = new Uint8Array(end - start);
    this.#read(file, bytes, start);
    return Buffer.from(bytes.buffer).toString("utf8");
  }

  #read(file: FileName, target: Uint8Array, position: number): void {
    if (this.#closed)
      throw new ParallaxError("corpus.closed", `The corpus ${this.folder} was closed.`, { hint: "Open it again." });
    const fd = this.#fds[file];
    if (fd === undefined) throw damaged(this.folder, `${CORPUS_FILES[file]} is missing`);
    for (let done = 0; done < target.length; ) {
      const got = readSync(fd, target, done, Math.min(1 << 30, target.length - done), position + done);
      if (got === 0) throw damaged(this.folder, `${CORPUS_FILES[file]} became shorter while it was read`);
      done += got;
    }
  }

  #check(start: number, end: number): void {
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= this.n))
      throw new ParallaxError(
        "corpus.no-such-row",
        `Rows ${start} to ${end - 1} were asked for, the corpus has rows 0 to ${this.n - 1}.`,
        { hint: "Use row numbers below n." },
      );
  }
}

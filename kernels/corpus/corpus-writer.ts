/** The open files of a corpus being written: appended a chunk at a time, cut back to the last checkpoint when opened again. */
import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import path from "node:path";
import type { StreamedRow } from "../data/text-stream.ts";
import { floatToHalf } from "../encode/half.ts";
import { ParallaxError } from "../protocol/errors.ts";
import {
  bytesPerRow,
  CORPUS_FILES,
  type CorpusManifest,
  corpusSizes,
  NPY_HEADER_BYTES,
  npyHeader,
  scalesHeader,
  writeManifest,
} from "./corpus-files.ts";
import { Int8Loss, quantiseRows } from "./int8-rows.ts";

type FileName = keyof ReturnType<typeof corpusSizes>;

export class CorpusWriter {
  readonly #folder: string;
  readonly #manifest: CorpusManifest;
  readonly #fds: Partial<Record<FileName, number>> = {};
  /** For int8: what its rounding loses, measured as the rows go by. */
  readonly #loss: Int8Loss | undefined;

  /** Opens the files and cuts off what was written after the last checkpoint. */
  constructor(folder: string, manifest: CorpusManifest) {
    this.#folder = folder;
    this.#manifest = manifest;
    const { rows } = manifest;
    for (const [name, whole] of Object.entries(corpusSizes(manifest)) as [FileName, number][]) {
      const file = path.join(folder, CORPUS_FILES[name]);
      const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
      const fd = openSync(file, isThere ? "r+" : "w+");
      this.#fds[name] = fd;
      const size = statSync(file).size;
      if (rows > 0 && size < whole) {
        this.close();
        throw new ParallaxError(
          "corpus.damaged",
          `${file} has ${size} bytes, ${whole} were written for the first ${rows} rows. Nothing was changed.`,
          { hint: "Remove the folder and encode the corpus again.", details: { file } },
        );
      }
      ftruncateSync(fd, whole);
    }
    if (manifest.dtype === "int8")
      this.#loss =
        rows === 0 ? new Int8Loss(manifest.dimensions) : Int8Loss.load(path.join(folder, CORPUS_FILES.loss), rows);
    if (rows === 0) this.#writeHeader();
  }

  append(rows: readonly StreamedRow[], vectors: Float32Array): void {
    const manifest = this.#manifest;
    const at = NPY_HEADER_BYTES + manifest.rows * bytesPerRow(manifest);
    if (manifest.dtype === "int8") {
      const { codes, scales } = quantiseRows(vectors, manifest.dimensions);
      this.#write("vectors", bytesOf(codes), at);
      this.#write("scales", bytesOf(scales), NPY_HEADER_BYTES + 4 * manifest.rows);
      this.#loss?.add(manifest.rows, vectors, codes, scales);
      // Before the manifest: after a kill the measurement may be ahead of it, never behind.
      this.#loss?.save(path.join(this.#folder, CORPUS_FILES.loss));
    } else this.#write("vectors", bytesOf(manifest.dtype === "float32" ? vectors : floatToHalf(vectors)), at);
    manifest.textBytes = this.#appendStrings(
      "texts",
      "textEnds",
      rows.map(({ text }) => text),
      manifest.textBytes,
    );
    manifest.idBytes = this.#appendStrings(
      "ids",
      "idEnds",
      rows.map(({ id }) => id),
      manifest.idBytes,
    );
    manifest.rows += rows.length;
    for (const fd of Object.values(this.#fds)) fsyncSync(fd);
    writeManifest(this.#folder, manifest);
  }

  #appendStrings(file: "texts" | "ids", ends: "textEnds" | "idEnds", values: readonly string[], start: number): number {
    const bytes = values.map((value) => Buffer.from(value, "utf8"));
    const places = new Float64Array(values.length);
    let at = start;
    bytes.forEach((part, i) => {
      at += part.length;
      places[i] = at;
    });
    this.#write(file, Buffer.concat(bytes), start);
    this.#write(ends, bytesOf(places), 8 * this.#manifest.rows);
    return at;
  }

  finish(): void {
    this.#writeHeader();
    for (const fd of Object.values(this.#fds)) fsyncSync(fd);
    if (this.#loss) this.#manifest.loss = this.#loss.result();
    writeManifest(this.#folder, this.#manifest);
    rmSync(path.join(this.#folder, CORPUS_FILES.loss), { force: true });
  }

  #writeHeader(): void {
    const { rows, dimensions, dtype } = this.#manifest;
    this.#write("vectors", npyHeader(rows, dimensions, dtype), 0);
    if (dtype === "int8") this.#write("scales", scalesHeader(rows), 0);
  }

  #write(name: FileName, bytes: Uint8Array, position: number): void {
    const fd = this.#fds[name];
    if (fd === undefined) return;
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }

  close(): void {
    for (const fd of Object.values(this.#fds)) closeSync(fd);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

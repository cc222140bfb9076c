/**
 * A corpus is a folder of plain files, so that other programs can read it and a killed process can go on:
 *
 *   manifest.json    what made it, and how far it is; replaced atomically after each chunk
 *   vectors.npy      float32, float16 or int8 [n, d]; numpy.load reads it, also with mmap_mode
 *   scales.npy       with int8: float32 [n]; a row is its codes times its scale
 *   texts.txt        the texts one after another, UTF-8, without separators
 *   texts.ends       float64: where each text ends in texts.txt, in bytes
 *   ids.txt, ids.ends   the same for the row names
 *   index.usearch    the approximate index, when one was built, and index.json, what it was built from
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderIdentity } from "../protocol/results.ts";

export const CORPUS_FILES = {
  manifest: "manifest.json",
  vectors: "vectors.npy",
  scales: "scales.npy",
  loss: "loss.state",
  texts: "texts.txt",
  textEnds: "texts.ends",
  ids: "ids.txt",
  idEnds: "ids.ends",
  index: "index.usearch",
  indexFacts: "index.json",
} as const;

/** The .npy header has a fixed room, so that it can be written again when the number of rows is known. */
export const NPY_HEADER_BYTES = 128;

/** Share of the right k nearest that is found: mean over n queries, 95 % interval, the worst query. */
export const recallSchema = z.object({
  k: z.number(),
  n: z.number(),
  seed: z.number(),
  mean: z.number(),
  low: z.number(),
  high: z.number(),
  worst: z.number(),
});
export type Recall = z.infer<typeof recallSchema>;

const manifestSchema = z.object({
  parallaxCorpus: z.literal(1),
  state: z.enum(["running", "done"]),
  /** Rows that are whole on disk. */
  rows: z.number().int().min(0),
  textBytes: z.number().int().min(0),
  idBytes: z.number().int().min(0),
  dimensions: z.number().int().min(1),
  dtype: z.enum(["float32", "float16", "int8"]),
  /** How it was cut into pieces; kept, so that a resumed job gives the same bits. */
  plan: z.object({
    chunkTexts: z.number().int().min(1),
    batchTokens: z.number().int().min(1),
    threads: z.number().int().min(1).nullable(),
  }),
  encoder: z.looseObject({ name: z.string(), weightsSha256: z.string(), specSha256: z.string().optional() }),
  prompt: z.string(),
  source: z.object({
    file: z.string(),
    column: z.string(),
    idColumn: z.string().nullable(),
    sizeBytes: z.number(),
    sha256: z.string(),
  }),
  report: z.object({ tokens: z.number(), truncated: z.number(), empty: z.number(), unknownPieces: z.number() }),
  seconds: z.number(),
  /** With int8: how much of the float32 answer is found, see `Int8Loss`; null when it could not be measured. */
  loss: recallSchema.nullish(),
});

export type CorpusManifest = Omit<z.infer<typeof manifestSchema>, "encoder"> & { encoder: EncoderIdentity };

/** @throws {ParallaxError} corpus.not-found, corpus.damaged */
export function readManifest(folder: string): CorpusManifest {
  const file = path.join(folder, CORPUS_FILES.manifest);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ParallaxError(
      "corpus.not-found",
      `${folder} is not a corpus: it has no ${CORPUS_FILES.manifest} (${(error as NodeJS.ErrnoException).code}).`,
      {
        hint: "Make one with encodeCorpus, or name the folder that holds vectors.npy and manifest.json.",
        cause: error,
      },
    );
  }
  try {
    return manifestSchema.parse(JSON.parse(text)) as unknown as CorpusManifest;
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error).split("\n")[0] : (error as Error).message;
    throw damaged(folder, `${CORPUS_FILES.manifest}: ${problem}`, error);
  }
}

export function writeManifest(folder: string, manifest: CorpusManifest): void {
  writeFileAtomically(path.join(folder, CORPUS_FILES.manifest), [`${JSON.stringify(manifest, null, 2)}\n`]);
}

export function damaged(folder: string, problem: string, cause?: unknown): ParallaxError {
  return new ParallaxError(
    "corpus.damaged",
    `The corpus ${folder} is not whole: ${problem}. Nothing was read from it.`,
    {
      hint: "Encode it again; its source is named in manifest.json.",
      details: { folder, problem },
      cause,
    },
  );
}

const DESCR = { float32: "<f4", float16: "<f2", int8: "|i1" } as const;
const BYTES = { float32: 4, float16: 2, int8: 1 } as const;

/** The first 128 bytes of vectors.npy for this many rows (NumPy's format 1.0). */
export function npyHeader(rows: number, dimensions: number, dtype: CorpusManifest["dtype"]): Buffer {
  return header(DESCR[dtype], `(${rows}, ${dimensions})`);
}

/** The first 128 bytes of scales.npy. */
export function scalesHeader(rows: number): Buffer {
  return header(DESCR.float32, `(${rows},)`);
}

function header(descr: string, shape: string): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const bytes = Buffer.alloc(NPY_HEADER_BYTES, 0x20);
  Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]).copy(bytes);
  bytes.writeUInt16LE(NPY_HEADER_BYTES - 10, 8);
  bytes.write(text, 10, "latin1");
  bytes[NPY_HEADER_BYTES - 1] = 0x0a;
  return bytes;
}

export function bytesPerRow(manifest: Pick<CorpusManifest, "dimensions" | "dtype">): number {
  return manifest.dimensions * BYTES[manifest.dtype];
}

/** Bytes of each file when the manifest's rows are whole on disk. */
export function corpusSizes(manifest: CorpusManifest) {
  const { rows, textBytes, idBytes, dtype } = manifest;
  return {
    vectors: NPY_HEADER_BYTES + rows * bytesPerRow(manifest),
    ...(dtype === "int8" ? { scales: NPY_HEADER_BYTES + 4 * rows } : {}),
    texts: textBytes,
    textEnds: 8 * rows,
    ids: idBytes,
    idEnds: 8 * rows,
  };
}

/** `encodeCorpus` and `openCorpus`: tables of any size as vectors on disk, and the nearest texts in them. */
import path from "node:path";
import { Corpus as CorpusFiles } from "../corpus/corpus.ts";
import type { CorpusManifest } from "../corpus/corpus-files.ts";
import { type Nearest, nearest } from "../corpus/nearest.ts";
import { RECALL_QUERIES, recallInWords } from "../corpus/recall.ts";
import { writeCorpus } from "../corpus/write-corpus.ts";
import { tableBundle } from "../data/table-view.ts";
import { EmbeddingSet, normaliseRows } from "../encode/embedding-set.ts";
import { defaultCompute } from "../graph/compute.ts";
import { counterUniform } from "../model/random.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { currentContext, withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";

const HELD_OUT_SEED = 0;
const SHOWN_QUERIES = 20;
const SHOWN_TEXT = 120;

export interface EncodeCorpusOptions extends WorkContext {
  /** Table: tsv, csv, jsonl, txt (also .gz) or parquet, relative to the notebook. */
  file: string;
  /** Column with the texts; of a txt file "text". */
  column: string;
  /** Column that names the rows. Default: their numbers. */
  id?: string;
  encoder?: EncoderLike;
  /** Prompt of the texts: a template with {text}, or the name of one of the encoder's own. */
  prompt?: string;
  /** Where the corpus goes; made, or gone on with. Default: the table's name with ".corpus" beside it. */
  folder?: string;
  /**
   * "float16" halves the file, "int8" is a quarter (a scale for each row; what that loses is measured and shown). Default
   * "float32".
   */
  dtype?: "float32" | "float16" | "int8";
}

export interface NearestTextsOptions extends WorkContext {
  /** How many texts a query. Default 10. */
  k?: number;
  /** True compares with every text, false uses an index. Default: exact up to 200,000 texts, an index past that. */
  exact?: boolean;
  /**
   * Queries of yours that are not asked now: with an index, its recall is measured on them too (on 200 of them, drawn with
   * seed 0, where there are more) and shown beside the one on the corpus's own rows.
   */
  heldOut?: readonly string[] | EmbeddingSet;
  /** Encoder of queries that are texts. Default: the corpus's own, by its reference. */
  encoder?: EncoderLike;
  /** Prompt of the queries. Default: the encoder's own for queries, when it has one. */
  prompt?: string;
}

export interface NearText {
  row: number;
  id: string;
  text: string;
  similarity: number;
}

/**
 * Encode a table of any size into a folder on disk: a chunk at a time, in bounded memory. Stopped or killed, the same call
 * goes on where it was and gives the same bits.
 *
 * @throws {ParallaxError} table.*, corpus.other-job, corpus.in-use, corpus.changed-source, corpus.disk-full
 * @throws {CancelledError} when the cell is stopped; what was finished stays
 *
 * @example const corpus = await encodeCorpus({ file: "articles.jsonl", column: "text", folder: "articles.corpus" })
 */
export async function encodeCorpus(options: EncodeCorpusOptions): Promise<Corpus> {
  const { workingFolder } = currentContext();
  const file = path.resolve(workingFolder, options.file);
  const folder = path.resolve(
    workingFolder,
    options.folder ?? `${options.file.replace(/\.gz$/, "").replace(/\.[^./\\]+$/, "")}.corpus`,
  );
  const encoder = await resolveEncoder(options.encoder);
  await withJob({ signal: options.signal, onProgress: options.onProgress }, (context) =>
    writeCorpus({
      file,
      folder,
      column: options.column,
      encoder,
      ...(options.id === undefined ? {} : { idColumn: options.id }),
      ...(options.prompt === undefined ? {} : { prompt: options.prompt }),
      ...(options.dtype === undefined ? {} : { dtype: options.dtype }),
      ...context,
    }),
  );
  return openCorpus(folder);
}

/**
 * Open a corpus folder. Nothing is loaded: rows and texts are read when they are asked for.
 * @throws {ParallaxError} corpus.not-found, corpus.unfinished, corpus.damaged
 */
export function openCorpus(folder: string): Corpus {
  return new Corpus(CorpusFiles.open(path.resolve(currentContext().workingFolder, folder)));
}

/** A corpus on disk. `close()` when it is not needed any more. */
export class Corpus implements Displayable {
  readonly #files: CorpusFiles;

  constructor(files: CorpusFiles) {
    this.#files = files;
  }

  get n(): number {
    return this.#files.n;
  }

  get dimensions(): number {
    return this.#files.dimensions;
  }

  get folder(): string {
    return this.#files.folder;
  }

  /** What made it: encoder, prompt, source with its digest, batch plan. */
  get manifest(): CorpusManifest {
    return this.#files.manifest;
  }

  /** With int8: what exact search over it finds of the float32 answer, in words. Null for other numbers. */
  get loss(): string | null {
    return lossInWords(this.manifest);
  }

  /** Text of a row. @throws {ParallaxError} corpus.no-such-row */
  text(row: number): string {
    return this.#files.text(row);
  }

  /** Vectors of the rows start … end − 1: float32 [end − start, dimensions]. */
  rows(start: number, end: number): Float32Array {
    return this.#files.rows(start, end);
  }

  /**
   * The texts nearest to each query, by cosine.
   *
   * @param queries texts, or vectors of the same encoder
   * @returns       matches a query, nearest first, and how sure: exact, or the index's measured recall with its n and interval
   * @throws {ParallaxError} corpus.other-encoder when vectors or encoder are not those of the corpus
   *
   * @example await corpus.nearest(["how do I reset my card?"], { k: 5 })
   */
  async nearest(queries: readonly string[] | EmbeddingSet, options: NearestTextsOptions = {}): Promise<NearestTexts> {
    const { encoder, prompt, signal, onProgress, heldOut, ...search } = options;
    return withJob({ signal, onProgress }, async (context) => {
      const unitOf = async (given: readonly string[] | EmbeddingSet) => {
        const set = given instanceof EmbeddingSet ? given : await this.#encode(given, encoder, prompt, context);
        return { set, unit: this.#unit(set) };
      };
      const { set, unit } = await unitOf(queries);
      const sample = heldOut === undefined ? undefined : (await unitOf(sampled(heldOut))).unit;
      const found = await nearest(this.#files, unit, defaultCompute(), {
        ...search,
        ...context,
        ...(sample === undefined ? {} : { heldOut: { queries: sample, seed: HELD_OUT_SEED } }),
      });
      return new NearestTexts(this.#files, set.texts, found);
    });
  }

  /** Their vectors at length 1; refused when they are of another encoder. */
  #unit(set: EmbeddingSet): Float32Array {
    const mine = this.manifest.encoder;
    if (set.dimensions !== this.dimensions || set.encoder.weightsSha256 !== mine.weightsSha256)
      throw new ParallaxError(
        "corpus.other-encoder",
        `The queries are vectors of ${set.encoder.name} (${set.dimensions} dimensions), the corpus of ${mine.name} (${this.dimensions}). Their spaces have nothing in common; nothing was searched.`,
        { hint: `Encode the queries with ${JSON.stringify(mine.reference)}.` },
      );
    const unit = set.data.slice();
    normaliseRows(unit, set.dimensions);
    return unit;
  }

  async #encode(
    texts: readonly string[],
    encoder: EncoderLike | undefined,
    prompt: string | undefined,
    context: WorkContext,
  ): Promise<EmbeddingSet> {
    const model = await resolveEncoder(encoder ?? this.manifest.encoder.reference);
    const own = model.spec.roles.query ?? undefined;
    const said = prompt ?? own;
    return model.encode(texts, { ...(said === undefined ? {} : { prompt: said }), ...context });
  }

  close(): void {
    this.#files.close();
  }

  [DISPLAY](): MimeBundle {
    const { seconds, report, source } = this.manifest;
    const text = [
      this.#files.describe(),
      `${report.tokens.toLocaleString("en-US")} tokens in ${seconds.toFixed(1)} s; ${report.truncated.toLocaleString("en-US")} texts were cut, ${report.empty.toLocaleString("en-US")} are empty.`,
      `Source ${source.file}, sha256 ${source.sha256.slice(0, 12)}…`,
      ...(this.loss === null ? [] : [this.loss]),
    ].join("\n");
    return { [MIME.plain]: text };
  }
}

/** Matches of queries in a corpus. */
export class NearestTexts implements Displayable {
  readonly queries: readonly string[];
  readonly k: number;
  /** Null: exact. Else the index's facts with its recall. */
  readonly index: Nearest["index"];
  /** matches[i]: the texts nearest to query i, nearest first. */
  readonly matches: readonly (readonly NearText[])[];
  /** The index's recall on the held-out queries; null without an index or without them. */
  readonly heldOut: Nearest["heldOut"];
  readonly #name: string;
  readonly #loss: string | null;

  constructor(corpus: CorpusFiles, queries: readonly string[], found: Nearest) {
    this.queries = queries;
    this.k = found.k;
    this.index = found.index;
    this.heldOut = found.heldOut;
    this.#name = corpus.describe();
    this.#loss = lossInWords(corpus.manifest);
    this.matches = queries.map((_, i) =>
      Array.from({ length: found.k }, (__, j) => found.rows[i * found.k + j])
        .map((row, j) => ({ row, similarity: found.cosines[i * found.k + j] }))
        .filter(({ row }) => row >= 0)
        .map(({ row, similarity }) => ({ row, id: corpus.id(row), text: corpus.text(row), similarity })),
    );
  }

  /** How sure the answer is, in words. */
  get certainty(): string {
    const parts =
      this.index === null
        ? ["Exact: every text was compared."]
        : [
            `Approximate: the index finds ${recallInWords(this.index.recall, "exact", "rows of the corpus")}. exact: true compares every text.`,
          ];
    if (this.heldOut !== null)
      parts.push(`On held-out queries it finds ${recallInWords(this.heldOut, "exact", "queries")}.`);
    if (this.#loss !== null) parts.push(this.#loss);
    return parts.join(" ");
  }

  [DISPLAY](): MimeBundle {
    const shown = this.matches.slice(0, SHOWN_QUERIES);
    const view: TableView = {
      version: 1,
      title: this.#name,
      columns: [
        { name: "query", kind: "text" },
        { name: "cosine", kind: "number", decimals: 3 },
        { name: "text", kind: "text" },
        { name: "row", kind: "text" },
      ],
      rows: shown.flatMap((matches, i) =>
        matches.map(({ id, text, similarity }, j) => [j === 0 ? cut(this.queries[i]) : "", similarity, cut(text), id]),
      ),
      total: this.matches.reduce((sum, matches) => sum + matches.length, 0),
      notes: [this.certainty],
    };
    return tableBundle(view);
  }
}

function lossInWords({ dtype, loss }: CorpusManifest): string | null {
  if (dtype !== "int8") return null;
  return loss == null
    ? "8 bits a number; what that loses was not measured."
    : `8 bits a number: exact search over them finds ${recallInWords(loss, "float32", "of its first rows")}.`;
}

/** At most as many as recall is measured with: the ones with the smallest seeded numbers, in the order they came. */
function sampled(queries: readonly string[] | EmbeddingSet): readonly string[] | EmbeddingSet {
  const n = queries instanceof EmbeddingSet ? queries.n : queries.length;
  if (n <= RECALL_QUERIES) return queries;
  const chosen = Array.from({ length: n }, (_, i) => ({ i, at: counterUniform(HELD_OUT_SEED, i) }))
    .sort((a, b) => a.at - b.at)
    .slice(0, RECALL_QUERIES)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
  return queries instanceof EmbeddingSet ? queries.select(chosen) : chosen.map((i) => queries[i]);
}

function cut(text: string): string {
  return text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}…` : text;
}

/** `encodeCorpus` and `openCorpus`: tables of any size as vectors on disk, and the nearest texts in them. */
import path from "node:path";
import { Corpus as CorpusFiles } from "../corpus/corpus.ts";
import type { CorpusManifest } from "../corpus/corpus-files.ts";
import { type Nearest, nearest } from "../corpus/nearest.ts";
import { writeCorpus } from "../corpus/write-corpus.ts";
import { tableBundle } from "../data/table-view.ts";
import { EmbeddingSet, normaliseRows } from "../encode/embedding-set.ts";
import { defaultCompute } from "../graph/compute.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { currentContext, withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";

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
  /** "float16" halves the file. Default "float32". */
  dtype?: "float32" | "float16";
}

export interface NearestTextsOptions extends WorkContext {
  /** How many texts a query. Default 10. */
  k?: number;
  /** True compares with every text, false uses an index. Default: exact up to 200,000 texts, an index past that. */
  exact?: boolean;
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
    const { encoder, prompt, signal, onProgress, ...search } = options;
    return withJob({ signal, onProgress }, async (context) => {
      const set = queries instanceof EmbeddingSet ? queries : await this.#encode(queries, encoder, prompt, context);
      const mine = this.manifest.encoder;
      if (set.dimensions !== this.dimensions || set.encoder.weightsSha256 !== mine.weightsSha256)
        throw new ParallaxError(
          "corpus.other-encoder",
          `The queries are vectors of ${set.encoder.name} (${set.dimensions} dimensions), the corpus of ${mine.name} (${this.dimensions}). Their spaces have nothing in common; nothing was searched.`,
          { hint: `Encode the queries with ${JSON.stringify(mine.reference)}.` },
        );
      const unit = set.data.slice();
      normaliseRows(unit, set.dimensions);
      const found = await nearest(this.#files, unit, defaultCompute(), { ...search, ...context });
      return new NearestTexts(this.#files, set.texts, found);
    });
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
  readonly #name: string;

  constructor(corpus: CorpusFiles, queries: readonly string[], found: Nearest) {
    this.queries = queries;
    this.k = found.k;
    this.index = found.index;
    this.#name = corpus.describe();
    this.matches = queries.map((_, i) =>
      Array.from({ length: found.k }, (__, j) => found.rows[i * found.k + j])
        .map((row, j) => ({ row, similarity: found.cosines[i * found.k + j] }))
        .filter(({ row }) => row >= 0)
        .map(({ row, similarity }) => ({ row, id: corpus.id(row), text: corpus.text(row), similarity })),
    );
  }

  /** How sure the answer is, in words. */
  get certainty(): string {
    if (this.index === null) return "Exact: every text was compared.";
    const { k, n, seed, mean, low, high, worst } = this.index.recall;
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    return `Approximate: the index finds ${percent(mean)} of the exact ${k} nearest (95 % interval ${percent(low)} to ${percent(high)}, worst query ${percent(worst)}; n = ${n} rows, seed ${seed}). exact: true compares every text.`;
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

function cut(text: string): string {
  return text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}…` : text;
}

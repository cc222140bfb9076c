/**
 * An approximate index over a corpus (HNSW of the library usearch; Malkov and Yashunin 2016), for corpora too large to
 * compare with every row. The index holds the vectors at 8 bits (a quarter of the memory, built three times as fast as at
 * 32) and only proposes candidates; their cosines are taken from the corpus itself. What it misses is measured: each index
 * carries its recall against the exact answer on a seeded sample of its own rows, and every result shows it.
 */
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import usearch from "usearch";
import { z } from "zod";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { Compute } from "../graph/compute.ts";
import { counterUniform } from "../model/random.ts";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import type { Corpus } from "./corpus.ts";
import { CORPUS_FILES, type Recall, recallSchema } from "./corpus-files.ts";
import { exactNearest, type NearestRows } from "./exact-nearest.ts";
import { RECALL_K, RECALL_QUERIES, recallShares, recallSummary } from "./recall.ts";

/** HNSW: links a node; candidates looked at while building and while searching. */
const CONNECTIVITY = 16;
const EXPANSION_ADD = 128;
const EXPANSION_SEARCH = 128;
/** Candidates that are compared exactly, for each neighbour asked for; and the least number of them. */
const CANDIDATES = 4;
const LEAST_CANDIDATES = 64;
/** Vectors added between two looks at the signal. */
const CHUNK = 512;
/** Of the rows whose neighbours are looked up both ways. */
const SAMPLE_SEED = 0;

const factsSchema = z.object({
  version: z.literal(1),
  rows: z.number(),
  dimensions: z.number(),
  specSha256: z.string(),
  sourceSha256: z.string(),
  settings: z.object({ connectivity: z.number(), expansionAdd: z.number(), expansionSearch: z.number() }),
  recall: recallSchema,
  buildSeconds: z.number(),
  /** Of all threads. Much less than buildSeconds: other programs had the processor. */
  buildCpuSeconds: z.number().optional(),
});
/** What an index was built from and how much of the exact answer it finds. */
export type IndexFacts = z.infer<typeof factsSchema>;

export class ApproximateIndex {
  readonly facts: IndexFacts;
  readonly #index: Index;
  readonly #corpus: Corpus;

  private constructor(index: Index, corpus: Corpus, facts: IndexFacts) {
    this.#index = index;
    this.#corpus = corpus;
    this.facts = facts;
  }

  /** The index in the corpus folder when it is of this corpus, else undefined. */
  static load(corpus: Corpus): ApproximateIndex | undefined {
    const file = path.join(corpus.folder, CORPUS_FILES.index);
    const about = path.join(corpus.folder, CORPUS_FILES.indexFacts);
    if (!existsSync(file) || !existsSync(about)) return undefined;
    let facts: IndexFacts;
    try {
      facts = factsSchema.parse(JSON.parse(readFileSync(about, "utf8")));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
      throw error;
    }
    const isOurs =
      facts.rows === corpus.n &&
      facts.dimensions === corpus.dimensions &&
      facts.specSha256 === specOf(corpus) &&
      facts.sourceSha256 === corpus.manifest.source.sha256;
    if (!isOurs) return undefined;
    const index = newIndex(corpus.dimensions);
    try {
      // Mapped, not read: a search touches a small part of it.
      index.view(file);
    } catch {
      // Damaged or of another version of the library: it is built again.
      return undefined;
    }
    return index.size() === corpus.n ? new ApproximateIndex(index, corpus, facts) : undefined;
  }

  /**
   * Build the index, measure its recall and keep both beside the corpus.
   *
   * @throws {CancelledError} nothing is kept then
   * Cost: processor time, none of it waiting: about half a minute for 100,000 rows of 384 dimensions, and memory of a byte a
   * number and some 200 bytes a row.
   */
  static async build(corpus: Corpus, compute: Compute, context: WorkContext = {}): Promise<ApproximateIndex> {
    const started = performance.now();
    const cpu = process.cpuUsage();
    const index = newIndex(corpus.dimensions);
    for (let start = 0; start < corpus.n; start += CHUNK) {
      if (context.signal?.aborted) throw new CancelledError("Building the index");
      const end = Math.min(corpus.n, start + CHUNK);
      index.add(
        BigUint64Array.from({ length: end - start }, (_, i) => BigInt(start + i)),
        corpus.unitRows(start, end),
        // One thread: the same corpus gives the same index.
        1,
      );
      const rate = (1000 * end) / (performance.now() - started);
      context.onProgress?.({
        stage: "Building the index",
        done: end,
        total: corpus.n,
        unit: "rows",
        rate,
        etaMs: (1000 * (corpus.n - end)) / rate,
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const facts: IndexFacts = {
      version: 1,
      rows: corpus.n,
      dimensions: corpus.dimensions,
      specSha256: specOf(corpus),
      sourceSha256: corpus.manifest.source.sha256,
      settings: { connectivity: CONNECTIVITY, expansionAdd: EXPANSION_ADD, expansionSearch: EXPANSION_SEARCH },
      recall: await measureRecall(corpus, index, compute, context),
      buildSeconds: (performance.now() - started) / 1000,
      buildCpuSeconds: cpuSeconds(cpu),
    };
    const file = path.join(corpus.folder, CORPUS_FILES.index);
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      index.save(temporary);
      renameSync(temporary, file);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw new ParallaxError(
        "corpus.disk-full",
        `The index could not be written beside the corpus ${corpus.folder}: ${(error as Error).message}. The corpus is untouched.`,
        { kind: "environment", hint: "Free some space, or search with exact: true.", cause: error },
      );
    }
    writeFileAtomically(path.join(corpus.folder, CORPUS_FILES.indexFacts), [`${JSON.stringify(facts, null, 2)}\n`]);
    return new ApproximateIndex(index, corpus, facts);
  }

  /**
   * Recall for queries that are not rows of the corpus: what real queries find is often less than what its own rows find,
   * which lie in the graph themselves.
   *
   * @param queries float32 [m, d] at length 1, m ≥ 1
   * @param seed    what they were sampled with, kept in the answer
   * Cost: an exact search for them.
   */
  async recall(queries: Float32Array, seed: number, compute: Compute, context: WorkContext = {}): Promise<Recall> {
    return recallOf(this.#corpus, this.#index, queries, seed, compute, context);
  }

  /** @param queries float32 [m, d] at length 1 */
  nearest(queries: Float32Array, k: number): NearestRows {
    return search(this.#index, this.#corpus, queries, Math.min(k, this.facts.rows));
  }
}

type Index = InstanceType<typeof usearch.Index>;

function newIndex(dimensions: number): Index {
  return new usearch.Index({
    metric: usearch.MetricKind.Cos,
    quantization: usearch.ScalarKind.I8,
    dimensions,
    connectivity: CONNECTIVITY,
    expansion_add: EXPANSION_ADD,
    expansion_search: EXPANSION_SEARCH,
    multi: false,
  });
}

function specOf({ encoder, manifest }: Corpus): string {
  return `${encoder.specSha256 ?? encoder.weightsSha256}|${encoder.precision}|${manifest.prompt}|${manifest.dtype}`;
}

/** The index proposes, the corpus decides: exact cosines of the candidates, equal ones in row order. */
function search(index: Index, corpus: Corpus, queries: Float32Array, k: number): NearestRows {
  const d = corpus.dimensions;
  const m = queries.length / d;
  const wanted = Math.min(corpus.n, Math.max(LEAST_CANDIDATES, CANDIDATES * k));
  const rows = new Int32Array(m * k).fill(-1);
  const cosines = new Float32Array(m * k).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < m; i++) {
    const query = queries.subarray(i * d, (i + 1) * d);
    const candidates = Array.from(index.search(query, wanted, 1).keys, (key) => {
      const vector = corpus.unitRows(Number(key), Number(key) + 1);
      let cosine = 0;
      for (let j = 0; j < d; j++) cosine += query[j] * vector[j];
      return { row: Number(key), cosine };
    });
    candidates.sort((a, b) => b.cosine - a.cosine || a.row - b.row);
    candidates.slice(0, k).forEach(({ row, cosine }, j) => {
      rows[i * k + j] = row;
      cosines[i * k + j] = cosine;
    });
  }
  return { k, rows, cosines };
}

/** Recall on a seeded sample of the corpus's own rows. */
async function measureRecall(corpus: Corpus, index: Index, compute: Compute, context: WorkContext): Promise<Recall> {
  const n = Math.min(RECALL_QUERIES, corpus.n);
  const d = corpus.dimensions;
  const queries = new Float32Array(n * d);
  for (let i = 0; i < n; i++) {
    const row = Math.floor(counterUniform(SAMPLE_SEED, i) * corpus.n);
    queries.set(corpus.unitRows(row, row + 1), i * d);
  }
  return recallOf(corpus, index, queries, SAMPLE_SEED, compute, context);
}

async function recallOf(
  corpus: Corpus,
  index: Index,
  queries: Float32Array,
  seed: number,
  compute: Compute,
  context: WorkContext,
): Promise<Recall> {
  const k = Math.min(RECALL_K, corpus.n);
  const exact = await exactNearest(corpus, queries, k, compute, context);
  return recallSummary(recallShares(exact, search(index, corpus, queries, k)), { k, seed });
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

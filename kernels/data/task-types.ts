/** What an evaluation runs on: plain data, three kinds of task. */

/** Pairs of texts with a gold similarity (any scale, higher is more alike). Row i is a[i], b[i], gold[i]. */
export interface StsTask {
  readonly type: "sts";
  readonly name: string;
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly gold: readonly number[];
  /** What a reader should know about the data, in sentences. */
  readonly notes?: readonly string[] | undefined;
}

export interface IdText {
  readonly id: string;
  readonly text: string;
}

/** Queries, documents and judgements. A relevance over 0 is relevant; more is better. */
export interface RetrievalTask {
  readonly type: "retrieval";
  readonly name: string;
  /** Judged queries only. */
  readonly queries: readonly IdText[];
  /** Passage = title + space + text. */
  readonly documents: readonly IdText[];
  /** Query id → document id → relevance. */
  readonly relevant: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly notes?: readonly string[] | undefined;
}

export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly labels: readonly string[];
}

/** Texts with labels: a classifier is trained on a few samples a label and scored on the test part. */
export interface ClassificationTask {
  readonly type: "classification";
  readonly name: string;
  readonly train: LabelledTexts;
  readonly test: LabelledTexts;
  /** Samples per label and round, drawn as MTEB v1 draws them. */
  readonly samplesPerLabel: number;
  readonly notes?: readonly string[] | undefined;
}

export type Task = StsTask | RetrievalTask | ClassificationTask;

/** How long work reports where it stands. `done` never goes back within a stage. */
export interface Progress {
  /** What is being done, for people: "Encoding", "Neighbours", "Layout". */
  stage: string;
  done: number;
  /** 0 when not known yet. */
  total: number;
  /** What is counted: "texts", "epochs", "steps", "bytes". */
  unit: string;
  /** Units per second, when known. */
  rate?: number | undefined;
  /** Milliseconds left, when known. */
  etaMs?: number | undefined;
  /** A short addition, e.g. "stage 1 of 2". */
  note?: string | undefined;
}

export type ProgressListener = (progress: Progress) => void;

/** What long work receives from its caller: both are optional and cost nothing when absent. */
export interface WorkContext {
  signal?: AbortSignal | undefined;
  onProgress?: ProgressListener | undefined;
}

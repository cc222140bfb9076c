/** What it means to run a graph, whoever does it: this thread or a thread of its own. */
import type { Graph, ValueInfo } from "./ir.ts";
import type { Tensor } from "./tensor.ts";

export type ProviderName = "cpu" | "webgpu" | "cuda" | "dml" | "coreml";

export interface ProviderReport {
  /** Where the graph really runs. */
  provider: string;
  requested: string;
  /** Nodes that run elsewhere, when the provider could not take them. */
  fallbackNodes?: string[];
  threads: number;
}

export interface SessionOptions {
  /** Default "cpu". */
  provider?: ProviderName;
  /** Default: see `defaultThreads` in session.ts. */
  threads?: number;
  /** Keep freed memory for the next run. Default true: about a fifth faster, twice the memory. */
  memoryArena?: boolean;
  /** Write a profile of each node to files that start so (a tool for us). */
  profile?: string;
}

export interface RunOptions {
  /** Outputs that are to be written into these tensors (sessions of `inThreadCompute` only). */
  fetches?: Record<string, Tensor | null>;
  /** Only these outputs. Default: all. */
  outputs?: readonly string[];
}

export interface GraphSession {
  readonly report: ProviderReport;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /**
   * Runs the graph once.
   * @param feeds one tensor for every input; read, never kept or changed.
   * @returns     new tensors, except those of `fetches`, which are returned filled.
   * @throws {ParallaxError} session.missing-input, session.wrong-type, session.wrong-shape, session.unknown-output,
   *   session.run-failed, session.disposed, compute.thread-died, compute.terminated
   */
  run(feeds: Record<string, Tensor>, options?: RunOptions): Promise<Record<string, Tensor>>;
  /** Frees the model. Twice is once. */
  dispose(): Promise<void>;
}

export type ModelSource =
  | { graph: Graph }
  | { bytes: Uint8Array; externalData?: { path: string; data: Uint8Array }[] }
  | { path: string };

export interface Compute {
  /** @throws {ParallaxError} session.create-failed, session.no-provider, session.no-runtime, compute.thread-died */
  createSession(source: ModelSource, options?: SessionOptions): Promise<GraphSession>;
  /** Sessions that live, and their outputs not yet collected. */
  counts(): Promise<{ sessions: number; tensors: number }>;
  /** Version of ONNX Runtime and its providers. */
  runtime(): Promise<{ version: string; providers: { name: string; bundled: boolean }[] }>;
  /**
   * Gives up all work: what waits is rejected with compute.terminated at once, and its models are gone. The run that is
   * going on cannot be broken off; the promise resolves when it is over. New sessions can be made without waiting.
   */
  terminate(): Promise<void>;
  /** Frees every session. */
  dispose(): Promise<void>;
}

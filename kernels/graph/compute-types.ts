/** What it means to run a graph, whoever does it: this thread or a thread of its own. */
import { PROVIDER_NAMES, type ProviderName } from "../protocol/providers.ts";
import type { Graph, ValueInfo } from "./ir.ts";
import type { NodePlacement } from "./placement.ts";
import type { Tensor } from "./tensor.ts";

export { PROVIDER_NAMES, type ProviderName };

export interface ProviderReport {
  /** Where the graph really runs. */
  provider: string;
  requested: string;
  /** Names of the nodes that ran elsewhere because the provider could not take them. Known after `placement()`. */
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
  /**
   * Record where each node runs until `placement()` is asked. Default: for every provider but the CPU, where all nodes run
   * where they should. Costs a few µs a node.
   */
  recordPlacement?: boolean;
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
  /**
   * Where each node of the last run really ran; ends the recording, and fills `report.fallbackNodes`. Later calls give the
   * same answer. Undefined when nothing was recorded or nothing ran yet.
   * @throws {ParallaxError} session.provider-unused when no node ran where it was asked for
   */
  placement(): Promise<NodePlacement[] | undefined>;
  /** Frees the model. Twice is once. */
  dispose(): Promise<void>;
}

export type ModelSource =
  | { graph: Graph }
  | { bytes: Uint8Array; externalData?: { path: string; data: Uint8Array }[] }
  | { path: string };

export interface Compute {
  /**
   * @throws {ParallaxError} session.create-failed, session.no-provider, session.provider-not-installed,
   *   session.no-adapter, session.no-driver, session.no-runtime, compute.thread-died
   */
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

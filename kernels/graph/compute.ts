/**
 * Where graphs run. A run blocks its thread, so the kernel and the command line give all sessions to one thread of their
 * own; the trainer, which does nothing else, runs them in its own thread and writes into memory it keeps.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { fromErrorData, invariant, ParallaxError } from "../protocol/errors.ts";
import {
  BUSY,
  type ComputeAnswer,
  type ComputeRequest,
  type ComputeThreadData,
  type CreatedSession,
  type PlacementAnswer,
  STOPPING,
} from "./compute-messages.ts";
import type {
  Compute,
  GraphSession,
  ModelSource,
  ProviderReport,
  RunOptions,
  SessionOptions,
} from "./compute-types.ts";
import type { ValueInfo } from "./ir.ts";
import { encodeModel } from "./onnx-write.ts";
import { packageRoot } from "./package-root.ts";
import type { NodePlacement } from "./placement.ts";
import { createSession, runtimeReport, sessionCounts } from "./session.ts";
import type { Tensor } from "./tensor.ts";

export * from "./compute-types.ts";
export type { NodePlacement } from "./placement.ts";

/** Sessions live in the calling thread, which each run blocks. Feeds are not copied, `fetches` are filled in place. */
export function inThreadCompute(): Compute {
  const sessions = new Set<GraphSession>();
  const disposeAll = async () => {
    for (const session of sessions) await session.dispose();
    sessions.clear();
  };
  return {
    async createSession(source, options) {
      const session = await createSession(source, options);
      sessions.add(session);
      const dispose = session.dispose.bind(session);
      session.dispose = async () => {
        sessions.delete(session);
        await dispose();
      };
      return session;
    },
    counts: async () => sessionCounts(),
    runtime: runtimeReport,
    terminate: disposeAll,
    dispose: disposeAll,
  };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** How long the end of the process waits for a run that cannot be broken off. */
const EXIT_WAIT_MS = 30_000;

/**
 * One start of the thread. When it ends, so do its sessions. A thread that is ended from outside while ONNX Runtime
 * works aborts the process, so it is asked to end, and the end of the process waits for the run that is going on.
 */
class ComputeThread {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  readonly #exited: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #ended: ParallaxError | undefined;
  #stopping = false;

  constructor() {
    this.#worker = new Worker(path.join(packageRoot(), "dist/kernels/graph/compute.worker.mjs"), {
      name: "compute",
      workerData: { state: this.#state } satisfies ComputeThreadData,
    });
    process.on("exit", this.#atExit);
    this.#worker.on("message", (answer: ComputeAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      this.#hold();
      if ("error" in answer) waiting?.reject(fromErrorData(answer.error));
      else waiting?.resolve(answer.result);
    });
    this.#worker.on("error", (error) =>
      this.#end(died(`failed: ${error instanceof Error ? error.message : String(error)}`, error)),
    );
    this.#worker.on("messageerror", (error) => this.#end(died("sent a message that cannot be read", error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        process.off("exit", this.#atExit);
        this.#end(died(`ended with code ${code}`));
        resolve();
      });
    });
    this.#hold();
  }

  #atExit = () => {
    Atomics.store(this.#state, STOPPING, 1);
    Atomics.wait(this.#state, BUSY, 1, EXIT_WAIT_MS);
  };

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** An idle thread keeps no process alive; a waiting caller does. */
  #hold(): void {
    if (this.#waiting.size > 0 || this.#stopping) this.#worker.ref();
    else this.#worker.unref();
  }

  #end(error: ParallaxError): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }

  call(request: ComputeRequest, transfer: ArrayBuffer[] = []): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#hold();
      try {
        this.#worker.postMessage({ id, request }, transfer);
      } catch (error) {
        this.#waiting.delete(id);
        this.#hold();
        reject(error);
      }
    });
  }

  /** Rejects what waits at once; resolves when the thread has ended, after the run that it is in. */
  async stop(): Promise<void> {
    // Whoever waits for the end must see it: an idle thread alone would let the process end first (exit code 13).
    this.#stopping = true;
    this.#hold();
    Atomics.store(this.#state, STOPPING, 1);
    if (!this.#ended) this.#worker.postMessage({ id: 0, request: { method: "stop" } });
    this.#end(
      new ParallaxError("compute.terminated", "The compute thread was stopped.", {
        kind: "cancelled",
        hint: "Load the encoder again.",
      }),
    );
    await this.#exited;
  }
}

function died(how: string, cause?: unknown): ParallaxError {
  return new ParallaxError("compute.thread-died", `The compute thread ${how}; its models are gone.`, {
    kind: "environment",
    hint: "Load the encoder again; if it happens again, use smaller batches or another provider.",
    cause,
  });
}

/** A copy without the rest of a larger buffer that the array may be a window of. */
function compact(value: Tensor): Tensor {
  const { data } = value;
  const whole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
  return whole ? value : ({ ...value, data: data.slice() } as Tensor);
}

class RemoteSession implements GraphSession {
  readonly report: ProviderReport;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly #thread: ComputeThread;
  readonly #id: number;
  #disposed = false;

  constructor(thread: ComputeThread, created: CreatedSession) {
    this.#thread = thread;
    this.#id = created.session;
    this.report = created.report;
    this.inputs = created.inputs;
    this.outputs = created.outputs;
  }

  async run(feeds: Record<string, Tensor>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    invariant(!options.fetches, "outputs cannot be written into memory of another thread; use inThreadCompute");
    const sent = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, compact(value)]));
    const request: ComputeRequest = {
      method: "run",
      session: this.#id,
      feeds: sent,
      ...(options.outputs ? { outputs: options.outputs } : {}),
    };
    return (await this.#thread.call(request)) as Record<string, Tensor>;
  }

  async placement(): Promise<NodePlacement[] | undefined> {
    const answer = (await this.#thread.call({ method: "placement", session: this.#id })) as PlacementAnswer;
    Object.assign(this.report, answer.report);
    return answer.placement;
  }

  async dispose(): Promise<void> {
    if (this.#disposed || this.#thread.hasEnded) return;
    this.#disposed = true;
    await this.#thread.call({ method: "dispose", session: this.#id });
  }
}

/**
 * One worker thread owns all sessions. It starts with the first session; an idle one keeps no process alive. Feeds are
 * copied to it, results handed over. When the thread dies every waiting call is rejected with compute.thread-died, and
 * the next session starts a new one.
 */
export function threadCompute(): Compute & { collect(): Promise<void> } {
  let thread: ComputeThread | undefined;
  const running = () => {
    if (!thread || thread.hasEnded) thread = new ComputeThread();
    return thread;
  };
  const stop = async () => {
    const old = thread;
    thread = undefined;
    await old?.stop();
  };
  return {
    async createSession(source: ModelSource, options: SessionOptions = {}) {
      const target = running();
      let request: ComputeRequest;
      const transfer: ArrayBuffer[] = [];
      if ("graph" in source) {
        const bytes = encodeModel(source.graph);
        transfer.push(bytes.buffer as ArrayBuffer);
        request = { method: "create", source: { bytes }, options };
      } else request = { method: "create", source, options };
      return new RemoteSession(target, (await target.call(request, transfer)) as CreatedSession);
    },
    async counts() {
      if (!thread || thread.hasEnded) return { sessions: 0, tensors: 0 };
      return (await thread.call({ method: "counts" })) as { sessions: number; tensors: number };
    },
    async runtime() {
      return (await running().call({ method: "runtime" })) as Awaited<ReturnType<typeof runtimeReport>>;
    },
    /** Collects garbage in the thread, where the process allows it (--expose-gc). For memory measurements. */
    async collect() {
      if (thread && !thread.hasEnded) await thread.call({ method: "collect" });
    },
    terminate: stop,
    dispose: stop,
  };
}

let current: Compute | undefined;

/** The compute of this process: a thread of its own unless `setDefaultCompute` said otherwise. */
export function defaultCompute(): Compute {
  current ??= threadCompute();
  return current;
}

export function setDefaultCompute(compute: Compute): void {
  current = compute;
}

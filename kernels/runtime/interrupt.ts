/** The main thread's side of interrupts. */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { packageRoot } from "../graph/package-root.ts";
import { resetAsyncContext } from "./async-context.ts";
import {
  type FromInterruptWorker,
  INTERRUPT_STATE,
  type InterruptWorkerData,
  type ToInterruptWorker,
} from "./interrupt-state.ts";

export interface InterruptListener {
  /** The user asks to stop. The main thread is alive. */
  onInterrupt(): void;
  /** Frames of this run were ended and will never settle anything. */
  onTerminated(run: number): void;
  /** The host is gone. */
  onOrphaned(): void;
  /** Loops cannot be ended. For the log. */
  onFailed(message: string): void;
}

export class Interrupts {
  readonly #state = new Int32Array(new SharedArrayBuffer(4 * INTERRUPT_STATE.length));
  readonly #worker: Worker;
  #newest = 0;

  /** @param fd  where the host's interrupts come in, undefined when there is no such pipe. */
  constructor(fd: number | undefined, listener: InterruptListener) {
    const workerData: InterruptWorkerData = { state: this.#state, fd };
    this.#worker = new Worker(path.join(packageRoot(), "dist/kernels/runtime/interrupt.worker.mjs"), {
      workerData,
      execArgv: [],
    });
    this.#worker.unref();
    this.#worker.on("error", (error) => listener.onFailed(error instanceof Error ? error.message : String(error)));
    this.#worker.on("message", (message: FromInterruptWorker) => {
      switch (message.type) {
        case "interrupt":
          Atomics.store(this.#state, INTERRUPT_STATE.seen, message.seq);
          // Said again after each try to end a loop: once is enough.
          if (message.seq <= this.#newest) return;
          this.#newest = message.seq;
          listener.onInterrupt();
          return;
        case "terminated":
          resetAsyncContext();
          listener.onTerminated(message.run);
          return;
        case "ping":
          Atomics.store(this.#state, INTERRUPT_STATE.pong, message.seq);
          return;
        case "absorb":
          return;
        case "failed":
          listener.onFailed(message.message);
          return;
        case "orphaned":
          listener.onOrphaned();
          return;
      }
    });
  }

  /** The run under way, 0 when none is. */
  running(run: number): void {
    Atomics.store(this.#state, INTERRUPT_STATE.run, run);
  }

  /** An interrupt was heard on the ordinary channel. Ends the main thread's JavaScript should it block afterwards. */
  watch(): void {
    const message: ToInterruptWorker = { type: "watch" };
    this.#worker.postMessage(message);
  }

  async dispose(): Promise<void> {
    await this.#worker.terminate();
  }
}

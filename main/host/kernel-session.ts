/**
 * The kernel of one notebook: its process, the queue of cells, what they show and which outputs are stale. The document
 * stays the owner of the content; everything shown goes through its operations.
 */
import type { Keychain } from "../../kernels/protocol/encoders.ts";
import { ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import type { CellState, Job, KernelState } from "../../kernels/protocol/host-methods.ts";
import type { CellNames, FromKernel, Variable } from "../../kernels/protocol/kernel-messages.ts";
import type { Document, Emit } from "./document.ts";
import { outputOp } from "./kernel-outputs.ts";
import { KernelProcess } from "./kernel-process.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { Staleness } from "./staleness.ts";

/** What a kernel needs of the notebook that it runs: a Document, or a notebook that is run without a page. */
export type RunnableNotebook = Pick<Document, "id" | "name" | "notebook" | "folder" | "apply">;

export interface KernelServices {
  emit: Emit;
  /** Folder for notebooks that have no file yet. */
  fallbackFolder: string;
  /** Built entry; tests put a stand-in here. */
  kernelEntry?: string | undefined;
  kernelEnv?: (() => NodeJS.ProcessEnv) | undefined;
  /** The desktop app's keychain; absent elsewhere. */
  keychain?: (() => Keychain | undefined) | undefined;
  onRunStarted(folder: string): void;
}

/** A cell that has not stopped this long after the interrupt can only be ended with its process. */
const FORCE_AFTER_MS = 5000;
const LOG_SHOWN = 20;

interface Queued {
  cellId: string;
  source: string;
}
interface Running extends Queued {
  startedAt: string;
  began: number;
}
interface Finished {
  state: "done" | "failed" | "stopped";
  startedAt: string;
  elapsedMs: number;
}

export class KernelSession {
  readonly #document: RunnableNotebook;
  readonly #services: KernelServices;
  readonly #outputs: OutputBuffer;
  readonly #staleness = new Staleness();
  readonly #finished = new Map<string, Finished>();
  readonly #jobs = new Map<string, Job>();
  /** Cells whose outputs go when the next one comes. */
  readonly #clearNext = new Set<string>();
  #process: KernelProcess | null = null;
  #state: KernelState = { state: "none", exit: null, startedAt: null, memoryBytes: null, encoders: [] };
  #isReady = false;
  #queue: Queued[] = [];
  #running: Running | null = null;
  #sent = new Map<string, string>();
  #forceTimer: NodeJS.Timeout | null = null;
  #serial = 0;

  constructor(document: RunnableNotebook, services: KernelServices) {
    this.#document = document;
    this.#services = services;
    this.#outputs = new OutputBuffer((ops) => document.apply(ops, "kernel"));
  }

  get state(): KernelState {
    return this.#state;
  }
  get isAlive(): boolean {
    return this.#process !== null;
  }

  cellStates(): CellState[] {
    const reasons = this.#staleness.reasons(this.#document.notebook.cells);
    const places = new Map(this.#queue.map((queued, i) => [queued.cellId, i + 1]));
    return this.#document.notebook.cells
      .filter((cell) => cell.cell_type === "code")
      .map((cell) => this.#cellState(cell.id, places.get(cell.id) ?? null, reasons.get(cell.id) ?? null));
  }

  /** Starts the process when there is none. Nothing is run by it. */
  start(): void {
    if (this.#process !== null) return;
    const kernel = new KernelProcess({
      cwd: this.#document.folder ?? this.#services.fallbackFolder,
      entry: this.#services.kernelEntry,
      env: this.#services.kernelEnv?.(),
      onMessage: (message) => {
        if (this.#process === kernel) this.#receive(message);
      },
      onExit: (reason) => {
        if (this.#process === kernel) this.#died(reason, kernel.log);
      },
    });
    this.#process = kernel;
    this.tellKeychain();
    this.#isReady = false;
    this.#forgetCells();
    this.#setState({
      state: "starting",
      exit: null,
      startedAt: new Date().toISOString(),
      memoryBytes: null,
      encoders: [],
    });
  }

  /** The hub's token was set or forgotten. */
  tellKeychain(): void {
    const keychain = this.#process === null ? undefined : this.#services.keychain?.();
    if (keychain !== undefined) this.#process?.send({ type: "keychain", keychain });
  }

  /** Puts code cells into the queue, with the source that they have now. Cells that wait or run already stay where they are. */
  run(cellIds: readonly string[]): void {
    this.start();
    for (const cellId of cellIds) {
      const cell = this.#document.notebook.cells.find((each) => each.id === cellId);
      if (cell === undefined || cell.cell_type !== "code") continue;
      const waits = this.#queue.some((queued) => queued.cellId === cellId) || this.#running?.cellId === cellId;
      if (!waits) this.#queue.push({ cellId, source: cell.source });
    }
    this.#next();
    this.#changed();
  }

  /** The document was edited: queued cells may be gone, outputs may be stale. */
  edited(): void {
    const ids = new Set(this.#document.notebook.cells.map((cell) => cell.id));
    this.#queue = this.#queue.filter((queued) => ids.has(queued.cellId));
    this.#changed();
  }

  /** Stops the running cell and forgets the queue. Variables stay. */
  interrupt(): void {
    this.#queue = [];
    if (this.#running !== null && this.#process !== null) {
      this.#setState({ state: "interrupting" });
      this.#process.interrupt();
      this.#forceTimer ??= setTimeout(() => this.#notStopping(), FORCE_AFTER_MS);
    }
    this.#changed();
  }

  /** Ends the process, whatever it does, and starts a new one. */
  async restart(): Promise<void> {
    await this.#end("restarting");
    this.start();
  }

  async shutdown(): Promise<void> {
    await this.#end("stopped");
  }

  async analyse(): Promise<CellNames[]> {
    this.start();
    const cells = this.#document.notebook.cells
      .filter((cell) => cell.cell_type === "code")
      .map((cell) => ({ cellId: cell.id, code: cell.source }));
    const answer = await this.#ask({ type: "analyse", cells });
    return answer.type === "analysis" ? answer.cells : [];
  }

  async variables(): Promise<Variable[]> {
    if (this.#process === null) return [];
    const answer = await this.#ask({ type: "variables" });
    return answer.type === "variables" ? answer.variables : [];
  }

  async inspect(name: string): Promise<Record<string, unknown>> {
    const answer = await this.#ask({ type: "inspect", name });
    return answer.type === "inspected" ? (answer.data ?? {}) : {};
  }

  /** Stops the cell that does this work, when it is one of ours. */
  cancelJob(jobId: string): void {
    const job = this.#jobs.get(jobId);
    if (job !== undefined && job.cellId === this.#running?.cellId) this.interrupt();
  }

  /** Jobs that are shown now, for a page that has just come. */
  jobs(): Job[] {
    return [...this.#jobs.values()];
  }

  #ask(message: Parameters<KernelProcess["request"]>[0]): ReturnType<KernelProcess["request"]> {
    if (this.#process !== null) return this.#process.request(message);
    return Promise.reject(
      new ParallaxError("kernel.not-running", "There is no kernel, so there are no variables to look at.", {
        hint: "Run a cell first.",
      }),
    );
  }

  #next(): void {
    if (this.#process === null || !this.#isReady || this.#running !== null) return;
    const next = this.#queue.shift();
    if (next === undefined) {
      if (this.#state.state !== "ready") this.#setState({ state: "ready" });
      return;
    }
    const { cellId, source } = next;
    this.#running = { ...next, startedAt: new Date().toISOString(), began: performance.now() };
    this.#finished.delete(cellId);
    this.#clearNext.delete(cellId);
    this.#outputs.begin(cellId);
    this.#outputs.push({ type: "set-outputs", cellId, outputs: [], executionCount: null });
    this.#outputs.flush();
    this.#process.send({ type: "execute", requestId: `run-${this.#serial++}`, cellId, code: source });
    this.#setState({ state: "busy" });
    this.#changed();
  }

  #receive(message: FromKernel): void {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        this.#next();
        return;
      case "stream":
        this.#clearBefore(message.cellId);
        this.#outputs.stream(message.cellId, message.name, message.text);
        return;
      case "clear":
        if (message.wait) this.#clearNext.add(message.cellId);
        else this.#outputs.push(outputOp(message));
        return;
      case "display":
      case "result":
      case "error":
        this.#clearBefore(message.cellId);
        this.#outputs.push(outputOp(message));
        return;
      case "progress":
        this.#progress(message);
        return;
      case "run-started":
        this.#services.onRunStarted(message.folder);
        return;
      case "done":
        this.#done(message);
        return;
      case "stats":
        this.#setState({ memoryBytes: message.memoryBytes, encoders: message.encoders });
        return;
      case "busy":
      case "idle":
      case "analysis":
      case "variables":
      case "inspected":
        return;
    }
  }

  #clearBefore(cellId: string): void {
    if (this.#clearNext.delete(cellId))
      this.#outputs.push({ type: "set-outputs", cellId, outputs: [], executionCount: null });
  }

  #done(message: Extract<FromKernel, { type: "done" }>): void {
    const { cellId, status, executionCount, elapsedMs, names } = message;
    const running = this.#running;
    this.#outputs.push({ type: "set-execution-count", cellId, executionCount });
    this.#outputs.flush();
    this.#endJobs(cellId);
    if (running?.cellId !== cellId) return;
    this.#running = null;
    this.#stopForceTimer();
    const state = ({ ok: "done", error: "failed", interrupted: "stopped" } as const)[status];
    this.#finished.set(cellId, { state, startedAt: running.startedAt, elapsedMs });
    this.#staleness.ran(cellId, running.source, executionCount, names);
    // What follows counts on what failed: it is not run, and its outputs stay.
    if (status !== "ok") this.#queue = [];
    this.#next();
    this.#changed();
  }

  #progress({ cellId, jobId, rate, etaMs, note, ...rest }: Extract<FromKernel, { type: "progress" }>): void {
    const id = `${this.#document.id}/${jobId}`;
    const { stage, done, total, unit, finished } = rest;
    const before = this.#jobs.get(id);
    const job: Job = {
      ...{ id, docId: this.#document.id, cellId, stage, total, unit, finished },
      done: before !== undefined && before.stage === stage ? Math.max(before.done, done) : done,
      rate: rate ?? null,
      etaMs: etaMs ?? null,
      note: note ?? null,
    };
    if (finished) this.#jobs.delete(id);
    else this.#jobs.set(id, job);
    this.#services.emit("job.changed", { job });
  }

  /** Work of a cell that has ended (or whose process has) is over, whether it said so or not. */
  #endJobs(cellId: string | null): void {
    for (const job of this.#jobs.values()) {
      if (cellId !== null && job.cellId !== cellId) continue;
      this.#jobs.delete(job.id);
      this.#services.emit("job.changed", { job: { ...job, finished: true } });
    }
  }

  #notStopping(): void {
    this.#forceTimer = null;
    const message = `A cell of ${this.#document.name} has not stopped ${FORCE_AFTER_MS / 1000} s after it was asked to.`;
    const error = new ParallaxError("kernel.not-stopping", `${message} The notebook is safe.`, {
      kind: "environment",
      hint: "Force stop: it restarts the kernel, variables are lost.",
      details: { docId: this.#document.id, cellId: this.#running?.cellId ?? null, actions: ["force-stop"] },
    });
    this.#services.emit("app.notice", { level: "warning", error: toErrorData(error) });
  }

  #died(reason: string, log: readonly string[]): void {
    this.#process = null;
    this.#isReady = false;
    const cellId = this.#running?.cellId ?? null;
    this.#interrupted("failed");
    this.#setState({
      state: "stopped",
      exit: { reason, cellId, log: log.slice(-LOG_SHOWN) },
      memoryBytes: null,
      encoders: [],
    });
    this.#changed();
  }

  async #end(state: "restarting" | "stopped"): Promise<void> {
    const kernel = this.#process;
    this.#process = null;
    this.#isReady = false;
    this.#interrupted("stopped");
    this.#setState({ state, exit: null, memoryBytes: null, encoders: [] });
    this.#changed();
    await kernel?.kill();
  }

  /** The running cell will not end by itself any more. */
  #interrupted(state: "failed" | "stopped"): void {
    this.#outputs.flush();
    this.#stopForceTimer();
    this.#queue = [];
    this.#endJobs(null);
    if (this.#running === null) return;
    const { cellId, startedAt, began } = this.#running;
    this.#finished.set(cellId, { state, startedAt, elapsedMs: performance.now() - began });
    this.#running = null;
  }

  #forgetCells(): void {
    this.#finished.clear();
    this.#clearNext.clear();
    this.#staleness.reset();
    this.#changed();
  }

  #stopForceTimer(): void {
    if (this.#forceTimer !== null) clearTimeout(this.#forceTimer);
    this.#forceTimer = null;
  }

  #cellState(cellId: string, position: number | null, stale: string | null): CellState {
    const idle = { cellId, position: null, startedAt: null, elapsedMs: null, stale };
    if (this.#running?.cellId === cellId)
      return { ...idle, state: "running", startedAt: this.#running.startedAt, stale: null };
    if (position !== null) return { ...idle, state: "queued", position };
    const finished = this.#finished.get(cellId);
    return finished === undefined ? { ...idle, state: "idle" } : { ...idle, ...finished };
  }

  #setState(change: Partial<KernelState>): void {
    this.#state = { ...this.#state, ...change };
    this.#services.emit("kernel.changed", { docId: this.#document.id, kernel: this.#state });
  }

  /** Sends the cells whose state is another than the page knows. */
  #changed(): void {
    const states = this.cellStates();
    const sent = new Map(states.map((state) => [state.cellId, JSON.stringify(state)]));
    const cells = states.filter(
      (state) => (this.#sent.get(state.cellId) ?? idleText(state.cellId)) !== sent.get(state.cellId),
    );
    this.#sent = sent;
    if (cells.length > 0) this.#services.emit("cell.changed", { docId: this.#document.id, cells });
  }
}

function idleText(cellId: string): string {
  return JSON.stringify({ cellId, position: null, startedAt: null, elapsedMs: null, stale: null, state: "idle" });
}

/** The kernel's main loop: requests in, messages out, one cell at a time. */
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import vm from "node:vm";
import { contextIfAny, contextStorage, withContext } from "../api/context.ts";
import { resultMetadata } from "../api/result-metadata.ts";
import { previewBundle, valueBundle } from "../api/value-bundle.ts";
import { setAccess } from "../encoders/access.ts";
import { packageRoot } from "../graph/package-root.ts";
import { isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import {
  type CellNames,
  type FromKernel,
  KERNEL_PROTOCOL_VERSION,
  type ToKernel,
  toKernelSchema,
} from "../protocol/kernel-messages.ts";
import { storeAtFailure } from "./async-context.ts";
import { CellRun } from "./cell-run.ts";
import { analyseCell, type CompiledCell, compileCell, type ImportRequest } from "./compile-cell.ts";
import { babelHelpers } from "./compile-helpers.ts";
import { exported, Importer } from "./importer.ts";
import { Interrupts } from "./interrupt.ts";
import { captureStreams } from "./output.ts";
import { NotebookScope } from "./scope.ts";
import { CellStacks, type RanCell } from "./stack.ts";
import { inspectVariable, listVariables } from "./variables.ts";

type Request<T extends ToKernel["type"]> = Extract<ToKernel, { type: T }>;

/** How the function of a cell ended. */
type Outcome = { status: "ok" } | { status: "error"; error: unknown } | { status: "interrupted" };

/** The channel to the host: a process's own, or a stand-in. */
export interface KernelPort {
  send(message: FromKernel): void;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: () => void): void;
  /** Ends the process. */
  exit(code: number): void;
}

const STATS_MS = 2000;
const DISPOSE_MS = 2000;

export class Kernel {
  readonly #port: KernelPort;
  readonly #folder = process.cwd();
  readonly #scope = new NotebookScope();
  readonly #stacks = new CellStacks(packageRoot());
  readonly #importer = new Importer(this.#folder);
  readonly #require = createRequire(path.join(this.#folder, "notebook.cjs"));
  readonly #interrupts: Interrupts;
  readonly #queue: Request<"execute">[] = [];
  /** Runs whose left-over work still awaits something: an interrupt stops them too. */
  readonly #finished = new Set<CellRun>();
  #current: CellRun | undefined;
  #last: CellRun | undefined;
  #draining = false;
  #executions = 0;
  #runs = 0;
  #stats = "";

  constructor(port: KernelPort, interruptFd: number | undefined) {
    this.#port = port;
    this.#stacks.install();
    captureStreams(() => this.#contextRun()?.output);
    process.on("uncaughtException", (error) => this.#lost(error));
    process.on("unhandledRejection", (reason, promise) => this.#lost(reason, promise));
    this.#interrupts = new Interrupts(interruptFd, {
      onInterrupt: () => this.#interrupt(),
      onTerminated: (run) => {
        if (this.#current?.id === run) this.#current.cut();
      },
      onOrphaned: () => this.#shutdown(),
      onFailed: (message) => logLine(`Interrupting failed: ${message}`),
    });
    port.onMessage((message) => this.#receive(message));
    port.onClose(() => this.#shutdown());
    setInterval(() => void this.#sendStats(), STATS_MS).unref();
    this.#send({ type: "ready", version: KERNEL_PROTOCOL_VERSION, pid: process.pid, node: process.version });
  }

  #send(message: FromKernel): void {
    try {
      this.#port.send(message);
    } catch {
      // A display with functions in it cannot cross; as JSON it can.
      const json = JSON.stringify(message, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      this.#port.send(JSON.parse(json) as FromKernel);
    }
  }

  #receive(message: unknown): void {
    const parsed = toKernelSchema.safeParse(message);
    if (!parsed.success) {
      logLine(`The kernel cannot read a message: ${parsed.error.message}`);
      return;
    }
    const request = parsed.data;
    switch (request.type) {
      case "execute":
        this.#queue.push(request);
        void this.#drain();
        return;
      case "interrupt":
        this.#interrupt();
        this.#interrupts.watch();
        return;
      case "keychain":
        setAccess({ keychain: request.keychain });
        return;
      case "shutdown":
        this.#shutdown();
        return;
      default:
        void this.#answer(request);
    }
  }

  async #answer(request: Request<"analyse"> | Request<"variables"> | Request<"inspect">): Promise<void> {
    const { requestId } = request;
    this.#send({ type: "busy", requestId });
    switch (request.type) {
      case "analyse":
        this.#send({
          type: "analysis",
          requestId,
          cells: request.cells.map((cell) => namesOf(cell.cellId, cell.code)),
        });
        break;
      case "variables":
        this.#send({ type: "variables", requestId, variables: listVariables(this.#scope) });
        break;
      case "inspect":
        try {
          this.#send({ type: "inspected", requestId, data: await inspectVariable(this.#scope, request.name) });
        } catch (error) {
          this.#send({ type: "inspected", requestId, error: toErrorData(error) });
        }
        break;
    }
    this.#send({ type: "idle", requestId });
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) {
      this.#send({ type: "busy", requestId: request.requestId });
      await this.#execute(request);
      this.#send({ type: "idle", requestId: request.requestId });
    }
    this.#draining = false;
    void this.#sendStats();
  }

  async #execute({ requestId, cellId, code }: Request<"execute">): Promise<void> {
    const started = performance.now();
    this.#executions += 1;
    this.#runs += 1;
    const run = new CellRun({
      id: this.#runs,
      cellId,
      executionCount: this.#executions,
      workingFolder: this.#folder,
      send: (message) => this.#send(message),
    });
    this.#current = run;
    this.#last = run;
    this.#interrupts.running(run.id);
    let names: CellNames = { cellId, defines: [], uses: [] };
    let outcome: Outcome;
    let at: { cell: RanCell; position: { line: number; column: number } } | undefined;
    try {
      const compiled = compileCell(code, (name) => this.#scope.has(name));
      names = { cellId, defines: [...compiled.declarations.keys()], uses: compiled.uses };
      const cell: RanCell = { cellId, executionCount: run.executionCount, compiled };
      outcome = await this.#run(run, cell);
      if (run.awaitingAt !== undefined) at = { cell, position: compiled.positions.fromJs(run.awaitingAt) };
    } catch (error) {
      outcome = { status: "error", error };
      const { line, column } = (error instanceof ParallaxError ? error.details : undefined) ?? {};
      if (typeof line === "number" && typeof column === "number")
        at = { cell: { cellId, executionCount: run.executionCount } as RanCell, position: { line, column } };
    }
    run.over();
    if (outcome.status !== "ok") {
      const error = outcome.status === "error" ? outcome.error : run.signal.reason;
      this.#send({ type: "error", cellId, error: this.#stacks.toCellError(error, at) });
    }
    this.#interrupts.running(0);
    this.#current = undefined;
    this.#finished.add(run);
    for (const old of this.#finished) if (old !== run && !old.hasBackgroundWork) this.#finished.delete(old);
    this.#send({
      type: "done",
      requestId,
      cellId,
      status: outcome.status,
      executionCount: run.executionCount,
      elapsedMs: performance.now() - started,
      names,
    });
  }

  /**
   * Runs a compiled cell from a fresh macrotask: an interrupt ends frames from the outermost of that task on, and must
   * not take ours along. The outcome comes from the cell's promise, or from the interrupt when that will never settle.
   */
  async #run(run: CellRun, cell: RanCell): Promise<Outcome> {
    const { compiled } = cell;
    const filename = path.join(this.#folder, `cell-${run.id}.ts`);
    this.#stacks.add(filename, cell);
    const enter = vm.compileFunction(compiled.code, [compiled.internals.scope], { filename }) as (
      scope: object,
    ) => (scope: object, helper: object, require: unknown, helpers: object) => Promise<unknown>;
    const body = enter(this.#scope.object);
    const finish = this.#scope.declare(compiled.declarations, run.cellId);
    let shown: { value: unknown } | undefined;
    const helper = this.#helper(run, (value) => {
      shown = { value };
    });
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#onCut = () => resolve({ status: "interrupted" });
      setImmediate(() =>
        withContext(run, () => {
          const work = async (): Promise<void> => {
            await body.call(undefined, this.#scope.object, helper, this.#require, babelHelpers);
            finish();
            await this.#show(run, compiled, shown);
          };
          work().then(
            () => resolve({ status: "ok" }),
            (error: unknown) =>
              resolve(run.stopped && isCancelled(error) ? { status: "interrupted" } : { status: "error", error }),
          );
        }),
      );
    });
    this.#onCut = undefined;
    finish();
    return outcome;
  }

  #onCut: (() => void) | undefined;

  /** The value of the last expression, or a line for each name of a last declaration. */
  async #show(run: CellRun, compiled: CompiledCell, shown: { value: unknown } | undefined): Promise<void> {
    await run.wait(run.displaysMade());
    const bundles =
      shown === undefined
        ? compiled.lastNames
            .map((name) => ({ name, value: this.#scope.value(name) }))
            .filter(({ value }) => value !== undefined)
            .map(({ name, value }) => previewBundle(value, name))
        : shown.value === undefined
          ? []
          : [await run.wait(valueBundle(shown.value))];
    bundles.forEach((data, i) => {
      run.output.flush();
      if (i < bundles.length - 1) run.display(data as Record<string, unknown>);
      else
        this.#send({
          type: "result",
          cellId: run.cellId,
          data: data as Record<string, unknown>,
          metadata: shown === undefined ? {} : resultMetadata(shown.value),
          executionCount: run.executionCount,
        });
    });
  }

  /** What the compiled code calls as `$cell`. Functions of old cells act for the run that calls them. */
  #helper(own: CellRun, result: (value: unknown) => void): object {
    const folder = this.#folder;
    const acting = (): CellRun => (contextIfAny() as CellRun | undefined) ?? own;
    return {
      meta: {
        url: `file://${path.join(folder, "notebook.ts")}`,
        dirname: folder,
        filename: path.join(folder, "notebook.ts"),
        resolve: (specifier: string) => this.#require.resolve(specifier),
      },
      result,
      wait: (value: unknown, at?: number) => {
        const run = acting();
        if (at !== undefined && run === own) run.awaitingAt = at;
        return run.wait(value);
      },
      each: (values: AsyncIterable<unknown>) => acting().each(values),
      import: (specifier: unknown) => this.#importer.import(String(specifier)),
      bring: async (request: ImportRequest, at: number) => {
        own.awaitingAt = at;
        const namespace = (await own.wait(this.#importer.import(request.from))) as Record<string, unknown>;
        for (const [local, imported, used] of request.names) {
          const get = exported(namespace, imported);
          if (get !== undefined) this.#scope.bring(local, get, own.cellId);
          // A name that is used only as a type does not exist at run time.
          else if (used) throw noSuchExport(request.from, imported, namespace);
        }
      },
    };
  }

  #interrupt(): void {
    const run = this.#current;
    run?.stop(() => this.#onCut?.());
    for (const old of this.#finished) old.stop(() => undefined);
    this.#finished.clear();
  }

  #contextRun(): CellRun | undefined {
    return (contextIfAny() as CellRun | undefined) ?? this.#current ?? this.#last;
  }

  /** An error that nothing caught: shown under the cell it came from; the kernel lives on. */
  #lost(error: unknown, promise?: object): void {
    if (isCancelled(error)) return;
    const cellId = this.#stacks.framesOf(error)[0]?.cellId;
    const run = storeAtFailure<CellRun>(contextStorage(), error, promise) ?? this.#current ?? this.#last;
    if (run === undefined && cellId === undefined) {
      logLine(toErrorData(error).message);
      return;
    }
    run?.output.flush();
    this.#send({ type: "error", cellId: run?.cellId ?? cellId!, error: this.#stacks.toCellError(error) });
  }

  async #sendStats(): Promise<void> {
    const api = await this.#importer.loadedApi();
    const [{ sessions }, encoders] = api
      ? await Promise.all([api.defaultCompute().counts(), api.loadedEncoders()])
      : [{ sessions: 0 }, []];
    const megabytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
    const key = JSON.stringify([megabytes, sessions, encoders]);
    if (key === this.#stats) return;
    this.#stats = key;
    this.#send({ type: "stats", memoryBytes: megabytes * 2 ** 20, sessions, encoders });
  }

  #shutdown(): void {
    const exit = (): void => this.#port.exit(0);
    setTimeout(exit, DISPOSE_MS);
    this.#importer
      .loadedApi()
      .then(async (api) => {
        await api?.disposeEncoders();
        await api?.defaultCompute().dispose();
      })
      .then(exit, exit);
  }
}

/** To the host's log, past the cells. */
function logLine(text: string): void {
  writeSync(2, `${text}\n`);
}

function namesOf(cellId: string, code: string): CellNames {
  return { cellId, ...analyseCell(code) };
}

function noSuchExport(from: string, name: string, namespace: Record<string, unknown>): ParallaxError {
  const names = Object.keys(namespace).sort();
  const listed = names.length > 30 ? `${names.slice(0, 30).join(", ")}, …` : names.join(", ");
  return new ParallaxError("import.no-export", `"${from}" has no export named "${name}".`, {
    hint: names.length === 0 ? "It exports nothing." : `It exports ${listed}.`,
  });
}

/** A cell that ends the process would take the notebook's variables along without a word. */
function refuseExit(): (code: number) => never {
  const exit = process.exit.bind(process);
  const refuse = (name: string) => (): never => {
    throw new ParallaxError("kernel.exit-refused", `process.${name} would end the kernel and all variables with it.`, {
      hint: "Throw an error to stop the cell, or use Restart.",
    });
  };
  process.exit = refuse("exit") as typeof process.exit;
  process.abort = refuse("abort") as typeof process.abort;
  return exit as (code: number) => never;
}

/** Starts the kernel of this process on Node's IPC channel. */
export function startKernel(): void {
  const send = process.send?.bind(process);
  if (send === undefined)
    throw new ParallaxError("kernel.no-channel", "A kernel is started by Parallax, over a channel.", {
      hint: "Use `parallax run notebook.ipynb`.",
    });
  const fd = process.env.PARALLAX_INTERRUPT_FD;
  delete process.env.PARALLAX_INTERRUPT_FD;
  const exit = refuseExit();
  new Kernel(
    {
      // A channel that closed is heard of by onClose; the message has nobody to go to.
      send: (message) => void send(message, undefined, undefined, () => undefined),
      onMessage: (listener) => process.on("message", listener),
      onClose: (listener) => process.on("disconnect", listener),
      exit,
    },
    fd === undefined ? undefined : Number(fd),
  );
}

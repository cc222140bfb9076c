/**
 * A host in memory that speaks host-methods: notebooks, cells that "run" by a script of their text, jobs, a kernel that
 * may die. For tests of the page that must not depend on a kernel, and for states that a real one reaches rarely.
 */
import { ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import {
  type CellState,
  HOST_PROTOCOL_VERSION,
  type HostEvent,
  type HostEventPayload,
  type HostMethod,
  type HostParams,
  type HostResult,
  hostMethods,
  type KernelState,
  type OpenedNotebook,
  type Port,
} from "../../kernels/protocol/host-methods.ts";
import type { Notebook, NotebookOp, Output } from "../../notebooks/format/model.ts";
import { applyOps, newNotebook } from "../../notebooks/format/ops.ts";

interface FakeDoc {
  docId: string;
  path: string | null;
  name: string;
  notebook: Notebook;
  revision: number;
  saved: number;
  kernel: KernelState;
  cells: Map<string, CellState>;
  count: number;
}

export interface FakeOptions {
  /** path → notebook */
  files?: Record<string, Notebook>;
  recents?: HostResult<"app.start-page">["recents"];
  examples?: (HostResult<"app.start-page">["examples"][number] & { notebook: Notebook })[];
  /** Changes what `notebook.open` answers. */
  onOpen?(opened: OpenedNotebook): OpenedNotebook;
  editorTypes?: Record<string, string>;
}

type Handlers = { [M in HostMethod]?: (params: HostParams<M>) => HostResult<M> | Promise<HostResult<M>> };

const IDLE_KERNEL: KernelState = { state: "none", exit: null, startedAt: null, memoryBytes: null, encoders: [] };

export class FakeHost {
  readonly calls: { method: string; params: unknown }[] = [];
  readonly docs = new Map<string, FakeDoc>();
  /** Set to make the next call of a method fail. */
  readonly failures = new Map<HostMethod, ParallaxError>();
  settings: HostResult<"settings.set"> = { theme: "system", density: "comfortable", threads: 2 };
  /** What a cell does; the default shows `// => text` of its source. */
  execute: (host: FakeHost, doc: FakeDoc, cellId: string) => Promise<"done" | "failed"> = executeByComment;
  #options: FakeOptions;
  #ports = new Set<(message: unknown) => void>();
  #closers = new Set<(reason: string) => void>();
  #nextDoc = 1;
  #queue: Promise<void> = Promise.resolve();
  #interrupt: (() => void) | null = null;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
  }

  /** One page's connection, in memory. */
  connect(): Port {
    const messages = new Set<(message: unknown) => void>();
    const closes = new Set<(reason: string) => void>();
    const toPage = (message: unknown) => {
      for (const listener of messages) listener(structuredClone(message));
    };
    const close = (reason: string) => {
      this.#ports.delete(toPage);
      this.#closers.delete(close);
      for (const listener of closes) listener(reason);
    };
    this.#ports.add(toPage);
    this.#closers.add(close);
    return {
      send: (message) => void this.receive(structuredClone(message), toPage),
      onMessage: (listener) => {
        messages.add(listener);
        return () => messages.delete(listener);
      },
      onClose: (listener) => {
        closes.add(listener);
        return () => closes.delete(listener);
      },
      close: () => close("closed by the page"),
    };
  }

  dropConnections(reason = "the host went away"): void {
    for (const close of [...this.#closers]) close(reason);
  }

  emit<E extends HostEvent>(event: E, payload: HostEventPayload<E>): void {
    for (const port of this.#ports) port({ event, payload });
  }

  /** For carriers of their own (a WebSocket). */
  attach(toPage: (message: unknown) => void): () => void {
    this.#ports.add(toPage);
    return () => this.#ports.delete(toPage);
  }

  async receive(message: unknown, reply: (message: unknown) => void): Promise<void> {
    const call = message as { id: number; method: HostMethod; params: never } | { cancel: number };
    if ("cancel" in call) return;
    this.calls.push({ method: call.method, params: call.params });
    try {
      const failure = this.failures.get(call.method);
      if (failure) {
        this.failures.delete(call.method);
        throw failure;
      }
      const handler = this.#handlers[call.method] as ((params: unknown) => unknown) | undefined;
      if (!handler) throw new ParallaxError("host.not-faked", `The fake host has no ${call.method}.`, { kind: "bug" });
      const params = hostMethods[call.method].params.parse(call.params);
      reply({ id: call.id, result: (await handler(params)) ?? {} });
    } catch (error) {
      reply({ id: call.id, error: toErrorData(error) });
    }
  }

  doc(docId: string): FakeDoc {
    const doc = this.docs.get(docId);
    if (!doc) throw new ParallaxError("notebook.not-open", `No notebook ${docId} is open.`);
    return doc;
  }

  ops(docId: string, ops: NotebookOp[], origin = "kernel"): void {
    const doc = this.doc(docId);
    doc.notebook = applyOps(doc.notebook, ops);
    doc.revision += 1;
    this.emit("notebook.changed", { docId, revision: doc.revision, origin, ops: ops as never });
  }

  setKernel(docId: string, change: Partial<KernelState>): void {
    const doc = this.doc(docId);
    doc.kernel = { ...doc.kernel, ...change };
    this.emit("kernel.changed", { docId, kernel: doc.kernel });
  }

  setCell(docId: string, cellId: string, change: Partial<CellState>): void {
    const doc = this.doc(docId);
    const before: CellState = doc.cells.get(cellId) ?? {
      cellId,
      state: "idle",
      position: null,
      startedAt: null,
      elapsedMs: null,
      stale: null,
    };
    const next = { ...before, ...change };
    doc.cells.set(cellId, next);
    this.emit("cell.changed", { docId, cells: [next] });
  }

  #open(notebook: Notebook, path: string | null, name: string): OpenedNotebook {
    const known = path === null ? undefined : [...this.docs.values()].find((doc) => doc.path === path);
    const doc: FakeDoc = known ?? {
      docId: `doc-${this.#nextDoc++}`,
      path,
      name,
      notebook,
      revision: 0,
      saved: path === null ? -1 : 0,
      kernel: IDLE_KERNEL,
      cells: new Map(),
      count: 0,
    };
    this.docs.set(doc.docId, doc);
    const opened: OpenedNotebook = {
      docId: doc.docId,
      path: doc.path,
      name: doc.name,
      notebook: doc.notebook as never,
      revision: doc.revision,
      dirty: doc.revision !== doc.saved,
      savedAt: doc.path === null ? null : "2026-01-02T14:02:00.000Z",
      readOnly: false,
      problem: null,
      recovered: false,
      kernel: doc.kernel,
      cells: [...doc.cells.values()],
    };
    return this.#options.onOpen?.(opened) ?? opened;
  }

  async #run(docId: string, cellIds: string[]): Promise<void> {
    const doc = this.doc(docId);
    if (doc.kernel.state === "none" || doc.kernel.state === "stopped") {
      this.setKernel(docId, { state: "starting", exit: null, startedAt: new Date().toISOString() });
      this.setKernel(docId, { state: "ready", memoryBytes: 180 * 2 ** 20, encoders: ["all-MiniLM-L6-v2"] });
    }
    for (const [i, cellId] of cellIds.entries()) this.setCell(docId, cellId, { state: "queued", position: i + 1 });
    for (const cellId of cellIds) {
      if (doc.cells.get(cellId)?.state !== "queued") continue;
      const startedAt = Date.now();
      this.setKernel(docId, { state: "busy" });
      this.setCell(docId, cellId, {
        state: "running",
        position: null,
        startedAt: new Date(startedAt).toISOString(),
        elapsedMs: null,
        stale: null,
      });
      this.ops(docId, [{ type: "set-outputs", cellId, outputs: [], executionCount: null }]);
      const stopped = new Promise<"stopped">((resolve) => {
        this.#interrupt = () => resolve("stopped");
      });
      const end = await Promise.race([this.execute(this, doc, cellId), stopped]);
      this.#interrupt = null;
      if (!this.docs.has(docId)) return;
      doc.count += 1;
      this.ops(docId, [{ type: "set-execution-count", cellId, executionCount: doc.count }]);
      this.setCell(docId, cellId, { state: end, elapsedMs: Date.now() - startedAt });
      this.setKernel(docId, { state: "ready" });
      if (end !== "done") {
        for (const other of cellIds)
          if (doc.cells.get(other)?.state === "queued") this.setCell(docId, other, { state: "idle", position: null });
        return;
      }
    }
  }

  readonly #handlers: Handlers = {
    "app.hello": () => ({
      version: HOST_PROTOCOL_VERSION,
      product: "Parallax (fake host)",
      shell: "browser",
      platform: "linux",
      root: "/home/ada/Embeddings",
      cores: 8,
      memoryBytes: 16 * 2 ** 30,
      settings: this.settings,
    }),
    "app.start-page": () => ({
      recents: this.#options.recents ?? [],
      examples: (this.#options.examples ?? []).map(({ notebook: _, ...example }) => example),
      encoder: { state: "ready", message: "default encoder ready (all-MiniLM-L6-v2)" },
    }),
    "app.editor-types": () => ({ files: this.#options.editorTypes ?? {} }),
    "settings.set": (params) => {
      this.settings = { ...this.settings, ...(params as Partial<typeof this.settings>) };
      this.emit("settings.changed", this.settings);
      return this.settings;
    },
    "files.list": ({ folder }) => ({
      folder,
      entries: Object.keys(this.#options.files ?? {}).map((path) => ({
        name: path,
        path,
        kind: "notebook" as const,
        modifiedAt: "2026-01-02T14:02:00.000Z",
        sizeBytes: 12_345,
      })),
    }),
    "notebook.new": () => this.#open(newNotebook(), null, "Untitled"),
    "notebook.open": ({ path }) => {
      const notebook = this.#options.files?.[path];
      if (!notebook)
        throw new ParallaxError("notebook.not-found", `${path} was not found below /home/ada/Embeddings.`, {
          hint: "Check the name.",
        });
      return this.#open(notebook, path, path);
    },
    "notebook.open-example": ({ id }) => {
      const example = this.#options.examples?.find((candidate) => candidate.id === id);
      if (!example) throw new ParallaxError("example.unknown", `There is no example ${id}.`);
      return this.#open(example.notebook, `${id}.ipynb`, `${id}.ipynb`);
    },
    "notebook.apply": ({ docId, origin, ops }) => {
      this.ops(docId, ops as unknown as NotebookOp[], origin);
      return { revision: this.doc(docId).revision };
    },
    "notebook.save": ({ docId, path }) => {
      const doc = this.doc(docId);
      doc.path = path ?? doc.path ?? "untitled.ipynb";
      doc.name = doc.path;
      doc.saved = doc.revision;
      return { path: doc.path, name: doc.name, savedAt: "2026-01-02T14:03:00.000Z", revision: doc.revision };
    },
    "notebook.close": ({ docId }) => {
      this.docs.delete(docId);
      return {};
    },
    "cell.run": ({ docId, cellIds }) => {
      this.#queue = this.#queue.then(() => this.#run(docId, cellIds));
      return {};
    },
    "kernel.interrupt": () => {
      this.#interrupt?.();
      return {};
    },
    "kernel.restart": ({ docId }) => {
      this.setKernel(docId, { state: "restarting", exit: null });
      this.setKernel(docId, { state: "ready" });
      return {};
    },
    "kernel.shutdown": ({ docId }) => {
      this.setKernel(docId, { state: "none", exit: null, memoryBytes: null, encoders: [] });
      return {};
    },
    "kernel.variables": ({ docId }) => ({
      variables: this.doc(docId)
        .notebook.cells.flatMap((cell) =>
          [...cell.source.matchAll(/^(?:const|let) (\w+)/gm)].map((match) => ({
            name: String(match[1]),
            type: "Float32 [200, 384]",
            bytes: 307_200,
            preview: "…",
            cellId: cell.id,
          })),
        )
        .slice(0, 50),
    }),
    "job.cancel": () => ({}),
    "runs.list": () => ({ runs: [] }),
  };
}

/** `// => text` is the result, `// !! message` an error, `// ~ n` n steps of progress. */
async function executeByComment(host: FakeHost, doc: FakeDoc, cellId: string): Promise<"done" | "failed"> {
  const source = doc.notebook.cells.find((cell) => cell.id === cellId)?.source ?? "";
  const say = (outputs: Output[]) =>
    host.ops(
      doc.docId,
      outputs.map((output) => ({ type: "append-output", cellId, output })),
    );
  const steps = Number(/\/\/ ~ (\d+)/.exec(source)?.[1] ?? 0);
  for (let i = 1; i <= steps; i++) {
    const job = {
      id: `job-${cellId}`,
      docId: doc.docId,
      cellId,
      stage: "Layout",
      done: i,
      total: steps,
      unit: "epochs",
    };
    host.emit("job.changed", { job: { ...job, rate: 40, etaMs: (steps - i) * 25, note: null, finished: i === steps } });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
  const result = /\/\/ => (.*)/.exec(source)?.[1];
  const message = /\/\/ !! (.*)/.exec(source)?.[1];
  if (message !== undefined) {
    say([{ output_type: "error", ename: "ShapeError", evalue: message, traceback: [`ShapeError: ${message}`] }]);
    return "failed";
  }
  if (result !== undefined)
    say([
      {
        output_type: "execute_result",
        execution_count: doc.count + 1,
        metadata: {},
        data: {
          "application/vnd.parallax.value+json": {
            version: 1,
            type: result,
            bytes: 307_200,
            preview: result,
            cut: false,
          },
          "text/plain": result,
        },
      },
    ]);
  return "done";
}

/**
 * Joins store and host: local changes are shown at once and sent in order, what the host says becomes actions.
 * The only place with effects; reducers stay pure and components only read and send commands.
 */
import { CancelledError, isCancelled, ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import type { HostMethod, HostParams, HostResult, OpenedNotebook } from "../../kernels/protocol/host-methods.ts";
import type { NotebookOp } from "../../notebooks/format/model.ts";
import type { CallOptions, HostClient } from "../host/client.ts";
import { describeFinished } from "./announce.ts";
import { Outbox } from "./outbox.ts";
import { Store } from "./store.ts";

export class App {
  readonly store = new Store();
  readonly client: HostClient;
  readonly outbox: Outbox;

  constructor(client: HostClient) {
    this.client = client;
    this.outbox = new Outbox(async (docId, ops) => {
      try {
        const { revision } = await client.call("notebook.apply", { docId, origin: client.origin, ops });
        this.store.dispatch({ type: "document.confirmed", docId, revision });
      } catch (error) {
        // A lost connection has its own bar, and sends them again.
        if (!isLost(error)) this.report(error);
        throw error;
      }
    });
  }

  /** Listens to the host and connects. Returns a disposer. */
  start(): () => void {
    const { client, store } = this;
    const { dispatch } = store;
    let wasLost = false;
    const offs = [
      client.onState((connection) => {
        dispatch({ type: "connection.changed", connection });
        if (connection.state === "lost") wasLost = true;
        if (connection.state !== "open") return;
        if (client.hello) dispatch({ type: "hello.received", hello: client.hello });
        void this.loadStartPage();
        if (wasLost) void this.#resync();
        wasLost = false;
      }),
      client.on("notebook.changed", ({ docId, revision, origin, ops }) => {
        if (origin === client.origin) dispatch({ type: "document.confirmed", docId, revision });
        else dispatch({ type: "document.changed", docId, revision, ops: ops as unknown as NotebookOp[] });
      }),
      client.on("notebook.saved", (saved) => dispatch({ type: "document.saved", ...saved, revision: null })),
      client.on("notebook.reopened", (opened) => {
        this.outbox.drop(opened.docId);
        dispatch({ type: "document.opened", opened, instead: opened.docId });
      }),
      client.on("notebook.conflict", ({ docId, error }) => dispatch({ type: "document.conflicted", docId, error })),
      client.on("kernel.changed", ({ docId, kernel }) => dispatch({ type: "kernel.changed", docId, kernel })),
      client.on("cell.changed", ({ docId, cells }) => {
        const before = store.state.documents[docId];
        dispatch({ type: "cells.changed", docId, cells });
        const after = store.state.documents[docId];
        const text = before && after ? describeFinished(before, after, cells) : null;
        if (text !== null) dispatch({ type: "announced", text });
      }),
      client.on("job.changed", ({ job }) => dispatch({ type: "job.changed", job, now: Date.now() })),
      client.on("settings.changed", (settings) => dispatch({ type: "settings.changed", settings })),
      client.on("app.notice", ({ level, error }) => dispatch({ type: "notice.shown", level, error })),
    ];
    void client.start();
    return () => {
      for (const off of offs) off();
      client.dispose();
    };
  }

  /** Shows the error of something that has no place of its own on screen. Cancelling is not an error. */
  report(error: unknown, level: "warning" | "error" = "error"): void {
    if (isCancelled(error)) return;
    this.store.dispatch({ type: "notice.shown", level, error: toErrorData(error) });
  }

  /** Calls the host and shows the error if it fails; null then. */
  async attempt<M extends HostMethod>(
    method: M,
    params: HostParams<M>,
    options?: CallOptions,
  ): Promise<HostResult<M> | null> {
    try {
      return await this.client.call(method, params, options);
    } catch (error) {
      this.report(error);
      return null;
    }
  }

  /** Changes the notebook here at once, and at the host soon. */
  edit(docId: string, ops: NotebookOp[], options: { undoable?: boolean; active?: string | null } = {}): void {
    const doc = this.store.state.documents[docId];
    if (!doc || doc.readOnly || ops.length === 0) return;
    this.store.dispatch({
      type: "document.edited",
      docId,
      ops,
      undoable: options.undoable ?? true,
      ...(options.active === undefined ? {} : { active: options.active }),
    });
    this.outbox.add(docId, ops);
  }

  /** Typing in a cell: the editor has its own undo. */
  setSource(docId: string, cellId: string, source: string): void {
    const cell = this.store.state.documents[docId]?.notebook.cells.find((candidate) => candidate.id === cellId);
    if (!cell || cell.source === source) return;
    this.edit(docId, [{ type: "set-source", cellId, source }], { undoable: false });
  }

  undo(docId: string): void {
    this.#replay(docId, "undo");
  }

  redo(docId: string): void {
    this.#replay(docId, "redo");
  }

  #replay(docId: string, direction: "undo" | "redo"): void {
    const doc = this.store.state.documents[docId];
    const entry = doc?.[direction].at(-1);
    if (!doc || !entry || doc.readOnly) return;
    this.store.dispatch({ type: direction === "undo" ? "document.undone" : "document.redone", docId });
    this.outbox.add(docId, entry[direction]);
  }

  async loadStartPage(): Promise<void> {
    try {
      const page = await this.client.call("app.start-page", {});
      this.store.dispatch({ type: "start-page.loaded", page });
    } catch (error) {
      if (!isLost(error)) this.store.dispatch({ type: "start-page.failed", error: toErrorData(error) });
    }
  }

  /** Opens a notebook by one of the host's ways and shows it. */
  async open(what: string, load: () => Promise<OpenedNotebook>, instead?: string): Promise<boolean> {
    this.store.dispatch({ type: "document.opening", what });
    try {
      const opened = await load();
      this.store.dispatch({ type: "document.opened", opened, ...(instead === undefined ? {} : { instead }) });
      return true;
    } catch (error) {
      this.store.dispatch({ type: "document.opening", what: null });
      this.report(error);
      return false;
    }
  }

  /** Sends what is waiting, then writes the file. Errors become the bar of the notebook. */
  async save(docId: string, options: { path?: string; overwrite?: boolean } = {}): Promise<boolean> {
    const { dispatch } = this.store;
    dispatch({ type: "document.saving", docId });
    try {
      await this.outbox.flush(docId);
      const saved = await this.client.call("notebook.save", { docId, ...options });
      dispatch({ type: "document.saved", docId, ...saved });
      dispatch({ type: "announced", text: `Saved ${saved.name}.` });
      void this.loadStartPage();
      return true;
    } catch (error) {
      const data = toErrorData(error);
      if (/conflict|changed-on-disk/.test(data.code)) dispatch({ type: "document.conflicted", docId, error: data });
      else dispatch({ type: "document.save-failed", docId, error: data });
      return false;
    }
  }

  async run(docId: string, cellIds: string[]): Promise<void> {
    if (cellIds.length === 0) return;
    try {
      await this.outbox.flush(docId);
      await this.client.call("cell.run", { docId, cellIds });
    } catch (error) {
      this.report(error);
    }
  }

  async cancelJob(jobId: string): Promise<void> {
    this.store.dispatch({ type: "job.cancelled", jobId, now: Date.now() });
    await this.attempt("job.cancel", { jobId });
  }

  /** After a lost connection: read each notebook again and send what the host may have missed. */
  async #resync(): Promise<void> {
    for (const doc of Object.values(this.store.state.documents)) {
      const pending = this.outbox.pending(doc.docId);
      try {
        const opened =
          doc.path === null
            ? await this.#recreate(doc.docId)
            : await this.client.call("notebook.open", { path: doc.path });
        this.outbox.drop(doc.docId);
        if (opened) this.store.dispatch({ type: "document.opened", opened, instead: doc.docId });
        if (doc.path !== null && pending.length > 0 && opened) this.edit(opened.docId, pending, { undoable: false });
      } catch (error) {
        this.report(error);
      }
    }
  }

  /** A notebook that was never saved lives in the host only: when that began anew, it is built again from what is here. */
  async #recreate(docId: string): Promise<OpenedNotebook | null> {
    try {
      await this.outbox.flush(docId);
      await this.client.call("notebook.apply", { docId, origin: this.client.origin, ops: [] });
      return null;
    } catch (error) {
      if (error instanceof CancelledError || isLost(error)) throw error;
    }
    const doc = this.store.state.documents[docId];
    if (!doc) return null;
    const fresh = await this.client.call("notebook.new", {});
    const ops: NotebookOp[] = [
      ...(fresh.notebook.cells as { id: string }[]).map(
        (cell): NotebookOp => ({ type: "delete-cell", cellId: cell.id }),
      ),
      ...doc.notebook.cells.map((cell, index): NotebookOp => ({ type: "insert-cell", index, cell })),
    ];
    const { revision } = await this.client.call("notebook.apply", {
      docId: fresh.docId,
      origin: this.client.origin,
      ops,
    });
    return { ...fresh, revision, dirty: true, notebook: doc.notebook as unknown as OpenedNotebook["notebook"] };
  }
}

function isLost(error: unknown): boolean {
  return error instanceof ParallaxError && error.code === "host.connection-lost";
}

import { beforeEach, expect, it, vi } from "vitest";
import { ParallaxError } from "../../../kernels/protocol/errors.ts";
import type { Notebook } from "../../../notebooks/format/model.ts";
import { HostClient } from "../../../renderer/host/client.ts";
import { App } from "../../../renderer/state/app.ts";
import type { DocumentState } from "../../../renderer/state/types.ts";
import { FakeHost } from "../../support/fake-host.ts";
import { openedNotebook } from "../../support/opened-notebook.ts";

let host: FakeHost;
let app: App;

const doc = (): DocumentState => Object.values(app.store.state.documents)[0] as DocumentState;
const connected = () => vi.waitFor(() => expect(app.store.state.connection.state).toBe("open"));

beforeEach(async () => {
  host = new FakeHost({ files: { "x.ipynb": openedNotebook(["a", "b"]).notebook as unknown as Notebook } });
  app = new App(new HostClient(async () => host.connect(), { retryMs: 5 }));
  app.start();
  await connected();
});

const open = () => app.open("x", () => app.client.call("notebook.open", { path: "x.ipynb" }));

it("makes room for the first notebook and keeps one tab a file", async () => {
  expect(app.store.state.tabs).toEqual([{ kind: "start" }]);
  await open();
  await open();
  expect(app.store.state.tabs).toEqual([{ kind: "notebook", docId: doc().docId }]);
});

it("applies what the kernel and other pages change, and not its own changes twice", async () => {
  await open();
  const { docId } = doc();
  app.setSource(docId, "c1", "typed");
  await app.outbox.flush(docId);
  host.ops(docId, [{ type: "append-stream", cellId: "c1", name: "stdout", text: "out" }]);
  host.ops(docId, [{ type: "set-source", cellId: "c2", source: "other" }], "page-2");
  expect(doc().notebook).toEqual(host.doc(docId).notebook);
  expect(doc().revision).toBe(3);
});

it("saves what was typed last, and shows a failure with the edits kept", async () => {
  await open();
  const { docId } = doc();
  app.setSource(docId, "c1", "typed");
  host.failures.set(
    "notebook.save",
    new ParallaxError("disk.full", "The disk is full (0 B free).", { kind: "environment" }),
  );
  expect(await app.save(docId)).toBe(false);
  expect(doc()).toMatchObject({ dirty: true, saving: false, saveError: { code: "disk.full" } });
  expect(await app.save(docId)).toBe(true);
  expect(doc()).toMatchObject({ dirty: false, saveError: null });
  expect(host.doc(docId).notebook.cells[0]?.source).toBe("typed");
});

it("shows a conflict instead of overwriting", async () => {
  await open();
  host.failures.set("notebook.save", new ParallaxError("notebook.conflict", "x.ipynb was changed by another program."));
  await app.save(doc().docId);
  expect(doc().conflict?.code).toBe("notebook.conflict");
  await app.save(doc().docId, { overwrite: true });
  expect(doc().conflict).toBeNull();
});

it("keeps typing through a lost connection and sends it afterwards", async () => {
  await open();
  const { docId } = doc();
  host.dropConnections();
  expect(app.store.state.connection).toMatchObject({ state: "lost", attempt: 1, reason: "the host went away" });
  app.edit(docId, [{ type: "set-source", cellId: "c1", source: "while away" }], { undoable: false });
  await vi.waitFor(() => expect(host.doc(docId).notebook.cells[0]?.source).toBe("while away"));
  expect(doc().notebook.cells[0]?.source).toBe("while away");
});

it("builds a notebook that was never saved again when the host forgot it", async () => {
  await app.open("new", () => app.client.call("notebook.new", {}));
  const { docId } = doc();
  const cellId = doc().notebook.cells[0]?.id as string;
  app.setSource(docId, cellId, "precious");
  await app.outbox.flush(docId);
  host.docs.clear();
  host.dropConnections();
  await vi.waitFor(() => expect(doc().docId).not.toBe(docId));
  expect(host.doc(doc().docId).notebook.cells.map((cell) => cell.source)).toEqual(["precious"]);
  expect(doc().notebook.cells[0]?.source).toBe("precious");
});

it("shows jobs, never moves them back, and marks those that were asked to stop", () => {
  const job = {
    id: "j",
    docId: null,
    cellId: null,
    stage: "Encoding",
    done: 5,
    total: 10,
    unit: "texts",
    rate: null,
    etaMs: null,
    note: null,
    finished: false,
  };
  host.emit("job.changed", { job });
  host.emit("job.changed", { job: { ...job, done: 3 } });
  expect(app.store.state.jobs.j?.done).toBe(5);
  void app.cancelJob("j");
  expect(app.store.state.jobs.j?.cancelledAt).toBeTypeOf("number");
  host.emit("job.changed", { job: { ...job, finished: true } });
  expect(app.store.state.jobs).toEqual({});
});

it("moves the selection when another page deletes the active cell", async () => {
  await open();
  const { docId } = doc();
  host.ops(docId, [{ type: "delete-cell", cellId: "c1" }], "page-2");
  expect(doc()).toMatchObject({ active: "c2", anchor: "c2", mode: "command" });
});

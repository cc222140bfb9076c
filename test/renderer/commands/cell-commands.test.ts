import { beforeEach, expect, it, vi } from "vitest";
import { setActiveEditor } from "../../../renderer/commands/editors.ts";
import { runCommand } from "../../../renderer/commands/table.ts";
import { HostClient } from "../../../renderer/host/client.ts";
import { App } from "../../../renderer/state/app.ts";
import { selectedCells } from "../../../renderer/state/selectors.ts";
import type { DocumentState } from "../../../renderer/state/types.ts";
import { FakeHost } from "../../support/fake-host.ts";
import { openedNotebook } from "../../support/opened-notebook.ts";

let host: FakeHost;
let app: App;
let docId: string;

const doc = (): DocumentState => app.store.state.documents[docId] as DocumentState;
const sources = () => doc().notebook.cells.map((cell) => cell.source);
const hostSources = () => host.doc(docId).notebook.cells.map((cell) => cell.source);
const run = (...ids: string[]) => {
  for (const id of ids) runCommand(app, id);
};
const settled = async () => {
  await app.outbox.flush(docId);
  expect(hostSources()).toEqual(sources());
};

async function open(...texts: string[]): Promise<void> {
  const { notebook } = openedNotebook(texts);
  host = new FakeHost({ files: { "x.ipynb": notebook as never } });
  app = new App(new HostClient(async () => host.connect()));
  app.start();
  await app.open("x", () => app.client.call("notebook.open", { path: "x.ipynb" }));
  docId = Object.keys(app.store.state.documents)[0] as string;
}

beforeEach(() => open("a", "b", "# c"));

it("inserts, moves, deletes and takes it all back", async () => {
  run("cell.insert-below");
  expect(sources()).toEqual(["a", "", "b", "# c"]);
  expect(doc().active).toBe(doc().notebook.cells[1]?.id);
  run("cell.move-down", "cell.move-down");
  expect(sources()).toEqual(["a", "b", "# c", ""]);
  run("cell.delete");
  expect(sources()).toEqual(["a", "b", "# c"]);
  await settled();
  run("cell.undo", "cell.undo", "cell.undo", "cell.undo");
  expect(sources()).toEqual(["a", "b", "# c"]);
  run("cell.redo", "cell.redo", "cell.redo", "cell.redo");
  expect(sources()).toEqual(["a", "b", "# c"]);
  await settled();
});

it("cuts a range and pastes it below with new ids", async () => {
  const ids = doc().notebook.cells.map((cell) => cell.id);
  run("cell.extend-down", "cell.cut");
  expect(sources()).toEqual(["# c"]);
  run("cell.paste");
  expect(sources()).toEqual(["# c", "a", "b"]);
  expect(
    doc()
      .notebook.cells.slice(1)
      .map((cell) => ids.includes(cell.id)),
  ).toEqual([false, false]);
  await settled();
});

it("keeps one cell when all are deleted", async () => {
  run("cell.select-all", "cell.delete");
  expect(sources()).toEqual([""]);
  expect(doc().active).toBe(doc().notebook.cells[0]?.id);
  run("cell.undo");
  expect(sources()).toEqual(["a", "b", "# c"]);
  await settled();
});

it("merges and splits", async () => {
  run("cell.extend-down", "cell.merge");
  expect(sources()).toEqual(["a\n\nb", "# c"]);
  const cellId = doc().notebook.cells[0]?.id as string;
  setActiveEditor({ docId, cellId, offset: () => 2 });
  run("cell.split");
  expect(sources()).toEqual(["a", "b", "# c"]);
  expect(doc().active).toBe(cellId);
  await settled();
});

it("turns code into text and headings", async () => {
  run("cell.to-markdown", "cell.heading-2", "cell.heading-3");
  expect(doc().notebook.cells[0]).toMatchObject({ cell_type: "markdown", source: "### a" });
  run("cell.undo", "cell.undo", "cell.undo");
  expect(doc().notebook.cells[0]).toMatchObject({ cell_type: "code", source: "a" });
  await settled();
});

it("runs through the notebook and adds a cell after the last", async () => {
  await open("const x = 1; // => number", "# c", "2 // => two");
  run("cell.run-next", "cell.run-next", "cell.run-next");
  expect(doc().notebook.cells).toHaveLength(4);
  expect(doc().mode).toBe("edit");
  await vi.waitFor(() => expect(doc().cells.c3?.state).toBe("done"));
  expect(doc().notebook.cells.map((cell) => cell.execution_count)).toEqual([1, undefined, 2, null]);
  expect(doc().notebook.cells[2]?.outputs?.[0]).toMatchObject({ output_type: "execute_result" });
  expect(app.store.state.announcement).toBe("Cell 3 done, two.");
});

it("sends what was typed before it runs", async () => {
  app.setSource(docId, "c1", "x // => typed");
  run("cell.run");
  await vi.waitFor(() => expect(doc().cells.c1?.state).toBe("done"));
  expect(hostSources()[0]).toBe("x // => typed");
  expect(host.calls.filter((call) => call.method === "notebook.apply")).toHaveLength(1);
});

it("keeps the last good output of a cell that fails", async () => {
  await open("1 // => good");
  run("cell.run");
  await vi.waitFor(() => expect(doc().cells.c1?.state).toBe("done"));
  app.setSource(docId, "c1", "1 // !! bad");
  run("cell.run");
  await vi.waitFor(() => expect(doc().cells.c1?.state).toBe("failed"));
  expect(doc().lastGood.c1).toMatchObject({ executionCount: 1, outputs: [{ output_type: "execute_result" }] });
  expect(app.store.state.announcement).toBe("Cell 1 failed, ShapeError: bad.");
  run("cell.next-failed");
  expect(doc().active).toBe("c1");
  app.setSource(docId, "c1", "1 // => good again");
  run("cell.run");
  await vi.waitFor(() => expect(doc().cells.c1?.state).toBe("done"));
  expect(doc().lastGood).toEqual({});
});

it("runs stale cells in order", async () => {
  host.setCell(docId, "c1", { stale: "`t` changed in cell [1]" });
  host.setCell(docId, "c2", { stale: "`t` changed in cell [1]" });
  run("notebook.run-stale");
  await vi.waitFor(() =>
    expect(host.calls.at(-1)).toEqual({ method: "cell.run", params: { docId, cellIds: ["c1", "c2"] } }),
  );
});

it("hides outputs as Jupyter does", () => {
  run("cell.toggle-output");
  expect(doc().notebook.cells[0]?.metadata).toEqual({ jupyter: { outputs_hidden: true } });
  run("cell.toggle-output");
  expect(doc().notebook.cells[0]?.metadata).toEqual({});
});

it("selects a range and its ends", () => {
  run("cell.next", "cell.extend-down");
  expect(selectedCells(doc()).map((cell) => cell.id)).toEqual(["c2", "c3"]);
  run("cell.extend-up", "cell.extend-up");
  expect(selectedCells(doc()).map((cell) => cell.id)).toEqual(["c1", "c2"]);
});

it("changes nothing in a read-only notebook", async () => {
  const { notebook } = openedNotebook(["a"]);
  host = new FakeHost({ files: { "x.ipynb": notebook as never }, onOpen: (opened) => ({ ...opened, readOnly: true }) });
  app = new App(new HostClient(async () => host.connect()));
  app.start();
  await app.open("x", () => app.client.call("notebook.open", { path: "x.ipynb" }));
  run("cell.insert-below", "cell.delete", "cell.to-markdown", "cell.run-next", "cell.run");
  expect(sources()).toEqual(["a"]);
  expect(host.calls.map((call) => call.method)).not.toContain("cell.run");
});

/** The whole way: a page's messages over a WebSocket, the host, a real kernel process and the file. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CellState } from "../../kernels/protocol/host-methods.ts";
import { startServer } from "../../main/server/http.ts";
import type { Notebook, Output } from "../../notebooks/format/model.ts";
import { parseNotebook } from "../../notebooks/format/parse.ts";
import { TestClient } from "../support/client.ts";
import { workplace } from "../support/workplace.ts";

async function opened(sources: string[]) {
  const place = workplace();
  place.notebook("a.ipynb", sources);
  const { folders } = place.options;
  const server = await startServer({ root: place.root, ...(folders ? { folders } : {}), port: 0 });
  onTestFinished(() => server.close());
  const page = await TestClient.connect(server.url);
  const view = await page.call("notebook.open", { path: "a.ipynb" });
  const cellIs = (cellId: string, state: CellState["state"], from = 0) =>
    page.event("cell.changed", ({ cells }) => cells.some((cell) => cell.cellId === cellId && cell.state === state), {
      from,
    });
  const outputs = () =>
    page.shown(view.notebook as unknown as Notebook, view.docId).cells.map((cell) => cell.outputs ?? []);
  const run = (...cellIds: string[]) => page.call("cell.run", { docId: view.docId, cellIds });
  return { place, page, view, docId: view.docId, cellIs, outputs, run };
}

const plain = (output: Output | undefined) => (output?.data as Record<string, unknown> | undefined)?.["text/plain"];

describe("a real kernel", () => {
  test("runs TypeScript cells, keeps names between them, and what it showed is saved", async () => {
    const { place, page, docId, cellIs, outputs, run } = await opened([
      "interface Point { x: number }\nconst points: Point[] = [{ x: 1 }, { x: 2 }];\nconsole.log(points.length);",
      "const later = await Promise.resolve(points.map((p) => p.x * 10));\nlater",
      "missing.name",
    ]);
    await run("c1", "c2", "c3");
    await cellIs("c3", "failed");
    const [first, second, third] = outputs();
    expect(first![0]).toEqual({ output_type: "stream", name: "stdout", text: "2\n" });
    expect(plain(second!.at(-1))).toBe("[ 10, 20 ]");
    expect(third![0]).toMatchObject({
      output_type: "error",
      ename: "ReferenceError",
      parallax: { frames: [{ cellId: "c3", line: 1 }] },
    });
    expect((third![0]!.traceback as string[])[1]).toContain("cell [3], line 1");
    await page.call("notebook.save", { docId });
    const file = path.join(place.root, "a.ipynb");
    const written = outputs().map((list) => list.map(({ parallax: _located, ...output }) => output));
    expect(parseNotebook(readFileSync(file, "utf8")).notebook.cells.map((cell) => cell.outputs)).toEqual(written);
    if (existsSync("/usr/lib/python3/dist-packages/nbformat"))
      execFileSync("/usr/bin/python3", [
        "-c",
        "import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], as_version=4))",
        file,
      ]);
  });

  test("an edit marks what depends on it, and a loop is interrupted with the variables kept", async () => {
    const { page, docId, cellIs, run } = await opened([
      "const texts = ['a'];",
      "const n = texts.length;",
      "await null; while (true) {}",
      "n",
    ]);
    await run("c1", "c2");
    await cellIs("c2", "done");
    const from = page.events.length;
    await page.call("notebook.apply", {
      docId,
      origin: page.origin,
      ops: [{ type: "set-source", cellId: "c1", source: "const texts = ['a', 'b'];" } as never],
    });
    const { cells } = await page.event("cell.changed", () => true, { from });
    expect(cells.find((cell) => cell.cellId === "c2")?.stale).toBe("`texts` changed in cell [1]");
    await run("c3");
    await cellIs("c3", "running");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await page.call("kernel.interrupt", { docId });
    await cellIs("c3", "stopped");
    await run("c4");
    await cellIs("c4", "done");
    const { variables } = await page.call("kernel.variables", { docId });
    expect(variables.map((variable) => variable.name)).toEqual(expect.arrayContaining(["texts", "n"]));
  });

  test("a kernel that is killed in a cell is told of, and the notebook goes on", async () => {
    const { page, docId, cellIs, run } = await opened([
      "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});",
      "1 + 1",
    ]);
    await run("c1");
    const { kernel } = await page.event("kernel.changed", (event) => event.kernel.state === "stopped");
    expect(kernel.exit).toMatchObject({ reason: "signal SIGKILL", cellId: "c1" });
    await page.call("kernel.restart", { docId });
    await run("c2");
    await cellIs("c2", "done");
  });
});

import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { CellState, OpenedNotebook } from "../../kernels/protocol/host-methods.ts";
import type { Notebook } from "../../notebooks/format/model.ts";
import type { TestClient } from "../support/client.ts";
import { workplace } from "../support/workplace.ts";

/** Opens a notebook with these cells (commands of test/support/fake-kernel.mjs) in a page. */
async function opened(sources: string[]) {
  const place = workplace();
  place.notebook("a.ipynb", sources);
  const host = place.host();
  const page = await place.page(host);
  const view = await page.call("notebook.open", { path: "a.ipynb" });
  return { place, host, page, view, docId: view.docId };
}

const run = (page: TestClient, docId: string, ...cellIds: string[]) => page.call("cell.run", { docId, cellIds });
const cellIs = (page: TestClient, cellId: string, state: CellState["state"], from = 0) =>
  page
    .event("cell.changed", ({ cells }) => cells.some((cell) => cell.cellId === cellId && cell.state === state), {
      from,
    })
    .then(({ cells }) => cells.find((cell) => cell.cellId === cellId)!);
const outputs = (page: TestClient, view: OpenedNotebook) =>
  page.shown(view.notebook as unknown as Notebook, view.docId).cells.map((cell) => cell.outputs);

describe("running cells", () => {
  test("a cell goes from queued to done and its outputs become operations", async () => {
    const { page, view, docId } = await opened(["print a\nprint b\nerr c\nvalue 42"]);
    await run(page, docId, "c1");
    expect(await cellIs(page, "c1", "queued")).toMatchObject({ position: 1 });
    await cellIs(page, "c1", "running");
    expect(await cellIs(page, "c1", "done")).toMatchObject({ elapsedMs: expect.any(Number), stale: null });
    expect(outputs(page, view)).toEqual([
      [
        { output_type: "stream", name: "stdout", text: "a\nb\n" },
        { output_type: "stream", name: "stderr", text: "c\n" },
        { output_type: "execute_result", data: { "text/plain": "42" }, metadata: {}, execution_count: 1 },
      ],
    ]);
    expect(page.shown(view.notebook as unknown as Notebook, docId).cells[0]!.execution_count).toBe(1);
    const states = page.events.flatMap((seen) =>
      seen.event === "kernel.changed" ? [(seen.payload as { kernel: { state: string } }).kernel.state] : [],
    );
    expect([...new Set(states)]).toEqual(["starting", "busy", "ready"]);
  });

  test("five thousand lines arrive as a few messages", async () => {
    const { page, view, docId } = await opened([Array.from({ length: 5000 }, (_, i) => `print ${i}`).join("\n")]);
    await run(page, docId, "c1");
    await cellIs(page, "c1", "done");
    expect((outputs(page, view)[0]![0] as { text: string }).text.split("\n")).toHaveLength(5001);
    expect(page.events.filter((seen) => seen.event === "notebook.changed").length).toBeLessThan(50);
  });

  test("cells run in order; what waits behind a failed cell is not run", async () => {
    const { page, view, docId } = await opened(["print 1", "fail it broke", "print 3"]);
    await run(page, docId, "c1", "c2", "c3");
    expect(await cellIs(page, "c3", "queued")).toMatchObject({ position: 3 });
    await cellIs(page, "c2", "failed");
    await cellIs(page, "c3", "idle");
    const [first, second, third] = outputs(page, view);
    expect(first).toHaveLength(1);
    expect(second).toMatchObject([
      {
        output_type: "error",
        ename: "TypeError",
        evalue: "it broke",
        traceback: ["TypeError: it broke", "  at cell [2], line 1, column 1"],
        parallax: { name: "TypeError" },
      },
    ]);
    expect(third).toEqual([]);
  });

  test("displays are updated in place and cleared when the next output comes", async () => {
    const { page, view, docId } = await opened([
      "show d one\nshow e two\nupdate d three",
      "print old\nclear wait\nprint new",
    ]);
    await run(page, docId, "c1", "c2");
    await cellIs(page, "c2", "done");
    const [first, second] = outputs(page, view);
    expect(first!.map((output) => (output.data as Record<string, string>)["text/plain"])).toEqual(["three", "two"]);
    expect(second).toEqual([{ output_type: "stream", name: "stdout", text: "new\n" }]);
  });

  test("stale cells say why, in words", async () => {
    const { page, docId } = await opened(["define texts", "use texts\ndefine q", "use q", "define other"]);
    await run(page, docId, "c1", "c2", "c3", "c4");
    await cellIs(page, "c4", "done");
    const from = page.events.length;
    await page.call("notebook.apply", {
      docId,
      origin: page.origin,
      ops: [{ type: "set-source", cellId: "c1", source: "define texts more" } as never],
    });
    const { cells } = await page.event("cell.changed", () => true, { from });
    expect(Object.fromEntries(cells.map((cell) => [cell.cellId, cell.stale]))).toEqual({
      c1: "its code changed since it ran",
      c2: "`texts` changed in cell [1]",
      c3: "`q` comes from cell [2], which is stale",
    });
    await run(page, docId, "c1");
    expect(
      (
        await page.event(
          "cell.changed",
          (event) => event.cells.some((cell) => cell.stale === "`texts` changed in cell [5]"),
          { from },
        )
      ).cells,
    ).toHaveLength(2);
    await run(page, docId, "c2", "c3");
    await cellIs(page, "c3", "done", page.events.length);
    const { cells: after } = await page.call("notebook.open", { path: "a.ipynb" });
    expect(after.map((cell) => cell.stale)).toEqual([null, null, null, null]);
  });

  test("progress becomes a job that never goes back and ends with its cell", async () => {
    const { page, docId } = await opened(["progress 5"]);
    await run(page, docId, "c1");
    const last = await page.event("job.changed", ({ job }) => job.finished);
    const done = page.events.flatMap((seen) =>
      seen.event === "job.changed" ? [(seen.payload as { job: { done: number } }).job.done] : [],
    );
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(last.job).toMatchObject({ docId, cellId: "c1", stage: "Encoding", total: 5, unit: "texts" });
  });
});

describe("stopping", () => {
  test("an interrupt stops the cell, empties the queue and keeps the kernel", async () => {
    const { page, docId } = await opened(["loop", "print never", "value after"]);
    await run(page, docId, "c1", "c2");
    await cellIs(page, "c1", "running");
    await page.call("kernel.interrupt", { docId });
    await page.event("kernel.changed", ({ kernel }) => kernel.state === "interrupting");
    await cellIs(page, "c1", "stopped");
    await cellIs(page, "c2", "idle");
    await run(page, docId, "c3");
    expect(await cellIs(page, "c3", "done")).toBeDefined();
  });

  test("a cell that ignores the interrupt is told of after five seconds, and a restart ends it", async () => {
    const { page, docId } = await opened(["stubborn", "value 1"]);
    await run(page, docId, "c1");
    await cellIs(page, "c1", "running");
    await page.call("kernel.interrupt", { docId });
    const { error } = await page.event("app.notice");
    expect(error).toMatchObject({
      code: "kernel.not-stopping",
      details: { docId, cellId: "c1", actions: ["force-stop"] },
    });
    await page.call("kernel.restart", { docId });
    await cellIs(page, "c1", "stopped");
    await run(page, docId, "c2");
    expect(await cellIs(page, "c2", "done")).toBeDefined();
  });

  test("a killed kernel is told of with signal and cell, and the next run starts a new one", async () => {
    const { page, docId, view } = await opened(["print before\nsleep 60000", "value 1"]);
    await run(page, docId, "c1", "c2");
    await page.event("notebook.changed", ({ ops }) => JSON.stringify(ops).includes("before"));
    const { kernel: starting } = await page.event("kernel.changed", ({ kernel }) => kernel.state === "starting");
    expect(starting.startedAt).not.toBeNull();
    killChildren();
    const { kernel } = await page.event("kernel.changed", (event) => event.kernel.state === "stopped");
    expect(kernel.exit).toMatchObject({ reason: "signal SIGKILL", cellId: "c1" });
    await cellIs(page, "c1", "failed");
    expect(outputs(page, view)[0]).toEqual([{ output_type: "stream", name: "stdout", text: "before\n" }]);
    await run(page, docId, "c2");
    expect(await cellIs(page, "c2", "done")).toBeDefined();
  });

  test("a kernel that ends by itself leaves its exit code and last words", async () => {
    const { page, docId } = await opened(["exit 139"]);
    await run(page, docId, "c1");
    const { kernel } = await page.event("kernel.changed", (event) => event.kernel.state === "stopped");
    expect(kernel.exit).toEqual({ reason: "exit code 139", cellId: "c1", log: ["about to end with 139"] });
  });

  test("cancelling a job stops its cell", async () => {
    const { page, docId } = await opened(["progress 1000"]);
    await run(page, docId, "c1");
    const { job } = await page.event("job.changed", (event) => event.job.done > 2);
    await page.call("job.cancel", { jobId: job.id });
    await cellIs(page, "c1", "stopped");
  });
});

describe("pages that come and go", () => {
  test("a page that is loaded again finds outputs, running cell and kernel as they are", async () => {
    const { place, host, page, docId } = await opened(["print so far\nsleep 60000"]);
    await run(page, docId, "c1");
    await page.event("notebook.changed", ({ ops }) => JSON.stringify(ops).includes("so far"));
    page.close();
    const again = await place.page(host);
    const view = await again.call("notebook.open", { path: "a.ipynb" });
    expect(view.kernel.state).toBe("busy");
    expect(view.cells).toMatchObject([{ cellId: "c1", state: "running" }]);
    expect((view.notebook as unknown as Notebook).cells[0]!.outputs).toEqual([
      { output_type: "stream", name: "stdout", text: "so far\n" },
    ]);
    await again.call("kernel.interrupt", { docId });
    await cellIs(again, "c1", "stopped");
  });

  test("the kernel ends with the last page that closes the notebook", async () => {
    const { place, host, page, docId } = await opened(["value 1"]);
    const other = await place.page(host);
    await other.call("notebook.open", { path: "a.ipynb" });
    await run(page, docId, "c1");
    await cellIs(page, "c1", "done");
    await page.call("notebook.close", { docId, keepKernel: false });
    expect((await other.call("kernel.variables", { docId })).variables).toEqual([]);
    await other.call("notebook.close", { docId, keepKernel: false });
    await expect(other.call("kernel.variables", { docId })).rejects.toMatchObject({ code: "notebook.not-open" });
  });

  test("names, variables and values come from the kernel", async () => {
    const { page, docId } = await opened(["define a b\nuse c", "value 1"]);
    expect((await page.call("kernel.analyse", { docId })).cells[0]).toEqual({
      cellId: "c1",
      defines: ["a", "b"],
      uses: ["c"],
    });
    await run(page, docId, "c1");
    await cellIs(page, "c1", "done");
    expect((await page.call("kernel.variables", { docId })).variables.map((variable) => variable.name)).toEqual([
      "a",
      "b",
    ]);
    expect(await page.call("kernel.inspect", { docId, name: "a" })).toEqual({ data: { "text/plain": "a" } });
  });
});

/** The kernels that this test process has started: direct children that run the stand-in. */
function killChildren(): void {
  const { readdirSync, readFileSync } = process.getBuiltinModule("node:fs");
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (
        parent === process.pid &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path.basename("fake-kernel.mjs"))
      )
        process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}

describe("the desktop app's keychain", () => {
  test("is told to each kernel, and again when the token is set or forgotten", async () => {
    let kept: string | null = "hf_first";
    const tokenVault = {
      name: "the keychain of the tests",
      unavailable: () => null,
      read: () => kept,
      write: (token: string | null) => {
        kept = token;
      },
    };
    const place = workplace();
    vi.stubEnv("PARALLAX_HOME", place.home);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    place.notebook("a.ipynb", ["keychain"]);
    const page = await place.page(place.host({ tokenVault }));
    const view = await page.call("notebook.open", { path: "a.ipynb" });
    const told: unknown[] = [];
    for (const change of ["hf_second", null, undefined]) {
      const from = page.events.length;
      await run(page, view.docId, "c1");
      await cellIs(page, "c1", "done", from);
      const [[output]] = outputs(page, view) as unknown as [[{ text: string }]];
      told.push(JSON.parse(output.text).token);
      if (change !== undefined) await page.call("encoders.set-token", { token: change });
    }
    expect(told).toEqual(["hf_first", "hf_second", null]);
  });
});

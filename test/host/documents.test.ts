import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open, rename } from "node:fs/promises";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Disk } from "../../main/host/write-atomically.ts";
import type { Notebook, NotebookOp } from "../../notebooks/format/model.ts";
import { newCell } from "../../notebooks/format/ops.ts";
import { parseNotebook } from "../../notebooks/format/parse.ts";
import { workplace } from "../support/workplace.ts";

const setSource = (cellId: string, source: string) => ({ type: "set-source", cellId, source }) satisfies NotebookOp;

describe("opening, editing and saving", () => {
  test("saving an unchanged notebook touches no byte and no time stamp", async () => {
    const place = workplace();
    const file = path.join(place.root, "a.ipynb");
    // As another program spells it, in two spaces and without a last line end.
    writeFileSync(file, JSON.stringify(JSON.parse(place.notebook("a.ipynb", ["1", "2"])), null, 2));
    const before = { bytes: readFileSync(file), at: statSync(file).mtimeMs };
    const page = await place.page(place.host());
    const { docId, dirty } = await page.call("notebook.open", { path: "a.ipynb" });
    expect(dirty).toBe(false);
    await page.call("notebook.save", { docId });
    expect({ bytes: readFileSync(file), at: statSync(file).mtimeMs }).toEqual(before);
  });

  test("an edit reaches the other page and the file, whose mode and link stay", async () => {
    const place = workplace();
    place.notebook("real.ipynb", ["1"]);
    const real = path.join(place.root, "real.ipynb");
    chmodSync(real, 0o640);
    symlinkSync("real.ipynb", path.join(place.root, "link.ipynb"));
    const host = place.host();
    const [page, other] = [await place.page(host), await place.page(host)];
    const opened = await page.call("notebook.open", { path: "link.ipynb" });
    const same = await other.call("notebook.open", { path: "real.ipynb" });
    expect(same.docId).toBe(opened.docId);
    const { docId } = opened;
    const { revision } = await page.call("notebook.apply", {
      docId,
      origin: page.origin,
      ops: [setSource("c1", "two\nlines")],
    });
    expect(await other.event("notebook.changed")).toEqual({
      docId,
      revision,
      origin: page.origin,
      ops: [setSource("c1", "two\nlines")],
    });
    const saved = await page.call("notebook.save", { docId });
    expect(saved).toMatchObject({ path: "real.ipynb", name: "real.ipynb", revision });
    expect((await other.event("notebook.saved")).savedAt).toBe(saved.savedAt);
    expect(parseNotebook(readFileSync(real, "utf8")).notebook.cells[0]!.source).toBe("two\nlines");
    expect(statSync(real).mode & 0o777).toBe(0o640);
    expect(lstatSync(path.join(place.root, "link.ipynb")).isSymbolicLink()).toBe(true);
    expect(readdirSync(place.root).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("a new notebook is saved under a name, and is then that file", async () => {
    const place = workplace();
    const page = await place.page(place.host());
    const { docId, path: none, notebook } = await page.call("notebook.new", {});
    expect([none, notebook.cells.length]).toEqual([null, 1]);
    const saved = await page.call("notebook.save", { docId, path: "mine" });
    expect(saved.path).toBe("mine.ipynb");
    expect((await page.call("notebook.open", { path: "mine.ipynb" })).docId).toBe(docId);
    place.notebook("other.ipynb", ["1"]);
    await expect(page.call("notebook.save", { docId, path: "other.ipynb" })).rejects.toMatchObject({
      code: "save.exists",
      details: { actions: ["save-elsewhere", "overwrite"] },
    });
  });

  test("operations that are not valid change nothing and name the field", async () => {
    const place = workplace();
    place.notebook("a.ipynb", ["1"]);
    const page = await place.page(place.host());
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    const bad = { type: "insert-cell", index: 0, cell: { ...newCell("code"), id: "not good" } };
    await expect(
      page.call("notebook.apply", { docId, origin: "x", ops: [setSource("c1", "2"), bad] }),
    ).rejects.toMatchObject({
      code: "notebook.invalid-op",
      message: expect.stringContaining("Operation 2 of 2 is not valid at cell.id"),
    });
    expect((await page.call("notebook.open", { path: "a.ipynb" })).revision).toBe(0);
  });
});

describe("files that are no notebooks", () => {
  test.each([
    ["not-json.ipynb", "hello", "notebook.not-json", 0],
    [
      "old.ipynb",
      '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [{"cell_type": "code", "input": ["1"], "outputs": []}]}]}',
      "notebook.old-format",
      1,
    ],
    ["truncated.ipynb", null, "notebook.truncated", 1],
  ])("%s is shown read-only and never touched", async (name, text, code, shown) => {
    const place = workplace();
    const content = text ?? place.notebook(name, ["1", "2"]).replace(/"c2"[\s\S]*$/, '"c2"');
    const file = path.join(place.root, name);
    writeFileSync(file, content);
    const page = await place.page(place.host());
    const { docId, readOnly, problem, notebook } = await page.call("notebook.open", { path: name });
    expect({ readOnly, code: problem?.code, cells: notebook.cells.length }).toEqual({
      readOnly: true,
      code,
      cells: shown,
    });
    await expect(
      page.call("notebook.apply", { docId, origin: "x", ops: [setSource("cell-1", "x")] }),
    ).rejects.toMatchObject({ code: "notebook.read-only" });
    await expect(page.call("notebook.save", { docId, overwrite: true })).rejects.toMatchObject({
      code: "notebook.read-only",
    });
    expect(readFileSync(file, "utf8")).toBe(content);
    // A copy of what could be read is a good notebook.
    const copy = await page.call("notebook.save", { docId, path: "copy.ipynb" });
    expect(parseNotebook(readFileSync(path.join(place.root, copy.path), "utf8")).problem).toBeNull();
    expect(readFileSync(file, "utf8")).toBe(content);
  });
});

describe("conflicts", () => {
  test("a file that another program changed is not overwritten unless asked to", async () => {
    const place = workplace();
    place.notebook("a.ipynb", ["1"]);
    const file = path.join(place.root, "a.ipynb");
    const page = await place.page(place.host());
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "mine")] });
    const theirs = place.notebook("a.ipynb", ["theirs"]);
    const told = await page.event("notebook.conflict");
    expect(told.error).toMatchObject({
      code: "notebook.changed-on-disk",
      details: { actions: ["overwrite", "save-elsewhere", "reload"] },
    });
    await expect(page.call("notebook.save", { docId })).rejects.toMatchObject({ code: "notebook.changed-on-disk" });
    expect(readFileSync(file, "utf8")).toBe(theirs);
    await page.call("notebook.save", { docId, overwrite: true });
    expect(parseNotebook(readFileSync(file, "utf8")).notebook.cells[0]!.source).toBe("mine");
    place.notebook("a.ipynb", ["again"]);
    const reloaded = await page.call("notebook.reload", { docId });
    expect([(reloaded.notebook as unknown as Notebook).cells[0]!.source, reloaded.dirty]).toEqual(["again", false]);
  });

  test("rewriting the same bytes is no conflict", async () => {
    const place = workplace();
    const text = place.notebook("a.ipynb", ["1"]);
    const page = await place.page(place.host());
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "mine")] });
    writeFileSync(path.join(place.root, "b"), text);
    renameSync(path.join(place.root, "b"), path.join(place.root, "a.ipynb"));
    await page.call("notebook.save", { docId });
  });
});

describe("a disk that fails", () => {
  /** A disk on which one step fails as a real one does: the error comes from the system, not from us. */
  function failing(how: "full" | "no-rights" | "rename"): Disk {
    return {
      // Writing to /dev/full gives ENOSPC, whoever asks.
      open: (file, flags, mode) =>
        how === "full"
          ? open("/dev/full", "w", mode)
          : how === "no-rights"
            ? open("/proc/self/mem/x", flags, mode)
            : open(file, flags, mode),
      rename: (from, to) => (how === "rename" ? rename(from, path.join(to, "not-a-folder")) : rename(from, to)),
    };
  }

  test.skipIf(process.platform !== "linux").each([
    ["full", "save.disk-full", /^Not saved: the disk is full \(.* free on .*\)\. Your edits are kept here\.$/],
    ["rename", "save.folder-gone", /^Not saved: the folder .* is gone\. Your edits are kept here\.$/],
  ] as const)("%s: the file stays, the edits stay, the message says why and what to do", async (how, code, message) => {
    const place = workplace();
    const text = place.notebook("a.ipynb", ["1"]);
    const page = await place.page(place.host({ disk: failing(how) }));
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "mine")] });
    const error = await page.call("notebook.save", { docId }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code,
      kind: "environment",
      details: { actions: expect.arrayContaining(["save-elsewhere"]) },
    });
    expect((error as Error).message).toMatch(message);
    expect(readFileSync(path.join(place.root, "a.ipynb"), "utf8")).toBe(text);
    expect(readdirSync(place.root)).toEqual(["a.ipynb"]);
    const { dirty, notebook } = await page.call("notebook.open", { path: "a.ipynb" });
    expect([dirty, (notebook as unknown as Notebook).cells[0]!.source]).toEqual([true, "mine"]);
  });

  test("what cannot be saved in a folder that is gone can be saved elsewhere", async () => {
    const place = workplace();
    place.notebook("a.ipynb", ["1"]);
    const page = await place.page(place.host());
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "mine")] });
    await expect(page.call("notebook.save", { docId, path: "no/such/folder/b.ipynb" })).rejects.toMatchObject({
      code: "save.folder-gone",
    });
    expect(await page.call("notebook.save", { docId, path: "b.ipynb" })).toMatchObject({ path: "b.ipynb" });
  });
});

describe("crashes and second editors", () => {
  test("unsaved edits come back after the process is killed, and only until they are saved", async () => {
    const place = workplace();
    place.notebook("a.ipynb", ["1"]);
    const host = place.host();
    const page = await place.page(host);
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "unsaved")] });
    await host.documents.backUp();
    // A crash: nothing is closed. Its lock is ours (one process), so the end is played by letting the lock go.
    rmSync(path.join(place.home, "data/locks"), { recursive: true });

    const next = await place.page(place.host());
    const recovered = await next.call("notebook.open", { path: "a.ipynb" });
    expect([
      recovered.recovered,
      recovered.dirty,
      (recovered.notebook as unknown as Notebook).cells[0]!.source,
    ]).toEqual([true, true, "unsaved"]);
    await next.call("notebook.save", { docId: recovered.docId });
    expect(readdirSync(path.join(place.home, "data/backups"))).toEqual([]);
  });

  test("a notebook that was never saved comes back with the next new one", async () => {
    const place = workplace();
    const host = place.host();
    const page = await place.page(host);
    const { docId, notebook } = await page.call("notebook.new", {});
    const cellId = (notebook as unknown as Notebook).cells[0]!.id;
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource(cellId, "draft")] });
    await host.dispose();
    const next = await place.page(place.host());
    const again = await next.call("notebook.new", {});
    expect([again.recovered, (again.notebook as unknown as Notebook).cells[0]!.source]).toEqual([true, "draft"]);
    expect((await next.call("notebook.new", {})).recovered).toBe(false);
  });

  test("a second process opens the file read-only and takes over when the first is killed", async () => {
    const place = workplace();
    place.notebook("a.ipynb", ["1"]);
    // A real other process that holds the file the way a host does.
    const { build } = await import("esbuild");
    const bundled = path.join(place.folder, "holder.mjs");
    const contents = `
      import { FileLocks } from "./main/host/file-lock.ts";
      const [data, file] = process.argv.slice(2);
      console.log("lock" in new FileLocks(data).acquire(file) ? "held" : "refused");
      setInterval(() => undefined, 1000);`;
    const stdin = { contents, resolveDir: process.cwd() };
    await build({ stdin, outfile: bundled, bundle: true, platform: "node", format: "esm" });
    const args = [bundled, path.join(place.home, "data"), path.join(place.root, "a.ipynb")];
    const holder = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void holder.kill("SIGKILL"));
    const [said] = (await once(holder.stdout, "data")) as [Buffer];
    expect(said.toString()).toBe("held\n");

    const page = await place.page(place.host());
    const { docId, readOnly, problem } = await page.call("notebook.open", { path: "a.ipynb" });
    expect([readOnly, problem?.code]).toEqual([true, "notebook.open-elsewhere"]);
    expect(problem?.message).toContain(`another Parallax (process ${holder.pid}`);
    await expect(page.call("notebook.save", { docId, overwrite: true })).rejects.toMatchObject({
      code: "notebook.read-only",
    });

    place.notebook("a.ipynb", ["saved by the other"]);
    holder.kill("SIGKILL");
    const taken = await page.event("notebook.reopened", (view) => !view.readOnly);
    expect((taken.notebook as unknown as Notebook).cells[0]!.source).toBe("saved by the other");
    await page.call("notebook.apply", { docId, origin: page.origin, ops: [setSource("c1", "mine now")] });
    await page.call("notebook.save", { docId });
    expect(existsSync(path.join(place.root, "a.ipynb"))).toBe(true);
  });
});

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { editorTypes } from "../../main/host/editor-types.ts";
import { copyExample, type Example } from "../../main/host/examples.ts";
import { contentSecurityPolicy } from "../../main/host/page-policy.ts";
import { FRAME_SCRIPT_HASH } from "../../renderer/features/outputs/frame-script.ts";
import { workplace } from "../support/workplace.ts";

describe("the root folder", () => {
  test("lists folders, notebooks and files, without hidden ones and links that lead out", async () => {
    const place = workplace();
    place.notebook("b.ipynb", ["1"]);
    writeFileSync(path.join(place.root, "data.tsv"), "a\tb\n");
    writeFileSync(path.join(place.root, ".hidden"), "");
    mkdirSync(path.join(place.root, "sub"));
    mkdirSync(path.join(place.root, "node_modules"));
    symlinkSync(place.home, path.join(place.root, "way-out"));
    symlinkSync("/etc/passwd", path.join(place.root, "passwd"));
    symlinkSync("nowhere", path.join(place.root, "dangling"));
    const page = await place.page(place.host());
    const { entries } = await page.call("files.list", { folder: "" });
    expect(entries.map(({ name, kind, path: where }) => [name, kind, where])).toEqual([
      ["sub", "folder", "sub"],
      ["b.ipynb", "notebook", "b.ipynb"],
      ["data.tsv", "file", "data.tsv"],
    ]);
  });

  test.each(["../x.ipynb", "/etc/passwd", "way-out/x.ipynb", "sub/../../x.ipynb", "a\0b"])(
    "%j is refused for reading and for saving",
    async (name) => {
      const place = workplace();
      mkdirSync(place.home, { recursive: true });
      writeFileSync(path.join(place.folder, "x.ipynb"), place.notebook("inside.ipynb", ["1"]));
      writeFileSync(path.join(place.home, "x.ipynb"), "{}");
      symlinkSync(place.home, path.join(place.root, "way-out"));
      const page = await place.page(place.host());
      await expect(page.call("notebook.open", { path: name })).rejects.toMatchObject({ code: "file.outside-root" });
      const { docId } = await page.call("notebook.new", {});
      await expect(page.call("notebook.save", { docId, path: name, overwrite: true })).rejects.toMatchObject({
        code: "file.outside-root",
      });
      const listed = page.call("files.list", { folder: name.replace(/\/[^/]*$/, "") });
      await expect(listed).rejects.toMatchObject({
        code: expect.stringMatching(/^file\.(outside-root|missing|unreadable)$/),
      });
      expect(readFileSync(path.join(place.home, "x.ipynb"), "utf8")).toBe("{}");
    },
  );

  test("a missing notebook is named", async () => {
    const place = workplace();
    const page = await place.page(place.host());
    await expect(page.call("notebook.open", { path: "gone.ipynb" })).rejects.toMatchObject({
      code: "file.missing",
      kind: "environment",
      message: expect.stringContaining("gone.ipynb could not be opened: there is no such file"),
    });
  });
});

test("settings with a mistake cost that setting only, and the line is told", async () => {
  const place = workplace();
  const file = path.join(place.home, "config/settings.json");
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, '{\n  // mine\n  "theme": "dark",\n  "threads": "many",\n  "future": 1\n}\n');
  const page = await place.page(place.host());
  const { error } = await page.event("app.notice");
  expect(error).toMatchObject({
    code: "settings.invalid",
    message: expect.stringContaining(`${file} line 4: threads is "many".`),
  });
  const settings = await page.call("settings.set", { density: "compact" });
  expect(settings).toMatchObject({ theme: "dark", density: "compact" });
  expect(await page.event("settings.changed")).toEqual(settings);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    theme: "dark",
    threads: "many",
    future: 1,
    density: "compact",
  });
});

test("settings that are no JSON are kept beside before they are replaced", async () => {
  const place = workplace();
  const file = path.join(place.home, "config/settings.json");
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, '{\n  "theme": \n');
  const page = await place.page(place.host());
  expect((await page.event("app.notice")).error.message).toMatch(/is not valid JSON \(line \d: /);
  await page.call("settings.set", { theme: "light" });
  expect(readFileSync(`${file}.broken`, "utf8")).toBe('{\n  "theme": \n');
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ theme: "light" });
});

test("recent notebooks come newest first and say when they are gone", async () => {
  const place = workplace();
  for (const name of ["a.ipynb", "b.ipynb"]) place.notebook(name, ["1"]);
  const page = await place.page(place.host());
  await page.call("notebook.open", { path: "a.ipynb" });
  await page.call("notebook.open", { path: "b.ipynb" });
  await page.call("notebook.open", { path: "a.ipynb" });
  const { recents } = await page.call("app.start-page", {});
  expect(recents.map(({ path: where, missing }) => [where, missing])).toEqual([
    ["a.ipynb", false],
    ["b.ipynb", false],
  ]);
});

test("an example is copied with its data, and what is there already is never overwritten", async () => {
  const place = workplace();
  const from = path.join(place.folder, "examples");
  mkdirSync(path.join(from, "data/deep"), { recursive: true });
  writeFileSync(path.join(from, "x.ipynb"), "shipped");
  writeFileSync(path.join(from, "data/deep/t.tsv"), "shipped");
  writeFileSync(path.join(from, "data/u.tsv"), "shipped");
  const example: Example = {
    id: "x",
    file: path.join(from, "x.ipynb"),
    title: "",
    summary: "",
    minutes: 1,
    order: 1,
    files: ["data"],
  };
  expect(await copyExample(example, place.root)).toBe("parallax-examples/x.ipynb");
  const read = (name: string) => readFileSync(path.join(place.root, "parallax-examples", name), "utf8");
  writeFileSync(path.join(place.root, "parallax-examples/x.ipynb"), "edited");
  writeFileSync(path.join(place.root, "parallax-examples/data/u.tsv"), "edited");
  await copyExample(example, place.root);
  expect([read("x.ipynb"), read("data/u.tsv"), read("data/deep/t.tsv")]).toEqual(["edited", "edited", "shipped"]);
});

test("the editor gets declarations of parallax and of what they name", () => {
  const files = editorTypes();
  expect(files["parallax/index.d.ts"]).toContain("kernels/api/index");
  expect(files["zod/index.d.ts"]).toBeDefined();
});

test("the policy lets the script of HTML frames run, and no other inline script", () => {
  const policy = contentSecurityPolicy([]);
  expect(policy).toContain(`script-src 'self' '${FRAME_SCRIPT_HASH}';`);
  expect(policy).not.toContain("unsafe-eval");
});

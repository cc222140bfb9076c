import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { listFolders } from "../../main/host/folders.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-folders-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const make = (name: string, ...files: string[]) => {
  mkdirSync(path.join(root, name), { recursive: true });
  for (const file of files) writeFileSync(path.join(root, name, file), "");
};
make("plain");
make("model 10", "config.json", "tokenizer.json", "model.safetensors");
make("model 9", "modules.json");
make("settings", "config.json");
make(".hidden");
writeFileSync(path.join(root, "notes.txt"), "");
symlinkSync(path.join(root, "plain"), path.join(root, "linked"));
symlinkSync(path.join(root, "nowhere"), path.join(root, "broken"));

const list = (at: string | null, hidden = false) => listFolders(at, { hidden, root });
const failure = (at: string) =>
  list(at).then(
    () => "listed",
    (error: { code: string; message: string }) => [error.code, error.message],
  );

describe("folders for a page without a file dialog", () => {
  test("are those of a folder in the order of people, links followed, files and hidden ones left out", async () => {
    const found = await list(root);
    expect(found).toMatchObject({ folder: root, parent: path.dirname(root), isModel: false, left: 0 });
    expect(found.folders.map(({ name, isModel }) => (isModel ? `${name} *` : name))).toEqual([
      "linked",
      "model 9 *",
      "model 10 *",
      "plain",
      "settings",
    ]);
    expect((await list(root, true)).folders[0]).toEqual({
      name: ".hidden",
      path: path.join(root, ".hidden"),
      isModel: false,
    });
    expect((await list(path.join(root, "model 10"))).isModel).toBe(true);
  });

  test("begin at home, and the top has nothing above it", async () => {
    expect((await list(null)).folder).toBe(homedir());
    expect((await list("~")).folder).toBe(homedir());
    const top = await list(path.parse(root).root);
    expect(top.parent).toBeNull();
    expect(top.places.map(({ name }) => name)).toContain("Home");
  });

  test("say what cannot be listed, and why", async () => {
    const missing = path.join(root, "gone");
    expect(await failure(missing)).toEqual(["folder.missing", `There is no folder ${missing}.`]);
    expect(await failure("models/mine")).toEqual(["folder.not-absolute", '"models/mine" is not a whole path.']);
    const file = path.join(root, "notes.txt");
    expect(await failure(file)).toEqual(["folder.is-a-file", `${file} is a file, not a folder.`]);
    const long = path.join(root, "x".repeat(300));
    expect(await failure(long)).toEqual([
      "folder.unreadable",
      `${long} could not be listed: ENAMETOOLONG. Nothing was changed.`,
    ]);
  });

  // An administrator may read everything.
  test.skipIf(process.getuid === undefined || process.getuid() === 0)("say which may not be read", async () => {
    const locked = path.join(root, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0);
    expect(await failure(locked)).toEqual([
      "folder.unreadable",
      `${locked} could not be listed: you may not read it. Nothing was changed.`,
    ]);
    chmodSync(locked, 0o700);
  });

  test("stop when nobody waits for them", async () => {
    const signal = AbortSignal.abort();
    await expect(listFolders(root, { hidden: false, root, signal })).rejects.toMatchObject({ kind: "cancelled" });
  });
});

/** Two real `parallax serve` processes on one folder, one of which is killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Notebook } from "../../notebooks/format/model.ts";
import { TestClient } from "../support/client.ts";
import { workplace } from "../support/workplace.ts";

function serve(root: string, home: string): Promise<{ url: string; child: ChildProcess }> {
  const args = [path.resolve("dist/main/cli/index.mjs"), "serve", root, "--port", "0", "--no-open"];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PARALLAX_HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return new Promise((resolve, reject) => {
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text: Buffer) => {
        said += text.toString();
        const url = /http:\/\/\S+token=\S+/.exec(said)?.[0];
        if (url !== undefined) resolve({ url, child });
      });
    child.once("exit", (code) => reject(new Error(`serve ended with ${code}: ${said}`)));
  });
}

test("the second server shows the notebook read-only, and takes file and unsaved edits over when the first is killed", async () => {
  const place = workplace();
  place.notebook("a.ipynb", ["saved"]);
  const [first, second] = await Promise.all([serve(place.root, place.home), serve(place.root, place.home)]);
  const [one, two] = [await TestClient.connect(first.url), await TestClient.connect(second.url)];
  const { docId } = await one.call("notebook.open", { path: "a.ipynb" });
  await one.call("notebook.apply", {
    docId,
    origin: one.origin,
    ops: [{ type: "set-source", cellId: "c1", source: "unsaved" } as never],
  });
  const view = await two.call("notebook.open", { path: "a.ipynb" });
  expect([view.readOnly, view.problem?.code]).toEqual([true, "notebook.open-elsewhere"]);

  await expect
    .poll(() => readdirSync(path.join(place.home, "data")).includes("backups"), { timeout: 15_000 })
    .toBe(true);
  await expect
    .poll(() => readdirSync(path.join(place.home, "data/backups")).filter((name) => name.endsWith(".json")).length, {
      timeout: 15_000,
    })
    .toBe(1);
  first.child.kill("SIGKILL");
  const taken = await two.event("notebook.reopened", ({ readOnly }) => !readOnly);
  expect([taken.recovered, taken.dirty, (taken.notebook as unknown as Notebook).cells[0]!.source]).toEqual([
    true,
    true,
    "unsaved",
  ]);
  await two.call("notebook.save", { docId: taken.docId });
  expect(readdirSync(path.join(place.home, "data/backups"))).toEqual([]);
});

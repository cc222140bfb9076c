/** `parallax mine`, `filter` and `leaks` as a script sees them. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { root } from "../../scripts/build.mjs";

const folder = mkdtempSync(path.join(tmpdir(), "parallax-cli-mining-"));
vi.setConfig({ testTimeout: 90_000 });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function parallax(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [path.join(root, "bin/parallax.mjs"), ...args], {
    cwd: folder,
    env: { ...process.env, PARALLAX_HOME: path.join(folder, "app"), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk.toString()));
  return new Promise((resolve) =>
    child.on("close", (code) => resolve({ code, stdout: out.join(""), stderr: err.join("") })),
  );
}

const THINGS = ["passport", "library card", "bus ticket", "tax form", "museum pass", "wedding hall"];

test("filter, mine and leaks make rows of rows, each with its report", async () => {
  const rows = THINGS.map((thing) => `What does a ${thing} cost?\tThe price of a ${thing} is on the list.`);
  rows.push("Who repairs the lamps?\tThe price of a passport is on the list.", "A row without a positive\t");
  writeFileSync(path.join(folder, "rows.tsv"), ["question\tanswer", ...rows].join("\n"));
  const refused = await parallax("filter", "--in", "rows.tsv", "--out", "clean.tsv", "--encoder", "default-static");
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain('Pair 8 has an empty text in "answer"');

  const common = ["--encoder", "default-static", "--drop-bad", "--json"];
  const clean = await parallax("filter", "-i", "rows.tsv", "-o", "clean.tsv", "-k", "1", ...common);
  expect(JSON.parse(clean.stdout)).toMatchObject({ rows: 7, kept: 6, dropped: 1, pool: 6, k: 1 });
  const mined = await parallax("mine", "-i", "clean.tsv", "-o", "mined.jsonl", "-n", "2", "--ranks", "1-5", ...common);
  expect(JSON.parse(mined.stdout)).toMatchObject({ rows: 6, kept: 6, mined: 12, candidates: 6 });
  const lines = readFileSync(path.join(folder, "mined.jsonl"), "utf8").trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { negatives: string[] }).negatives.length)).toEqual([
    2, 2, 2, 2, 2, 2,
  ]);

  const pairs = ["what does a passport cost\tx", "a\tb", "c\td"].map((line, i) => `${line}\t${i}`);
  writeFileSync(path.join(folder, "test.tsv"), ["sentence1\tsentence2\tscore", ...pairs].join("\n"));
  const leaks = await parallax("leaks", "-i", "mined.jsonl", "-t", "test.tsv");
  expect(leaks.code).toBe(1);
  expect(leaks.stdout).toContain('Row 1, anchor: "What does a passport cost?" is among the sentences of test.');
  const apart = await parallax("leaks", "-i", "mined.jsonl", "-t", "test.tsv", "-o", "apart.jsonl");
  expect(apart.code).toBe(0);
  expect(apart.stdout).toContain("apart.jsonl: 5 rows");
  expect((await parallax("mine", "-i", "clean.tsv", "-o", "x.jsonl", "--ranks", "5")).code).toBe(2);
});

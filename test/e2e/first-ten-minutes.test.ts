/**
 * A newcomer's first ten minutes as the README has them: `npm start`, the first example by keyboard to its end, save.
 * The same notebook under `parallax run` must give the same numbers, and Jupyter's own tools must take the file.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MIME } from "../../kernels/protocol/display.ts";
import type { Cell, Notebook } from "../../notebooks/format/model.ts";
import { root } from "../../scripts/build.mjs";
import { chromiumPath, launchBrowser } from "../support/browser.ts";

/** Forty training steps, four evaluations and two maps on two cores. */
const WHOLE_NOTEBOOK = 420_000;
const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-first-"));
const home = path.join(folder, "app");
const screens = path.join(root, "test/.output/screens");
const environment = { ...process.env, PARALLAX_HOME: home };

let fromPage: Notebook | undefined;
let fromCommand: Notebook | undefined;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(chromiumPath() === null)("the page that npm start opens", () => {
  let child: ChildProcess;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    mkdirSync(screens, { recursive: true });
    mkdirSync(path.join(folder, "page"));
    child = spawn(
      process.execPath,
      [path.join(root, "scripts/start.mjs"), path.join(folder, "page"), "--no-open", "--port", "0"],
      {
        env: environment,
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const address = await new Promise<string>((resolve, reject) => {
      let printed = "";
      child.stdout?.on("data", (data: Buffer) => {
        printed += data.toString();
        const found = /http:\/\/\S+/.exec(printed);
        if (found) resolve(found[0]);
      });
      child.on("exit", (code) =>
        reject(new Error(`npm start ended with ${code} before it printed an address: ${printed}`)),
      );
    });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(address);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    child?.kill("SIGTERM");
    await new Promise((resolve) => (child?.exitCode === null ? child.once("exit", resolve) : resolve(null)));
  });

  test(
    "runs the example to its end by keyboard alone",
    async () => {
      await page.waitForSelector(".start-item", { timeout: 30_000 });
      await page.screenshot({ path: path.join(screens, "start.png") });
      await page.keyboard.press("Enter");
      await page.waitForSelector(".cell", { timeout: 30_000 });
      const cells = await page.locator(".cell").count();
      // The last cell is text: Shift+Enter there would add an empty cell, as in Jupyter.
      for (let i = 1; i < cells; i++) await page.keyboard.press("Shift+Enter");
      const states = () =>
        page.locator(".cell.code").evaluateAll((all) => all.map((cell) => cell.getAttribute("aria-label") ?? ""));
      // The curve is there while the run goes on, not only after it.
      await page.waitForSelector('[role="progressbar"]', { timeout: WHOLE_NOTEBOOK });
      const deadline = Date.now() + WHOLE_NOTEBOOK;
      let live = false;
      while (Date.now() < deadline) {
        const now = await states();
        if (
          !live &&
          now.some((label) => /^Code cell 10, running/.test(label)) &&
          (await page.getByText(/step \d+ of 40/).count()) > 0
        ) {
          live = true;
          await page.screenshot({ path: path.join(screens, "fine-tune-running.png") });
        }
        if (
          now.some((label) => /failed|stopped/.test(label)) ||
          now.filter((label) => /, done/.test(label)).length === 7
        )
          break;
        await page.waitForTimeout(250);
      }
      expect((await states()).map((label) => /, (\w+)/.exec(label)?.[1])).toEqual(Array(7).fill("done"));
      expect(live).toBe(true);
      for (const scheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.screenshot({ path: path.join(screens, `example-end-${scheme}.png`) });
      }
      await page.keyboard.press("Control+s");
      const saved = path.join(folder, "page/parallax-examples/start-here.ipynb");
      await expect.poll(() => readFileSync(saved, "utf8").includes(MIME.map), { timeout: 20_000 }).toBe(true);
      fromPage = JSON.parse(readFileSync(saved, "utf8")) as Notebook;
      expect(problems).toEqual([]);
    },
    2 * WHOLE_NOTEBOOK,
  );
});

describe("parallax run", () => {
  test(
    "runs the examples to their end without a window",
    () => {
      const place = path.join(folder, "command");
      cpSync(path.join(root, "notebooks/examples"), place, { recursive: true });
      for (const name of ["start-here", "your-own-data", "an-encoder-up-close", "training-data"]) {
        const out = path.join(place, `${name}.out.ipynb`);
        execFileSync(
          process.execPath,
          [path.join(root, "bin/parallax.mjs"), "run", path.join(place, `${name}.ipynb`), "--out", out],
          {
            env: environment,
            stdio: ["ignore", "ignore", "pipe"],
          },
        );
        const notebook = JSON.parse(readFileSync(out, "utf8")) as Notebook;
        for (const cell of codeCells(notebook))
          expect(cell.outputs?.filter((output) => output.output_type === "error")).toEqual([]);
        if (name === "start-here") fromCommand = notebook;
      }
    },
    2 * WHOLE_NOTEBOOK,
  );

  test("gives the numbers that the page gave", (context) => {
    if (fromPage === undefined || fromCommand === undefined) return context.skip();
    expect(numbers(fromCommand)).toEqual(numbers(fromPage));
  });

  test("writes what Jupyter's own tools take", (context) => {
    const python = ["/usr/bin/python3", "python3"].find((name) => hasNbformat(name));
    const notebook = fromPage ?? fromCommand;
    if (python === undefined || notebook === undefined) return context.skip();
    const file = path.join(folder, "saved.ipynb");
    writeFileSync(file, JSON.stringify(notebook));
    execFileSync(python, [
      "-c",
      "import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], as_version=nbformat.NO_CONVERT))",
      file,
    ]);
    execFileSync(python, ["-m", "nbconvert", "--to", "html", file, "--output", "saved.html"], { stdio: "pipe" });
    const html = readFileSync(path.join(folder, "saved.html"), "utf8");
    expect(html).toContain("Trustworthiness");
    expect(html).toContain("<svg");
  }, 120_000);
});

function hasNbformat(python: string): boolean {
  return spawnSync(python, ["-c", "import nbformat, nbconvert"]).status === 0;
}

const codeCells = (notebook: Notebook): Cell[] => notebook.cells.filter((cell) => cell.cell_type === "code");

/** Every number that a reader could publish; times and names of runs left out. */
function numbers(notebook: Notebook): unknown[] {
  return codeCells(notebook).flatMap((cell) =>
    (cell.outputs ?? []).flatMap((output) => {
      const data = "data" in output ? (output.data as Record<string, Record<string, unknown>>) : {};
      const prompts = data[MIME.prompts];
      const map = data[MIME.map];
      const run = data[MIME.run];
      const table = data[MIME.table];
      if (prompts) {
        const scores = prompts.scores as {
          name: string;
          score: number;
          delta: number;
          interval: unknown;
          deltaInterval: unknown;
          p: number;
          pHolm: number;
        }[];
        return [
          {
            best: prompts.best,
            gap: prompts.gap,
            scores: scores.map(({ name, score, delta, interval, deltaInterval, p, pHolm }) => ({
              name,
              score,
              delta,
              interval,
              deltaInterval,
              p,
              pHolm,
            })),
          },
        ];
      }
      if (map) return [{ points: map.points, neighbours: map.neighbours, trustworthiness: map.trustworthiness }];
      if (run) {
        const snapshot = run.snapshot as Record<string, unknown>[];
        return [snapshot.map(({ elapsedMs: _, ...metric }) => metric)];
      }
      return table ? [table.rows] : [];
    }),
  );
}

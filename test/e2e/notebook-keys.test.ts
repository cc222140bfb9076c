/**
 * The page in a real browser, keyboard only, with a fake host behind it: keys, states, accessibility, both themes.
 * Screenshots go to test/.output/screens.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { root } from "../../scripts/build.mjs";
import { launchBrowser } from "../support/browser.ts";
import { FakeHost } from "../support/fake-host.ts";
import { type PageServer, serveFake } from "../support/fake-server.ts";
import { openedNotebook } from "../support/opened-notebook.ts";

const screens = path.join(root, "test/.output/screens");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const TYPES = `export interface EmbeddingSet { /** Number of texts. */ readonly n: number; readonly dimensions: number }
/** Encode texts. */
export declare function encode(texts: readonly string[], options?: { prompt?: string }): Promise<EmbeddingSet>;
`;
const SOURCES = [
  "# Start here\n\nPress **Shift+Enter**.",
  'import { encode } from "parallax";\n\nconst texts = ["a", "b"]; // => string[2]',
  'const q = await encode(texts, { prompt: "query: {text}" });\nq // => Float32 [200, 384]',
  "const layout = [q]; // ~ 20",
  "const bad = 1; // !! a is [200, 384], b is [500, 768].",
  "const q = q;",
];

let browser: Browser;
let host: FakeHost;
let server: PageServer;
let page: Page;
let problems: string[];

beforeAll(async () => {
  mkdirSync(screens, { recursive: true });
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

async function open(scheme: "light" | "dark" = "light"): Promise<void> {
  host = new FakeHost({
    files: { "notes.ipynb": openedNotebook(["1 // => number"]).notebook as never },
    recents: [{ path: "notes.ipynb", name: "notes.ipynb", openedAt: "2026-01-01T10:00:00.000Z", missing: false }],
    examples: [
      {
        id: "start-here",
        title: "Start here",
        summary: "Encode, compare, map, fine-tune.",
        minutes: 2,
        notebook: openedNotebook(SOURCES).notebook as never,
      },
    ],
    editorTypes: { "parallax/index.d.ts": TYPES },
  });
  server = await serveFake(host);
  page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    colorScheme: scheme,
    reducedMotion: "reduce",
  });
  problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(server.address);
  await page.waitForSelector(".start-item");
}

/** Patient: a loaded machine may take seconds to load the editor. */
const until = <T>(read: () => T, options: { timeout?: number; interval?: number } = {}) =>
  expect.poll(read, { timeout: 15_000, interval: 100, ...options });
const press = async (...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key);
};
const shoot = (name: string) => page.screenshot({ path: path.join(screens, `${name}.png`) });
const activeCell = () => page.locator(".cell.active");
const cell = (id: string) => page.locator(`.cell[data-cell="${id}"]`);
const focusedName = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
const docId = () => [...host.docs.keys()][0] as string;
const sources = () => host.doc(docId()).notebook.cells.map((one) => one.source);

async function openExample(): Promise<void> {
  // The newest notebook has the focus; Tab goes to the examples.
  await press("Tab", "Enter");
  await page.waitForSelector(".cell");
  await until(focusedName).toBe("Text cell 1, Start here");
}

async function seriousViolations(): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const run = (
      window as unknown as {
        axe: {
          run(options: object): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
        };
      }
    ).axe;
    const { violations } = await run.run({ resultTypes: ["violations"] });
    return violations
      .filter((one) => one.impact === "serious" || one.impact === "critical")
      .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
}

afterEach(async () => {
  const found = problems;
  await page.close();
  await server.close();
  expect(found).toEqual([]);
});

describe("the start page", () => {
  beforeEach(() => open());

  it("puts the focus on the newest notebook, and arrows and Enter open one", async () => {
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("notes.ipynb");
    expect(await seriousViolations()).toEqual([]);
    await shoot("start-light");
    await press("Enter");
    await until(focusedName).toBe("Code cell 1");
  });

  it("opens a file by the dialog, and a new notebook helps to begin", async () => {
    await press("Control+o");
    await until(() => page.evaluate(() => document.activeElement?.className)).toBe("file-row");
    await press("Escape", "Control+k");
    await page.keyboard.type("new note");
    await press("Enter");
    await page.waitForSelector(".first-help");
    expect(await seriousViolations()).toEqual([]);
    await shoot("new-light");
  });
});

describe("the notebook", () => {
  beforeEach(async () => {
    await open();
    await openExample();
  });

  it("runs through with Shift+Enter, shows each state in words, and stops at a failure", async () => {
    await press("Shift+Enter", "Shift+Enter", "Shift+Enter", "Shift+Enter");
    await until(() => cell("c4").locator(".cell-job").count()).toBe(1);
    await until(() => cell("c4").locator(".cell-state").textContent()).toMatch(/^✓ done/);
    await press("Shift+Enter");
    await until(() => cell("c5").getAttribute("aria-label")).toMatch(/^Code cell 5, failed, last run/);
    expect(await cell("c3").locator(".cell-count").textContent()).toBe("[2]");
    expect(await cell("c3").locator(".cell-output").textContent()).toContain("Float32 [200, 384]");
    await until(() => page.locator("[aria-live=polite][aria-atomic=true]").first().textContent()).toContain(
      "Cell 5 failed",
    );
    await press("F8");
    await until(focusedName).toMatch(/^Code cell 5/);
    await shoot("ran-light");
  });

  it("edits with Enter, leaves with Escape, and runs what was typed", async () => {
    await press("j", "Enter");
    await until(focusedName).toBe("Code cell 2, editor");
    await press("Control+End");
    await page.keyboard.type("\nconst more = 5;");
    await press("Escape");
    await until(focusedName).toBe("Code cell 2");
    await press("Control+Enter");
    await until(() => host.calls.some((call) => call.method === "cell.run")).toBe(true);
    expect(sources()[1]).toMatch(/const more = 5;$/);
    // Alt+Enter from inside the editor: a new cell below, in edit mode.
    await press("Enter");
    await until(focusedName).toMatch(/^Code cell 2.*editor$/);
    await press("Alt+Enter");
    await until(() => sources().length).toBe(SOURCES.length + 1);
    await until(focusedName).toBe("Code cell 3, editor");
  });

  it("keeps Jupyter's keys for cells", async () => {
    await press("j", "b", "y", "d", "d");
    expect(await page.locator(".cell").count()).toBe(SOURCES.length);
    await press("z");
    await until(() => page.locator(".cell").count()).toBe(SOURCES.length + 1);
    await press("z");
    await until(() => page.locator(".cell").count()).toBe(SOURCES.length);
    await press("Shift+J", "c", "v");
    await until(() => page.locator(".cell").count()).toBe(SOURCES.length + 2);
    await press("m", "2", "Shift+Enter");
    await until(() => page.locator(".cell .prose h2").count()).toBe(1);
    await press("Control+Shift+ArrowUp", "Shift+M", "Shift+L");
    await until(() => page.locator(".monaco-editor .line-numbers").count()).toBeGreaterThan(0);
  });

  it("splits at the cursor and takes it back", async () => {
    await press("j", "Enter");
    await until(focusedName).toBe("Code cell 2, editor");
    await press("Control+Home", "ArrowDown", "Control+Shift+Minus");
    await until(() => sources()[1]).toBe('import { encode } from "parallax";');
    expect(sources()[2]).toBe('const texts = ["a", "b"]; // => string[2]');
    await press("Escape", "z");
    await until(() => sources()[1]).toBe(SOURCES[1]);
  });

  it("knows parallax and earlier cells' names, and lets a name be declared again", async () => {
    await press("j", "j", "j", "Enter");
    await until(focusedName).toBe("Code cell 4, editor");
    await press("Control+Home");
    await page.keyboard.type("q.");
    await until(
      async () => {
        await press("Control+Space");
        return page
          .locator(".monaco-overflow .suggest-widget.visible")
          .textContent({ timeout: 1000 })
          .catch(() => "");
      },
      { timeout: 40_000, interval: 1500 },
    ).toContain("dimensions");
    await shoot("completion-light");
    await press("Escape", "Control+z", "Control+z", "Escape");
    // Cell 6 declares q again, and reads itself: only that is wrong, not the second declaration.
    await press("j", "j", "Enter");
    await until(() => cell("c6").locator(".squiggly-error").count(), { timeout: 20_000 }).toBeLessThanOrEqual(2);
    expect(await cell("c3").locator(".squiggly-error").count()).toBe(0);
  });

  it("marks stale cells with the reason and runs them with G G", async () => {
    host.setCell(docId(), "c3", { stale: "`texts` changed in cell [1]" });
    await until(() => cell("c3").locator(".stale-line").textContent()).toContain("≠ stale: texts changed in cell [1]");
    await press("g", "g");
    await until(() => cell("c3").locator(".cell-state").textContent()).toMatch(/✓ done/);
  });

  it("says what is safe when the kernel dies and when saving fails", async () => {
    host.setKernel(docId(), {
      state: "stopped",
      exit: { reason: "signal SIGKILL", cellId: "c3", log: ["fatal: boom"] },
    });
    host.failures.set(
      "notebook.save",
      new ParallaxError("disk.full", "The disk is full (0 B free on /home).", { kind: "environment" }),
    );
    await press("Control+s");
    await until(() => page.locator(".error-block.bar").allTextContents()).toEqual([
      expect.stringContaining("The kernel stopped (signal SIGKILL) while cell [3] ran."),
      expect.stringContaining("Not saved: The disk is full (0 B free on /home). Your edits are kept here."),
    ]);
    await shoot("bars-light");
    expect(await seriousViolations()).toEqual([]);
    await page.getByRole("button", { name: "Restart", exact: true }).press("Enter");
    await until(() => page.locator(".error-block.bar").count()).toBe(1);
  });

  it("goes round the regions with F6, and palette, help and questions give the focus back", async () => {
    const regions = new Set<string>();
    for (let i = 0; i < 5; i++) {
      await press("F6");
      regions.add(
        await page.evaluate(() => document.activeElement?.closest("[data-region]")?.getAttribute("data-region") ?? ""),
      );
    }
    expect([...regions].sort()).toEqual(["jobs", "main", "rail", "tabs", "title"]);
    for (const keys of [["?"], ["Control+k"], ["0", "0"], ["Control+,"]]) {
      await activeCell().focus();
      await press(...keys);
      await page.waitForSelector("dialog[open]");
      expect(await seriousViolations()).toEqual([]);
      await press("Escape");
      await until(focusedName).toBe("Text cell 1, Start here");
    }
  });

  it("stops a job, and offers force when it does not stop", async () => {
    const job = { id: "j", docId: docId(), cellId: null, stage: "Encoding", done: 420, total: 1000, unit: "texts" };
    host.emit("job.changed", { job: { ...job, rate: 610, etaMs: 38_000, note: null, finished: false } });
    const bar = page.locator(".jobs-bar");
    await until(() => bar.textContent()).toContain("Encoding 42 % · 420 of 1,000 texts · 610 texts/s · 38 s left");
    expect(await bar.getByRole("progressbar").getAttribute("aria-valuetext")).toBe("25 %");
    await bar.getByRole("button", { name: "Cancel" }).press("Enter");
    await until(() => bar.textContent()).toContain("Stopping…");
    await until(() => bar.textContent(), { timeout: 8000 }).toContain(
      "Force stop (restarts the kernel, variables are lost)",
    );
  });
});

it("is as readable in the dark", async () => {
  await open("dark");
  await shoot("start-dark");
  expect(await seriousViolations()).toEqual([]);
  await openExample();
  await press("Shift+Enter", "Shift+Enter", "Shift+Enter", "Shift+Enter", "Shift+Enter");
  await until(() => cell("c5").getAttribute("aria-label"), { timeout: 15_000 }).toContain("failed");
  await press("Control+j");
  await page.waitForSelector(".variables table");
  await shoot("ran-dark");
  expect(await seriousViolations()).toEqual([]);
});

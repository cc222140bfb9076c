/** A newcomer's first minutes with the real host and a real kernel, by keyboard: start page, example, run, stop, save. */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../../scripts/build.mjs";
import { launchBrowser } from "../support/browser.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";

const screens = path.join(root, "test/.output/screens");
/** The first encode builds the default encoder's graph. */
const SLOW = 90_000;

let browser: Browser;
let server: PageServer;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  mkdirSync(screens, { recursive: true });
  server = await startPageServer();
  browser = await launchBrowser();
  page = await browser.newPage({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce" });
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(server.address);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Patient: a loaded machine may take seconds to load the editor. */
const until = <T>(read: () => T, options: { timeout?: number; interval?: number } = {}) =>
  expect.poll(read, { timeout: 15_000, interval: 100, ...options });
const press = async (...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key);
};
const focusedName = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
const states = () =>
  page.locator(".cell.code").evaluateAll((cells) => cells.map((cell) => cell.getAttribute("aria-label") ?? ""));

it("opens the first example from the start page with Enter", async () => {
  await page.waitForSelector(".start-item", { timeout: 20_000 });
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Start here");
  await press("Enter");
  await page.waitForSelector(".cell", { timeout: 20_000 });
  await until(focusedName).toBe("Text cell 1, Start here");
}, 60_000);

it(
  "reads a table and encodes real texts with Shift+Enter",
  async () => {
    await press("Shift+Enter", "Shift+Enter", "Shift+Enter", "Shift+Enter");
    await until(async () => (await states()).slice(0, 2), { timeout: SLOW, interval: 500 }).toEqual([
      expect.stringMatching(/^Code cell 2, done/),
      expect.stringMatching(/^Code cell 4, done/),
    ]);
    expect(await page.locator(".kernel-line").textContent()).toMatch(/ready · .*all-MiniLM-L6-v2/);
    await page.screenshot({ path: path.join(screens, "example-light.png") });
  },
  SLOW + 10_000,
);

it("has no error in the example by its own declarations", async () => {
  // A mistake of our own shows that the declarations were read; only it is marked.
  await press("b", "Enter");
  await until(focusedName).toMatch(/editor$/);
  await page.keyboard.insertText("texts.nonsense;");
  await until(() => page.locator(".cell.active .squiggly-error").count(), { timeout: 40_000 }).toBe(1);
  for (const id of await page.locator(".cell.code").evaluateAll((cells) => cells.map((cell) => cell.dataset.cell))) {
    const cell = page.locator(`.cell[data-cell="${id}"]`);
    await cell.scrollIntoViewIfNeeded();
    await cell.locator(".monaco-editor").waitFor();
  }
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(
    await page
      .locator(".cell.code")
      .evaluateAll((cells) => cells.map((cell) => cell.querySelectorAll(".squiggly-error").length).filter(Boolean)),
  ).toEqual([1]);
  await press("Escape", "d", "d");
}, 80_000);

it("stops an endless loop with I I and keeps the variables", async () => {
  await press("b", "Enter");
  await until(focusedName).toMatch(/editor$/);
  await page.keyboard.insertText("let n = 7; await null; while (true) n = 7;");
  await press("Shift+Enter");
  await until(() => page.locator(".kernel-line").textContent(), { timeout: 20_000 }).toContain("busy");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await press("i", "i");
  await until(() => page.locator('.cell[aria-label*="stopped"]').count(), { timeout: 20_000 }).toBe(1);
  await press("b", "Enter");
  await until(focusedName).toMatch(/editor$/);
  await page.keyboard.insertText("n * 6");
  await press("Control+Enter");
  await until(() => page.locator(".cell.active .cell-output").textContent(), { timeout: 20_000 }).toContain("42");
}, 90_000);

it("saves with Mod+S, and the file holds what is seen", async () => {
  await press("Control+s");
  await until(() => page.locator(".title-file").textContent(), { timeout: 20_000 }).toMatch(/saved \d\d:\d\d/);
  const file = path.join(server.root, "parallax-examples/start-here.ipynb");
  expect(readFileSync(file, "utf8")).toContain("n * 6");
}, 40_000);

it("finds the notebook and its kernel again after a reload", async () => {
  await page.reload();
  await page.waitForSelector(".cell", { timeout: 20_000 });
  await until(() => page.locator(".kernel-line").textContent()).toContain("ready");
  expect(problems).toEqual([]);
}, 40_000);

/** The encoders screen on the real host: a hub on loopback, the encoder service's own process, a real kernel. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, launchBrowser } from "../support/browser.ts";
import { HubServer } from "../support/hub-server.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const ID = "tiny/bert-of-tests";

describe.skipIf(chromiumPath() === null)("encoders from a hub to a cell", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-encoders-"));
  const before = { ...process.env };
  const problems: string[] = [];
  let hub: HubServer;
  let server: PageServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const model = writeTinyBert(path.join(folder, "model"));
    hub = await HubServer.start({ models: { [ID]: model } });
    Object.assign(process.env, { PARALLAX_HOME: path.join(folder, "home"), HF_ENDPOINT: hub.endpoint });
    for (const name of ["HF_TOKEN", "HF_HUB_OFFLINE", "PARALLAX_OFFLINE", "HTTP_PROXY", "http_proxy"])
      delete process.env[name];
    server = await startPageServer();
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(server.address);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await hub?.close();
    process.env = before;
    rmSync(folder, { recursive: true, force: true });
  });

  const row = () => page.locator(`[data-encoder="${ID}"]`);
  const word = (text: string | RegExp) => row().locator(".enc-word", { hasText: text }).waitFor({ timeout: 30_000 });

  test("finds, pauses, resumes, measures, uses and runs by Space, shows its name on the title bar, undoes", {
    timeout: 120_000,
  }, async () => {
    await page.locator(".start-item").first().waitFor({ timeout: 30_000 });
    await page.keyboard.press("Control+2");
    await page.locator('[data-encoder="default"]').waitFor({ timeout: 30_000 });
    await page.keyboard.press("/");
    await page.getByRole("searchbox").fill("bert-of");
    const { host } = new URL(hub.endpoint);
    await page.getByRole("button", { name: `Search ${host} for “bert-of”` }).click();
    await word("not here");
    hub.trouble = (seen) => (seen.host === "store" ? { stallAfter: 50_000 } : undefined);
    await row()
      .getByRole("button", { name: `Download bert-of-tests from ${host}` })
      .click();
    await row()
      .getByText(/model\.safetensors \d+.* of \d+.*, \d of \d files/)
      .waitFor({ timeout: 30_000 });
    await page.locator(".jobs-text", { hasText: `Downloading ${ID}` }).waitFor();
    await row().getByRole("button", { name: "Pause bert-of-tests" }).click();
    await word(/paused at \d+ %/);
    hub.trouble = undefined;
    await row()
      .getByRole("button", { name: `Resume bert-of-tests from ${host}` })
      .click();
    await word("ready");
    await row().focus();
    await page.keyboard.press("Enter");
    await page.getByText("trusted on first use: equal to what the hub itself said").waitFor();
    const measure = page.getByRole("button", { name: "Measure", exact: true });
    await measure.click();
    // The service's own count of texts, of the first row and of a later one.
    await row()
      .getByText(/^cpu, 1 thread.* · [\d,]+ texts · [\d,.]+ texts\/s · .* left$/)
      .waitFor({ timeout: 30_000 });
    const before = Date.now();
    await row().getByRole("button", { name: "Cancel measuring bert-of-tests" }).click();
    await word("ready");
    // Another one begins only when the service let go of the first.
    await measure.click();
    await row()
      .getByText(/^cpu, \d+ threads?.* texts\/s/)
      .waitFor();
    expect(Date.now() - before).toBeLessThan(10_000);
    await word("ready");
    await row()
      .locator(".enc-speed", { hasText: /^[\d,]+/ })
      .waitFor();
    await row().focus();
    await page.keyboard.press("Space");
    const cell = page.locator(".cell.code", { hasText: `loadEncoder("${ID}")` });
    await cell.waitFor({ timeout: 30_000 });
    await page.locator(".kernel-line", { hasText: "bert-of-tests" }).waitFor({ timeout: 60_000 });
    await page.keyboard.press("z");
    await cell.waitFor({ state: "detached" });
    await page.keyboard.press("Control+2");
    await row().focus();
    await page.keyboard.press("Delete");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^Remove, free/ })
      .click();
    // The hub still has it.
    await word("not here");
    expect(problems).toEqual([]);
  });
});

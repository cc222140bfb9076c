import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Harness, screenshots, startHarness } from "../support/outputs-page.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
}, 120_000);
afterAll(async () => {
  await harness?.close();
});
beforeEach(() => {
  harness.problems.length = 0;
});

const TIME = 60_000;
const shot = (page: Page, name: string) => page.screenshot({ path: `${screenshots}/encoders-${name}.png` });
const row = (page: Page, name: string) => page.locator(".enc-entry", { has: page.getByText(name, { exact: true }) });
const calls = (page: Page, method: string) =>
  page.evaluate((wanted) => window.harness.calls.filter((call) => call.method === wanted), method);

describe("the encoders screen", () => {
  it("shows what decides a choice and the state of each in words, in light and dark", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders");
    await row(page, "bge-small-en-v1.5").waitFor();
    await page.getByText("Disk: 240 MB of 42 GB free").waitFor();
    const words = await page.locator(".enc-entry .enc-word").allInnerTexts();
    expect(words).toEqual(["✓ ready", "✓ ready", "◐ 61 %", "■ paused at 22 %", "✕ failed", "✓ ready"]);
    expect(
      await page
        .getByRole("row", { name: /^bge-small-en-v1.5, 384 dimensions, 512 tokens, 133 MB, MIT, ready/ })
        .count(),
    ).toBe(1);
    await page
      .getByText("model.safetensors 81 of 133 MB · 82 of 134 MB, 2 of 3 files · 4.2 MB/s · 12 s left")
      .waitFor();
    await shot(page, "light");
    expect(await harness.accessibility(page)).toEqual([]);
    await page.getByRole("tab", { name: "All 9" }).click();
    await page.evaluate(() => window.harness.setTheme("dark"));
    await row(page, "instructor-large").waitFor();
    await shot(page, "dark");
    expect(await harness.accessibility(page)).toEqual([]);
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });

  it("is worked by keys: arrows, Enter, Delete, Escape and /", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders");
    await row(page, "all-MiniLM-L6-v2").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByText("equal to the sha256 that Parallax knows").waitFor();
    const details = page.getByRole("region", { name: "Details of bge-small-en-v1.5" });
    expect(await details.getByRole("row", { name: /^pooling/ }).textContent()).toMatch(/meanclsthe folder/);
    await details.getByText('"Represent this sentence for searching relevant passages: "').first().waitFor();
    await shot(page, "details");
    expect(await harness.accessibility(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "detached" });
    await page.keyboard.press("Delete");
    const dialog = page.getByRole("dialog", { name: "Remove bge-small-en-v1.5?" });
    await dialog.getByText("2 things depend on it").waitFor();
    await dialog.getByText("lively-otter").waitFor();
    await shot(page, "remove");
    await dialog.getByRole("button", { name: "Remove, free 133 MB" }).click();
    await row(page, "bge-small-en-v1.5").waitFor({ state: "detached" });
    expect(await calls(page, "encoders.remove")).toHaveLength(1);
    await page.keyboard.press("/");
    await page.keyboard.type("folder-less");
    await page.getByText("No encoder here matches “folder-less”.").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-encoder"))).not.toBeNull();
    await page.context().close();
  });

  it("pauses, resumes, cancels, frees the part, and asks the hub only by a button", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders");
    await page.getByRole("button", { name: "Pause e5-small-v2" }).click();
    await row(page, "e5-small-v2").getByText("paused at 61 %").waitFor();
    await page.getByRole("button", { name: "Resume e5-small-v2 from huggingface.co" }).click();
    await page.getByRole("button", { name: "Cancel e5-small-v2; the part is kept" }).click();
    await row(page, "e5-small-v2").getByText("stopped at 22 %").waitFor();
    await page.getByRole("button", { name: "Remove part of e5-small-v2" }).click();
    await row(page, "e5-small-v2").waitFor({ state: "detached" });
    await page.getByRole("searchbox").fill("mine");
    expect(await calls(page, "encoders.find")).toEqual([]);
    await page.getByRole("button", { name: "Search huggingface.co for “mine”" }).click();
    await row(page, "bge-of-mine").waitFor();
    await page.getByRole("searchbox").fill("broken");
    await page.getByRole("button", { name: "Search huggingface.co for “broken”" }).click();
    await page.getByText(/No network:.*3 encoders here work offline/).waitFor();
    await shot(page, "no-network");
    await page.getByRole("button", { name: "Show installed" }).click();
    await row(page, "all-MiniLM-L6-v2").getByRole("button", { name: "More for all-MiniLM-L6-v2" }).click();
    await page.getByRole("menuitem", { name: "Measure, 5 s" }).click();
    await row(page, "all-MiniLM-L6-v2").locator(".enc-word", { hasText: "measuring" }).waitFor();
    await row(page, "all-MiniLM-L6-v2").getByText("488").waitFor();
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });

  it("says where the token is kept, never shows it, and keeps offline and the mirror", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders");
    await page.getByRole("button", { name: "Source: huggingface.co…" }).click();
    const dialog = page.getByRole("dialog", { name: "Where encoders come from" });
    const field = dialog.getByLabel("Token for private and gated models");
    const none =
      "No token is kept. One that you save is kept in the file ~/.config/parallax/hub-token, readable by you only";
    await dialog.getByText(none).waitFor();
    await field.fill("hf_secretoftests");
    await field.press("Enter");
    await dialog.getByText("kept in the file ~/.config/parallax/hub-token, readable by you only").waitFor();
    expect(await field.inputValue()).toBe("");
    expect(await page.content()).not.toContain("secretoftests");
    await dialog.getByLabel("Work offline").check();
    await shot(page, "settings");
    expect(await harness.accessibility(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Source: offline…" }).waitFor();
    await page.locator("header").getByRole("button", { name: "Add from folder…" }).click();
    await page.getByRole("textbox", { name: "Folder" }).fill("/somewhere");
    await page.keyboard.press("Enter");
    await page.getByText("Output is [1, 512], expected [batch, tokens, d].").waitFor();
    await shot(page, "add-folder");
    await page.context().close();
  });

  it("has a purpose when empty, a way on when broken, and room on a narrow page", { timeout: TIME }, async () => {
    const empty = await harness.open("screen=encoders-empty");
    await empty.getByText("No encoder yet. The tiny one ships with the app and works offline.").waitFor();
    await shot(empty, "empty");
    expect(await harness.accessibility(empty)).toEqual([]);
    await empty.context().close();
    const broken = await harness.open("screen=encoders-broken");
    await broken.getByText("The encoders could not be listed").waitFor();
    await broken.getByRole("button", { name: "Try again" }).click();
    await shot(broken, "broken");
    await broken.context().close();
    const narrow = await harness.open("screen=encoders", { width: 420, height: 760 });
    await row(narrow, "bge-small-en-v1.5").getByText("318 texts/s").waitFor();
    await shot(narrow, "narrow");
    expect(await narrow.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
    expect(await harness.accessibility(narrow)).toEqual([]);
    await narrow.context().close();
  });
});

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
    const tiny = row(page, "all-MiniLM-L6-v2");
    await tiny.locator(".enc-word", { hasText: "measuring" }).waitFor();
    await tiny.locator(".enc-speed", { hasText: "488" }).waitFor();
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });

  it("measures with the service's own count, and stops within a second", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders-slow");
    const tiny = row(page, "all-MiniLM-L6-v2");
    await tiny.getByRole("button", { name: "More for all-MiniLM-L6-v2" }).click();
    await page.getByRole("menuitem", { name: "Measure, 5 s" }).click();
    await tiny.getByText("cpu, 1 thread (1 of 2) · 900 texts · 488 texts/s · 3.8 s left").waitFor();
    await tiny.getByRole("progressbar", { name: "Measuring all-MiniLM-L6-v2" }).waitFor();
    await shot(page, "measuring");
    expect(await harness.accessibility(page)).toEqual([]);
    await tiny.getByRole("button", { name: "Cancel measuring all-MiniLM-L6-v2" }).click();
    await tiny.locator(".enc-word", { hasText: "ready" }).waitFor({ timeout: 1000 });
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
    await page.context().close();
  });

  it("finds a folder by keys, hidden ones on request, and says what cannot be read", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders");
    await page.locator("header").getByRole("button", { name: "Add from folder…" }).click();
    const field = page.getByRole("textbox", { name: "Folder" });
    const list = page.getByRole("listbox");
    await page.getByRole("listbox", { name: "Folders in /home/ada" }).waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>("dialog .field")?.value === "/home/ada");
    expect(await list.getByRole("option").allInnerTexts()).toEqual(["data", "models", "my-encoder\nmodel files"]);
    await page.getByLabel("Hidden folders").check();
    await list.getByText(".cache").waitFor();
    await list.focus();
    await page.keyboard.press("ArrowDown");
    expect(await field.inputValue()).toBe("/home/ada/models");
    await page.keyboard.press("Enter");
    await page.getByRole("listbox", { name: "Folders in /home/ada/models" }).waitFor();
    await page.keyboard.press("Backspace");
    await page.getByRole("listbox", { name: "Folders in /home/ada", exact: true }).waitFor();
    await page.keyboard.press("m");
    await page.keyboard.press("y");
    await page.waitForFunction(
      () => document.querySelector<HTMLInputElement>("dialog .field")?.value === "/home/ada/my-encoder",
    );
    await shot(page, "choose-folder");
    expect(await harness.accessibility(page)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.getByText("Output is [1, 512], expected [batch, tokens, d].").waitFor();
    expect(await calls(page, "encoders.add-folder")).toEqual([
      { method: "encoders.add-folder", params: { path: "/home/ada/my-encoder" } },
    ]);
    await shot(page, "add-folder");
    await field.fill("/locked");
    await page.getByText("/locked could not be listed: you may not read it.").waitFor();
    await page.evaluate(() => window.harness.setTheme("dark"));
    await shot(page, "locked-folder");
    expect(await harness.accessibility(page)).toEqual([]);
    await page.context().close();
  });

  it("takes a folder that is dropped where its path is known, and says so where it is not", {
    timeout: TIME,
  }, async () => {
    const page = await harness.open("screen=encoders");
    await row(page, "all-MiniLM-L6-v2").waitFor();
    const drop = (path: string | null) =>
      page.evaluate((dropped) => {
        const data = new DataTransfer();
        if (dropped === null) data.items.add(new File([], "my-model"));
        else data.setData("text/uri-list", `file://${dropped}`);
        const screen = document.querySelector(".enc-list");
        for (const type of ["dragenter", "dragover", "drop"])
          screen?.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
      }, path);
    await drop(null);
    await page.getByText("The browser does not tell where “my-model” is on this computer.").waitFor();
    await page.keyboard.press("Escape");
    await drop("/home/ada/my%20model");
    await page.getByText("Output is [1, 512], expected [batch, tokens, d].").waitFor();
    expect(await calls(page, "encoders.add-folder")).toEqual([
      { method: "encoders.add-folder", params: { path: "/home/ada/my model" } },
    ]);
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });

  it("asks the system's own dialog in the app, and closes with it", { timeout: TIME }, async () => {
    const page = await harness.open("screen=encoders-desktop");
    const button = page.locator("header").getByRole("button", { name: "Add from folder…" });
    await row(page, "all-MiniLM-L6-v2").waitFor();
    await button.click();
    await page.getByText("Output is [1, 512], expected [batch, tokens, d].").waitFor();
    expect(await page.getByRole("listbox").count()).toBe(0);
    await page.getByRole("button", { name: "Choose…" }).click();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    // The second answer of the system was that nothing was chosen, as is the third.
    await button.click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await calls(page, "folders.choose")).toHaveLength(3);
    expect(await calls(page, "encoders.add-folder")).toHaveLength(1);
    await page.context().close();
  });

  it("has a purpose when empty, and a way on when broken", { timeout: TIME }, async () => {
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
  });

  it("has room on a narrow page", { timeout: TIME }, async () => {
    const middle = await harness.open("screen=encoders", { width: 900, height: 760 });
    await row(middle, "bge-small-en-v1.5").focus();
    await middle.keyboard.press("Enter");
    await middle.getByText("equal to the sha256 that Parallax knows").waitFor();
    await shot(middle, "900");
    expect(await middle.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
    expect(await harness.accessibility(middle)).toEqual([]);
    await middle.context().close();
    const narrow = await harness.open("screen=encoders", { width: 420, height: 760 });
    await row(narrow, "bge-small-en-v1.5").getByText("318 texts/s").waitFor();
    await shot(narrow, "narrow");
    expect(await narrow.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(420);
    expect(await harness.accessibility(narrow)).toEqual([]);
    await narrow.context().close();
  });
});

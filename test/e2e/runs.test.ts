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

const TIME = 90_000;

describe("the runs screen", () => {
  it("opens the newest run, overlays others by keys and tells each state in words", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs", { height: 860 });
    await page.getByRole("heading", { name: "calm-heron" }).waitFor();
    await page.getByText("step 140 of 400 · 2.1 step/s").waitFor();
    const rows = await page.locator(".runs-item").allInnerTexts();
    expect(rows.map((row) => /running|done|killed|failed/.exec(row)?.[0])).toEqual([
      "running",
      "done",
      "killed",
      "failed",
    ]);
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.getByRole("img", { name: /^loss nats by step\. calm-heron: .*; lively-otter: down from/ }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${screenshots}/runs-light.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    await page.evaluate(() => window.harness.setTheme("dark"));
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${screenshots}/runs-dark.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });

  it("says why a run ended and resumes it", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs");
    await page.getByRole("button", { name: /hasty-lynx/ }).click();
    await page.getByText("Loss is NaN at step 212").waitFor();
    await page.getByText("Checkpoint 200 is kept.").waitFor();
    await page.getByRole("button", { name: "Resume from 200", exact: true }).click();
    await page.getByRole("tab", { name: "Config" }).click();
    await page.getByText("STS Benchmark train, pairs scored 4 or more").waitFor();
    await page.getByRole("tab", { name: "Checkpoints" }).click();
    await page.getByRole("rowheader", { name: "base" }).waitFor();
    await page.screenshot({ path: `${screenshots}/runs-failed.png` });
    const calls = await page.evaluate(() => window.harness.calls.filter((call) => call.method === "runs.resume"));
    expect(calls).toEqual([
      { method: "runs.resume", params: { folder: "/home/ada/notebooks/runs/20260301-hasty-lynx" } },
    ]);
    await page.context().close();
  });

  it("stops the running one with S and leaves no watch behind", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs&step=50");
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("s");
    await page.getByRole("heading", { name: "calm-heron" }).waitFor();
    await page.locator(".run-badge", { hasText: "stopped" }).waitFor();
    await page.getByRole("button", { name: /lively-otter/ }).click();
    await page.waitForFunction(() => window.harness.calls.some((call) => call.method === "runs.unwatch"));
    const balance = await page.evaluate(() => {
      const count = (method: string) => window.harness.calls.filter((call) => call.method === method).length;
      return count("runs.watch") - count("runs.unwatch");
    });
    expect(balance).toBe(1);
    await page.context().close();
  });

  it("shows the code that starts a run when there is none", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs-empty");
    await page.getByRole("button", { name: "Copy the code" }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("await fineTune({ pairs, steps: 200");
    await page.screenshot({ path: `${screenshots}/runs-empty.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    await page.context().close();
  });

  it("shows what a run will take before Start, and how to make it fit", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs", { height: 860 });
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("n");
    await page.getByLabel("Data file").fill("nothing.jsonl");
    await page.getByText("There is no file nothing.jsonl.").waitFor();
    await page.getByLabel("Data file").fill("pairs.jsonl");
    await page.getByText("about 6 min, 1.8 GiB").waitFor();
    expect(await page.locator(".runs-rows tbody tr").count()).toBe(5);
    expect(await page.locator(".runs-rows th").allInnerTexts()).toEqual(["anchor", "positive", "topic"]);
    await page.getByText("14 of 200 pairs are duplicates").waitFor();
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByText("Repeated rows are left out: 186 rows remain.").waitFor();
    await page.getByLabel("Batch").fill("128");
    const fits = page.getByRole("button", { name: "Batch 128 → 32" });
    await fits.waitFor();
    expect(await page.getByRole("button", { name: "Start" }).isDisabled()).toBe(true);
    await fits.click();
    await page.getByText("about 6 min").waitFor();
    await page.getByLabel("Temperature").fill("0");
    await page.getByText("0 is not a number over 0, such as 0.05.").waitFor();
    await page.getByRole("combobox", { name: "Loss" }).selectOption("cosent");
    await page.getByText(/Needs two texts a row, a score/).waitFor();
    expect(await page.getByLabel("Temperature").isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Show the cell" }).click();
    await page.getByText('loss: "cosent"').waitFor();
    await page.screenshot({ path: `${screenshots}/runs-new.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.context().close();
  });

  it("renames with E, pins the base with P, keeps notes, and resumes a run that went too fast at a tenth", {
    timeout: TIME,
  }, async () => {
    const page = await harness.open("screen=runs");
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("e");
    await page.getByRole("textbox", { name: "Name" }).fill("low rate");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "low rate" }).waitFor();
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("p");
    await page.locator(".runs-item", { hasText: "low rate base" }).waitFor();
    await page.getByRole("tab", { name: "Notes" }).click();
    await page.getByRole("textbox", { name: "Notes" }).fill("looks n-normal, [ and ] are text here");
    await page.getByText("Kept in the run's folder.").waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
    await page.getByRole("tab", { name: "Data" }).click();
    await page.getByText("14 (never in one batch)").waitFor();
    await page.getByRole("button", { name: /hasty-lynx/ }).click();
    await page.getByRole("button", { name: "Resume from 200 at 2e−6" }).click();
    await page.waitForFunction(() => window.harness.calls.some((call) => call.method === "runs.fork"));
    const calls = await page.evaluate(() => window.harness.calls);
    expect(calls.find((call) => call.method === "runs.fork")?.params).toMatchObject({ step: 200, learningRate: 2e-6 });
    expect(calls.findLast((call) => call.method === "runs.label")?.params).toMatchObject({
      notes: "looks n-normal, [ and ] are text here",
    });
    await page.context().close();
  });

  it("compares runs: differences, intervals, what is unfair, keys and exports", { timeout: TIME }, async () => {
    const page = await harness.open("screen=runs", { height: 860 });
    await page.locator(".runs-row[aria-current=true]").focus();
    await page.keyboard.press("c");
    await page.getByText("Choose two or more runs.").waitFor();
    await page.getByRole("button", { name: "Choose…" }).click();
    for (let i = 0; i < 2; i++) {
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Space");
    }
    await page.getByRole("heading", { name: "Compare 3 runs" }).waitFor();
    await page.getByText("Different evaluation sets: the files differ").waitFor();
    const names = () => page.locator(".compare-table tbody th").allInnerTexts();
    expect(await names()).toContain("steps done");
    expect(await names()).not.toContain("learning rate");
    const scores = await page.locator(".compare-table tbody tr").first().locator("td").allInnerTexts();
    expect(scores[0]).toMatch(/^\d\d\.\d\d \[\d\d\.\d\d, \d\d\.\d\d\]$/);
    expect(scores[1]).toMatch(/no clear difference$/);
    expect(scores[2]).toMatch(/other evaluation set$/);
    await page.getByRole("img", { name: /^cosine Spearman ×100\. calm-heron .* from .* to/ }).waitFor();
    await page.screenshot({ path: `${screenshots}/compare-light.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    await page.locator("[data-column]").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("b");
    await page.locator(".compare-run", { hasText: "lively-otter base" }).waitFor();
    await page.keyboard.press("d");
    await page.getByRole("rowheader", { name: "learning rate" }).waitFor();
    expect(await page.getByRole("rowheader", { name: "steps done differs" }).count()).toBe(1);
    await page.keyboard.press("/");
    await page.keyboard.type("seed");
    expect(await names()).toEqual(["seed"]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Export the table" }).click();
    await page.getByRole("menuitem", { name: "Copy as Markdown" }).click();
    await page.waitForTimeout(100);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^\| +\| calm-heron \|/);
    await page.evaluate(() => window.harness.setTheme("dark"));
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${screenshots}/compare-dark.png` });
    expect(await harness.accessibility(page)).toEqual([]);
    await page.locator("[data-column]").nth(2).focus();
    await page.keyboard.press("Space");
    await page.getByRole("heading", { name: "Compare 2 runs" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "calm-heron" }).waitFor();
    expect(harness.problems).toEqual([]);
    await page.context().close();
  });
});

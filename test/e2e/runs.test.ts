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
    await page.getByRole("button", { name: "Resume from 200" }).click();
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
});

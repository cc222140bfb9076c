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

const TIME = 90_000;

/** Screenshots and the accessibility scan of some sections in both themes; the switch is live, without a reload. */
async function inBothThemes(name: string, show: string, ready: (page: Page) => Promise<unknown>): Promise<void> {
  const page = await harness.open(`theme=light&show=${show}`);
  await ready(page);
  for (const theme of ["light", "dark"] as const) {
    await page.evaluate((wanted) => window.harness.setTheme(wanted), theme);
    await ready(page);
    // Canvases and frames follow in the next frames.
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${screenshots}/${name}-${theme}.png`, fullPage: true });
    expect(await harness.accessibility(page)).toEqual([]);
  }
  expect(harness.problems).toEqual([]);
  await page.context().close();
}

describe("outputs in the page, in both themes with no serious accessibility finding", () => {
  it("shows text, errors, tables and documents", { timeout: TIME }, async () => {
    await inBothThemes("outputs-basic", "text,errors,table,documents,dimmed", (page) =>
      page.waitForFunction(() => (document.querySelector<HTMLElement>(".out-frame")?.clientHeight ?? 0) > 60),
    );
  });

  it("shows maps, runs, prompts and task results", { timeout: TIME }, async () => {
    await inBothThemes("outputs-results", "map,run,live,prompts,task", (page) =>
      page.getByRole("img", { name: /^loss nats by step\. calm-heron: down/ }).waitFor(),
    );
  });

  it("shows Plotly figures, WebGL ones too", { timeout: 2 * TIME }, async () => {
    await inBothThemes("outputs-plotly", "plot", (page) =>
      page.waitForFunction(() => document.querySelectorAll(".plot-plotly[aria-busy=false]").length === 3, null, {
        timeout: TIME,
      }),
    );
  });
});

describe("outputs in the page", () => {
  it("runs no script of an output and survives damaged data", { timeout: TIME }, async () => {
    const page = await harness.open("show=hostile");
    await page.waitForSelector(".out-frame");
    await page.waitForTimeout(500);
    const state = await page.evaluate(() => ({
      title: document.title,
      hacked: "hacked" in window,
      items: document.querySelectorAll(".out-item").length,
      empty: [...document.querySelectorAll(".out-item")].filter((item) => item.childElementCount === 0).length,
      frames: [...document.querySelectorAll("iframe")].map((frame) => frame.getAttribute("sandbox")),
    }));
    expect(state).toEqual({ title: "Outputs", hacked: false, items: 23, empty: 0, frames: ["allow-scripts"] });
    const inside = page.frames().filter((frame) => frame !== page.mainFrame());
    expect(inside.map((frame) => frame.url())).toEqual(["about:srcdoc"]);
    expect(
      await inside[0]!.evaluate(() => [
        document.scripts.length,
        document.querySelectorAll("iframe,form,meta[http-equiv=refresh],[onerror]").length,
      ]),
    ).toEqual([1, 0]);
    await page.screenshot({ path: `${screenshots}/outputs-hostile.png`, fullPage: true });
    expect(harness.problems.filter((problem) => problem.startsWith("page error"))).toEqual([]);
    await page.context().close();
  });

  it("gives the frame of an HTML output the height of its content, and its links go nowhere", {
    timeout: TIME,
  }, async () => {
    const page = await harness.open("show=documents");
    await page.waitForFunction(() => {
      const frame = document.querySelector<HTMLElement>(".out-frame");
      return frame !== null && frame.clientHeight > 60 && frame.clientHeight < 200;
    });
    await page.context().close();
    const hostile = await harness.open("show=hostile");
    const frame = hostile.frameLocator(".out-frame");
    await frame.locator("a", { hasText: "out" }).click();
    await hostile.waitForTimeout(200);
    expect(hostile.frames().map((f) => f.url().replace(/\?.*/, "").replace(/:\d+/, ""))).toEqual([
      "http://127.0.0.1/",
      "about:srcdoc",
    ]);
    await hostile.context().close();
  });

  it("keeps a hundred thousand lines light, folded and unfolded", { timeout: TIME }, async () => {
    const page = await harness.open("show=long");
    await page.getByText("99,600 of 100,000 lines are folded").waitFor();
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(400);
    await page.getByRole("button", { name: "Show all" }).click();
    const region = page.getByRole("region", { name: "Printed text, all lines" });
    await region.focus();
    await page.keyboard.press("End");
    await region.getByText("step 100000: loss 0.1213").waitFor();
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(600);
    await page.context().close();
  });

  it("leads from an error to the cell and line", { timeout: TIME }, async () => {
    const page = await harness.open("show=errors");
    await page.getByRole("button", { name: "Cell [5] line 2" }).click();
    expect(await page.evaluate(() => window.harness.frames)).toEqual([
      { cellId: "c5", executionCount: 5, line: 2, column: 15, functionName: "compare" },
    ]);
    await page.getByRole("button", { name: "2 library frames" }).click();
    await page.getByText("at checkShapes (kernels/graph/tensor.ts:88:9)").waitFor();
    await page.getByRole("button", { name: "Copy details" }).first().click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("tensor.shape-mismatch (user)");
    await page.context().close();
  });

  it("sorts, walks and copies a table by keyboard", { timeout: TIME }, async () => {
    const page = await harness.open("show=table");
    const grid = page.getByRole("grid", { name: "queries" });
    await grid.focus();
    // From the heading of the first column to "tokens": Enter sorts, largest first.
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    expect(await grid.locator("th[aria-sort=descending]").textContent()).toContain("tokens");
    const tokens = await grid.locator("tbody tr:not([aria-hidden]) td:nth-child(4)").allInnerTexts();
    expect(tokens.map(Number)).toEqual([...tokens.map(Number)].sort((a, b) => b - a));
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Shift+ArrowDown");
    await page.keyboard.press("Control+c");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${tokens[0]}\n${tokens[1]}`);
    await page.keyboard.press("Control+End");
    await grid.locator('tr[aria-rowindex="501"]').waitFor();
    await page.getByRole("button", { name: "Copy CSV" }).click();
    const csv = await page.evaluate(() => navigator.clipboard.readText());
    expect(csv.split("\r\n")[0]).toBe("id,text,topic,tokens,cosine,loss,kept");
    await page.context().close();
  });

  it("shows a run as it trains and stops it", { timeout: TIME }, async () => {
    const page = await harness.open("show=live&step=40");
    const run = page.getByRole("region", { name: "Run calm-heron" });
    await run.getByText(/step 1[5-9]\d of 400/).waitFor({ timeout: 30_000 });
    await run.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("menuitem", { name: "After this step, keep a checkpoint" }).click();
    await run.getByText("stopped").waitFor();
    const calls = await page.evaluate(() => window.harness.calls.filter((call) => call.method === "runs.stop"));
    expect(calls).toEqual([
      { method: "runs.stop", params: { folder: "/home/ada/notebooks/runs/20260301-calm-heron", how: "after-step" } },
    ]);
    await run.getByRole("button", { name: "Resume from 100" }).waitFor();
    await page.context().close();
  });

  it("shows a run's saved values where there is no host", { timeout: TIME }, async () => {
    const page = await harness.open("show=run&host=none");
    await page
      .getByRole("img", { name: /^loss nats by step\. lively-otter: down from .* chance ln 32 = 3\.47/ })
      .waitFor();
    await page.context().close();
  });
});

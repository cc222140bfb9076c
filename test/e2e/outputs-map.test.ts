import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, screenshots, startHarness } from "../support/outputs-page.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
}, 120_000);
afterAll(async () => {
  await harness?.close();
});

const TIME = 90_000;

describe("the embedding map", () => {
  it("is walked, pinned, listed and cleared by keys only", { timeout: TIME }, async () => {
    const page = await harness.open("show=map");
    const canvas = page.getByRole("img", { name: /^Embedding map: 600 points, 10 labels/ });
    await canvas.focus();
    await page.keyboard.press("n");
    await page.waitForFunction(() => (document.querySelector(".map-stage [aria-live]")?.textContent ?? "").length > 0);
    const first = (await page.locator(".map-stage [aria-live]").textContent()) ?? "";
    await page.keyboard.press("n");
    await page.waitForFunction(
      (before) => document.querySelector(".map-stage [aria-live]")?.textContent !== before,
      first,
    );
    await page.keyboard.press("Enter");
    await page.getByText("nearest in 384-d (cosine)").waitFor();
    const values = (await page.locator(".map-panel .map-value").allInnerTexts()).map(Number);
    expect(values.length).toBe(15);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    await page.screenshot({ path: `${screenshots}/map-selected.png`, fullPage: true });
    await page.keyboard.press("t");
    const grid = page.getByRole("grid", { name: /^Embedding map as a table/ });
    await grid.waitFor();
    expect((await grid.locator("thead").textContent()) ?? "").toContain("nearest in 384-d");
    await page.getByRole("button", { name: "Show as table" }).click();
    await canvas.focus();
    await page.keyboard.press("Escape");
    await page.getByText("Click a point for its nearest texts").waitFor();
    await page.context().close();
  });

  it("selects by lasso, isolates and searches", { timeout: TIME }, async () => {
    const page = await harness.open("show=map");
    const canvas = page.locator(".map-canvas");
    await canvas.focus();
    await page.keyboard.press("l");
    const box = (await canvas.boundingBox())!;
    const at = (x: number, y: number) => page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 4 });
    await at(0.02, 0.02);
    await page.mouse.down();
    await at(0.98, 0.02);
    await at(0.98, 0.5);
    await at(0.02, 0.5);
    await page.mouse.up();
    const selected = page.getByText(/^Selected \d+ of 600$/);
    await selected.waitFor();
    const count = Number(/\d+/.exec((await selected.textContent()) ?? "")![0]);
    expect(count).toBeGreaterThan(100);
    expect(count).toBeLessThan(550);
    await page.screenshot({ path: `${screenshots}/map-lasso.png`, fullPage: true });
    await page.getByRole("button", { name: "Isolate" }).click();
    await page.getByText(`Only ${count} points shown.`).waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByLabel("Search texts by words").fill("passport two weeks");
    await page.getByText(/^\d+ of 600 hold “passport two weeks”$/).waitFor();
    await page.context().close();
  });

  it("draws twenty thousand points and answers the pointer at once", { timeout: TIME }, async () => {
    const page = await harness.open("show=bigmap");
    const canvas = page.locator(".map-canvas");
    await canvas.waitFor();
    await canvas.focus();
    // Pan by keys: each frame draws all points, without a graphics card. The limit leaves room for a busy machine; it
    // catches work that grows faster than the number of points.
    const frames = await page.evaluate(async () => {
      const times: number[] = [];
      const element = document.querySelector<HTMLCanvasElement>(".map-canvas")!;
      for (let i = 0; i < 12; i++) {
        element.dispatchEvent(new KeyboardEvent("keydown", { key: i % 2 ? "ArrowLeft" : "ArrowRight", bubbles: true }));
        const start = performance.now();
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b);
    });
    expect(frames[6]).toBeLessThan(3000);
    await page.screenshot({ path: `${screenshots}/map-20000.png` });
    await page.context().close();
  });

  it("stays whole on a narrow page and has no serious accessibility finding", { timeout: TIME }, async () => {
    const page = await harness.open("show=map&theme=dark", { width: 560 });
    await page.locator(".map-canvas").waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    expect(await harness.accessibility(page)).toEqual([]);
    await page.screenshot({ path: `${screenshots}/map-narrow-dark.png`, fullPage: true });
    await page.context().close();
  });
});

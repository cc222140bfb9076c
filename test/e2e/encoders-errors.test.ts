/** What the encoders screen says when the hub, the disk or a folder is not as it should be: real host, real service. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, launchBrowser } from "../support/browser.ts";
import { HubServer } from "../support/hub-server.ts";
import { screenshots } from "../support/outputs-page.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const NAMES = ["busy", "slow-down", "changed", "huge", "gated", "pickle"];
const id = (name: string) => `tiny/${name}-of-tests`;
const TIME = 90_000;

describe.skipIf(chromiumPath() === null)("the encoders screen, when something is wrong,", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-encoder-errors-"));
  const before = { ...process.env };
  const problems: string[] = [];
  let hub: HubServer;
  let server: PageServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const model = writeTinyBert(path.join(folder, "model"));
    const weightsBytes = statSync(path.join(model, "model.safetensors")).size;
    const pickle = path.join(folder, "pickle");
    mkdirSync(pickle);
    for (const [name, text] of [
      ["config.json", '{ "model_type": "bert" }'],
      ["tokenizer.json", "{}"],
      ["pytorch_model.bin", "a pickle"],
    ] as const)
      writeFileSync(path.join(pickle, name), text);
    mkdirSync(path.join(folder, "photos"));
    writeFileSync(path.join(folder, "photos", "a.jpg"), "");
    // The catalogue knows the name and this shape, and that its pooling is cls.
    const shape = { layers: 12, hidden: 384, heads: 12, ffn: 16 };
    writeTinyBert(path.join(folder, "models", "bge-small-en-v1.5"), { ...shape, pooling: "mean" });
    hub = await HubServer.start({
      models: Object.fromEntries(NAMES.map((name) => [id(name), name === "pickle" ? pickle : model])),
      info: (asked, info) =>
        asked !== id("huge")
          ? info
          : {
              ...info,
              siblings: info.siblings.map((file) =>
                file.lfs === undefined ? file : { ...file, size: 4e15, lfs: { ...file.lfs, size: 4e15 } },
              ),
            },
    });
    hub.trouble = ({ host, path: asked }, n) => {
      if (asked.includes(id("busy"))) return { status: 429, headers: { "retry-after": "3600" } };
      if (asked.includes(`${id("slow-down")}/`) && asked.endsWith("safetensors") && n === 1)
        return { status: 429, headers: { "retry-after": "4" } };
      if (asked.includes(id("changed")) && host === "store") return { body: Buffer.alloc(weightsBytes, 7) };
      if (asked.includes(id("gated")) && asked.includes("/resolve/"))
        return {
          status: 403,
          headers: { "x-error-code": "GatedRepo" },
          text: "Access to model tiny/gated-of-tests is restricted and you are not in the authorized list.",
        };
      return undefined;
    };
    Object.assign(process.env, { PARALLAX_HOME: path.join(folder, "home"), HF_ENDPOINT: hub.endpoint });
    for (const name of ["HF_TOKEN", "HF_HUB_OFFLINE", "PARALLAX_OFFLINE", "HTTP_PROXY", "http_proxy"])
      delete process.env[name];
    server = await startPageServer();
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce" });
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(server.address);
    await page.locator(".start-item").first().waitFor({ timeout: 30_000 });
    await page.keyboard.press("Control+2");
    await page.locator('[data-encoder="default"]').waitFor({ timeout: 30_000 });
    await page.keyboard.press("/");
    await page.getByRole("searchbox").fill("of-tests");
    await page.keyboard.press("Enter");
    await row("busy").waitFor({ timeout: 30_000 });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await hub?.close();
    process.env = before;
    rmSync(folder, { recursive: true, force: true });
  });

  const row = (name: string) => page.locator(`[data-encoder="${id(name)}"]`);
  const download = (name: string) =>
    row(name)
      .getByRole("button", { name: new RegExp(`^Download ${name}-of-tests`) })
      .click();
  /** The error below a row, whole. */
  const said = async (name: string) => {
    const block = row(name).locator(".error-block");
    await block.waitFor({ timeout: 40_000 });
    return {
      text: await block.locator(".error-text p").first().textContent(),
      buttons: await block.locator(".error-actions button, .error-actions a").allInnerTexts(),
    };
  };

  test("says that the hub asks for fewer requests, and waits when it asks for a short while", {
    timeout: TIME,
  }, async () => {
    await download("busy");
    const busy = await said("busy");
    expect(busy.text).toMatch(/asks for fewer requests \(status 429\) for tiny\/busy-of-tests/);
    expect(busy.buttons).toEqual(["Try again", "Dismiss", "Copy details"]);
    await row("busy").getByRole("button", { name: "Dismiss" }).click();
    await row("busy").locator(".enc-word", { hasText: "not here" }).waitFor();
    await download("slow-down");
    await row("slow-down").getByText("The hub asks to wait 4 s.").waitFor();
    await row("slow-down").locator(".enc-word", { hasText: "ready" }).waitFor({ timeout: 30_000 });
  });

  test("says expected and found of a file that is not the published one, and offers it again", {
    timeout: TIME,
  }, async () => {
    await download("changed");
    const { text, buttons } = await said("changed");
    expect(text).toMatch(/tiny\/changed-of-tests.*expected/);
    expect(buttons).toEqual(expect.arrayContaining(["Download again"]));
    expect(await row("slow-down").locator(".enc-word").textContent()).toMatch(/ready/);
  });

  test("says what a model needs and what is free, and shows the largest", { timeout: TIME }, async () => {
    await download("huge");
    const { text, buttons } = await said("huge");
    expect(text).toMatch(/tiny\/huge-of-tests: needs [\d,.]+ \w+, [\d,.]+ \w+ free/);
    expect(buttons).toEqual(expect.arrayContaining(["Manage disk", "Try again"]));
  });

  test("says that a model asks for an agreement, where it is, and where a token is set", {
    timeout: TIME,
  }, async () => {
    await download("gated");
    const { text, buttons } = await said("gated");
    expect(text).toMatch(/is given only to people who agreed to its terms \(status 403\)/);
    const { host } = new URL(hub.endpoint);
    expect(buttons).toEqual(expect.arrayContaining(["Set a token…", `Terms at ${host}`]));
    await row("gated").getByRole("button", { name: "Set a token…" }).click();
    await page.getByRole("dialog", { name: "Where encoders come from" }).waitFor();
    await page.keyboard.press("Escape");
  });

  test("refuses a pickle of the hub, and says why and what to do", { timeout: TIME }, async () => {
    await download("pickle");
    const { text, buttons } = await said("pickle");
    expect(text).toMatch(/pickle.*can run code/);
    expect(buttons).toEqual(expect.arrayContaining(["Add from folder…"]));
    await page.screenshot({ path: `${screenshots}/encoders-errors.png` });
  });

  test("finds a folder by keys, and says why one is no model, a pickle, or not as the catalogue says", {
    timeout: TIME,
  }, async () => {
    await page.locator("header").getByRole("button", { name: "Add from folder…" }).click();
    const dialog = page.getByRole("dialog");
    const field = page.getByRole("textbox", { name: "Folder" });
    await field.fill(folder);
    await page.getByRole("listbox", { name: `Folders in ${folder}`, exact: true }).waitFor();
    await page.getByRole("listbox").focus();
    await page.keyboard.type("ph");
    await page.waitForFunction(() =>
      document.querySelector<HTMLInputElement>("dialog .field")?.value.endsWith("photos"),
    );
    await dialog.getByRole("button", { name: "Check and add" }).click();
    await dialog.locator(".error-text", { hasText: path.join(folder, "photos") }).waitFor();
    expect(await dialog.locator(".error-text").textContent()).toMatch(/^Not added: .*photos/);
    await page.getByRole("listbox").focus();
    // Letters go on with those of a moment ago.
    await page.waitForTimeout(800);
    await page.keyboard.type("pick");
    await page.keyboard.press("Enter");
    await dialog.locator(".error-text", { hasText: path.join(folder, "pickle") }).waitFor();
    expect(await dialog.locator(".error-text").textContent()).toMatch(
      /pytorch_model\.bin \(8 bytes\), a Python pickle/,
    );
    await page.screenshot({ path: `${screenshots}/encoders-folder-pickle.png` });
    await page.getByRole("listbox").focus();
    await page.keyboard.type("models");
    await page.keyboard.press("Enter");
    const inner = path.join(folder, "models");
    await page.getByRole("listbox", { name: `Folders in ${inner}`, exact: true }).waitFor();
    await page.getByRole("option", { name: /^bge-small-en-v1.5/ }).dblclick();
    await dialog.waitFor({ state: "detached" });
    const added = page.locator(`[data-encoder="${path.join(inner, "bge-small-en-v1.5")}"]`);
    await added.waitFor();
    await added.focus();
    await page.keyboard.press("Enter");
    const details = page.getByRole("region", { name: "Details of bge-small-en-v1.5" });
    const pooling = details.locator(".enc-contradictions tr", { hasText: "pooling" });
    await pooling.waitFor();
    expect(await pooling.locator("th, td").allInnerTexts()).toEqual(["pooling", "mean", "cls", "the folder"]);
    await page.screenshot({ path: `${screenshots}/encoders-contradictions.png` });
    await page.keyboard.press("Escape");
  });

  test("says that there is no network, what works without, and leads there", { timeout: TIME }, async () => {
    await hub.close();
    await page.keyboard.press("Escape");
    await page.getByRole("searchbox").fill("elsewhere");
    const { host } = new URL(hub.endpoint);
    await page.getByRole("button", { name: `Search ${host} for “elsewhere”` }).click();
    await page.getByText(/^No network: /).waitFor({ timeout: 60_000 });
    const text = await page.locator(".error-block.bar").textContent();
    expect(text).toMatch(/\d encoders here work offline\./);
    await page.screenshot({ path: `${screenshots}/encoders-offline.png` });
    await page.getByRole("button", { name: "Show installed" }).click();
    await page.locator('[data-encoder="default"]').waitFor();
    expect(problems).toEqual([]);
  });
});

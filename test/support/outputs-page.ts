/** Bundles the outputs harness, serves it under the page's policy and opens it in Chromium. */

import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import os from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { securityHeaders } from "../../main/host/page-policy.ts";

const root = path.resolve(import.meta.dirname, "../..");
export const screenshots = path.join(root, "test/.output");

export interface Harness {
  browser: Browser;
  open(query: string, options?: { width?: number; height?: number; reducedMotion?: boolean }): Promise<Page>;
  /** Page errors and console errors since the last look. */
  problems: string[];
  /** Serious and critical findings of axe on the page, one line each. */
  accessibility(page: Page): Promise<string[]>;
  close(): Promise<void>;
}

function chromiumPath(): string {
  const found = [
    process.env.CHROMIUM_PATH,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
  ].find((file) => file && existsSync(file));
  return found ?? chromium.executablePath();
}

export async function startHarness(): Promise<Harness> {
  const folder = path.join(os.tmpdir(), `parallax-harness-${process.pid}-${Date.now()}`);
  await build({
    absWorkingDir: root,
    entryPoints: { harness: "test/support/outputs-harness.tsx" },
    outdir: folder,
    bundle: true,
    format: "esm",
    splitting: true,
    minify: true,
    jsx: "automatic",
    target: "es2022",
    define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".ttf": "file" },
    logLevel: "warning",
  });
  const types: Record<string, string> = { ".js": "text/javascript", ".css": "text/css" };
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/") {
      response.writeHead(200, { ...securityHeaders(), "content-type": "text/html; charset=utf-8" });
      response.end(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Outputs</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/harness.css"></head><body><div id="root"></div><script type="module" src="/harness.js"></script></body></html>',
      );
      return;
    }
    const file = path.join(folder, path.basename(pathname));
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": types[path.extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  mkdirSync(screenshots, { recursive: true });
  const problems: string[] = [];
  return {
    browser,
    problems,
    open: async (query, options = {}) => {
      const context = await browser.newContext({
        viewport: { width: options.width ?? 1180, height: options.height ?? 900 },
        reducedMotion: options.reducedMotion === false ? "no-preference" : "reduce",
        permissions: ["clipboard-read", "clipboard-write"],
      });
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(`console: ${message.text()}`);
      });
      await page.goto(`http://127.0.0.1:${port}/?${query}`);
      return page;
    },
    accessibility: async (page) => {
      const source = readFileSync(path.join(root, "node_modules/axe-core/axe.min.js"), "utf8");
      await page.evaluate(source);
      const found = (await page.evaluate(async () => {
        const { axe } = window as unknown as {
          axe: { run(context: unknown, options: unknown): Promise<{ violations: AxeViolation[] }> };
        };
        interface AxeViolation {
          id: string;
          impact: string | null;
          help: string;
          nodes: { html: string; failureSummary: string }[];
        }
        // Frames of outputs are sandboxed: axe cannot look into them, and waits for an answer.
        const { violations } = await axe.run(document, { iframes: false, resultTypes: ["violations"] });
        return violations
          .filter((v) => v.impact === "serious" || v.impact === "critical")
          .map(
            (v) =>
              `${v.id}: ${v.help} (${v.nodes.length}) ${v.nodes[0]?.html.slice(0, 200)} ${v.nodes[0]?.failureSummary.slice(0, 300)}`,
          );
      })) as string[];
      return found;
    },
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

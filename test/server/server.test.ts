import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { HOST_PROTOCOL_VERSION } from "../../kernels/protocol/host-methods.ts";
import { pageFile } from "../../main/host/page-files.ts";
import { startServer } from "../../main/server/http.ts";
import type { Notebook } from "../../notebooks/format/model.ts";
import { parseNotebook } from "../../notebooks/format/parse.ts";
import { socketPort, TestClient } from "../support/client.ts";
import { workplace } from "../support/workplace.ts";

async function served(options: { port?: number } = {}) {
  const place = workplace();
  const { shell: _s, confined: _c, ...hostOptions } = place.options;
  const server = await startServer({ ...hostOptions, port: 0, ...options });
  onTestFinished(() => server.close());
  return { place, server };
}

function get(url: string, target: string, headers: Record<string, string> = {}, method = "GET") {
  const { port } = new URL(url);
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    httpRequest({ host: "127.0.0.1", port, path: target, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    })
      .on("error", reject)
      .end();
  });
}

describe("the server", () => {
  test("a page with the key runs a cell over a real socket and saves", async () => {
    const { place, server } = await served();
    place.notebook("a.ipynb", ["print hello\nvalue 2"]);
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
    const page = await TestClient.connect(server.url);
    const view = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("cell.run", { docId: view.docId, cellIds: ["c1"] });
    await page.event("cell.changed", ({ cells }) => cells[0]!.state === "done");
    await page.call("notebook.save", { docId: view.docId });
    const { notebook } = parseNotebook(readFileSync(path.join(place.root, "a.ipynb"), "utf8"));
    expect(notebook).toEqual(page.shown(view.notebook as unknown as Notebook, view.docId));
    expect(notebook.cells[0]!.outputs).toHaveLength(2);
  });

  test("pages of other origins, other host names and wrong keys get nothing", async () => {
    const { server } = await served();
    const { port, host } = new URL(server.url);
    const token = new URL(server.url).searchParams.get("token")!;
    const bare = `http://${host}/`;
    await expect(TestClient.connect(bare)).rejects.toThrow("403");
    await expect(TestClient.connect(`${bare}?token=${token.slice(1)}x`)).rejects.toThrow("403");
    await expect(socketPort(server.url, { Origin: "http://evil.example" })).rejects.toThrow("403");
    await expect(socketPort(server.url, { Origin: "null" })).rejects.toThrow("403");
    await expect(socketPort(server.url, { Host: `evil.example:${port}` })).rejects.toThrow("403");
    expect((await get(server.url, "/")).status).toBe(403);
    expect((await get(server.url, `/?token=${token}`, { Host: `evil.example:${port}` })).status).toBe(403);
    expect((await get(server.url, `/?token=${token}`, {}, "POST")).status).toBe(405);
    const ours = await socketPort(server.url, { Origin: `http://127.0.0.1:${port}` });
    ours.close();
  });

  test("every answer carries the policy, and the cookie stands in for the key", async () => {
    const { server } = await served();
    const token = new URL(server.url).searchParams.get("token")!;
    const refused = await get(server.url, "/nothing-here.js");
    expect(refused.headers).toMatchObject({
      "content-security-policy": expect.stringContaining("default-src 'none'"),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    const cookie = `parallax-${server.port}=${token}`;
    expect((await get(server.url, "/nothing-here.js", { Cookie: cookie })).status).toBe(404);
    const socket = await socketPort(`http://127.0.0.1:${server.port}/`, { Cookie: `other=1; ${cookie}` });
    socket.close();
  });

  test.each([
    "/../package.json",
    "/%2e%2e/package.json",
    "/..%2fpackage.json",
    "/..\\package.json",
    "/%00",
    "/%zz",
    "/chunks",
    "/secret.txt",
  ])("%s has no file", async (target) => {
    const { place } = await served();
    const pages = path.join(place.folder, "pages");
    mkdirSync(path.join(pages, "chunks"), { recursive: true });
    writeFileSync(path.join(place.folder, "package.json"), "{}");
    writeFileSync(path.join(pages, "secret.txt"), "no type of a page");
    writeFileSync(path.join(pages, "index.html"), "<p>");
    expect(await pageFile(target, pages)).toBeNull();
    expect((await pageFile("/", pages))?.type).toBe("text/html; charset=utf-8");
  });

  test("a port in use is named, with a free one", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void blocker.close());
    const { port } = blocker.address() as AddressInfo;
    const error = await served({ port }).catch(
      (e: unknown) => e as Error & { hint: string; details: { free: number } },
    );
    expect(error).toMatchObject({
      code: "serve.port-in-use",
      message: `Port ${port} on 127.0.0.1 is in use by another program.`,
    });
    const { free } = (error as { details: { free: number } }).details;
    expect(free).toBeGreaterThan(port);
    expect((error as { hint: string }).hint).toContain(`--port ${free}`);
  });

  test("messages that no page sends are answered or ignored, and the host goes on", async () => {
    const { server } = await served();
    const early = new TestClient(await socketPort(server.url));
    await expect(early.call("app.start-page", {})).rejects.toMatchObject({ code: "host.hello-first" });
    await expect(early.call("app.hello", { version: 99 })).rejects.toMatchObject({
      code: "host.version",
      hint: "Reload the page.",
    });
    early.raw([1, 2, 3]);
    early.raw("text");
    const page = await TestClient.connect(server.url);
    await expect(page.call("toString" as never, {} as never)).rejects.toMatchObject({ code: "host.unknown-method" });
    await expect(page.call("notebook.open", { path: 1 } as never)).rejects.toMatchObject({ code: "host.bad-params" });
    await expect(page.call("notebook.apply", { docId: "none", origin: "", ops: [] })).rejects.toMatchObject({
      code: "notebook.not-open",
    });
    expect((await page.call("files.list", { folder: "" })).entries).toEqual([]);
  });

  test("a call that takes long is cancelled by its number", async () => {
    const { place, server } = await served();
    place.notebook("a.ipynb", ["loop"]);
    const page = await TestClient.connect(server.url);
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    const call = page.call("kernel.analyse", { docId });
    page.cancel(call.id);
    await expect(call).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("closing ends kernels and sockets and keeps unsaved edits", async () => {
    const { place, server } = await served();
    place.notebook("a.ipynb", ["loop"]);
    const page = await TestClient.connect(server.url);
    const { docId } = await page.call("notebook.open", { path: "a.ipynb" });
    await page.call("cell.run", { docId, cellIds: ["c1"] });
    await page.event("cell.changed", ({ cells }) => cells[0]!.state === "running");
    await page.call("notebook.apply", {
      docId,
      origin: "x",
      ops: [{ type: "set-source", cellId: "c1", source: "kept" } as never],
    });
    await server.close();
    await expect.poll(() => page.closed).toBe("1001 Parallax was stopped");
    await expect(
      new Promise((resolve, reject) => connectTcp(server.port, "127.0.0.1").on("connect", resolve).on("error", reject)),
    ).rejects.toThrow("ECONNREFUSED");

    const again = await place.page(place.host());
    const view = await again.call("notebook.open", { path: "a.ipynb" });
    expect([view.recovered, (view.notebook as unknown as Notebook).cells[0]!.source]).toEqual([true, "kept"]);
    expect(HOST_PROTOCOL_VERSION).toBe(1);
  });
});

/** Serves the built page with a fake host behind it, so that a real browser can be driven without a kernel. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { WebSocketServer } from "ws";
import { contentSecurityPolicy } from "../../main/host/page-policy.ts";
import { root } from "../../scripts/build.mjs";
import type { FakeHost } from "./fake-host.ts";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".ttf": "font/ttf",
};

export interface PageServer {
  address: string;
  close(): Promise<void>;
}

export async function serveFake(
  host: FakeHost,
  folder: string = path.join(root, "dist/renderer"),
): Promise<PageServer> {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://x").pathname;
    const file = path.join(folder, name === "/" ? "index.html" : path.normalize(name));
    readFile(file).then(
      (bytes) => {
        response.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
        response.setHeader("content-security-policy", contentSecurityPolicy([]));
        response.end(bytes);
      },
      () => {
        response.statusCode = 404;
        response.end();
      },
    );
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    const reply = (message: unknown) => socket.send(JSON.stringify(message));
    const detach = host.attach(reply);
    socket.on("message", (data) => void host.receive(JSON.parse(String(data)), reply));
    socket.on("close", detach);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/`,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

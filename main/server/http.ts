/** `parallax serve`: the page and its socket, for this computer only unless another address was asked for. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocketServer } from "ws";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { systemCode } from "../host/disk-errors.ts";
import { Host, type HostOptions } from "../host/host.ts";
import { securityHeaders } from "../host/page-policy.ts";
import { SessionKey } from "./session-key.ts";
import { socketPort } from "./socket.ts";
import { answerPage } from "./static.ts";

export interface ServerOptions extends Omit<HostOptions, "shell" | "confined"> {
  /** Default 8790; 0 takes any free one. */
  port?: number;
  /** Default 127.0.0.1. Any other address makes the kernels reachable from there for whoever has the key. */
  host?: string;
  /** Opens the default browser. */
  open?: boolean;
}

export interface RunningServer {
  /** With the key of this session in it. */
  url: string;
  port: number;
  host: Host;
  /** Backs up unsaved edits, ends the kernels and lets the pages go. */
  close(): Promise<void>;
}

export const DEFAULT_PORT = 8790;
/** Messages carry notebooks; attached images and plots make them large. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** @throws {ParallaxError} serve.port-in-use with a free port in the hint, serve.address */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { port: wanted = DEFAULT_PORT, host: address = "127.0.0.1", open = false, ...hostOptions } = options;
  const server = createServer();
  const port = await listen(server, wanted, address);
  const isLoopback = ["127.0.0.1", "localhost", "::1"].includes(address);
  const names = isLoopback ? LOOPBACK : [...LOOPBACK, address, hostname()];
  const key = new SessionKey(names, port);
  const host = new Host({ ...hostOptions, shell: "browser", confined: true });
  // Policies know no IPv6 addresses; "self" covers them where the browser takes sockets for it.
  const connect = names.filter((name) => !name.startsWith("[")).map((name) => `ws://${name}:${port}`);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });

  server.on("request", (request, response) => {
    for (const [name, value] of Object.entries(securityHeaders(connect))) response.setHeader(name, value);
    answerPage(request, response, key).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(error instanceof Error ? error.message : String(error));
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const refusal =
      pathname !== "/socket"
        ? 404
        : key.isOurHost(request) && key.isOurOrigin(request) && key.isKnown(request)
          ? null
          : 403;
    if (refusal !== null) {
      socket.end(
        `HTTP/1.1 ${refusal} ${refusal === 404 ? "Not Found" : "Forbidden"}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => host.connect(socketPort(webSocket)));
  });

  const shown = address.includes(":") ? `[${address}]` : address === "0.0.0.0" ? hostname() : address;
  const url = `http://${shown}:${port}/?token=${key.token}`;
  if (open) {
    const { default: openBrowser } = await import("open");
    await openBrowser(url);
  }
  let closing: Promise<void> | null = null;
  return {
    url,
    port,
    host,
    close: () => {
      closing ??= (async () => {
        await host.dispose();
        sockets.close();
        // The pages are told why; one that does not answer is not waited for.
        for (let waited = 0; waited < 500 && sockets.clients.size > 0; waited += 10) await sleep(10);
        for (const client of sockets.clients) client.terminate();
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      })();
      return closing;
    },
  };
}

async function listen(server: Server, port: number, address: string): Promise<number> {
  try {
    return await tryListen(server, port, address);
  } catch (error) {
    if (systemCode(error) === "EADDRINUSE") {
      const free = await nextFreePort(port, address);
      throw new ParallaxError("serve.port-in-use", `Port ${port} on ${address} is in use by another program.`, {
        kind: "environment",
        hint: `Try \`parallax serve --port ${free}\`, which is free, or \`--port 0\` for any.`,
        details: { port, free },
        cause: error,
      });
    }
    throw new ParallaxError(
      "serve.address",
      `${address} port ${port} cannot be listened on (${systemCode(error) ?? error}).`,
      {
        kind: "environment",
        hint: "Use another port (above 1023) or address.",
        cause: error,
      },
    );
  }
}

function tryListen(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: address, exclusive: true }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** A port after `port` that could be listened on a moment ago; 0 when none of the next fifty could. */
async function nextFreePort(port: number, address: string): Promise<number> {
  for (let next = port + 1; next < Math.min(port + 50, 65536); next++) {
    const probe = createServer();
    try {
      await tryListen(probe, next, address);
      return next;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    } finally {
      await new Promise((resolve) => probe.close(resolve));
    }
  }
  return 0;
}

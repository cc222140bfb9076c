/** The page's files over HTTP, for those who have the key. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pageFile } from "../host/page-files.ts";
import type { SessionKey } from "./session-key.ts";

export async function answerPage(request: IncomingMessage, response: ServerResponse, key: SessionKey): Promise<void> {
  if (!key.isOurHost(request) || !key.isOurOrigin(request))
    return refuse(response, 403, "This server answers to its own address only.");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405, "Only GET and HEAD are answered.");
  }
  if (!key.isKnown(request))
    return refuse(
      response,
      403,
      "The key is missing or is of an earlier session. Open the whole address that `parallax serve` printed, ?token=… included.",
    );
  const { pathname } = new URL(request.url ?? "/", "http://x");
  const file = await pageFile(rawPath(request.url ?? "/"));
  if (file === null) return refuse(response, 404, `There is nothing at ${pathname}.`);
  if (pathname === "/") response.setHeader("Set-Cookie", key.cookie);
  response.setHeader("Content-Type", file.type);
  response.setHeader("Cache-Control", file.isImmutable ? "private, max-age=31536000, immutable" : "no-store");
  response.setHeader("Content-Length", file.body.length);
  response.end(request.method === "HEAD" ? undefined : file.body);
}

/** As it was sent: URL would take ".." away before anybody saw it. */
function rawPath(url: string): string {
  return url.replace(/[?#].*$/, "");
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.setHeader("Cache-Control", "no-store");
  response.end(`${why}\n`);
}

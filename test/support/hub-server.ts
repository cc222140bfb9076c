/**
 * A hub on loopback that speaks the part of the protocol that Parallax uses, from a folder on disk, and misbehaves on
 * request. Two servers on two ports: the hub itself, and the store that it sends large files to.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface SeenRequest {
  host: "hub" | "store";
  method: string;
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

/** What happens to one request; it is asked for each, and says nothing to behave. */
export interface Trouble {
  /** Another status, with headers and a text. */
  status?: number;
  headers?: Record<string, string>;
  text?: string;
  /** Ends the connection after so many bytes of the body. */
  dropAfter?: number;
  /** Stops sending after so many bytes, and keeps the connection. */
  stallAfter?: number;
  /** Other bytes than the file's. */
  body?: Buffer;
  /** Whatever range was asked for: the whole file with status 200. */
  ignoreRange?: boolean;
  /** Sends no Content-Length. */
  chunked?: boolean;
  /** Waits before each piece of `pieceBytes`. */
  slowMs?: number;
  pieceBytes?: number;
  /** Waits for this before the first byte of the body. */
  after?: Promise<unknown>;
  /** Over the usual headers of the first answer. */
  say?: Record<string, string>;
}

export interface HubServerOptions {
  /** id → folder with the model's files. */
  models: Record<string, string>;
  trouble?: (request: SeenRequest, n: number) => Trouble | undefined;
  /** Bytes from which a file is in LFS, and given by the store. */
  lfsFrom?: number;
  /** Only these tokens may read; undefined: everybody. */
  token?: string;
  /** Changes what /api/models/{id} answers. */
  info?: (id: string, info: ModelAnswer) => unknown;
}

export interface ModelAnswer {
  id: string;
  sha: string;
  tags: string[];
  gated: boolean | string;
  siblings: {
    rfilename: string;
    size: number;
    blobId: string;
    lfs?: { sha256: string; size: number; pointerSize: number };
  }[];
}

export class HubServer {
  readonly seen: SeenRequest[] = [];
  trouble: HubServerOptions["trouble"];
  readonly #options: HubServerOptions;
  readonly #hub: Server;
  readonly #store: Server;
  #ports = { hub: 0, store: 0 };
  readonly #counts = new Map<string, number>();

  private constructor(options: HubServerOptions) {
    this.#options = options;
    this.trouble = options.trouble;
    this.#hub = createServer((request, response) => void this.#answer("hub", request, response));
    this.#store = createServer((request, response) => void this.#answer("store", request, response));
  }

  static async start(options: HubServerOptions): Promise<HubServer> {
    const server = new HubServer(options);
    for (const each of [server.#hub, server.#store])
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    const port = (each: Server): number => (each.address() as AddressInfo).port;
    server.#ports = { hub: port(server.#hub), store: port(server.#store) };
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#ports.hub}`;
  }

  /** Another origin, as the hub's stores are. */
  get storeAddress(): string {
    return `http://localhost:${this.#ports.store}`;
  }

  /** The commit of a model: changes with its files. */
  revision(id: string): string {
    const hash = createHash("sha1");
    for (const [name, bytes] of this.#files(id)) hash.update(name).update(bytes);
    return hash.digest("hex");
  }

  async close(): Promise<void> {
    for (const each of [this.#hub, this.#store]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  }

  #files(id: string): Map<string, Buffer> {
    const root = this.#options.models[id];
    const files = new Map<string, Buffer>();
    if (root === undefined) return files;
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      files.set(path.relative(root, file).split(path.sep).join("/"), readFileSync(file));
    }
    return files;
  }

  #info(id: string): ModelAnswer {
    const siblings = [...this.#files(id)].map(([rfilename, bytes]) => {
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return {
        rfilename,
        size: bytes.byteLength,
        blobId: createHash("sha1").update(`blob ${bytes.byteLength}\0`).update(bytes).digest("hex"),
        ...(this.#isLfs(bytes) ? { lfs: { sha256, size: bytes.byteLength, pointerSize: 130 } } : {}),
      };
    });
    return { id, sha: this.revision(id), tags: ["sentence-transformers", "en", "license:mit"], gated: false, siblings };
  }

  #isLfs(bytes: Buffer): boolean {
    return bytes.byteLength >= (this.#options.lfsFrom ?? 20_000);
  }

  async #answer(host: "hub" | "store", request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    const url = new URL(request.url ?? "/", this.endpoint);
    const seen: SeenRequest = {
      host,
      method: request.method ?? "GET",
      path: decodeURIComponent(url.pathname),
      authorization: request.headers.authorization,
      range: request.headers.range,
    };
    this.seen.push(seen);
    const key = `${host} ${seen.path}`;
    const n = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, n);
    const trouble = this.trouble?.(seen, n) ?? {};
    if (trouble.status !== undefined) {
      response.writeHead(trouble.status, trouble.headers ?? {});
      response.end(trouble.text ?? "");
      return;
    }
    if (host === "hub" && this.#options.token !== undefined && seen.authorization !== `Bearer ${this.#options.token}`) {
      this.#json(response, 401, { error: "Invalid username or password." }, { "x-error-code": "RepoNotFound" });
      return;
    }
    const info = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(seen.path);
    if (info) return this.#giveInfo(response, info[1], info[2]);
    if (seen.path === "/api/models") return this.#search(response, url.searchParams.get("search") ?? "");
    const file = /^\/([^/]+\/[^/]+)\/(?:resolve|blobs)\/([^/]+)\/(.+)$/.exec(seen.path);
    if (file)
      return this.#giveFile(host, request, response, { id: file[1], revision: file[2], name: file[3] }, trouble);
    this.#json(response, 404, { error: "Not found" });
  }

  #giveInfo(response: ServerResponse, id: string, revision: string): void {
    const answer = this.#info(id);
    const lacks = (error: string, code: string) => this.#json(response, 404, { error }, { "x-error-code": code });
    if (this.#options.models[id] === undefined) lacks("Repository not found", "RepoNotFound");
    else if (revision !== "main" && revision !== answer.sha) lacks("Invalid rev id", "RevisionNotFound");
    else this.#json(response, 200, this.#options.info?.(id, answer) ?? answer);
  }

  #search(response: ServerResponse, words: string): void {
    const hits = Object.keys(this.#options.models)
      .filter((id) => id.toLowerCase().includes(words.toLowerCase()))
      .map((id, i) => {
        const { tags, gated, siblings } = this.#info(id);
        return { id, downloads: 1000 - i, tags, gated, library_name: "sentence-transformers", siblings };
      });
    this.#json(response, 200, hits);
  }

  async #giveFile(
    host: "hub" | "store",
    request: IncomingMessage,
    response: ServerResponse,
    { id, revision, name }: { id: string; revision: string; name: string },
    trouble: Trouble,
  ): Promise<void> {
    const bytes = this.#files(id).get(name);
    if (bytes === undefined || revision !== this.revision(id))
      return this.#json(response, 404, { error: "Entry not found" }, { "x-error-code": "EntryNotFound" });
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (host === "hub" && this.#isLfs(bytes)) {
      response.writeHead(302, {
        location: `${this.storeAddress}/${id}/blobs/${revision}/${name}?X-Signature=secret-of-the-store`,
        "x-repo-commit": revision,
        "x-linked-etag": `"${sha256}"`,
        "x-linked-size": String(bytes.byteLength),
        ...trouble.say,
      });
      response.end();
      return;
    }
    const content = trouble.body ?? bytes;
    const etag = `"${sha256.slice(0, 32)}"`;
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const ifRange = request.headers["if-range"];
    const start =
      asked && trouble.ignoreRange !== true && (ifRange === undefined || ifRange === etag) ? Number(asked[1]) : 0;
    if (start > 0 && start >= content.byteLength) {
      response.writeHead(416, { "content-range": `bytes */${content.byteLength}` });
      response.end();
      return;
    }
    const part = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      etag,
      ...(host === "hub" ? { "x-repo-commit": revision } : {}),
      ...(trouble.chunked ? {} : { "content-length": String(part.byteLength) }),
      ...(start > 0 ? { "content-range": `bytes ${start}-${content.byteLength - 1}/${content.byteLength}` } : {}),
      ...trouble.say,
    });
    await this.#send(response, part, trouble);
  }

  async #send(response: ServerResponse, part: Buffer, trouble: Trouble): Promise<void> {
    await trouble.after;
    const end = Math.min(part.byteLength, trouble.dropAfter ?? trouble.stallAfter ?? part.byteLength);
    const size = trouble.pieceBytes ?? (trouble.slowMs === undefined ? 1 << 20 : 16_384);
    for (let at = 0; at < end && !response.destroyed; at += size) {
      if (trouble.slowMs !== undefined) await sleep(trouble.slowMs);
      const more = response.write(part.subarray(at, Math.min(end, at + size)));
      if (!more && !response.destroyed)
        await new Promise<void>((resolve) => {
          response.once("drain", resolve);
          response.once("close", resolve);
        });
    }
    if (trouble.dropAfter !== undefined) {
      // What was written must leave first.
      await sleep(20);
      response.destroy();
    } else if (trouble.stallAfter === undefined) response.end();
  }

  #json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  }
}

/** Names and bytes of a folder, to compare whole folders. */
export function folderContent(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(path.join(folder, name)).isFile())
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(path.join(folder, name)))
          .digest("hex"),
      ]),
  );
}

/** A hub with a tiny random encoder, and an empty home for Parallax; both go when the test ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { type DownloadOptions, downloadModel } from "../../kernels/hub/download.ts";
import { type HttpOptions, HubHttp } from "../../kernels/hub/http.ts";
import { type FoundToken, findToken, Secret } from "../../kernels/hub/token.ts";
import type { ParallaxError } from "../../kernels/protocol/errors.ts";
import { HubServer, type HubServerOptions } from "../support/hub-server.ts";
import { type TinyBertOptions, writeTinyBert } from "../support/tiny-bert.ts";

export const ID = "tiny/bert-of-tests";

export interface HubPlace {
  root: string;
  /** PARALLAX_HOME of this test. */
  home: string;
  /** The model's folder behind the server. */
  model: string;
  server: HubServer;
  download(options?: Partial<DownloadOptions> & { id?: string; http?: HubHttp }): ReturnType<typeof downloadModel>;
  /** The error of a download that must fail. */
  refusal(options?: Parameters<HubPlace["download"]>[0]): Promise<ParallaxError>;
  http(options?: Partial<HttpOptions>): HubHttp;
}

/** A token as if it came from the file. */
export function keptToken(token: string): FoundToken {
  const where = "the file of the tests";
  return { secret: new Secret(token), info: { present: true, keptIn: "file", where, goesTo: where, problem: null } };
}

export async function hubPlace(
  options: Partial<HubServerOptions> & { bert?: TinyBertOptions; token?: string } = {},
): Promise<HubPlace> {
  const root = mkdtempSync(path.join(tmpdir(), "parallax-hub-"));
  const home = path.join(root, "home");
  const before = { ...process.env };
  process.env.PARALLAX_HOME = home;
  for (const name of ["HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "PARALLAX_OFFLINE", "HTTP_PROXY", "http_proxy"])
    delete process.env[name];
  const model = writeTinyBert(path.join(root, "model"), options.bert);
  const server = await HubServer.start({ models: { [ID]: model }, ...options });
  const clients: HubHttp[] = [];
  const http = (more: Partial<HttpOptions> = {}): HubHttp => {
    const token = options.token === undefined ? findToken() : keptToken(options.token);
    const client = new HubHttp({ endpoint: server.endpoint, offline: false, token, backoffMs: 10, ...more });
    clients.push(client);
    return client;
  };
  onTestFinished(async () => {
    for (const client of clients) await client.close();
    await server.close();
    process.env = before;
    rmSync(root, { recursive: true, force: true });
  });
  const place: HubPlace = {
    root,
    home,
    model,
    server,
    http,
    download: ({ id = ID, http: given, ...rest } = {}) => downloadModel(id, { http: given ?? http(), ...rest }),
    async refusal(given) {
      const got = await place.download(given).then(
        () => null,
        (error: unknown) => error as ParallaxError,
      );
      if (got === null) throw new Error("The download went through.");
      return got;
    },
  };
  return place;
}

/** The way to the hub: where the token goes and where it never goes, refusals in words, offline, mirrors. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createPlain, type RequestListener } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { modelInfo } from "../../kernels/hub/client.ts";
import { findToken, writeTokenFile } from "../../kernels/hub/token.ts";
import { selfSigned } from "../support/self-signed.ts";
import { both, givesWeights, parallax } from "./command.ts";
import { hubPlace, ID, keptToken } from "./workplace.ts";

const TOKEN = "hf_abcdefghijklmnop";
vi.setConfig({ testTimeout: 120_000 });

describe("a redirect", () => {
  test("in a circle ends with an error that says so", async () => {
    const place = await hubPlace();
    place.server.trouble = ({ path: asked }) => ({ status: 302, headers: { location: asked } });
    const error = await place.refusal();
    expect(error).toMatchObject({ code: "hub.redirects", kind: "environment" });
    expect(error.message).toMatch(
      /^tiny\/bert-of-tests could not be read from the hub: 127\.0\.0\.1:\d+ redirects in a circle \(5 times, last to 127\.0\.0\.1:\d+\)\. Nothing was installed\.$/,
    );
    expect(place.server.seen).toHaveLength(6);
  });

  test("to a store does not take the token along; the hub itself gets it each time", async () => {
    const place = await hubPlace({ token: TOKEN });
    await place.download();
    const got = (host: string) => [
      ...new Set(place.server.seen.filter((seen) => seen.host === host).map((seen) => seen.authorization)),
    ];
    expect(got("hub")).toEqual([`Bearer ${TOKEN}`]);
    expect(got("store")).toEqual([undefined]);
  });

  test("of a store back to the hub does not get it either", async () => {
    const place = await hubPlace({ token: TOKEN });
    place.server.trouble = (seen) =>
      givesWeights(seen) ? { status: 307, headers: { location: `${place.server.endpoint}/elsewhere` } } : undefined;
    await place.refusal({ http: place.http({ tries: 1 }) });
    expect(place.server.seen.at(-1)).toMatchObject({ host: "hub", path: "/elsewhere", authorization: undefined });
  });

  test.each([
    ["file:///etc/passwd", "redirects to file://, which is not safe"],
    ["http://", "leads to no address"],
    [undefined, "says nowhere to go"],
  ])("to %s is refused", async (location, why) => {
    const place = await hubPlace();
    place.server.trouble = () => ({ status: 302, headers: location === undefined ? {} : { location } });
    const error = await place.refusal();
    expect([error.code, error.message]).toEqual(["hub.bad-answer", expect.stringContaining(why)]);
  });

  test("from https to http is not followed, and to another https host the token does not go", async () => {
    const place = await hubPlace();
    const { cert, key } = selfSigned();
    const seen: { host: string; path: string; authorization: string | undefined }[] = [];
    let target = "";
    const listener =
      (host: string): RequestListener =>
      (request, response) => {
        seen.push({ host, path: request.url ?? "", authorization: request.headers.authorization });
        response.writeHead(host === "home" ? 302 : 404, host === "home" ? { location: `${target}/there` } : {});
        response.end();
      };
    const servers = [
      createSecure({ cert, key }, listener("home")),
      createSecure({ cert, key }, listener("other")),
      createPlain(listener("plain")),
    ];
    for (const server of servers) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => {
      for (const server of servers) server.close();
    });
    const [home, other, plain] = servers.map((server) => (server.address() as AddressInfo).port);
    const trusted = path.join(place.root, "cert.pem");
    writeFileSync(trusted, cert);
    const env = { HF_ENDPOINT: `https://localhost:${home}`, HF_TOKEN: TOKEN, NODE_EXTRA_CA_CERTS: trusted };

    target = `http://localhost:${plain}`;
    const down = await parallax(place, ["encoders", "download", ID], { env });
    expect([down.code, down.stderr]).toEqual([1, expect.stringContaining("redirects to http://, which is not safe")]);
    expect(seen).toEqual([{ host: "home", path: expect.stringMatching(/^\/api/), authorization: `Bearer ${TOKEN}` }]);

    seen.length = 0;
    target = `https://localhost:${other}`;
    await parallax(place, ["encoders", "download", ID], { env: { ...env, PARALLAX_HOME: path.join(place.root, "b") } });
    expect(new Set(seen.filter(({ host }) => host === "other").map(({ authorization }) => authorization))).toEqual(
      new Set([undefined]),
    );
    expect(seen.filter(({ host }) => host === "plain")).toEqual([]);
  });

  test("over plain http to another computer sends neither token nor question", async () => {
    const place = await hubPlace({ token: TOKEN });
    const error = await place.refusal({ http: place.http({ endpoint: "http://mirror.example" }) });
    expect([error.code, error.message]).toEqual([
      "hub.token-unsafe",
      expect.stringContaining("the token was not sent and nothing was asked for"),
    ]);
  });
});

describe("a refusal says what is missing and where to put it", () => {
  const none = { status: 401, code: "GatedRepo", said: `Access to model ${ID} is restricted.` };
  const cases: [string, { status: number; code?: string; said?: string }, "no token" | "token", string, RegExp][] = [
    [
      "gated, without a token",
      none,
      "no token",
      "hub.gated",
      /^Agree on the model's page, http.*\/tiny\/bert-of-tests – then: set a token of that account on the Encoders page, with parallax encoders token set, or in HF_TOKEN/,
    ],
    [
      "gated, not agreed",
      { ...none, status: 403 },
      "token",
      "hub.gated",
      /with the account that your token belongs to, then ask again\.$/,
    ],
    [
      "gated, waiting",
      { status: 403, code: "GatedRepo", said: "Your request to access model X is awaiting a review" },
      "token",
      "hub.gated",
      /^Wait until the model's authors let you in/,
    ],
    [
      "gated, a token without the right",
      { status: 403, said: "Please enable access to public gated repositories in your fine-grained token settings" },
      "token",
      "hub.gated",
      /^Allow the token to read public gated repositories, on the settings page of/,
    ],
    [
      "a wrong token",
      { status: 401, said: "Invalid credentials in Authorization header" },
      "token",
      "hub.token-refused",
      /^Make a new token on the settings page of .* then: parallax encoders token set/,
    ],
    [
      "a wrong token, for a name that is not there",
      { status: 401, code: "RepoNotFound", said: "Invalid credentials" },
      "token",
      "hub.token-refused",
      /^Make a new token/,
    ],
    [
      "private or not there, without a token",
      { status: 401, code: "RepoNotFound" },
      "no token",
      "hub.not-found",
      /For a private model: Set a token: on the Encoders page, with parallax encoders token set, or in HF_TOKEN\.$/,
    ],
    [
      "private or not there, with a token",
      { status: 404, code: "RepoNotFound" },
      "token",
      "hub.not-found",
      /whether the token's account may read it \(the file of the tests\)\.$/,
    ],
    [
      "forbidden, without a token",
      { status: 403, said: "Storage of this organisation is locked" },
      "no token",
      "hub.forbidden",
      /^Set a token/,
    ],
    [
      "forbidden, with a token",
      { status: 403 },
      "token",
      "hub.forbidden",
      /^The token has no right to read it\. Make a new token/,
    ],
  ];
  test.each(cases)("%s", async (_, { status, code, said }, kept, expected, hint) => {
    const headers = {
      ...(code === undefined ? {} : { "x-error-code": code }),
      ...(said === undefined ? {} : { "x-error-message": said }),
    };
    const place = await hubPlace({
      ...(kept === "token" ? { token: TOKEN } : {}),
      trouble: () => ({ status, headers }),
    });
    const error = await place.refusal();
    expect(error).toMatchObject({ code: expected, kind: "environment", details: { status } });
    expect(error.hint).toMatch(hint);
    expect(error.message).toContain(`status ${status}`);
    if (said !== undefined && expected !== "hub.not-found") expect(error.message).toContain(`It says: "${said}"`);
    expect(place.server.seen).toHaveLength(1);
  });

  test("by HF_TOKEN's name when that is where it came from", async () => {
    const place = await hubPlace({ trouble: () => ({ status: 401 }) });
    process.env.HF_TOKEN = TOKEN;
    const error = await place.refusal();
    expect([error.message, error.hint]).toEqual([
      expect.stringContaining("does not accept the token that is kept in the environment variable HF_TOKEN"),
      expect.stringContaining("put it into HF_TOKEN, or unset HF_TOKEN to go without."),
    ]);
  });

  test("by a token file that was not used because others can read it", async () => {
    const place = await hubPlace({ trouble: () => ({ status: 401, headers: { "x-error-code": "GatedRepo" } }) });
    writeTokenFile(TOKEN);
    chmodSync(path.join(place.home, "config/hub-token"), 0o644);
    if (findToken().info.present) return; // Windows keeps rights in lists.
    const error = await place.refusal();
    expect([error.code, error.message, error.hint]).toEqual([
      "hub.gated",
      expect.stringContaining("the file's rights are 644"),
      expect.stringContaining("chmod 600"),
    ]);
  });

  test("by a store, as the store's", async () => {
    const place = await hubPlace({ token: TOKEN });
    place.server.trouble = (seen) => (givesWeights(seen) ? { status: 403 } : undefined);
    const error = await place.refusal();
    // The hub was asked once more for another address.
    expect(place.server.seen.filter(givesWeights)).toHaveLength(2);
    expect([error.code, error.message]).toEqual([
      "hub.store-refused",
      expect.stringMatching(/^127\.0\.0\.1:\d+ sends to localhost:\d+ for .*model\.safetensors, which refuses it/),
    ]);
  });

  test("without what a server may put between its words", async () => {
    const place = await hubPlace({ token: TOKEN });
    place.server.trouble = (seen) => ({
      status: 403,
      text: JSON.stringify({ error: `\u001B[31mno\r\nentry\u0007 for ${seen.authorization}` }),
    });
    expect((await place.refusal()).message).toContain('It says: "[31mno entry for Bearer [token]"');
  });
});

describe("offline", () => {
  /** Writes down every connection and every name that is looked up. */
  const SPY = `
    import { appendFileSync } from "node:fs";
    import { Socket } from "node:net";
    import dns from "node:dns";
    const note = (what) => appendFileSync(process.env.PARALLAX_TEST_SPY, what + "\\n");
    const connect = Socket.prototype.connect;
    Socket.prototype.connect = function (...args) {
      const [to] = [args[0]].flat(1);
      note("connect " + JSON.stringify(to?.port ?? to?.path ?? to));
      return connect.apply(this, args);
    };
    const lookup = dns.lookup;
    dns.lookup = (...args) => { note("lookup " + args[0]); return lookup(...args); };
  `;

  test("by PARALLAX_OFFLINE or HF_HUB_OFFLINE opens no socket, and says what to do", async () => {
    const place = await hubPlace();
    const spy = path.join(place.root, "spy.mjs");
    const notes = path.join(place.root, "notes.txt");
    writeFileSync(spy, SPY);
    writeFileSync(notes, "");
    const env = { NODE_OPTIONS: `--import=${new URL(`file://${spy}`).href}`, PARALLAX_TEST_SPY: notes };
    for (const name of ["PARALLAX_OFFLINE", "HF_HUB_OFFLINE"]) {
      const { code, stderr } = await parallax(place, ["encoders", "download", ID], { env: { ...env, [name]: "1" } });
      expect(code).toBe(1);
      expect(stderr).toContain(`Parallax is set to work offline (by ${name}). No connection was tried. [hub.offline]`);
      expect(stderr).toContain(
        `Use an encoder that is here (parallax encoders list), or unset ${name} and start again.`,
      );
    }
    expect([readFileSync(notes, "utf8"), place.server.seen]).toEqual(["", []]);
    // The spy sees what there is to see.
    expect((await parallax(place, ["encoders", "download", ID], { env })).code).toBe(0);
    expect(readFileSync(notes, "utf8")).toContain(`connect "${new URL(place.server.endpoint).port}"`);
    const stored = await parallax(place, ["encoders", "list", "--json"], { env: { PARALLAX_OFFLINE: "1" } });
    expect(stored.stdout).toContain(ID);
  });
});

describe("a mirror", () => {
  test("below a path of another server is used by its address, token and all", async () => {
    const place = await hubPlace({ token: TOKEN });
    const seen: string[] = [];
    const mirror = createPlain((request, response) => {
      seen.push(request.url ?? "");
      if (!request.url?.startsWith("/artifacts/hub/")) return void response.writeHead(404).end();
      const from = new URL(request.url.slice("/artifacts/hub".length), place.server.endpoint);
      const { authorization } = request.headers;
      void fetch(from, { headers: authorization === undefined ? {} : { authorization } }).then(async (answer) => {
        const body = Buffer.from(await answer.arrayBuffer());
        response.writeHead(answer.status, { "content-type": "application/octet-stream" }).end(body);
      });
    });
    await new Promise<void>((done) => mirror.listen(0, "127.0.0.1", done));
    onTestFinished(() => {
      mirror.closeAllConnections();
      mirror.close();
    });
    const endpoint = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/artifacts/hub`;
    process.env.HF_ENDPOINT = endpoint;
    const { record } = await place.download({ http: place.http({ endpoint }) });
    expect(record.source).toBe(endpoint);
    expect(seen.every((each) => each.startsWith("/artifacts/hub/"))).toBe(true);
    const [stored, model] = both(place);
    expect(stored).toEqual(model);
    const refused = place.http({ endpoint, token: keptToken("hf_another") });
    await expect(modelInfo(refused, ID)).rejects.toMatchObject({ code: "hub.token-refused" });
  });
});

/**
 * One polite HTTP client for the hub: proxies, redirects by hand (the token goes to the hub's own address only), waiting
 * and trying again, limits on silence. Nothing here knows what a model is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { CancelledError, ParallaxError } from "../protocol/errors.ts";
import { hubError, noConnection, offlineError } from "./hub-errors.ts";
import { refusedBy } from "./refusals.ts";
import type { FoundToken, Secret } from "./token.ts";

export interface HttpOptions {
  /** The hub's address without a final slash. */
  endpoint: string;
  offline: boolean;
  offlineFrom?: string | null;
  /** Sent to the endpoint's own origin only. Null: nobody asks for one. */
  token: FoundToken | null;
  /** Silence before the first byte of an answer, and between two pieces of it, in ms. */
  headersTimeoutMs?: number;
  stallTimeoutMs?: number;
  /** First wait before another try; it doubles up to 30 s. */
  backoffMs?: number;
  /** Tries without any progress before giving up. */
  tries?: number;
  /** Longest wait that a Retry-After may ask for. */
  mostRetryAfterMs?: number;
}

export interface HubResponse {
  status: number;
  headers: Headers;
  /** Headers of the hub's own answer, when it sent us elsewhere for the bytes. */
  first: Headers;
  body: Dispatcher.ResponseData["body"];
}

export interface RequestOptions {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Statuses that are an answer and no error, besides 200 and 206. */
  accept?: readonly number[];
  /** What is asked for, for errors: "BAAI/bge-small-en-v1.5". */
  what: string;
  /** Told when we wait: "The hub asks to wait 30 s." Null: over. */
  onWait?: ((note: string | null) => void) | undefined;
}

const MOST_REDIRECTS = 5;
const MOST_WAIT_MS = 30_000;
/** Of what comes with a refusal. */
const MOST_REFUSAL_BYTES = 65_536;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class HubHttp {
  readonly options: Required<Omit<HttpOptions, "offlineFrom" | "token">> & Pick<HttpOptions, "offlineFrom" | "token">;
  readonly #agent: Dispatcher;

  constructor(options: HttpOptions) {
    this.options = {
      headersTimeoutMs: 30_000,
      stallTimeoutMs: 30_000,
      backoffMs: 1000,
      tries: 5,
      mostRetryAfterMs: 600_000,
      ...options,
    };
    // Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY; without them it connects directly.
    this.#agent = new EnvHttpProxyAgent({ connect: { timeout: 15_000 } });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /**
   * Try a piece of work again while it fails for passing reasons.
   * @param work may call `progressed`: then the count of tries begins anew.
   */
  async retrying<T>(
    { signal, onWait }: Pick<RequestOptions, "signal" | "onWait">,
    work: (progressed: () => void) => Promise<T>,
  ): Promise<T> {
    const { backoffMs, tries, mostRetryAfterMs } = this.options;
    for (let attempt = 1; ; attempt++) {
      let moved = false;
      try {
        const result = await work(() => {
          moved = true;
        });
        if (attempt > 1) onWait?.(null);
        return result;
      } catch (error) {
        if (signal?.aborted) throw new CancelledError("The download");
        if (!(error instanceof ParallaxError) || error.details?.passing !== true) throw error;
        if (moved) attempt = 0;
        if (attempt >= Math.min(tries, (error.details.mostTries as number | undefined) ?? tries)) throw error;
        const asked = error.details.retryAfterMs as number | undefined;
        if (asked !== undefined && asked > mostRetryAfterMs) throw error;
        const waitMs = asked ?? Math.min(MOST_WAIT_MS, backoffMs * 2 ** attempt * (0.75 + Math.random() / 2));
        const seconds = Math.max(1, Math.round(waitMs / 1000));
        onWait?.(
          asked === undefined ? `${error.message} Trying again in ${seconds} s.` : `The hub asks to wait ${seconds} s.`,
        );
        await sleep(waitMs, undefined, { signal }).catch(() => {
          throw new CancelledError("The download");
        });
        onWait?.(null);
      }
    }
  }

  /**
   * Ask once and follow redirects. The caller reads the body or destroys it.
   * @throws {ParallaxError} hub.offline, hub.no-connection, hub.busy, hub.unavailable, hub.gated, hub.not-found, …
   */
  async once(url: string, options: RequestOptions): Promise<HubResponse> {
    const { endpoint, offline, offlineFrom, token } = this.options;
    if (offline) throw offlineError(options.what, offlineFrom ?? "setting");
    const home = new URL(endpoint);
    let at = new URL(url);
    let first: Headers | undefined;
    // Once another host has had its say, nothing gets the token any more, whoever it sends us to.
    let isHome = true;
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      isHome &&= at.origin === home.origin;
      const secret = isHome ? (token?.secret ?? null) : null;
      if (secret !== null) checkTransport(at);
      const response = await this.#send(at, options, secret);
      const headers = this.#plainHeaders(response.headers);
      if (!REDIRECTS.has(response.statusCode)) {
        const answer = { status: response.statusCode, headers, first: first ?? headers, body: response.body };
        if ([200, 206, ...(options.accept ?? [])].includes(answer.status)) return answer;
        throw await this.#refusal(answer, at, options.what, isHome || hop === 0);
      }
      await drop(response);
      const location = headers.get("location");
      first ??= headers;
      if (location === null)
        throw hubError("hub.bad-answer", options.what, `a redirect of ${at.host} says nowhere to go`);
      let next: URL;
      try {
        next = new URL(location, at);
      } catch {
        throw hubError("hub.bad-answer", options.what, `a redirect of ${at.host} leads to no address`);
      }
      if (next.protocol !== "https:" && next.protocol !== at.protocol)
        throw hubError("hub.bad-answer", options.what, `${at.host} redirects to ${next.protocol}//, which is not safe`);
      at = next;
    }
    throw hubError(
      "hub.redirects",
      options.what,
      `${home.host} redirects in a circle (${MOST_REDIRECTS} times, last to ${at.host})`,
    );
  }

  /** The body as text. @throws {ParallaxError} hub.no-connection when it breaks, hub.bad-answer past `most` bytes */
  async text(body: HubResponse["body"], options: RequestOptions, most: number): Promise<string> {
    const pieces: Buffer[] = [];
    let n = 0;
    try {
      for await (const piece of body) {
        n += (piece as Buffer).byteLength;
        if (n > most) break;
        pieces.push(piece as Buffer);
      }
    } catch (error) {
      if (options.signal?.aborted) throw new CancelledError("The download");
      throw noConnection(options.what, new URL(this.options.endpoint).host, error);
    }
    if (n > most) throw hubError("hub.bad-answer", options.what, `the answer is longer than ${most} bytes`);
    return this.#redact(Buffer.concat(pieces).toString("utf8"));
  }

  async #send(url: URL, options: RequestOptions, secret: Secret | null): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url, {
        method: options.method ?? "GET",
        dispatcher: this.#agent,
        headersTimeout: this.options.headersTimeoutMs,
        bodyTimeout: this.options.stallTimeoutMs,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        headers: {
          "user-agent": "parallax",
          // Lengths and ranges must be those of the file itself.
          "accept-encoding": "identity",
          ...options.headers,
          ...(secret === null ? {} : { authorization: secret.header() }),
        },
      });
    } catch (error) {
      if (options.signal?.aborted) throw new CancelledError("The download");
      throw noConnection(options.what, url.host, error);
    }
  }

  async #refusal(answer: HubResponse, url: URL, what: string, isHome: boolean): Promise<ParallaxError> {
    const { status, headers } = answer;
    const said = await this.text(answer.body, { what }, MOST_REFUSAL_BYTES).catch(() => "");
    return refusedBy({
      what,
      host: url.host,
      endpoint: this.options.endpoint,
      isHome,
      status,
      code: headers.get("x-error-code"),
      said: oneLine(headers.get("x-error-message") ?? messageIn(said)),
      token: this.options.token?.info ?? null,
      retryAfterMs: retryAfter(headers.get("retry-after")),
    });
  }

  /** A server may repeat what we sent: whatever of its answers is read as text has the token taken out. */
  #redact(text: string): string {
    return this.options.token?.secret?.redact(text) ?? text;
  }

  #plainHeaders(raw: Dispatcher.ResponseData["headers"]): Headers {
    const headers = new Headers();
    for (const [name, value] of Object.entries(raw))
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) headers.append(name, this.#redact(one));
    return headers;
  }
}

/** A token over plain http can be read on the way; on this computer itself there is no way. */
function checkTransport(url: URL): void {
  if (url.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname)) return;
  throw new ParallaxError(
    "hub.token-unsafe",
    `The address ${url.origin} is not encrypted, so the token was not sent and nothing was asked for.`,
    { hint: "Use an https:// address, or forget the token for this mirror." },
  );
}

/** Words of somebody else's that will be shown on a terminal: one line, no control characters. */
function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 300);
}

async function drop(response: Dispatcher.ResponseData): Promise<void> {
  response.body.on("error", () => undefined);
  await response.body.dump({ limit: 65_536 }).catch(() => undefined);
}

function messageIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}

/** Seconds or a date → ms from now; undefined when it says nothing. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

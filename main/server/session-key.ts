/** Who may talk to the server: whoever has the key of this session, from a page of this very address. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export class SessionKey {
  readonly token = randomBytes(24).toString("base64url");
  /** Cookies are shared by all ports of a host name, so the name says which server set it. */
  readonly #cookie: string;
  readonly #names: ReadonlySet<string>;

  /** @param names host names that the server answers to, without the port */
  constructor(
    names: readonly string[],
    readonly port: number,
  ) {
    this.#cookie = `parallax-${port}`;
    this.#names = new Set(names.map((name) => `${name}:${port}`));
  }

  get cookie(): string {
    return `${this.#cookie}=${this.token}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Whether the key came with the address or, after that, with the cookie. */
  isKnown(request: IncomingMessage): boolean {
    const given = new URL(request.url ?? "/", "http://x").searchParams.get("token");
    if (given !== null) return this.#matches(given);
    const cookies = (request.headers.cookie ?? "").split(";").map((part) => part.trim());
    return cookies.some(
      (part) => part.startsWith(`${this.#cookie}=`) && this.#matches(part.slice(this.#cookie.length + 1)),
    );
  }

  /** False for another name that leads here (DNS rebinding). */
  isOurHost(request: IncomingMessage): boolean {
    return this.#names.has((request.headers.host ?? "").toLowerCase());
  }

  /** False for pages of other addresses. Programs that are no browsers send no Origin; they have the key or not. */
  isOurOrigin(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return true;
    return [...this.#names].some((name) => origin.toLowerCase() === `http://${name}`);
  }

  /** Equal digests in constant time: neither content nor length shows in how long it takes. */
  #matches(given: string): boolean {
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(given), digest(this.token));
  }
}

/** What the hub, the network or the disk refused, in words that say what is safe and what to do. */
import { ParallaxError } from "../protocol/errors.ts";

/** "1.3 GB", in powers of ten as disks are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const)
    if (bytes >= size * 0.9995)
      return `${(bytes / size).toFixed(bytes >= 100 * size || unit === "kB" ? 0 : 1)} ${unit}`;
  return `${bytes} B`;
}

export const KEPT = "What was downloaded so far is kept.";

export function offlineError(what: string, from: string): ParallaxError {
  const how = from === "setting" ? "in the settings" : `by ${from}`;
  return new ParallaxError(
    "hub.offline",
    `${what} was asked for, but Parallax is set to work offline (${how}). No connection was tried.`,
    {
      kind: "environment",
      hint: "Use an encoder that is here (parallax encoders list), or go online and ask again.",
      details: { offlineFrom: from },
    },
  );
}

/** A connection that did not come about, broke or fell silent: worth another try. */
export function noConnection(what: string, host: string, cause: unknown): ParallaxError {
  const code = systemCode(cause);
  const why =
    code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT"
      ? "it went silent"
      : code === "UND_ERR_CONNECT_TIMEOUT"
        ? "it does not answer"
        : code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "its name is not known here"
          : code === "ECONNREFUSED"
            ? "it refuses connections"
            : "the connection broke";
  return new ParallaxError("hub.no-connection", `${host} was asked for ${what}, but ${why} (${code}).`, {
    kind: "environment",
    hint: "Check the network, HTTPS_PROXY and the hub's address. Encoders that are here work without it.",
    details: { host, systemCode: code, passing: true },
  });
}

/** An answer that cannot be right. */
export function hubError(
  code: string,
  what: string,
  why: string,
  details: Record<string, unknown> = {},
): ParallaxError {
  return new ParallaxError(code, `${what} could not be read from the hub: ${why}. Nothing was installed.`, {
    kind: "environment",
    hint: "Try again later. If you use a mirror, check its address.",
    details,
  });
}

export function refusedBy(answer: {
  what: string;
  host: string;
  status: number;
  code: string | null;
  said: string;
  hasToken: boolean;
  retryAfterMs: number | undefined;
}): ParallaxError {
  const { what, host, status, code, said, hasToken, retryAfterMs } = answer;
  const details = { host, status, ...(code === null ? {} : { hubCode: code }), ...(said === "" ? {} : { said }) };
  const refuse = (name: string, message: string, hint: string, more: Record<string, unknown> = {}) =>
    new ParallaxError(name, message, { kind: "environment", hint, details: { ...details, ...more } });
  const setToken = "Set a token: parallax encoders token set, or HF_TOKEN.";
  if (code === "GatedRepo" || (status === 403 && /gated|awaiting|agree|access to model/i.test(said)))
    return refuse(
      "hub.gated",
      `${what} is given only to people who agreed to its terms (status ${status}). Nothing was downloaded.`,
      hasToken
        ? `Agree on the model's page at ${host} with the account that your token belongs to, then ask again.`
        : `Agree on the model's page at ${host}, then set a token of that account: parallax encoders token set, or HF_TOKEN.`,
    );
  if (status === 401 && hasToken && code !== "RepoNotFound")
    return refuse(
      "hub.token-refused",
      `${host} does not accept the token (status 401). Nothing was downloaded.`,
      "Make a new token on the hub's settings page and set it, or forget this one: parallax encoders token forget.",
    );
  if (code === "RevisionNotFound")
    return refuse(
      "hub.no-revision",
      `${what} has no such revision at ${host}.`,
      "Leave the revision out for the newest.",
    );
  if (code === "EntryNotFound")
    return refuse("hub.no-file", `${what} is not at ${host} (status ${status}).`, "The model changed: ask again.");
  if (status === 401 || status === 404)
    return refuse(
      "hub.not-found",
      `${what} is not at ${host}, or is private (status ${status}). Nothing was downloaded.`,
      hasToken
        ? "Check the name (parallax encoders find WORD) and your token's rights."
        : `Check the name (parallax encoders find WORD). For a private model: ${setToken}`,
    );
  if (status === 403)
    return refuse(
      "hub.forbidden",
      `${host} refuses ${what} (status 403).`,
      hasToken ? "The token has no right to read it." : setToken,
    );
  if (status === 429)
    return refuse(
      "hub.busy",
      `${host} asks for fewer requests (status 429) for ${what}. ${KEPT}`,
      hasToken ? "Wait a while and go on." : `Wait a while and go on; with a token the hub allows more. ${setToken}`,
      { passing: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    );
  if (status === 408 || status === 425 || status >= 500)
    return refuse("hub.unavailable", `${host} failed to give ${what} (status ${status}). ${KEPT}`, "Try again later.", {
      passing: true,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  return refuse(
    "hub.refused",
    `${host} refuses ${what} (status ${status}).`,
    "If you use a mirror, check its address.",
  );
}

export function diskFull(what: string, needs: number, free: number, folder: string): ParallaxError {
  return new ParallaxError(
    "hub.disk-full",
    `${what}: needs ${formatBytes(needs)}, ${formatBytes(free)} free. ${KEPT}`,
    {
      kind: "environment",
      hint: "Free some space (parallax encoders remove ID), then go on with the download.",
      details: { needsBytes: needs, freeBytes: free, folder },
    },
  );
}

/** The innermost code that says something. */
export function systemCode(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === "string") return code;
  }
  return error instanceof Error ? error.name : "unknown";
}

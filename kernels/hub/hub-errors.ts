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
      hint: `Use an encoder that is here (parallax encoders list), or ${from === "setting" ? 'untick "Work offline" on the Encoders page' : `unset ${from} and start again`}.`,
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

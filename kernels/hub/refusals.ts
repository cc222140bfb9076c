/** Statuses of the hub as errors that say what is missing (a consent, a token, a right, patience) and where to put it. */
import type { EncoderSettings } from "../protocol/encoders.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { KEPT } from "./hub-errors.ts";
import { isHubId } from "./hub-id.ts";

export interface Refusal {
  /** "BAAI/bge-small-en-v1.5", or with a file behind it. */
  what: string;
  /** Who refused. */
  host: string;
  endpoint: string;
  /** False: a store that the hub sent us to, which never gets the token. */
  isHome: boolean;
  status: number;
  /** The hub's own word for it (x-error-code). */
  code: string | null;
  /** Its own sentence, on one line, the token taken out. */
  said: string;
  /** Null: nobody looked for a token. */
  token: EncoderSettings["token"] | null;
  retryAfterMs: number | undefined;
}

const SET_TOKEN = "Set a token: on the Encoders page, with parallax encoders token set, or in HF_TOKEN.";

/** Codes: hub.gated, token-refused, no-revision, no-file, not-found, forbidden, busy, unavailable, store-refused, refused. */
export function refusedBy(answer: Refusal): ParallaxError {
  const { what, host, endpoint, isHome, status, code, said, token, retryAfterMs } = answer;
  const details = { host, status, ...(code === null ? {} : { hubCode: code }), ...(said === "" ? {} : { said }) };
  const wait = { passing: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const refuse = (name: string, message: string, hint: string, more: Record<string, unknown> = {}) =>
    new ParallaxError(`hub.${name}`, message, { kind: "environment", hint, details: { ...details, ...more } });
  if (status === 429)
    return refuse(
      "busy",
      `${host} asks for fewer requests (status 429) for ${what}. ${KEPT}`,
      token === null || token.present
        ? "Wait a while and go on."
        : `Wait a while and go on; with a token the hub allows more. ${SET_TOKEN}`,
      wait,
    );
  if (status === 408 || status === 425 || status >= 500)
    return refuse(
      "unavailable",
      `${host} failed to give ${what} (status ${status}). ${KEPT}`,
      "Try again later.",
      wait,
    );
  // Its addresses are good for a while; the hub gives a new one to the next try.
  if (!isHome)
    return refuse(
      "store-refused",
      `${new URL(endpoint).host} sends to ${host} for ${what}, which refuses it (status ${status}). ${KEPT}`,
      `Try again; if it stays so, something on the way may block ${host}.`,
      { passing: true, mostTries: 2 },
    );
  const hasToken = token?.present === true;
  const words = said === "" ? "" : ` It says: "${said}"`;
  const unused = token?.problem == null ? "" : ` ${token.problem.message}`;
  const needed = token?.problem?.hint ?? SET_TOKEN;
  const gated = /gated|awaiting|agree|access to model/i.test(said);
  if (code === "GatedRepo" || (status === 403 && gated))
    return refuse(
      "gated",
      `${what} is given only to people who agreed to its terms (status ${status}). Nothing was downloaded.${unused}${words}`,
      consent(said, modelPage(endpoint, what), host, token),
    );
  // An unknown name is answered with 401 too; the code or the words tell it from a token that is not accepted.
  if (status === 401 && hasToken && (code !== "RepoNotFound" || /invalid credentials|expired|revoked/i.test(said)))
    return refuse(
      "token-refused",
      `${host} does not accept the token that is kept in ${token.where} (status 401). Nothing was downloaded.${words}`,
      newToken(host, token),
    );
  if (code === "RevisionNotFound")
    return refuse("no-revision", `${what} has no such revision at ${host}.`, "Leave the revision out for the newest.");
  if (code === "EntryNotFound")
    return refuse("no-file", `${what} is not at ${host} (status ${status}).`, "The model changed: ask again.");
  if (status === 401 || status === 404)
    return refuse(
      "not-found",
      `${what} is not at ${host}, or is private (status ${status}). Nothing was downloaded.${unused}`,
      hasToken
        ? `Check the name (parallax encoders find WORD), and whether the token's account may read it (${token.where}).`
        : `Check the name (parallax encoders find WORD). For a private model: ${needed}`,
    );
  if (status === 403)
    return refuse(
      "forbidden",
      `${host} refuses ${what} (status 403). Nothing was downloaded.${unused}${words}`,
      hasToken ? `The token has no right to read it. ${newToken(host, token)}` : needed,
    );
  return refuse(
    "refused",
    `${host} refuses ${what} (status ${status}).${words}`,
    "If you use a mirror, check its address.",
  );
}

/** The next step to a gated model: a consent, then a token of the same account that may read gated models. */
function consent(said: string, page: string, host: string, token: EncoderSettings["token"] | null): string {
  if (/awaiting/i.test(said)) return `Wait until the model's authors let you in: ${page}`;
  if (token?.present !== true) {
    const next =
      token?.problem?.hint ??
      "set a token of that account on the Encoders page, with parallax encoders token set, or in HF_TOKEN";
    return `Agree on the model's page, ${page} – then: ${next}`;
  }
  if (/fine-grained/i.test(said))
    return `Allow the token to read public gated repositories, on the settings page of ${host}; or make a new one.`;
  return `Agree on the model's page, ${page}, with the account that your token belongs to, then ask again.`;
}

function newToken(host: string, { keptIn }: EncoderSettings["token"]): string {
  const made = `Make a new token on the settings page of ${host}`;
  if (keptIn === "HF_TOKEN") return `${made} and put it into HF_TOKEN, or unset HF_TOKEN to go without.`;
  if (keptIn === "file")
    return `${made}, then: parallax encoders token set (to go without: parallax encoders token forget).`;
  return `${made} and set it on the Encoders page (Forget there goes without).`;
}

function modelPage(endpoint: string, what: string): string {
  const id = what.split("/").slice(0, 2).join("/");
  return isHubId(id) ? `${endpoint}/${id}` : endpoint;
}

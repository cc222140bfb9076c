/** The way to the hub as the user set it: address, offline, token. */
import { HubHttp } from "../hub/http.ts";
import { hubAddress, writeHubSettings } from "../hub/hub-settings.ts";
import { findToken, writeTokenFile } from "../hub/token.ts";
import type { EncoderSettings } from "../protocol/encoders.ts";

/** What the desktop app knows beside the environment and the settings. */
export interface Access {
  /** From the system's keychain. Undefined: there is none here; null: it holds no token. */
  keychainToken?: string | null | undefined;
}

/** @throws {ParallaxError} hub.bad-address */
export function encoderSettings(access: Access = {}): EncoderSettings {
  return { ...hubAddress(), token: findToken(access.keychainToken).info };
}

/** @throws {ParallaxError} hub.bad-address, file.write-failed */
export function setEncoderSettings(
  change: { mirror?: string | null | undefined; offline?: boolean | undefined },
  access: Access = {},
): EncoderSettings {
  writeHubSettings({
    ...(change.mirror === undefined ? {} : { mirror: change.mirror }),
    ...(change.offline === undefined ? {} : { offline: change.offline }),
  });
  return encoderSettings(access);
}

/** Keep a token in the owner's file, or forget it (null). @throws {ParallaxError} hub.bad-token, hub.token-not-kept */
export function setToken(token: string | null, access: Access = {}): EncoderSettings {
  writeTokenFile(token);
  return encoderSettings(access);
}

/** A client for one piece of work, closed at its end. @throws {ParallaxError} hub.bad-address and what the work throws */
export async function withHub<T>(access: Access, work: (http: HubHttp) => Promise<T>): Promise<T> {
  const { endpoint, offline, offlineFrom } = hubAddress();
  const http = new HubHttp({ endpoint, offline, offlineFrom, secret: findToken(access.keychainToken).secret });
  try {
    return await work(http);
  } finally {
    await http.close();
  }
}

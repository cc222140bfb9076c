/** The way to the hub as the user set it: address, offline, token. */
import { HubHttp } from "../hub/http.ts";
import { hubAddress, writeHubSettings } from "../hub/hub-settings.ts";
import { findToken, writeTokenFile } from "../hub/token.ts";
import type { EncoderSettings, Keychain } from "../protocol/encoders.ts";

/** What the desktop app knows beside the environment and the settings. */
export interface Access {
  /** Undefined: there is no keychain here. */
  keychain?: Keychain | undefined;
}

let own: Access = {};

/** What this process uses from now on when it is not said for a call. For kernels, whose cells know of no keychain. */
export function setAccess(access: Access): void {
  own = access;
}

/** @throws {ParallaxError} hub.bad-address */
export function encoderSettings(access: Access = own): EncoderSettings {
  return { ...hubAddress(), token: findToken(access.keychain).info };
}

/** @throws {ParallaxError} hub.bad-address, file.write-failed */
export function setEncoderSettings(
  change: { mirror?: string | null | undefined; offline?: boolean | undefined },
  access: Access = own,
): EncoderSettings {
  writeHubSettings({
    ...(change.mirror === undefined ? {} : { mirror: change.mirror }),
    ...(change.offline === undefined ? {} : { offline: change.offline }),
  });
  return encoderSettings(access);
}

/** Keep a token in the owner's file, or forget it (null). @throws {ParallaxError} hub.bad-token, hub.token-not-kept */
export function setToken(token: string | null, access: Access = own): EncoderSettings {
  writeTokenFile(token);
  return encoderSettings(access);
}

/** A client for one piece of work, closed at its end. @throws {ParallaxError} hub.bad-address and what the work throws */
export async function withHub<T>(access: Access | undefined, work: (http: HubHttp) => Promise<T>): Promise<T> {
  const { endpoint, offline, offlineFrom } = hubAddress();
  const http = new HubHttp({ endpoint, offline, offlineFrom, token: findToken((access ?? own).keychain) });
  try {
    return await work(http);
  } finally {
    await http.close();
  }
}

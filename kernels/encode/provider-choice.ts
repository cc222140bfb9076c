/** Which provider an encoder runs on when nobody said it for this encoder. */
import type { ProviderName } from "../graph/compute.ts";
import { checkProviderName } from "../graph/providers.ts";

/**
 * The user's setting (PARALLAX_PROVIDER, from the settings file or `--provider`), else "cpu".
 * @throws {ParallaxError} session.no-provider when the setting names none
 */
export function defaultProvider(): ProviderName {
  const chosen = process.env.PARALLAX_PROVIDER?.trim();
  return chosen === undefined || chosen === "" ? "cpu" : checkProviderName(chosen);
}

/** Whether the user named it for this one command (`--provider`), which no encoder may pass over, as it may a setting. */
export function isProviderAsked(): boolean {
  return process.env.PARALLAX_PROVIDER_FROM === "option";
}

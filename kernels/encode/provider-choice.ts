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

/** Where the hub is, and whether it may be asked at all. The environment goes before the settings file. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { appFolders } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { EncoderSettings } from "../protocol/encoders.ts";
import { ParallaxError } from "../protocol/errors.ts";

export const DEFAULT_ENDPOINT = "https://huggingface.co";

const fileSchema = z.object({
  mirror: z.string().nullable().default(null),
  offline: z.boolean().default(false),
  /** Model folders of the user's own, absolute. */
  folders: z.array(z.string()).default([]),
});
export type HubSettingsFile = z.infer<typeof fileSchema>;

export type HubAddress = Pick<EncoderSettings, "mirror" | "endpoint" | "endpointFrom" | "offline" | "offlineFrom">;

const settingsFile = (): string => path.join(appFolders().config, "hub.json");

/** What the file says; a missing or damaged file says nothing. */
export function readHubSettings(): HubSettingsFile {
  let text: string;
  try {
    text = readFileSync(settingsFile(), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return fileSchema.parse({});
    throw error;
  }
  try {
    const parsed = fileSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : fileSchema.parse({});
  } catch (error) {
    if (error instanceof SyntaxError) return fileSchema.parse({});
    throw error;
  }
}

/** @throws {ParallaxError} hub.bad-address, file.write-failed */
export function writeHubSettings(change: Partial<HubSettingsFile>): HubSettingsFile {
  const next = { ...readHubSettings(), ...change };
  if (next.mirror !== null) next.mirror = checkAddress(next.mirror, "The mirror's address");
  writeFileAtomically(settingsFile(), [`${JSON.stringify(next, null, 2)}\n`]);
  return next;
}

/**
 * The address in use and whether we are offline.
 * @throws {ParallaxError} hub.bad-address for an HF_ENDPOINT that is no address
 */
export function hubAddress(): HubAddress {
  const { mirror, offline } = readHubSettings();
  const fromEnvironment = process.env.HF_ENDPOINT?.trim();
  const offlineFrom = isTrue(process.env.PARALLAX_OFFLINE)
    ? "PARALLAX_OFFLINE"
    : isTrue(process.env.HF_HUB_OFFLINE)
      ? "HF_HUB_OFFLINE"
      : offline
        ? "setting"
        : null;
  return {
    mirror,
    ...(fromEnvironment
      ? { endpoint: checkAddress(fromEnvironment, "HF_ENDPOINT"), endpointFrom: "HF_ENDPOINT" as const }
      : mirror !== null
        ? { endpoint: mirror, endpointFrom: "setting" as const }
        : { endpoint: DEFAULT_ENDPOINT, endpointFrom: "default" as const }),
    offline: offlineFrom !== null,
    offlineFrom,
  };
}

/** The same words that the hub's own tools take for true. */
function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["1", "true", "yes", "on"].includes(value.trim().toLowerCase());
}

/** An http(s) address without user, query or final slash. A password in it would end in logs: it is refused unshown. */
function checkAddress(text: string, what: string): string {
  let url: URL | null = null;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (url !== null && (url.username !== "" || url.password !== ""))
    throw new ParallaxError("hub.bad-address", `${what} holds a user name or a password. It was not used.`, {
      hint: "Leave them out of the address; give a token instead (parallax encoders token set).",
    });
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "")
    throw new ParallaxError("hub.bad-address", `${what} ${JSON.stringify(text)} is no web address.`, {
      hint: `Write it like ${DEFAULT_ENDPOINT}.`,
      details: { address: text },
    });
  return url.href.replace(/\/+$/, "");
}

/** Names of models at the hub, "owner/name", and the paths of files in them. Both become parts of our own paths. */
import { ParallaxError } from "../protocol/errors.ts";

const PART = /^[A-Za-z0-9](?:[\w.-]{0,94}[\w])?$/;

/** True for "owner/name" as the hub allows it. A relative folder looks the same: who asks decides which comes first. */
export function isHubId(text: string): boolean {
  const parts = text.split("/");
  return parts.length === 2 && parts.every((part) => PART.test(part) && !part.includes("..") && !part.includes("--"));
}

/** @throws {ParallaxError} hub.bad-id */
export function checkHubId(id: string): void {
  if (isHubId(id)) return;
  throw new ParallaxError(
    "hub.bad-id",
    `${JSON.stringify(id)} is no name of a model at the hub. Nothing was asked for.`,
    {
      hint: 'Write owner and name, for example "BAAI/bge-small-en-v1.5".',
      details: { id },
    },
  );
}

/** Folder name of a model in the store: "BAAI--bge-small-en-v1.5". An id never holds "--", so it can be read back. */
export function storeName(id: string): string {
  return id.replace("/", "--");
}

/** The id of a folder in the store, or null when it is none. */
export function idOfStoreName(name: string): string | null {
  const id = name.replace("--", "/");
  return isHubId(id) ? id : null;
}

/** Names that Windows keeps for devices, with any extension. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * Null when a path of a repository stays inside its folder on every system, else what is wrong with it. Refused: empty
 * parts, "." and "..", absolute paths, drive letters and streams (":"), backslashes, control characters, Windows devices,
 * parts that end in a dot or a space or are longer than 255 bytes.
 */
export function pathFault(file: string): string | null {
  if (file === "") return "it is empty";
  if (file.startsWith("/")) return "it is absolute";
  if (file.includes("\\")) return "it has a backslash";
  if (file.includes(":")) return "it has a colon";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(file)) return "it has a control character";
  for (const part of file.split("/")) {
    if (part === "" || part === "." || part === "..") return `it has the part ${JSON.stringify(part)}`;
    if (DEVICES.test(part)) return `${JSON.stringify(part)} is a device on Windows`;
    if (/[. ]$/.test(part)) return `${JSON.stringify(part)} ends in a dot or a space`;
    if (Buffer.byteLength(part) > 255) return "a part is longer than 255 bytes";
  }
  return null;
}

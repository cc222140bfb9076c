/** What a text names as an encoder: one that is installed, a folder or ONNX file, or a downloaded model by its hub id. */
import { existsSync } from "node:fs";
import path from "node:path";
import { formatBytes } from "../hub/hub-errors.ts";
import { isHubId } from "../hub/hub-id.ts";
import { findPart } from "../hub/part.ts";
import { findStored } from "../hub/store.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { catalogueEntry, knownFile, refusedModel } from "./catalogue/catalogue.ts";
import { isDefaultReference } from "./default-encoder.ts";

/**
 * The reference that `readSpec` takes: an installed encoder's name and a hub id as they are, all else as an absolute path.
 * A folder that exists goes before a hub id of the same spelling.
 */
export function resolveReference(reference: string, workingFolder: string): string {
  if (isDefaultReference(reference)) return reference;
  const absolute = path.resolve(workingFolder, reference);
  return isHubId(reference) && !existsSync(absolute) ? reference : absolute;
}

/**
 * The folder of a downloaded encoder, when the reference is a hub id.
 *
 * @returns null for anything else.
 * @throws {ParallaxError} encoder.not-downloaded says how to get it; encoder.damaged-download
 */
export function downloadedEncoder(reference: string): { folder: string; name: string } | null {
  if (!isHubId(reference) || existsSync(reference)) return null;
  const stored = findStored(reference);
  if (stored === null) throw notDownloaded(reference);
  if (stored.faults.length > 0)
    throw new ParallaxError(
      "encoder.damaged-download",
      `The downloaded encoder ${reference} in ${stored.folder} is damaged: ${stored.faults.join("; ")}. Nothing was loaded.`,
      {
        kind: "environment",
        hint: `parallax encoders download ${reference} brings what is missing.`,
        details: { id: reference, folder: stored.folder, faults: stored.faults },
      },
    );
  return { folder: stored.folder, name: reference.split("/").at(-1) ?? reference };
}

function notDownloaded(id: string): ParallaxError {
  const refused = refusedModel(id);
  if (refused !== undefined)
    return new ParallaxError(
      "encoder.not-downloaded",
      `The encoder ${id} is not here, and Parallax cannot run it: ${refused.why}`,
      {
        hint: "parallax encoders list --all shows the ones that it can run.",
        details: { id },
      },
    );
  const part = findPart(id);
  const bytes = part?.progress.totalBytes ?? knownFile(id, "model.safetensors")?.bytes ?? sizeByParameters(id);
  const size = bytes === undefined ? "" : ` (about ${formatBytes(bytes)})`;
  const here =
    part === null || part.progress.totalBytes === 0
      ? ""
      : ` ${Math.floor((100 * part.progress.doneBytes) / part.progress.totalBytes)} % of it is here already.`;
  return new ParallaxError(
    "encoder.not-downloaded",
    `"${id}" is no folder here, and no encoder of that name was downloaded${size}.${here} Nothing was loaded.`,
    {
      hint: `Get it from the hub: loadEncoder("${id}", { download: true }), or parallax encoders download ${id}.`,
      details: { id, ...(bytes === undefined ? {} : { sizeBytes: bytes }) },
    },
  );
}

/** Four bytes a parameter; what the hub holds may be half of it. */
function sizeByParameters(id: string): number | undefined {
  const entry = catalogueEntry(id);
  return entry === undefined ? undefined : entry.millions * 4e6;
}

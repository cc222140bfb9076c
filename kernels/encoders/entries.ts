/** Encoders as rows of a list: embedded, downloaded, half downloaded, the user's folders, and known ones at the hub. */
import { existsSync } from "node:fs";
import path from "node:path";
import { catalogueEntry, knownFile, refusedModel } from "../encode/catalogue/catalogue.ts";
import { CATALOGUE } from "../encode/catalogue/models.ts";
import type { CatalogueEntry } from "../encode/catalogue/types.ts";
import { DEFAULT_VARIANTS, type DefaultReference } from "../encode/default-encoder.ts";
import type { EncoderSpec } from "../encode/encoder-spec.ts";
import { bestSpeeds } from "../encode/measure-encoder.ts";
import { readSpec } from "../encode/read-spec.ts";
import { appFolders } from "../files/app-folders.ts";
import type { ModelHit } from "../hub/client.ts";
import { freeBytes } from "../hub/download.ts";
import { readHubSettings } from "../hub/hub-settings.ts";
import { findPart, listParts, type Part } from "../hub/part.ts";
import { findStored, folderBytes, listStored, type StoredEncoder, storeFolder } from "../hub/store.ts";
import { architectureSizes } from "../model/architecture.ts";
import { type DiskUse, type EncoderEntry, encoderSpeedSchema, type HashTrust } from "../protocol/encoders.ts";
import { ParallaxError, toErrorData } from "../protocol/errors.ts";
import { type Known, NOBODY, usesOf } from "./uses.ts";

const UNKNOWN: Omit<EncoderEntry, "id" | "name" | "source" | "state"> = {
  dimensions: null,
  maxTokens: null,
  sizeBytes: null,
  licence: null,
  languages: [],
  prompts: { count: 0, names: [] },
  pooling: null,
  normalised: null,
  family: null,
  revision: null,
  sha256: "not known",
  speed: null,
  usedBy: [],
  progress: null,
  error: null,
  note: null,
};

/**
 * All rows: what is here first, then what the catalogue knows at the hub.
 * Cost: small files of each encoder; the default one's weights once (they are checked against their digest).
 */
export async function listEntries(known: Known = NOBODY): Promise<EncoderEntry[]> {
  const entries: EncoderEntry[] = [];
  for (const reference of Object.keys(DEFAULT_VARIANTS) as DefaultReference[]) entries.push(await embedded(reference));
  const stored = listStored();
  for (const each of stored) entries.push(await storedEntry(each));
  const here = new Set(stored.map((each) => each.id));
  for (const part of listParts()) if (!here.has(part.state.id)) entries.push(partEntry(part));
  for (const folder of readHubSettings().folders) entries.push(await folderEntry(folder));
  const listed = new Set(entries.map((entry) => entry.id.toLowerCase()));
  for (const each of CATALOGUE) if (!listed.has(each.id.toLowerCase())) entries.push(availableEntry(each.id));
  return withFacts(entries, known);
}

/** One row, whatever the id names. @throws {ParallaxError} encoder.not-found for a folder that is no encoder */
export async function entryOf(id: string, known: Known = NOBODY): Promise<EncoderEntry> {
  const [entry] = withFacts([await bareEntry(id)], known);
  return entry!;
}

async function bareEntry(id: string): Promise<EncoderEntry> {
  if (Object.hasOwn(DEFAULT_VARIANTS, id)) return embedded(id as DefaultReference);
  if (readHubSettings().folders.includes(id)) return folderEntry(id);
  const stored = findStored(id);
  if (stored !== null) return storedEntry(stored);
  const part = findPart(id);
  return part === null ? availableEntry(id) : partEntry(part);
}

function withFacts(entries: readonly EncoderEntry[], known: Known): EncoderEntry[] {
  const speeds = bestSpeeds();
  const uses = usesOf(known);
  return entries.map((entry) => ({
    ...entry,
    speed: encoderSpeedSchema.nullable().parse(speeds.get(entry.id) ?? null),
    usedBy: entry.state === "available" ? [] : uses(entry),
  }));
}

async function embedded(reference: DefaultReference): Promise<EncoderEntry> {
  const base = { ...UNKNOWN, id: reference, name: DEFAULT_VARIANTS[reference].name, source: "embedded" as const };
  try {
    const spec = await readSpec(reference);
    return {
      ...base,
      ...ofSpec(spec),
      state: "ready",
      sizeBytes: folderBytes(spec.folder),
      licence: spec.licence ?? "Apache-2.0",
      languages: spec.languages.length > 0 ? [...spec.languages] : ["en"],
      sha256: "as published",
      note: `Installed with Parallax: ${DEFAULT_VARIANTS[reference].what}.`,
    };
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    return { ...base, state: "damaged", error: toErrorData(error) };
  }
}

async function storedEntry(stored: StoredEncoder): Promise<EncoderEntry> {
  const { id, record, faults } = stored;
  const base: EncoderEntry = {
    ...ofCatalogue(id),
    state: "ready",
    revision: record.revision,
    sizeBytes: record.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    sha256: leastTrust(record.files.filter((file) => record.weights.includes(file.path)).map((file) => file.trust)),
    note: null,
  };
  if (base.licence === null) base.licence = record.licence;
  if (base.languages.length === 0) base.languages = record.languages;
  if (faults.length > 0)
    return {
      ...base,
      state: "damaged",
      error: toErrorData(
        new ParallaxError("encoder.damaged-download", `${id} is damaged: ${faults.join("; ")}.`, {
          kind: "environment",
          hint: "Download it again: only what is missing is fetched.",
        }),
      ),
    };
  if (record.verified?.ok === false) return { ...base, state: "failed", error: record.verified.error };
  try {
    const spec = ofSpec(await readSpec(id));
    return {
      ...base,
      ...spec,
      dimensions: record.verified?.dimensions ?? spec.dimensions,
      licence: spec.licence ?? base.licence,
      languages: spec.languages.length > 0 ? spec.languages : base.languages,
    };
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    return { ...base, state: "failed", error: toErrorData(error) };
  }
}

/** A part that a living process works on is downloading; "downloading" without one was cut off. */
export function partEntry(part: Part): EncoderEntry {
  const { state } = part;
  const now = part.pid !== null ? "downloading" : state.state;
  return {
    ...ofCatalogue(state.id),
    state: part.pid !== null ? "downloading" : now === "stopped" || now === "downloading" ? "partial" : now,
    revision: state.revision,
    sizeBytes: part.progress.totalBytes,
    progress: part.progress,
    error: state.error,
    note: null,
  };
}

async function folderEntry(folder: string): Promise<EncoderEntry> {
  const base = { ...UNKNOWN, id: folder, name: folder, source: "folder" as const };
  try {
    const spec = await readSpec(folder);
    return { ...base, ...ofSpec(spec), name: spec.name, state: "ready", sizeBytes: folderBytes(spec.folder) };
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    return { ...base, state: existsSync(folder) ? "failed" : "damaged", error: toErrorData(error) };
  }
}

export function availableEntry(id: string): EncoderEntry {
  return { ...ofCatalogue(id), state: "available" };
}

/** A row for something that the hub found. */
export function hitEntry(hit: ModelHit): EncoderEntry {
  const entry = availableEntry(hit.id);
  const runnable = hit.paths.some((file) => file.endsWith(".safetensors") || file.endsWith(".onnx"));
  const note =
    entry.note ??
    (hit.gated
      ? "The hub asks for an agreement before it gives this model."
      : hit.paths.length > 0 && !runnable
        ? "Its weights are a Python pickle only, which Parallax never opens."
        : null);
  return {
    ...entry,
    licence: entry.licence ?? hit.licence,
    languages: entry.languages.length > 0 ? entry.languages : hit.languages,
    note,
  };
}

function ofCatalogue(id: string): EncoderEntry {
  const entry: CatalogueEntry | undefined = catalogueEntry(id);
  const base = {
    ...UNKNOWN,
    id,
    name: id.split("/").at(-1) ?? id,
    source: "hub" as const,
    state: "available" as const,
  };
  if (entry === undefined) return { ...base, note: refusedModel(id)?.why ?? null };
  const prompts = Object.keys(entry.prompts);
  return {
    ...base,
    dimensions: entry.dense?.out ?? entry.dimensions,
    maxTokens: entry.maxTokens,
    sizeBytes: knownFile(id, "model.safetensors")?.bytes ?? Math.round(entry.millions * 4e6),
    licence: entry.licence,
    languages: [...entry.languages],
    prompts: { count: prompts.length, names: prompts },
    pooling: entry.pooling,
    normalised: entry.normalise,
    family: entry.family,
    note: entry.note ?? null,
  };
}

function ofSpec(
  spec: EncoderSpec,
): Pick<
  EncoderEntry,
  "dimensions" | "maxTokens" | "licence" | "languages" | "prompts" | "pooling" | "normalised" | "family"
> {
  const known = spec.catalogue === null ? undefined : catalogueEntry(spec.catalogue);
  const names = Object.keys(spec.prompts);
  return {
    dimensions:
      spec.dense.at(-1)?.out ?? (spec.model ? architectureSizes(spec.model).hiddenSize : (known?.dimensions ?? null)),
    maxTokens: spec.maxTokens,
    licence: spec.licence,
    languages: [...spec.languages],
    prompts: { count: names.length, names },
    pooling: spec.architecture === "static" ? "static" : (spec.pooling ?? "model"),
    normalised: spec.normalise,
    family: spec.architecture,
  };
}

function leastTrust(all: readonly HashTrust[]): HashTrust {
  if (all.length === 0 || all.includes("not known")) return "not known";
  return all.includes("trusted on first use") ? "trusted on first use" : "as published";
}

/** What encoders and caches take, and what is left. Cost: one walk over both folders. */
export function diskUse(): DiskUse {
  const { cache } = appFolders();
  const folder = storeFolder();
  return {
    encodersBytes: folderBytes(folder),
    cacheBytes: folderBytes(cache),
    freeBytes: freeBytes(nearestExisting(folder)),
    folder,
  };
}

/** Free space can be asked of a folder that is there only. */
function nearestExisting(folder: string): string {
  let at = folder;
  while (!existsSync(at) && at !== path.dirname(at)) at = path.dirname(at);
  return at;
}

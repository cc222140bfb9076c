/** Finds a model in the catalogue: by its id, by what its files say, by the digest of its weights. */
import path from "node:path";
import { KNOWN_FILES } from "./known-files.ts";
import { CATALOGUE, REFUSED } from "./models.ts";
import type { CatalogueEntry, KnownFile, RefusedModel } from "./types.ts";

const byId = new Map(CATALOGUE.map((entry) => [entry.id.toLowerCase(), entry]));
/** Names without an owner are used where they are unique, which they are for all entries. */
const byName = new Map(CATALOGUE.map((entry) => [nameOf(entry.id), entry]));

function nameOf(id: string): string {
  return (id.split("/").at(-1) ?? id).toLowerCase();
}

/** The entry of a hub id, "BAAI/bge-small-en-v1.5"; case does not matter. */
export function catalogueEntry(id: string): CatalogueEntry | undefined {
  return byId.get(id.toLowerCase());
}

/** Why a known model cannot be run. */
export function refusedModel(id: string): RefusedModel | undefined {
  return REFUSED.find((model) => model.id.toLowerCase() === id.toLowerCase());
}

/** What is published of a file's bytes. Copies under other ids (Xenova/…) are looked up by their own id. */
export function knownFile(id: string, file: string): KnownFile | undefined {
  return KNOWN_FILES[id]?.find((known) => known.path === file);
}

/** Published sizes: whether a file of this many bytes can be one of ours is answered without reading it. */
export function knownBySize(bytes: number): { id: string; file: KnownFile }[] {
  return Object.entries(KNOWN_FILES).flatMap(([id, files]) =>
    files.filter((file) => file.bytes === bytes).map((file) => ({ id, file })),
  );
}

/**
 * The entry that a model folder is a copy of, by its path: ".../BAAI/bge-small-en-v1.5", "models--BAAI--bge-…/snapshots/…",
 * "bge-small-en-v1.5", "BAAI_bge-small-en-v1.5".
 */
export function entryOfFolder(folder: string): CatalogueEntry | undefined {
  const parts = path.resolve(folder).split(path.sep).reverse();
  for (const part of parts.slice(0, 3)) {
    const plain = part.replace(/^models--/, "").replace(/--|_(?=[a-z])/i, "/");
    const found = byId.get(plain.toLowerCase()) ?? byName.get(part.toLowerCase());
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The entry named by `_name_or_path` of config.json, when that is a whole id (fine-tunes name their base there too). */
export function entryOfName(name: unknown): CatalogueEntry | undefined {
  return typeof name === "string" ? byId.get(name.toLowerCase()) : undefined;
}

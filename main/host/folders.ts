/**
 * Folders of this computer for a page that has no file dialog of its own: their names, and which look like a model. No
 * file is opened. A page may run any code in a kernel, so names of folders outside of the notebooks' own say nothing new.
 */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { CancelledError, ParallaxError } from "../../kernels/protocol/errors.ts";
import type { HostResult } from "../../kernels/protocol/host-methods.ts";
import { systemCode } from "./disk-errors.ts";

type Listing = HostResult<"folders.list">;

/** A folder of ten thousand is not browsed by eye: the rest is counted, and reached by typing its path. */
const MOST = 1000;
/** Folders that are looked into for a model's files: each costs a read of its names. */
const MOST_LOOKED_INTO = 200;

/**
 * Folders inside of one.
 *
 * @param wanted absolute, or from "~"; null is the home folder
 * @throws {ParallaxError} folder.not-absolute, folder.missing, folder.unreadable, folder.is-a-file
 * @throws {CancelledError}
 */
export async function listFolders(
  wanted: string | null,
  options: { hidden: boolean; root: string; signal?: AbortSignal },
): Promise<Listing> {
  const folder = absolute(wanted);
  const entries = await readNames(folder);
  const names: string[] = [];
  for (const entry of entries) {
    if (!options.hidden && entry.name.startsWith(".")) continue;
    if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(path.join(folder, entry.name)))))
      names.push(entry.name);
  }
  names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const folders: Listing["folders"] = [];
  for (const name of names.slice(0, MOST)) {
    if (options.signal?.aborted) throw new CancelledError("Reading folders");
    const full = path.join(folder, name);
    const isModel = folders.length < MOST_LOOKED_INTO && looksLikeModel(await readNames(full).catch(() => []));
    folders.push({ name, path: full, isModel });
  }
  const parent = path.dirname(folder);
  return {
    folder,
    parent: parent === folder ? null : parent,
    isModel: looksLikeModel(entries),
    folders,
    left: Math.max(0, names.length - MOST),
    places: await places(options.root),
  };
}

function absolute(wanted: string | null): string {
  const home = homedir();
  if (wanted === null || wanted === "~") return home;
  const full = /^~[/\\]/.test(wanted) ? path.join(home, wanted.slice(2)) : wanted;
  if (path.isAbsolute(full) && !full.includes("\0")) return path.resolve(full);
  throw new ParallaxError("folder.not-absolute", `${JSON.stringify(wanted.slice(0, 200))} is not a whole path.`, {
    hint: `Begin at the top, as in ${path.join(home, "models")}, or with ~ for your home folder.`,
    details: { path: wanted },
  });
}

async function readNames(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const code = systemCode(error);
    const details = { path: folder, systemCode: code };
    if (code === "ENOENT")
      throw new ParallaxError("folder.missing", `There is no folder ${folder}.`, {
        hint: "Look whether it was moved or renamed.",
        details,
        cause: error,
      });
    if (code === "ENOTDIR")
      throw new ParallaxError("folder.is-a-file", `${folder} is a file, not a folder.`, {
        hint: "Choose the folder that it lies in.",
        details,
        cause: error,
      });
    const why = code === "EACCES" || code === "EPERM" ? "you may not read it" : (code ?? String(error));
    throw new ParallaxError("folder.unreadable", `${folder} could not be listed: ${why}. Nothing was changed.`, {
      kind: "environment",
      hint: "Choose another folder, or ask for the right to read this one.",
      details,
      cause: error,
    });
  }
}

/** Names alone: the encoder service reads and checks what is chosen. */
function looksLikeModel(entries: readonly Dirent[]): boolean {
  const names = new Set(entries.map((entry) => entry.name));
  return (
    names.has("modules.json") ||
    ((names.has("config.json") || names.has("tokenizer.json")) &&
      [...names].some((name) => /\.(safetensors|onnx)$|^onnx$|^pytorch_model\.bin$/.test(name)))
  );
}

async function isFolder(full: string): Promise<boolean> {
  return stat(full).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function places(root: string): Promise<Listing["places"]> {
  const home = homedir();
  const found = [
    { name: "Home", path: home },
    { name: "Notebooks", path: root },
  ];
  const hub = path.join(process.env.HF_HOME ?? path.join(home, ".cache", "huggingface"), "hub");
  if (await isFolder(hub)) found.push({ name: "The hub's cache", path: hub });
  if (process.platform !== "win32") return [...found, { name: "Computer", path: "/" }];
  for (const letter of "CDEFGHIJKLMNOPQRSTUVWXYZ")
    if (await isFolder(`${letter}:\\`)) found.push({ name: `${letter}:`, path: `${letter}:\\` });
  return found;
}

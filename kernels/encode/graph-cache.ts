/**
 * Built graphs on disk: a small model.onnx whose weights lie in files beside it, which ONNX Runtime maps instead of parsing
 * (90 MB: 0.1 s instead of 0.7 s). Weights that the model's own file holds as they are needed are not written again: that
 * file is linked into the entry. Entries are named by their content, so a change of the weights or of the graph
 * builder makes a new one; a damaged one is built again.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { appFolder } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { Graph } from "../graph/ir.ts";
import { type ExternalReference, encodeModel } from "../graph/onnx-write.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { fileSha256 } from "./file-digest.ts";
import type { Origin } from "./model-weights.ts";

const MODEL = "model.onnx";
const DATA = "model.onnx_data";
const MANIFEST = "manifest.json";
/** Weights below this stay in the model file. */
const INLINE_BYTES = 1024;
/** The cache keeps the entries used last, within both limits. */
const MAX_ENTRIES = 12;
const MAX_BYTES = 4 * 2 ** 30;

interface Manifest {
  version: 1;
  files: Record<string, { sizeBytes: number; sha256: string }>;
  /** Links to files of the model. Their digest is part of the entry's name; these facts tell whether they were changed. */
  linked?: Record<string, { sizeBytes: number; mtimeMs: number }>;
}

/** A graph, and where on disk the numbers of its weights lie as they are in memory. */
export interface BuiltGraph {
  graph: Graph;
  origins: ReadonlyMap<ArrayBufferView, Origin>;
}

/** The name of an entry: a digest of everything the graph is made from. */
export function graphKey(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 40);
}

/**
 * The path of the cached model file for a key; built and stored when it is not there or not whole.
 *
 * Two processes that build at once do not disturb each other: each writes a folder of its own and renames it.
 *
 * @param build called only when needed
 * @throws {ParallaxError} file.write-failed (environment) when the cache cannot be written; what build throws
 * Cost: a hit costs two stats (and one pass over the files after they changed).
 */
export async function cachedGraph(key: string, build: () => BuiltGraph): Promise<{ path: string; built: boolean }> {
  const root = appFolder("cache", "graphs");
  const folder = path.join(root, key);
  const file = path.join(folder, MODEL);
  if (await isWhole(folder)) {
    markUsed(path.join(folder, MANIFEST));
    return { path: file, built: false };
  }
  const built = build();
  const temporary = `${folder}.${process.pid}.tmp`;
  try {
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { recursive: true });
    writeEntry(temporary, built);
    // A whole entry that another process made meanwhile is as good as ours.
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (await isWhole(folder)) return { path: file, built: false };
    if (error instanceof ParallaxError) throw error;
    throw new ParallaxError(
      "file.write-failed",
      `Writing the built graph to ${folder} failed: ${(error as Error).message}`,
      {
        kind: "environment",
        hint: "Free some disk space, or set PARALLAX_HOME to a folder that may be written to.",
        details: { folder, systemCode: (error as NodeJS.ErrnoException).code },
        cause: error,
      },
    );
  }
  prune(root, key);
  return { path: file, built: true };
}

/** Throw an entry away, for when its files are whole but cannot be loaded. */
export function forgetGraph(key: string): void {
  rmSync(path.join(appFolder("cache", "graphs"), key), { recursive: true, force: true });
}

function writeEntry(folder: string, { graph, origins }: BuiltGraph): void {
  const external = new Map<string, ExternalReference>();
  const links = new Links(folder);
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { data }] of graph.initializers) {
    if (data.byteLength < INLINE_BYTES) continue;
    const origin = origins.get(data);
    const location = origin && links.to(origin.file);
    if (origin !== undefined && location !== undefined) {
      external.set(name, { location, offset: origin.offset, length: data.byteLength });
      continue;
    }
    external.set(name, { location: DATA, offset, length: data.byteLength });
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const model = encodeModel(graph, { externalData: external });
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  writeFileAtomically(path.join(folder, DATA), chunks);
  writeFileAtomically(path.join(folder, MODEL), [model]);
  const manifest: Manifest = {
    version: 1,
    files: {
      [DATA]: { sizeBytes: offset, sha256: hash.digest("hex") },
      [MODEL]: { sizeBytes: model.length, sha256: createHash("sha256").update(model).digest("hex") },
    },
    linked: links.made,
  };
  writeFileSync(path.join(folder, MANIFEST), JSON.stringify(manifest));
}

/** Hard links to the files of a model: no bytes are copied, and the entry stays whole when the model's folder is removed. */
class Links {
  readonly made: NonNullable<Manifest["linked"]> = {};
  readonly #folder: string;
  readonly #names = new Map<string, string | undefined>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The link's name, or undefined where there can be none: another disk, a file system without links. */
  to(file: string): string | undefined {
    if (!this.#names.has(file)) this.#names.set(file, this.#make(file));
    return this.#names.get(file);
  }

  #make(file: string): string | undefined {
    const name = `weights-${this.#names.size}.safetensors`;
    try {
      linkSync(realpathSync(file), path.join(this.#folder, name));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (["EXDEV", "EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS"].includes(code)) return undefined;
      throw error;
    }
    const { size, mtimeMs } = statSync(path.join(this.#folder, name));
    this.made[name] = { sizeBytes: size, mtimeMs };
    return name;
  }
}

/** For `prune`. A cache that may only be read is used all the same. */
function markUsed(manifest: string): void {
  const now = new Date();
  try {
    utimesSync(manifest, now, now);
  } catch (error) {
    if (!["EROFS", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

async function isWhole(folder: string): Promise<boolean> {
  const file = path.join(folder, MANIFEST);
  if (!existsSync(file)) return false;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
  for (const [name, { sizeBytes, sha256 }] of Object.entries(manifest.files ?? {})) {
    const full = path.join(folder, name);
    if (statSync(full, { throwIfNoEntry: false })?.size !== sizeBytes) return false;
    if ((await fileSha256(full)) !== sha256) return false;
  }
  for (const [name, { sizeBytes, mtimeMs }] of Object.entries(manifest.linked ?? {})) {
    const stat = statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stat?.size !== sizeBytes || stat.mtimeMs !== mtimeMs) return false;
  }
  return MODEL in manifest.files;
}

/** Remove what was used longest ago past the limits, and leftovers of processes that died an hour ago. */
function prune(root: string, keep: string): void {
  const entries = readdirSync(root).flatMap((name) => {
    const folder = path.join(root, name);
    const used = (
      statSync(path.join(folder, MANIFEST), { throwIfNoEntry: false }) ?? statSync(folder, { throwIfNoEntry: false })
    )?.mtimeMs;
    // Another process has just renamed or removed it.
    if (used === undefined) return [];
    const sizeBytes = statSync(path.join(folder, DATA), { throwIfNoEntry: false })?.size ?? 0;
    return [{ name, folder, used, sizeBytes }];
  });
  let count = 0;
  let bytes = 0;
  for (const entry of entries.sort((a, b) => b.used - a.used)) {
    const isLeftover = entry.name.endsWith(".tmp");
    if (!isLeftover) {
      count++;
      bytes += entry.sizeBytes;
    }
    if (entry.name === keep) continue;
    if (isLeftover ? Date.now() - entry.used > 3_600_000 : count > MAX_ENTRIES || bytes > MAX_BYTES)
      rmSync(entry.folder, { recursive: true, force: true });
  }
}

/**
 * CUDA's execution provider for ONNX Runtime, fetched on request: the files that onnxruntime-node's own install script
 * would fetch, of exactly its version, from the same package of the same feed, with its hash, and with a way back.
 */
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { z } from "zod";
import { appFolder, appFolders } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { cudaFiles, knowsCuda, runtimeFolder } from "../graph/runtime-folder.ts";
import { HubHttp } from "../hub/http.ts";
import { hubAddress } from "../hub/hub-settings.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { fetchPackage } from "./fetch-package.ts";
import { asGpuError, gpuError } from "./gpu-errors.ts";
import { findPackage, NUGET_INDEX, type NugetPackage } from "./nuget.ts";
import { unpack } from "./unpack.ts";

/** Where the files lie, by platform: the package of the feed, and the folder in it. */
const PACKAGES: Readonly<Record<string, { name: string; inside: string }>> = {
  "linux x64": { name: "Microsoft.ML.OnnxRuntime.Gpu.Linux", inside: "runtimes/linux-x64/native/" },
  "win32 x64": { name: "Microsoft.ML.OnnxRuntime.Gpu.Windows", inside: "runtimes/win-x64/native/" },
};
/** Files that were there before us and have the same names. */
const BEFORE = ".before-parallax";

export interface GpuTarget {
  version: string;
  /** Folder of ONNX Runtime's library. */
  bin: string;
  /** "linux x64" */
  platform: string;
  /** Whether onnxruntime-node's binding was built with CUDA. Without it the files are of no use. */
  takesCuda: boolean;
}

export interface GpuOptions extends WorkContext {
  /** Address of a NuGet v3 index. Default: PARALLAX_NUGET, else nuget.org's. */
  source?: string | undefined;
  /** Default: the installed onnxruntime-node. */
  target?: GpuTarget;
  /** First wait before another try, ms. */
  backoffMs?: number;
}

const recordSchema = z.object({
  version: z.literal(1),
  runtime: z.string(),
  bin: z.string(),
  source: z.string(),
  sha512: z.string(),
  trust: z.enum(["as the feed says", "trusted on first use"]),
  files: z.array(z.object({ name: z.string(), sizeBytes: z.number(), sha256: z.string() })),
  installedAt: z.string(),
});
export type GpuRecord = z.infer<typeof recordSchema>;

export interface GpuStatus {
  /** "installed": by us. "foreign": the files are there, and we did not put them there. "outdated": put there for another version. */
  state: "installed" | "foreign" | "outdated" | "missing" | "not for this system";
  runtime: string;
  bin: string;
  missing: string[];
  record: GpuRecord | null;
  /** Bytes of a download that was not finished. */
  partBytes: number;
}

export interface GpuPlan extends NugetPackage {
  source: string;
  bin: string;
  /** Folder in the package. */
  inside: string;
  files: readonly string[];
  /** Bytes that are here of an earlier start. */
  partBytes: number;
  status: GpuStatus;
}

const recordFile = (): string => path.join(appFolders().data, "gpu", "cuda.json");
const trustFile = (): string => path.join(appFolders().data, "gpu", "packages.json");

function targetOf(options: GpuOptions): GpuTarget {
  if (options.target !== undefined) return options.target;
  const runtime = runtimeFolder();
  return { ...runtime, platform: `${process.platform} ${process.arch}`, takesCuda: knowsCuda(runtime) };
}

/** What is to be fetched for a target; null where there is nothing, or nothing that could use it. */
function packageOf({
  platform,
  takesCuda,
}: GpuTarget): { name: string; inside: string; files: readonly string[] } | null {
  const files = cudaFiles(platform);
  const found = PACKAGES[platform];
  return files === null || found === undefined || !takesCuda ? null : { ...found, files };
}

const archiveOf = (target: GpuTarget): string =>
  path.join(
    appFolder("data", "gpu"),
    `${(PACKAGES[target.platform]?.name ?? "none").toLowerCase()}.${target.version.toLowerCase()}.nupkg`,
  );

/** What is here. Nothing is asked of the network, nothing is changed. */
export function gpuStatus(options: GpuOptions = {}): GpuStatus {
  const target = targetOf(options);
  const { version, bin } = target;
  const wanted = packageOf(target);
  const missing = (wanted?.files ?? []).filter((name) => !existsSync(path.join(bin, name)));
  const record = readRecord();
  const ours = record !== null && record.bin === bin;
  const part = `${archiveOf(target)}.part`;
  const state =
    wanted === null
      ? "not for this system"
      : missing.length > 0
        ? "missing"
        : !ours
          ? "foreign"
          : record.runtime === version
            ? "installed"
            : "outdated";
  const partBytes = [part, archiveOf(target)].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  return { state, runtime: version, bin, missing, record, partBytes };
}

/**
 * What `installGpu` would fetch: address, size, hash. Asks the feed.
 * @throws {ParallaxError} gpu.wrong-platform, gpu.offline, gpu.read-only, gpu.bad-index, gpu.no-version, gpu.no-connection, …
 */
export async function planGpu(options: GpuOptions = {}): Promise<GpuPlan> {
  return withHttp(options, (http, source) => plan(http, source, options));
}

async function plan(http: HubHttp, source: string, options: GpuOptions): Promise<GpuPlan> {
  const target = targetOf(options);
  const { version, bin, platform } = target;
  const status = gpuStatus(options);
  const wanted = packageOf(target);
  if (wanted === null)
    throw gpuError(
      "wrong-platform",
      cudaFiles(platform) === null
        ? `ONNX Runtime's CUDA provider exists for linux x64 and win32 x64; this is ${platform}. Nothing was downloaded.`
        : `onnxruntime-node ${version} for ${platform} was built without CUDA and could not use its files. Nothing was downloaded.`,
      platform.startsWith("win32") ? 'Use provider "dml" or "webgpu" here.' : 'Use provider "webgpu" here.',
      { platform },
    );
  try {
    accessSync(bin, constants.W_OK);
  } catch (error) {
    throw gpuError(
      "read-only",
      `CUDA's files must lie beside ONNX Runtime in ${bin}, which cannot be written to. Nothing was downloaded.`,
      "Run the command as the user who installed Parallax.",
      { bin },
      error,
    );
  }
  const found = await findPackage(http, source, wanted.name, version, options.signal);
  return { ...found, source, bin, inside: wanted.inside, files: wanted.files, partBytes: status.partBytes, status };
}

/**
 * Fetch CUDA's provider and put it beside ONNX Runtime. A stop or an error leaves what was downloaded for the next time,
 * and nothing beside ONNX Runtime.
 *
 * @throws {ParallaxError} those of planGpu; gpu.wrong-hash, gpu.wrong-size, gpu.bad-package, gpu.disk-full, gpu.write-failed
 * @throws {CancelledError}
 */
export async function installGpu(options: GpuOptions = {}): Promise<GpuRecord> {
  return withHttp(options, async (http, source) => {
    const found = await plan(http, source, options);
    const { record, state } = found.status;
    if (state === "installed" && record !== null) return record;
    const archive = archiveOf(targetOf(options));
    const known = readTrusted()[`${found.name} ${found.version}`];
    const sha512 = await fetchPackage(http, { ...found, sha512: found.sha512 ?? known ?? null }, archive, options);
    const trust = found.sha512 === null ? "trusted on first use" : "as the feed says";
    writeFileAtomically(trustFile(), [
      `${JSON.stringify({ ...readTrusted(), [`${found.name} ${found.version}`]: sha512 }, null, 2)}\n`,
    ]);
    try {
      const made = await place(archive, found, { source, sha512, trust }, options);
      rmSync(archive, { force: true });
      return made;
    } catch (error) {
      if (error instanceof ParallaxError && error.code === "gpu.bad-package") rmSync(archive, { force: true });
      throw error;
    }
  });
}

/** Unpacks beside the library, then renames: first what the provider needs, last the provider itself. */
async function place(
  archive: string,
  { bin, version, inside, files: names }: GpuPlan,
  facts: Pick<GpuRecord, "source" | "sha512" | "trust">,
  { signal, onProgress }: GpuOptions,
): Promise<GpuRecord> {
  const temporary = path.join(bin, `.parallax-gpu-${process.pid}`);
  rmSync(temporary, { recursive: true, force: true });
  const placed: string[] = [];
  try {
    mkdirSync(temporary);
    onProgress?.({ stage: "Unpacking", done: 0, total: names.length, unit: "files" });
    const wanted = new Map(names.map((name) => [`${inside}${name}`, name]));
    const files = await unpack(archive, wanted, temporary, signal);
    const record: GpuRecord = {
      version: 1,
      runtime: version,
      bin,
      ...facts,
      files,
      installedAt: new Date().toISOString(),
    };
    // Before the first rename, so that `remove` mends what a kill leaves half done.
    writeFileAtomically(recordFile(), [`${JSON.stringify(record, null, 2)}\n`]);
    for (const name of names) {
      const file = path.join(bin, name);
      if (existsSync(file) && !existsSync(`${file}${BEFORE}`)) renameSync(file, `${file}${BEFORE}`);
      renameSync(path.join(temporary, name), file);
      placed.push(file);
    }
    onProgress?.({ stage: "Unpacking", done: names.length, total: names.length, unit: "files" });
    return record;
  } catch (error) {
    for (const file of placed) rmSync(file, { force: true });
    putBack(bin, names);
    if (placed.length > 0) rmSync(recordFile(), { force: true });
    throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

export interface GpuRemoval {
  removed: string[];
  /** Files that were there before and are again. */
  restored: string[];
  /** Ours by name, and changed since: left alone. */
  kept: string[];
  freedBytes: number;
}

/** Takes away what `installGpu` put there and brings back what was there before. Unfinished downloads go as well. */
export async function removeGpu(options: GpuOptions = {}): Promise<GpuRemoval> {
  const record = readRecord();
  const removal: GpuRemoval = { removed: [], restored: [], kept: [], freedBytes: 0 };
  if (record !== null) {
    for (const { name, sha256, sizeBytes } of record.files) {
      const file = path.join(record.bin, name);
      if (!existsSync(file)) continue;
      if ((await sha256Of(file)) !== sha256) {
        removal.kept.push(file);
        continue;
      }
      rmSync(file);
      removal.removed.push(file);
      removal.freedBytes += sizeBytes;
    }
    removal.restored = putBack(
      record.bin,
      record.files.map((file) => file.name),
    );
    rmSync(recordFile(), { force: true });
  }
  const target = targetOf(options);
  const { bin } = target;
  for (const file of [archiveOf(target), `${archiveOf(target)}.part`, `${archiveOf(target)}.part.json`]) {
    removal.freedBytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    rmSync(file, { force: true });
  }
  if (existsSync(bin))
    for (const name of readdirSync(bin))
      if (name.startsWith(".parallax-gpu-")) rmSync(path.join(bin, name), { recursive: true, force: true });
  return removal;
}

function putBack(bin: string, names: readonly string[]): string[] {
  return names
    .map((name) => path.join(bin, name))
    .filter((file) => {
      if (!existsSync(`${file}${BEFORE}`) || existsSync(file)) return false;
      renameSync(`${file}${BEFORE}`, file);
      return true;
    });
}

async function withHttp<T>(options: GpuOptions, work: (http: HubHttp, source: string) => Promise<T>): Promise<T> {
  const source = options.source ?? (process.env.PARALLAX_NUGET?.trim() || NUGET_INDEX);
  let endpoint: string;
  try {
    endpoint = new URL(source).origin;
  } catch (error) {
    throw gpuError(
      "bad-index",
      `"${source}" is no address. Nothing was downloaded.`,
      `Name a NuGet v3 index, e.g. ${NUGET_INDEX}.`,
      { source },
      error,
    );
  }
  const { offline, offlineFrom } = hubAddress();
  const http = new HubHttp({
    endpoint,
    offline,
    offlineFrom,
    token: null,
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  });
  try {
    return await work(http, source);
  } catch (error) {
    throw asGpuError(error);
  } finally {
    await http.close();
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function readRecord(): GpuRecord | null {
  const parsed = recordSchema.safeParse(readJson(recordFile()));
  return parsed.success ? parsed.data : null;
}

/** sha512 of packages that were installed once, by "name version". */
function readTrusted(): Record<string, string> {
  const parsed = z.record(z.string(), z.string()).safeParse(readJson(trustFile()));
  return parsed.success ? parsed.data : {};
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Which driver a provider would use, as far as files tell: enough to notice that another one was installed, so that the
 * numbers are tested anew. Nothing is started and nothing is asked of the graphics card.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { ProviderName } from "../graph/compute.ts";

/** "NVIDIA 550.54.14; Vulkan: radeon_icd.x86_64 (libvulkan_radeon.so, 12034 kB)", or the system's own version. */
export function driverOf(provider: ProviderName): string {
  if (provider === "cpu") return "none";
  if (process.platform !== "linux") return `${os.type()} ${os.release()}`;
  const parts = [nvidia(), ...(provider === "cuda" ? [] : vulkan())].filter((part) => part !== undefined);
  return parts.length === 0 ? "no driver found" : parts.join("; ");
}

/** The version of NVIDIA's kernel module, as it tells itself. */
export function nvidia(): string | undefined {
  const file = "/proc/driver/nvidia/version";
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  return `NVIDIA ${/\b\d{3}\.\d+(\.\d+)?\b/.exec(text)?.[0] ?? createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
}

/** Vulkan drivers that the loader would find: the variables of its documentation, else its folders. */
export function vulkan(): string[] {
  const named = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  const manifests =
    named !== undefined && named !== ""
      ? named.split(path.delimiter)
      : ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"].flatMap((folder) =>
          existsSync(folder)
            ? readdirSync(folder)
                .sort()
                .map((name) => path.join(folder, name))
            : [],
        );
  return manifests.filter((file) => file.endsWith(".json") && existsSync(file)).map((file) => describe(file));
}

function describe(manifest: string): string {
  const name = path.basename(manifest, ".json");
  let library: string | undefined;
  try {
    library = (JSON.parse(readFileSync(manifest, "utf8")) as { ICD?: { library_path?: string } }).ICD?.library_path;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (library === undefined) return `Vulkan ${name}`;
  const file = [
    path.resolve(path.dirname(manifest), library),
    ...["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"].map((folder) =>
      path.join(folder, library),
    ),
  ].find((candidate) => existsSync(candidate));
  if (file === undefined) return `Vulkan ${name} (${path.basename(library)})`;
  const { size, mtimeMs } = statSync(file);
  return `Vulkan ${name} (${path.basename(library)}, ${Math.round(size / 1000)} kB, ${new Date(mtimeMs).toISOString().slice(0, 10)})`;
}

/** A short name for this computer: app folders may lie on a share that several use. */
export function machineId(): string {
  const cpu = os.cpus()[0]?.model ?? os.arch();
  return createHash("sha256")
    .update(`${os.hostname()}\n${cpu}\n${os.platform()}\n${os.arch()}`)
    .digest("hex")
    .slice(0, 16);
}

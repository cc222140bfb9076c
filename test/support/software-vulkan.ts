/** The software Vulkan driver that comes with Chromium: slow, and the same numbers as a graphics card. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { findChromium } from "../../main/host/chromium.ts";

const MANIFEST = "vk_swiftshader_icd.json";
const LOADER = "libvulkan.so.1";

/** Variables for a process that is to use it, or the plain reason why it cannot be used here. */
export function softwareVulkan(): { env: Record<string, string> } | { reason: string } {
  if (process.platform !== "linux") return { reason: `on ${process.platform} Chromium brings no Vulkan loader` };
  const chromium = findChromium();
  const folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", ...(chromium ? [path.dirname(chromium)] : [])];
  const folder = folders.find((name) => existsSync(path.join(name, MANIFEST)) && existsSync(path.join(name, LOADER)));
  if (folder === undefined) return { reason: `no ${MANIFEST} with ${LOADER} in ${folders.join(", ")}` };
  const manifest = path.join(folder, MANIFEST);
  const { ICD } = JSON.parse(readFileSync(manifest, "utf8")) as { ICD?: { library_path?: string } };
  const library = path.resolve(folder, ICD?.library_path ?? "");
  if (!existsSync(library)) return { reason: `${manifest} names ${library}, which is not there` };
  // The loader's folder must be known when the process starts.
  return {
    env: {
      VK_ICD_FILENAMES: manifest,
      LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    },
  };
}

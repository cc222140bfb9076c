/** Which of the system's libraries CUDA's provider would not find. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { runtimeFolder } from "../graph/runtime-folder.ts";

const PROVIDER = "libonnxruntime_providers_cuda.so";

/**
 * Names that the dynamic linker does not find for the installed provider: "libcudnn.so.9". Empty when all are there, when
 * the provider is not installed, or when there is no `ldd` to ask.
 */
export async function missingCudaLibraries(file = path.join(runtimeFolder().bin, PROVIDER)): Promise<string[]> {
  if (!existsSync(file)) return [];
  try {
    const { stdout } = await promisify(execFile)("ldd", [file], { timeout: 10_000 });
    return readLdd(stdout);
  } catch {
    // No ldd, or not a library at all: starting the provider will say more.
    return [];
  }
}

export function readLdd(text: string): string[] {
  return [...new Set([...text.matchAll(/^\s*(\S+) => not found$/gm)].map((match) => match[1] ?? ""))];
}

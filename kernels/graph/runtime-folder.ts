/** Where the files of ONNX Runtime lie, and which of a provider's own are among them. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import type { ProviderName } from "./compute-types.ts";
import { packageRoot } from "./package-root.ts";

export interface RuntimeFolder {
  /** Of the npm package, which is that of the library. */
  version: string;
  /** Holds the library itself; a provider's files are looked for here. */
  bin: string;
}

/** Files that CUDA's provider consists of, what it needs first. TensorRT's is not needed. By "platform arch". */
const CUDA_FILES: Readonly<Record<string, readonly string[]>> = {
  "linux x64": ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"],
  "win32 x64": ["onnxruntime_providers_shared.dll", "onnxruntime_providers_cuda.dll"],
};

/** Null where the provider does not exist. @param platform "linux x64"; default: this one */
export function cudaFiles(platform = `${process.platform} ${process.arch}`): readonly string[] | null {
  return CUDA_FILES[platform] ?? null;
}

/**
 * True when the binding in a folder was built with CUDA: it holds the provider's name, which it compares with the one that
 * is asked for. Without it CUDA's files would lie there for nothing (onnxruntime-node 1.30.0 for Windows).
 */
export function knowsCuda({ bin }: Pick<RuntimeFolder, "bin">): boolean {
  const binding = path.join(bin, "onnxruntime_binding.node");
  return existsSync(binding) && readFileSync(binding).includes("cuda");
}

/** @throws {ParallaxError} session.no-runtime when the package is not installed */
export function runtimeFolder(): RuntimeFolder {
  const require = createRequire(path.join(packageRoot(), "package.json"));
  let manifest: string;
  try {
    manifest = require.resolve("onnxruntime-node/package.json");
  } catch (error) {
    throw new ParallaxError("session.no-runtime", "The package onnxruntime-node is not installed.", {
      kind: "environment",
      hint: "Install again with npm ci.",
      cause: error,
    });
  }
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return { version, bin: path.join(path.dirname(manifest), "bin/napi-v6", process.platform, process.arch) };
}

/** Files of the provider that are not here. Empty for those that are bundled. */
export function missingProviderFiles(provider: ProviderName): string[] {
  if (provider !== "cuda") return [];
  const { bin } = runtimeFolder();
  return (cudaFiles() ?? []).filter((name) => !existsSync(path.join(bin, name)));
}

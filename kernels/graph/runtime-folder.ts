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

/** Files that CUDA's provider consists of, on the one platform that has it. TensorRT's is not needed. */
export const CUDA_FILES: readonly string[] = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];

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
  return CUDA_FILES.filter((name) => !existsSync(path.join(bin, name)));
}

/** Execution providers by name: where each exists, what it needs, and what to say when it cannot be had. */
import { ParallaxError } from "../protocol/errors.ts";
import { PROVIDER_NAMES, type ProviderName } from "./compute-types.ts";

export interface ProviderFacts {
  title: string;
  /** "linux x64" and the like, as far as onnxruntime-node brings or fetches it. */
  platforms: readonly string[];
  /** What must be on the computer besides our own files. */
  needs: string;
}

const EVERYWHERE = ["linux x64", "linux arm64", "win32 x64", "win32 arm64", "darwin arm64"] as const;

export const PROVIDERS: Readonly<Record<ProviderName, ProviderFacts>> = {
  cpu: { title: "CPU", platforms: EVERYWHERE, needs: "nothing" },
  webgpu: {
    title: "WebGPU",
    platforms: EVERYWHERE,
    needs: "a graphics driver with Vulkan (Linux), Direct3D 12 (Windows) or Metal (macOS)",
  },
  cuda: {
    title: "CUDA",
    platforms: ["linux x64"],
    needs: "an NVIDIA driver, CUDA 12 and cuDNN 9, and about 300 MB that `parallax gpu install` fetches",
  },
  dml: {
    title: "DirectML",
    platforms: ["win32 x64", "win32 arm64"],
    needs: "Windows 10 or newer with a Direct3D 12 driver",
  },
  coreml: { title: "CoreML", platforms: ["darwin arm64"], needs: "macOS 13 or newer" },
};

/** What the profile of ONNX Runtime calls a provider → our name. */
export function providerName(executionProvider: string): string {
  const name = executionProvider.replace(/ExecutionProvider$/, "").toLowerCase();
  return name === "" ? "unknown" : name;
}

export function isProviderName(name: unknown): name is ProviderName {
  return PROVIDER_NAMES.includes(name as ProviderName);
}

/** @throws {ParallaxError} session.no-provider for a word that names no provider */
export function checkProviderName(name: unknown): ProviderName {
  if (isProviderName(name)) return name;
  throw new ParallaxError("session.no-provider", `There is no provider ${JSON.stringify(name)}. Nothing was loaded.`, {
    hint: `Use one of ${PROVIDER_NAMES.join(", ")}.`,
    details: { provider: name },
  });
}

/** The provider is not part of this system's build of ONNX Runtime. */
export function providerUnknownHere(provider: ProviderName, platform: string, known: readonly string[]): ParallaxError {
  const { title, platforms } = PROVIDERS[provider];
  return new ParallaxError(
    "session.no-provider",
    `${title} is not part of ONNX Runtime on ${platform} (here are ${known.join(", ")}); it exists on ${platforms.join(", ")}. Nothing was loaded.`,
    {
      kind: "environment",
      hint: 'Use provider "webgpu" for a graphics card, or "cpu".',
      details: { provider, platform, known: [...known] },
    },
  );
}

/** The library knows the provider, and its files are not here. */
export function providerNotInstalled(provider: ProviderName, missing: readonly string[]): ParallaxError {
  return new ParallaxError(
    "session.provider-not-installed",
    `${PROVIDERS[provider].title} is not installed: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing beside ONNX Runtime. Nothing was loaded, and the CPU was not used in its place.`,
    {
      kind: "environment",
      hint: 'Run `parallax gpu install` (it says the size first), or use provider "cpu".',
      details: { provider, missing: [...missing] },
    },
  );
}

/** What ONNX Runtime said about a provider that did not start; undefined when the model is to blame. */
export function providerFailure(provider: ProviderName, said: string): ParallaxError | undefined {
  if (provider === "cpu") return undefined;
  const { title, needs } = PROVIDERS[provider];
  const details = { provider, said };
  const failed = (code: string, what: string, hint: string) =>
    new ParallaxError(code, `${title} ${what} Nothing was loaded, and the CPU was not used in its place.`, {
      kind: "environment",
      hint,
      details,
    });
  if (provider === "webgpu" && /adapter|vulkan|dawn|d3d12|metal|wgpu|webgpu_context/i.test(said))
    return failed(
      "session.no-adapter",
      `finds no graphics adapter here (${brief(said)}).`,
      `It needs ${needs}: install or update the driver (Debian: apt-get install libvulkan1 mesa-vulkan-drivers), or use provider "cpu".`,
    );
  if (provider === "cuda" && /shared library|cudnn|cublas|cudart|cufft|curand|cuda/i.test(said))
    return failed(
      "session.no-driver",
      `does not start: its driver or one of its libraries is missing or too old (${brief(said)}).`,
      'It needs an NVIDIA driver, CUDA 12 and cuDNN 9; `parallax doctor` names the files that are missing. Or use provider "cpu".',
    );
  if (
    (provider === "dml" && /dml|directml|d3d|dxgi|8007|887a/i.test(said)) ||
    (provider === "coreml" && /coreml/i.test(said))
  )
    return failed("session.no-driver", `does not start (${brief(said)}).`, `It needs ${needs}. Or use provider "cpu".`);
  return undefined;
}

/** What ONNX Runtime said when a run failed on a provider other than the CPU. */
export function providerRunFailure(provider: string, said: string): ParallaxError | undefined {
  if (provider === "cpu" || !isProviderName(provider)) return undefined;
  const { title } = PROVIDERS[provider];
  const details = { provider, said };
  if (/requires f16 but the device does not support/i.test(said))
    return new ParallaxError(
      "session.no-float16",
      `${title} cannot read weights of 16 bits on this graphics device (${brief(said)}). Nothing was encoded.`,
      { kind: "environment", hint: 'Use precision "float32" or "int8-blocks", or provider "cpu".', details },
    );
  const memory = /alloc|memory/i.test(said);
  return new ParallaxError(
    "session.run-failed",
    `${title} could not run the model: ${brief(said)}. Nothing was encoded.`,
    {
      kind: "environment",
      hint: memory
        ? 'Use smaller batches (batchTokens), or provider "cpu".'
        : 'Use provider "cpu", or update the driver.',
      details,
    },
  );
}

/** Every node ran somewhere else: the provider was there in name only. */
export function providerUnused(provider: ProviderName, nodes: number): ParallaxError {
  return new ParallaxError(
    "session.provider-unused",
    `${PROVIDERS[provider].title} took none of the model's ${nodes} nodes: all of them would run on the CPU. Nothing was loaded.`,
    {
      kind: "environment",
      hint: 'Use provider "cpu", or the model\'s float32 weights: graphics providers know few 8-bit operators.',
      details: { provider, nodes },
    },
  );
}

/** The sentence after the C++ address of the check that failed. */
function brief(said: string): string {
  return said
    .replace(/^.*?was false\.\s*/, "")
    .replace(/\/onnxruntime_src\/\S+\s*/g, "")
    .trim()
    .replace(/\.$/, "")
    .slice(0, 300);
}

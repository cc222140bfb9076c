/** What went wrong on the way to CUDA's files, with hints for this command instead of those for encoders. */
import { ParallaxError } from "../protocol/errors.ts";

export function gpuError(
  code: string,
  message: string,
  hint: string,
  details: Record<string, unknown> = {},
  cause?: unknown,
): ParallaxError {
  return new ParallaxError(`gpu.${code}`, message, { kind: "environment", hint, details, cause });
}

const HINTS: Record<string, string> = {
  offline: "Go online (settings, PARALLAX_OFFLINE, HF_HUB_OFFLINE) and ask again; encoders run on the CPU meanwhile.",
  "no-connection": "Check the network and HTTPS_PROXY, or name a mirror with --source; then run the command again.",
  "not-found": "Check the address that --source or PARALLAX_NUGET names; it must be a NuGet v3 index.",
};

/** Errors of the shared connection code speak of the hub: the same facts with our code and next step. */
export function asGpuError(error: unknown): unknown {
  if (!(error instanceof ParallaxError) || !error.code.startsWith("hub.")) return error;
  const name = error.code.slice("hub.".length);
  return new ParallaxError(`gpu.${name}`, error.message.replace("read from the hub", "read"), {
    kind: error.kind,
    hint: HINTS[name] ?? "Run the command again; it goes on where it was.",
    ...(error.details === undefined ? {} : { details: error.details }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
}

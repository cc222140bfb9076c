/** `parallax gpu`: CUDA's provider fetched, looked at, taken away. */

import { type GpuStatus, gpuStatus, installGpu, planGpu, removeGpu } from "../gpu/cuda.ts";
import { missingCudaLibraries } from "../gpu/cuda-libraries.ts";
import { formatBytes } from "../hub/hub-errors.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import type { Answer } from "./answer.ts";
import type { CommandContext } from "./context.ts";

export async function gpu(request: Extract<CliRequest, { command: "gpu" }>, context: CommandContext): Promise<Answer> {
  const options = { ...context.work, ...(request.source === null ? {} : { source: request.source }) };
  switch (request.action) {
    case "plan": {
      const { status, ...plan } = await planGpu(options);
      const size =
        plan.sizeBytes === null ? "of a size that the feed does not say" : `of ${formatBytes(plan.sizeBytes)}`;
      const lines = [
        `${plan.name} ${plan.version}, ${size}, from ${new URL(plan.url).host}`,
        `  ${plan.files.join(" and ")} → ${plan.bin}`,
        plan.sha512 === null
          ? "  The feed gives no hash: what comes is trusted, and remembered for the next time."
          : "  Checked against the feed's sha512.",
        "  Needs an NVIDIA driver, CUDA 12 and cuDNN 9. Undo: parallax gpu remove.",
        ...(plan.partBytes > 0 ? [`  ${formatBytes(plan.partBytes)} of it are here from an earlier start.`] : []),
        ...(status.state === "installed" ? ["  It is installed already."] : []),
      ];
      return { text: lines.join("\n"), json: { ...plan, state: status.state }, ok: true };
    }
    case "install": {
      const record = await installGpu(options);
      const missing = await missingCudaLibraries();
      return {
        text: [
          `CUDA's provider for ONNX Runtime ${record.runtime} is in ${record.bin} (sha512 ${record.trust}).`,
          missing.length === 0
            ? 'Next: loadEncoder("default", { provider: "cuda" }), which tests it against the CPU first.'
            : `Libraries that are still missing: ${missing.join(", ")}. Install CUDA 12 and cuDNN 9.`,
        ].join("\n"),
        json: { ...record, missingLibraries: missing },
        ok: true,
      };
    }
    case "status": {
      const status = gpuStatus();
      const missing = status.missing.length === 0 ? await missingCudaLibraries() : [];
      return { text: describeGpu(status, missing), json: { ...status, missingLibraries: missing }, ok: true };
    }
    case "remove": {
      const removal = await removeGpu();
      const lines = [
        ...removal.removed.map((file) => `removed ${file}`),
        ...removal.restored.map((file) => `put back ${file}`),
        ...removal.kept.map((file) => `left alone, it was changed since: ${file}`),
      ];
      return {
        text: [...lines, `${formatBytes(removal.freedBytes)} freed.`].join("\n"),
        json: removal,
        ok: true,
      };
    }
    default:
      return request.action satisfies never;
  }
}

/** One paragraph on the state of CUDA's files. */
export function describeGpu(status: GpuStatus, missingLibraries: readonly string[]): string {
  const part = status.partBytes > 0 ? ` ${formatBytes(status.partBytes)} of an unfinished download are kept.` : "";
  const needs =
    missingLibraries.length > 0
      ? ` It cannot start yet: ${missingLibraries.join(", ")} are missing (CUDA 12, cuDNN 9).`
      : "";
  switch (status.state) {
    case "not for this system":
      return 'onnxruntime-node has no CUDA for this system; use provider "webgpu" here (or "dml" on Windows).';
    case "missing":
      return `Not installed (ONNX Runtime ${status.runtime}). parallax gpu install fetches it.${part}`;
    case "outdated":
      return `Installed for ONNX Runtime ${status.record?.runtime}, which is ${status.runtime} now: parallax gpu remove, then install.${part}`;
    case "foreign":
      return `Installed in ${status.bin}, not by Parallax.${needs}`;
    case "installed":
      return `Installed for ONNX Runtime ${status.runtime} in ${status.bin} on ${status.record?.installedAt.slice(0, 10)}.${needs}`;
    default:
      return status.state satisfies never;
  }
}

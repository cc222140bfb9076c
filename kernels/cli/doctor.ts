/** What of the computing side works on this computer: runtime, providers, drivers, default encoder, folders. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import os from "node:os";
import { defaultEncoderState } from "../encode/default-encoder.ts";
import { driverOf } from "../encode/graphics-driver.ts";
import { measuredSpeeds } from "../encode/measure-encoder.ts";
import { providerChecks } from "../encode/provider-check.ts";
import { probeProvider } from "../encode/provider-check-child.ts";
import { appFolders } from "../files/app-folders.ts";
import { missingCudaLibraries } from "../gpu/cuda-libraries.ts";
import type { ProviderName } from "../graph/compute.ts";
import { isProviderName } from "../graph/providers.ts";
import { runtimeReport } from "../graph/session.ts";
import { toErrorData } from "../protocol/errors.ts";
import type { Answer } from "./answer.ts";

interface Check {
  name: string;
  state: "ok" | "optional" | "problem";
  found: string;
  fix?: string | undefined;
}

export async function doctor(): Promise<Answer> {
  const checks: Check[] = [machine(), ...(await runtime()), await defaultEncoder(), ...folders()];
  const driver = nvidiaDriver();
  checks.push(
    driver
      ? { name: "Graphics driver", state: "ok", found: driver }
      : { name: "Graphics driver", state: "optional", found: "no NVIDIA driver found; encoders run on the CPU" },
  );
  return { text: "", json: checks, ok: checks.every((check) => check.state !== "problem") };
}

function machine(): Check {
  const gibibytes = (os.totalmem() / 2 ** 30).toFixed(0);
  const [cpu] = os.cpus();
  return {
    name: "This computer",
    state: "ok",
    found: `${os.availableParallelism()} cores (${cpu?.model.trim() ?? os.arch()}), ${gibibytes} GiB, ${os.platform()} ${os.arch()}`,
  };
}

async function runtime(): Promise<Check[]> {
  try {
    const report = await runtimeReport();
    const known = report.providers.map(({ name }) => name).filter(isProviderName);
    return [
      { name: "ONNX Runtime", state: "ok", found: `${report.version}, providers it knows here: ${known.join(", ")}` },
      ...(await Promise.all(known.filter((name) => name !== "cpu").map(provider))),
      measuredOnCpu(),
    ];
  } catch (error) {
    return [
      {
        name: "ONNX Runtime",
        state: "problem",
        found: toErrorData(error).message,
        fix: `npm ci. There is no build for ${os.platform()} ${os.arch()} in some versions: see docs/dependencies.md`,
      },
    ];
  }
}

/** One graphics provider: there or not, tested, measured, and what to do. */
async function provider(name: ProviderName): Promise<Check> {
  const line = `Provider ${name}`;
  try {
    const { ms } = await probeProvider(name);
    const check = providerChecks().find((entry) => entry.provider === name);
    const tested =
      check === undefined
        ? "not self-tested yet (done by itself at its first use)"
        : `self-test ${check.passed ? "passed" : "FAILED"} with ${check.encoder}: worst cosine ${check.worstCosine.toFixed(6)} over ${check.texts} texts`;
    return {
      name: line,
      state: check === undefined || check.passed ? "ok" : "problem",
      found: [`starts (${(ms / 1000).toFixed(1)} s), ${driverOf(name)}`, tested, fastest(name)].join("; "),
      ...(check === undefined || check.passed ? {} : { fix: 'use provider "cpu", or update the driver' }),
    };
  } catch (error) {
    const { code, message, hint } = toErrorData(error);
    const found = message.split(" Nothing was loaded")[0] ?? message;
    if (code !== "session.no-driver" || name !== "cuda")
      return { name: line, state: "optional", found, ...(hint === undefined ? {} : { fix: hint }) };
    const missing = await missingCudaLibraries();
    return {
      name: line,
      state: "optional",
      found,
      fix: missing.length === 0 ? hint : `install CUDA 12 and cuDNN 9: ${missing.join(", ")} are missing`,
    };
  }
}

function measuredOnCpu(): Check {
  return { name: "Provider cpu", state: "ok", found: `always there; ${fastest("cpu")}` };
}

/** The best figure that was measured on this computer. */
function fastest(name: ProviderName): string {
  const rows = measuredSpeeds().flatMap((speeds) =>
    speeds.rows.filter((row) => row.provider === name).map((row) => ({ ...row, encoder: speeds.name })),
  );
  const [best] = rows.sort((a, b) => b.textsPerSecond - a.textsPerSecond);
  return best === undefined
    ? "not measured"
    : `measured: ${Math.round(best.textsPerSecond)} texts/s with ${best.encoder} (${best.threads} ${best.threads === 1 ? "thread" : "threads"})`;
}

async function defaultEncoder(): Promise<Check> {
  const state = await defaultEncoderState();
  return {
    name: "Default encoder",
    state: state.state === "ready" ? "ok" : "problem",
    found: state.message,
    ...(state.state === "ready"
      ? {}
      : { fix: 'npm ci brings it back; until then an encoder folder of yours works: loadEncoder("path/to/folder")' }),
  };
}

function folders(): Check[] {
  const { cache, config, data } = appFolders();
  return Object.entries({ Cache: cache, Settings: config, Data: data }).map(([name, folder]): Check => {
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
      return { name: `${name} folder`, state: "ok", found: folder };
    } catch (error) {
      return {
        name: `${name} folder`,
        state: "problem",
        found: `${folder} cannot be written (${toErrorData(error).message})`,
        fix: "make it writable, or name another folder in PARALLAX_HOME",
      };
    }
  });
}

function nvidiaDriver(): string | null {
  const query = spawnSync("nvidia-smi", ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], {
    encoding: "utf8",
    timeout: 5000,
  });
  if (query.status === 0) return query.stdout.trim().split("\n").join("; ");
  const proc = "/proc/driver/nvidia/version";
  return existsSync(proc) ? (readFileSync(proc, "utf8").split("\n")[0] ?? null) : null;
}

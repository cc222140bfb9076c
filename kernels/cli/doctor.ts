/** What of the computing side works on this computer: runtime, providers, drivers, default encoder, folders. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import os from "node:os";
import { defaultEncoderState } from "../encode/default-encoder.ts";
import { appFolders } from "../files/app-folders.ts";
import { runtimeReport } from "../graph/session.ts";
import { toErrorData } from "../protocol/errors.ts";
import type { Answer } from "./answer.ts";

interface Check {
  name: string;
  state: "ok" | "optional" | "problem";
  found: string;
  fix?: string;
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
    const names = (bundled: boolean): string =>
      report.providers
        .filter((provider) => provider.bundled === bundled)
        .map((provider) => provider.name)
        .join(", ");
    const missing = names(false);
    return [
      { name: "ONNX Runtime", state: "ok", found: `${report.version}, providers here: ${names(true)}` },
      ...(missing === ""
        ? []
        : [
            {
              name: "More providers",
              state: "optional" as const,
              found: `${missing}: the library knows them, their files are not installed`,
              fix: "CUDA: npm rebuild onnxruntime-node --ignore-scripts=false (downloads about 300 MB from nuget.org; needs an NVIDIA driver, CUDA 12 and cuDNN 9)",
            },
          ]),
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

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type GpuOptions, gpuStatus, installGpu, planGpu, removeGpu } from "../../kernels/gpu/cuda.ts";
import { knowsCuda, runtimeFolder } from "../../kernels/graph/runtime-folder.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { fakeNuget, zipOf } from "../support/fake-nuget.ts";

const NAME = "Microsoft.ML.OnnxRuntime.Gpu.Linux";
const CUDA = "libonnxruntime_providers_cuda.so";
const SHARED = "libonnxruntime_providers_shared.so";
/** Random bytes stay as long as they are when they are packed. */
const cuda = randomBytes(600_000);
const shared = Buffer.from("shared");
const entries = {
  "Microsoft.ML.OnnxRuntime.Gpu.Linux.nuspec": Buffer.from("<package/>"),
  [`runtimes/linux-x64/native/${SHARED}`]: shared,
  [`runtimes/linux-x64/native/${CUDA}`]: cuda,
  "runtimes/linux-x64/native/libonnxruntime_providers_tensorrt.so": Buffer.from("not wanted"),
};
const archive = zipOf(entries);

let home: string;
let bin: string;
let feed: Awaited<ReturnType<typeof fakeNuget>>;
let options: GpuOptions;

beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), "parallax-gpu-"));
  process.env.PARALLAX_HOME = home;
  bin = path.join(home, "bin");
  mkdirSync(bin);
  writeFileSync(path.join(bin, "libonnxruntime.so.1"), "the library");
  feed = await fakeNuget(NAME, "1.30.0", archive);
  options = {
    source: feed.index,
    backoffMs: 1,
    target: { version: "1.30.0", bin, platform: "linux x64", takesCuda: true },
  };
});
afterEach(async () => {
  await feed.close();
  for (const name of ["PARALLAX_HOME", "PARALLAX_OFFLINE", "PARALLAX_NUGET"]) delete process.env[name];
  rmSync(home, { recursive: true, force: true });
});

const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => new Error("nothing thrown"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ParallaxError);
  return error as ParallaxError;
};
const beside = () => readdirSync(bin).sort();
const packageAsks = () => feed.asked.filter((ask) => ask.path.endsWith(".nupkg"));

describe("parallax gpu install", () => {
  it("says size and address before it fetches anything", async () => {
    const { sizeBytes, sha512, url, version, files } = await planGpu(options);
    expect({ sizeBytes, version, files }).toEqual({
      sizeBytes: archive.length,
      version: "1.30.0",
      files: [SHARED, CUDA],
    });
    expect([sha512?.length, url.endsWith(".nupkg"), packageAsks().length]).toEqual([88, true, 0]);
    expect(beside()).toEqual(["libonnxruntime.so.1"]);
  });

  it("puts the two files beside the library, checked, and remove puts everything back", async () => {
    const seen: Progress[] = [];
    const record = await installGpu({ ...options, onProgress: (progress) => seen.push(progress) });
    expect(beside()).toEqual(["libonnxruntime.so.1", CUDA, SHARED].sort());
    expect(readFileSync(path.join(bin, CUDA)).equals(cuda)).toBe(true);
    expect([record.trust, record.runtime, gpuStatus(options).state]).toEqual([
      "as the feed says",
      "1.30.0",
      "installed",
    ]);
    expect(seen.at(-1)).toMatchObject({ stage: "Unpacking", done: 2 });
    const bytes = seen.filter(({ stage }) => stage === "Downloading");
    expect(bytes.at(-1)).toMatchObject({ done: archive.length, total: archive.length });
    // Again is nothing.
    await installGpu(options);
    expect(packageAsks().length).toBe(1);

    const { removed, kept, freedBytes } = await removeGpu(options);
    expect([removed.length, kept, freedBytes]).toEqual([2, [], cuda.length + shared.length]);
    expect(beside()).toEqual(["libonnxruntime.so.1"]);
    expect(gpuStatus(options)).toMatchObject({ state: "missing", record: null, partBytes: 0 });
    expect(await removeGpu(options)).toEqual({ removed: [], restored: [], kept: [], freedBytes: 0 });
  });

  it("brings back a file of that name that was there before, and leaves one that was changed since", async () => {
    writeFileSync(path.join(bin, SHARED), "somebody's own");
    await installGpu(options);
    expect(readFileSync(path.join(bin, SHARED), "utf8")).toBe("shared");
    writeFileSync(path.join(bin, CUDA), "changed by hand");
    const { restored, kept } = await removeGpu(options);
    expect([restored, kept]).toEqual([[path.join(bin, SHARED)], [path.join(bin, CUDA)]]);
    expect(readFileSync(path.join(bin, SHARED), "utf8")).toBe("somebody's own");
  });

  it("goes on where a broken connection left it", async () => {
    feed.faults.dropAfter = { bytes: 131_072, times: 2 };
    await installGpu(options);
    const starts = packageAsks().map(({ range }) => range);
    expect(starts[0]).toBeUndefined();
    expect(starts.length).toBe(3);
    expect(starts.slice(1).every((range) => /^bytes=[1-9]\d+-$/.test(range ?? ""))).toBe(true);
    expect(readFileSync(path.join(bin, CUDA)).equals(cuda)).toBe(true);
  });

  it("keeps the part when it is stopped, and the next start goes on", async () => {
    feed.faults.pauseMs = 20;
    const controller = new AbortController();
    const error = await failure(
      installGpu({
        ...options,
        signal: controller.signal,
        onProgress: ({ done }) => done > 100_000 && controller.abort(),
      }),
    );
    const { partBytes, state } = gpuStatus(options);
    expect([error.kind, state, beside()]).toEqual(["cancelled", "missing", ["libonnxruntime.so.1"]]);
    expect(partBytes).toBeGreaterThan(100_000);
    feed.faults.pauseMs = 0;
    await installGpu(options);
    expect(packageAsks().at(-1)?.range).toBe(`bytes=${partBytes}-`);
    expect(gpuStatus(options).state).toBe("installed");
  });

  it("throws away a part of a package that changed", async () => {
    feed.faults.pauseMs = 20;
    const controller = new AbortController();
    const stop = ({ done }: Progress) => done > 100_000 && controller.abort();
    await failure(installGpu({ ...options, signal: controller.signal, onProgress: stop }));
    expect(gpuStatus(options).partBytes).toBeGreaterThan(100_000);
    const other = randomBytes(500_000);
    feed.replace(zipOf({ ...entries, [`runtimes/linux-x64/native/${CUDA}`]: other }));
    feed.faults.pauseMs = 0;
    await installGpu(options);
    expect(readFileSync(path.join(bin, CUDA)).equals(other)).toBe(true);
  });

  it("refuses a wrong hash, and removes the file", async () => {
    feed.faults.wrongHash = true;
    const error = await failure(installGpu(options));
    expect([error.code, beside(), gpuStatus(options).partBytes]).toEqual([
      "gpu.wrong-hash",
      ["libonnxruntime.so.1"],
      0,
    ]);
    expect(error.message).toContain("nothing was installed");
  });

  it("trusts a feed without hashes the first time, and holds it to that", async () => {
    feed.faults.noCatalogue = true;
    expect((await planGpu(options)).sizeBytes).toBeNull();
    expect((await installGpu(options)).trust).toBe("trusted on first use");
    await removeGpu(options);
    feed.replace(zipOf({ ...entries, [`runtimes/linux-x64/native/${CUDA}`]: randomBytes(1000) }));
    expect((await failure(installGpu(options))).code).toBe("gpu.wrong-hash");
  });

  it("says what a feed has instead of the version, and when the package is gone", async () => {
    feed.faults.versions = ["1.28.0", "1.29.0"];
    const version = await failure(installGpu(options));
    expect([version.code, version.message.includes("its newest is 1.29.0")]).toEqual(["gpu.no-version", true]);
    delete feed.faults.versions;
    feed.faults.noPackage = true;
    expect((await failure(installGpu(options))).code).toBe("gpu.not-found");
  });

  it("refuses archives that lead out of their folder, lack a file, or are none", async () => {
    const outside = path.join(home, "evil");
    for (const bad of [
      zipOf({ ...entries, "../../evil": Buffer.from("x") }),
      zipOf({ [`runtimes/linux-x64/native/${SHARED}`]: shared }),
      Buffer.from("<!doctype html>".repeat(1000)),
    ]) {
      feed.replace(bad);
      const error = await failure(installGpu(options));
      expect([error.code, beside(), existsSync(outside), gpuStatus(options).partBytes]).toEqual([
        "gpu.bad-package",
        ["libonnxruntime.so.1"],
        false,
        0,
      ]);
    }
  });

  it("tries no connection when offline, on another system, or for a word that is no address", async () => {
    process.env.PARALLAX_OFFLINE = "1";
    expect((await failure(installGpu(options))).code).toBe("gpu.offline");
    delete process.env.PARALLAX_OFFLINE;
    const target = { version: "1.30.0", bin, platform: "darwin arm64", takesCuda: true };
    expect((await failure(installGpu({ ...options, target }))).code).toBe("gpu.wrong-platform");
    expect((await failure(installGpu({ ...options, source: "nuget" }))).code).toBe("gpu.bad-index");
    expect(feed.asked).toEqual([]);
  });

  it("takes the mirror of PARALLAX_NUGET", async () => {
    process.env.PARALLAX_NUGET = feed.index;
    const { source: _, ...rest } = options;
    expect((await installGpu(rest)).source).toBe(feed.index);
    expect(statSync(path.join(bin, CUDA)).size).toBe(cuda.length);
  });
});

describe("parallax gpu install for Windows x64", () => {
  const files = ["onnxruntime_providers_shared.dll", "onnxruntime_providers_cuda.dll"];
  const inside = "runtimes/win-x64/native/";
  const packed = zipOf({
    "Microsoft.ML.OnnxRuntime.Gpu.Windows.nuspec": Buffer.from("<package/>"),
    // Not the one beside the binding: it must stay as it is.
    [`${inside}onnxruntime.dll`]: Buffer.from("another library"),
    [`${inside}onnxruntime_providers_cuda.lib`]: Buffer.from("not wanted"),
    [`${inside}onnxruntime_providers_tensorrt.dll`]: Buffer.from("not wanted"),
    [`${inside}${files[0]}`]: shared,
    [`${inside}${files[1]}`]: cuda,
    [`buildTransitive/native/${files[1]}`]: Buffer.from("elsewhere in the package"),
  });

  it("takes the two libraries of its own package, and remove puts everything back", async () => {
    await feed.close();
    feed = await fakeNuget("Microsoft.ML.OnnxRuntime.Gpu.Windows", "1.30.0", packed);
    const target = { version: "1.30.0", bin, platform: "win32 x64", takesCuda: true };
    const windows = { source: feed.index, backoffMs: 1, target };
    rmSync(path.join(bin, "libonnxruntime.so.1"));
    writeFileSync(path.join(bin, "onnxruntime.dll"), "the library");
    writeFileSync(path.join(bin, files[0]!), "somebody's own");
    expect(gpuStatus(windows)).toMatchObject({ state: "missing", missing: [files[1]] });
    expect(await planGpu(windows)).toMatchObject({ name: "Microsoft.ML.OnnxRuntime.Gpu.Windows", files });
    const record = await installGpu(windows);
    expect(record.files.map(({ name }) => name)).toEqual(files);
    expect(readFileSync(path.join(bin, files[1]!)).equals(cuda)).toBe(true);
    expect(readFileSync(path.join(bin, "onnxruntime.dll"), "utf8")).toBe("the library");
    expect(gpuStatus(windows).state).toBe("installed");
    const { removed, restored } = await removeGpu(windows);
    expect([removed.length, restored]).toEqual([2, [path.join(bin, files[0]!)]]);
    expect(beside()).toEqual(["onnxruntime.dll", files[0]].sort());
    expect(readFileSync(path.join(bin, files[0]!), "utf8")).toBe("somebody's own");
    expect(gpuStatus(windows)).toMatchObject({ record: null, partBytes: 0 });
  });

  it("fetches nothing for a binding that was built without CUDA, as the published one is", async () => {
    const target = { version: "1.30.0", bin, platform: "win32 x64", takesCuda: false };
    const error = await failure(installGpu({ ...options, target }));
    expect([error.code, error.hint, feed.asked]).toEqual([
      "gpu.wrong-platform",
      'Use provider "dml" or "webgpu" here.',
      [],
    ]);
    expect(error.message).toContain("onnxruntime-node 1.30.0 for win32 x64 was built without CUDA");
    const native = path.join(path.dirname(path.dirname(runtimeFolder().bin)));
    const built = (system: string) => {
      const folder = path.join(native, system);
      return existsSync(folder) ? knowsCuda({ bin: folder }) : "not here";
    };
    expect(["linux/x64", "win32/x64"].map(built)).toEqual([true, false]);
  });
});

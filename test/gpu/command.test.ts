/** `parallax gpu` and `--provider` as a script sees them. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readLdd } from "../../kernels/gpu/cuda-libraries.ts";
import { root } from "../../scripts/build.mjs";
import { softwareVulkan } from "../support/software-vulkan.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-gpu-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

function parallax(args: string[], env: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(root, "bin/parallax.mjs"), ...args], {
      cwd: folder,
      env: { ...process.env, PARALLAX_HOME: path.join(folder, "app"), NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].on("data", (piece: Buffer) => {
        said[name] += piece;
      });
    child.on("close", (status) => resolve({ status, ...said }));
  });
}

describe("parallax gpu", () => {
  it("says what is there, refuses to fetch when offline, and removes nothing that is not ours", {
    timeout: 120_000,
  }, async () => {
    const status = await parallax(["gpu", "status", "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({
      runtime: expect.stringMatching(/^\d+\./),
      record: null,
      partBytes: 0,
    });
    const install = await parallax(["gpu", "install", "--yes"], { PARALLAX_OFFLINE: "1" });
    expect([install.status, install.stdout]).toEqual([1, ""]);
    expect(install.stderr).toMatch(/No connection was tried|exists for linux x64|built without CUDA/);
    expect(JSON.parse((await parallax(["gpu", "remove", "--json"])).stdout)).toEqual({
      removed: [],
      restored: [],
      kept: [],
      freedBytes: 0,
    });
  });

  it("reads what the dynamic linker does not find", () => {
    const said =
      "\tlinux-vdso.so.1 (0x1)\n\tlibcudnn.so.9 => not found\n\tlibm.so.6 => /lib/libm.so.6 (0x2)\n\tlibcublas.so.12 => not found\n";
    expect(readLdd(said)).toEqual(["libcudnn.so.9", "libcublas.so.12"]);
  });
});

describe("--provider", () => {
  const model = path.join(folder, "tiny");
  writeTinyFolder(model, "bert");
  writeFileSync(path.join(folder, "texts.tsv"), "text\na dog\na small red house\n");
  const encode = (provider: string, env: Record<string, string>, encoder = model) =>
    parallax(
      ["encode", "-e", encoder, "--provider", provider, "-i", "texts.tsv", "-c", "text", "-o", "out.npy", "--json"],
      env,
    );

  it("that is not there is an error with the next step, not a run on the CPU", { timeout: 120_000 }, async () => {
    const none = { VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json", LD_LIBRARY_PATH: "" };
    const missing = await encode(process.platform === "linux" ? "webgpu" : "cuda", none);
    const unknown = await encode("gpu", {});
    expect([missing.status, missing.stdout, unknown.status]).toEqual([1, "", 2]);
    expect(missing.stderr).toContain("Nothing was loaded");
    expect(unknown.stderr).toContain("Allowed choices are cpu, webgpu, cuda, dml, coreml");
  });

  it("is not passed over by a table, which has no graph", { timeout: 120_000 }, async () => {
    const { status, stdout, stderr } = await encode("webgpu", {}, "default-static");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("[encoder.no-graph]");
    expect((await encode("cpu", {}, "default-static")).status).toBe(0);
  });

  const driver = softwareVulkan();
  it.skipIf("reason" in driver)(
    "webgpu is tested, run, and told with what stayed on the CPU; doctor remembers",
    { timeout: 300_000 },
    async () => {
      const env = "env" in driver ? driver.env : {};
      const { status, stdout, stderr } = await encode("webgpu", env);
      expect([status, stderr]).toEqual([0, expect.stringMatching(/webgpu: \d+ of \d+ nodes run on the CPU/)]);
      const { encoder } = JSON.parse(stdout) as { encoder: { provider: string; selfTest: { worstCosine: number } } };
      expect(encoder).toMatchObject({ provider: "webgpu", selfTest: { texts: 64 } });
      expect(encoder.selfTest.worstCosine).toBeGreaterThanOrEqual(0.9999);
      const doctor = (await parallax(["doctor", "--json"], env)).stdout;
      const { checks } = JSON.parse(doctor) as { checks: { name: string; found: string }[] };
      expect(checks.find(({ name }) => name === "Provider webgpu")?.found).toContain("self-test passed with tiny");
    },
  );
});

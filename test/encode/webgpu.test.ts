import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LEAST_COSINE } from "../../kernels/encode/provider-check.ts";
import { compareInChild } from "../../kernels/encode/provider-check-child.ts";
import { readSpec } from "../../kernels/encode/read-spec.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { softwareVulkan } from "../support/software-vulkan.ts";
import { TINY_CONFIGS, writeTinyFolder } from "../support/tiny-folder.ts";

const driver = softwareVulkan();
const folder = mkdtempSync(path.join(tmpdir(), "parallax-webgpu-"));
const saved = { ...process.env };
/** Processes that are started from now on see the driver. */
const setEnvironment = (env: Record<string, string>) => Object.assign(process.env, { PARALLAX_HOME: folder }, env);
const FAMILIES = Object.keys(TINY_CONFIGS) as (keyof typeof TINY_CONFIGS)[];

afterAll(() => {
  process.env = saved;
  rmSync(folder, { recursive: true, force: true });
});

async function compare(family: keyof typeof TINY_CONFIGS) {
  const model = path.join(folder, family);
  writeTinyFolder(model, family);
  return compareInChild({ spec: await readSpec(model), provider: "webgpu", options: {}, texts: 8 });
}

if ("reason" in driver) console.info(`WebGPU is not run: ${driver.reason}.`);

describe.skipIf("reason" in driver)("WebGPU on the software driver of Chromium", () => {
  beforeAll(() => void setEnvironment("env" in driver ? driver.env : {}));

  it.each(FAMILIES)("gives the CPU's vectors for %s, 2 layers of 32, 8 texts", { timeout: 120_000 }, async (family) => {
    const found = await compare(family);
    console.info(
      `${family}: worst cosine ${found.worstCosine.toFixed(8)}, ${Math.round(found.ms)} ms, ${found.fallback}`,
    );
    expect(found.texts).toBe(8);
    expect(found.worstCosine).toBeGreaterThanOrEqual(LEAST_COSINE);
    // Sizes of tensors are computed on the CPU, everything with numbers in it on the graphics device.
    expect(found.fallback).toMatch(/^\d+ of \d+ nodes run on the CPU \(/);
    expect(found.fallback).not.toMatch(/MatMul|Gemm|Softmax|LayerNormalization|Gelu/);
  });
});

describe.skipIf(process.platform !== "linux")("WebGPU without a driver", () => {
  beforeAll(
    () =>
      void setEnvironment({ VK_ICD_FILENAMES: "/nowhere.json", VK_DRIVER_FILES: "/nowhere.json", LD_LIBRARY_PATH: "" }),
  );

  it("is refused with the reason and the next step, in a process of its own", async () => {
    const error = await compare("bert").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ParallaxError);
    const { code, message, hint } = error as ParallaxError;
    expect({ code, message, hint }).toEqual({
      code: "session.no-adapter",
      message: expect.stringContaining("the CPU was not used in its place"),
      hint: expect.stringContaining('provider "cpu"'),
    });
  });
});

#!/usr/bin/env node
/**
 * `npm run bench:webgpu-train`: the losses of 20 training steps of a small encoder on WebGPU against those on the CPU.
 * On Linux without a graphics card Chromium's software driver stands in: right numbers, no speed.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { bundle, root } from "../support/python.mjs";

const steps = Number(process.env.STEPS ?? 20);
const entry = await bundle(path.join(root, "test/bench/webgpu-train/ours.ts"), "webgpu-train.mjs");
const chromium = "/usr/lib/chromium";
const driver = existsSync(path.join(chromium, "vk_swiftshader_icd.json"))
  ? { VK_ICD_FILENAMES: path.join(chromium, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: chromium }
  : {};

function losses(provider) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, provider, String(steps)], {
    encoding: "utf8",
    env: { ...process.env, ...(provider === "webgpu" ? driver : {}) },
  });
  if (status !== 0) {
    console.error(`${provider}: ${stderr.trim().split("\n").slice(-3).join("\n")}`);
    process.exit(1);
  }
  const result = JSON.parse(stdout.trim().split("\n").at(-1));
  console.log(
    `${provider}: ${result.about}; ${(result.ms / steps).toFixed(0)} ms a step; loss ${result.losses[0].toFixed(5)} → ${result.losses.at(-1).toFixed(5)}`,
  );
  return result.losses;
}

const [cpu, webgpu] = [losses("cpu"), losses("webgpu")];
const apart = Math.max(...cpu.map((loss, i) => Math.abs(loss - webgpu[i])));
console.log(`largest difference of a loss over ${steps} steps: ${apart.toExponential(1)}; limit 1e-3`);
process.exitCode = apart < 1e-3 ? 0 : 1;

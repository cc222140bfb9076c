/** Twenty steps of a small encoder on one provider; prints their losses as JSON. Arguments: provider, steps. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { weightsDigest } from "../../../kernels/encode/encoder-digests.ts";
import { readSpec } from "../../../kernels/encode/read-spec.ts";
import { createEngine } from "../../../kernels/train/engine.ts";
import { clipScale } from "../../../kernels/train/parameter-memory.ts";
import { RUN_DEFAULTS } from "../../support/run-defaults.ts";
import { writeTinyFolder } from "../../support/tiny-folder.ts";
import { tinyPairs } from "../../support/tiny-run.ts";

const [provider, steps] = process.argv.slice(2);
const folder = mkdtempSync(path.join(tmpdir(), "parallax-webgpu-train-"));
process.env.PARALLAX_HOME = path.join(folder, "home");
try {
  const model = path.join(folder, "bert");
  writeTinyFolder(model, "bert");
  const spec = await readSpec(model);
  const engine = await createEngine({
    ...RUN_DEFAULTS,
    encoder: {
      reference: model,
      name: "tiny",
      weightsSha256: await weightsDigest(spec, undefined),
      spec: { pooling: "mean", normalise: true, maxTokens: 32, prompts: {} },
    },
    data: { negatives: 0 },
    batchSize: 8,
    maxTokens: 32,
    seed: 0,
    provider,
    threads: 1,
  });
  const rows = tinyPairs(8 * Number(steps));
  const losses: number[] = [];
  const began = performance.now();
  for (let step = 1; step <= Number(steps); step++) {
    losses.push(await engine.step(rows.slice(8 * (step - 1), 8 * step), step));
    engine.memory.update(step, 1e-3, 0.01, clipScale(engine.memory.gradientNorm(), 1));
  }
  console.log(JSON.stringify({ about: engine.describe(), losses, ms: performance.now() - began }));
  await engine.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

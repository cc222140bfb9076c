import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KernelProcess, preview } from "../support/kernel-process.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

let kernel: KernelProcess;
let model: string;
beforeAll(async () => {
  model = writeTinyBert();
  kernel = await KernelProcess.start();
  const { error } = await kernel.run(
    `import { encode, loadEncoder } from "parallax"; const encoder = await loadEncoder(${JSON.stringify(model)})`,
  );
  expect(error).toBeUndefined();
});
afterAll(async () => {
  await kernel.stop();
  rmSync(model, { recursive: true, force: true });
});

const texts = (n: number): string => `Array.from({ length: ${n} }, (_, i) => "a text of some words " + i)`;

it("encodes in another thread, so that the kernel answers meanwhile", async () => {
  const running = kernel.run(`const many = await encode(${texts(5000)}, { encoder })`);
  await kernel.until((m) => m.type === "progress" && m.stage === "Encoding");
  const { variables } = await kernel.ask({ type: "variables" } as never, "variables");
  expect(variables.map((v) => v.name)).toContain("encoder");
  const { result, messages } = await running;
  expect(preview(result)).toMatchObject({ name: "many", type: expect.stringMatching(/^Float32 \[5000, \d+\]$/) });
  const progress = messages.filter((m) => m.type === "progress");
  expect(progress.at(-1)).toMatchObject({ finished: true });
  const done = progress.filter((m) => !m.finished).map((m) => m.done);
  expect(done).toEqual([...done].sort((a, b) => a - b));
});

it("stops an encode between batches, keeps the encoder, and says what is loaded", async () => {
  const from = kernel.messages.length;
  const running = kernel.run(`const endless = await encode(${texts(500_000)}, { encoder })`);
  await kernel.until((m) => m.type === "progress", from);
  const started = performance.now();
  kernel.interrupt();
  expect((await running).status).toBe("interrupted");
  expect(performance.now() - started).toBeLessThan(3000);
  expect((await kernel.run(`await encode(["again"], { encoder })`)).status).toBe("ok");
  const stats = await kernel.until((m) => m.type === "stats" && m.sessions === 1, from);
  expect(stats).toMatchObject({ encoders: [expect.any(String)] });
});

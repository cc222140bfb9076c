/** Encoding leaves nothing behind: the short form of `npm run bench:memory`, in a process that may collect. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";

const PROGRAM = `
import { openEncoder } from "./kernels/encode/open-encoder.ts";
import { threadCompute } from "./kernels/graph/compute.ts";
const compute = threadCompute();
const encoder = await openEncoder(process.argv[2], { compute });
const counts = async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await compute.collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return compute.counts();
};
const some = async (times) => {
  for (let turn = 0; turn < times; turn++)
    await encoder.encode(Array.from({ length: 30 }, (_, i) => "the dog reads ".repeat((turn + i) % 12)), { batchTokens: 200 });
  return counts();
};
const before = await some(20);
const after = await some(60);
await encoder.dispose();
const end = await counts();
await compute.dispose();
process.stdout.write(JSON.stringify({ before, after, end }));
`;

test("sessions and tensors are the same after 60 encodes as before, and gone after dispose", async () => {
  const root = packageRoot();
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-memory-"));
  // Below dist, so that packages and the compute worker are found.
  const program = path.join(root, "dist", "test", `memory-${process.pid}.mjs`);
  try {
    await build({
      stdin: { contents: PROGRAM, resolveDir: root, loader: "ts" },
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      logLevel: "error",
    });
    const env = { ...process.env, PARALLAX_HOME: path.join(folder, "home") };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", program, writeTinyBert(path.join(folder, "tiny"))],
      { env },
    );
    const none = { sessions: 1, tensors: 0 };
    expect(JSON.parse(stdout)).toEqual({ before: none, after: none, end: { sessions: 0, tensors: 0 } });
  } finally {
    rmSync(program, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
});

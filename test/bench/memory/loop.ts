/** The loops of bench:memory, in a process started with --expose-gc. */
import { readFileSync } from "node:fs";
import { fileSha256 } from "../../../kernels/encode/file-digest.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { readSpec } from "../../../kernels/encode/read-spec.ts";
import { threadCompute } from "../../../kernels/graph/compute.ts";
import { sessionCounts } from "../../../kernels/graph/session.ts";
import { createEngine } from "../../../kernels/train/engine.ts";
import { RUN_DEFAULTS } from "../../support/run-defaults.ts";

const texts = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as string[];
const LIMIT = 0.05;

interface Counts {
  sessions: number;
  tensors: number;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Runs the work, collects, and keeps the resident memory of each turn after the warm-up. */
async function measure(
  name: string,
  times: { warmUp: number; measured: number },
  work: (turn: number) => Promise<void>,
  collect: () => Promise<Counts>,
): Promise<boolean> {
  const memory: number[] = [];
  let before: Counts = { sessions: 0, tensors: 0 };
  for (let turn = 0; turn < times.warmUp + times.measured; turn++) {
    await work(turn);
    const counts = await collect();
    if (turn === times.warmUp - 1) before = counts;
    if (turn >= times.warmUp) memory.push(process.memoryUsage.rss());
    if (turn % 20 === 19)
      console.error(`${name}: ${turn + 1} of ${times.warmUp + times.measured}, ${mib(process.memoryUsage.rss())}`);
  }
  const after = await collect();
  const tenth = Math.max(1, Math.round(times.measured / 10));
  const [first, last] = [median(memory.slice(0, tenth)), median(memory.slice(-tenth))];
  const growth = last / first - 1;
  const isSame = before.sessions === after.sessions && before.tensors === after.tensors;
  const isGood = growth <= LIMIT && isSame;
  console.log(
    `${name}: after ${times.warmUp} for warm-up, ${times.measured} measured: median resident memory ${mib(first)} in the first tenth, ${mib(last)} in the last (${growth >= 0 ? "+" : ""}${(100 * growth).toFixed(1)} %, limit +5 %); sessions ${before.sessions} → ${after.sessions}, tensors ${before.tensors} → ${after.tensors}: ${isGood ? "good" : "TOO MUCH"}`,
  );
  return isGood;
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Finalisers run after a turn of the event loop: collect, wait, collect. */
async function collectHere(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function encodes(): Promise<boolean> {
  const compute = threadCompute();
  const encoder = await openEncoder("default", { compute });
  const good = await measure(
    "encodes",
    { warmUp: 50, measured: 200 },
    async (turn) => {
      const start = (turn * 48) % (texts.length - 48);
      await encoder.encode(texts.slice(start, start + 48));
    },
    async () => {
      await collectHere();
      await compute.collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
      return compute.counts();
    },
  );
  await encoder.dispose();
  const { sessions } = await compute.counts();
  console.log(`after dispose: ${sessions} sessions`);
  await compute.dispose();
  return good && sessions === 0;
}

async function steps(): Promise<boolean> {
  const { pooling, normalise, maxTokens, prompts, name, weights } = await readSpec("default");
  const engine = await createEngine({
    encoder: {
      reference: "default",
      name,
      weightsSha256: await fileSha256(weights.file),
      spec: { pooling: pooling!, normalise, maxTokens, prompts },
    },
    batchSize: 8,
    ...RUN_DEFAULTS,
    seed: 0,
    data: { negatives: 0 },
    maxTokens: 32,
    freezeWordEmbeddings: true,
    prompts: { anchor: "{text}", positive: "{text}", negative: "{text}" },
    provider: "cpu",
    threads: 2,
  });
  // Freed memory is kept for the next step, so it grows until the longest batch was seen (in a fixed order of mixed
  // lengths for about 100 steps, by a tenth, then not at all). The first warm-up steps are the longest ones, so that what
  // is measured afterwards is growth without such a reason.
  const half = texts.length >> 1;
  const longest = Array.from({ length: half }, (_, i) => i).sort((a, b) => length(b) - length(a));
  function length(row: number): number {
    return Math.max(texts[row]!.length, texts[row + half]!.length);
  }
  const good = await measure(
    "training steps",
    { warmUp: 10, measured: 50 },
    async (turn) => {
      const pairs = Array.from({ length: 8 }, (_, i) => {
        const row = turn < 3 ? longest[i]! : (turn * 8 + i) % half;
        return { anchor: texts[row]!, positive: texts[row + half]! };
      });
      await engine.step(pairs, turn + 1);
      engine.memory.update(turn + 1, 2e-5, 0.01, 1);
    },
    async () => {
      await collectHere();
      return sessionCounts();
    },
  );
  await engine.dispose();
  const { sessions } = sessionCounts();
  console.log(`after dispose: ${sessions} sessions`);
  return good && sessions === 0;
}

const only = process.argv[3];
const results = [only === "steps" ? true : await encodes(), only === "encodes" ? true : await steps()];
process.exitCode = results.every(Boolean) ? 0 : 1;

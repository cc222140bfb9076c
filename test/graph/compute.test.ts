import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { afterEach, describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { type Compute, type GraphSession, inThreadCompute, threadCompute } from "../../kernels/graph/compute.ts";
import type { Graph } from "../../kernels/graph/ir.ts";
import { encodeModel } from "../../kernels/graph/onnx-write.ts";
import { defaultThreads } from "../../kernels/graph/session.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

function doubling(): Graph {
  const b = new GraphBuilder("doubling");
  b.output(b.mul(b.input("x", "float32", ["n", 2]), 2), "y");
  return b.build();
}

/** Some seconds of work: long enough to be stopped in the middle. */
function slow(): Graph {
  const b = new GraphBuilder("slow");
  let x = b.input("x", "float32", [1024, 1024]);
  const first = x;
  for (let i = 0; i < 30; i++) x = b.matMul(x, first);
  b.output(b.reduceSum(x), "y");
  return b.build();
}

const pair = (a: number, c: number) => tensor("float32", [1, 2], Float32Array.of(a, c));
const large = () => tensor("float32", [1024, 1024], new Float32Array(1024 * 1024));
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({ code: "nothing thrown", message: "" }),
    (error) => ({ code: error instanceof ParallaxError ? error.code : String(error), message: String(error?.message) }),
  );

describe.each<[string, () => Compute]>([
  ["in the calling thread", inThreadCompute],
  ["in a thread of its own", threadCompute],
])("sessions %s", (_, make) => {
  let compute: Compute;
  let session: GraphSession;
  const open = async (graph = doubling()) => {
    compute = make();
    session = await compute.createSession({ graph });
    return session;
  };
  afterEach(() => compute?.dispose());

  it("run a graph, leave the feeds alone, and say where", async () => {
    await open();
    const x = pair(1, 2);
    const results = await session.run({ x });
    expect({ results, x, report: session.report, inputs: session.inputs, outputs: session.outputs }).toEqual({
      results: { y: pair(2, 4) },
      x: pair(1, 2),
      report: { provider: "cpu", requested: "cpu", threads: 1 },
      inputs: [{ name: "x", dtype: "float32", shape: ["n", 2] }],
      outputs: [{ name: "y", dtype: "float32", shape: ["n", 2] }],
    });
  });

  it("take windows of larger buffers and shared memory", async () => {
    await open();
    const window = new Float32Array([9, 9, 1, 2, 9]).subarray(2, 4);
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([3, 4]);
    const y = [window, shared].map(
      async (data) => (await session.run({ x: tensor("float32", [1, 2], data as Float32Array) })).y,
    );
    expect(await Promise.all(y)).toEqual([pair(2, 4), pair(6, 8)]);
  });

  it("read a model from bytes and from a file", async () => {
    compute = make();
    const file = path.join(tmpdir(), `parallax-compute-${process.pid}.onnx`);
    writeFileSync(file, encodeModel(doubling()));
    for (const source of [{ bytes: encodeModel(doubling()) }, { path: file }]) {
      session = await compute.createSession(source);
      expect((await session.run({ x: pair(1, 2) })).y).toEqual(pair(2, 4));
    }
  });

  it("name what is wrong with a feed", async () => {
    await open();
    const bad = tensor("float32", [1, 3], new Float32Array(3));
    expect([
      await failure(session.run({})),
      await failure(session.run({ x: bad })),
      await failure(session.run({ x: tensor("int64", [1, 2], new BigInt64Array(2)) })),
      await failure(session.run({ x: pair(1, 2) }, { outputs: ["z"] })),
    ]).toEqual([
      { code: "session.missing-input", message: 'The input "x" is missing; nothing was given.' },
      { code: "session.wrong-shape", message: 'The input "x" has shape [n, 2]; [1, 3] was given.' },
      { code: "session.wrong-type", message: 'The input "x" is float32; int64 was given.' },
      { code: "session.unknown-output", message: 'The model has no output "z".' },
    ]);
  });

  it("refuse bytes that are no model and a provider that is not there", async () => {
    await open();
    const bytes = new TextEncoder().encode("<!doctype html>");
    expect((await failure(compute.createSession({ bytes }))).code).toBe("session.create-failed");
    expect((await failure(compute.createSession({ graph: doubling() }, { provider: "coreml" }))).code).toBe(
      "session.no-provider",
    );
  });

  it("count what lives, and end", async () => {
    await open();
    expect((await compute.counts()).sessions).toBe(1);
    await session.dispose();
    await session.dispose();
    expect((await compute.counts()).sessions).toBe(0);
    expect((await failure(session.run({ x: pair(1, 2) }))).code).toBe("session.disposed");
  });
});

describe("the calling thread", () => {
  it("writes into memory that is given for an output", async () => {
    const compute = inThreadCompute();
    const session = await compute.createSession({ graph: doubling() });
    const room = new Float32Array(10);
    const y = tensor("float32", [1, 2], room.subarray(4, 6));
    const results = await session.run({ x: pair(1, 2) }, { fetches: { y } });
    expect([results.y === y, [...room]]).toEqual([true, [0, 0, 0, 0, 2, 4, 0, 0, 0, 0]]);
    await compute.dispose();
  });
});

describe("the compute thread", () => {
  it("leaves the caller free while it computes, and gives up all work at once", async () => {
    const compute = threadCompute();
    const session = await compute.createSession({ graph: slow() });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const running = failure(session.run({ x: large() }));
    const waiting = failure(session.run({ x: large() }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const start = Date.now();
    const ended = compute.terminate();
    expect([(await running).code, (await waiting).code]).toEqual(["compute.terminated", "compute.terminated"]);
    expect(Date.now() - start).toBeLessThan(1000);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    expect((await failure(session.run({ x: large() }))).code).toBe("compute.terminated");

    // A new session starts a new thread.
    const again = await compute.createSession({ graph: doubling() });
    expect((await again.run({ x: pair(1, 2) })).y).toEqual(pair(2, 4));
    await compute.dispose();
    await ended;
  });

  it("answers calls that were made at the same time in order", async () => {
    const compute = threadCompute();
    const session = await compute.createSession({ graph: doubling() });
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => session.run({ x: pair(i, -i) })));
    expect(all.map(({ y }) => [...(y.data as Float32Array)])).toEqual(
      Array.from({ length: 20 }, (_, i) => [2 * i, -2 * i]),
    );
    await compute.dispose();
  });
});

describe("a process", () => {
  it.each(["process.exit(3)", "throw new Error('end')"])(
    "ends as it should in the middle of a run: %s",
    async (end) => {
      const script = path.join(tmpdir(), `parallax-exit-${process.pid}.ts`);
      const here = (file: string) => JSON.stringify(path.resolve("kernels/graph", file));
      writeFileSync(
        script,
        `import { threadCompute } from ${here("compute.ts")};
       import { GraphBuilder } from ${here("builder.ts")};
       const b = new GraphBuilder("slow");
       const x = b.input("x", "float32", [1024, 1024]);
       let y = x;
       for (let i = 0; i < 20; i++) y = b.matMul(y, x);
       b.output(y, "y");
       const session = await threadCompute().createSession({ graph: b.build() });
       session.run({ x: { dtype: "float32", dims: [1024, 1024], data: new Float32Array(1024 * 1024) } }).catch(() => 0);
       setTimeout(() => { ${end} }, 100);`,
      );
      const bundle = path.resolve("dist/scratch", `exit-${process.pid}.mjs`);
      await build({
        entryPoints: [script],
        bundle: true,
        platform: "node",
        format: "esm",
        packages: "external",
        outfile: bundle,
        logLevel: "error",
      });
      const { status, stderr } = spawnSync(process.execPath, [bundle], { encoding: "utf8" });
      rmSync(script);
      rmSync(bundle);
      expect([status, stderr.includes("terminate called")]).toEqual([end.startsWith("throw") ? 1 : 3, false]);
    },
  );
});

describe("threads", () => {
  it("are one for small models, else both of two cores and half of more", () => {
    const rows = [
      [1e6, 16],
      [22e6, 1],
      [22e6, 2],
      [22e6, 4],
      [22e6, 8],
      [22e6, 64],
    ];
    expect(rows.map(([weights, cores]) => defaultThreads(weights, cores))).toEqual([1, 1, 2, 2, 4, 8]);
  });
});

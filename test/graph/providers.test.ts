import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { inThreadCompute, type ProviderName, threadCompute } from "../../kernels/graph/compute.ts";
import { describeFallback, readPlacement } from "../../kernels/graph/placement.ts";
import { checkProviderName, providerFailure, providerRunFailure } from "../../kernels/graph/providers.ts";
import { missingProviderFiles } from "../../kernels/graph/runtime-folder.ts";
import { tensor } from "../../kernels/graph/tensor.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

const kernel = (name: string, provider: string, op: string, ts: number, dur: number) => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { provider: `${provider}ExecutionProvider`, op_name: op },
});
/** Two runs of a graph; the first compiles its kernels and is slow. */
const PROFILE = [
  { cat: "Session", name: "session_initialization", ts: 1, dur: 5, args: {} },
  kernel("ids/Cast", "CPU", "Cast", 10, 900),
  kernel("layer/MatMul", "WebGpu", "MatMul", 20, 90_000),
  { cat: "Session", name: "model_run", ts: 9, dur: 95_000 },
  { cat: "Node", name: "layer/MatMul_fence_before", ts: 100_001, dur: 7, args: { op_name: "MatMul" } },
  kernel("ids/Cast", "CPU", "Cast", 100_010, 10),
  kernel("shape/Shape", "CPU", "Shape", 100_020, 20),
  kernel("layer/MatMul", "WebGpu", "MatMul", 100_030, 900),
  kernel("layer/MatMul.1", "WebGpu", "MatMul", 100_040, 60),
  kernel("layer/Gelu", "WebGpu", "Gelu", 100_050, 10),
  { cat: "Session", name: "model_run", ts: 100_000, dur: 1000 },
];

function doubling() {
  const b = new GraphBuilder("doubling");
  b.output(b.relu(b.mul(b.input("x", "float32", ["n", 2]), 2)), "y");
  return b.build();
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "nothing thrown",
    (error: unknown) => (error instanceof ParallaxError ? error.code : String(error)),
  );

describe("a profile", () => {
  it("says which provider ran each node of the last run, with its share of the time", () => {
    const placement = readPlacement(JSON.stringify(PROFILE));
    expect(placement).toEqual([
      {
        provider: "webgpu",
        nodes: 3,
        ops: { MatMul: 2, Gelu: 1 },
        names: ["layer/MatMul", "layer/MatMul.1", "layer/Gelu"],
        ms: 0.97,
        share: 0.97,
      },
      {
        provider: "cpu",
        nodes: 2,
        ops: { Cast: 1, Shape: 1 },
        names: ["ids/Cast", "shape/Shape"],
        ms: 0.03,
        share: 0.03,
      },
    ]);
    expect(describeFallback(placement, "webgpu")).toBe(
      "2 of 5 nodes run on the CPU (Cast 1, Shape 1; 3.0 % of the time)",
    );
    expect(describeFallback(placement.slice(0, 1), "webgpu")).toBeUndefined();
  });

  it("that was cut off or is none costs the report, not the run", () => {
    const lines = `[\n${PROFILE.map((event) => JSON.stringify(event)).join(",\n")}\n]`;
    expect(readPlacement(lines.slice(0, -80)).length).toBeGreaterThan(0);
    expect([readPlacement(""), readPlacement("{}"), readPlacement("[")]).toEqual([[], [], []]);
  });
});

describe.each([
  ["in the calling thread", inThreadCompute],
  ["in a thread of its own", threadCompute],
])("a session %s", (_, make) => {
  it("tells where its nodes ran once it has run", async () => {
    const compute = make();
    const session = await compute.createSession({ graph: doubling() }, { recordPlacement: true });
    expect(await session.placement()).toBeUndefined();
    const feed = () => ({ x: tensor("float32", [1, 2], Float32Array.of(-1, 2)) });
    await session.run(feed());
    const placement = await session.placement();
    expect(placement?.map(({ provider, ops, share }) => ({ provider, ops, share }))).toEqual([
      { provider: "cpu", ops: { Mul: 1, Relu: 1 }, share: 1 },
    ]);
    expect([session.report.fallbackNodes, await session.placement()]).toEqual([[], placement]);
    // The recording is over, the session is not.
    expect((await session.run(feed())).y.data).toEqual(Float32Array.of(0, 4));
    await compute.dispose();
  });

  it("of a provider that is not there is refused with the next step, and never runs on the CPU instead", async () => {
    const compute = make();
    const create = (provider: string) =>
      codeOf(compute.createSession({ graph: doubling() }, { provider: provider as ProviderName }));
    expect(await create("gpu")).toBe("session.no-provider");
    if (process.platform === "linux")
      expect([await create("coreml"), await create("dml")]).toEqual(["session.no-provider", "session.no-provider"]);
    if (process.platform === "linux" && process.arch === "x64" && missingProviderFiles("cuda").length > 0)
      expect(await create("cuda")).toBe("session.provider-not-installed");
    await compute.dispose();
  });
});

describe("what ONNX Runtime says about a provider", () => {
  const said = (provider: ProviderName, text: string) => {
    const error = providerFailure(provider, text);
    return error && { code: error.code, message: error.message };
  };
  it("is told in words, with the reason kept", () => {
    const adapter =
      "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize() adapter_result.status == Success was false. Failed to get a WebGPU adapter: No supported adapters";
    expect([
      said("webgpu", adapter),
      said("cuda", "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library"),
      said("webgpu", "Protobuf parsing failed."),
      said("cpu", "anything"),
    ]).toEqual([
      {
        code: "session.no-adapter",
        message:
          "WebGPU finds no graphics adapter here (Failed to get a WebGPU adapter: No supported adapters). Nothing was loaded, and the CPU was not used in its place.",
      },
      {
        code: "session.no-driver",
        message:
          "CUDA does not start: its driver or one of its libraries is missing or too old (OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library). Nothing was loaded, and the CPU was not used in its place.",
      },
      undefined,
      undefined,
    ]);
  });

  it("about a run that failed is told with the next step", () => {
    const half =
      "Non-zero status code returned while running Gather node. Name:'embeddings/Gather.1' Status Message: shader_helper.cc:416 GenerateSourceCode Program Gather requires f16 but the device does not support it.";
    const failed = (provider: string, text: string) => {
      const error = providerRunFailure(provider, text);
      return error && [error.code, error.kind, error.hint];
    };
    expect([
      failed("webgpu", half),
      failed("cuda", "Failed to allocate memory for requested buffer of size 4294967296"),
      failed("webgpu", "Device lost"),
      failed("cpu", half),
    ]).toEqual([
      ["session.no-float16", "environment", 'Use precision "float32" or "int8-blocks", or provider "cpu".'],
      ["session.run-failed", "environment", 'Use smaller batches (batchTokens), or provider "cpu".'],
      ["session.run-failed", "environment", 'Use provider "cpu", or update the driver.'],
      undefined,
    ]);
  });

  it("is not asked for words that name no provider", () => {
    expect(checkProviderName("webgpu")).toBe("webgpu");
    expect(() => checkProviderName("WebGPU")).toThrow("Nothing was loaded");
  });
});

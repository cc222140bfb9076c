/**
 * Runs graphs with ONNX Runtime. The only file that imports it. A run blocks the calling thread from start to end, so
 * everything but the trainer reaches this file through a compute thread (compute.ts).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { ParallaxError } from "../protocol/errors.ts";
import type { GraphSession, ModelSource, ProviderName, ProviderReport, SessionOptions } from "./compute-types.ts";
import { formatShape } from "./dims.ts";
import type { Graph, ValueInfo } from "./ir.ts";
import { encodeModel, weightBytes } from "./onnx-write.ts";
import { type NodePlacement, readPlacement } from "./placement.ts";
import {
  checkProviderName,
  providerFailure,
  providerNotInstalled,
  providerRunFailure,
  providerUnknownHere,
  providerUnused,
} from "./providers.ts";
import { missingProviderFiles } from "./runtime-folder.ts";
import { BYTES_PER_ELEMENT, type DType, elementCount, type Tensor } from "./tensor.ts";

type Ort = typeof import("onnxruntime-node");

/** Weights past this stay outside of the model message, whose limit is 2 GiB. */
const INLINE_BYTES = 2 ** 30;
/** Below this, work is split into pieces too small to pay for a second thread (measured: 2 layers of 128 run 1.5 times faster on one). */
const SMALL_MODEL_WEIGHTS = 2_000_000;

let loading: Promise<Ort> | undefined;
let liveSessions = 0;
let liveTensors = 0;
/** Outputs belong to whoever asked for them; they stop counting once collected. */
const outputs = new FinalizationRegistry<number>((count) => {
  liveTensors -= count;
});

function loadRuntime(): Promise<Ort> {
  loading ??= import("onnxruntime-node").then(
    // A CommonJS package: its names may only be on the default export.
    (module) => (("default" in module ? module.default : module) as Ort) ?? module,
    (error) => {
      loading = undefined;
      throw new ParallaxError(
        "session.no-runtime",
        `ONNX Runtime cannot be loaded on ${process.platform} ${process.arch}.`,
        {
          kind: "environment",
          hint: "Run parallax doctor; install again with npm ci.",
          cause: error,
        },
      );
    },
  );
  return loading;
}

/**
 * Threads for a model of this many weights: one for models under two million weights, else all of two cores, half of
 * more (an encoder shares the machine with the page and the notebook), at most 8. The user's setting
 * (PARALLAX_THREADS) takes the place of the rule for larger models.
 */
export function defaultThreads(weights: number, cores: number = availableParallelism()): number {
  if (weights < SMALL_MODEL_WEIGHTS || cores <= 1) return 1;
  const chosen = Number(process.env.PARALLAX_THREADS);
  if (Number.isInteger(chosen) && chosen >= 1) return Math.min(chosen, 64);
  return cores <= 2 ? cores : Math.min(8, Math.max(2, Math.floor(cores / 2)));
}

/** Sessions not yet disposed, and outputs of ONNX Runtime not yet collected, in this thread. */
export function sessionCounts(): { sessions: number; tensors: number } {
  return { sessions: liveSessions, tensors: liveTensors };
}

/** Version of ONNX Runtime and the providers its package brings. */
export async function runtimeReport(): Promise<{ version: string; providers: { name: string; bundled: boolean }[] }> {
  const ort = await loadRuntime();
  return { version: ort.env.versions.node ?? "unknown", providers: ort.listSupportedBackends().map((b) => ({ ...b })) };
}

function countWeights(graph: Graph): number {
  let sum = 0;
  for (const value of graph.initializers.values()) sum += value.data.length;
  // Weights that are fed have fixed sizes; texts have not.
  for (const { shape } of graph.inputs)
    if (shape.every((dim) => typeof dim === "number")) sum += elementCount(shape as number[]);
  return sum;
}

interface Prepared {
  model: string | Uint8Array;
  weights: number;
  external?: { path: string; data: Uint8Array }[];
}

function prepare(source: ModelSource): Prepared {
  if ("path" in source) return { model: path.resolve(source.path), weights: Number.POSITIVE_INFINITY };
  if ("bytes" in source)
    return {
      model: source.bytes,
      weights:
        source.bytes.length / 4 + (source.externalData ?? []).reduce((sum, file) => sum + file.data.length / 4, 0),
      ...(source.externalData ? { external: source.externalData } : {}),
    };
  const { graph } = source;
  const weights = countWeights(graph);
  if (weightBytes(graph) <= INLINE_BYTES) return { model: encodeModel(graph), weights };
  const references = new Map<string, { location: string; offset: number; length: number }>();
  const external: { path: string; data: Uint8Array }[] = [];
  for (const [name, { data, dtype }] of graph.initializers) {
    const length = data.length * BYTES_PER_ELEMENT[dtype];
    if (length < 1024) continue;
    const location = `weight-${external.length}`;
    references.set(name, { location, offset: 0, length });
    external.push({ path: location, data: new Uint8Array(data.buffer, data.byteOffset, length) });
  }
  return { model: encodeModel(graph, { externalData: references }), weights, external };
}

const reason = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").slice(0, 600);

/**
 * Loads a model in the calling thread.
 * @throws {ParallaxError} session.create-failed, session.no-provider, session.provider-not-installed, session.no-adapter,
 *   session.no-driver, session.no-runtime. Never another provider than the one that was asked for.
 */
export async function createSession(source: ModelSource, options: SessionOptions = {}): Promise<GraphSession> {
  const ort = await loadRuntime();
  const provider = checkProviderName(options.provider ?? "cpu");
  const known = ort.listSupportedBackends().map((backend) => backend.name);
  if (!known.includes(provider)) throw providerUnknownHere(provider, `${process.platform} ${process.arch}`, known);
  const missing = missingProviderFiles(provider);
  if (missing.length > 0) throw providerNotInstalled(provider, missing);
  const { model, weights, external } = prepare(source);
  const threads = options.threads ?? defaultThreads(weights);
  const records = options.profile === undefined && (options.recordPlacement ?? provider !== "cpu");
  const recording = records ? mkdtempSync(path.join(tmpdir(), "parallax-placement-")) : undefined;
  const profile = recording === undefined ? options.profile : path.join(recording, "run");
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // A waiting thread sleeps instead of spinning: notebooks, trainer and page share few cores (beside other work two
    // threads took 374 ms instead of 597 for 32 texts, and a third less processor time).
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    // Texts come in many shapes; a memory plan kept for each costs half as much again and is no faster.
    enableMemPattern: false,
    enableCpuMemArena: options.memoryArena ?? true,
    logSeverityLevel: 3,
    ...(external ? { externalData: external } : {}),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  };
  let session: InferenceSession;
  try {
    session = await (typeof model === "string"
      ? ort.InferenceSession.create(model, settings)
      : ort.InferenceSession.create(model, settings));
  } catch (error) {
    if (recording !== undefined) rmSync(recording, { recursive: true, force: true });
    const failure = providerFailure(provider, reason(error));
    if (failure !== undefined) throw failure;
    const what = "path" in source ? source.path : "graph" in source ? `the graph "${source.graph.name}"` : "the model";
    throw new ParallaxError(
      "session.create-failed",
      `ONNX Runtime refuses ${what} on provider ${provider}: ${reason(error)}`,
      {
        kind: "graph" in source ? "bug" : "user",
        hint:
          provider === "cpu" ? "Check that it is a complete ONNX model of opset 26 or older." : 'Try provider "cpu".',
        details: { provider, threads },
        cause: error,
      },
    );
  }
  liveSessions++;
  return new LocalSession(ort, session, { provider, requested: provider, threads }, recording);
}

function describeValues(metadata: readonly InferenceSession.ValueMetadata[]): ValueInfo[] {
  return metadata.map((value) =>
    value.isTensor
      ? {
          name: value.name,
          dtype: value.type as DType,
          shape: value.shape.map((dim, i) => (dim === "" ? `?${i}` : dim)),
        }
      : { name: value.name, dtype: "float32", shape: [], unknownRank: true as const },
  );
}

class LocalSession implements GraphSession {
  readonly report: ProviderReport;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  #ort: Ort;
  #session: InferenceSession | undefined;
  /** Folder of the profile that is being written. */
  #recording: string | undefined;
  #placement: NodePlacement[] | undefined;
  #hasRun = false;

  constructor(ort: Ort, session: InferenceSession, report: ProviderReport, recording: string | undefined) {
    this.#recording = recording;
    this.#ort = ort;
    this.#session = session;
    this.report = report;
    this.inputs = describeValues(session.inputMetadata);
    this.outputs = describeValues(session.outputMetadata);
  }

  async run(
    feeds: Record<string, Tensor>,
    options: { fetches?: Record<string, Tensor | null>; outputs?: readonly string[] } = {},
  ): Promise<Record<string, Tensor>> {
    const session = this.#session;
    if (!session)
      throw new ParallaxError("session.disposed", "This session was disposed and cannot run any more.", {
        kind: "bug",
        hint: "Create a new session.",
      });
    const given: Record<string, OrtTensor> = {};
    for (const info of this.inputs) {
      const value = feeds[info.name];
      if (!value)
        throw new ParallaxError(
          "session.missing-input",
          `The input "${info.name}" is missing; ${Object.keys(feeds).join(", ") || "nothing"} was given.`,
          {
            kind: "bug",
            hint: `Give ${this.inputs.map((i) => i.name).join(", ")}.`,
          },
        );
      checkFeed(info, value);
      given[info.name] = this.#toOrt(value);
    }
    const wanted: Record<string, OrtTensor | null> = {};
    for (const name of options.outputs ?? this.outputs.map((output) => output.name)) wanted[name] = null;
    for (const [name, value] of Object.entries(options.fetches ?? {})) wanted[name] = value ? this.#toOrt(value) : null;
    for (const name of Object.keys(wanted))
      if (!this.outputs.some((output) => output.name === name))
        throw new ParallaxError("session.unknown-output", `The model has no output "${name}".`, {
          kind: "bug",
          hint: `Its outputs are ${this.outputs.map((output) => output.name).join(", ")}.`,
        });
    let results: InferenceSession.ReturnType;
    try {
      results = await session.run(given, wanted);
    } catch (error) {
      const failure = providerRunFailure(this.report.provider, reason(error));
      if (failure !== undefined) throw failure;
      const memory = /alloc|memory/i.test(reason(error));
      throw new ParallaxError(
        "session.run-failed",
        `ONNX Runtime could not run the model on ${this.report.provider}: ${reason(error)}`,
        {
          kind: memory ? "environment" : "bug",
          hint: memory ? "Use smaller batches." : "Check the shapes of the inputs.",
          details: { feeds: Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, [...value.dims]])) },
          cause: error,
        },
      );
    }
    this.#hasRun = true;
    const named: Record<string, Tensor> = {};
    let fresh = 0;
    for (const [name, result] of Object.entries(results)) {
      const own = options.fetches?.[name];
      if (own) named[name] = own;
      else {
        const tensor = { dtype: result.type as DType, dims: [...result.dims], data: result.data } as unknown as Tensor;
        outputs.register(tensor.data, 1);
        fresh++;
        named[name] = tensor;
      }
    }
    liveTensors += fresh;
    return named;
  }

  async placement(): Promise<NodePlacement[] | undefined> {
    const recording = this.#recording;
    if (recording === undefined || !this.#session || !this.#hasRun) return this.#placement;
    this.#session.endProfiling();
    const file = readdirSync(recording)[0];
    const placement = readPlacement(file === undefined ? "" : readFileSync(path.join(recording, file), "utf8"));
    this.#forgetRecording();
    if (placement.length === 0) return undefined;
    const nodes = placement.reduce((sum, entry) => sum + entry.nodes, 0);
    const { provider } = this.report;
    if (!placement.some((entry) => entry.provider === provider)) throw providerUnused(provider as ProviderName, nodes);
    this.#placement = placement;
    this.report.fallbackNodes = placement.filter((entry) => entry.provider !== provider).flatMap(({ names }) => names);
    return placement;
  }

  #forgetRecording(): void {
    if (this.#recording !== undefined) rmSync(this.#recording, { recursive: true, force: true });
    this.#recording = undefined;
  }

  #toOrt(value: Tensor): OrtTensor {
    // Shared memory is refused by ONNX Runtime; everything else is used where it is.
    const data = value.data.buffer instanceof ArrayBuffer ? value.data : value.data.slice();
    return new this.#ort.Tensor(value.dtype as "float32", data as Float32Array, value.dims);
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#session = undefined;
    liveSessions--;
    try {
      await session.release();
    } finally {
      this.#forgetRecording();
    }
  }
}

function checkFeed(info: ValueInfo, value: Tensor): void {
  if (info.dtype !== value.dtype)
    throw new ParallaxError(
      "session.wrong-type",
      `The input "${info.name}" is ${info.dtype}; ${value.dtype} was given.`,
      { kind: "bug" },
    );
  if (info.unknownRank) return;
  const fits =
    info.shape.length === value.dims.length &&
    info.shape.every((dim, i) => typeof dim === "string" || dim === value.dims[i]);
  if (!fits)
    throw new ParallaxError(
      "session.wrong-shape",
      `The input "${info.name}" has shape ${formatShape(info.shape)}; ${formatShape(value.dims)} was given.`,
      { kind: "bug" },
    );
}

/** From a spec to a graph in a session: built from weights and kept in the cache, or read from an ONNX file. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import {
  type Compute,
  defaultCompute,
  type GraphSession,
  type ModelSource,
  type SessionOptions,
} from "../graph/compute.ts";
import { readModelFile } from "../graph/model-file.ts";
import { encodeModel } from "../graph/onnx-write.ts";
import { checkPrecision, forCpu, PASSES_VERSION, type Precision, toPrecision } from "../graph/precision.ts";
import { defaultThreads } from "../graph/session.ts";
import { tensor } from "../graph/tensor.ts";
import { type Architecture, architectureSizes, weightShapes } from "../model/architecture.ts";
import type { DenseHead } from "../model/dense.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Tokenizer } from "../tokenize/tokenizer.ts";
import { type EncoderSpec, noPooling, type SpecOptions } from "./encoder-spec.ts";
import { type Engine, sessionEngine } from "./engine.ts";
import { type BuiltGraph, cachedGraph, forgetGraph, graphKey } from "./graph-cache.ts";
import { graphFileBytes } from "./graph-size.ts";
import { modelWeights } from "./model-weights.ts";
import { externalDataFiles } from "./onnx-external.ts";
import { openSafetensors } from "./safetensors.ts";
import { openWeights } from "./sharded-safetensors.ts";

export interface OpenOptions extends SpecOptions, SessionOptions {
  /** Where its graph runs. Default: the process's compute thread. */
  compute?: Compute;
  signal?: AbortSignal | undefined;
  /** Told the bytes of the built model's files. */
  onModelFile?: (sizeBytes: number) => void;
}

/**
 * The engine of an encoder that has layers: our own graph, built from weights, or an ONNX file of somebody else.
 *
 * @throws {ParallaxError} encoder.* (weights, shapes, numbers, ONNX file), session.*
 */
export async function openGraph(
  spec: EncoderSpec,
  tokenizer: Tokenizer,
  weightsSha256: string,
  options: OpenOptions,
): Promise<Engine> {
  const precision = precisionFor(spec, options);
  const session =
    spec.architecture !== "onnx"
      ? await openBuilt(spec, weightsSha256, options)
      : precision === "float32"
        ? await openOnnx(spec, options)
        : await openCached(
            graphKey(weightsSha256, "onnx", precision, PASSES_VERSION),
            options,
            sessionOptions(options),
            () => ({ graph: toPrecision(readModelFile(spec.weights.file), precision), origins: new Map() }),
          );
  return sessionEngine(session, {
    name: spec.weights.file,
    // Our own graph pools and normalises inside; a foreign one may do neither.
    pooling: spec.pooling,
    ...(spec.architecture === "onnx" ? { dense: readDenseHeads(spec) } : {}),
    normalise: spec.normalise && spec.architecture === "onnx",
    provider: options.provider ?? "cpu",
    precision,
    // One scale for all activations of a run moves every vector a little, which is what was asked for.
    ...(precision === "int8" ? { sharing: "any" } : {}),
    probe: tokenizer.encode("a", spec.maxTokens).ids,
    noPooling: () => noPooling(spec.folder),
  });
}

async function openOnnx(spec: EncoderSpec, options: OpenOptions): Promise<GraphSession> {
  try {
    return await compute(options).createSession(onnxSource(spec.weights.file), sessionOptions(options));
  } catch (error) {
    if (!(error instanceof ParallaxError) || error.code !== "session.create-failed") throw error;
    throw new ParallaxError(
      "encoder.not-an-encoder",
      `${spec.weights.file} (${statSync(spec.weights.file).size} bytes) could not be loaded as an ONNX model: ${error.message} Nothing was loaded.`,
      { hint: "Export or download the file again.", details: { file: spec.weights.file }, cause: error },
    );
  }
}

/**
 * ONNX Runtime reads weights beside a model by itself, but not through links, which the hub's own cache is made of: those
 * are handed over in memory.
 */
function onnxSource(file: string): ModelSource {
  const folder = path.dirname(path.resolve(file));
  const files = externalDataFiles(file).map((name) => ({ name, real: realpathSync(path.resolve(folder, name)) }));
  const home = realpathSync(folder);
  if (files.every(({ real }) => !path.relative(home, real).startsWith(".."))) return { path: file };
  return {
    bytes: readFileSync(file),
    externalData: files.map(({ name, real }) => ({ path: name, data: readFileSync(real) })),
  };
}

/** What was asked for; "default-int8" is an old name for the default encoder in "int8-weights". */
function precisionFor(spec: EncoderSpec, options: OpenOptions): Precision {
  return checkPrecision(options.precision ?? (spec.reference === "default-int8" ? "int8-weights" : "float32"));
}

async function openBuilt(spec: EncoderSpec, weightsSha256: string, options: OpenOptions): Promise<GraphSession> {
  const model = spec.model!;
  const choices = graphChoices(spec);
  const threads = options.threads ?? defaultThreads(architectureSizes(model).parameters);
  const precision = precisionFor(spec, options);
  // Other providers have fusions of their own, and fewer of ONNX Runtime's operators.
  const isCpu = (options.provider ?? "cpu") === "cpu";
  const build = (): BuiltGraph => {
    const weights = modelWeights(openWeights(spec.weights.file), model);
    const graph = buildEncoderGraph(model, weights, { ...choices, weightsAs: "initializers" });
    return { graph: toPrecision(isCpu ? forCpu(graph) : graph, precision), origins: weights.origins };
  };
  // The builder's own output is part of the name, so a changed builder never meets an old graph.
  const key = graphKey(weightsSha256, graphStructure(spec), precision, isCpu ? "for cpu" : "", PASSES_VERSION);
  return openCached(key, options, { ...sessionOptions(options), threads }, build);
}

/** A session of a graph that is kept on disk once it was built. */
async function openCached(
  key: string,
  options: OpenOptions,
  session: SessionOptions,
  build: () => BuiltGraph,
): Promise<GraphSession> {
  let file: string;
  try {
    file = (await cachedGraph(key, build)).path;
    options.onModelFile?.(graphFileBytes(file));
  } catch (error) {
    // A full disk must not keep anyone from encoding.
    if (!(error instanceof ParallaxError) || error.code !== "file.write-failed") throw error;
    return compute(options).createSession({ graph: build().graph }, session);
  }
  try {
    return await compute(options).createSession({ path: file }, session);
  } catch (error) {
    if (!(error instanceof ParallaxError) || error.code !== "session.create-failed") throw error;
    forgetGraph(key);
    return compute(options).createSession({ path: (await cachedGraph(key, build)).path }, session);
  }
}

function graphChoices(spec: EncoderSpec) {
  return {
    pooling: spec.pooling!,
    normalise: spec.normalise,
    dense: readDenseHeads(spec),
    poolingMask: spec.promptPooling === "exclude",
  };
}

/** The graph that is built for a spec, without the numbers of its weights. */
function graphStructure(spec: EncoderSpec): Uint8Array {
  const model = spec.model!;
  return encodeModel(buildEncoderGraph(model, shapesOnly(model), { ...graphChoices(spec), weightsAs: "inputs" }));
}

/** All that decides what a provider is given to compute. */
export function graphDigest(spec: EncoderSpec, specDigest: string, options: OpenOptions): string {
  const structure = spec.architecture === "onnx" || !spec.model ? "onnx" : graphStructure(spec);
  return graphKey(specDigest, structure, precisionFor(spec, options), PASSES_VERSION);
}

/** Weights that have shapes and no numbers: enough to build a graph whose weights are inputs. */
function shapesOnly(model: Architecture): Weights {
  const shapes = weightShapes(model);
  const one = new Float32Array(0);
  return {
    names: () => [...shapes.keys()],
    has: (name) => shapes.has(name),
    get: (name) => ({ ...tensor("float32", [0], one), dims: shapes.get(name)! }),
  };
}

function compute(options: OpenOptions): Compute {
  return options.compute ?? defaultCompute();
}

function sessionOptions({ provider, threads, memoryArena }: OpenOptions): SessionOptions {
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(threads === undefined ? {} : { threads }),
    ...(memoryArena === undefined ? {} : { memoryArena }),
  };
}

/** The dense layers of a folder, checked against what its config says. */
export function readDenseHeads(spec: EncoderSpec): DenseHead[] {
  return spec.dense.map(({ file, inner, out, bias, activation }) => {
    const stored = openSafetensors(file);
    const weight = stored.readFloat32("linear.weight");
    if (weight.dims.join() !== `${out},${inner}`)
      throw new ParallaxError(
        "encoder.wrong-shape",
        `${file} holds a dense layer of shape [${weight.dims.join(", ")}], its config.json says [${out}, ${inner}]. Nothing was loaded.`,
        { hint: "Copy both files from the same model.", details: { file, expected: [out, inner], found: weight.dims } },
      );
    return { weight, bias: bias ? stored.readFloat32("linear.bias") : null, activation };
  });
}

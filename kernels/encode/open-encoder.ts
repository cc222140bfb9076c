/** From a name or a folder to an encoder that runs. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import {
  type Compute,
  defaultCompute,
  type GraphSession,
  type ModelSource,
  type ProviderName,
  type SessionOptions,
} from "../graph/compute.ts";
import { readModelFile } from "../graph/model-file.ts";
import { encodeModel } from "../graph/onnx-write.ts";
import { describeFallback } from "../graph/placement.ts";
import { checkPrecision, forCpu, PASSES_VERSION, type Precision, toPrecision } from "../graph/precision.ts";
import { checkProviderName } from "../graph/providers.ts";
import { defaultThreads } from "../graph/session.ts";
import { tensor } from "../graph/tensor.ts";
import { type Architecture, architectureSizes, weightShapes } from "../model/architecture.ts";
import type { DenseHead } from "../model/dense.ts";
import { buildEncoderGraph } from "../model/encoder-graph.ts";
import type { Weights } from "../model/weights.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderIdentity } from "../protocol/results.ts";
import { loadTokenizer, type Tokenizer } from "../tokenize/tokenizer.ts";
import { catalogueEntry, knownBySize } from "./catalogue/catalogue.ts";
import type { CatalogueEntry } from "./catalogue/types.ts";
import { defaultSpec, isDefaultReference } from "./default-encoder.ts";
import { Encoder } from "./encoder.ts";
import {
  type EncoderSpec,
  noPooling,
  readKnownFolder,
  readModelFolder,
  type SpecOptions,
  specSha256,
} from "./encoder-spec.ts";
import { type Engine, sessionEngine } from "./engine.ts";
import { fileSha256 } from "./file-digest.ts";
import { type BuiltGraph, cachedGraph, forgetGraph, graphKey } from "./graph-cache.ts";
import { graphFileBytes } from "./graph-size.ts";
import { modelWeights } from "./model-weights.ts";
import { externalDataFiles } from "./onnx-external.ts";
import { compareProviders, ensureChecked, type ProviderCheck, type ProviderComparison } from "./provider-check.ts";
import { compareInChild } from "./provider-check-child.ts";
import { defaultProvider, isProviderAsked } from "./provider-choice.ts";
import { downloadedEncoder } from "./reference.ts";
import { REFERENCE_TEXTS } from "./reference-texts.ts";
import { openSafetensors } from "./safetensors.ts";
import { openWeights, weightFiles } from "./sharded-safetensors.ts";
import { readStaticModel, staticEngine, staticTokens } from "./static-model.ts";

export interface OpenOptions extends SpecOptions, SessionOptions {
  /** Where its graph runs. Default: the process's compute thread. */
  compute?: Compute;
  signal?: AbortSignal | undefined;
  /** Told the bytes of the built model's files. */
  onModelFile?: (sizeBytes: number) => void;
}

/** Work that one batch should be at most, in multiplications: about half a second on two cores. */
const BATCH_WORK = 3e10;
/** Padded tokens past which a batch's activations no longer fit a core's cache: a tenth slower at 4096. */
const CPU_BATCH_TOKENS = 1024;

/**
 * Read what an encoder is, without its weights.
 *
 * @param reference "default", "default-static", "default-int8", a model folder, an ONNX file, or the hub id of a downloaded
 *                  encoder
 * @throws {ParallaxError} see readModelFolder, defaultSpec and downloadedEncoder
 */
export async function readSpec(
  reference: string,
  options: SpecOptions & { signal?: AbortSignal | undefined } = {},
): Promise<EncoderSpec> {
  if (!isDefaultReference(reference)) {
    const downloaded = downloadedEncoder(reference);
    if (downloaded !== null)
      return { ...(await readSpec(downloaded.folder, { name: downloaded.name, ...options })), reference };
    const spec = readModelFolder(reference, options);
    const entry = spec.catalogue === null ? await entryOfWeights(spec, options.signal) : undefined;
    return entry === undefined ? spec : readKnownFolder(reference, entry, options);
  }
  const spec = await defaultSpec(reference, { signal: options.signal });
  const { pooling, normalise, maxTokens, prompts, name } = options;
  return {
    ...spec,
    ...(pooling === undefined ? {} : { pooling }),
    ...(normalise === undefined ? {} : { normalise }),
    ...(maxTokens === undefined ? {} : { maxTokens: Math.min(maxTokens, mostTokens(spec) ?? maxTokens) }),
    ...(name === undefined ? {} : { name }),
    prompts: { ...spec.prompts, ...prompts },
  };
}

/** The catalogue's entry for a weights file of a published size and digest. Files of other sizes are not read. */
async function entryOfWeights(spec: EncoderSpec, signal: AbortSignal | undefined): Promise<CatalogueEntry | undefined> {
  const candidates = knownBySize(statSync(spec.weights.file).size);
  if (candidates.length === 0) return undefined;
  const sha256 = await fileSha256(spec.weights.file, { signal });
  const found = candidates.find(({ file }) => file.sha256 === sha256);
  return found === undefined ? undefined : catalogueEntry(found.id);
}

/**
 * Open an encoder: weights checked, graph built (or found in the cache) and loaded.
 *
 * @throws {ParallaxError} encoder.* (folder, weights, shapes, numbers, ONNX file), tokenizer.*, safetensors.*, session.*
 * Cost: the default encoder 0.3 s, the first time 2 s. Dispose it to free its memory.
 */
export async function openEncoder(reference: string, options: OpenOptions = {}): Promise<Encoder> {
  return openSpec(await readSpec(reference, options), options);
}

/** The same for a spec that is already known. */
export async function openSpec(spec: EncoderSpec, options: OpenOptions = {}): Promise<Encoder> {
  const provider = providerFor(spec, options);
  return open(spec, { ...options, provider }, provider !== "cpu");
}

/** The provider that was asked for, else the user's setting. A table has no graph that could run elsewhere. */
function providerFor(spec: EncoderSpec, options: OpenOptions): ProviderName {
  const provider = checkProviderName(options.provider ?? defaultProvider());
  if (spec.architecture !== "static" || provider === "cpu") return provider;
  if (options.provider === undefined && !isProviderAsked()) return "cpu";
  throw new ParallaxError(
    "encoder.no-graph",
    `${spec.name} is a table of vectors: it runs on the CPU only, and provider "${provider}" was asked for. Nothing was loaded.`,
    { hint: "Leave the provider out.", details: { provider, reference: spec.reference } },
  );
}

/**
 * The self-test: the same encoder on the CPU and on a provider, over the first `texts` reference texts. For the process
 * that is made for it; `openSpec` does it by itself.
 *
 * @throws {ParallaxError} what loading on the provider throws
 * Cost: loads the encoder twice.
 */
export async function compareOn(
  spec: EncoderSpec,
  provider: ProviderName,
  options: OpenOptions,
  texts: number = REFERENCE_TEXTS.length,
): Promise<ProviderComparison> {
  const opened: Encoder[] = [];
  try {
    // The provider first: where it is not there, nothing else is loaded.
    for (const name of [provider, "cpu"] as const) opened.push(await open(spec, { ...options, provider: name }, false));
    const [candidate, reference] = opened;
    return await compareProviders(reference, candidate, REFERENCE_TEXTS.slice(0, texts), options.signal);
  } finally {
    for (const encoder of opened) await encoder.dispose();
  }
}

/** The remembered self-test, or one that is made now: where the caller's own sessions live, else in a process of its own. */
async function checkProvider(spec: EncoderSpec, graph: string, options: OpenOptions): Promise<ProviderCheck> {
  const provider = options.provider ?? "cpu";
  const { compute, signal, ...plain } = options;
  return ensureChecked({
    provider,
    graph,
    encoder: spec.name,
    compare: () =>
      compute === undefined
        ? compareInChild({ spec, provider, options: plain, texts: REFERENCE_TEXTS.length }, signal)
        : compareOn(spec, provider, options),
  });
}

async function open(spec: EncoderSpec, options: OpenOptions, isChecked: boolean): Promise<Encoder> {
  const tokenizer = loadTokenizer(spec.tokenizer, { lowerCase: spec.lowerCase });
  const { signal } = options;
  const weightsSha256 = await weightsDigest(spec, signal);
  const digests = {
    weights: weightsSha256,
    tokenizer: await tokenizerDigest(spec.tokenizer, signal),
    dense: await Promise.all(spec.dense.map(({ file }) => fileSha256(file, { signal }))),
  };
  const specDigest = specSha256(spec, digests);
  const check = isChecked ? await checkProvider(spec, graphDigest(spec, specDigest, options), options) : undefined;
  const isModel2Vec = spec.architecture === "static" && !isDefaultReference(spec.reference);
  const engine = isModel2Vec
    ? staticEngine(readStaticModel(openSafetensors(spec.weights.file), tokenizer.vocabSize), spec)
    : spec.architecture === "static"
      ? openStatic(spec, tokenizer)
      : await openGraph(spec, tokenizer, weightsSha256, options);
  const fallback = engine.placement && describeFallback(engine.placement, engine.provider);
  const identity: EncoderIdentity = {
    reference: spec.reference,
    name: spec.name,
    architecture: spec.architecture,
    dimensions: engine.dimensions,
    maxTokens: spec.maxTokens,
    pooling: spec.architecture === "static" ? "static" : (spec.pooling ?? "model"),
    normalised: spec.normalise,
    weightsSha256,
    specSha256: specDigest,
    provider: engine.provider,
    ...(fallback === undefined ? {} : { fallback }),
    ...(check === undefined
      ? {}
      : { selfTest: { worstCosine: check.worstCosine, texts: check.texts, checkedAt: check.checkedAt } }),
    precision: engine.precision,
  };
  return new Encoder({
    spec,
    identity,
    tokenizer,
    engine,
    batchTokens: batchTokens(spec, options.provider),
    check,
    ...(isModel2Vec ? { tokenise: staticTokens(tokenizer, spec.maxTokens) } : {}),
  });
}

/** sha256 of the weights; of several files, of their digests in the order of their names. */
async function weightsDigest(spec: EncoderSpec, signal: AbortSignal | undefined): Promise<string> {
  const files =
    spec.weights.format === "onnx"
      ? [
          spec.weights.file,
          ...externalDataFiles(spec.weights.file).map((name) => path.resolve(path.dirname(spec.weights.file), name)),
        ]
      : weightFiles(spec.weights.file).shards;
  const digests: string[] = [];
  for (const file of files) digests.push(await fileSha256(file, { signal }));
  return digests.length === 1 ? digests[0] : createHash("sha256").update(digests.join("\n")).digest("hex");
}

/** sha256 of the tokenizer's files together: some kinds have a second one, and settings. */
async function tokenizerDigest(file: string, signal: AbortSignal | undefined): Promise<string> {
  const beside = ["merges.txt", "tokenizer_config.json"].map((name) => path.join(path.dirname(file), name));
  const digests: string[] = [];
  for (const each of [file, ...beside.filter((name) => existsSync(name))])
    digests.push(await fileSha256(each, { signal }));
  return createHash("sha256").update(digests.join("\n")).digest("hex");
}

/** The dense layers of a folder, checked against what its config says. */
function readDenseHeads(spec: EncoderSpec): DenseHead[] {
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

/** Padded tokens a batch: as many as keep the graph busy, few enough that a stop is noticed within a second. */
export function batchTokens(spec: EncoderSpec, provider: ProviderName = "cpu"): number {
  const sizes = spec.model && architectureSizes(spec.model);
  const weights = sizes
    ? sizes.layers * (4 * sizes.hiddenSize ** 2 + 2 * sizes.hiddenSize * sizes.ffnSize)
    : statSync(spec.weights.file).size / 4;
  const most = provider === "cpu" && sizes ? CPU_BATCH_TOKENS : 4096;
  return Math.round(Math.min(most, Math.max(128, BATCH_WORK / Math.max(1, weights))));
}

function openStatic(spec: EncoderSpec, tokenizer: Tokenizer): Engine {
  const table = modelWeights(openWeights(spec.weights.file), spec.model!).get("embeddings.word_embeddings.weight");
  const special = new Set([...tokenizer.prefix, ...tokenizer.suffix]);
  const model = { table, mapping: null, weights: null, precision: "float32" };
  return staticEngine(model, { special, normalise: spec.normalise });
}

async function openGraph(
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
function graphDigest(spec: EncoderSpec, specDigest: string, options: OpenOptions): string {
  const structure = spec.architecture === "onnx" || !spec.model ? "onnx" : graphStructure(spec);
  return graphKey(specDigest, structure, precisionFor(spec, options), PASSES_VERSION);
}

function mostTokens(spec: EncoderSpec): number | undefined {
  return (spec.model && architectureSizes(spec.model).maxTokens) ?? undefined;
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

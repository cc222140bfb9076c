/** From a name or a folder to an encoder that runs. */
import type { ProviderName } from "../graph/compute.ts";
import { describeFallback } from "../graph/placement.ts";
import { checkProviderName } from "../graph/providers.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderIdentity } from "../protocol/results.ts";
import { loadTokenizer, type Tokenizer } from "../tokenize/tokenizer.ts";
import { batchTokens } from "./batch-size.ts";
import { isDefaultReference } from "./default-encoder.ts";
import { Encoder } from "./encoder.ts";
import { encoderDigests } from "./encoder-digests.ts";
import { type EncoderSpec, specSha256 } from "./encoder-spec.ts";
import type { Engine } from "./engine.ts";
import { modelWeights } from "./model-weights.ts";
import { graphDigest, type OpenOptions, openGraph } from "./open-graph.ts";
import { compareProviders, ensureChecked, type ProviderCheck, type ProviderComparison } from "./provider-check.ts";
import { compareInChild } from "./provider-check-child.ts";
import { defaultProvider, isProviderAsked } from "./provider-choice.ts";
import { readSpec } from "./read-spec.ts";
import { REFERENCE_TEXTS } from "./reference-texts.ts";
import { openSafetensors } from "./safetensors.ts";
import { openWeights } from "./sharded-safetensors.ts";
import { specRecord } from "./spec-record.ts";
import { readStaticModel, staticEngine, staticTokens } from "./static-model.ts";

export type { OpenOptions } from "./open-graph.ts";

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
  const digests = await encoderDigests(spec, signal);
  const specDigest = specSha256(spec, digests);
  const check = isChecked ? await checkProvider(spec, graphDigest(spec, specDigest, options), options) : undefined;
  const isModel2Vec = spec.architecture === "static" && !isDefaultReference(spec.reference);
  const engine = isModel2Vec
    ? staticEngine(readStaticModel(openSafetensors(spec.weights.file), tokenizer.vocabSize), spec)
    : spec.architecture === "static"
      ? openStatic(spec, tokenizer)
      : await openGraph(spec, tokenizer, digests.weights, options);
  const fallback = engine.placement && describeFallback(engine.placement, engine.provider);
  const identity: EncoderIdentity = {
    reference: spec.reference,
    name: spec.name,
    architecture: spec.architecture,
    dimensions: engine.dimensions,
    maxTokens: spec.maxTokens,
    pooling: spec.architecture === "static" ? "static" : (spec.pooling ?? "model"),
    normalised: spec.normalise,
    weightsSha256: digests.weights,
    specSha256: specDigest,
    spec: specRecord(spec, digests, engine.precision),
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

function openStatic(spec: EncoderSpec, tokenizer: Tokenizer): Engine {
  const table = modelWeights(openWeights(spec.weights.file), spec.model!).get("embeddings.word_embeddings.weight");
  const special = new Set([...tokenizer.prefix, ...tokenizer.suffix]);
  const model = { table, mapping: null, weights: null, precision: "float32" };
  return staticEngine(model, { special, normalise: spec.normalise });
}

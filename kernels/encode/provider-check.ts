/**
 * The numeric self-test of a provider: before an encoder first runs on it, its vectors of fixed texts are compared with
 * the CPU's. What was found is kept in the app folder by computer, driver, runtime and encoder.
 */
import { z } from "zod";
import { JsonMemory } from "../files/json-memory.ts";
import type { ProviderName } from "../graph/compute.ts";
import { PROVIDERS } from "../graph/providers.ts";
import { runtimeFolder } from "../graph/runtime-folder.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Encoder } from "./encoder.ts";
import { driverOf, machineId } from "./graphics-driver.ts";
import { REFERENCE_TEXTS } from "./reference-texts.ts";

/** Least cosine between the CPU's vector of a text and the provider's. float32 on two devices agrees to about 1 − 1e-6. */
export const LEAST_COSINE = 0.9999;

/** What a comparison found. */
export interface ProviderComparison {
  texts: number;
  worstCosine: number;
  meanCosine: number;
  /** Index of the text with the worst cosine. */
  worstText: number;
  /** Nodes that ran elsewhere, in words; null when none did. */
  fallback: string | null;
  ms: number;
}

const checkSchema = z.object({
  version: z.literal(1),
  machine: z.string(),
  provider: z.string(),
  /** Version of ONNX Runtime. */
  runtime: z.string(),
  driver: z.string(),
  /** Digest of all that decides the encoder's numbers, and of its graph. */
  graph: z.string(),
  encoder: z.string(),
  passed: z.boolean(),
  texts: z.number(),
  worstCosine: z.number(),
  meanCosine: z.number(),
  worstText: z.number(),
  fallback: z.string().nullable(),
  ms: z.number(),
  /** ISO 8601, UTC. */
  checkedAt: z.string(),
});
export type ProviderCheck = z.infer<typeof checkSchema>;
const memory = new JsonMemory("provider-checks", checkSchema);

/**
 * Compare two encoders of the same spec text by text.
 *
 * @param reference runs on the CPU; @param candidate runs on the provider. Neither is disposed.
 * @returns cosines in float64; a vector of zeros or of numbers that are not finite counts as cosine 0
 */
export async function compareProviders(
  reference: Encoder,
  candidate: Encoder,
  texts: readonly string[] = REFERENCE_TEXTS,
  signal?: AbortSignal,
): Promise<ProviderComparison> {
  const started = performance.now();
  const expected = await reference.encode(texts, { signal, prompt: "", cache: "skip" });
  const d = reference.dimensions;
  let data: Float32Array;
  try {
    data = (await candidate.encode(texts, { signal, prompt: "", cache: "skip" })).data;
  } catch (error) {
    // Not a failure of the test but its answer.
    if (!(error instanceof ParallaxError) || error.code !== "encode.not-finite") throw error;
    data = new Float32Array(expected.data.length);
  }
  const cosines = texts.map((_, i) =>
    cosine(expected.data.subarray(i * d, i * d + d), data.subarray(i * d, i * d + d)),
  );
  const worstCosine = Math.min(...cosines);
  return {
    texts: texts.length,
    worstCosine,
    meanCosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    worstText: cosines.indexOf(worstCosine),
    fallback: candidate.provider.fallback,
    ms: performance.now() - started,
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  const value = ab / Math.sqrt(aa * bb);
  return Number.isFinite(value) ? value : 0;
}

export interface CheckRequest {
  provider: ProviderName;
  /** Digest of the encoder and its graph. */
  graph: string;
  encoder: string;
  /** Makes the comparison when none is known: in a process of its own, or where the caller's sessions live. */
  compare: () => Promise<ProviderComparison>;
}

/**
 * The remembered test, or a new one, which is remembered.
 *
 * @throws {ParallaxError} provider.wrong-numbers with the figure, when it failed now or before; what `compare` throws
 * Cost: nothing the second time; the first time both encoders are loaded and encode 64 texts.
 */
export async function ensureChecked(request: CheckRequest): Promise<ProviderCheck> {
  const { provider, graph, encoder } = request;
  const facts = { machine: machineId(), provider, runtime: runtimeFolder().version, driver: driverOf(provider), graph };
  const key = JSON.stringify(facts);
  let check = memory.get(key);
  if (check === undefined) {
    const found = await request.compare();
    check = {
      version: 1,
      ...facts,
      encoder,
      passed: found.worstCosine >= LEAST_COSINE,
      ...found,
      checkedAt: new Date().toISOString(),
    };
    memory.set(key, check);
  }
  if (check.passed) return check;
  const file = memory.file(key);
  throw new ParallaxError(
    "provider.wrong-numbers",
    `${PROVIDERS[provider].title} gives other vectors than the CPU for ${encoder}: the worst cosine over ${check.texts} texts is ${check.worstCosine.toFixed(6)}, at least ${LEAST_COSINE} is asked for. It was refused, and nothing was encoded.`,
    {
      kind: "environment",
      hint: `Use provider "cpu". A new driver or runtime is tested again by itself; to test this one again, delete ${file}.`,
      details: { ...check, file },
    },
  );
}

/** Every test that this computer remembers, newest first. */
export function providerChecks(): ProviderCheck[] {
  const machine = machineId();
  return memory
    .all()
    .filter((check) => check.machine === machine)
    .sort((a, b) => (a.checkedAt < b.checkedAt ? 1 : -1));
}

/** What turns token ids into vectors: a graph session, whoever made the graph, or a plain table. */
import type { GraphSession, NodePlacement } from "../graph/compute.ts";
import type { ValueInfo } from "../graph/ir.ts";
import type { Tensor } from "../graph/tensor.ts";
import { checkDense, type DenseHead } from "../model/dense.ts";
import type { Pooling } from "../model/pooling.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { normaliseRows } from "./embedding-set.ts";
import { feeds, type InputPlan, planInputs, type TokenBatch } from "./engine-inputs.ts";
import { halfToFloat } from "./half.ts";
import { applyDense, poolTokens } from "./pool.ts";

export type { TokenBatch } from "./engine-inputs.ts";

export interface Engine {
  readonly dimensions: number;
  readonly provider: string;
  /** Where each node of the graph ran; absent on the CPU, where all of them run. */
  readonly placement?: readonly NodePlacement[] | undefined;
  readonly precision: string;
  readonly threads?: number;
  /** Whether tokens can be left out of the pooling: not where a foreign graph pools by itself. */
  readonly masksPooling: boolean;
  /**
   * Which texts may share a batch. Default "any". "equal-lengths": padding changes what this graph answers, although the
   * mask says what is padding. "one": a text's vector depends on its neighbours (exports that mix up batch and tokens).
   */
  readonly sharing?: "any" | "equal-lengths" | "one";
  /** float32 [b, dimensions], pooled and, where the spec says so, normalised. The caller may keep it. */
  run(batch: TokenBatch): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export interface SessionEngineOptions {
  /** For messages: the file or "default". */
  name: string;
  pooling: Pooling | null;
  /** Linear layers for pooled vectors; our own graphs have theirs inside. */
  dense?: readonly DenseHead[];
  normalise: boolean;
  /** The provider that was asked for. */
  provider?: string;
  precision: string;
  /** Which texts may share a batch, where that is known; else it is tried. */
  sharing?: Engine["sharing"];
  /** Ids of a short text, for the first run, which shows what the outputs really are. */
  probe: readonly number[];
  /** Called for token vectors when nobody said how to pool them. */
  noPooling: () => ParallaxError;
}

/**
 * An engine over a session of any encoder: its inputs are found by name and shape, its output by name, shape and a first
 * run. A pooled output ("sentence_embedding", [b, d]) is taken as it is; token vectors [b, t, d] are pooled here.
 *
 * @throws {ParallaxError} encoder.not-an-encoder, encoder.not-finite, encoder.no-pooling. The session is disposed then.
 */
export async function sessionEngine(session: GraphSession, options: SessionEngineOptions): Promise<Engine> {
  try {
    const plan = planInputs(session, options.name);
    const run = async (batch: TokenBatch, output: ValueInfo): Promise<Tensor> => {
      const results = await session.run(feeds(plan, batch), { outputs: [output.name] });
      return results[output.name];
    };
    const { output, dims, pooled } = await probe(plan, options, run);
    const width = dims.at(-1)!;
    const pooling = options.pooling;
    if (!pooled && pooling === null) throw options.noPooling();
    const heads = options.dense ?? [];
    if (!pooled) checkDense(heads, width);
    const dimensions = heads.at(-1)?.weight.dims[0] ?? width;
    if (pooled && dimensions !== width)
      throw new ParallaxError(
        "encoder.wrong-shape",
        `${options.name} gives whole vectors of ${width} dimensions, the folder's dense layer makes ${dimensions}: it cannot be told whether the layer is inside. Nothing was loaded.`,
        {
          hint: "Use the model's weights (model.safetensors) or an ONNX export of its token vectors.",
          details: { file: options.name, width, dimensions },
        },
      );
    const encode = async (batch: TokenBatch): Promise<Float32Array> => {
      const values = asFloat32(await run(batch, output));
      const vectors = pooled
        ? values
        : applyDense(
            poolTokens(values, batch.poolingMask ?? batch.mask, [batch.b, batch.t, width], pooling!),
            batch.b,
            heads,
          );
      if (options.normalise) normaliseRows(vectors, dimensions);
      return vectors;
    };
    const sharing = options.sharing ?? (await sharingOf(encode, options.probe));
    // Kernels are compiled by the first runs, so the last one's times are those that count.
    const placement = await session.placement();
    return {
      dimensions,
      masksPooling: !pooled || plan.poolingMask !== undefined,
      sharing,
      provider: session.report.provider,
      threads: session.report.threads,
      placement,
      precision: options.precision,
      run: encode,
      dispose: () => session.dispose(),
    };
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

/** Cosine below which a vector counts as another one. 8-bit graphs, which scale by batch, stay above it. */
const SAME_TEXT = 0.995;

/** Encodes a short text alone, beside another text of its length, and beside padding, and compares its vectors. */
async function sharingOf(
  encode: (batch: TokenBatch) => Promise<Float32Array>,
  probe: readonly number[],
): Promise<NonNullable<Engine["sharing"]>> {
  // Special tokens stay at the ends; the second text has other pieces at every other place.
  const middle = probe[Math.floor(probe.length / 2)] ?? 0;
  const [first, last] = [probe[0] ?? 0, probe.at(-1) ?? 0];
  const text = [first, middle, first, middle, last];
  const other = [last, last, last, middle, last];
  const batch = (rows: number[][], padding = 0): TokenBatch => {
    const t = text.length + padding;
    const cells = (value: (row: number[], j: number) => number) =>
      BigInt64Array.from(rows.flatMap((row) => Array.from({ length: t }, (_, j) => BigInt(value(row, j)))));
    return { ids: cells((row, j) => row[j] ?? 0), mask: cells((_, j) => Number(j < text.length)), b: rows.length, t };
  };
  const alone = await encode(batch([text]));
  if (!isSame(alone, await encode(batch([text, other])))) return "one";
  return isSame(alone, await encode(batch([text], 6))) ? "any" : "equal-lengths";
}

function isSame(alone: Float32Array, among: Float32Array): boolean {
  let [dot, uu, vv] = [0, 0, 0];
  alone.forEach((value, i) => {
    dot += value * among[i];
    uu += value * value;
    vv += among[i] * among[i];
  });
  return uu === 0 || dot / Math.sqrt(uu * vv) > SAME_TEXT;
}

async function probe(
  plan: InputPlan,
  options: SessionEngineOptions,
  run: (batch: TokenBatch, output: ValueInfo) => Promise<Tensor>,
): Promise<{ output: ValueInfo; dims: readonly number[]; pooled: boolean }> {
  // Two equal rows of t ≠ 2 tokens: the shape of the answer then says which axis is which.
  const t = Math.max(3, options.probe.length);
  const row = Array.from({ length: t }, (_, i) => BigInt(options.probe[Math.min(i, options.probe.length - 1)] ?? 0));
  const batch = { ids: BigInt64Array.from([...row, ...row]), mask: new BigInt64Array(2 * t).fill(1n), b: 2, t };
  const seen: string[] = [];
  for (const output of plan.outputs) {
    let result: Tensor;
    try {
      result = await run(batch, output);
    } catch (error) {
      // On a graphics card the provider is as likely to blame as the file.
      if (options.provider !== undefined && options.provider !== "cpu") throw error;
      throw new ParallaxError(
        "encoder.not-an-encoder",
        `${options.name} was given two texts of ${t} tokens and failed: ${(error as Error).message} Nothing was loaded.`,
        {
          hint: "Check that the file is the ONNX export of a text encoder.",
          details: { file: options.name },
          cause: error,
        },
      );
    }
    const { dims } = result;
    seen.push(`${output.name} [${dims.join(", ")}]`);
    const pooled = dims.length === 2 && dims[0] === 2;
    if (!pooled && !(dims.length === 3 && dims[0] === 2 && dims[1] === t)) continue;
    if (asFloat32(result).some((value) => !Number.isFinite(value)))
      throw options.provider !== undefined && options.provider !== "cpu"
        ? new ParallaxError(
            "provider.wrong-numbers",
            `${options.name} gives numbers that are not finite on provider "${options.provider}". Nothing was loaded.`,
            {
              kind: "environment",
              hint: 'Use provider "cpu"; if its numbers are not finite either, the file is damaged.',
              details: { file: options.name, provider: options.provider },
            },
          )
        : new ParallaxError(
            "encoder.not-finite",
            `${options.name} gives numbers that are not finite for a text of ${t} tokens. Its weights are damaged; nothing was loaded.`,
            {
              hint: "Download or export the model again.",
              details: { file: options.name, output: output.name },
            },
          );
    return { output, dims, pooled };
  }
  throw new ParallaxError(
    "encoder.not-an-encoder",
    `${options.name} was given two texts of ${t} tokens and answered ${seen.join(", ")}. An encoder answers [2, d] or [2, ${t}, d]; nothing was loaded.`,
    {
      hint: "Check that the file is the ONNX export of a text encoder.",
      details: { file: options.name, outputs: seen },
    },
  );
}

function asFloat32({ dtype, data }: Tensor): Float32Array {
  return dtype === "float16" ? halfToFloat(data as Uint16Array) : (data as Float32Array);
}

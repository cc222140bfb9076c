/**
 * "Measure on this computer": texts and tokens a second of an encoder by provider and thread count, on texts that are
 * always the same, kept in the app folder so that lists can show them.
 */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { JsonMemory } from "../files/json-memory.ts";
import type { Compute, ProviderName } from "../graph/compute.ts";
import { isHubId } from "../hub/hub-id.ts";
import type { MeasureProgress } from "../protocol/encoders.ts";
import { CancelledError, type ErrorData, isCancelled, toErrorData } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";
import { isDefaultReference } from "./default-encoder.ts";
import type { Encoder } from "./encoder.ts";
import { machineId } from "./graphics-driver.ts";
import { openSpec } from "./open-encoder.ts";
import { REFERENCE_TEXTS } from "./reference-texts.ts";

const rowSchema = z.object({
  provider: z.string(),
  threads: z.number(),
  precision: z.string(),
  textsPerSecond: z.number(),
  /** Real tokens, special ones included, padding not. */
  tokensPerSecond: z.number(),
  texts: z.number(),
  seconds: z.number(),
  /** Nodes that ran elsewhere, in words. */
  fallback: z.string().nullable(),
  /** ISO 8601, UTC. */
  measuredAt: z.string(),
});
export type EncoderSpeedRow = z.infer<typeof rowSchema>;

/** A provider that could not be measured, and why. */
export interface UnmeasuredProvider {
  provider: string;
  threads: number;
  error: ErrorData;
}

export interface EncoderMeasurement {
  rows: EncoderSpeedRow[];
  /** The row with the most texts a second; null when none could be measured. */
  best: EncoderSpeedRow | null;
  failed: UnmeasuredProvider[];
}

const fileSchema = z.object({
  version: z.literal(1),
  machine: z.string(),
  /** An installed encoder's name, a hub id, else the absolute folder: what lists know it by. */
  reference: z.string(),
  name: z.string(),
  specSha256: z.string(),
  weightsSha256: z.string(),
  rows: z.array(rowSchema),
});
export type EncoderSpeeds = z.infer<typeof fileSchema>;
const memory = new JsonMemory("encoder-speeds", fileSchema);

export interface MeasureOptions extends WorkContext {
  /** Each step, loading and warming up included; at most ten a second while it encodes. */
  onStep?: (step: MeasureProgress) => void;
  /** Time for encoding, all rows together; loading comes on top. At least 0.2 s a row. Default 5. */
  seconds?: number;
  /** Default: the one that the encoder runs on. Those that are not there end in `failed`. */
  providers?: readonly ProviderName[];
  /** Thread counts on the CPU. Default: 1, the encoder's own, all cores. */
  threads?: readonly number[];
  /** Where the sessions live. Default: the process's compute thread. */
  compute?: Compute;
}

const LEAST_SECONDS = 0.2;
const FEW = 8;

/**
 * Measure an encoder and keep the figures.
 *
 * @throws {CancelledError} what was measured before is kept
 * Cost: `seconds`, and the loading of the encoder once a row.
 */
export async function measureEncoder(encoder: Encoder, options: MeasureOptions = {}): Promise<EncoderMeasurement> {
  const { seconds = 5, signal, onProgress, onStep, compute } = options;
  const plan = rowsToMeasure(encoder, options);
  const budgetMs = 1000 * Math.max(LEAST_SECONDS, seconds / plan.length);
  const rows: EncoderSpeedRow[] = [];
  const failed: UnmeasuredProvider[] = [];
  const totalMs = plan.length * budgetMs;
  let loadMs: number | null = null;
  for (const [i, { provider, threads }] of plan.entries()) {
    const show = (phase: MeasureProgress["phase"], elapsedMs: number, texts: number) => {
      const doneMs = i * budgetMs + Math.min(budgetMs, elapsedMs);
      const rate = elapsedMs > 0 && texts > 0 ? (1000 * texts) / elapsedMs : null;
      const loads = plan.length - i - (phase === "loading" ? 0 : 1);
      const etaMs = loadMs === null ? null : totalMs - doneMs + loads * loadMs;
      onStep?.({ phase, row: i + 1, rows: plan.length, provider, threads, texts, rate, doneMs, totalMs, etaMs });
      if (phase === "warming up") return;
      onProgress?.({
        stage: "Measuring",
        done: Math.round(doneMs / 100) / 10,
        total: Math.round(totalMs / 100) / 10,
        unit: "seconds",
        ...(rate === null ? {} : { rate }),
        etaMs: totalMs - doneMs,
        note: `${provider}, ${threads} ${threads === 1 ? "thread" : "threads"}`,
      });
    };
    if (signal?.aborted) throw new CancelledError("Measuring");
    show("loading", 0, 0);
    const isTable = encoder.spec.architecture === "static";
    let opened: Encoder | undefined;
    try {
      const before = performance.now();
      opened = isTable
        ? encoder
        : await openSpec(encoder.spec, { provider, threads, signal, ...(compute === undefined ? {} : { compute }) });
      loadMs = performance.now() - before;
      rows.push(await measure(opened, { threads, budgetMs, signal, show }));
      remember(encoder, rows);
    } catch (error) {
      if (isCancelled(error)) throw error;
      failed.push({ provider, threads, error: toErrorData(error) });
    } finally {
      if (!isTable) await opened?.dispose();
    }
  }
  return { rows, best: fastest(rows), failed };
}

function fastest(rows: readonly EncoderSpeedRow[]): EncoderSpeedRow | null {
  return rows.reduce<EncoderSpeedRow | null>(
    (found, row) => (found === null || row.textsPerSecond > found.textsPerSecond ? row : found),
    null,
  );
}

function rowsToMeasure(encoder: Encoder, options: MeasureOptions): { provider: ProviderName; threads: number }[] {
  const own = encoder.provider;
  if (encoder.spec.architecture === "static") return [{ provider: "cpu", threads: 1 }];
  const cores = availableParallelism();
  const onCpu = [...new Set(options.threads ?? [1, own.name === "cpu" ? own.threads : cores, cores])].sort(
    (a, b) => a - b,
  );
  const providers = [...new Set(options.providers ?? [own.name as ProviderName])];
  // A graphics provider leaves a few small nodes to the CPU: threads do not matter there.
  return providers.flatMap((provider): { provider: ProviderName; threads: number }[] =>
    provider === "cpu" ? onCpu.map((threads) => ({ provider, threads })) : [{ provider, threads: 1 }],
  );
}

async function measure(
  encoder: Encoder,
  {
    threads,
    budgetMs,
    signal,
    show,
  }: {
    threads: number;
    budgetMs: number;
    signal: AbortSignal | undefined;
    show: (phase: "warming up" | "measuring", elapsedMs: number, texts: number) => void;
  },
): Promise<EncoderSpeedRow> {
  const said = { signal, prompt: "", cache: "skip" } as const;
  const few = REFERENCE_TEXTS.slice(0, FEW);
  // Kernels are compiled and memory is asked for by the first pass, which does not count.
  show("warming up", 0, 0);
  await encoder.encode(few, said);
  const before = performance.now();
  await encoder.encode(few, said);
  const passMs = ((performance.now() - before) * REFERENCE_TEXTS.length) / FEW;
  const list = passMs > budgetMs ? few : REFERENCE_TEXTS;
  let texts = 0;
  let tokens = 0;
  const started = performance.now();
  let elapsedMs = 0;
  do {
    // A pass of a large encoder takes seconds: its own progress tells how far it is.
    const onProgress = ({ done }: { done: number }) => show("measuring", performance.now() - started, texts + done);
    const set = await encoder.encode(list, { ...said, onProgress });
    texts += set.n;
    tokens += set.report.tokens;
    elapsedMs = performance.now() - started;
    show("measuring", elapsedMs, texts);
  } while (elapsedMs < budgetMs);
  return {
    provider: encoder.provider.name,
    threads,
    precision: encoder.identity.precision,
    textsPerSecond: (1000 * texts) / elapsedMs,
    tokensPerSecond: (1000 * tokens) / elapsedMs,
    texts,
    seconds: elapsedMs / 1000,
    fallback: encoder.provider.fallback,
    measuredAt: new Date().toISOString(),
  };
}

/** New rows take the place of older ones of the same provider, threads and precision. */
function remember({ identity, spec }: Encoder, rows: readonly EncoderSpeedRow[]): void {
  const { reference, name, specSha256, weightsSha256 } = identity;
  if (specSha256 === undefined) return;
  const machine = machineId();
  const known = isDefaultReference(reference) || isHubId(reference) ? reference : spec.folder;
  const key = `${machine} ${known} ${specSha256}`;
  const rowKey = (row: EncoderSpeedRow) => `${row.provider} ${row.threads} ${row.precision}`;
  const merged = new Map([...(memory.get(key)?.rows ?? []), ...rows].map((row) => [rowKey(row), row]));
  memory.set(key, {
    version: 1,
    machine,
    reference: known,
    name,
    specSha256,
    weightsSha256,
    rows: [...merged.values()],
  });
}

/** What was measured on this computer, one entry an encoder. */
export function measuredSpeeds(): EncoderSpeeds[] {
  const machine = machineId();
  return memory.all().filter((speeds) => speeds.machine === machine);
}

/** The best figure of each encoder that was measured on this computer, by what lists know it by. */
export function bestSpeeds(): Map<string, EncoderSpeedRow> {
  return new Map(
    measuredSpeeds().flatMap(({ reference, rows }) => {
      const best = fastest(rows);
      return best === null ? [] : [[reference, best]];
    }),
  );
}

/** Texts a second on this computer, and the first vector after a download. Numbers are kept beside the encoders. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { openEncoder } from "../encode/open-encoder.ts";
import { appFolders } from "../files/app-folders.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import { defaultThreads } from "../graph/session.ts";
import { recordVerified, type StoredEncoder } from "../hub/store.ts";
import { architectureSizes } from "../model/architecture.ts";
import { type EncoderSpeed, encoderSpeedSchema } from "../protocol/encoders.ts";
import { isCancelled, toErrorData } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

const SECONDS = 5;
/** One call's share of the time: progress is seen, and the end comes in time. */
const SLICE_SECONDS = 0.5;
const MOST_TEXTS = 4096;

const WORDS = `time people way water word part place year work home hand house world city school state system problem
question answer number group company government service study result method level rate price market law health change
energy history language music game team road river field animal plant food bank card account money payment travel hotel
letter message phone computer program data model science test cell protein patient disease treatment evidence effect the
a of to and in is that for it with as was on are by this from or an be at which not have can has were more than when how
what who where why`.split(/\s+/);

/**
 * English sentences of mixed lengths, always the same ones: about 4 to 120 words, half of them under 15, as questions,
 * titles and paragraphs are. Lengths are log-normal (exp of 2.6 ± 0.8).
 */
export function measuringTexts(n: number): string[] {
  let state = 20_261;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 4_294_967_296;
  };
  return Array.from({ length: n }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const length = Math.max(4, Math.min(120, Math.round(Math.exp(2.6 + 0.8 * normal))));
    return `${Array.from({ length }, () => WORDS[Math.floor(uniform() * WORDS.length)]).join(" ")}.`;
  });
}

/**
 * Measure an encoder: load it, warm it up, then encode for about five seconds.
 *
 * @param reference what `loadEncoder` takes
 * @param options.seconds default 5
 * @throws {ParallaxError} what loading and encoding throw
 * @throws {CancelledError}
 */
export async function measureEncoder(
  reference: string,
  options: WorkContext & { seconds?: number } = {},
): Promise<EncoderSpeed> {
  const { signal, onProgress, seconds = SECONDS } = options;
  const encoder = await openEncoder(reference, { signal });
  try {
    const texts = measuringTexts(MOST_TEXTS);
    // The first call pays for memory and threads.
    await encoder.encode(texts.slice(0, 8), { signal, cache: "skip" });
    let chunk = 8;
    let done = 0;
    const started = performance.now();
    let elapsed = 0;
    while (elapsed < seconds * 1000) {
      const before = performance.now();
      const from = done % MOST_TEXTS;
      const batch = texts.slice(from, from + chunk);
      await encoder.encode(batch, { signal, cache: "skip" });
      done += batch.length;
      const now = performance.now();
      elapsed = now - started;
      const perText = (now - before) / batch.length;
      chunk = Math.max(1, Math.min(1024, chunk * 4, Math.round((SLICE_SECONDS * 1000) / perText)));
      onProgress?.({
        stage: "Measuring",
        done: Math.min(seconds, elapsed / 1000),
        total: seconds,
        unit: "seconds",
        note: `${Math.round((done / elapsed) * 1000)} texts/s`,
      });
    }
    const { model } = encoder.spec;
    const speed: EncoderSpeed = {
      textsPerSecond: (done / elapsed) * 1000,
      texts: done,
      provider: encoder.identity.provider,
      precision: encoder.identity.precision,
      threads: defaultThreads(model ? architectureSizes(model).parameters : 1e8),
      measuredAt: new Date().toISOString(),
    };
    keepSpeed(reference, speed);
    return speed;
  } finally {
    await encoder.dispose();
  }
}

/**
 * Load a downloaded encoder once, to a vector, and write down how that went.
 * @returns the encoder with `verified`; it does not throw for an encoder that does not load, only when stopped.
 */
export async function verifyStored(stored: StoredEncoder, signal?: AbortSignal): Promise<StoredEncoder> {
  const at = new Date().toISOString();
  try {
    const encoder = await openEncoder(stored.id, { signal });
    try {
      await encoder.encode(["A short text, to see that it works."], { signal });
      return recordVerified(stored, { ok: true, at, dimensions: encoder.dimensions, error: null });
    } finally {
      await encoder.dispose();
    }
  } catch (error) {
    if (isCancelled(error)) throw error;
    const { stack: _, ...data } = toErrorData(error);
    return recordVerified(stored, { ok: false, at, dimensions: null, error: data });
  }
}

const speedsSchema = z.record(z.string(), encoderSpeedSchema);
const speedsFile = (): string => path.join(appFolders().data, "encoder-speeds.json");

/** Speeds measured on this computer, by reference. A damaged file is as good as none. */
export function readSpeeds(): Record<string, EncoderSpeed> {
  try {
    const parsed = speedsSchema.safeParse(JSON.parse(readFileSync(speedsFile(), "utf8")));
    return parsed.success ? parsed.data : {};
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

function keepSpeed(reference: string, speed: EncoderSpeed): void {
  writeFileAtomically(speedsFile(), [`${JSON.stringify({ ...readSpeeds(), [reference]: speed }, null, 2)}\n`]);
}

/** Texts a second on this computer, and the first vector after a download. */
import { measureEncoder as measure } from "../encode/measure-encoder.ts";
import { openEncoder } from "../encode/open-encoder.ts";
import { recordVerified, type StoredEncoder } from "../hub/store.ts";
import { type EncoderSpeed, encoderSpeedSchema, type MeasureProgress } from "../protocol/encoders.ts";
import { fromErrorData, isCancelled, toErrorData } from "../protocol/errors.ts";
import type { WorkContext } from "../protocol/progress.ts";

/**
 * Measure an encoder on its own provider, for about five seconds. What it finds is kept (`bestSpeeds`).
 *
 * @param reference what `loadEncoder` takes
 * @throws {ParallaxError} what loading and encoding throw
 * @throws {CancelledError}
 */
export async function measureEncoder(
  reference: string,
  options: WorkContext & { seconds?: number; onStep?: (step: MeasureProgress) => void } = {},
): Promise<EncoderSpeed> {
  const encoder = await openEncoder(reference, { signal: options.signal });
  try {
    const { best, failed } = await measure(encoder, options);
    // Without a figure there is a reason: each row ends in one or the other.
    if (best === null) throw fromErrorData(failed[0].error);
    return encoderSpeedSchema.parse(best);
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

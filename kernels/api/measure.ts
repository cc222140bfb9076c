/** `measureEncoder`: texts a second on this computer. */
import { tableBundle } from "../data/table-view.ts";
import { type EncoderMeasurement, type MeasureOptions, measureEncoder as measure } from "../encode/measure-encoder.ts";
import { DISPLAY, type Displayable, type TableView } from "../protocol/display.ts";
import { withJob } from "./context.ts";
import { type EncoderLike, resolveEncoder } from "./encoder.ts";

export type MeasureEncoderOptions = Omit<MeasureOptions, "compute">;

/**
 * Measure an encoder on this computer: texts and tokens a second by provider and thread count, on 64 fixed texts. The
 * figures are kept, and shown by lists and `parallax doctor`.
 *
 * @param encoder loaded, or a reference for `loadEncoder`. Default: the default encoder.
 * @param options `seconds` of encoding in all (default 5), `providers` (default: the encoder's own), `threads` on the CPU
 *                (default: 1, the encoder's own, all cores)
 * @returns       `rows`, the `best` of them, and `failed`: providers that are not there, with the reason
 * @throws {CancelledError} when the cell is stopped; what was measured before is kept
 * Cost: `seconds`, and the loading of the encoder once a row. Other work on the computer makes the figures smaller.
 *
 * @example await measureEncoder("default", { providers: ["cpu", "webgpu"] });
 */
export async function measureEncoder(
  encoder?: EncoderLike,
  options: MeasureEncoderOptions = {},
): Promise<EncoderMeasurement & Displayable> {
  const { signal, onProgress, ...rest } = options;
  const model = await resolveEncoder(encoder);
  const result = await withJob({ signal, onProgress }, (context) => measure(model, { ...rest, ...context }));
  return { ...result, [DISPLAY]: () => tableBundle(view(model.identity.name, result)) };
}

function view(name: string, { rows, failed }: EncoderMeasurement): TableView {
  const number = (column: string) => ({ name: column, kind: "number" as const, decimals: 0 });
  return {
    version: 1,
    title: `${name} on this computer`,
    columns: [
      { name: "provider", kind: "text" },
      number("threads"),
      { name: "precision", kind: "text" },
      number("texts/s"),
      number("tokens/s"),
    ],
    rows: rows.map((row) => [row.provider, row.threads, row.precision, row.textsPerSecond, row.tokensPerSecond]),
    total: rows.length,
    notes: [
      "64 fixed texts of mixed lengths; other work on the computer makes the figures smaller.",
      ...new Set(rows.flatMap(({ provider, fallback }) => (fallback === null ? [] : [`${provider}: ${fallback}.`]))),
      ...failed.map(({ provider, error }) => `${provider}: ${error.message}`),
    ],
  };
}

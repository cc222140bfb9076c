/** `parallax precision`: what each precision and each form of vectors loses on a task. */
import { comparePrecisions, type VectorForm } from "../api/index.ts";
import { readTable } from "../data/table.ts";
import { checkPrecision } from "../graph/precision.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { CommandContext } from "./context.ts";

type PrecisionRequest = Extract<CliRequest, { command: "precision" }>;

export async function precision(request: PrecisionRequest, { work }: CommandContext): Promise<Answer> {
  const { precisions, vectors, documents } = request;
  const report = await comparePrecisions(request.task, {
    encoder: request.encoder,
    ...(precisions.length === 0 ? {} : { precisions: precisions.map(checkPrecision) }),
    ...(vectors.length === 0 ? {} : { vectors: vectors.map(formOf) }),
    ...(documents === null ? {} : { documents }),
    ...(await calibrationOf(request.calibration, work)),
    seed: request.seed,
    resamples: request.resamples,
  });
  return answerOf(report, { ...report });
}

function formOf({ type, dimensions, ranges }: PrecisionRequest["vectors"][number]): VectorForm {
  return { type, ranges, ...(dimensions === null ? {} : { dimensions }) };
}

async function calibrationOf(
  calibration: PrecisionRequest["calibration"],
  work: CommandContext["work"],
): Promise<{ calibration?: readonly string[] | number }> {
  if (calibration === null) return {};
  if (typeof calibration === "number") return { calibration };
  return { calibration: (await readTable(calibration.file, work)).text(calibration.column) };
}

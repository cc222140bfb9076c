/** `parallax encode`: a column of a table to vectors.npy. */
import { encode as encodeTexts, loadEncoder } from "../api/index.ts";
import { readTable } from "../data/table.ts";
import { writeNpy } from "../encode/npy.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import type { Answer } from "./answer.ts";
import type { CommandContext } from "./context.ts";

export async function encode(
  request: Extract<CliRequest, { command: "encode" }>,
  context: CommandContext,
): Promise<Answer> {
  const table = await readTable(request.file, context.work);
  const texts = table.text(request.column);
  const encoder = await loadEncoder(request.encoder);
  const set = await encodeTexts(texts, { encoder, ...(request.prompt === null ? {} : { prompt: request.prompt }) });
  writeNpy(request.out, set.data, [set.n, set.dimensions]);
  if (encoder.provider.fallback !== null) context.note(`${encoder.provider.name}: ${encoder.provider.fallback}`);
  for (const warning of set.report.warnings) context.note(`warning: ${warning}`);
  return {
    text: [
      `${request.out}: float32 [${set.n}, ${set.dimensions}], ${set.encoder.name}${set.prompt === "" ? "" : `, prompt "${set.prompt}"`}`,
      `${set.report.textsPerSecond.toFixed(0)} texts/s, ${set.report.truncated.length} of ${set.n} texts cut at ${set.report.maxTokens} tokens, ${(100 * set.report.unknownShare).toFixed(1)} % unknown pieces`,
    ].join("\n"),
    json: {
      out: request.out,
      n: set.n,
      dimensions: set.dimensions,
      dtype: "float32",
      encoder: set.encoder,
      prompt: set.prompt,
      report: set.report,
    },
    ok: true,
  };
}

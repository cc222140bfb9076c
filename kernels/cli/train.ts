/** `parallax train`, `parallax sweep` and `parallax runs`. */
import { estimateTrainConfig, listRunsBelow, resumeRun, runSweepConfig, runTrainConfig } from "../api/index.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import type { RunSummary } from "../protocol/run-files.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { CommandContext } from "./context.ts";

export async function train(
  request: Extract<CliRequest, { command: "train" }>,
  _context: CommandContext,
): Promise<Answer> {
  if (request.dryRun) {
    const forecast = await estimateTrainConfig(request.config);
    return answerOf(forecast, plain(forecast));
  }
  const result = await runTrainConfig(request.config);
  return answerOf(result, plain(result));
}

export async function resume(
  request: Extract<CliRequest, { command: "resume" }>,
  _context: CommandContext,
): Promise<Answer> {
  const result = await resumeRun(request.folder);
  return answerOf(result, plain(result));
}

export async function sweep(
  request: Extract<CliRequest, { command: "sweep" }>,
  _context: CommandContext,
): Promise<Answer> {
  const result = await runSweepConfig(request.config);
  // Values a unit are for the comparison; they stay in the sweep's folder.
  const trials = result.trials.map(({ measured: _, ...row }) => row);
  return answerOf(result, { ...plain(result), leader: undefined, best: result.best?.name ?? null, trials });
}

/** Facts only: functions do not go into JSON. */
function plain(result: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(result).filter(([, value]) => typeof value !== "function"));
}

export function runs(request: Extract<CliRequest, { command: "runs" }>): Answer {
  const list = listRunsBelow(request.folder);
  return {
    text:
      list.length === 0
        ? `No runs below ${request.folder}. A fineTune(…) cell or \`parallax train --config FILE\` makes one.`
        : table(list),
    json: list,
    ok: true,
  };
}

function table(list: readonly RunSummary[]): string {
  const rows = [
    ["name", "state", "step", "encoder", "pairs", "started", "folder"],
    ...list.map(({ folder, config, status }) => [
      config.name,
      status.state,
      `${status.step} of ${status.steps}`,
      config.encoder.name,
      String(config.data.n),
      status.startedAt?.slice(0, 16).replace("T", " ") ?? "–",
      folder,
    ]),
  ];
  const widths = rows[0]?.map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0))) ?? [];
  return rows
    .map((row) => row.map((cell, c) => (c === row.length - 1 ? cell : cell.padEnd(widths[c] ?? 0))).join("  "))
    .join("\n");
}

/** Rows of encoders as text. */
import { formatBytes } from "../hub/hub-errors.ts";
import type { EncoderEntry } from "../protocol/encoders.ts";

/** One line an encoder: what decides a choice, and where it stands. */
export function entriesTable(entries: readonly EncoderEntry[]): string {
  if (entries.length === 0) return "No encoders.";
  const rows = [
    ["encoder", "state", "d", "tokens", "size", "licence", "languages", "prompts", "texts/s", "weights"],
    ...entries.map((entry) => [
      entry.id,
      stateOf(entry),
      entry.dimensions === null ? "?" : String(entry.dimensions),
      entry.maxTokens === null ? "?" : String(entry.maxTokens),
      entry.sizeBytes === null ? "?" : formatBytes(entry.sizeBytes),
      entry.licence ?? "?",
      entry.languages.slice(0, 3).join(" ") + (entry.languages.length > 3 ? " …" : ""),
      String(entry.prompts.count),
      entry.speed === null ? "–" : String(Math.round(entry.speed.textsPerSecond)),
      entry.state === "available" ? "–" : entry.sha256,
    ]),
  ];
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function stateOf({ state, progress }: EncoderEntry): string {
  if (progress === null || progress.totalBytes === 0) return state;
  return `${state} ${Math.floor((100 * progress.doneBytes) / progress.totalBytes)} %`;
}

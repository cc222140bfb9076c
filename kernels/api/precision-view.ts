/** What a comparison of precisions shows: the losses with their intervals before anything else is said. */
import { count, tableHtml, tablePlain } from "../data/table-view.ts";
import { formatBytes } from "../encode/embedding-set.ts";
import { MIME, type MimeBundle, type TableView } from "../protocol/display.ts";
import { warningsHtml } from "./evaluate.ts";
import type { PrecisionLine, PrecisionReport } from "./precision.ts";
import { metricWords, signed100, times100 } from "./score-words.ts";

export function precisionBundle(report: PrecisionReport): MimeBundle {
  const view = precisionTable(report);
  return {
    [MIME.html]: `${warningsHtml(report.warnings)}${tableHtml(view)}`,
    [MIME.plain]: [...report.warnings.map((warning) => `Warning: ${warning}`), tablePlain(view)].join("\n"),
  };
}

function precisionTable(report: PrecisionReport): TableView {
  const bytes = (value: number | null) => (value === null ? "" : formatBytes(value));
  const cosine = (value: number | null) => (value === null ? "" : value.toFixed(5));
  const text = (name: string) => ({ name, kind: "text" as const });
  const prompts = Object.entries(report.prompts).filter(([, template]) => template !== "");
  return {
    version: 1,
    title: `Precisions of ${report.encoder.name} on ${report.task}`,
    columns: [
      text("precision"),
      text(`${metricWords(report.metric)} ×100`),
      text("95 % interval"),
      text("against float32 (95 %, paired)"),
      text("mean cosine"),
      text("least cosine"),
      text("speed"),
      text("model file"),
      text("memory"),
      text("a vector"),
    ],
    rows: report.lines.map((line, i) => [
      line.name,
      times100(line.score),
      `${times100(line.interval.low)} to ${times100(line.interval.high)}`,
      i === 0 ? "" : lossWords(line),
      cosine(line.meanCosine),
      cosine(line.leastCosine),
      line.speed === null ? "" : `${line.speed.toFixed(2)}×`,
      bytes(line.modelBytes),
      bytes(line.memoryBytes),
      bytes(line.vectorBytes),
    ]),
    total: report.lines.length,
    notes: [
      `n = ${count(report.n)} ${report.unit}, seed ${report.seed}; interval: ${report.lines[0].interval.method}.`,
      prompts.length === 0
        ? "No prompt."
        : `Prompt: ${prompts.map(([side, template]) => `${side} ${JSON.stringify(template)}`).join(", ")}.`,
      "Speed: times float32, median of three rounds in turns on this computer.",
      ...report.notes,
      ...report.lines.map(({ name, what }) => `${name}: ${what}.`),
    ],
  };
}

/** "−0.18 (−0.43 to +0.06)", times 100. */
function lossWords({ delta, deltaInterval: { low, high } }: PrecisionLine): string {
  return `${signed100(delta)} (${signed100(low)} to ${signed100(high)})`;
}

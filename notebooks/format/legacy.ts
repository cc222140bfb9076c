/** nbformat 1 to 3, for looking at only (SPEC.md rule 1.4): work sheets of cells with `input`, `pyout` and `pyerr`. */
import { placeholderId } from "./ids.ts";
import type { Cell, Notebook, Output } from "./model.ts";

type Fields = Record<string, unknown>;

/** What can be shown of an old notebook; no cells when it has an unknown shape. */
export function readLegacy(text: string, start: number): Notebook {
  const cells: Cell[] = [];
  for (const sheet of list(asFields(parse(text.slice(start))).worksheets))
    for (const value of list(asFields(sheet).cells))
      cells.push(readCell(asFields(value), placeholderId(cells.length, new Set())));
  return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The scanner found no fault in its structure, so only a detail is wrong: there is nothing safe to show.
    return {};
  }
}

function readCell(cell: Fields, id: string): Cell {
  const type = cell.cell_type;
  if (type === "code") {
    const count = typeof cell.prompt_number === "number" ? cell.prompt_number : null;
    const outputs = list(cell.outputs).map((output) => readOutput(asFields(output)));
    return { id, cell_type: "code", source: words(cell.input), metadata: {}, execution_count: count, outputs };
  }
  const level = typeof cell.level === "number" ? cell.level : 1;
  const source = type === "heading" ? `${"#".repeat(level)} ${words(cell.source)}` : words(cell.source);
  return { id, cell_type: type === "raw" ? "raw" : "markdown", source, metadata: {} };
}

/** Old outputs name their formats by short words beside the other fields. */
const MIMES: [string, string][] = [
  ["text", "text/plain"],
  ["html", "text/html"],
  ["svg", "image/svg+xml"],
  ["png", "image/png"],
  ["jpeg", "image/jpeg"],
  ["latex", "text/latex"],
];

function readOutput(output: Fields): Output {
  if (output.output_type === "stream")
    return { output_type: "stream", name: output.stream === "stderr" ? "stderr" : "stdout", text: words(output.text) };
  if (output.output_type === "pyerr")
    return {
      output_type: "error",
      ename: words(output.ename),
      evalue: words(output.evalue),
      traceback: list(output.traceback).map(words),
    };
  const data: Record<string, unknown> = {};
  for (const [field, mime] of MIMES) if (output[field] !== undefined) data[mime] = words(output[field]);
  return { output_type: "display_data", data, metadata: {} };
}

function asFields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
function words(value: unknown): string {
  if (Array.isArray(value)) return value.join("");
  return typeof value === "string" ? value : "";
}

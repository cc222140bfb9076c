/** The cell that "Use" writes, and where it goes. Pure: everything the screen does is a cell that can be read and rerun. */
import type { NotebookOp } from "../../../notebooks/format/model.ts";
import { newCell } from "../../../notebooks/format/ops.ts";
import { cellIndex } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";

export interface EncoderPrompt {
  name: string;
  template: string;
}

/** Prompts that a cell names at most; the others are in `encoder.spec.prompts`. */
const MOST_PROMPTS = 3;
/** Queries and documents first: these are asked for most. */
const FIRST = ["query", "passage", "document"];
const ARGUMENTS: Record<string, string> = { query: "queries", passage: "passages", document: "documents" };

export function encoderCell(id: string, prompts: readonly EncoderPrompt[]): string {
  const lines = [
    'import { loadEncoder } from "parallax";',
    "",
    `const encoder = await loadEncoder(${JSON.stringify(id)});`,
  ];
  const rank = (name: string) => (FIRST.indexOf(name) + FIRST.length + 1) % (FIRST.length + 1);
  const real = prompts.filter((prompt) => prompt.template !== "" && prompt.template !== "{text}");
  const ordered = [...real].sort((a, b) => rank(a.name) - rank(b.name) || real.indexOf(a) - real.indexOf(b));
  for (const { name, template } of ordered.slice(0, MOST_PROMPTS)) {
    const texts = ARGUMENTS[name] ?? "texts";
    lines.push(
      `// await encode(${texts}, { encoder, prompt: ${JSON.stringify(name)} }); // ${JSON.stringify(template)}`,
    );
  }
  const left = ordered.length - MOST_PROMPTS;
  if (left > 0) lines.push(`// ${left} more ${left === 1 ? "prompt" : "prompts"}: encoder.spec.prompts`);
  return lines.join("\n");
}

const WRITTEN =
  /^import \{ loadEncoder \} from "parallax";\n\nconst encoder = await loadEncoder\((?:"(?:[^"\\]|\\.)*")\);(?:\n\/\/ .*)*$/;

/** A cell that "Use" wrote and nobody changed. */
export function isEncoderCell(source: string): boolean {
  return WRITTEN.test(source);
}

export interface CellEdit {
  ops: NotebookOp[];
  cellId: string;
  /** replaced: the notebook's own encoder cell now names another encoder. */
  kind: "inserted" | "replaced" | "unchanged";
}

/**
 * A second "Use" changes the untouched cell of the first, so that a notebook does not declare `encoder` twice. Otherwise
 * the cell goes in place of the active one if that is empty, else below it.
 */
export function writeEncoderCell(doc: DocumentState, source: string): CellEdit {
  const { cells } = doc.notebook;
  const own = cells.find((cell) => cell.cell_type === "code" && isEncoderCell(cell.source));
  if (own !== undefined)
    return own.source === source
      ? { ops: [], cellId: own.id, kind: "unchanged" }
      : { ops: [{ type: "set-source", cellId: own.id, source }], cellId: own.id, kind: "replaced" };
  const at = cellIndex(doc, doc.active);
  const active = cells[at];
  if (active?.cell_type === "code" && active.source.trim() === "")
    return { ops: [{ type: "set-source", cellId: active.id, source }], cellId: active.id, kind: "inserted" };
  const cell = newCell("code", source);
  const index = at < 0 ? cells.length : at + 1;
  return { ops: [{ type: "insert-cell", index, cell }], cellId: cell.id, kind: "inserted" };
}

/** Which representation of a MIME bundle is shown: our own first, then pictures, documents, text. */
import {
  type MapView,
  MIME,
  type RunView,
  type TableView,
  type ValuePreview,
} from "../../../kernels/protocol/display.ts";
import type { PromptReport, TaskResult } from "../../../kernels/protocol/results.ts";
import {
  type Parsed,
  parseMap,
  parsePlotly,
  parsePrompts,
  parseRun,
  parseTable,
  parseTask,
  parseValue,
} from "./schemas.ts";

export type Representation =
  | { kind: "value"; value: ValuePreview }
  /** With the typed preview above it, when the bundle has both. */
  | { kind: "table"; value: TableView; preview?: ValuePreview }
  | { kind: "map"; value: MapView }
  | { kind: "prompts"; value: PromptReport }
  | { kind: "task"; value: TaskResult }
  | { kind: "run"; value: RunView }
  | { kind: "plotly"; value: { data: Record<string, unknown>[]; layout: Record<string, unknown> } }
  | { kind: "svg"; value: string }
  | { kind: "image"; mime: string; value: string }
  | { kind: "html"; value: string }
  | { kind: "markdown"; value: string }
  | { kind: "json"; value: unknown }
  | { kind: "plain"; value: string }
  | { kind: "unknown"; mimes: string[] };

export interface Picked {
  shown: Representation;
  /** Why a better representation was passed over: "table data cannot be read (rows.0: …)". */
  problems: string[];
  /** text/plain of the bundle, for the accessible name of pictures. */
  plain: string;
}

type Reader = (data: unknown) => Parsed<Representation>;

const view =
  <K extends Representation["kind"]>(kind: K, parse: (data: unknown) => Parsed<unknown>): Reader =>
  (data) => {
    const parsed = parse(data);
    return parsed.ok ? { ok: true, value: { kind, value: parsed.value } as Representation } : parsed;
  };

const textual =
  (make: (text: string) => Representation): Reader =>
  (data) => {
    const text = joined(data);
    return text === null ? { ok: false, reason: "not text" } : { ok: true, value: make(text) };
  };

const image = (mime: string): [string, string, Reader] => [
  mime,
  "picture",
  (data) => {
    const text = joined(data)?.replace(/\s+/g, "");
    return text && /^[A-Za-z0-9+/]+=*$/.test(text)
      ? { ok: true, value: { kind: "image", mime, value: text } }
      : { ok: false, reason: "not base64" };
  },
];

const ORDER: readonly [mime: string, what: string, read: Reader][] = [
  [MIME.map, "map", view("map", parseMap)],
  [MIME.run, "run", view("run", parseRun)],
  [MIME.prompts, "prompt report", view("prompts", parsePrompts)],
  [MIME.task, "task result", view("task", parseTask)],
  [MIME.table, "table", view("table", parseTable)],
  [MIME.value, "value", view("value", parseValue)],
  [MIME.plotly, "plot", view("plotly", parsePlotly)],
  [MIME.svg, "SVG", textual((value) => ({ kind: "svg", value }))],
  image(MIME.png),
  image("image/jpeg"),
  image("image/gif"),
  image("image/webp"),
  [MIME.html, "HTML", textual((value) => ({ kind: "html", value }))],
  [MIME.markdown, "Markdown", textual((value) => ({ kind: "markdown", value }))],
  ["application/json", "JSON", (value) => ({ ok: true, value: { kind: "json", value } })],
  [MIME.plain, "text", textual((value) => ({ kind: "plain", value }))],
];

export function pickRepresentation(bundle: Record<string, unknown>): Picked {
  const problems: string[] = [];
  const plain = joined(bundle[MIME.plain]) ?? "";
  for (const [mime, what, read] of ORDER) {
    const data = bundle[mime];
    if (data === undefined || data === null) continue;
    const result = read(data);
    if (result.ok) {
      const shown = result.value;
      const preview =
        shown.kind === "table" && bundle[MIME.value] !== undefined ? parseValue(bundle[MIME.value]) : null;
      return {
        shown: shown.kind === "table" && preview?.ok ? { ...shown, preview: preview.value } : shown,
        problems,
        plain,
      };
    }
    problems.push(`its ${what} data cannot be read (${result.reason})`);
  }
  const latex = joined(bundle["text/latex"]);
  if (latex !== null) return { shown: { kind: "plain", value: latex }, problems, plain };
  return { shown: { kind: "unknown", mimes: Object.keys(bundle) }, problems, plain };
}

/** nbformat stores long text as a list of lines; the page may hold either form. */
function joined(data: unknown): string | null {
  if (typeof data === "string") return data;
  if (Array.isArray(data) && data.every((line) => typeof line === "string")) return data.join("");
  return null;
}

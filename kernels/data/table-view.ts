/** Tables for people: one description (`TableView`) as HTML, as aligned plain text and as a MIME bundle. */
import { MIME, type MimeBundle, type TableColumn, type TableView } from "../protocol/display.ts";

/** Longest text of a cell that travels inline; a view never carries a whole 1 MB text. */
const CELL_LIMIT = 500;
const PLAIN_CELL = 60;

/** A value as a cell: texts are cut, objects become JSON, dates ISO, everything JSON-safe. */
export function toCell(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string") return cut(value, CELL_LIMIT);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid date" : value.toISOString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return cut(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v)) ?? String(value), CELL_LIMIT);
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // Never between the halves of a surrogate pair.
  const code = text.charCodeAt(limit - 1);
  return `${text.slice(0, code >= 0xd800 && code <= 0xdbff ? limit - 1 : limit)}…`;
}

/** Text that any screen can take: lone surrogates become U+FFFD, control characters their pictures. */
export function printable(text: string): string {
  return (
    text
      .replace(/\p{Surrogate}/gu, "\ufffd")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to replace.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
  );
}

export function escapeHtml(text: string): string {
  return printable(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

function cellText(value: string | number | boolean | null, column: TableColumn): string {
  if (value === null) return "";
  if (typeof value !== "number") return String(value);
  if (column.decimals !== undefined) return value.toFixed(column.decimals);
  // Six digits tell any two results apart that differ; our own view has the rest.
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

const withUnit = (column: TableColumn): string =>
  column.unit === undefined || column.unit === "" ? column.name : `${column.name} (${column.unit})`;

/** "1,379". */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}

/** The table as one HTML `<table>`, numbers to the right, notes below. Everything is escaped. */
export function tableHtml(view: TableView): string {
  const align = (column: TableColumn): string => (column.kind === "number" ? "right" : "left");
  const head = view.columns
    .map((c) => `<th scope="col" style="text-align:${align(c)}">${escapeHtml(withUnit(c))}</th>`)
    .join("");
  const body = view.rows
    .map(
      (row) =>
        `<tr>${row
          .map((value, j) => {
            const column = view.columns[j]!;
            return `<td style="text-align:${align(column)}">${escapeHtml(cellText(value, column))}</td>`;
          })
          .join("")}</tr>`,
    )
    .join("\n");
  const caption = view.title === undefined ? "" : `<caption>${escapeHtml(view.title)}</caption>`;
  const notes = tableNotes(view)
    .map((note) => `<p>${escapeHtml(note)}</p>`)
    .join("");
  return `<table>${caption}<thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table>${notes}`;
}

/** The table in fixed-width text: numbers to the right, texts cut at 60 characters, notes below. */
export function tablePlain(view: TableView): string {
  const one = (text: string): string => cut(printable(text).replace(/[\t\r\n]+/g, " "), PLAIN_CELL);
  const grid = [view.columns.map((c) => one(withUnit(c)))];
  for (const row of view.rows) grid.push(row.map((value, j) => one(cellText(value, view.columns[j]!))));
  const widths = view.columns.map((_, j) => Math.max(...grid.map((row) => width(row[j]!))));
  const lines = grid.map((row) =>
    row
      .map((text, j) => {
        const space = " ".repeat(widths[j]! - width(text));
        return view.columns[j]!.kind === "number" ? space + text : text + space;
      })
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((w) => "─".repeat(w)).join("  "));
  return [...(view.title === undefined ? [] : [view.title]), ...lines, ...tableNotes(view)].join("\n");
}

function tableNotes(view: TableView): string[] {
  const more =
    view.total > view.rows.length ? [`${count(view.rows.length)} of ${count(view.total)} rows are shown.`] : [];
  return [...more, ...view.notes];
}

/** Columns a terminal uses: East Asian wide characters count two, combining marks none. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 2
      : 1;
  }
  return columns;
}

/** Rows that HTML and plain text show of a long table: they cannot scroll as our view does. */
const STATIC_ROWS = 20;

/** What a table shows: our view, and its first rows as HTML and plain text. */
export function tableBundle(view: TableView): MimeBundle {
  const head = { ...view, rows: view.rows.slice(0, STATIC_ROWS) };
  return { [MIME.table]: view, [MIME.html]: tableHtml(head), [MIME.plain]: tablePlain(head) };
}

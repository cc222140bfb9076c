/** Numbers and tables as text. Times, bytes and rates are in units.ts. */

const counts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function formatCount(n: number): string {
  return counts.format(n);
}

/** A fixed number of decimals with a true minus sign; "–" for what is no number. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  return value.toFixed(decimals).replace("-", "−");
}

/** At most `digits` significant digits, no trailing zeros: axis ticks and readouts. */
export function formatCompact(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return formatFixed(value, 0);
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e6 || size < 1e-4
      ? value
          .toExponential(Math.min(2, digits - 1))
          .replace(/\.?0+e/, "e")
          .replace("e+", "e")
      : String(Number(value.toPrecision(digits)));
  return text.replace(/-/g, "−");
}

/** "1 row", "2,000 rows". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

type Cell = string | number | boolean | null | undefined;

/** RFC 4180, with a header line. */
export function toCsv(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const quote = (value: Cell) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(quote).join(",")).join("\r\n");
}

/** For pasting into a spreadsheet: tabs and line ends inside a cell become spaces. */
export function toTsv(rows: readonly (readonly unknown[])[]): string {
  return rows.map((row) => row.map((value) => String(value ?? "").replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n");
}

/** Numbers of results as people read them in this field. A value that is no number shows as "–". */
import { formatCount as count } from "./format.ts";

export { toCsv, toTsv } from "./format.ts";
export { formatAge, formatBytes, formatDuration } from "./units.ts";

export function formatCount(value: number): string {
  return Number.isFinite(value) ? count(value) : "–";
}

/** "1 row", "2,000 rows". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** Fixed decimals with a real minus sign. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** With an explicit sign: "+1.20", "−0.31", "0.00". */
export function formatSigned(value: number, decimals: number): string {
  const text = formatFixed(value, decimals);
  return Number.isFinite(value) && value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

/** A similarity or a share without its leading zero: ".83", "−.12", "1.00". */
export function formatUnit(value: number, decimals = 2): string {
  return formatFixed(value, decimals).replace(/^(−?)0\./, "$1.");
}

/** Few significant digits for axes and readouts: "2e-5", "0.0031", "1,200", "4.1e7". */
export function formatCompact(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size < 1e-3 || size >= 1e6)
    return `${sign}${size
      .toExponential(Math.max(0, digits - 1))
      .replace(/\.?0+e/, "e")
      .replace("e+", "e")
      .replace("e-", "e−")}`;
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  if (size >= 1000) return `${sign}${count(Math.round(size))}`;
  const text = size.toFixed(Math.min(decimals, 6));
  return `${sign}${text.includes(".") ? text.replace(/\.?0+$/, "") : text}`;
}

/**
 * What a variable is, in a few words: its type with shape, an estimate of its bytes, a short rendering. Safe on any
 * value: getters that throw, proxies, cycles and giant arrays cost a bounded time and never throw.
 */
import { inspect, types } from "node:util";

/** Values looked at when the bytes of an object are estimated; larger ones are extrapolated. */
const SAMPLE = 2000;
const MAX_COLUMNS = 6;

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function";

/** An own data property's value: never runs a getter. */
function own(value: object, name: PropertyKey): unknown {
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** "Float32" of a Float32Array; undefined for anything else (a DataView too). */
function elementName(value: unknown): string | undefined {
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return undefined;
  const name = Object.getPrototypeOf(Object.getPrototypeOf(value)) ? value.constructor?.name : undefined;
  return typeof name === "string" ? name.replace(/Array$/, "") : "Typed";
}

/** Rows and columns of something that carries a matrix: an embedding set, a similarity matrix, a tensor. */
function matrixType(value: object): string | undefined {
  const element = elementName(own(value, "data"));
  if (element === undefined) return undefined;
  const dims = own(value, "dims");
  if (Array.isArray(dims) && dims.length <= 8 && dims.every(Number.isInteger)) return `${element} [${dims.join(", ")}]`;
  const n = own(value, "n");
  const columns = own(value, "dimensions") ?? own(value, "m");
  return Number.isInteger(n) && Number.isInteger(columns) ? `${element} [${n}, ${columns}]` : undefined;
}

function className(value: object): string {
  let level: object | null = Object.getPrototypeOf(value);
  for (let depth = 0; level !== null && depth < 8; depth++) {
    const maker = own(level, "constructor");
    if (typeof maker === "function") {
      const name = own(maker, "name");
      // The bundler calls a class that names itself "_Name" inside.
      if (typeof name === "string" && name !== "") return name.replace(/^_(?=[A-Z])/, "");
    }
    level = Object.getPrototypeOf(level);
  }
  return "object";
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function arrayType(value: readonly unknown[]): string {
  const n = value.length;
  if (n === 0) return "array[0]";
  const kinds = new Set<string>();
  const step = Math.max(1, Math.floor(n / 50));
  for (let i = 0; i < n && kinds.size < 3; i += step) {
    const item = own(value, i);
    kinds.add(isPlainObject(item) ? "object" : Array.isArray(item) ? "array" : shortType(item));
  }
  const [only] = kinds;
  return kinds.size === 1 && only !== undefined
    ? `${only}[${n.toLocaleString("en-US", { useGrouping: false })}]`
    : `mixed[${n}]`;
}

function shortType(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  if (types.isProxy(value)) return "Proxy";
  return elementName(value) ?? className(value);
}

/**
 * The type for people: "Float32 [200, 384]", "string[2000]", "{id, text}", "Map(3)", "class Probe", "number".
 * Own data properties only; no user code runs.
 */
export function typeOf(value: unknown): string {
  try {
    if (!isObject(value)) return value === null ? "null" : typeof value;
    if (types.isProxy(value)) return "Proxy";
    if (typeof value === "function") {
      const text = Function.prototype.toString.call(value);
      return text.startsWith("class") ? `class ${String(own(value, "name") ?? "")}`.trim() : "function";
    }
    if (Array.isArray(value)) return arrayType(value);
    const element = elementName(value);
    if (element !== undefined) return `${element} [${(value as { length: number } & object).length}]`;
    if (types.isAnyArrayBuffer(value)) return `${className(value)} [${value.byteLength}]`;
    if (types.isMap(value) || types.isSet(value)) return `${className(value)}(${value.size})`;
    if (isPlainObject(value)) {
      const matrix = matrixType(value);
      if (matrix !== undefined) return matrix;
      const names = Object.keys(value);
      if (names.length === 0) return "{}";
      return `{${names.slice(0, MAX_COLUMNS).join(", ")}${names.length > MAX_COLUMNS ? ", …" : ""}}`;
    }
    return matrixType(value) ?? className(value);
  } catch {
    return "unreadable";
  }
}

/**
 * Estimated bytes: buffers exactly, strings at two bytes a character, objects by walking at most 2000 values and
 * extrapolating long arrays from their sample. Null when there is nothing sensible to say (functions, proxies).
 */
export function bytesOf(value: unknown): number | null {
  try {
    if (typeof value === "function" || typeof value === "symbol" || types.isProxy(value)) return null;
    const state = { left: SAMPLE, seen: new Set<object>() };
    return Math.round(sizeOf(value, state));
  } catch {
    return null;
  }
}

function sizeOf(value: unknown, state: { left: number; seen: Set<object> }): number {
  state.left -= 1;
  if (typeof value === "string") return value.length * 2;
  if (typeof value === "bigint") return 16;
  if (!isObject(value)) return 8;
  if (typeof value === "function" || types.isProxy(value) || state.seen.has(value)) return 8;
  state.seen.add(value);
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (types.isAnyArrayBuffer(value)) return value.byteLength;
  if (Array.isArray(value)) return 16 + sampled(value.length, (i) => own(value, i), state);
  if (types.isMap(value)) {
    const entries = take(Map.prototype.entries.call(value), state.left);
    return 16 + sampled(value.size, (i) => entries[i]?.[1], state) + sampled(value.size, (i) => entries[i]?.[0], state);
  }
  if (types.isSet(value)) {
    const entries = take(Set.prototype.values.call(value), state.left);
    return 16 + sampled(value.size, (i) => entries[i], state);
  }
  const names = Object.getOwnPropertyNames(value);
  return 16 + sampled(names.length, (i) => own(value, names[i]!), state);
}

function take<T>(values: Iterable<T>, most: number): T[] {
  const taken: T[] = [];
  for (const value of values) {
    if (taken.length >= most) break;
    taken.push(value);
  }
  return taken;
}

/** Sum over n items, from evenly spaced ones when the budget does not reach. */
function sampled(n: number, item: (i: number) => unknown, state: { left: number; seen: Set<object> }): number {
  if (n === 0) return 0;
  const looked = Math.max(1, Math.min(n, Math.floor(state.left / 2), 500));
  let sum = 0;
  let counted = 0;
  for (let j = 0; j < looked; j++) {
    sum += sizeOf(item(Math.floor((j * n) / looked)), state);
    counted += 1;
    if (state.left <= 0) break;
  }
  return (sum / counted) * n;
}

export interface Rendering {
  text: string;
  /** True when the text leaves something out. */
  cut: boolean;
}

const LINE_LIMIT = 120;
const TEXT_LIMIT = 20_000;

/** First numbers of a matrix: "[[0.0617, 0.0415, 0.0087, …], …]". */
function matrixLine(value: unknown): Rendering | undefined {
  if (!isObject(value) || types.isProxy(value)) return undefined;
  const data = own(value, "data");
  const [n, columns] = [own(value, "n"), own(value, "dimensions") ?? own(value, "m")];
  if (elementName(data) === undefined || typeof n !== "number" || typeof columns !== "number") return undefined;
  const numbers = data as ArrayLike<number | bigint>;
  const rows: string[] = [];
  for (let row = 0; row < Math.min(n, 2); row++) {
    const shown = Array.from({ length: Math.min(columns, 4) }, (_, column) => {
      const x = numbers[row * columns + column] ?? Number.NaN;
      return typeof x === "bigint" || Number.isInteger(x) ? String(x) : Number(x.toPrecision(4)).toString();
    });
    rows.push(`[${shown.join(", ")}${columns > 4 ? ", …" : ""}]`);
  }
  return { text: `[${rows.join(", ")}${n > 2 ? ", …" : ""}]`, cut: n > 2 || columns > 4 };
}

/** One line for lists of variables. */
export function previewLine(value: unknown): Rendering {
  const matrix = matrixLine(value);
  if (matrix !== undefined) return matrix;
  const shown = render(value, {
    depth: 1,
    maxArrayLength: 6,
    maxStringLength: 100,
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
  });
  const line = shown.text.replace(/\s*\n\s*/g, " ");
  return line.length > LINE_LIMIT ? { text: `${line.slice(0, LINE_LIMIT - 1)}…`, cut: true } : { ...shown, text: line };
}

/** A few lines for below a cell: bounded in depth, in items and in length. */
export function renderValue(value: unknown): Rendering {
  const shown = render(value, { depth: 3, maxArrayLength: 60, maxStringLength: 4000, breakLength: 100, compact: 3 });
  return shown.text.length > TEXT_LIMIT ? { text: `${shown.text.slice(0, TEXT_LIMIT)}…`, cut: true } : shown;
}

function render(value: unknown, options: Parameters<typeof inspect>[1] & object): Rendering {
  const limits = { ...options, maxLength: TEXT_LIMIT };
  try {
    // A value's own inspect method is the user's code: it may throw, or return anything.
    const text = String(inspect(value, limits))
      .replace(/^_(?=[A-Z]\w* \{)/, "")
      .replace(/,?\s*\[Symbol\(parallax\.display\)\]: \[(Async)?Function[^\]]*\]+/g, "");
    return { text, cut: /\.\.\. \d+ more |\[(Object|Array|\w+)\]/.test(text) };
  } catch (error) {
    try {
      return { text: String(inspect(value, { ...limits, customInspect: false })), cut: true };
    } catch {
      return {
        text: `[cannot be shown: ${error instanceof Error ? error.message : "its parts cannot be read"}]`,
        cut: true,
      };
    }
  }
}

/** A table in memory: named columns of equal length, values as they were read. */
import { DISPLAY, type Displayable, type MimeBundle, type TableView } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { nearestName } from "./nearest.ts";
import { count, tableBundle, toCell } from "./table-view.ts";

/** Rows that travel to the page with a table; the rest stays in the kernel. */
const SHOWN_ROWS = 200;

export type Row = Record<string, unknown>;

export class Table implements Displayable {
  /** Column names in file order. */
  readonly columns: readonly string[];
  /** Number of rows. */
  readonly n: number;
  /** Where it came from, for messages: a file name, or "table". */
  readonly name: string;
  readonly #data: ReadonlyMap<string, readonly unknown[]>;

  private constructor(data: Map<string, readonly unknown[]>, n: number, name: string) {
    this.#data = data;
    this.columns = [...data.keys()];
    this.n = n;
    this.name = name;
  }

  /**
   * @param columns values by column name, all of one length; the arrays are kept, not copied.
   * @throws {ParallaxError} table.ragged-columns when lengths differ.
   */
  static fromColumns(
    columns: Readonly<Record<string, readonly unknown[]>> | ReadonlyMap<string, readonly unknown[]>,
    name = "table",
  ): Table {
    const data = new Map(columns instanceof Map ? columns : Object.entries(columns));
    const lengths = [...data].map(([column, values]) => `${column}: ${count(values.length)}`);
    const n = data.size === 0 ? 0 : [...data.values()][0]!.length;
    if ([...data.values()].some((values) => values.length !== n))
      throw new ParallaxError(
        "table.ragged-columns",
        `The columns of ${name} differ in length: ${lengths.join(", ")}.`,
        {
          hint: "Give every column one value a row.",
        },
      );
    return new Table(data, n, name);
  }

  /** @param rows one object a row; columns appear in the order first seen, absent values are null. */
  static fromRows(rows: Iterable<Row>, name = "table"): Table {
    const data = new Map<string, unknown[]>();
    let n = 0;
    for (const row of rows) {
      for (const [column, value] of Object.entries(row)) {
        let values = data.get(column);
        if (values === undefined) {
          values = new Array<unknown>(n).fill(null);
          data.set(column, values);
        }
        values[n] = value ?? null;
      }
      n += 1;
      for (const values of data.values()) if (values.length < n) values.push(null);
    }
    return new Table(data, n, name);
  }

  has(name: string): boolean {
    return this.#data.has(name);
  }

  /**
   * The values of one column as they were read (strings for tsv and csv). The array is the table's own: do not change it.
   * @throws {ParallaxError} table.missing-column with the columns found and the nearest name.
   */
  column(name: string): readonly unknown[] {
    const values = this.#data.get(name);
    if (values !== undefined) return values;
    const nearest = nearestName(name, this.columns);
    throw new ParallaxError(
      "table.missing-column",
      `${this.name} has no column "${name}". It has ${this.columns.length === 0 ? "none" : this.columns.map((c) => `"${c}"`).join(", ")}.`,
      {
        hint: nearest === undefined ? "Use one of the columns listed." : `Did you mean "${nearest}"?`,
        details: { wanted: name, columns: [...this.columns], ...(nearest === undefined ? {} : { nearest }) },
      },
    );
  }

  /**
   * One column as texts, kept exactly (NUL, lone surrogates and length included). Numbers and booleans are written
   * out, missing values become "".
   * @throws {ParallaxError} table.missing-column; table.not-text with the row when a value is a list, an object or bytes.
   */
  text(name: string): string[] {
    return this.column(name).map((value, row) => {
      if (typeof value === "string") return value;
      if (value === null || value === undefined) return "";
      if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
      if (value instanceof Date) return value.toISOString();
      throw new ParallaxError(
        "table.not-text",
        `Column "${name}" of ${this.name} is not text in row ${count(row)} (rows count from 0): found ${describe(value)}.`,
        { hint: "Choose a column of texts.", details: { column: name, row } },
      );
    });
  }

  /**
   * One column as numbers; texts are read as decimal numbers.
   * @throws {ParallaxError} table.missing-column; table.not-a-number with the first bad row and its value.
   */
  numbers(name: string): number[] {
    return this.column(name).map((value, row) => {
      const number =
        typeof value === "number"
          ? value
          : typeof value === "bigint"
            ? Number(value)
            : typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)
              ? Number(value)
              : Number.NaN;
      if (Number.isFinite(number)) return number;
      throw new ParallaxError(
        "table.not-a-number",
        `Column "${name}" of ${this.name} is not a number in row ${count(row)} (rows count from 0): found ${describe(value)}.`,
        {
          hint: "Correct the value, or leave the row out with table.filter(…).",
          details: { column: name, row, value: toCell(value) },
        },
      );
    });
  }

  row(i: number): Row {
    return Object.fromEntries([...this.#data].map(([column, values]) => [column, values[i]]));
  }

  rows(): Row[] {
    return Array.from({ length: this.n }, (_, i) => this.row(i));
  }

  /** The rows for which `keep` says yes, in order. New table; values are shared. */
  filter(keep: (row: Row, index: number) => boolean): Table {
    const kept: number[] = [];
    for (let i = 0; i < this.n; i++) if (keep(this.row(i), i)) kept.push(i);
    return this.#take(kept);
  }

  /** Rows from `start` up to, not including, `end`, as Array.prototype.slice. */
  slice(start?: number, end?: number): Table {
    return this.#take(Array.from({ length: this.n }, (_, i) => i).slice(start, end));
  }

  /** Only these columns, in this order. @throws {ParallaxError} table.missing-column */
  select(...names: string[]): Table {
    return new Table(new Map(names.map((name) => [name, this.column(name)])), this.n, this.name);
  }

  #take(rows: readonly number[]): Table {
    return new Table(
      new Map([...this.#data].map(([column, values]) => [column, rows.map((i) => values[i])])),
      rows.length,
      this.name,
    );
  }

  view(): TableView {
    const shown = Math.min(this.n, SHOWN_ROWS);
    return {
      version: 1,
      title: this.name,
      columns: [...this.#data].map(([column, values]) => ({ name: column, kind: kindOf(values.slice(0, SHOWN_ROWS)) })),
      rows: Array.from({ length: shown }, (_, i) => [...this.#data.values()].map((values) => toCell(values[i]))),
      total: this.n,
      notes: [`${count(this.n)} rows, ${count(this.columns.length)} columns.`],
    };
  }

  [DISPLAY](): MimeBundle {
    return tableBundle(this.view());
  }
}

function kindOf(values: readonly unknown[]): "text" | "number" | "boolean" {
  const present = values.filter((value) => value !== null && value !== undefined);
  if (present.length === 0) return "text";
  if (present.every((value) => typeof value === "number")) return "number";
  return present.every((value) => typeof value === "boolean") ? "boolean" : "text";
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return "no value";
  if (typeof value === "string") return value === "" ? "an empty text" : JSON.stringify(value.slice(0, 80));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "object" ? `an object (${String(toCell(value)).slice(0, 80)})` : String(value);
}

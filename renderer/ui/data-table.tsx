/**
 * A table of results: sortable, rows drawn as they come into view, numbers aligned on the decimal point. The grid is
 * one Tab stop; arrows move the active cell, Shift extends, Mod+C copies as TSV, Enter on a heading sorts.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useId, useMemo, useRef, useState } from "react";
import { announce } from "./announce.ts";
import { Button } from "./button.tsx";
import { copyText } from "./clipboard.ts";
import { formatCount, formatFixed, plural, toCsv, toTsv } from "./numbers.ts";
import "./data-table.css";

export type CellValue = string | number | boolean | null;

export interface TableColumnData {
  name: string;
  kind: "text" | "number" | "boolean";
  decimals?: number | undefined;
  unit?: string | undefined;
  /** Pixels; chosen from the contents without. */
  width?: number;
}
export interface TableData {
  title?: string | undefined;
  columns: readonly TableColumnData[];
  rows: readonly (readonly CellValue[])[];
  /** Rows of the whole table, when only some are here. */
  total?: number;
  notes?: readonly string[];
}

interface Props {
  label: string;
  table: TableData;
  /** Tallest the rows may get, in pixels. */
  maxHeight?: number;
  /** Draws a cell in another way; the sort and the copy still use the value. */
  renderCell?: (value: CellValue, row: number, column: number) => ReactNode | undefined;
  /** Marked rows (numbers in `table.rows`), and what Enter or a click on a row does. */
  selected?: ReadonlySet<number>;
  onActivate?: (row: number) => void;
  hideFooter?: boolean;
}

interface Place {
  /** −1 is the heading. */
  row: number;
  column: number;
}

const ROW = 28;
const collator = new Intl.Collator("en", { numeric: true });

export function DataTable({ label, table, maxHeight = 420, renderCell, selected, onActivate, hideFooter }: Props) {
  const { columns, rows } = table;
  const [sort, setSort] = useState<{ column: number; down: boolean } | null>(null);
  const [widths, setWidths] = useState<Record<number, number>>({});
  const [active, setActive] = useState<Place>({ row: -1, column: 0 });
  const [anchor, setAnchor] = useState<Place | null>(null);
  const [focused, setFocused] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();

  const decimals = useMemo(
    () => columns.map((column, c) => column.decimals ?? guessDecimals(rows, c)),
    [columns, rows],
  );
  const natural = useMemo(
    () => columns.map((column, c) => guessWidth(column, rows, c, decimals[c]!)),
    [columns, rows, decimals],
  );
  // Two columns may share a name.
  const keys = useMemo(() => columns.map((column, c) => `${c} ${column.name}`), [columns]);
  const order = useMemo(() => sortedOrder(rows, sort), [rows, sort]);
  const virtual = useVirtualizer({
    count: order.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
  });

  useEffect(() => {
    if (active.row >= order.length) setActive({ row: order.length - 1, column: 0 });
  }, [active.row, order.length]);

  const cellText = useCallback(
    (value: CellValue, column: number): string => {
      if (value === null || value === undefined) return "–";
      if (typeof value === "number")
        return columns[column]?.kind === "number" ? formatFixed(value, decimals[column]!) : String(value);
      return String(value);
    },
    [columns, decimals],
  );

  const range = (): { from: Place; to: Place } => {
    const start = anchor ?? active;
    return {
      from: { row: Math.min(start.row, active.row), column: Math.min(start.column, active.column) },
      to: { row: Math.max(start.row, active.row), column: Math.max(start.column, active.column) },
    };
  };
  const copy = async (kind: "selection" | "tsv" | "csv") => {
    const names = columns.map((column) => column.name);
    const all = Array.from(order, (i) => rows[i]!);
    if (kind === "csv") await copyText(toCsv(names, all));
    else if (kind === "tsv") await copyText(toTsv([names, ...all]));
    else {
      const { from, to } = range();
      const part = (row: readonly unknown[]) => row.slice(from.column, to.column + 1);
      const picked = all.slice(Math.max(0, from.row), to.row + 1).map(part);
      await copyText(toTsv(from.row < 0 ? [part(names), ...(to.row < 0 ? [] : picked)] : picked));
    }
    announce(
      kind === "selection"
        ? "Copied the selected cells"
        : `Copied ${plural(all.length, "row")} as ${kind.toUpperCase()}`,
    );
  };
  const tryCopy = (kind: "selection" | "tsv" | "csv") => {
    copy(kind).catch((error: unknown) =>
      announce(`Not copied: ${error instanceof Error ? error.message : String(error)}`),
    );
  };
  const toggleSort = (column: number) =>
    setSort((now) =>
      now?.column !== column
        ? { column, down: columns[column]?.kind === "number" }
        : now.down === (columns[column]?.kind === "number")
          ? { column, down: !now.down }
          : null,
    );

  const move = (place: Place, extend: boolean) => {
    const row = Math.max(-1, Math.min(order.length - 1, place.row));
    const column = Math.max(0, Math.min(columns.length - 1, place.column));
    setAnchor(extend ? (anchor ?? active) : null);
    setActive({ row, column });
    if (row >= 0) virtual.scrollToIndex(row);
    else scroller.current?.scrollTo({ top: 0 });
    scroller.current?.querySelector(`[data-head="${column}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLElement && event.target.closest("button")) return;
    const { row, column } = active;
    const page = Math.max(1, Math.floor(maxHeight / ROW) - 2);
    const steps: Record<string, Place> = {
      ArrowDown: { row: row + 1, column },
      ArrowUp: { row: row - 1, column },
      ArrowLeft: { row, column: column - 1 },
      ArrowRight: { row, column: column + 1 },
      PageDown: { row: row + page, column },
      PageUp: { row: Math.max(0, row - page), column },
      Home: event.ctrlKey || event.metaKey ? { row: 0, column: 0 } : { row, column: 0 },
      End: event.ctrlKey || event.metaKey ? { row: order.length - 1, column } : { row, column: columns.length - 1 },
    };
    const step = steps[event.key];
    if (step) move(step, event.shiftKey);
    else if ((event.key === "c" || event.key === "C") && (event.ctrlKey || event.metaKey)) {
      if (!getSelection()?.isCollapsed) return;
      tryCopy("selection");
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      setAnchor({ row: -1, column: 0 });
      setActive({ row: order.length - 1, column: columns.length - 1 });
    } else if (event.key === "Enter" || event.key === " ") {
      if (row < 0) toggleSort(column);
      else if (onActivate) onActivate(order[row]!);
      else return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const total = table.total ?? rows.length;
  const { from, to } = range();
  const inRange = (row: number, column: number) =>
    focused && row >= from.row && row <= to.row && column >= from.column && column <= to.column;

  return (
    <div className="dt">
      {table.title && <div className="dt-title">{table.title}</div>}
      <div className="dt-scroll" ref={scroller} style={{ maxHeight }}>
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is an interactive table
          role="grid"
          aria-label={label}
          aria-rowcount={total + 1}
          aria-colcount={columns.length}
          aria-multiselectable="true"
          aria-activedescendant={focused ? `${id}-${active.row}-${active.column}` : undefined}
          tabIndex={0}
          className="dt-table"
          onKeyDown={onKeyDown}
          onFocus={() => setFocused(true)}
          onBlur={() => setFocused(false)}
        >
          <colgroup>
            {columns.map((column, c) => (
              <col key={keys[c]} style={{ width: widths[c] ?? column.width ?? natural[c] }} />
            ))}
          </colgroup>
          <thead>
            <tr aria-rowindex={1}>
              {columns.map((column, c) => (
                <th
                  key={keys[c]}
                  id={`${id}--1-${c}`}
                  data-head={c}
                  scope="col"
                  aria-colindex={c + 1}
                  aria-sort={sort?.column === c ? (sort.down ? "descending" : "ascending") : "none"}
                  className={`${column.kind === "number" ? "dt-number" : ""} ${inRange(-1, c) ? "dt-in" : ""} ${focused && active.row < 0 && active.column === c ? "dt-active" : ""}`}
                >
                  <button
                    type="button"
                    tabIndex={-1}
                    className="dt-sort"
                    onClick={() => toggleSort(c)}
                    title={`Sort by ${column.name}`}
                  >
                    <span className="dt-name">{column.name}</span>
                    {column.unit && <span className="dt-unit"> {column.unit}</span>}
                    <span className="dt-arrow" aria-hidden="true">
                      {sort?.column === c ? (sort.down ? "↓" : "↑") : ""}
                    </span>
                  </button>
                  <ResizeHandle
                    width={() => widths[c] ?? column.width ?? natural[c]!}
                    onWidth={(width) => setWidths((all) => ({ ...all, [c]: width }))}
                  />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {before > 0 && (
              // biome-ignore lint/a11y/noAriaHiddenOnFocusable: room for rows out of view, it takes no focus
              <tr aria-hidden="true">
                <td style={{ height: before, padding: 0, border: 0 }} colSpan={columns.length} />
              </tr>
            )}
            {items.map((item) => {
              const source = order[item.index]!;
              const row = rows[source]!;
              return (
                <tr
                  key={item.key}
                  aria-rowindex={item.index + 2}
                  aria-selected={selected ? selected.has(source) : undefined}
                  className={`${selected?.has(source) ? "dt-selected" : ""} ${onActivate ? "dt-clickable" : ""}`}
                >
                  {columns.map((column, c) => {
                    const value = row[c] ?? null;
                    const text = cellText(value, c);
                    return (
                      // biome-ignore lint/a11y/useKeyWithClickEvents: the grid handles the keys
                      <td
                        key={keys[c]}
                        id={`${id}-${item.index}-${c}`}
                        aria-colindex={c + 1}
                        title={text.length > 24 ? text.slice(0, 2000) : undefined}
                        className={`${column.kind === "number" ? "dt-number" : ""} ${inRange(item.index, c) ? "dt-in" : ""} ${focused && active.row === item.index && active.column === c ? "dt-active" : ""}`}
                        onClick={(event) => {
                          move({ row: item.index, column: c }, event.shiftKey);
                          onActivate?.(source);
                        }}
                      >
                        {renderCell?.(value, source, c) ?? (text.length > 600 ? `${text.slice(0, 600)}…` : text)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {after > 0 && (
              // biome-ignore lint/a11y/noAriaHiddenOnFocusable: as above
              <tr aria-hidden="true">
                <td style={{ height: after, padding: 0, border: 0 }} colSpan={columns.length} />
              </tr>
            )}
          </tbody>
        </table>
        {rows.length === 0 && <p className="dt-empty">The table has no rows.</p>}
      </div>
      {!hideFooter && (
        <div className="dt-foot">
          <span>
            {total > rows.length
              ? `${formatCount(rows.length)} of ${plural(total, "row")} · ${plural(columns.length, "column")}`
              : `${plural(total, "row")} · ${plural(columns.length, "column")}`}
          </span>
          {total > rows.length && <span className="dt-foot-note">the rest stays in the kernel</span>}
          <span className="dt-space" />
          <Button size="small" tone="quiet" onClick={() => tryCopy("tsv")}>
            Copy TSV
          </Button>
          <Button size="small" tone="quiet" onClick={() => tryCopy("csv")}>
            Copy CSV
          </Button>
        </div>
      )}
      {table.notes && table.notes.length > 0 && (
        <ul className="dt-notes">
          {table.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function ResizeHandle({ width, onWidth }: { width: () => number; onWidth: (width: number) => void }) {
  return (
    <span
      className="dt-resize"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.preventDefault();
        event.stopPropagation();
        const handle = event.currentTarget;
        handle.setPointerCapture(event.pointerId);
        const [start, from] = [event.clientX, width()];
        const drag = (e: globalThis.PointerEvent) => onWidth(Math.max(40, from + e.clientX - start));
        handle.addEventListener("pointermove", drag);
        const end = () => {
          handle.removeEventListener("pointermove", drag);
          handle.removeEventListener("pointerup", end);
          handle.removeEventListener("pointercancel", end);
        };
        handle.addEventListener("pointerup", end);
        handle.addEventListener("pointercancel", end);
      }}
    />
  );
}

function sortedOrder(rows: TableData["rows"], sort: { column: number; down: boolean } | null): Int32Array {
  const order = Int32Array.from(rows, (_, i) => i);
  if (!sort) return order;
  const { column, down } = sort;
  const missing = (value: CellValue | undefined) =>
    value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
  return order.sort((a, b) => {
    const [x, y] = [rows[a]![column], rows[b]![column]];
    // Missing values stand last in both directions.
    if (missing(x) || missing(y)) return Number(missing(x)) - Number(missing(y)) || a - b;
    const order = typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y));
    return (down ? -order : order) || a - b;
  });
}

/** Enough decimals to tell values of this column apart, at most 4; whole numbers get none. */
function guessDecimals(rows: TableData["rows"], column: number): number {
  let most = 0;
  for (let i = 0; i < Math.min(rows.length, 200); i++) {
    const value = rows[i]![column];
    if (typeof value !== "number" || !Number.isFinite(value) || Number.isInteger(value)) continue;
    const size = Math.abs(value);
    most = Math.max(most, size >= 1000 ? 1 : size >= 100 ? 2 : size >= 10 ? 3 : 4);
  }
  return most;
}

function guessWidth(column: TableColumnData, rows: TableData["rows"], c: number, decimals: number): number {
  let longest = column.name.length + (column.unit ? column.unit.length + 1 : 0) + 2;
  for (let i = 0; i < Math.min(rows.length, 100); i++) {
    const value = rows[i]![c];
    const text = typeof value === "number" ? formatFixed(value, decimals) : String(value ?? "–");
    if (text.length > longest) longest = text.length;
  }
  return Math.round(Math.min(column.kind === "text" ? 440 : 180, Math.max(56, longest * 7.2 + 24)));
}

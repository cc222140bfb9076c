/** The embedding map: canvas, legend, neighbours in the original space, selection, search, table twin. */
import { type KeyboardEvent, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { MapView } from "../../../kernels/protocol/display.ts";
import { Button } from "../../ui/button.tsx";
import { DataTable, type TableData } from "../../ui/data-table.tsx";
import { formatCount, formatUnit, plural } from "../../ui/numbers.ts";
import { FigureFrame } from "../figure-frame.tsx";
import { drawPng, SvgPen } from "../pen.ts";
import { plotTheme, usePlotTheme } from "../theme.ts";
import { MapCanvas, type MapTool } from "./map-canvas.ts";
import { decodeMap, type MapData, neighboursOf, searchMap } from "./map-data.ts";
import { drawMap, fitCamera, type MapMarks } from "./map-draw.ts";
import { MapLegend, type MapSelection, MapSidePanel } from "./map-panel.tsx";
import "./map.css";

/** @throws RangeError from the decoder when the arrays are damaged; the caller shows another representation. */
export function MapFigure({ view }: { view: MapView }) {
  const data = useMemo(() => decodeMap(view), [view]);
  const theme = usePlotTheme();
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<MapCanvas | null>(null);
  const tip = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const [tool, setTool] = useState<MapTool>("pan");
  const [selection, setSelection] = useState<MapSelection | null>(null);
  const [focus, setFocus] = useState<number | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const [isolated, setIsolated] = useState<readonly number[] | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set());
  const [query, setQuery] = useState("");
  const [asTable, setAsTable] = useState(false);
  const walk = useRef<{ from: number; step: number } | null>(null);
  const id = useId();

  const pick = useCallback((row: number | null) => {
    walk.current = null;
    setFocus(row);
    setSelection(row === null ? null : { kind: "point", rows: [row] });
  }, []);

  // Before paint: a canvas that can be seen takes keys.
  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const live = new MapCanvas(element, data, plotTheme(), {
      onHover: (row) => setHover(row),
      onPick: pick,
      onArea: (rows) => {
        setFocus(null);
        setSelection(rows.length === 0 ? null : { kind: "area", rows });
      },
    });
    map.current = live;
    return () => {
      live.dispose();
      map.current = null;
    };
  }, [data, pick]);

  const shown = useMemo(() => {
    if (isolated === null && hidden.size === 0) return null;
    const out = new Uint8Array(data.n).fill(isolated === null ? 1 : 0);
    for (const i of isolated ?? []) out[i] = 1;
    for (let i = 0; i < data.n; i++) if (hidden.has(data.categoryOf[i]!)) out[i] = 0;
    return out;
  }, [data, isolated, hidden]);

  const marks = useMemo<MapMarks>(() => {
    let selected: Uint8Array | null = null;
    const linked =
      focus === null
        ? []
        : neighboursOf(data, focus)
            .slice(0, 10)
            .map((n) => n.row);
    if (selection) {
      selected = new Uint8Array(data.n);
      for (const i of selection.rows) selected[i] = 1;
      if (selection.kind === "point") for (const i of linked) selected[i] = 1;
    }
    return { selected, shown, focus, hover, linked: selection?.kind === "point" ? linked : [] };
  }, [data, selection, shown, focus, hover]);

  useEffect(() => {
    if (map.current) map.current.marks = marks;
  }, [marks]);
  useEffect(() => {
    if (map.current) map.current.theme = theme;
  }, [theme]);
  useEffect(() => {
    if (map.current) map.current.tool = tool;
  }, [tool]);

  const pointed = hover ?? focus;
  useEffect(() => {
    const box = tip.current;
    const at = pointed === null ? null : map.current?.pixel(pointed);
    if (!box || !at || !canvas.current) return;
    const { clientWidth, clientHeight } = canvas.current;
    const right = at[0] > clientWidth / 2;
    box.style.left = right ? "" : `${Math.max(4, at[0] + 12)}px`;
    box.style.right = right ? `${Math.max(4, clientWidth - at[0] + 12)}px` : "";
    const below = at[1] < clientHeight / 2;
    box.style.top = below ? `${at[1] + 10}px` : "";
    box.style.bottom = below ? "" : `${clientHeight - at[1] + 10}px`;
  }, [pointed]);

  const onSearch = (text: string) => {
    setQuery(text);
    setFocus(null);
    const rows = searchMap(data, text);
    setSelection(text.trim() === "" ? null : { kind: "search", rows, query: text });
  };
  const isolate = () => {
    if (isolated) {
      setIsolated(null);
      map.current?.fit();
      return;
    }
    if (!selection) return;
    const rows =
      selection.kind === "point"
        ? [selection.rows[0]!, ...neighboursOf(data, selection.rows[0]!).map((n) => n.row)]
        : selection.rows;
    setIsolated(rows);
    map.current?.fit(rows);
  };
  const moveTo = (row: number) => {
    setFocus(row);
    map.current?.reveal(row);
  };
  const nextNeighbour = () => {
    if (focus === null) {
      const row = map.current?.nearest(...map.current.middle, Number.POSITIVE_INFINITY);
      if (row !== null && row !== undefined) moveTo(row);
      return;
    }
    // N walks through the neighbours of the point it started at, nearest first.
    const at = walk.current ?? { from: focus, step: 0 };
    const list = neighboursOf(data, at.from);
    const next = list[at.step % Math.max(1, list.length)];
    walk.current = { from: at.from, step: at.step + 1 };
    if (next) moveTo(next.row);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const live = map.current;
    if (!live || event.ctrlKey || event.metaKey || event.altKey) return;
    if (
      event.target instanceof HTMLInputElement ||
      (event.target instanceof HTMLElement && event.target.closest("table"))
    )
      return;
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const arrow = arrows[event.key];
    const onCanvas = event.target === canvas.current;
    if (arrow) {
      if (!onCanvas) return;
      if (event.shiftKey) {
        walk.current = null;
        if (focus === null) nextNeighbour();
        else {
          const row = live.neighbourTowards(focus, arrow[0], arrow[1]);
          if (row !== null) moveTo(row);
        }
      } else live.panBy(arrow[0] * 60, arrow[1] * 60);
    } else if (event.key === "+" || event.key === "=") live.zoomBy(1.5);
    else if (event.key === "-" || event.key === "_") live.zoomBy(1 / 1.5);
    else if (event.key === "0") live.fit();
    else if (event.key === "l" || event.key === "L") setTool(tool === "lasso" ? "pan" : "lasso");
    else if (event.key === "r" || event.key === "R") setTool(tool === "box" ? "pan" : "box");
    else if (event.key === "n" || event.key === "N") nextNeighbour();
    else if (event.key === "t" || event.key === "T") setAsTable(!asTable);
    else if (event.key === "i" || event.key === "I") isolate();
    else if (event.key === "/") search.current?.focus();
    else if (event.key === "Enter" && onCanvas) {
      if (focus !== null) pick(focus);
    } else if (event.key === "Escape") {
      // With nothing left to clear the key belongs to the notebook: it leaves the output.
      if (!selection && focus === null && isolated === null && tool === "pan") return;
      if (tool !== "pan") setTool("pan");
      setIsolated(null);
      setQuery("");
      pick(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const exports = useMemo(() => {
    const [width, height] = [900, 640];
    return {
      fileName: `map ${view.method}${view.encoderName ? ` ${view.encoderName}` : ""}`,
      png: () =>
        drawPng(width, height, plotTheme().font, (pen) =>
          drawMap(pen, width, height, data, fitCamera(data, width, height), marks, plotTheme()),
        ),
      svg: () => {
        const pen = new SvgPen(width, height, plotTheme().font);
        drawMap(pen, width, height, data, fitCamera(data, width, height), marks, plotTheme());
        return pen.toString(summary(data));
      },
      table: () => mapTable(data, true),
    };
  }, [data, marks, view]);

  const toolButton = (which: MapTool, name: string, key: string) => (
    <Button
      size="small"
      tone="quiet"
      className="plot-toggle"
      aria-pressed={tool === which}
      title={`${name} (${key})`}
      aria-keyshortcuts={key}
      onClick={() => setTool(tool === which ? "pan" : which)}
    >
      {name}
    </Button>
  );
  const controls = (
    <div className="map-tools" role="toolbar" aria-label="Map tools">
      <input
        ref={search}
        className="map-search"
        type="search"
        placeholder="Search texts"
        aria-label="Search texts by words"
        value={query}
        onChange={(event) => onSearch(event.target.value)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") {
            onSearch("");
            canvas.current?.focus();
          }
        }}
      />
      {toolButton("lasso", "Lasso", "L")}
      {toolButton("box", "Box", "R")}
      <Button
        size="small"
        tone="quiet"
        title="Zoom in (+)"
        aria-label="Zoom in"
        onClick={() => map.current?.zoomBy(1.5)}
      >
        +
      </Button>
      <Button
        size="small"
        tone="quiet"
        title="Zoom out (−)"
        aria-label="Zoom out"
        onClick={() => map.current?.zoomBy(1 / 1.5)}
      >
        −
      </Button>
      <Button size="small" tone="quiet" title="Show all points (0)" onClick={() => map.current?.fit()}>
        Fit
      </Button>
      <Button
        size="small"
        tone="quiet"
        className="plot-toggle"
        aria-pressed={isolated !== null}
        disabled={!selection && !isolated}
        title="Show only the selection (I)"
        onClick={isolate}
      >
        Isolate
      </Button>
    </div>
  );
  const selectedRows = useMemo(() => new Set(selection?.rows ?? []), [selection]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the map work anywhere inside it
    <div className="map-figure" onKeyDown={onKeyDown}>
      <FigureFrame
        label={`Embedding map, ${summary(data)}`}
        exports={exports}
        controls={controls}
        asTable={asTable}
        onAsTable={setAsTable}
        twin={
          <DataTable
            label={`Embedding map as a table, ${summary(data)}`}
            table={mapTable(data, false)}
            selected={selectedRows}
            onActivate={(row) => pick(row)}
          />
        }
      >
        <div className="map-body">
          <div className="map-stage">
            <canvas
              ref={canvas}
              className={`map-canvas map-tool-${tool}`}
              role="img"
              aria-label={`Embedding map: ${summary(data)}. Press N for a point and its neighbours, T for the table.`}
              aria-describedby={`${id}-said`}
              tabIndex={0}
            />
            <div ref={tip} className="map-tip" hidden={pointed === null} aria-hidden="true">
              {pointed !== null && (
                <>
                  {data.labels && <span className="map-tip-label">{data.labels[pointed]}</span>}
                  {shorten(data.texts[pointed] ?? "", 240)}
                </>
              )}
            </div>
            <span id={`${id}-said`} className="visually-hidden" aria-live="polite">
              {focus === null
                ? ""
                : `${data.labels ? `${data.labels[focus]}: ` : ""}${shorten(data.texts[focus] ?? "", 200)}`}
            </span>
          </div>
          <aside className="map-side" aria-label="Selection and legend">
            <MapSidePanel
              data={data}
              selection={selection}
              onPick={pick}
              onHover={setHover}
              isolated={isolated}
              onShowAll={isolate}
            />
            <MapLegend data={data} hidden={hidden} onHidden={setHidden} />
          </aside>
        </div>
      </FigureFrame>
      <p className="map-foot">
        <span>
          {Number.isFinite(view.trustworthiness) && (
            <>
              trustworthiness <b>{formatUnit(view.trustworthiness)}</b> (k {formatCount(view.trustworthinessK)}, n{" "}
              {formatCount(view.trustworthinessN)}) ·{" "}
            </>
          )}
          2-D distances between far groups carry no meaning
        </span>
        <span>{parameters(view)}</span>
      </p>
      {view.notes.length > 0 && (
        <ul className="plot-notes">
          {view.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function parameters(view: MapView): string {
  const parts = [`${view.method === "umap" ? "UMAP" : view.method.toUpperCase()} k ${view.k}`];
  if (view.method === "umap") {
    if (Number.isFinite(view.minDist))
      parts.push(`min. distance ${formatUnit(view.minDist, view.minDist < 0.095 ? 2 : 1)}`);
    if (Number.isFinite(view.epochs)) parts.push(plural(view.epochs, "epoch"));
  }
  if (Number.isFinite(view.seed)) parts.push(`seed ${view.seed}`);
  parts.push(view.metric);
  if (view.encoderName) parts.push(view.encoderName);
  return parts.join(" · ");
}

function summary(data: MapData): string {
  const groups = data.labels ? `, ${plural(new Set(data.labels).size, "label")}` : "";
  return `${plural(data.n, "point")}${groups}`;
}

export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** One row a point; `whole` adds the coordinates for a file. */
function mapTable(data: MapData, whole: boolean): TableData {
  const rows: (string | number | null)[][] = [];
  for (let i = 0; i < data.n; i++) {
    const nearest = neighboursOf(data, i)[0];
    rows.push([
      i,
      ...(data.labels ? [data.labels[i]!] : []),
      data.texts[i]!,
      nearest ? data.texts[nearest.row]! : null,
      nearest && Number.isFinite(nearest.similarity) ? nearest.similarity : null,
      ...(whole ? [data.points[2 * i]!, data.points[2 * i + 1]!] : []),
    ]);
  }
  return {
    columns: [
      { name: "row", kind: "number", decimals: 0 },
      ...(data.labels ? [{ name: data.view.labelName ?? "label", kind: "text" as const }] : []),
      { name: "text", kind: "text" },
      { name: `nearest in ${data.view.dimensions}-d`, kind: "text" },
      { name: data.view.metric, kind: "number", decimals: 3 },
      ...(whole
        ? [
            { name: "x", kind: "number" as const },
            { name: "y", kind: "number" as const },
          ]
        : []),
    ],
    rows,
  };
}

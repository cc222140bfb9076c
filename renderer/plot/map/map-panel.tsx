/** Beside the map: what is selected with its neighbours in the original space, and the legend. */
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { formatCount, formatUnit, plural } from "../../ui/numbers.ts";
import { MARKER_GLYPHS } from "../theme.ts";
import { type MapData, neighboursOf } from "./map-data.ts";

export interface MapSelection {
  kind: "point" | "area" | "search";
  rows: readonly number[];
  query?: string;
}

const MOST_LISTED = 200;

interface Props {
  data: MapData;
  selection: MapSelection | null;
  onPick(row: number): void;
  onHover(row: number | null): void;
  isolated: readonly number[] | null;
  onShowAll(): void;
}

export function MapSidePanel(props: Props) {
  const { data, selection, isolated, onShowAll } = props;
  return (
    <div className="map-panel">
      {isolated && (
        <p className="map-isolated">
          Only {plural(isolated.length, "point")} shown.{" "}
          <Button size="small" tone="quiet" onClick={onShowAll}>
            Show all
          </Button>
        </p>
      )}
      {selection === null ? (
        <p className="map-hint">
          Click a point for its nearest texts in the original {formatCount(data.view.dimensions)} dimensions. Draw with
          Lasso or Box to select many.
        </p>
      ) : selection.kind === "point" ? (
        <OnePoint {...props} row={selection.rows[0]!} />
      ) : (
        <ManyPoints {...props} selection={selection} />
      )}
    </div>
  );
}

function Glyph({ data, row }: { data: MapData; row: number }) {
  return <CategoryGlyph slot={data.categories[data.categoryOf[row]!]?.slot ?? 0} />;
}

function CategoryGlyph({ slot }: { slot: number }) {
  return (
    <span
      className="map-glyph"
      style={{ color: slot === 0 ? "var(--text-faint)" : `var(--cat-${slot})` }}
      aria-hidden="true"
    >
      {slot === 0 ? "•" : MARKER_GLYPHS[slot - 1]}
    </span>
  );
}

function OnePoint({ data, row, onPick, onHover }: Props & { row: number }) {
  const neighbours = neighboursOf(data, row);
  return (
    <>
      <p className="map-selected">
        {data.labels && (
          <span className="map-selected-label">
            <Glyph data={data} row={row} /> {data.labels[row]} · row {formatCount(row)}
          </span>
        )}
        <span className="map-selected-text">{cut(data.texts[row] ?? "", 400)}</span>
      </p>
      <h4 className="map-heading">
        nearest in {formatCount(data.view.dimensions)}-d ({data.view.metric})
      </h4>
      <ol className="map-list">
        {neighbours.map(({ row: other, similarity }) => (
          <li key={other}>
            <RowButton data={data} row={other} onPick={onPick} onHover={onHover} value={formatUnit(similarity)} />
          </li>
        ))}
      </ol>
    </>
  );
}

function ManyPoints({ data, selection, onPick, onHover }: Props & { selection: MapSelection }) {
  const { rows } = selection;
  const shares = new Map<number, number>();
  for (const i of rows) shares.set(data.categoryOf[i]!, (shares.get(data.categoryOf[i]!) ?? 0) + 1);
  const copy = (text: string, done: string) =>
    copyText(text).then(
      () => announce(done),
      (error: unknown) => announce(`Not copied: ${String(error)}`),
    );
  return (
    <>
      <p className="map-selected" role="status">
        {selection.kind === "search" ? (
          rows.length === 0 ? (
            `No text holds “${selection.query}”.`
          ) : (
            <>
              <b>{formatCount(rows.length)}</b> of {formatCount(data.n)} hold “{selection.query}”
            </>
          )
        ) : (
          <>
            Selected <b>{formatCount(rows.length)}</b> of {formatCount(data.n)}
          </>
        )}
      </p>
      {data.labels && rows.length > 0 && (
        <p className="map-shares">
          {[...shares]
            .sort((a, b) => b[1] - a[1])
            .slice(0, 5)
            .map(([category, n]) => (
              <span key={category} className="map-share">
                <CategoryGlyph slot={data.categories[category]?.slot ?? 0} /> {data.categories[category]?.name}{" "}
                {formatCount(n)}
              </span>
            ))}
        </p>
      )}
      {rows.length > 0 && (
        <p className="map-actions">
          <Button
            size="small"
            tone="quiet"
            onClick={() =>
              void copy(rows.map((i) => data.texts[i]).join("\n"), `Copied ${plural(rows.length, "text")}.`)
            }
          >
            Copy texts
          </Button>
          <Button
            size="small"
            tone="quiet"
            onClick={() =>
              void copy(`const selection = [${rows.join(", ")}];`, `Copied ${plural(rows.length, "row number")}.`)
            }
          >
            Copy as code
          </Button>
        </p>
      )}
      <ul className="map-list">
        {rows.slice(0, MOST_LISTED).map((row) => (
          <li key={row}>
            <RowButton data={data} row={row} onPick={onPick} onHover={onHover} />
          </li>
        ))}
      </ul>
      {rows.length > MOST_LISTED && (
        <p className="map-hint">{formatCount(rows.length - MOST_LISTED)} more: see the table (T).</p>
      )}
    </>
  );
}

interface RowProps {
  data: MapData;
  row: number;
  value?: string;
  onPick(row: number): void;
  onHover(row: number | null): void;
}

function RowButton({ data, row, value, onPick, onHover }: RowProps) {
  return (
    <button
      type="button"
      className="map-row"
      title={cut(data.texts[row] ?? "", 600)}
      onClick={() => onPick(row)}
      onMouseEnter={() => onHover(row)}
      onMouseLeave={() => onHover(null)}
      onFocus={() => onHover(row)}
      onBlur={() => onHover(null)}
    >
      {value !== undefined && <span className="map-value">{value}</span>}
      {data.labels && <Glyph data={data} row={row} />}
      <span className="map-row-text">{cut(data.texts[row] ?? "", 160)}</span>
    </button>
  );
}

const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

interface LegendProps {
  data: MapData;
  hidden: ReadonlySet<number>;
  onHidden(hidden: ReadonlySet<number>): void;
}

export function MapLegend({ data, hidden, onHidden }: LegendProps) {
  if (!data.labels) return null;
  return (
    <div className="map-legend">
      <h4 className="map-heading">colour: {data.view.labelName ?? "label"}</h4>
      <ul>
        {data.categories.map((category, i) => (
          <li key={category.name}>
            <button
              type="button"
              className="map-row"
              aria-pressed={!hidden.has(i)}
              title={hidden.has(i) ? "Show these points" : "Hide these points"}
              onClick={() => {
                const next = new Set(hidden);
                if (!next.delete(i)) next.add(i);
                onHidden(next);
              }}
            >
              <CategoryGlyph slot={category.slot} />
              <span className="map-row-text">{category.name}</span>
              <span className="map-count">{hidden.has(i) ? "hidden" : formatCount(category.count)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

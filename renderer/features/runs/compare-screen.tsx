/** Two to ten runs side by side: where they differ, their scores with intervals, their curves over one another. */
import { type KeyboardEvent, useContext, useEffect, useId, useRef, useState } from "react";
import { type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import type { RunDetails } from "../../../kernels/protocol/run-plans.ts";
import { type ChartRun, RunCharts } from "../../plot/run/run-charts.tsx";
import type { RunFeed } from "../../plot/run/run-feed.ts";
import { MARKER_GLYPHS } from "../../plot/theme.ts";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText, saveBlob } from "../../ui/clipboard.ts";
import { EmptyState } from "../../ui/empty-state.tsx";
import { TextMenuButton } from "../../ui/menu-button.tsx";
import {
  againstBase,
  type Compared,
  type CompareRow,
  compareRows,
  comparisonCell,
  comparisonCsv,
  comparisonMarkdown,
  evaluationDigest,
  unfairNotes,
  visibleRows,
} from "./compare.ts";
import { CompareForest, spanOf } from "./compare-forest.tsx";
import { writeCell } from "./write-cell.ts";
import "./compare.css";

interface Props {
  runs: readonly RunSummary[];
  chartRuns: readonly ChartRun[];
  feeds: ReadonlyMap<string, RunFeed>;
  slots: Readonly<Record<string, number>>;
  smoothing: number;
  onSmoothing(value: number): void;
  onDrop(folder: string): void;
  onPin(folder: string | null): void;
  onBack(): void;
}

export function CompareScreen({ runs, chartRuns, feeds, slots, smoothing, onSmoothing, onDrop, onPin, onBack }: Props) {
  const app = useContext(AppContext);
  const [differencesOnly, setDifferencesOnly] = useState(true);
  const [query, setQuery] = useState("");
  const [column, setColumn] = useState(0);
  const search = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const id = useId();
  const details = useAllDetails(runs);
  const all: Compared[] = runs.map((run) => {
    const feed = feeds.get(run.folder);
    return {
      run,
      series: feed === undefined || feed.state === "loading" ? null : feed.series,
      details: details.get(run.folder) ?? null,
    };
  });
  const names = runs.map(runTitle);
  const base = Math.max(
    0,
    runs.findIndex((run) => run.label?.pinned === true),
  );
  const rows = compareRows(all);
  const digests = all.map(evaluationDigest);
  const shown = visibleRows(rows, differencesOnly, query);
  const at = Math.min(column, Math.max(0, runs.length - 1));

  const focusColumn = (to: number) => {
    setColumn(to);
    table.current?.querySelectorAll<HTMLElement>("[data-column]")[to]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
    if (typing && event.key === "Escape") setQuery("");
    else if (
      typing ||
      (event.target instanceof HTMLElement && event.target.closest("[role=menu], [role=grid], canvas"))
    )
      return;
    else if (event.key === "d" || event.key === "D") {
      setDifferencesOnly(!differencesOnly);
      announce(differencesOnly ? "All rows." : "Differences only.");
    } else if (event.key === "/") search.current?.focus();
    else if (event.key === "Escape") onBack();
    else {
      const inTable = event.target instanceof HTMLElement && event.target.closest("[data-column]") !== null;
      const run = runs[at];
      if (!inTable || run === undefined) return;
      if (event.key === "ArrowRight") focusColumn(Math.min(runs.length - 1, at + 1));
      else if (event.key === "ArrowLeft") focusColumn(Math.max(0, at - 1));
      else if (event.key === "b" || event.key === "B") onPin(run.folder);
      else if (event.key === " ") {
        announce(`${runTitle(run)} is left out.`);
        onDrop(run.folder);
        requestAnimationFrame(() => focusColumn(Math.max(0, at - 1)));
      } else return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const done = (work: Promise<unknown>, said: string) =>
    void work.then(
      () => announce(said),
      (error: unknown) => app?.report(error),
    );
  const exports = () => [
    {
      id: "markdown",
      label: "Copy as Markdown",
      onSelect: () => done(copyText(comparisonMarkdown(names, shown)), "Copied the table."),
    },
    {
      id: "csv",
      label: "Copy as CSV",
      onSelect: () => done(copyText(comparisonCsv(names, shown)), "Copied the table."),
    },
    {
      id: "save",
      label: "Save as CSV",
      onSelect: () =>
        done(
          Promise.resolve(saveBlob(new Blob([comparisonCsv(names, shown)], { type: "text/csv" }), "runs.csv")),
          "Saved the table.",
        ),
    },
    {
      id: "cell",
      label: "Notebook cell",
      onSelect: () => {
        if (app === null) return;
        const source = comparisonCell(runs.map(({ folder }) => folder));
        writeCell(app, () => source, { run: false, stay: false }).catch((error: unknown) => app.report(error));
      },
    },
  ];

  const head = (
    <header className="compare-head">
      <Button size="small" onClick={onBack} aria-keyshortcuts="Escape">
        ← Runs
      </Button>
      <h2 className="run-name">Compare {runs.length < 2 ? "runs" : `${runs.length} runs`}</h2>
      <span className="run-line-space" />
      {runs.length >= 2 && (
        <>
          <label className="compare-only">
            <input
              type="checkbox"
              checked={differencesOnly}
              aria-keyshortcuts="D"
              onChange={(event) => setDifferencesOnly(event.currentTarget.checked)}
            />{" "}
            differences only
          </label>
          <input
            ref={search}
            className="field compare-search"
            type="search"
            placeholder="Search…"
            aria-label="Search settings and results"
            aria-keyshortcuts="/"
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
          />
          <TextMenuButton label="Export" name="Export the table" tone="plain" items={exports} />
        </>
      )}
    </header>
  );
  if (runs.length < 2)
    return (
      <div className="compare">
        {head}
        <EmptyState
          title="Choose two or more runs."
          action={
            <Button
              tone="primary"
              onClick={() => document.querySelector<HTMLElement>(".runs-list [aria-current=true], .runs-row")?.focus()}
            >
              Choose…
            </Button>
          }
        >
          <p className="muted">Tick them in the list: Space on a run shows or hides it.</p>
        </EmptyState>
      </div>
    );
  const notes = unfairNotes(all);
  const loading = all.some(({ series }) => series === null);
  const forests = rows.filter((row) => row.kind === "score" && row.id.endsWith(" after") && spanOf(row) !== null);
  const forestRuns = runs.map((run, i) => ({ name: names[i]!, slot: slots[run.folder] ?? 0 }));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the screen, from wherever the focus is in it
    <div className="compare" onKeyDown={onKeyDown}>
      {head}
      {notes.length > 0 && (
        <ul className="compare-notes" aria-label="Before you compare">
          {notes.map(({ tone, text }) => (
            <li key={text} className={`compare-${tone}`}>
              <span aria-hidden="true">{tone === "warning" ? "≠" : "○"}</span> {text}
            </li>
          ))}
        </ul>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard */}
      <section className="compare-box" aria-label="Comparison" tabIndex={0} aria-busy={loading}>
        <table ref={table} className="compare-table" aria-describedby={`${id}-keys`}>
          <thead>
            <tr>
              <th scope="col">
                <span className="visually-hidden">Setting or result</span>
              </th>
              {runs.map((run, i) => {
                const slot = slots[run.folder];
                return (
                  <th key={run.folder} scope="col">
                    <button
                      type="button"
                      data-column={i}
                      className="compare-run"
                      tabIndex={i === at ? 0 : -1}
                      onFocus={() => setColumn(i)}
                      onClick={() => onPin(run.folder)}
                      title={`${names[i]}: B or click makes it the base, Space leaves it out`}
                    >
                      <span
                        className="runs-glyph"
                        style={{ color: slot ? `var(--cat-${slot})` : "var(--text-faint)" }}
                        aria-hidden="true"
                      >
                        {slot ? MARKER_GLYPHS[slot - 1] : "·"}
                      </span>
                      {names[i]}
                      {i === base && <span className="runs-pin"> base</span>}
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <Row key={row.id} row={row} base={base} marked={!differencesOnly} digests={digests} />
            ))}
          </tbody>
        </table>
        {shown.length === 0 && (
          <p className="runs-none">
            {loading
              ? "Reading the runs…"
              : query === ""
                ? "Nothing differs. D shows all rows."
                : `Nothing matches “${query}”.`}
          </p>
        )}
      </section>
      <p id={`${id}-keys`} className="type-caption">
        ←→ runs · B base · Space leave out · D differences · / search · Esc back. “–”: the run has no such value.
      </p>
      {forests.map((row) => (
        <CompareForest key={row.id} row={row} runs={forestRuns} base={base} />
      ))}
      {chartRuns.length > 0 && (
        <section aria-label="Curves">
          <RunCharts runs={chartRuns} smoothing={smoothing} onSmoothing={onSmoothing} height={220} />
        </section>
      )}
    </div>
  );
}

interface RowProps {
  row: CompareRow;
  base: number;
  marked: boolean;
  digests: readonly (string | null)[];
}

function Row({ row, base, marked, digests }: RowProps) {
  const span = row.kind === "score" ? spanOf(row) : null;
  const against = row.cells[base]?.score;
  return (
    <tr className={marked && row.differs ? "compare-differs" : ""}>
      <th scope="row">
        {row.name}
        {marked && row.differs && <span className="compare-word"> differs</span>}
      </th>
      {row.cells.map(({ text, score }, i) => {
        const words = i === base ? null : againstBase(score, against, digests[i] === digests[base]);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a column is a run, in the order of the head
          <td key={i}>
            {text}
            {score !== undefined && (
              <span className="compare-interval">
                {" "}
                [{(score.low * 100).toFixed(2)}, {(score.high * 100).toFixed(2)}]
              </span>
            )}
            {score !== undefined && span !== null && <Mark score={score} span={span} />}
            {words !== null && <span className="compare-delta">{words}</span>}
          </td>
        );
      })}
    </tr>
  );
}

/** ▏──●──▕ on the scale of the row. */
function Mark({ score, span }: { score: NonNullable<CompareRow["cells"][number]["score"]>; span: [number, number] }) {
  const at = (value: number) => `${(100 * (value * 100 - span[0])) / (span[1] - span[0])}%`;
  return (
    <span className="compare-mark" aria-hidden="true">
      <span className="compare-whisker" style={{ left: at(score.low), right: `calc(100% - ${at(score.high)})` }} />
      <span className="compare-point" style={{ left: at(score.score) }} />
    </span>
  );
}

/** What tells evaluation sets apart lies in the run folders; each is read once. */
function useAllDetails(runs: readonly RunSummary[]): ReadonlyMap<string, RunDetails> {
  const app = useContext(AppContext);
  const [known, setKnown] = useState<ReadonlyMap<string, RunDetails>>(new Map());
  const asked = useRef(new Set<string>());
  const key = runs.map(({ folder }) => folder).join("\n");
  useEffect(() => {
    if (app === null) return;
    for (const folder of key.split("\n").filter((each) => each !== "" && !asked.current.has(each))) {
      asked.current.add(folder);
      app.client.call("runs.details", { folder }).then(
        (details) => setKnown((before) => new Map(before).set(folder, details)),
        // Without it the names and sizes of the sets are compared.
        () => undefined,
      );
    }
  }, [app, key]);
  return known;
}

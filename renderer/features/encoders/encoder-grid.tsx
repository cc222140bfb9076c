/**
 * The rows. One Tab stop for the grid and the buttons of its row: arrows move, Enter opens details, Space uses, Delete
 * removes. What a row has to say (a download, an error) stands below it, in words.
 */
import { type KeyboardEvent, type ReactNode, type Ref, useEffect, useRef } from "react";
import type { EncoderEntry, MeasureProgress } from "../../../kernels/protocol/encoders.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { MenuButton, type MenuItem } from "../../ui/menu.tsx";
import { ProgressBar } from "../../ui/progress-bar.tsx";
import { formatCount, formatDiskBytes, formatRate } from "../../ui/units.ts";
import { hubHost, languagesText, measureText, progressText, rowName, stateWords } from "./encoder-words.ts";
import { type EncodersView, isBroken, isRefused, isRemovable, rowsOf, type SortColumn } from "./encoders-state.ts";
import type { EncodersActions } from "./use-encoders.ts";

interface Props {
  view: EncodersView;
  actions: EncodersActions;
  onMove(id: string): void;
  onOpen(id: string | null): void;
  onRemove(entry: EncoderEntry): void;
  onSort(column: SortColumn): void;
  onAddFolder(): void;
  onManageDisk(): void;
  /** Where encoders come from: mirror, offline, token. */
  onSettings(): void;
  onDismiss(id: string): void;
  ref?: Ref<HTMLDivElement>;
}

interface Column {
  id: string;
  label: string;
  title?: string;
  sort?: SortColumn;
  number?: boolean;
}

const COLUMNS: readonly Column[] = [
  { id: "name", label: "Name", sort: "name" },
  { id: "dims", label: "Dims", title: "Dimensions of a vector", sort: "dimensions", number: true },
  { id: "tokens", label: "Tokens", title: "Most tokens of a text", sort: "maxTokens", number: true },
  { id: "size", label: "Size", title: "On disk", sort: "sizeBytes", number: true },
  { id: "licence", label: "Licence", sort: "licence" },
  { id: "languages", label: "Languages" },
  { id: "prompts", label: "Prompts", number: true },
  { id: "speed", label: "Texts/s", title: "Measured on this computer", sort: "speed", number: true },
  { id: "state", label: "State" },
  { id: "actions", label: "Actions" },
];

export function EncoderGrid(props: Props) {
  const { view, onSort, ref } = props;
  const rows = rowsOf(view);
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows hold buttons, bars and errors; a table element cannot lay them out
    <div ref={ref} role="grid" aria-label="Encoders" aria-rowcount={rows.length + 1} className="enc-grid">
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      <div role="rowgroup" className="enc-headgroup">
        {/* biome-ignore lint/a11y/useSemanticElements: as above */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: its buttons sort, it takes no focus itself */}
        <div role="row" className="enc-row enc-head">
          {COLUMNS.map((column) => (
            <Heading key={column.id} column={column} sort={view.sort} onSort={onSort} />
          ))}
        </div>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: as above */}
      <div role="rowgroup">
        {rows.map((entry) => (
          <Row key={entry.id} entry={entry} {...props} />
        ))}
      </div>
    </div>
  );
}

function Heading({ column, sort, onSort }: { column: Column; sort: EncodersView["sort"]; onSort: Props["onSort"] }) {
  const { label, title, number = false } = column;
  const by = column.sort;
  const down = by !== undefined && sort?.column === by ? sort.down : null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: as above
    <div
      role="columnheader"
      className={`enc-cell enc-${column.id} ${number ? "enc-number" : ""}`}
      {...(by === undefined ? {} : { "aria-sort": down === null ? "none" : down ? "descending" : "ascending" })}
    >
      {by === undefined ? (
        <span className={column.id === "actions" ? "visually-hidden" : ""} title={title}>
          {label}
        </span>
      ) : (
        <button type="button" className="enc-sort" title={title ?? `Sort by ${label}`} onClick={() => onSort(by)}>
          {label}
          {down !== null && <span aria-hidden="true"> {down ? "↓" : "↑"}</span>}
        </button>
      )}
    </div>
  );
}

function Row(props: Props & { entry: EncoderEntry }) {
  const { entry, view, actions, onMove, onOpen, onRemove } = props;
  const active = view.active === entry.id;
  const open = view.open === entry.id;
  const isMeasuring = view.measuring[entry.id] !== undefined;
  const box = useRef<HTMLDivElement>(null);
  // The details take room from the list: their row stays in view.
  useEffect(() => {
    if (open) box.current?.scrollIntoView({ block: "nearest" });
  }, [open]);
  const words = isMeasuring ? { glyph: "◐", word: "measuring", tone: "busy" } : stateWords(entry);

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.currentTarget;
    const rows = [...(row.closest("[role=grid]")?.querySelectorAll<HTMLElement>("[data-encoder]") ?? [])];
    const at = rows.indexOf(row);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      j: at + 1,
      k: at - 1,
      PageDown: at + 10,
      PageUp: at - 10,
      Home: 0,
      End: rows.length - 1,
    };
    const to = steps[event.key];
    const buttons = [...row.querySelectorAll<HTMLElement>("button:not(:disabled), a[href]")];
    const inside = buttons.indexOf(document.activeElement as HTMLElement);
    if (to !== undefined) rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
    else if (event.key === "ArrowRight") buttons[Math.min(buttons.length - 1, inside + 1)]?.focus();
    else if (event.key === "ArrowLeft") (inside > 0 ? buttons[inside - 1] : row)?.focus();
    else if (event.key === "Delete") {
      if (isRemovable(entry)) onRemove(entry);
      else announce(entry.source === "embedded" ? `${entry.name} ships with the app and stays.` : "Nothing to remove.");
    } else if (inside >= 0) return;
    else if (event.key === "Enter") onOpen(open ? null : entry.id);
    else if (event.key === " ") {
      if (entry.state === "ready") actions.use(entry);
      else announce(`${entry.name} is not ready to be used: ${stateWords(entry).word}.`);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    <div
      ref={box}
      role="row"
      data-encoder={entry.id}
      tabIndex={active ? 0 : -1}
      aria-label={rowName(entry)}
      aria-selected={open}
      className={`enc-row enc-entry ${open ? "enc-open" : ""} ${active ? "enc-active" : ""}`}
      onKeyDown={onKeyDown}
      onFocus={() => active || onMove(entry.id)}
      onClick={(event) => {
        const target = event.target as HTMLElement;
        if (target.closest("button, a, .error-block, [role=menu]") || getSelection()?.isCollapsed === false) return;
        onOpen(open ? null : entry.id);
      }}
    >
      <Cell id="name">
        <span className="enc-title" title={entry.id}>
          {entry.name}
        </span>
        <Origin entry={entry} />
      </Cell>
      <Fact id="dims" unit="d" value={entry.dimensions === null ? null : formatCount(entry.dimensions)} number />
      <Fact id="tokens" unit="tok" value={entry.maxTokens === null ? null : formatCount(entry.maxTokens)} number />
      <Fact id="size" value={entry.sizeBytes === null ? null : formatDiskBytes(entry.sizeBytes)} number />
      <Fact id="licence" value={entry.licence} />
      <Fact id="languages" value={entry.languages.length === 0 ? null : languagesText(entry.languages)} />
      <Fact
        id="prompts"
        unit={entry.prompts.count === 1 ? "prompt" : "prompts"}
        value={entry.prompts.count === 0 ? null : formatCount(entry.prompts.count)}
        title={entry.prompts.names.slice(0, 12).join(", ")}
        number
      />
      <Fact
        id="speed"
        unit="texts/s"
        value={entry.speed === null ? null : formatRate(entry.speed.textsPerSecond, "").replace(" /s", "")}
        number
      />
      <Cell id="state">
        <span className={`enc-word enc-tone-${words.tone}`}>
          <span aria-hidden="true">{words.glyph}</span> {words.word}
        </span>
      </Cell>
      <Cell id="actions">
        <RowActions {...props} />
      </Cell>
      <Below {...props} />
    </div>
  );
}

function Cell({ id, number = false, title, children }: CellProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: the row takes the focus
    <div role="gridcell" className={`enc-cell enc-${id} ${number ? "enc-number" : ""}`} title={title}>
      {children}
    </div>
  );
}
interface CellProps {
  id: string;
  number?: boolean;
  title?: string | undefined;
  children: ReactNode;
}

/** On a wide page the heading has the unit, on a narrow one the value. */
function Fact({
  id,
  value,
  unit,
  number,
  title,
}: Omit<CellProps, "children"> & { value: string | null; unit?: string }) {
  return (
    <Cell id={`${id}${value === null ? " enc-unknown" : ""}`} number={number ?? false} title={title}>
      {value === null ? (
        <span className="faint">–</span>
      ) : (
        <>
          {value}
          {unit && <span className="enc-unit"> {unit}</span>}
        </>
      )}
    </Cell>
  );
}

function Origin({ entry }: { entry: EncoderEntry }) {
  if (entry.source === "embedded") return <span className="enc-origin">ships with the app</span>;
  if (entry.source === "folder")
    return (
      <span className="enc-origin" title={entry.id}>
        {entry.id}
      </span>
    );
  const owner = entry.id.split("/")[0];
  return owner === entry.id ? null : <span className="enc-origin">{owner}</span>;
}

function RowActions({ entry, view, actions, onOpen, onRemove, onAddFolder }: Props & { entry: EncoderEntry }) {
  const tab = view.active === entry.id ? 0 : -1;
  const { id, name } = entry;
  const host = hubHost(view.settings);
  const button = (label: string, spoken: string, onClick: () => void) => (
    <Button size="small" tabIndex={tab} aria-label={spoken} title={spoken} onClick={onClick}>
      {label}
    </Button>
  );
  if (view.measuring[id] !== undefined)
    return button("Cancel", `Cancel measuring ${name}`, () => actions.cancelMeasure(id));
  const more: MenuItem[] = [
    { id: "details", label: "Details", keys: "Enter", onSelect: () => onOpen(id) },
    ...(entry.state === "ready"
      ? [
          { id: "write", label: "Use, without running the cell", onSelect: () => actions.use(entry, { run: false }) },
          { id: "measure", label: "Measure, 5 s", onSelect: () => actions.measure(id) },
        ]
      : []),
    { id: "folder", label: "Add from folder…", onSelect: onAddFolder },
    ...(entry.source === "embedded"
      ? []
      : [
          { kind: "separator" as const, id: "s" },
          {
            id: "remove",
            label: entry.source === "folder" ? "Take off the list…" : "Remove…",
            keys: "Delete",
            danger: true,
            disabled: !isRemovable(entry),
            onSelect: () => onRemove(entry),
          },
        ]),
  ];
  const menu = <MenuButton icon="more" label={`More for ${name}`} items={() => more} tabIndex={tab} />;
  switch (entry.state) {
    case "ready":
      return (
        <>
          {button("Use", `Use ${name}: write a cell into the notebook and run it (Space)`, () => actions.use(entry))}
          {menu}
        </>
      );
    case "downloading":
      return (
        <>
          {button("Pause", `Pause ${name}`, () => actions.pause(id))}
          {button("Cancel", `Cancel ${name}; the part is kept`, () => actions.cancel(id))}
        </>
      );
    case "available":
      return (
        <>
          {button("Download", `Download ${name} from ${host}`, () => actions.download(id))}
          {menu}
        </>
      );
    default:
      return (
        <>
          {entry.source !== "hub" || entry.error !== null
            ? null
            : entry.progress === null
              ? button("Download again", `Download again: ${name} from ${host}`, () => actions.download(id))
              : button("Resume", `Resume ${name} from ${host}`, () => actions.download(id))}
          {entry.progress !== null
            ? button("Remove part", `Remove part of ${name}`, () => actions.removePart(id))
            : menu}
        </>
      );
  }
}

/** Refusals that a token, or another one, may end. */
const ASKS_FOR_TOKEN = new Set(["hub.gated", "hub.token-refused", "hub.forbidden", "hub.not-found"]);

/** What stands below a row: how far its download or measurement is, what went wrong, what to do. */
function Below(props: Props & { entry: EncoderEntry }) {
  const { entry, view, actions, onAddFolder, onRemove, onManageDisk, onSettings, onDismiss } = props;
  const { id, name, progress } = entry;
  const measuring = view.measuring[id];
  const problem = view.problems[id];
  const parts: ReactNode[] = [];
  if (measuring !== undefined) parts.push(<Measuring key="measuring" name={name} progress={measuring} />);
  if (progress !== null && entry.state !== "ready" && entry.state !== "available")
    parts.push(
      <div key="progress" className="enc-progress">
        {entry.state === "downloading" && (
          <span className="enc-bar">
            <ProgressBar
              done={progress.doneBytes}
              total={progress.phase === "downloading" ? progress.totalBytes : 0}
              label={`Downloading ${name}`}
            />
          </span>
        )}
        <span className="enc-progress-text tabular">{progressText(entry)}</span>
      </div>,
    );
  const act = (label: string, onClick: () => void) => (
    <Button size="small" onClick={onClick}>
      {label}
    </Button>
  );
  if (entry.error !== null) {
    const { code } = entry.error;
    parts.push(
      <ErrorBlock
        key="error"
        error={entry.error}
        actions={
          <>
            {code === "hub.disk-full" && act("Manage disk", onManageDisk)}
            {ASKS_FOR_TOKEN.has(code) && act("Set a token…", onSettings)}
            {code === "hub.gated" && view.settings !== null && (
              <a href={`${view.settings.endpoint}/${id}`} target="_blank" rel="noreferrer noopener">
                Terms at {hubHost(view.settings)}
              </a>
            )}
            {code === "hub.offline" && act("Source…", onSettings)}
            {entry.source === "hub" &&
              act(isBroken(entry) || code === "hub.wrong-hash" ? "Download again" : "Try again", () =>
                actions.download(id),
              )}
            {isRefused(entry) && act("Dismiss", actions.reload)}
            {(code === "hub.wrong-hash" || code === "hub.pickle-only") && act("Add from folder…", onAddFolder)}
            {code === "hub.known-hash" &&
              act("Take the hub's file all the same", () => actions.download(id, { trustHub: true }))}
            {isBroken(entry) && isRemovable(entry) && act("Remove…", () => onRemove(entry))}
          </>
        }
      />,
    );
  }
  if (problem !== undefined)
    parts.push(
      <ErrorBlock
        key="problem"
        title={problem.title}
        error={problem.error}
        actions={
          <>
            {problem.error.code === "hub.disk-full" && act("Manage disk", onManageDisk)}
            {act("Dismiss", () => onDismiss(id))}
          </>
        }
      />,
    );
  if (parts.length === 0) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: as above
    <div role="gridcell" className="enc-below">
      {parts}
    </div>
  );
}

function Measuring({ name, progress }: { name: string; progress: MeasureProgress | null }) {
  return (
    <div className="enc-progress">
      <span className="enc-bar">
        <ProgressBar done={progress?.doneMs ?? 0} total={progress?.totalMs ?? 0} label={`Measuring ${name}`} />
      </span>
      <span className="enc-progress-text tabular">{measureText(progress)}</span>
    </div>
  );
}

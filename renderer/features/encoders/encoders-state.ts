/** What the encoders screen shows: the host's list, what the hub found, which rows are in view. Pure. */
import type {
  DiskUse,
  DownloadProgress,
  EncoderEntry,
  EncoderSettings,
  MeasureProgress,
} from "../../../kernels/protocol/encoders.ts";
import type { ErrorData } from "../../../kernels/protocol/errors.ts";

export type EncodersTab = "installed" | "all";
export type SortColumn = "name" | "dimensions" | "maxTokens" | "sizeBytes" | "licence" | "speed";

/** What went wrong with an action on a row; it stays there until it is dismissed or the action is done again. */
export interface Problem {
  /** What was tried, as a title: "Not removed". */
  title: string;
  error: ErrorData;
}

export interface EncodersView {
  loaded: boolean;
  /** In the host's order: embedded, downloaded, parts, folders, then what the catalogue knows at the hub. */
  entries: readonly EncoderEntry[];
  /** The hub's answer to `foundFor`. */
  found: readonly EncoderEntry[];
  foundFor: string | null;
  foundNote: string | null;
  disk: DiskUse | null;
  settings: EncoderSettings | null;
  tab: EncodersTab;
  query: string;
  sort: { column: SortColumn; down: boolean } | null;
  /** Id of the row that has the keyboard. */
  active: string | null;
  /** Id whose details are open. */
  open: string | null;
  problems: Readonly<Record<string, Problem>>;
  /** Measurements that this page asked for: id → how far the service is; null until it says so. */
  measuring: Readonly<Record<string, MeasureProgress | null>>;
}

export const EMPTY_VIEW: EncodersView = {
  loaded: false,
  entries: [],
  found: [],
  foundFor: null,
  foundNote: null,
  disk: null,
  settings: null,
  tab: "installed",
  query: "",
  sort: null,
  active: null,
  open: null,
  problems: {},
  measuring: {},
};

export type EncodersAction =
  | { type: "listed"; entries: readonly EncoderEntry[]; disk: DiskUse }
  | { type: "changed"; entry: EncoderEntry }
  | { type: "progressed"; id: string; progress: DownloadProgress }
  | { type: "removed"; id: string }
  | { type: "disk"; disk: DiskUse }
  | { type: "settings"; settings: EncoderSettings }
  | { type: "found"; query: string; entries: readonly EncoderEntry[]; note: string | null }
  | { type: "tab-chosen"; tab: EncodersTab }
  | { type: "searched"; query: string }
  | { type: "sorted"; column: SortColumn }
  | { type: "largest-first" }
  | { type: "moved"; id: string }
  | { type: "opened"; id: string | null }
  | { type: "problem"; id: string; problem: Problem | null }
  | { type: "measuring"; id: string; isOn: boolean }
  | { type: "measured"; id: string; progress: MeasureProgress };

export function reduceEncoders(view: EncodersView, action: EncodersAction): EncodersView {
  switch (action.type) {
    case "listed":
      return settle({
        ...view,
        loaded: true,
        entries: action.entries,
        disk: action.disk,
        found: view.found.map(asNew),
      });
    case "changed": {
      const { entry } = action;
      const known = view.entries.some((each) => each.id === entry.id);
      const entries = known
        ? view.entries.map((each) => (each.id === entry.id ? entry : each))
        : isHere(entry)
          ? withNew(view.entries, entry)
          : view.entries;
      const found = view.found.map((each) => (each.id === entry.id ? entry : each));
      return settle({ ...view, entries, found });
    }
    case "progressed": {
      const put = (each: EncoderEntry) => (each.id === action.id ? { ...each, progress: action.progress } : each);
      return { ...view, entries: view.entries.map(put) };
    }
    case "removed":
      return settle({ ...view, entries: view.entries.filter((each) => each.id !== action.id) });
    case "disk":
      return { ...view, disk: action.disk };
    case "settings":
      return { ...view, settings: action.settings };
    case "found":
      return settle({
        ...view,
        tab: "all",
        found: action.entries,
        foundFor: action.query,
        foundNote: action.note,
      });
    case "tab-chosen":
      return settle({ ...view, tab: action.tab });
    case "searched":
      return settle({ ...view, query: action.query });
    case "sorted":
      return { ...view, sort: nextSort(view.sort, action.column) };
    case "largest-first":
      return settle({ ...view, tab: "installed", query: "", sort: { column: "sizeBytes", down: true } });
    case "moved":
      return { ...view, active: action.id };
    case "opened":
      return { ...view, open: action.id, active: action.id ?? view.active };
    case "problem": {
      const { [action.id]: _old, ...others } = view.problems;
      return { ...view, problems: action.problem === null ? others : { ...others, [action.id]: action.problem } };
    }
    case "measuring": {
      const { [action.id]: _old, ...others } = view.measuring;
      return { ...view, measuring: action.isOn ? { ...others, [action.id]: null } : others };
    }
    case "measured":
      // What another page measures, or what was cancelled a moment ago, is not shown here.
      return view.measuring[action.id] === undefined
        ? view
        : { ...view, measuring: { ...view.measuring, [action.id]: action.progress } };
    default:
      return action satisfies never;
  }
}

/** Some of its bytes are on this computer. */
export function isHere(entry: EncoderEntry): boolean {
  return entry.state !== "available";
}

/** It can be removed: what ships with the app cannot. */
export function isRemovable(entry: EncoderEntry): boolean {
  return entry.source !== "embedded" && (entry.state === "ready" || entry.state === "damaged" || isBroken(entry));
}

/** Whole, but it could not be loaded. */
export function isBroken(entry: EncoderEntry): boolean {
  return entry.state === "failed" && entry.progress === null && !isRefused(entry);
}

/** A download that failed before anything of it was here. */
export function isRefused(entry: EncoderEntry): boolean {
  return entry.state === "failed" && entry.progress === null && entry.error?.code.startsWith("hub.") === true;
}

export function counts(view: EncodersView): { installed: number; all: number } {
  return { installed: view.entries.filter(isHere).length, all: everything(view).length };
}

/** The rows in view, in their order. */
export function rowsOf(view: EncodersView): EncoderEntry[] {
  const asked = view.foundFor !== null && view.foundFor === view.query.trim();
  const hits = new Set(asked ? view.found.map((entry) => entry.id) : []);
  const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  const all = view.tab === "installed" ? view.entries.filter(isHere) : everything(view);
  const rows = all.filter((entry) => hits.has(entry.id) || words.every((word) => textOf(entry).includes(word)));
  const { sort } = view;
  if (sort === null) return rows;
  return rows
    .map((entry, at) => ({ entry, at, key: sortKey(entry, sort.column) }))
    .sort((a, b) => compare(a.key, b.key, sort.down) || a.at - b.at)
    .map(({ entry }) => entry);
}

/** The entry of an id, wherever it is listed. */
export function entryOf(view: EncodersView, id: string | null): EncoderEntry | null {
  return everything(view).find((entry) => entry.id === id) ?? null;
}

function everything(view: EncodersView): EncoderEntry[] {
  const listed = new Set(view.entries.map((entry) => entry.id));
  return [...view.entries, ...view.found.filter((entry) => !listed.has(entry.id))];
}

function textOf(entry: EncoderEntry): string {
  return [entry.id, entry.name, entry.licence, entry.family, ...entry.languages].join(" ").toLowerCase();
}

/** What was refused may be asked for again. */
function asNew(entry: EncoderEntry): EncoderEntry {
  return isRefused(entry) ? { ...entry, state: "available", error: null } : entry;
}

/** A new one comes after what is here and before what is not. */
function withNew(entries: readonly EncoderEntry[], entry: EncoderEntry): EncoderEntry[] {
  const at = entries.findIndex((each) => !isHere(each));
  return at < 0 ? [...entries, entry] : [...entries.slice(0, at), entry, ...entries.slice(at)];
}

/** The row with the keyboard is always one in view; details of what is gone close. */
function settle(view: EncodersView): EncodersView {
  const rows = rowsOf(view);
  const active = rows.some((entry) => entry.id === view.active) ? view.active : (rows[0]?.id ?? null);
  const open = entryOf(view, view.open) === null ? null : view.open;
  return active === view.active && open === view.open ? view : { ...view, active, open };
}

function nextSort(now: EncodersView["sort"], column: SortColumn): EncodersView["sort"] {
  const first = column === "sizeBytes" || column === "speed" || column === "dimensions" || column === "maxTokens";
  if (now?.column !== column) return { column, down: first };
  return now.down === first ? { column, down: !first } : null;
}

function sortKey(entry: EncoderEntry, column: SortColumn): string | number | null {
  return column === "speed" ? (entry.speed?.textsPerSecond ?? null) : entry[column];
}

/** Unknown values come last, whichever way. */
function compare(a: string | number | null, b: string | number | null, down: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");
  return down ? -order : order;
}

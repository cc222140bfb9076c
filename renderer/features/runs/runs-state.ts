/** What the runs screen shows: the host's list, what is ticked, which colour a run has. */
import type { RunSummary } from "../../../kernels/protocol/run-files.ts";

export interface RunsView {
  runs: readonly RunSummary[];
  /** Folders whose curves are drawn. */
  shown: readonly string[];
  /** Folder whose details are open. */
  open: string | null;
  /** Slot of each run that was ever shown: a run keeps its colour while the screen lives. */
  slots: Readonly<Record<string, number>>;
  /** False until the user ticks something: until then the newest run is the one that is shown. */
  chosen: boolean;
  /** Runs there were when a cell began to start one; null when none is awaited. */
  awaiting: readonly string[] | null;
}

export const EMPTY_VIEW: RunsView = { runs: [], shown: [], open: null, slots: {}, chosen: false, awaiting: null };

export type RunsAction =
  | { type: "listed"; runs: readonly RunSummary[] }
  | { type: "updated"; run: RunSummary }
  | { type: "opened"; folder: string }
  | { type: "toggled"; folder: string }
  /** Several are shown, and no others. */
  | { type: "compared"; folders: readonly string[] }
  /** The next new run is opened, as if nothing had been chosen. */
  | { type: "awaited" };

/** As many as can be compared; the ninth and tenth have no colour of their own. */
export const MOST_SHOWN = 10;

export function reduceRuns(view: RunsView, action: RunsAction): RunsView {
  switch (action.type) {
    case "listed": {
      const runs = newestFirst(action.runs);
      const there = new Set(runs.map((run) => run.folder));
      const newest = runs[0]?.folder ?? null;
      const fresh = view.awaiting === null ? undefined : runs.find((run) => !view.awaiting!.includes(run.folder));
      if (fresh !== undefined)
        return withSlots({
          ...view,
          ...{ runs, open: fresh.folder, chosen: true, awaiting: null },
          shown: [...view.shown.filter((folder) => there.has(folder)), fresh.folder].slice(-MOST_SHOWN),
        });
      const shown = view.chosen ? view.shown.filter((folder) => there.has(folder)) : newest === null ? [] : [newest];
      const open = view.chosen && view.open !== null && there.has(view.open) ? view.open : newest;
      return withSlots({ ...view, runs, shown, open });
    }
    case "updated":
      return { ...view, runs: view.runs.map((run) => (run.folder === action.run.folder ? action.run : run)) };
    case "opened": {
      // Opening a run shows its curve too; a lone other one that was only shown by opening makes room.
      const shown = view.shown.includes(action.folder)
        ? view.shown
        : view.shown.length === 1 && view.shown[0] === view.open
          ? [action.folder]
          : [...view.shown, action.folder].slice(-MOST_SHOWN);
      return withSlots({ ...view, chosen: true, open: action.folder, shown });
    }
    case "toggled": {
      const shown = view.shown.includes(action.folder)
        ? view.shown.filter((folder) => folder !== action.folder)
        : [...view.shown, action.folder].slice(-MOST_SHOWN);
      return withSlots({ ...view, chosen: true, shown });
    }
    case "compared":
      return withSlots({ ...view, chosen: true, shown: action.folders.slice(0, MOST_SHOWN) });
    case "awaited":
      return { ...view, awaiting: view.runs.map((run) => run.folder) };
    default:
      return action satisfies never;
  }
}

function newestFirst(runs: readonly RunSummary[]): RunSummary[] {
  return [...runs].sort(
    (a, b) => Date.parse(b.config.createdAt) - Date.parse(a.config.createdAt) || a.folder.localeCompare(b.folder),
  );
}

/** Runs to compare when nobody chose: the base and the two newest that are done; the ticked ones when there are two. */
export function defaultComparison(view: RunsView): string[] {
  if (view.shown.length >= 2) {
    const base = view.runs.find((run) => run.label?.pinned === true && view.shown.includes(run.folder));
    return [...new Set([...(base === undefined ? [] : [base.folder]), ...view.shown])];
  }
  const base = view.runs.filter((run) => run.label?.pinned === true);
  const done = view.runs.filter((run) => run.status.state === "done" && !base.includes(run));
  return [...base.slice(0, 1), ...done.slice(0, 2)].map((run) => run.folder);
}

/** Gives each shown run a free slot; slots of hidden runs are taken back only when all eight are in use. */
function withSlots(view: RunsView): RunsView {
  let slots = view.slots;
  for (const folder of view.shown) {
    if (slots[folder] !== undefined) continue;
    const taken = new Set(Object.values(slots));
    let free = [1, 2, 3, 4, 5, 6, 7, 8].find((slot) => !taken.has(slot));
    if (free === undefined) {
      const old = Object.keys(slots).find((other) => !view.shown.includes(other));
      if (old === undefined) continue;
      free = slots[old]!;
      const { [old]: _gone, ...rest } = slots;
      slots = rest;
    }
    slots = { ...slots, [folder]: free };
  }
  return slots === view.slots ? view : { ...view, slots };
}

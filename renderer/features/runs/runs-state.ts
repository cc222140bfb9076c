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
}

export const EMPTY_VIEW: RunsView = { runs: [], shown: [], open: null, slots: {}, chosen: false };

export type RunsAction =
  | { type: "listed"; runs: readonly RunSummary[] }
  | { type: "updated"; run: RunSummary }
  | { type: "opened"; folder: string }
  | { type: "toggled"; folder: string };

export const MOST_SHOWN = 8;

export function reduceRuns(view: RunsView, action: RunsAction): RunsView {
  switch (action.type) {
    case "listed": {
      const runs = newestFirst(action.runs);
      const there = new Set(runs.map((run) => run.folder));
      const newest = runs[0]?.folder ?? null;
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
    default:
      return action satisfies never;
  }
}

function newestFirst(runs: readonly RunSummary[]): RunSummary[] {
  return [...runs].sort(
    (a, b) => Date.parse(b.config.createdAt) - Date.parse(a.config.createdAt) || a.folder.localeCompare(b.folder),
  );
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

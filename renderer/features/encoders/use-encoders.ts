/** Joins the encoders screen and the host: reads the list, follows events, sends what the buttons ask for. */
import { useContext, useEffect, useMemo, useReducer, useRef, useState } from "react";
import type { EncoderDetails, EncoderEntry } from "../../../kernels/protocol/encoders.ts";
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { HostResult } from "../../../kernels/protocol/host-methods.ts";
import { newNotebook } from "../../commands/app-commands.ts";
import type { App } from "../../state/app.ts";
import { AppContext } from "../../state/hooks.ts";
import { targetDocument } from "../../state/selectors.ts";
import { announce } from "../../ui/announce.ts";
import { formatDiskBytes, formatRate } from "../../ui/units.ts";
import { encoderCell, writeEncoderCell } from "./encoder-cell.ts";
import { EMPTY_VIEW, type EncodersAction, type EncodersView, reduceEncoders } from "./encoders-state.ts";

export interface EncodersActions {
  download(id: string, more?: { variant?: string; trustHub?: boolean }): void;
  pause(id: string): void;
  cancel(id: string): void;
  removePart(id: string): void;
  remove(entry: EncoderEntry): void;
  measure(id: string): void;
  cancelMeasure(id: string): void;
  /** Rejects with the host's error: the dialog shows it. */
  addFolder(path: string): Promise<void>;
  /** Folders inside of one; null is home. Rejects with the host's error. */
  folders(path: string | null, hidden: boolean, signal: AbortSignal): Promise<HostResult<"folders.list">>;
  /** The desktop shell's own dialog; null: nothing was chosen. */
  chooseFolder(title: string): Promise<string | null>;
  find(query: string): void;
  cancelFind(): void;
  /** The error of the last search was read. */
  forgetFind(): void;
  /** Writes the cell and runs it, unless told to write only. */
  use(entry: EncoderEntry, options?: { run: boolean }): void;
  /** Rejects with the host's error. */
  details(id: string, signal: AbortSignal): Promise<EncoderDetails>;
  saveSettings(change: { mirror?: string | null; offline?: boolean }): Promise<void>;
  saveToken(token: string | null): Promise<void>;
  reload(): void;
}

export interface Encoders {
  view: EncodersView;
  dispatch(action: EncodersAction): void;
  actions: EncodersActions;
  /** Why there is no list. */
  error: ErrorData | null;
  /** The hub is being asked for this. */
  finding: string | null;
  findError: ErrorData | null;
}

/** Tab, search and order outlive the screen: the user comes back from a notebook to the same place. */
let kept: Partial<EncodersView> = {};

export function useEncoders(): Encoders {
  const app = useContext(AppContext);
  const [view, dispatch] = useReducer(reduceEncoders, EMPTY_VIEW, (empty) => ({ ...empty, ...kept }));
  const [error, setError] = useState<ErrorData | null>(null);
  const [finding, setFinding] = useState<string | null>(null);
  const [findError, setFindError] = useState<ErrorData | null>(null);
  const [attempt, setAttempt] = useState(0);
  const states = useRef(new Map<string, EncoderEntry["state"]>());
  const aborts = useRef(new Map<string, AbortController>());
  const { tab, query, sort, active, open, found, foundFor, foundNote } = view;
  kept = { tab, query, sort, active, open, found, foundFor, foundNote };

  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt reads the list again
  useEffect(() => {
    if (app === null) return;
    const { client } = app;
    let gone = false;
    const load = () => {
      const failed = (reason: unknown) => {
        if (!gone && !isCancelled(reason)) setError(toErrorData(reason));
      };
      client.call("encoders.subscribe", {}).catch(failed);
      client.call("encoders.list", {}).then(({ entries, disk }) => {
        if (gone) return;
        for (const entry of entries) states.current.set(entry.id, entry.state);
        dispatch({ type: "listed", entries, disk });
        setError(null);
      }, failed);
      client.call("encoders.settings", {}).then((settings) => {
        if (!gone) dispatch({ type: "settings", settings });
      }, failed);
    };
    load();
    const offs = [
      client.onState(({ state }) => state === "open" && load()),
      client.on("encoders.changed", ({ entry }) => {
        speak(states.current.get(entry.id), entry);
        states.current.set(entry.id, entry.state);
        dispatch({ type: "changed", entry });
      }),
      client.on("encoders.progress", ({ id, progress }) => dispatch({ type: "progressed", id, progress })),
      client.on("encoders.measuring", ({ id, progress }) => {
        if (progress !== null) dispatch({ type: "measured", id, progress });
      }),
      client.on("encoders.removed", ({ id }) => {
        dispatch({ type: "removed", id });
        // What the catalogue knows comes back as available.
        load();
      }),
      client.on("encoders.disk", (disk) => dispatch({ type: "disk", disk })),
    ];
    return () => {
      gone = true;
      for (const off of offs) off();
      if (client.state.state === "open") client.call("encoders.unsubscribe", {}).catch(() => undefined);
    };
  }, [app, attempt]);

  // Leaving the screen ends measurements; downloads go on.
  useEffect(() => {
    const running = aborts.current;
    return () => {
      for (const abort of running.values()) abort.abort();
    };
  }, []);

  const actions = useMemo<EncodersActions>(() => {
    const attemptAt = async (id: string, title: string, work: (app: App) => Promise<unknown>): Promise<boolean> => {
      if (app === null) return false;
      dispatch({ type: "problem", id, problem: null });
      try {
        await work(app);
        return true;
      } catch (reason) {
        if (!isCancelled(reason)) dispatch({ type: "problem", id, problem: { title, error: toErrorData(reason) } });
        return false;
      }
    };
    return {
      download: (id, more = {}) =>
        void attemptAt(id, "Not downloaded", async ({ client }) => {
          const { entry } = await client.call("encoders.download", { id, ...more });
          dispatch({ type: "changed", entry });
        }),
      pause: (id) => void attemptAt(id, "Not paused", ({ client }) => client.call("encoders.pause", { id })),
      cancel: (id) => void attemptAt(id, "Not cancelled", ({ client }) => client.call("encoders.cancel", { id })),
      removePart: (id) =>
        void attemptAt(id, "The part was not removed", async ({ client }) => {
          const { freedBytes } = await client.call("encoders.remove-part", { id });
          announce(`Removed the part, ${formatDiskBytes(freedBytes)} freed.`);
          setAttempt((n) => n + 1);
        }),
      remove: ({ id, name, source }) =>
        void attemptAt(id, "Not removed", async ({ client }) => {
          const { freedBytes } = await client.call("encoders.remove", { id });
          announce(
            source === "folder" ? `${name} left the list.` : `Removed ${name}, ${formatDiskBytes(freedBytes)} freed.`,
          );
          setAttempt((n) => n + 1);
        }),
      measure: (id) => {
        if (aborts.current.has(id)) return;
        const abort = new AbortController();
        aborts.current.set(id, abort);
        dispatch({ type: "measuring", id, isOn: true });
        announce("Measuring for 5 s.");
        void attemptAt(id, "Not measured", async ({ client }) => {
          const { speed } = await client.call("encoders.measure", { id }, { signal: abort.signal, timeoutMs: 0 });
          announce(`${formatRate(speed.textsPerSecond, "texts")} on this computer.`);
          setAttempt((n) => n + 1);
        }).finally(() => {
          aborts.current.delete(id);
          dispatch({ type: "measuring", id, isOn: false });
        });
      },
      cancelMeasure: (id) => {
        aborts.current.get(id)?.abort();
        announce("Stopped measuring.");
      },
      addFolder: async (path) => {
        if (app === null) return;
        const { entry } = await app.client.call("encoders.add-folder", { path });
        dispatch({ type: "changed", entry });
        // A search that does not fit would hide it.
        dispatch({ type: "searched", query: "" });
        dispatch({ type: "tab-chosen", tab: "installed" });
        dispatch({ type: "moved", id: entry.id });
        announce(`${entry.name} is in the list.`);
      },
      folders: async (path, hidden, signal) => {
        if (app === null) throw new Error("There is no host.");
        return app.client.call("folders.list", { path, hidden }, { signal });
      },
      chooseFolder: async (title) => {
        if (app === null) return null;
        return (await app.client.call("folders.choose", { title }, { timeoutMs: 0 })).path;
      },
      find: (query) => {
        if (app === null) return;
        aborts.current.get("find")?.abort();
        const abort = new AbortController();
        aborts.current.set("find", abort);
        setFinding(query);
        setFindError(null);
        app.client
          .call("encoders.find", { query, limit: 50 }, { signal: abort.signal })
          .then(
            ({ entries, note }) => {
              dispatch({ type: "found", query, entries, note });
              announce(`${entries.length} found.`);
            },
            (reason: unknown) => {
              if (!isCancelled(reason)) setFindError(toErrorData(reason));
            },
          )
          .finally(() => {
            if (aborts.current.get("find") !== abort) return;
            aborts.current.delete("find");
            setFinding(null);
          });
      },
      forgetFind: () => setFindError(null),
      cancelFind: () => aborts.current.get("find")?.abort(),
      use: (entry, options = { run: true }) => void attemptAt(entry.id, "Not used", (app) => use(app, entry, options)),
      details: async (id, signal) => {
        if (app === null) throw new Error("There is no host.");
        return app.client.call("encoders.details", { id }, { signal });
      },
      saveSettings: async (change) => {
        if (app === null) return;
        dispatch({ type: "settings", settings: await app.client.call("encoders.set-settings", change) });
      },
      saveToken: async (token) => {
        if (app === null) return;
        dispatch({ type: "settings", settings: await app.client.call("encoders.set-token", { token }) });
      },
      reload: () => setAttempt((n) => n + 1),
    };
  }, [app]);

  return { view, dispatch, actions, error, finding, findError };
}

/** Writes the cell into the notebook that was in front last, or into a new one, and shows it there. */
async function use(app: App, entry: EncoderEntry, { run }: { run: boolean }): Promise<void> {
  // The prompts' texts are files on this computer; without them the cell is still right.
  const prompts =
    entry.prompts.count === 0
      ? []
      : await app.client.call("encoders.details", { id: entry.id }).then(
          (details) => details.prompts,
          () => [],
        );
  if (targetDocument(app.store.state) === null && !(await newNotebook(app))) return;
  const doc = targetDocument(app.store.state);
  if (doc === null) return;
  const edit = writeEncoderCell(doc, encoderCell(entry.id, prompts));
  app.edit(doc.docId, edit.ops, { active: edit.cellId });
  app.store.dispatch({ type: "screen.shown", tab: { kind: "notebook", docId: doc.docId } });
  app.store.dispatch({
    type: "cell.selected",
    docId: doc.docId,
    cellId: edit.cellId,
    mode: "command",
    focus: "cell",
  });
  const done = {
    inserted: "A cell was added",
    replaced: "The encoder cell was changed",
    unchanged: "The cell is there",
  };
  announce(
    `${done[edit.kind]} in ${doc.name}: ${entry.name}. ${run ? "It runs now." : "Shift+Enter runs it, Z undoes it."}`,
  );
  if (run) await app.run(doc.docId, [edit.cellId]);
}

function speak(before: EncoderEntry["state"] | undefined, entry: EncoderEntry): void {
  if (before === undefined || before === entry.state) return;
  if (entry.state === "ready") announce(`${entry.name} is ready.`);
  else if (entry.state === "failed") announce(`${entry.name} failed: ${entry.error?.message ?? ""}`);
  else if (entry.state === "downloading") announce(`Downloading ${entry.name}.`);
  else if (entry.state === "paused") announce(`${entry.name} is paused.`);
  else if (entry.state === "partial") announce(`${entry.name} is stopped; its part is kept.`);
}

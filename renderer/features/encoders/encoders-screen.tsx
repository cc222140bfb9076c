/** Encoders: what is on this computer, what can be had, how fast each is here; and the cell that uses one. */
import { type KeyboardEvent, type ReactNode, useContext, useId, useRef, useState, useSyncExternalStore } from "react";
import type { EncoderEntry } from "../../../kernels/protocol/encoders.ts";
import { AppContext } from "../../state/hooks.ts";
import { targetDocument } from "../../state/selectors.ts";
import { Button } from "../../ui/button.tsx";
import { EmptyState } from "../../ui/empty-state.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { useDelayed } from "../../ui/progress-bar.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { formatDiskBytes } from "../../ui/units.ts";
import { EncoderDetails } from "./encoder-details.tsx";
import { HubSettingsDialog, RemoveDialog } from "./encoder-dialogs.tsx";
import { EncoderGrid } from "./encoder-grid.tsx";
import { hubHost } from "./encoder-words.ts";
import { counts, type EncodersTab, entryOf, isHere, rowsOf } from "./encoders-state.ts";
import { AddFolderDialog, type Dropped } from "./folder-dialog.tsx";
import { useFolderDrop } from "./folder-drop.ts";
import { useEncoders } from "./use-encoders.ts";
import "./encoders.css";

type Question =
  | { kind: "remove"; entry: EncoderEntry }
  | { kind: "folder"; dropped: Dropped | null }
  | { kind: "settings" };

export function EncodersScreen() {
  const { view, dispatch, actions, error, finding, findError } = useEncoders();
  const [question, setQuestion] = useState<Question | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const panel = useId();
  const app = useContext(AppContext);
  const addFolder = () => setQuestion({ kind: "folder", dropped: null });
  const drop = useFolderDrop((dropped) => setQuestion({ kind: "folder", dropped }));
  const busy = useDelayed(!view.loaded && error === null);
  const rows = rowsOf(view);
  const { installed, all } = counts(view);
  const open = entryOf(view, view.open);
  const host = hubHost(view.settings);
  const offline = view.settings?.offline === true;
  const query = view.query.trim();

  const focusRow = (id: string | null = view.active) => {
    requestAnimationFrame(() => {
      const found = [...(grid.current?.querySelectorAll<HTMLElement>("[data-encoder]") ?? [])];
      (found.find((row) => row.dataset.encoder === id) ?? found[0])?.focus();
    });
  };
  const closeDetails = () => {
    const id = view.open;
    dispatch({ type: "opened", id: null });
    focusRow(id);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || question !== null) return;
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing) search.current?.focus();
    else if (event.key === "Escape" && typing && view.query !== "") dispatch({ type: "searched", query: "" });
    else if (event.key === "Escape" && view.open !== null) closeDetails();
    else if (event.key === "ArrowDown" && typing) focusRow();
    else if (event.key === "Enter" && typing && rows.length === 0 && query !== "" && !offline) actions.find(query);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const retry = (
    <Button size="small" onClick={actions.reload}>
      Try again
    </Button>
  );
  if (error && !view.loaded)
    return (
      <div className="enc-alone">
        <h1 className="visually-hidden">Encoders</h1>
        <ErrorBlock
          error={error}
          title="The encoders could not be listed"
          safe="Nothing was changed."
          actions={retry}
        />
      </div>
    );

  const here = view.entries.filter((entry) => entry.state === "ready").length;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the screen, from wherever the focus is in it
    <div className="enc-screen" onKeyDown={onKeyDown} aria-busy={!view.loaded} {...drop.handlers}>
      {drop.over && <div className="enc-drop">Drop a model's folder to add it to the list</div>}
      <header className="enc-top">
        <h1 className="visually-hidden">Encoders</h1>
        <input
          ref={search}
          className="field enc-search"
          type="search"
          value={view.query}
          placeholder="Search…"
          aria-label="Search encoders"
          aria-keyshortcuts="/"
          title="Name, owner, licence, language, family ( / )"
          spellCheck={false}
          onChange={(event) => dispatch({ type: "searched", query: event.currentTarget.value })}
        />
        <Tabs
          label="Which encoders"
          active={view.tab}
          panelId={panel}
          onSelect={(id) => dispatch({ type: "tab-chosen", tab: id as EncodersTab })}
          items={[
            { id: "installed", label: <TabLabel word="Installed" n={installed} /> },
            { id: "all", label: <TabLabel word="All" n={all} /> },
          ]}
        />
        <span className="spring" />
        {view.disk && (
          <span className="enc-disk tabular" title={`Downloaded encoders are in ${view.disk.folder}`}>
            Disk: {formatDiskBytes(view.disk.encodersBytes)} of {formatDiskBytes(view.disk.freeBytes)} free
          </span>
        )}
        <Button onClick={addFolder}>Add from folder…</Button>
        <Button disabled={view.settings === null} onClick={() => setQuestion({ kind: "settings" })}>
          Source: {offline ? "offline" : host}…
        </Button>
      </header>
      {error && <ErrorBlock shape="bar" error={error} title="The list may be old" actions={retry} />}
      {findError && (
        <ErrorBlock
          shape="bar"
          title={/no-connection|offline/.test(findError.code) ? "No network" : `${host} was not searched`}
          error={findError}
          safe={`${here === 1 ? "1 encoder" : `${here} encoders`} here ${here === 1 ? "works" : "work"} offline.`}
          actions={
            <Button
              size="small"
              onClick={() => {
                actions.forgetFind();
                dispatch({ type: "searched", query: "" });
                dispatch({ type: "tab-chosen", tab: "installed" });
              }}
            >
              Show installed
            </Button>
          }
        />
      )}
      <div className="enc-list" id={panel} role="tabpanel" aria-label={view.tab === "installed" ? "Installed" : "All"}>
        {busy && <p className="enc-quiet">Reading the list of encoders…</p>}
        {view.loaded && rows.length > 0 && (
          <EncoderGrid
            ref={grid}
            view={view}
            actions={actions}
            onMove={(id) => dispatch({ type: "moved", id })}
            onOpen={(id) => dispatch({ type: "opened", id })}
            onRemove={(entry) => setQuestion({ kind: "remove", entry })}
            onSort={(column) => dispatch({ type: "sorted", column })}
            onAddFolder={addFolder}
            onSettings={() => setQuestion({ kind: "settings" })}
            onManageDisk={() => dispatch({ type: "largest-first" })}
            onDismiss={(id) => dispatch({ type: "problem", id, problem: null })}
          />
        )}
        {view.loaded && rows.length === 0 && query === "" && (
          <EmptyState
            title="No encoder yet. The tiny one ships with the app and works offline."
            action={
              <>
                <Button tone="primary" onClick={() => actions.use(view.entries.find(isTiny) ?? TINY)}>
                  Use tiny
                </Button>
                <Button onClick={() => dispatch({ type: "tab-chosen", tab: "all" })}>Browse</Button>
              </>
            }
          />
        )}
        {view.loaded && query !== "" && (
          <HubSearch
            query={query}
            none={rows.length === 0}
            tab={view.tab}
            host={host}
            offline={offline}
            finding={finding}
            note={view.foundFor === query ? view.foundNote : null}
            asked={view.foundFor === query}
            onFind={() => actions.find(query)}
            onCancel={actions.cancelFind}
            onAll={() => dispatch({ type: "tab-chosen", tab: "all" })}
            onClear={() => dispatch({ type: "searched", query: "" })}
          />
        )}
      </div>
      {open && <EncoderDetails key={open.id} entry={open} view={view} actions={actions} onClose={closeDetails} />}
      <Foot host={host} offline={offline} />
      {question?.kind === "remove" && (
        <RemoveDialog
          entry={entryOf(view, question.entry.id) ?? question.entry}
          onRemove={() => actions.remove(question.entry)}
          onClose={() => {
            setQuestion(null);
            focusRow(question.entry.id);
          }}
        />
      )}
      {question?.kind === "folder" && (
        <AddFolderDialog
          key={question.dropped?.path ?? question.dropped?.name ?? ""}
          actions={actions}
          native={app?.client.hello?.shell === "electron"}
          dropped={question.dropped}
          onClose={() => setQuestion(null)}
        />
      )}
      {question?.kind === "settings" && view.settings && (
        <HubSettingsDialog settings={view.settings} actions={actions} onClose={() => setQuestion(null)} />
      )}
    </div>
  );
}

const isTiny = (entry: EncoderEntry) => entry.source === "embedded" && isHere(entry);

/** The embedded one, should the list not name it. */
const TINY: EncoderEntry = {
  id: "default",
  source: "embedded",
  name: "all-MiniLM-L6-v2",
  dimensions: 384,
  maxTokens: null,
  sizeBytes: null,
  licence: null,
  languages: [],
  prompts: { count: 0, names: [] },
  pooling: null,
  normalised: null,
  family: null,
  state: "ready",
  revision: null,
  sha256: "not known",
  speed: null,
  usedBy: [],
  progress: null,
  error: null,
  note: null,
};

function TabLabel({ word, n }: { word: string; n: number }): ReactNode {
  return (
    <>
      {word} <span className="enc-count tabular">{n}</span>
    </>
  );
}

interface HubSearchProps {
  query: string;
  none: boolean;
  tab: EncodersTab;
  host: string;
  offline: boolean;
  finding: string | null;
  note: string | null;
  asked: boolean;
  onFind(): void;
  onCancel(): void;
  onAll(): void;
  onClear(): void;
}

/** Nothing leaves the computer unless a button says so, and names who is asked. */
function HubSearch(props: HubSearchProps) {
  const { query, none, tab, host, offline, finding, note, asked, onFind, onCancel, onAll, onClear } = props;
  return (
    <div className="enc-hub">
      {none && (
        <p>
          {asked
            ? `Nothing at ${host} matches “${query}”.`
            : `No encoder ${tab === "installed" ? "here" : "in the list"} matches “${query}”.`}
        </p>
      )}
      {note !== null && <p className="muted">{note}</p>}
      <div className="enc-hub-actions">
        {finding !== null ? (
          <>
            <span className="enc-tone-busy">◐ Asking {host}…</span>
            <Button size="small" onClick={onCancel}>
              Cancel
            </Button>
          </>
        ) : (
          !asked && (
            <Button size="small" disabled={offline} onClick={onFind}>
              Search {host} for “{query}”
            </Button>
          )
        )}
        {none && tab === "installed" && (
          <Button size="small" onClick={onAll}>
            Look in All
          </Button>
        )}
        {none && (
          <Button size="small" tone="quiet" onClick={onClear}>
            Clear search
          </Button>
        )}
        {offline && <span className="muted">Parallax is set to work offline.</span>}
      </div>
    </div>
  );
}

function Foot({ host, offline }: { host: string; offline: boolean }) {
  const app = useContext(AppContext);
  const name = useSyncExternalStore(app?.store.subscribe ?? (() => () => undefined), () =>
    app === null ? null : (targetDocument(app.store.state)?.name ?? null),
  );
  return (
    <p className="enc-foot">
      <span>Use writes a cell into {name === null ? "a new notebook" : name} and runs it.</span>
      <span>
        {offline
          ? "Offline: no connection is tried."
          : `Download and Search ask ${host}; nothing else leaves this computer.`}
      </span>
      <span className="enc-keys">↑↓ move · Enter details · Space use · Delete remove · / search</span>
    </p>
  );
}

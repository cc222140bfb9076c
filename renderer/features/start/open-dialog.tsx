import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { type ErrorData, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { HostResult } from "../../../kernels/protocol/host-methods.ts";
import { openPath } from "../../commands/app-commands.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { Icon } from "../../ui/icon.tsx";
import { formatAge, formatBytes } from "../../ui/units.ts";
import "./start.css";

type Entry = HostResult<"files.list">["entries"][number];

/** Folders and notebooks below the root. Arrows move, Enter opens, Backspace goes up. */
export function OpenDialog() {
  const app = useApp();
  const root = useSelect((state) => state.hello?.root ?? "");
  const [folder, setFolder] = useState("");
  const [entries, setEntries] = useState<Entry[] | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = () => app.store.dispatch({ type: "overlay.closed" });

  useEffect(() => {
    const abort = new AbortController();
    app.client.call("files.list", { folder }, { signal: abort.signal }).then(
      (found) => {
        setEntries(sorted(found.entries));
        setError(null);
      },
      (cause: unknown) => {
        if (!abort.signal.aborted) setError(toErrorData(cause));
      },
    );
    return () => abort.abort();
  }, [app, folder]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the first row gets the focus when the list changes
  useEffect(() => {
    list.current?.querySelector<HTMLElement>(".file-row:not(:disabled)")?.focus();
  }, [entries]);

  const up = () => folder !== "" && setFolder(folder.split("/").slice(0, -1).join("/"));
  const onKeyDown = (event: KeyboardEvent) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>(".file-row:not(:disabled)") ?? [])];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (event.key === "ArrowDown") rows[Math.min(at + 1, rows.length - 1)]?.focus();
    else if (event.key === "ArrowUp") rows[Math.max(at - 1, 0)]?.focus();
    else if (event.key === "Home") rows[0]?.focus();
    else if (event.key === "End") rows.at(-1)?.focus();
    else if (event.key === "Backspace" || event.key === "ArrowLeft") up();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      const next = [...rows.slice(at + 1), ...rows.slice(0, at + 1)];
      next.find((row) => row.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    } else return;
    event.preventDefault();
  };

  const crumbs = folder === "" ? [] : folder.split("/");
  return (
    <Dialog title="Open a notebook" width={640} onClose={close}>
      <nav className="file-crumbs" aria-label="Folder">
        <button type="button" onClick={() => setFolder("")} title={root}>
          {root.split(/[\\/]/).at(-1) || "root"}
        </button>
        {crumbs.map((name, i) => (
          <span key={crumbs.slice(0, i + 1).join("/")}>
            /{" "}
            <button type="button" onClick={() => setFolder(crumbs.slice(0, i + 1).join("/"))}>
              {name}
            </button>
          </span>
        ))}
      </nav>
      {error ? (
        <ErrorBlock error={error} title="This folder could not be read" safe="Nothing was changed." />
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: arrows between the buttons of the list
        <div className="file-list" ref={list} onKeyDown={onKeyDown}>
          {entries?.length === 0 && <p className="muted first-help">No notebook here.</p>}
          {(entries ?? []).map((entry) => (
            <button
              key={entry.path}
              type="button"
              className="file-row"
              disabled={entry.kind === "file"}
              onClick={() => {
                if (entry.kind === "folder") setFolder(entry.path);
                else {
                  close();
                  void openPath(app, entry.path);
                }
              }}
            >
              <Icon name={entry.kind === "folder" ? "folder" : entry.kind === "notebook" ? "notebook" : "file"} />
              <span>{entry.name}</span>
              <span className="faint tabular">{entry.kind === "folder" ? "" : formatBytes(entry.sizeBytes)}</span>
              <span className="faint tabular" title={new Date(entry.modifiedAt).toLocaleString()}>
                {formatAge(entry.modifiedAt, Date.now())}
              </span>
            </button>
          ))}
        </div>
      )}
    </Dialog>
  );
}

/** Folders, then notebooks, then the rest; by name. */
function sorted(entries: Entry[]): Entry[] {
  const rank = { folder: 0, notebook: 1, file: 2 };
  return [...entries].sort((a, b) => rank[a.kind] - rank[b.kind] || a.name.localeCompare(b.name));
}

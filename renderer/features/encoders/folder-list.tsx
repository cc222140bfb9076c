/**
 * Folders of this computer, where no dialog of the system can be had. Arrows choose, Enter or → opens, Backspace or ←
 * goes up, letters jump; what looks like a model is marked, and Enter takes it.
 */
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { HostResult } from "../../../kernels/protocol/host-methods.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { useDelayed } from "../../ui/progress-bar.tsx";
import { formatCount } from "../../ui/units.ts";
import type { EncodersActions } from "./use-encoders.ts";

export type FolderListing = HostResult<"folders.list">;

interface Props {
  actions: EncodersActions;
  /** The folder to show; null is home. */
  at: string | null;
  /** The folder that is chosen, in this one or this one itself. */
  chosen: string;
  /** Another one is to be shown. */
  onOpen(path: string): void;
  /** Its listing came: the real path of what `at` names. */
  onListed(listing: FolderListing): void;
  onChoose(path: string): void;
  /** Chosen for good. */
  onTake(path: string): void;
}

const TYPED_MS = 700;

export function FolderList({ actions, at, chosen, onOpen, onListed, onChoose, onTake }: Props) {
  const id = useId();
  const [listing, setListing] = useState<FolderListing | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  const [hidden, setHidden] = useState(false);
  const [loading, setLoading] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const typed = useRef({ text: "", at: 0 });
  /** Opened by a key: the keyboard stays in the list. */
  const byKey = useRef(false);
  const listed = useRef(onListed);
  listed.current = onListed;
  const busy = useDelayed(loading);

  useEffect(() => {
    const abort = new AbortController();
    setLoading(true);
    actions
      .folders(at, hidden, abort.signal)
      .then(
        (found) => {
          setListing(found);
          setError(null);
          listed.current(found);
          if (byKey.current) announce(`${found.folder}, ${words(found)}`);
          byKey.current = false;
        },
        (reason: unknown) => {
          if (!isCancelled(reason)) setError(toErrorData(reason));
        },
      )
      .finally(() => {
        if (!abort.signal.aborted) setLoading(false);
      });
    return () => abort.abort();
  }, [actions, at, hidden]);

  // What could not be listed shows nothing, and the way up leads back to what could.
  const folders = error === null ? (listing?.folders ?? []) : [];
  const up = (error === null ? listing?.parent : listing?.folder) ?? null;
  const active = folders.findIndex((folder) => folder.path === chosen);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the chosen one of a new list is brought into view, too
  useEffect(() => {
    box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active, listing]);

  const open = (path: string) => {
    byKey.current = true;
    onOpen(path);
  };
  const choose = (i: number) => {
    const folder = folders[Math.max(0, Math.min(folders.length - 1, i))];
    if (folder !== undefined) onChoose(folder.path);
  };
  const jump = (letter: string) => {
    const now = performance.now();
    const goesOn = now - typed.current.at < TYPED_MS;
    const text = (goesOn ? typed.current.text : "") + letter.toLowerCase();
    typed.current = { text, at: now };
    const from = goesOn ? Math.max(0, active) : active + 1;
    const order = [...folders.keys()].map((i) => (i + from) % folders.length);
    const found = order.find((i) => folders[i]?.name.toLowerCase().startsWith(text));
    if (found !== undefined) choose(found);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const folder = folders[active];
    // Any other key ends the word that letters are looking for.
    if (event.key.length > 1) typed.current = { text: "", at: 0 };
    if (event.key === "ArrowDown") choose(active + 1);
    else if (event.key === "ArrowUp") choose(active < 0 ? 0 : active - 1);
    else if (event.key === "PageDown") choose(active + 8);
    else if (event.key === "PageUp") choose(active - 8);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(folders.length - 1);
    else if (event.key === "Enter" && folder !== undefined) folder.isModel ? onTake(folder.path) : open(folder.path);
    else if (event.key === "ArrowRight" && folder !== undefined) open(folder.path);
    else if (event.key === "Backspace" || event.key === "ArrowLeft") {
      if (up !== null) open(up);
    } else if (event.key.length === 1 && event.key !== " ") jump(event.key);
    else return;
    event.preventDefault();
  };

  return (
    <div className="enc-folders">
      <div className="enc-folders-head">
        <Button
          size="small"
          disabled={up === null}
          title="The folder above (Backspace)"
          onClick={() => up !== null && onOpen(up)}
        >
          ↑ Up
        </Button>
        {(listing?.places ?? []).map((place) => (
          <Button key={place.path} size="small" tone="quiet" title={place.path} onClick={() => onOpen(place.path)}>
            {place.name}
          </Button>
        ))}
        <span className="spring" />
        <label className="enc-check">
          <input type="checkbox" checked={hidden} onChange={(event) => setHidden(event.currentTarget.checked)} />
          Hidden folders
        </label>
      </div>
      <div
        ref={box}
        className="enc-folders-list"
        role="listbox"
        tabIndex={0}
        aria-label={listing === null || error !== null ? "Folders" : `Folders in ${listing.folder}`}
        aria-busy={loading}
        aria-activedescendant={active < 0 ? undefined : `${id}-${active}`}
        onKeyDown={onKeyDown}
        onFocus={() => active < 0 && folders.length > 0 && listing?.folder === chosen && choose(0)}
      >
        {folders.map((folder, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
          <div
            key={folder.path}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            className="enc-folder"
            onClick={() => onChoose(folder.path)}
            onDoubleClick={() => (folder.isModel ? onTake(folder.path) : onOpen(folder.path))}
          >
            <span className="enc-folder-name">{folder.name}</span>{" "}
            {folder.isModel && <span className="enc-folder-mark">model files</span>}
          </div>
        ))}
      </div>
      {error !== null ? (
        <ErrorBlock error={error} title="Not listed" />
      ) : (
        <p className="type-caption" role="status">
          {busy || listing === null ? "Reading the folder…" : words(listing)}
        </p>
      )}
    </div>
  );
}

function words({ folders, left, isModel }: FolderListing): string {
  const n = folders.length + left;
  const count = n === 0 ? "No folders in it" : n === 1 ? "1 folder" : `${formatCount(n)} folders`;
  const first =
    left > 0 ? `${count}, the first ${formatCount(folders.length)} are shown; type a path for others` : count;
  return isModel ? `${first}. It has a model's files itself.` : `${first}.`;
}

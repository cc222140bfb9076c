/** "Add from folder…": the system's own dialog in the app, folders on the page elsewhere; then it is checked and listed. */
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { type ErrorData, toErrorData } from "../../../kernels/protocol/errors.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { FolderList } from "./folder-list.tsx";
import type { EncodersActions } from "./use-encoders.ts";

/** What was dropped on the screen: where it is, or only its name where the browser does not tell. */
export interface Dropped {
  path: string | null;
  name: string;
}

interface Props {
  actions: EncodersActions;
  /** The shell has a dialog of its own. */
  native: boolean;
  dropped: Dropped | null;
  onClose(): void;
}

const TITLE = "Add an encoder from a folder";
/** A path is looked at when nothing was typed for so long. */
const TYPING_MS = 300;

export function AddFolderDialog({ actions, native, dropped, onClose }: Props) {
  const id = useId();
  const [path, setPath] = useState(dropped?.path ?? "");
  /** What the list shows; null is home. */
  const [at, setAt] = useState<string | null>(dropped?.path ?? null);
  const [error, setError] = useState<ErrorData | null>(null);
  const [busy, setBusy] = useState(false);
  const typing = useRef<ReturnType<typeof setTimeout> | null>(null);
  const isNew = useRef(true);

  const add = (folder: string) => {
    const wanted = folder.trim();
    if (wanted === "" || busy) return;
    setPath(wanted);
    setBusy(true);
    setError(null);
    const whole = wanted.startsWith("~")
      ? actions.folders(wanted, false, new AbortController().signal).then(({ folder }) => folder)
      : Promise.resolve(wanted);
    whole.then(actions.addFolder).then(onClose, (reason: unknown) => {
      setBusy(false);
      setError(toErrorData(reason));
    });
  };
  const choose = (isFirst: boolean) =>
    actions.chooseFolder(TITLE).then(
      (found) => {
        if (found !== null) add(found);
        else if (isFirst) onClose();
      },
      (reason: unknown) => setError(toErrorData(reason)),
    );
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it opens
  useEffect(() => {
    if (!isNew.current) return;
    isNew.current = false;
    if (dropped?.path) add(dropped.path);
    else if (native) void choose(true);
  }, []);
  useEffect(
    () => () => {
      if (typing.current !== null) clearTimeout(typing.current);
    },
    [],
  );

  const type = (text: string) => {
    setPath(text);
    setError(null);
    if (typing.current !== null) clearTimeout(typing.current);
    if (/^([/~\\]|[A-Za-z]:)/.test(text.trim())) typing.current = setTimeout(() => setAt(text.trim()), TYPING_MS);
  };
  const show = (folder: string) => {
    if (typing.current !== null) clearTimeout(typing.current);
    setAt(folder);
    setPath(folder);
    setError(null);
  };
  return (
    <Dialog
      title={TITLE}
      width={640}
      onClose={onClose}
      actions={
        <>
          <Button size="large" onClick={onClose}>
            Cancel
          </Button>
          <Button size="large" tone="primary" type="submit" form={id} disabled={path.trim() === "" || busy}>
            {busy ? "Checking…" : "Check and add"}
          </Button>
        </>
      }
    >
      <form
        id={id}
        className="enc-form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          add(path);
        }}
      >
        {dropped !== null && dropped.path === null && (
          <p role="status" className="enc-note">
            The browser does not tell where “{dropped.name}” is on this computer. Find it below, or paste its path.
          </p>
        )}
        <div>
          <label className="type-label" htmlFor={`${id}-path`}>
            Folder
          </label>
          <div className="enc-line">
            <input
              id={`${id}-path`}
              className="field"
              data-autofocus
              value={path}
              spellCheck={false}
              placeholder="/home/me/models/my-encoder"
              aria-describedby={`${id}-help`}
              onChange={(event) => type(event.currentTarget.value)}
            />
            {native && (
              <Button size="large" disabled={busy} onClick={() => void choose(false)}>
                Choose…
              </Button>
            )}
          </div>
          <p id={`${id}-help`} className="type-caption">
            A folder with tokenizer.json and the weights: model.safetensors with config.json, or an ONNX file. It stays
            where it is; nothing is copied or sent.
          </p>
        </div>
        {error && <ErrorBlock error={error} title="Not added" safe="Nothing was changed." />}
        {!native && (
          <FolderList
            actions={actions}
            at={at}
            chosen={path}
            onOpen={show}
            onListed={({ folder }) => setPath((typed) => (typed === "" || typed === at ? folder : typed))}
            onChoose={(folder) => {
              setPath(folder);
              setError(null);
            }}
            onTake={add}
          />
        )}
      </form>
    </Dialog>
  );
}

import { type FormEvent, useId, useState } from "react";
import { reallyClose, restart } from "../../commands/app-commands.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import type { DocumentState, Overlay } from "../../state/types.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";

/** The questions that a notebook asks: only where the user must choose. */
export function NotebookDialogs() {
  const overlay = useSelect((state) => state.overlay);
  const docId = overlay && "docId" in overlay ? overlay.docId : null;
  const doc = useSelect((state) => (docId === null ? null : (state.documents[docId] ?? null)));
  if (!overlay || !doc) return null;
  switch (overlay.kind) {
    case "save-as":
      return <SaveAs doc={doc} />;
    case "restart":
      return <Restart doc={doc} thenRun={overlay.thenRun} />;
    case "close":
      return <Close doc={doc} />;
    case "overwrite":
      return <Overwrite doc={doc} />;
    case "log":
      return <Log doc={doc} />;
    default:
      return null;
  }
}

function useClose(): () => void {
  const { store } = useApp();
  return () => store.dispatch({ type: "overlay.closed" });
}

function SaveAs({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const close = useClose();
  const root = useSelect((state) => state.hello?.root ?? "");
  const [path, setPath] = useState(doc.path ?? suggestName(doc));
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const name = path.trim();
    if (name === "") return;
    close();
    void app.save(doc.docId, { path: name.endsWith(".ipynb") ? name : `${name}.ipynb` });
  };
  return (
    <Dialog
      title="Save as"
      onClose={close}
      actions={
        <>
          <Button size="large" onClick={close}>
            Cancel
          </Button>
          <Button size="large" tone="primary" type="submit" form={id} disabled={path.trim() === ""}>
            Save
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={submit}>
        <label className="field-label" htmlFor={`${id}-path`}>
          File, below {root}
        </label>
        <input
          id={`${id}-path`}
          className="field"
          value={path}
          data-autofocus
          spellCheck={false}
          onFocus={(event) => event.currentTarget.setSelectionRange(0, path.replace(/\.ipynb$/, "").length)}
          onChange={(event) => setPath(event.currentTarget.value)}
        />
      </form>
    </Dialog>
  );
}

function suggestName(doc: DocumentState): string {
  return doc.name.endsWith(".ipynb") ? doc.name : `${doc.name}.ipynb`;
}

function Restart({ doc, thenRun }: { doc: DocumentState; thenRun: string[] }) {
  const app = useApp();
  const close = useClose();
  return (
    <Dialog
      title="Restart the kernel?"
      onClose={close}
      actions={
        <>
          <Button size="large" onClick={close}>
            Keep it running
          </Button>
          <Button
            size="large"
            tone="primary"
            data-autofocus
            onClick={() => {
              close();
              void restart(app, doc.docId, thenRun);
            }}
          >
            {thenRun.length > 0 ? "Restart and run all" : "Restart"}
          </Button>
        </>
      }
    >
      <p>All variables of {doc.name} are lost. Cells and outputs stay; fine-tune runs go on in their own processes.</p>
    </Dialog>
  );
}

function Close({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const close = useClose();
  return (
    <Dialog
      title={`Close ${doc.name}?`}
      onClose={close}
      actions={
        <>
          <Button
            size="large"
            tone="danger"
            onClick={() => {
              close();
              void reallyClose(app, doc.docId);
            }}
          >
            {doc.dirty ? "Close without saving" : "Stop and close"}
          </Button>
          <Button size="large" onClick={close}>
            Cancel
          </Button>
          {doc.dirty && (
            <Button
              size="large"
              tone="primary"
              data-autofocus
              onClick={() => {
                close();
                if (doc.path === null)
                  app.store.dispatch({ type: "overlay.opened", overlay: { kind: "save-as", docId: doc.docId } });
                else
                  void app.save(doc.docId).then((saved) => {
                    if (saved) void reallyClose(app, doc.docId);
                  });
              }}
            >
              Save and close
            </Button>
          )}
        </>
      }
    >
      <p>
        {doc.dirty ? "It has edits that are not saved. " : ""}
        {doc.kernel.state === "busy" ? "A cell is running and will be stopped. " : ""}
        Its kernel ends and its variables are lost.
      </p>
    </Dialog>
  );
}

function Overwrite({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const close = useClose();
  return (
    <Dialog
      title="Overwrite the file on disk?"
      onClose={close}
      actions={
        <>
          <Button size="large" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button
            size="large"
            tone="danger"
            onClick={() => {
              close();
              void app.save(doc.docId, { overwrite: true });
            }}
          >
            Overwrite
          </Button>
        </>
      }
    >
      <p>{doc.path ?? doc.name} was changed by another program since it was read. What that program wrote is lost.</p>
    </Dialog>
  );
}

function Log({ doc }: { doc: DocumentState }) {
  const close = useClose();
  const lines = doc.kernel.exit?.log ?? [];
  return (
    <Dialog title="The kernel's last lines" width={760} onClose={close}>
      {lines.length === 0 ? (
        <p className="muted">The kernel wrote nothing before it stopped.</p>
      ) : (
        <pre className="log-text">{lines.join("\n")}</pre>
      )}
    </Dialog>
  );
}

export type { Overlay };

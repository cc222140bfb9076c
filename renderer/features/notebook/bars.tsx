import { restart } from "../../commands/app-commands.ts";
import { runCommand } from "../../commands/table.ts";
import { useApp } from "../../state/hooks.ts";
import { cellIndex } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatClock } from "../../ui/units.ts";

/** What is wrong with this notebook or its kernel, on top of it, each with what to do. */
export function NotebookBars({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const { docId } = doc;
  const dismiss = (bar: "recovered" | "conflict" | "saveError") =>
    app.store.dispatch({ type: "document.bar-dismissed", docId, bar });
  const openSaveAs = () => app.store.dispatch({ type: "overlay.opened", overlay: { kind: "save-as", docId } });
  return (
    <>
      {doc.problem && (
        <ErrorBlock
          shape="bar"
          tone={doc.readOnly ? "error" : "warning"}
          title={doc.readOnly ? "Shown read-only" : "Read with a problem"}
          error={doc.problem}
          safe="The file on disk is not touched."
        />
      )}
      {!doc.problem && doc.readOnly && (
        <ErrorBlock
          shape="bar"
          tone="info"
          error={{ code: "notebook.read-only", kind: "environment", message: `${doc.name} is open read-only.` }}
        />
      )}
      <KernelBar doc={doc} />
      {doc.saveError && (
        <ErrorBlock
          shape="bar"
          title="Not saved"
          error={doc.saveError}
          safe="Your edits are kept here."
          actions={
            <>
              <Button size="small" onClick={openSaveAs}>
                Save elsewhere…
              </Button>
              <Button size="small" onClick={() => void app.save(docId)}>
                Try again
              </Button>
            </>
          }
        />
      )}
      {doc.conflict && (
        <ErrorBlock
          shape="bar"
          tone="warning"
          title="Changed on disk"
          error={doc.conflict}
          safe="Your edits are kept here."
          actions={
            <>
              <Button
                size="small"
                onClick={() => app.store.dispatch({ type: "overlay.opened", overlay: { kind: "overwrite", docId } })}
              >
                Overwrite…
              </Button>
              <Button
                size="small"
                onClick={() => void app.open(doc.name, () => app.client.call("notebook.reload", { docId }), docId)}
              >
                Reload, drop my edits
              </Button>
              <Button size="small" onClick={openSaveAs}>
                Save a copy…
              </Button>
            </>
          }
        />
      )}
      {doc.recovered && (
        <ErrorBlock
          shape="bar"
          tone="info"
          title="Recovered"
          error={{
            code: "notebook.recovered",
            kind: "environment",
            message: `Edits that were not saved when Parallax last ended are shown${doc.savedAt ? `; the file is as of ${formatClock(doc.savedAt)}` : ""}.`,
          }}
          actions={
            <>
              <Button size="small" onClick={() => runCommand(app, "notebook.save")}>
                Save
              </Button>
              <Button
                size="small"
                onClick={() => void app.open(doc.name, () => app.client.call("notebook.reload", { docId }), docId)}
              >
                Go back to the file
              </Button>
              <Button size="small" tone="quiet" onClick={() => dismiss("recovered")}>
                Dismiss
              </Button>
            </>
          }
        />
      )}
    </>
  );
}

/** "The kernel stopped (exit code 139) while cell [4] ran." */
function KernelBar({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const { exit, state } = doc.kernel;
  if (exit === null || state !== "stopped") return null;
  const index = cellIndex(doc, exit.cellId);
  const cell = doc.notebook.cells[index];
  const label = cell ? `[${cell.execution_count ?? index + 1}]` : null;
  const upTo = doc.notebook.cells
    .slice(0, index + 1)
    .filter((candidate) => candidate.cell_type === "code")
    .map((candidate) => candidate.id);
  const saved = doc.dirty ? "Your edits are kept here" : "The notebook is saved";
  return (
    <ErrorBlock
      shape="bar"
      error={{
        code: "kernel.exited",
        kind: "environment",
        message: `The kernel stopped (${exit.reason})${label ? ` while cell ${label} ran` : ""}. ${saved}; variables are gone.`,
        details: { log: exit.log },
      }}
      actions={
        <>
          <Button size="small" tone="primary" onClick={() => void restart(app, doc.docId)}>
            Restart
          </Button>
          {label && upTo.length > 0 && (
            <Button size="small" onClick={() => void restart(app, doc.docId, upTo)}>
              Restart and run to {label}
            </Button>
          )}
          <Button
            size="small"
            onClick={() => app.store.dispatch({ type: "overlay.opened", overlay: { kind: "log", docId: doc.docId } })}
          >
            Show log
          </Button>
        </>
      }
    />
  );
}
